/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Authentication as the session layer sees it: tokens in, tokens out, a key.
 * One mechanism, chosen before the first packet; never another one after it.
 * May block on a KDC, so control thread only.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#include "diag.h"
#include "policy.h"
#include "secret.h"
#include "wire.h"

enum auth_mech { AUTH_KRB5, AUTH_NTLMSSP };

/* Borrowed strings, NULL where not given; they outlive the struct auth. */
struct auth_params {
	enum auth_mech mech;
	const char *server;    /* host name as typed, normalised: SPN cifs/<server> */
	const char *realm;     /* of the server's principal; NULL = krb5 decides */
	const char *principal; /* client */
	const char *user, *domain; /* user may be user@REALM; domain is NTLM's or the realm */
	const char *ccache;    /* name of a credentials cache */
	const char *keytab;    /* client keytab */
	const struct secret *password; /* NUL-terminated inside its bytes */
	bool have_uid;
	uint32_t uid;	       /* whose default cache (cruid=); ours otherwise */
};

struct auth_info {
	char mech[16];	     /* "krb5", "ntlmssp" */
	char principal[256]; /* who we are, as the mechanism says */
	char spn[256];	     /* whom we asked for */
	int64_t expires;     /* seconds since the epoch; 0 = unknown */
};

struct auth;

/*
 * To be called once, when the policy is known, before any thread and before any
 * GSSAPI call: takes NTLM out of the process unless `ntlm`, and switches off
 * canonicalisation of host names whatever krb5.conf says.
 */
int auth_setup(bool ntlm, struct diag *d);

/* Whether the policy lets this mechanism be used with `server` at all: 0 or -EPERM. */
int auth_permitted(enum auth_mech mech, const struct policy *pol, const char *server,
		   struct diag *d);

/*
 * Gets the credentials ready (this may talk to a KDC).  Refuses NTLM that the
 * policy does not allow.  The result is a child of `mem`.
 */
int auth_new(TALLOC_CTX *mem, const struct auth_params *p, const struct policy *pol,
	     struct auth **out, struct diag *d);

/*
 * One leg: `in` is the server's token, `*out` ours, valid until the next call
 * and empty when there is nothing to send.  At first `in` is what NEGOTIATE
 * carried, or empty: it can only make the log-on end sooner, with a reason.
 * `*complete` is set once our side is satisfied, mutual authentication and the
 * wanted mechanism proven.
 */
int auth_step(struct auth *a, struct slice in, struct slice *out, bool *complete, struct diag *d);

/* The whole session key, after completion only.  The caller frees it. */
int auth_key(struct auth *a, struct secret **out, struct diag *d);

/* As chosen at first. */
enum auth_mech auth_mech(const struct auth *a);

/* After completion. */
const struct auth_info *auth_info(const struct auth *a);

#endif
