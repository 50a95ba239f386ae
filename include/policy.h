/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hardening policy for one server and share: what /etc/smbsecure demands,
 * tightened by mount options, const ever after.
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "diag.h"
#include "smb2.h"

#define POLICY_MAX_CIPHERS 4
#define POLICY_MAX_SIGNING 2

struct policy {
	bool privacy;	 /* seal from TREE_CONNECT on; false = sign (integrity) */
	bool ntlm;	 /* the administrator named this server for NTLM */
	/* In order of preference. */
	uint16_t cipher[POLICY_MAX_CIPHERS]; /* enum smb2_cipher */
	size_t n_ciphers;
	uint16_t signing[POLICY_MAX_SIGNING]; /* enum smb2_signing; HMAC-SHA256 is never offered */
	size_t n_signing;
	uint32_t min_key_len; /* bytes of session key, at least 16 */
};

/*
 * Reads `path` (NULL = /etc/smbsecure/smbsecure.conf; a file that is not there
 * is an empty one) for `server`, a normalised host name, and `share`.  Any
 * mistake in the file is an error that names file and line.  The result is a
 * child of `mem`.  Control thread.
 */
int policy_load(TALLOC_CTX *mem, const char *path, const char *server, const char *share,
		struct policy **out, struct diag *d);

/*
 * Mount options can only take away: keep the ciphers (`ciphers=`) or signing
 * algorithms (`signing=`) that are in the comma- or colon-separated `list`, in
 * the list's order; an unknown name, or one the policy does not allow, is an
 * error.
 */
int policy_keep_ciphers(struct policy *p, const char *list, struct diag *d);
int policy_keep_signing(struct policy *p, const char *list, struct diag *d);

/* "AES-256-GCM", "AES-GMAC"; "unknown" otherwise. */
const char *policy_cipher_name(uint16_t cipher);
const char *policy_signing_name(uint16_t signing);
/* Bytes of key. */
size_t policy_cipher_key_len(uint16_t cipher);

#endif
