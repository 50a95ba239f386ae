/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Everything cryptographic, and the only file that knows OpenSSL: sealing
 * ([MS-SMB2] 3.1.4.3), signing (3.1.4.1), key derivation (3.1.4.2), the
 * pre-authentication integrity hash (3.1.4.4).  Contexts are reused for every
 * message and belong to one thread at a time.
 */
#ifndef CRYPT_H
#define CRYPT_H

#include <stdbool.h>
#include <stdint.h>

#include "smb2.h"
#include "wire.h"

#define CRYPT_TAG_LEN 16

struct aead;
struct mac;

/* One direction of sealing.  `key` has policy_cipher_key_len() bytes.  NULL on failure. */
struct aead *aead_new(uint16_t cipher, const uint8_t *key, bool seal);
void aead_free(struct aead *a); /* wipes; NULL is fine */
/* Bytes of nonce: 12 for GCM, 11 for CCM. */
size_t aead_nonce_len(uint16_t cipher);
/* In place.  0 or -EIO (OpenSSL refused, which ends the channel). */
int aead_seal(struct aead *a, const uint8_t *nonce, struct slice aad, uint8_t *text, size_t n,
	      uint8_t tag[CRYPT_TAG_LEN]) __attribute__((warn_unused_result));
/* In place.  0 or -EBADMSG; then `text` is garbage and must not be looked at. */
int aead_open(struct aead *a, const uint8_t *nonce, struct slice aad, uint8_t *text, size_t n,
	      const uint8_t tag[CRYPT_TAG_LEN]) __attribute__((warn_unused_result));

/* A signing key of 16 bytes; HMAC-SHA256, AES-CMAC or AES-GMAC.  NULL on failure. */
struct mac *mac_new(uint16_t signing, const uint8_t key[16]);
void mac_free(struct mac *m); /* wipes; NULL is fine */
/*
 * The signature of one element (header and body, padding included), its
 * signature field taken as zero.  GMAC's nonce comes from the message id, the
 * direction (`from_server`) and the command in the header.  0 or -EIO.
 */
int mac_sign(struct mac *m, struct slice msg, bool from_server, uint8_t out[16])
	__attribute__((warn_unused_result));
/* 0 when the signature in the header is right, else -EBADMSG.  Constant time. */
int mac_check(struct mac *m, struct slice msg, bool from_server)
	__attribute__((warn_unused_result));

/*
 * SP800-108 in counter mode with HMAC-SHA256; `label` includes its own NUL.
 * `out_len` is 16 or 32 bytes.  0 or -EIO.
 */
int kdf(struct slice key, struct slice label, struct slice context, uint8_t *out, size_t out_len)
	__attribute__((warn_unused_result));

/* hash = SHA-512(hash || msg).  0 or -EIO. */
int preauth_update(uint8_t hash[64], struct slice msg) __attribute__((warn_unused_result));

/* From the system's generator.  0 or -EIO. */
int crypt_random(void *out, size_t n) __attribute__((warn_unused_result));

#endif
