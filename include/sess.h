/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An immutable snapshot of an authenticated session, reference counted and
 * replaced as a whole by the control thread; and a connected share.
 */
#ifndef SESS_H
#define SESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "secret.h"

struct negotiated {
	uint16_t dialect; /* SMB2_DIALECT_311 */
	uint16_t cipher;  /* enum smb2_cipher; NONE only where policy asks for integrity alone */
	uint16_t signing; /* enum smb2_signing */
	uint32_t caps;
	uint32_t max_transact, max_read, max_write; /* bytes, at least 65536 */
	uint8_t server_guid[16];
	uint8_t preauth[64];  /* hash after the NEGOTIATE response */
	/* The mechanisms the server lists, proven by nothing; empty where absurdly long. */
	uint8_t offer[1024];
	size_t offer_len;
};

struct sess_keys {
	uint8_t c2s[32], s2c[32]; /* cipher keys, policy_cipher_key_len() bytes */
	uint8_t sign[16];
};

struct sess {
	_Atomic unsigned int refs;
	uint64_t id;
	bool sealed; /* else signed */
	uint16_t dialect, cipher, signing;
	uint32_t caps;
	uint32_t max_transact, max_read, max_write;
	uint8_t server_guid[16];
	struct secret *keys; /* a struct sess_keys */
	struct auth_info who;
};

/* Any thread. */
struct sess *sess_get(struct sess *s);
void sess_put(struct sess *s); /* NULL is fine; the last put wipes the keys */

static inline const struct sess_keys *sess_keys(const struct sess *s)
{
	return (const struct sess_keys *)(const void *)s->keys->p;
}

struct tree {
	uint32_t id;
	uint8_t type; /* SMB2_SHARE_TYPE_DISK */
	uint32_t share_flags, caps, max_access;
};

#endif
