/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kcred.h"

#include <ctype.h>
#include <errno.h>
#include <profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KCRED_NOBODY 65534u /* a group that owns no ticket cache */
#define KCRED_MAX_GROUPS 65536

static int kcred_name(const struct kcred *k, krb5_const_principal princ, char out[KCRED_NAME],
		      struct diag *d)
{
	krb5_error_code code;
	char *name;
	int err = 0;

	code = krb5_unparse_name(k->ctx, princ, &name);
	if (code != 0)
		return kcred_fail(k, code, d);
	if (strlen(name) < KCRED_NAME)
		strcpy(out, name);
	else
		err = diag_set(d, -ENAMETOOLONG, "auth.protocol", "a Kerberos name is longer "
			       "than %u characters", KCRED_NAME - 1);
	krb5_free_unparsed_name(k->ctx, name);
	return err;
}

/* Who was asked for; `*out` is NULL when nobody was. */
static int kcred_parse_client(struct kcred *k, const struct auth_params *p, krb5_principal *out,
			      struct diag *d)
{
	const char *name = p->principal != NULL ? p->principal : p->user;
	const char *domain = p->domain, *slash;
	char *text = NULL, *realm;
	krb5_error_code code;

	*out = NULL;
	if (name == NULL)
		return 0;
	slash = p->principal == NULL ? strchr(name, '\\') : NULL;
	if (slash != NULL) {
		domain = name;
		name = slash + 1;
	}
	if (p->principal == NULL && domain != NULL && strchr(name, '@') == NULL) {
		text = talloc_asprintf(NULL, "%s@%.*s", name, (int)strcspn(domain, "\\"), domain);
		if (text == NULL)
			abort();
		for (realm = text + strlen(name) + 1; *realm != '\0'; realm++)
			*realm = (char)toupper((unsigned char)*realm);
	}
	code = krb5_parse_name(k->ctx, text == NULL ? name : text, out);
	talloc_free(text);
	if (code != 0)
		return kcred_fail(k, code, d);
	return kcred_name(k, *out, k->client_name, d);
}

/* 32-bit machines have two of each, and the older one cuts ids to 16 bits. */
#ifdef SYS_setresuid32
#define KCRED_SETRESUID SYS_setresuid32
#define KCRED_SETRESGID SYS_setresgid32
#define KCRED_SETGROUPS SYS_setgroups32
#else
#define KCRED_SETRESUID SYS_setresuid
#define KCRED_SETRESGID SYS_setresgid
#define KCRED_SETGROUPS SYS_setgroups
#endif

struct kcred_self {
	gid_t egid, *groups;
	int n_groups;
};

/* Ends what kcred_become() began; a thread that cannot come back must not go on. */
static void kcred_return(struct kcred_self *self)
{
	if (syscall(KCRED_SETRESUID, -1, 0, -1) != 0 ||
	    syscall(KCRED_SETRESGID, -1, self->egid, -1) != 0 ||
	    (self->n_groups > 0 &&
	     syscall(KCRED_SETGROUPS, self->n_groups, self->groups) != 0))
		abort();
	free(self->groups);
}

/*
 * Lets this thread, and no other, reach only what `uid` may: a cache that is a
 * symbolic link into somebody else's must not be followed with root's rights.
 * glibc's functions would change all threads.
 */
static int kcred_become(uid_t uid, struct kcred_self *self, struct diag *d)
{
	self->egid = getegid();
	self->groups = calloc(KCRED_MAX_GROUPS, sizeof(gid_t));
	if (self->groups == NULL)
		abort();
	self->n_groups = getgroups(KCRED_MAX_GROUPS, self->groups);
	if (geteuid() == 0 &&
	    (self->n_groups <= 0 || syscall(KCRED_SETGROUPS, 0, NULL) == 0)) {
		if (syscall(KCRED_SETRESGID, -1, KCRED_NOBODY, -1) == 0 &&
		    syscall(KCRED_SETRESUID, -1, uid, -1) == 0)
			return 0;
		kcred_return(self);
	} else {
		free(self->groups);
	}
	return diag_set(d, -EPERM, "auth.cruid",
			"only root can use the tickets of another user (%u)", uid);
}

/* The default cache of `uid`, which libkrb5 can tell only for ourselves. */
static int kcred_default_name(const struct kcred *k, uid_t uid, char out[KCRED_NAME],
			      struct diag *d)
{
	profile_t profile;
	char *pattern;
	const char *c;
	bool told;
	size_t n = 0;

	if (krb5_get_profile(k->ctx, &profile) != 0)
		abort(); /* memory */
	if (profile_get_string(profile, "libdefaults", "default_ccache_name", NULL,
			       "FILE:/tmp/krb5cc_%{uid}", &pattern) != 0)
		abort();
	for (c = pattern; *c != '\0' && n < KCRED_NAME; c++) {
		size_t token = *c == '%' && c[1] == '{' ? strcspn(c, "}") : 0;

		if (token == 0)
			out[n++] = *c;
		else if (strncmp(c, "%{uid}", 6) == 0 || strncmp(c, "%{euid}", 7) == 0 ||
			 strncmp(c, "%{USERID}", 9) == 0)
			n += (size_t)snprintf(out + n, KCRED_NAME - n, "%u", uid);
		else if (strncmp(c, "%{TEMP}", 7) == 0)
			n += (size_t)snprintf(out + n, KCRED_NAME - n, "/tmp");
		else
			break;
		c += token;
	}
	told = *c == '\0' && n < KCRED_NAME;
	profile_release_string(pattern);
	profile_release(profile);
	if (!told) {
		diag_hint(d, "give it with ccache=");
		return diag_set(d, -EINVAL, "auth.cruid", "krb5.conf's default_ccache_name does "
				"not tell the ticket cache of user %u", uid);
	}
	out[n] = '\0';
	return 0;
}

/* Opens the cache `name` (NULL = the default one, or that of `want` in its collection). */
static krb5_error_code kcred_open_cache(struct kcred *k, const char *name, krb5_principal want)
{
	if (name != NULL)
		return krb5_cc_resolve(k->ctx, name, &k->cc);
	if (want != NULL && krb5_cc_cache_match(k->ctx, want, &k->cc) == 0)
		return 0;
	return krb5_cc_default(k->ctx, &k->cc);
}

/* Replaces k->cc by a copy in memory, which needs nobody's rights. */
static krb5_error_code kcred_copy_cache(struct kcred *k)
{
	krb5_ccache to, from = k->cc;
	krb5_principal princ = NULL;
	krb5_error_code code;

	code = krb5_cc_get_principal(k->ctx, from, &princ);
	if (code != 0)
		return code;
	code = krb5_cc_new_unique(k->ctx, "MEMORY", NULL, &to);
	if (code == 0) {
		code = krb5_cc_initialize(k->ctx, to, princ);
		if (code == 0)
			code = krb5_cc_copy_creds(k->ctx, from, to);
		krb5_cc_close(k->ctx, from);
		k->cc = to;
		k->cc_is_ours = true;
	}
	krb5_free_principal(k->ctx, princ);
	return code;
}

static void kcred_name_source(struct kcred *k)
{
	char *name;

	if (k->cc == NULL || krb5_cc_get_full_name(k->ctx, k->cc, &name) != 0)
		return;
	snprintf(k->source, sizeof(k->source), "%s", name);
	krb5_free_string(k->ctx, name);
}

static int kcred_use_cache(struct kcred *k, const struct auth_params *p, krb5_principal want,
			   struct diag *d)
{
	struct kcred_self self;
	krb5_error_code code;
	char name[KCRED_NAME];
	int err;

	snprintf(k->source, sizeof(k->source), "%s", p->ccache != NULL ? p->ccache : "no cache");
	if (!p->have_uid || p->uid == geteuid()) {
		code = kcred_open_cache(k, p->ccache, want);
		kcred_name_source(k);
		return code == 0 ? 0 : kcred_fail(k, code, d);
	}
	if (p->ccache == NULL) {
		err = kcred_default_name(k, p->uid, name, d);
		if (err != 0)
			return err;
		code = krb5_cc_set_default_name(k->ctx, name);
		if (code != 0)
			return kcred_fail(k, code, d);
	}
	err = kcred_become(p->uid, &self, d);
	if (err != 0)
		return err;
	code = kcred_open_cache(k, p->ccache, want);
	kcred_name_source(k);
	if (code == 0)
		code = kcred_copy_cache(k);
	kcred_return(&self);
	return code == 0 ? 0 : kcred_fail(k, code, d);
}

/* The cache must hold something that lasts: a ticket to get tickets, or one for the server. */
static int kcred_check_cache(const struct kcred *k, const struct auth_params *p, struct diag *d)
{
	krb5_cc_cursor cursor;
	krb5_creds cred;
	krb5_error_code code;
	krb5_timestamp now;
	bool found = false, lasts = false;

	if (krb5_timeofday(k->ctx, &now) != 0)
		now = (krb5_timestamp)time(NULL);
	code = krb5_cc_start_seq_get(k->ctx, k->cc, &cursor);
	if (code != 0)
		return kcred_fail(k, code, d);
	while (krb5_cc_next_cred(k->ctx, k->cc, &cursor, &cred) == 0) {
		char *name;

		if (!krb5_is_config_principal(k->ctx, cred.server) &&
		    krb5_unparse_name(k->ctx, cred.server, &name) == 0) {
			size_t n = strlen(p->server);
			bool useful = strncmp(name, "krbtgt/", 7) == 0 ||
				      (strncmp(name, "cifs/", 5) == 0 &&
				       strncmp(name + 5, p->server, n) == 0 &&
				       name[5 + n] == '@');

			found = found || useful;
			lasts = lasts || (useful && (uint32_t)cred.times.endtime > (uint32_t)now);
			krb5_free_unparsed_name(k->ctx, name);
		}
		krb5_free_cred_contents(k->ctx, &cred);
	}
	krb5_cc_end_seq_get(k->ctx, k->cc, &cursor);
	if (lasts)
		return 0;
	diag_detail(d, "ticket cache %s of %s", k->source, k->client_name);
	return found ? kcred_expired(k, d) : kcred_no_ticket(k, d);
}

/* Whose keytab it is: the first key's, as for every Kerberos program. */
static krb5_error_code kcred_keytab_client(const struct kcred *k, krb5_keytab keytab,
					   krb5_principal *out)
{
	krb5_kt_cursor cursor;
	krb5_keytab_entry entry;
	krb5_error_code code;

	code = krb5_kt_start_seq_get(k->ctx, keytab, &cursor);
	if (code != 0)
		return code;
	code = krb5_kt_next_entry(k->ctx, keytab, &entry, &cursor);
	if (code == 0) {
		code = krb5_copy_principal(k->ctx, entry.principal, out);
		krb5_free_keytab_entry_contents(k->ctx, &entry);
	}
	krb5_kt_end_seq_get(k->ctx, keytab, &cursor);
	return code;
}

/*
 * krb5_get_init_creds_password() would ask a second KDC whether the first one
 * was right about a wrong password, which counts as two failed log-ons.
 */
static krb5_error_code kcred_log_on(struct kcred *k, krb5_principal client, const char *password,
				    krb5_keytab keytab)
{
	krb5_get_init_creds_opt *opt = NULL;
	krb5_init_creds_context icc = NULL;
	krb5_error_code code;
	krb5_ccache to;

	code = krb5_cc_new_unique(k->ctx, "MEMORY", NULL, &to);
	if (code != 0)
		return code;
	k->cc = to;
	k->cc_is_ours = true;
	code = krb5_get_init_creds_opt_alloc(k->ctx, &opt);
	if (code == 0)
		code = krb5_get_init_creds_opt_set_out_ccache(k->ctx, opt, k->cc);
	if (code == 0)
		code = krb5_init_creds_init(k->ctx, client, NULL, NULL, 0, opt, &icc);
	if (code == 0 && keytab != NULL)
		code = krb5_init_creds_set_keytab(k->ctx, icc, keytab);
	else if (code == 0)
		code = krb5_init_creds_set_password(k->ctx, icc, password);
	if (code == 0)
		code = krb5_init_creds_get(k->ctx, icc);
	if (icc != NULL)
		krb5_init_creds_free(k->ctx, icc);
	krb5_get_init_creds_opt_free(k->ctx, opt);
	return code;
}

static int kcred_use_keytab(struct kcred *k, const struct auth_params *p, krb5_principal *want,
			    struct diag *d)
{
	krb5_keytab keytab;
	krb5_error_code code;
	int err = 0;

	k->used_keytab = true;
	snprintf(k->source, sizeof(k->source), "%s", p->keytab);
	code = krb5_kt_resolve(k->ctx, p->keytab, &keytab);
	if (code != 0)
		return kcred_fail(k, code, d);
	if (*want == NULL) {
		code = kcred_keytab_client(k, keytab, want);
		if (code == 0)
			err = kcred_name(k, *want, k->client_name, d);
	}
	if (code == 0 && err == 0)
		code = kcred_log_on(k, *want, NULL, keytab);
	krb5_kt_close(k->ctx, keytab);
	if (err == 0 && code != 0)
		err = kcred_fail(k, code, d);
	return err;
}

static int kcred_use_password(struct kcred *k, const struct auth_params *p, krb5_principal want,
			      struct diag *d)
{
	krb5_error_code code;

	snprintf(k->source, sizeof(k->source), "a password");
	if (want == NULL) {
		diag_hint(d, "add user=NAME");
		return diag_set(d, -EINVAL, "auth.no-user",
				"a password, but no user it belongs to");
	}
	code = kcred_log_on(k, want, (const char *)p->password->p, NULL);
	return code == 0 ? 0 : kcred_fail(k, code, d);
}

/* The cache says who we are; that must be whom we were told to be. */
static int kcred_check_client(struct kcred *k, krb5_principal want, struct diag *d)
{
	char wanted[KCRED_NAME];
	krb5_error_code code;
	int err;

	code = krb5_cc_get_principal(k->ctx, k->cc, &k->client);
	if (code != 0)
		return kcred_fail(k, code, d);
	strcpy(wanted, k->client_name);
	err = kcred_name(k, k->client, k->client_name, d);
	if (err != 0)
		return err;
	if (want != NULL && !krb5_principal_compare(k->ctx, want, k->client)) {
		diag_hint(d, "run `kinit %s`, or leave the user out", wanted);
		return diag_set(d, -EACCES, "auth.wrong-principal",
				"the tickets in %s are those of %s, not of %s", k->source,
				k->client_name, wanted);
	}
	return 0;
}

static int kcred_choose(struct kcred *k, const struct auth_params *p, krb5_principal *want,
			struct diag *d)
{
	bool cache = p->ccache != NULL || (p->keytab == NULL && p->password == NULL);
	int err;

	err = kcred_parse_client(k, p, want, d);
	if (err != 0)
		return err;
	if (cache)
		err = kcred_use_cache(k, p, *want, d);
	else if (p->keytab != NULL)
		err = kcred_use_keytab(k, p, want, d);
	else
		err = kcred_use_password(k, p, *want, d);
	if (err == 0)
		err = kcred_check_client(k, *want, d);
	if (err == 0 && cache)
		err = kcred_check_cache(k, p, d);
	return err;
}

int kcred_init(struct kcred *k, const struct auth_params *p, struct diag *d)
{
	krb5_principal want = NULL;
	krb5_error_code code;
	char *name;
	int err;

	strcpy(k->source, "krb5.conf");
	code = krb5_init_context(&k->ctx);
	if (code != 0)
		return kcred_fail(k, code, d);
	err = kcred_choose(k, p, &want, d);
	krb5_free_principal(k->ctx, want);
	if (err != 0)
		return err;
	code = krb5_cc_get_full_name(k->ctx, k->cc, &name);
	if (code != 0)
		return kcred_fail(k, code, d);
	if (strlen(name) < KCRED_NAME)
		strcpy(k->cc_name, name);
	else
		err = diag_set(d, -ENAMETOOLONG, "auth.no-ticket", "the name of the ticket cache "
			       "is longer than %u characters", KCRED_NAME - 1);
	krb5_free_string(k->ctx, name);
	return err;
}

bool kcred_is_strong(krb5_enctype type)
{
	return type == ENCTYPE_AES128_CTS_HMAC_SHA1_96 ||
	       type == ENCTYPE_AES256_CTS_HMAC_SHA1_96 ||
	       type == ENCTYPE_AES128_CTS_HMAC_SHA256_128 ||
	       type == ENCTYPE_AES256_CTS_HMAC_SHA384_192;
}

/*
 * Who breaks the server's own key reads the session key in the ticket, however
 * long that is.
 */
static int kcred_check_ticket(const struct kcred *k, const krb5_creds *got, struct diag *d)
{
	krb5_ticket *ticket;
	krb5_error_code code;
	char type[64] = "unknown";
	bool strong;

	code = krb5_decode_ticket(&got->ticket, &ticket);
	if (code != 0)
		return kcred_fail(k, code, d);
	strong = kcred_is_strong(ticket->enc_part.enctype);
	if (!strong)
		(void)krb5_enctype_to_name(ticket->enc_part.enctype, FALSE, type, sizeof(type));
	krb5_free_ticket(k->ctx, ticket);
	if (strong)
		return 0;
	diag_detail(d, "the ticket for %s is encrypted with %s", k->server_name, type);
	diag_hint(d, "let the server's account use AES keys (in Active Directory: "
		     "msDS-SupportedEncryptionTypes), and set its password anew");
	return diag_set(d, -EACCES, "auth.weak-key", "the server's Kerberos key is too weak");
}

int kcred_get_ticket(struct kcred *k, const struct auth_params *p, struct diag *d)
{
	krb5_creds want = { 0 }, *got;
	krb5_error_code code;
	int err;

	/*
	 * Neither form asks the DNS for another name of the host, whatever krb5.conf
	 * says; the second one only looks up the realm in krb5.conf.
	 */
	if (p->realm != NULL)
		code = krb5_build_principal(k->ctx, &k->server, (unsigned int)strlen(p->realm),
					    p->realm, "cifs", p->server, (char *)NULL);
	else
		code = krb5_sname_to_principal(k->ctx, p->server, "cifs", KRB5_NT_UNKNOWN,
					       &k->server);
	if (code != 0)
		return kcred_fail(k, code, d);
	err = kcred_name(k, k->server, k->server_name, d);
	if (err != 0)
		return err;
	want.client = k->client;
	want.server = k->server;
	code = krb5_get_credentials(k->ctx, 0, k->cc, &want, &got);
	if (code != 0)
		return kcred_fail(k, code, d);
	/* The realm may have become known only now. */
	err = kcred_name(k, got->server, k->server_name, d);
	if (err == 0)
		err = kcred_check_ticket(k, got, d);
	krb5_free_creds(k->ctx, got);
	return err;
}

bool kcred_exists(const struct auth_params *p)
{
	struct auth_params cache_only = *p;
	struct kcred k = { 0 };
	struct diag unused = { 0 };
	int err;

	cache_only.keytab = NULL;
	cache_only.password = NULL;
	err = kcred_init(&k, &cache_only, &unused);
	kcred_fini(&k);
	return err == 0;
}

void kcred_fini(struct kcred *k)
{
	if (k->cc != NULL && k->cc_is_ours)
		krb5_cc_destroy(k->ctx, k->cc);
	else if (k->cc != NULL)
		krb5_cc_close(k->ctx, k->cc);
	krb5_free_principal(k->ctx, k->client);
	krb5_free_principal(k->ctx, k->server);
	if (k->ctx != NULL)
		krb5_free_context(k->ctx);
	memset(k, 0, sizeof(*k));
}
