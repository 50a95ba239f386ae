/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "proto/crypt.h"

#include <errno.h>
#include <stdlib.h>

#include "check.h"

#define HEX_MAX 256

struct hex {
	uint8_t p[HEX_MAX];
	size_t n;
};

static struct hex unhex(const char *s)
{
	struct hex h = { .n = strlen(s) / 2 };

	for (size_t i = 0; i < h.n && i < HEX_MAX; i++) {
		char pair[3] = { s[2 * i], s[2 * i + 1] };

		h.p[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return h;
}

static struct slice hex_slice(const struct hex *h)
{
	return slice_of(h->p, h->n);
}

static bool hex_is(const uint8_t *p, const char *want)
{
	struct hex h = unhex(want);

	return memcmp(p, h.p, h.n) == 0;
}

/*
 * GCM: "The Galois/Counter Mode of Operation", appendix B, test cases 4 and
 * 16.  CCM: NIST CAVP, variable nonce tests, of which those with 11 bytes of
 * nonce have exactly the lengths of SMB: 32 bytes of AAD, 16 of tag.
 */
static const struct vector {
	uint16_t cipher;
	const char *key, *nonce, *aad, *plain, *sealed, *tag;
} vectors[] = {
	{ SMB2_ENCRYPTION_AES128_GCM, "feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	  "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ SMB2_ENCRYPTION_AES256_GCM,
	  "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
	{ SMB2_ENCRYPTION_AES128_CCM, "e6ab9e70a4fb51b01c2e262233e64c0d", "314c136999e41d137bd7ba",
	  "366c659bc45d0a88acd54ef7eeaa3e140e1cafb1b01474a065a9d460c5e83bfd",
	  "217b19ea6a431a1f66bd9d02b718e8507a08ab8e6f603e3f",
	  "33d7b672b23e8b03a39ff3fd1e7b0f2be67163e3e3bae072",
	  "f2aaa211dec623947a50b1252bc5aad3" },
	{ SMB2_ENCRYPTION_AES128_CCM, "e6ab9e70a4fb51b01c2e262233e64c0d", "15f61b4526d19bceae1093",
	  "b97b122af73e928e617e98684f845be4cb80566345739b7a884c6a3eec5102bf",
	  "37c81988c07a5b01e2b40ff9f9ada5f50ca764efb717ff9e",
	  "0d93a5c77482d573b7f1b8c5e283f2571efc9f54216a4c01",
	  "900504a73c8817ff2b55618b2602bf38" },
	{ SMB2_ENCRYPTION_AES256_CCM,
	  "97bc7482a87ba005475dfa3448f59d4b3f9c4c969d08b39b1b21ef965c0f5125",
	  "0bcf78103ec52d6df28887",
	  "049c10f0cb37ae08eae2d0766563b7c5a8454f841c2061a4f71a0a2158ae6ce5",
	  "b99bf4dc781795fc4d3a8467b06e1665d4e543657f23129f",
	  "0d3891fa0caac1f7ebe41b480920ffd34d4155064c24f3b1",
	  "7a483163dd8f228d1f20cd4f86cf38fd" },
	{ SMB2_ENCRYPTION_AES256_CCM,
	  "97bc7482a87ba005475dfa3448f59d4b3f9c4c969d08b39b1b21ef965c0f5125",
	  "514bba483fe7f2b7e555cc",
	  "ac8beb419099cdb42a39e9b46fd900cc52eec4b43a96ed18b37b899b63fb931c",
	  "b0b11dfca9b3936d1b4a423c5acd3d012b399a487c19c994",
	  "fa20629d514c4ce7bf727629bca5aa1c0c7e7851fc1bfc5c",
	  "847729a70d7b4cff5281aece37006015" },
};

#define N_VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static void seals_and_opens_published_vectors(void)
{
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		struct hex key = unhex(v->key), nonce = unhex(v->nonce), aad = unhex(v->aad);
		struct hex text = unhex(v->plain);
		struct aead *seal = aead_new(v->cipher, key.p, true);
		struct aead *open = aead_new(v->cipher, key.p, false);
		uint8_t tag[CRYPT_TAG_LEN];

		CHECK(aead_nonce_len(v->cipher) == nonce.n);
		/* Twice with each context: the second must not see the first. */
		for (int round = 0; round < 2; round++) {
			CHECK(aead_seal(seal, nonce.p, hex_slice(&aad), text.p, text.n, tag) == 0);
			CHECK(hex_is(text.p, v->sealed));
			CHECK(hex_is(tag, v->tag));
			CHECK(aead_open(open, nonce.p, hex_slice(&aad), text.p, text.n, tag) == 0);
			CHECK(hex_is(text.p, v->plain));
		}
		aead_free(seal);
		aead_free(open);
	}
}

/* Whether `open` accepts the message with bit `bit` of nonce, AAD, text and tag flipped. */
static bool accepts_flip(struct aead *open, const struct vector *v, size_t bit)
{
	struct hex part[4] = { unhex(v->nonce), unhex(v->aad), unhex(v->sealed), unhex(v->tag) };
	size_t at = bit / 8;

	for (size_t i = 0; i < 4; i++) {
		if (at < part[i].n) {
			part[i].p[at] ^= (uint8_t)(1u << bit % 8);
			break;
		}
		at -= part[i].n;
	}
	return aead_open(open, part[0].p, hex_slice(&part[1]), part[2].p, part[2].n,
			 part[3].p) != -EBADMSG;
}

static void refuses_every_flipped_bit(void)
{
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		struct hex key = unhex(v->key), nonce = unhex(v->nonce), aad = unhex(v->aad);
		struct hex text = unhex(v->sealed), tag = unhex(v->tag);
		struct aead *open = aead_new(v->cipher, key.p, false);
		size_t bits = 8 * (nonce.n + aad.n + text.n + tag.n);

		for (size_t bit = 0; bit < bits; bit++)
			CHECK(!accepts_flip(open, v, bit));
		/* A refusal leaves the context usable. */
		CHECK(aead_open(open, nonce.p, hex_slice(&aad), text.p, text.n, tag.p) == 0);
		CHECK(hex_is(text.p, v->plain));
		aead_free(open);
	}
}

static void refuses_every_truncation(void)
{
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		struct hex key = unhex(v->key), nonce = unhex(v->nonce), aad = unhex(v->aad);
		struct hex tag = unhex(v->tag);
		struct aead *open = aead_new(v->cipher, key.p, false);

		for (size_t n = 0; n < unhex(v->sealed).n; n++) {
			struct hex text = unhex(v->sealed);

			CHECK(aead_open(open, nonce.p, hex_slice(&aad), text.p, n, tag.p) ==
			      -EBADMSG);
		}
		for (size_t n = 0; n < aad.n; n++) {
			struct hex text = unhex(v->sealed);

			CHECK(aead_open(open, nonce.p, slice_of(aad.p, n), text.p, text.n,
					tag.p) == -EBADMSG);
		}
		aead_free(open);
	}
}

static void refuses_the_wrong_key_and_the_wrong_cipher(void)
{
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		struct hex key = unhex(v->key), nonce = unhex(v->nonce), aad = unhex(v->aad);
		struct hex text = unhex(v->sealed), tag = unhex(v->tag);
		struct aead *open;

		key.p[15] ^= 1;
		open = aead_new(v->cipher, key.p, false);
		CHECK(aead_open(open, nonce.p, hex_slice(&aad), text.p, text.n, tag.p) ==
		      -EBADMSG);
		aead_free(open);
	}
	for (uint32_t cipher = 0; cipher <= UINT16_MAX; cipher++) {
		if (cipher < 1 || cipher > 4)
			CHECK(aead_new((uint16_t)cipher, (const uint8_t[32]){ 0 }, true) == NULL);
	}
}

static void never_seals_nothing(void)
{
	uint8_t none[1] = { 0 }, tag[CRYPT_TAG_LEN] = { 0 };

	for (uint16_t c = SMB2_ENCRYPTION_AES128_CCM; c <= SMB2_ENCRYPTION_AES256_GCM; c++) {
		const uint8_t key[32] = { 1 }, nonce[12] = { 2 };
		struct aead *seal = aead_new(c, key, true), *open = aead_new(c, key, false);

		CHECK(aead_seal(seal, nonce, slice_of("x", 1), none, 0, tag) == -EIO);
		CHECK(aead_open(open, nonce, slice_of("x", 1), none, 0, tag) == -EBADMSG);
		aead_free(seal);
		aead_free(open);
	}
	aead_free(NULL);
}

/* Large frames and every residue of the block size, with one context for all. */
static void round_trips_every_length(void)
{
	static uint8_t text[1024 * 1024 + 64], was[sizeof(text)];
	uint8_t tag[CRYPT_TAG_LEN], nonce[12] = { 0 }, aad[32] = { 7 };

	CHECK(crypt_random(was, sizeof(was)) == 0);
	for (uint16_t c = SMB2_ENCRYPTION_AES128_CCM; c <= SMB2_ENCRYPTION_AES256_GCM; c++) {
		uint8_t key[32] = { (uint8_t)c };
		struct aead *seal = aead_new(c, key, true), *open = aead_new(c, key, false);

		for (size_t n = 1; n <= sizeof(text); n = n < 200 ? n + 1 : n * 19) {
			memcpy(text, was, n);
			nonce[0]++;
			CHECK(aead_seal(seal, nonce, slice_of(aad, 32), text, n, tag) == 0);
			CHECK(n < 8 || memcmp(text, was, n) != 0);
			CHECK(aead_open(open, nonce, slice_of(aad, 32), text, n, tag) == 0);
			CHECK(memcmp(text, was, n) == 0);
		}
		memcpy(text, was, sizeof(text));
		CHECK(aead_seal(seal, aad, slice_of(aad, 32), text, sizeof(text), tag) == 0);
		CHECK(aead_open(open, aad, slice_of(aad, 32), text, sizeof(text), tag) == 0);
		CHECK(memcmp(text, was, sizeof(text)) == 0);
		aead_free(seal);
		aead_free(open);
	}
}

/*
 * The final SESSION_SETUP response of Microsoft's article "SMB 2 and SMB 3
 * security in Windows 10: the anatomy of signing and cryptographic keys", as
 * it was on the wire, and the key that signed it (AES-CMAC).
 */
static const char signing_key[] = "73fe7a9a77bef0bde49c650d8ccb5f76";
static const char signed_response[] =
	"fe534d4240000100000000000100800009000000000000000300000000000000fffe000000000000"
	"1900000000100000ebe146da120ba25fc3376a49dfe31bc10900000048001d00a11b3019a0030a01"
	"00a3120410010000003b453cdc3524164200000000";

static void checks_a_published_signature(void)
{
	struct hex key = unhex(signing_key), msg = unhex(signed_response);
	struct mac *m = mac_new(SMB2_SIGNING_AES_CMAC, key.p);

	CHECK(mac_check(m, hex_slice(&msg), true) == 0);
	CHECK(hex_is(msg.p, signed_response)); /* not written to */
	mac_free(m);
}

/*
 * Of the same message; GMAC's and HMAC's were computed with another program.
 * For GMAC, direction and CANCEL are part of the nonce.
 */
static const struct {
	uint16_t signing;
	bool from_server;
	uint8_t cmd;
	const char *want;
} signatures[] = {
	{ SMB2_SIGNING_AES_CMAC, true, SMB2_SESSION_SETUP, "ebe146da120ba25fc3376a49dfe31bc1" },
	{ SMB2_SIGNING_AES_CMAC, false, SMB2_SESSION_SETUP, "ebe146da120ba25fc3376a49dfe31bc1" },
	{ SMB2_SIGNING_HMAC_SHA256, true, SMB2_SESSION_SETUP, "373d8b4ae191dc8c15be375c5bdaefcb" },
	{ SMB2_SIGNING_AES_GMAC, false, SMB2_SESSION_SETUP, "48fe6970628518bc1797bc5fec22a901" },
	{ SMB2_SIGNING_AES_GMAC, false, SMB2_CANCEL, "0118f64b4a4baddc90e3c3936416621e" },
	{ SMB2_SIGNING_AES_GMAC, true, SMB2_SESSION_SETUP, "75d05bac99ff7fcc52a44c354381d559" },
	{ SMB2_SIGNING_AES_GMAC, true, SMB2_CANCEL, "70bd9e2842361e61ca4ea02ce05e7efb" },
};

static void signs_with_every_algorithm(void)
{
	struct hex key = unhex(signing_key);

	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		struct hex msg = unhex(signed_response);
		struct mac *m = mac_new(signatures[i].signing, key.p);
		uint8_t out[16];

		msg.p[SMB2_HDR_CMD] = signatures[i].cmd;
		for (int round = 0; round < 3; round++) {
			bool server = signatures[i].from_server;

			memset(out, 0, sizeof(out));
			CHECK(mac_sign(m, hex_slice(&msg), server, out) == 0);
			CHECK(hex_is(out, signatures[i].want));
			/* Whatever is in the signature field does not matter. */
			memset(msg.p + SMB2_HDR_SIGNATURE, 0x5a, 16);
			CHECK(mac_check(m, hex_slice(&msg), server) == -EBADMSG);
			memcpy(msg.p + SMB2_HDR_SIGNATURE, out, 16);
			CHECK(mac_check(m, hex_slice(&msg), server) == 0);
		}
		mac_free(m);
	}
}

static void refuses_every_flipped_bit_and_truncation_when_signed(void)
{
	struct hex key = unhex(signing_key);

	for (uint16_t s = SMB2_SIGNING_HMAC_SHA256; s <= SMB2_SIGNING_AES_GMAC; s++) {
		struct hex msg = unhex(signed_response);
		struct mac *m = mac_new(s, key.p);
		uint8_t out[16];

		CHECK(mac_sign(m, hex_slice(&msg), true, out) == 0);
		memcpy(msg.p + SMB2_HDR_SIGNATURE, out, 16);
		for (size_t bit = 0; bit < 8 * msg.n; bit++) {
			struct hex lie = msg;

			lie.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			CHECK(mac_check(m, hex_slice(&lie), true) == -EBADMSG);
		}
		for (size_t n = 0; n < msg.n; n++)
			CHECK(mac_check(m, slice_of(msg.p, n), true) == -EBADMSG);
		CHECK(mac_check(m, hex_slice(&msg), true) == 0);
		mac_free(m);
	}
}

static void gmac_tells_the_directions_apart(void)
{
	struct hex key = unhex(signing_key), msg = unhex(signed_response);
	struct mac *m = mac_new(SMB2_SIGNING_AES_GMAC, key.p);
	uint8_t out[16];

	CHECK(mac_sign(m, hex_slice(&msg), false, out) == 0);
	memcpy(msg.p + SMB2_HDR_SIGNATURE, out, 16);
	CHECK(mac_check(m, hex_slice(&msg), false) == 0);
	CHECK(mac_check(m, hex_slice(&msg), true) == -EBADMSG); /* reflected */
	mac_free(m);
}

static void knows_three_signing_algorithms(void)
{
	for (uint32_t s = 3; s <= UINT16_MAX; s++)
		CHECK(mac_new((uint16_t)s, (const uint8_t[16]){ 0 }) == NULL);
	mac_free(NULL);
}

/* Microsoft's article again; its 3.0 labels prove the construction with other lengths. */
static const char kdf_key_311[] = "270e1ba896585eeb7af3472d3b4c75a7";
static const char kdf_hash_311[] =
	"0dd13628cc3ed218ef9df9772d436d0887ab9814bfae63a80aa845f36909db79"
	"28622dddad522d9751640a459762c5a9d6bb084cbb3ce6bdadef5d5bce3c6c01";

static const struct {
	const char *label, *want;
} kdf_311[] = {
	{ "SMBSigningKey", "73fe7a9a77bef0bde49c650d8ccb5f76" },
	{ "SMBAppKey", "6d7ad7954e9ec61e907b4d473dc178ff" },
	{ "SMBC2SCipherKey", "629bcbc54422a0f572b97f45989b6073" },
	{ "SMBS2CCipherKey", "e2af0dcefac68da71a0dfbd0d1350d74" },
};

static const struct {
	const char *label, *context, *want;
} kdf_300[] = {
	{ "SMB2AESCMAC", "SmbSign", "0b7e9c5cac36c0f6ea9ab275298cedce" },
	{ "SMB2AESCCM", "ServerIn ", "fad27796665b313ebb578f388632b4f7" },
	{ "SMB2AESCCM", "ServerOut", "b0f0427f7ceb416d1d9dcc0cd4f99447" },
	{ "SMB2APP", "SmbRpc", "bb23a4575aa26c721af525af15a87b4f" },
};

static void derives_the_published_keys(void)
{
	struct hex key = unhex(kdf_key_311), context = unhex(kdf_hash_311);
	uint8_t out[16];

	for (size_t i = 0; i < sizeof(kdf_311) / sizeof(kdf_311[0]); i++) {
		const char *label = kdf_311[i].label;

		CHECK(kdf(hex_slice(&key), slice_of(label, strlen(label) + 1),
			  hex_slice(&context), out, sizeof(out)) == 0);
		CHECK(hex_is(out, kdf_311[i].want));
	}
	key = unhex("7cd451825d0450d235424e44ba6e78cc");
	for (size_t i = 0; i < sizeof(kdf_300) / sizeof(kdf_300[0]); i++) {
		const char *label = kdf_300[i].label, *c = kdf_300[i].context;

		CHECK(kdf(hex_slice(&key), slice_of(label, strlen(label) + 1),
			  slice_of(c, strlen(c) + 1), out, sizeof(out)) == 0);
		CHECK(hex_is(out, kdf_300[i].want));
	}
}

/* 256 bits from a full session key of 32 bytes; computed with another program. */
static void derives_keys_of_256_bits(void)
{
	struct hex context = unhex(kdf_hash_311);
	uint8_t key[32], out[32];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	CHECK(kdf(slice_of(key, 32), slice_of("SMBC2SCipherKey", 16), hex_slice(&context), out,
		  sizeof(out)) == 0);
	CHECK(hex_is(out, "f1a5c66c7c07116904393a1d1c4cb46eeceb7fd384038c510561fbfdba9ae683"));
	CHECK(kdf(slice_of(key, 32), slice_of("SMBS2CCipherKey", 16), hex_slice(&context), out,
		  sizeof(out)) == 0);
	CHECK(hex_is(out, "4ebc8bf4047484c299d04c4f8ff31ed8243cea3ed8aa9902ea5833b809ac10e7"));
}

static void chains_the_preauth_hash(void)
{
	uint8_t hash[64] = { 0 };

	CHECK(preauth_update(hash, slice_of("abc", 3)) == 0);
	CHECK(preauth_update(hash, slice_of("", 0)) == 0);
	CHECK(preauth_update(hash, slice_of("defg", 4)) == 0);
	CHECK(hex_is(hash, "e1e9c5db00aec631730a114ef0e59dd686f9d0120d89772166d7d8cfa956bff9"
			   "09f2ee9460b82ccf54f9eada0e2d4d134e1176d144714c6a8bec5aaf797ad07a"));
}

static void random_bytes_fill_what_was_asked(void)
{
	static uint8_t a[65536], b[65536];
	uint8_t guarded[34] = { [0] = 0xaa, [33] = 0xbb };
	uint32_t ones = 0;

	CHECK(crypt_random(a, sizeof(a)) == 0);
	CHECK(crypt_random(b, sizeof(b)) == 0);
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	for (size_t i = 0; i < sizeof(a); i++)
		ones += (uint32_t)__builtin_popcount(a[i]);
	/* 262144 expected, 362 the standard deviation. */
	CHECK(ones > 258000 && ones < 266000);
	CHECK(crypt_random(guarded + 1, 32) == 0);
	CHECK(guarded[0] == 0xaa && guarded[33] == 0xbb);
	CHECK(crypt_random(guarded, 0) == 0);
}

int main(void)
{
	RUN(seals_and_opens_published_vectors);
	RUN(refuses_every_flipped_bit);
	RUN(refuses_every_truncation);
	RUN(refuses_the_wrong_key_and_the_wrong_cipher);
	RUN(never_seals_nothing);
	RUN(round_trips_every_length);
	RUN(checks_a_published_signature);
	RUN(signs_with_every_algorithm);
	RUN(refuses_every_flipped_bit_and_truncation_when_signed);
	RUN(gmac_tells_the_directions_apart);
	RUN(knows_three_signing_algorithms);
	RUN(derives_the_published_keys);
	RUN(derives_keys_of_256_bits);
	RUN(chains_the_preauth_hash);
	RUN(random_bytes_fill_what_was_asked);
	return DONE();
}
