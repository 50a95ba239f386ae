/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A look into a server's SPNEGO token ([MS-SPNG], RFC 4178 4.2.2) and into
 * NTLM's challenge ([MS-NLMP] 2.2.1.2), for the demands that the GSSAPI does
 * not make itself.  Slices are borrowed from the token.
 */
#ifndef SPNEGO_H
#define SPNEGO_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

/* NegTokenResp; what is absent is empty. */
struct spnego_resp {
	struct slice mech; /* body of the object identifier */
	struct slice token;
	struct slice mic;
};

/* NegTokenInit2 ([MS-SPNG] 2.2.1), what a server offers in NEGOTIATE. */
struct spnego_offer {
	struct slice mechs; /* the elements of the list */
};

struct ntlm_challenge {
	uint32_t flags;
	bool has_timestamp;
};

#define NTLMSSP_NEGOTIATE_SIGN 0x00000010u
#define NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY 0x00080000u
#define NTLMSSP_NEGOTIATE_128 0x20000000u
#define NTLMSSP_NEGOTIATE_KEY_EXCH 0x40000000u

/* 0 or -EBADMSG. */
int spnego_offer_decode(struct slice in, struct spnego_offer *out)
	__attribute__((warn_unused_result));
/* Whether the object identifier with this body is in the list. */
bool spnego_offer_has(const struct spnego_offer *offer, const void *oid, size_t oid_len);
int spnego_resp_decode(struct slice in, struct spnego_resp *out)
	__attribute__((warn_unused_result));
/* The KRB-ERROR (RFC 4120 5.9.1) in a Kerberos token; -EBADMSG also for other tokens. */
int krb_error_token_decode(struct slice in, struct slice *out) __attribute__((warn_unused_result));
int ntlm_challenge_decode(struct slice in, struct ntlm_challenge *out)
	__attribute__((warn_unused_result));

#endif
