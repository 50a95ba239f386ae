/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Algorithms are fetched and keys expanded once per context; a message costs
 * a new nonce and the work itself (fetching for each 192-byte request would
 * triple its price).
 */
#include "crypt.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define CRYPT_GCM_NONCE_LEN 12u
#define CRYPT_CCM_NONCE_LEN 11u
#define CRYPT_SIGNATURE_LEN 16u

struct aead {
	EVP_CIPHER_CTX *ctx;
	bool ccm;
};

struct mac {
	EVP_MAC_CTX *ctx;
	uint16_t signing;
};

static const char *crypt_cipher_name(uint16_t cipher)
{
	switch (cipher) {
	case SMB2_ENCRYPTION_AES128_CCM:
		return "AES-128-CCM";
	case SMB2_ENCRYPTION_AES128_GCM:
		return "AES-128-GCM";
	case SMB2_ENCRYPTION_AES256_CCM:
		return "AES-256-CCM";
	case SMB2_ENCRYPTION_AES256_GCM:
		return "AES-256-GCM";
	default:
		return NULL;
	}
}

static bool crypt_is_ccm(uint16_t cipher)
{
	return cipher == SMB2_ENCRYPTION_AES128_CCM || cipher == SMB2_ENCRYPTION_AES256_CCM;
}

size_t aead_nonce_len(uint16_t cipher)
{
	return crypt_is_ccm(cipher) ? CRYPT_CCM_NONCE_LEN : CRYPT_GCM_NONCE_LEN;
}

/* CCM's key schedule depends on the lengths of nonce and tag: they go first. */
static bool aead_set_key(struct aead *a, const EVP_CIPHER *c, const uint8_t *key, bool seal)
{
	if (EVP_CipherInit_ex2(a->ctx, c, NULL, NULL, seal, NULL) != 1)
		return false;
	if (a->ccm &&
	    (EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_IVLEN, CRYPT_CCM_NONCE_LEN, NULL) != 1 ||
	     EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPT_TAG_LEN, NULL) != 1))
		return false;
	return EVP_CipherInit_ex2(a->ctx, NULL, key, NULL, seal, NULL) == 1;
}

struct aead *aead_new(uint16_t cipher, const uint8_t *key, bool seal)
{
	const char *name = crypt_cipher_name(cipher);
	EVP_CIPHER *c = name != NULL ? EVP_CIPHER_fetch(NULL, name, NULL) : NULL;
	struct aead *a = calloc(1, sizeof(*a));

	if (c != NULL && a != NULL) {
		a->ccm = crypt_is_ccm(cipher);
		a->ctx = EVP_CIPHER_CTX_new();
	}
	if (c == NULL || a == NULL || a->ctx == NULL || !aead_set_key(a, c, key, seal)) {
		aead_free(a);
		a = NULL;
	}
	EVP_CIPHER_free(c);
	return a;
}

void aead_free(struct aead *a)
{
	if (a == NULL)
		return;
	EVP_CIPHER_CTX_free(a->ctx);
	free(a);
}

/*
 * The part that is the same in both directions.  An empty text is refused:
 * there is no such message, and EVP has its own rules for it in CCM.
 */
static bool aead_run(struct aead *a, struct slice aad, uint8_t *text, size_t n)
{
	int len;

	if (n == 0 || n > INT_MAX || aad.n > INT_MAX)
		return false;
	if (a->ccm && EVP_CipherUpdate(a->ctx, NULL, &len, NULL, (int)n) != 1)
		return false;
	return EVP_CipherUpdate(a->ctx, NULL, &len, aad.p, (int)aad.n) == 1 &&
	       EVP_CipherUpdate(a->ctx, text, &len, text, (int)n) == 1 && len == (int)n &&
	       EVP_CipherFinal_ex(a->ctx, text + n, &len) == 1;
}

int aead_seal(struct aead *a, const uint8_t *nonce, struct slice aad, uint8_t *text, size_t n,
	      uint8_t tag[CRYPT_TAG_LEN])
{
	if (EVP_CipherInit_ex2(a->ctx, NULL, NULL, nonce, -1, NULL) != 1 ||
	    !aead_run(a, aad, text, n) ||
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPT_TAG_LEN, tag) != 1)
		return -EIO;
	return 0;
}

int aead_open(struct aead *a, const uint8_t *nonce, struct slice aad, uint8_t *text, size_t n,
	      const uint8_t tag[CRYPT_TAG_LEN])
{
	if (EVP_CipherInit_ex2(a->ctx, NULL, NULL, nonce, -1, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPT_TAG_LEN, (void *)tag) != 1 ||
	    !aead_run(a, aad, text, n))
		return -EBADMSG;
	return 0;
}

struct mac *mac_new(uint16_t signing, const uint8_t key[16])
{
	static const struct {
		const char *mac, *param;
		char value[12];
	} how[] = {
		[SMB2_SIGNING_HMAC_SHA256] = { "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256" },
		[SMB2_SIGNING_AES_CMAC] = { "CMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-CBC" },
		[SMB2_SIGNING_AES_GMAC] = { "GMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-GCM" },
	};
	OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
	struct mac *m;
	EVP_MAC *alg;

	if (signing >= sizeof(how) / sizeof(how[0]))
		return NULL;
	m = calloc(1, sizeof(*m));
	alg = EVP_MAC_fetch(NULL, how[signing].mac, NULL);
	if (m != NULL && alg != NULL) {
		m->signing = signing;
		m->ctx = EVP_MAC_CTX_new(alg);
	}
	EVP_MAC_free(alg);
	params[0] = OSSL_PARAM_construct_utf8_string(how[signing].param,
						     (char *)how[signing].value, 0);
	if (m == NULL || m->ctx == NULL || EVP_MAC_init(m->ctx, key, 16, params) != 1) {
		mac_free(m);
		return NULL;
	}
	return m;
}

void mac_free(struct mac *m)
{
	if (m == NULL)
		return;
	EVP_MAC_CTX_free(m->ctx);
	free(m);
}

/* Ready for the next message, with the key it has. */
static bool mac_restart(struct mac *m, struct slice msg, bool from_server)
{
	uint8_t nonce[CRYPT_GCM_NONCE_LEN] = { 0 };
	OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
	struct rd r = rd_at(msg, SMB2_HDR_CMD);

	if (m->signing != SMB2_SIGNING_AES_GMAC)
		return EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1;
	/* [MS-SMB2] 3.1.4.1: message id, then one bit for the server and one for CANCEL. */
	memcpy(nonce, msg.p + SMB2_HDR_MID, 8);
	nonce[8] = (uint8_t)((from_server ? 1 : 0) | (rd_u16(&r) == SMB2_CANCEL ? 2 : 0));
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, nonce, sizeof(nonce));
	return EVP_MAC_init(m->ctx, NULL, 0, params) == 1;
}

int mac_sign(struct mac *m, struct slice msg, bool from_server, uint8_t out[16])
{
	static const uint8_t zero[CRYPT_SIGNATURE_LEN];
	uint8_t full[EVP_MAX_MD_SIZE];
	size_t n;

	if (msg.n < SMB2_HDR_LEN || !mac_restart(m, msg, from_server) ||
	    EVP_MAC_update(m->ctx, msg.p, SMB2_HDR_SIGNATURE) != 1 ||
	    EVP_MAC_update(m->ctx, zero, sizeof(zero)) != 1 ||
	    EVP_MAC_update(m->ctx, msg.p + SMB2_HDR_LEN, msg.n - SMB2_HDR_LEN) != 1 ||
	    EVP_MAC_final(m->ctx, full, &n, sizeof(full)) != 1 || n < CRYPT_SIGNATURE_LEN)
		return -EIO;
	memcpy(out, full, CRYPT_SIGNATURE_LEN);
	return 0;
}

int mac_check(struct mac *m, struct slice msg, bool from_server)
{
	uint8_t want[CRYPT_SIGNATURE_LEN];

	if (mac_sign(m, msg, from_server, want) != 0 ||
	    CRYPTO_memcmp(want, msg.p + SMB2_HDR_SIGNATURE, sizeof(want)) != 0)
		return -EBADMSG;
	return 0;
}

int kdf(struct slice key, struct slice label, struct slice context, uint8_t *out, size_t out_len)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, (char[]){ "counter" }, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, (char[]){ "HMAC" }, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key.p, key.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)label.p, label.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)context.p,
						  context.n),
		OSSL_PARAM_END,
	};
	EVP_KDF *alg = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(alg);
	bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, out_len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(alg);
	return ok ? 0 : -EIO;
}

int preauth_update(uint8_t hash[64], struct slice msg)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha512(), NULL) == 1 &&
		  EVP_DigestUpdate(ctx, hash, 64) == 1 &&
		  EVP_DigestUpdate(ctx, msg.p, msg.n) == 1 &&
		  EVP_DigestFinal_ex(ctx, hash, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int crypt_random(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}
