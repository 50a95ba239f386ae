/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kerberos credentials: whose, from where, and the ticket for one server.  All
 * questions to a KDC are asked here, through libkrb5 itself, because what it
 * answers gets lost below SPNEGO.  May block on a KDC: control thread.
 */
#ifndef KCRED_H
#define KCRED_H

#include <krb5.h>
#include <stdbool.h>

#include "auth.h"
#include "wire.h"

#define KCRED_NAME 256u

struct kcred {
	krb5_context ctx;
	krb5_ccache cc;
	bool cc_is_ours; /* in memory, to be destroyed */
	bool used_keytab;
	krb5_principal client, server;
	char client_name[KCRED_NAME], server_name[KCRED_NAME];
	char cc_name[KCRED_NAME]; /* for libraries */
	char source[KCRED_NAME];  /* for people: which cache or keytab */
};

/*
 * Fills `k` (zeroed) with credentials of the client that `p` asks for: the
 * cache named, else the keytab, else the password, else the default cache of
 * p->uid or of the caller.  Nothing else is tried when the one chosen fails.
 * kcred_fini() in any case.
 */
int kcred_init(struct kcred *k, const struct auth_params *p, struct diag *d);
void kcred_fini(struct kcred *k);

/* Has the KDC issue a ticket for cifs/<p->server> into the cache, in a strong form. */
int kcred_get_ticket(struct kcred *k, const struct auth_params *p, struct diag *d);

/* AES, that is. */
bool kcred_is_strong(krb5_enctype type);

/*
 * Fill `d` (kcred_error.c): for the error `code`, which `words` tell in the
 * library's own way; for `code` of k->ctx; for the KRB-ERROR `message` of a
 * server; for the two states of a cache.
 */
int kcred_explain(const struct kcred *k, krb5_error_code code, const char *words,
		  struct diag *d);
int kcred_fail(const struct kcred *k, krb5_error_code code, struct diag *d);
int kcred_explain_error(const struct kcred *k, struct slice message, struct diag *d);
int kcred_no_ticket(const struct kcred *k, struct diag *d);
int kcred_expired(const struct kcred *k, struct diag *d);

/* A ticket that lasts is in the cache that `p` leads to; asks no KDC. */
bool kcred_exists(const struct auth_params *p);

#endif
