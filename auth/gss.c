/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SPNEGO through the GSSAPI, with one mechanism inside and no other one to
 * fall back to.  Four things the library does not see to, and this file does:
 * a credential without an element for SPNEGO is ignored in favour of the
 * default one; a mechanism that is merely installed is offered; a host-based
 * name is looked up in the DNS; and NTLM claims mutual authentication by
 * echoing the request.
 */
#include "auth.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <gssapi/gssapi_ntlmssp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kcred.h"
#include "log.h"
#include "spnego.h"

#define AUTH_NTLM_OID "1.3.6.1.4.1.311.2.2.10"
#define AUTH_FLAGS (GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG)
#define AUTH_NTLM_FLAGS                                                            \
	(NTLMSSP_NEGOTIATE_SIGN | NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY |     \
	 NTLMSSP_NEGOTIATE_128 | NTLMSSP_NEGOTIATE_KEY_EXCH)

enum auth_state { AUTH_FRESH, AUTH_TALKING, AUTH_COMPLETE, AUTH_FAILED };

struct auth {
	enum auth_mech mech;
	enum auth_state state;
	uint32_t min_key_len;
	struct kcred kcred;
	bool challenge_checked, mic_seen; /* NTLM's proofs */
	gss_name_t target;
	gss_cred_id_t cred;
	gss_ctx_id_t ctx;
	gss_buffer_desc token; /* ours, of the last leg */
	struct auth_info info;
};

static const gss_OID_desc auth_spnego = { 6, (void *)"\x2b\x06\x01\x05\x05\x02" };
static const gss_OID_desc auth_krb5 = { 9, (void *)"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static const gss_OID_desc auth_ntlmssp = { GSS_NTLMSSP_OID_LENGTH,
					   (void *)GSS_NTLMSSP_OID_STRING };
/* In front of the number of the key's type, in what comes with the session key. */
static const gss_OID_desc auth_enctype = { 10, (void *)"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x04" };

/* The library's parameters are not const; it changes none of them. */
static gss_OID auth_oid(const struct auth *a)
{
	return (gss_OID)(a->mech == AUTH_KRB5 ? &auth_krb5 : &auth_ntlmssp);
}

/*
 * The library where gss-ntlmssp is, from the system's list of mechanisms.
 * Other mechanisms of that list stay out of the process.
 */
static bool auth_find_ntlm(char *path, size_t path_len)
{
	char line[1024], oid[64], file[512];
	bool found = false;
	glob_t g;

	if (glob("/etc/gss/mech.d/*.conf", 0, NULL, &g) != 0)
		return false;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		FILE *f = fopen(g.gl_pathv[i], "re");

		while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
			found = sscanf(line, "%*s %63s %511s", oid, file) == 2 &&
				strcmp(oid, AUTH_NTLM_OID) == 0;
		if (f != NULL)
			fclose(f);
	}
	globfree(&g);
	if (found)
		snprintf(path, path_len, "%s", file);
	return found;
}

/* Has the library read a list that names NTLM only, and no file afterwards. */
static int auth_load_ntlm(struct diag *d)
{
	char path[512], name[32];
	gss_OID_set mechs;
	OM_uint32 min;
	int fd;

	if (!auth_find_ntlm(path, sizeof(path))) {
		diag_hint(d, "install the package gss-ntlmssp");
		return diag_set(d, -ENOENT, "auth.ntlm-missing",
				"there is no NTLM on this machine");
	}
	fd = memfd_create("mech", MFD_CLOEXEC);
	if (fd < 0 || dprintf(fd, "ntlmssp %s %s\n", AUTH_NTLM_OID, path) < 0)
		abort();
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (setenv("GSS_MECH_CONFIG", name, 1) != 0)
		abort();
	if (gss_indicate_mechs(&min, &mechs) == GSS_S_COMPLETE)
		gss_release_oid_set(&min, &mechs);
	close(fd);
	return 0;
}

int auth_setup(bool ntlm, struct diag *d)
{
	int err = ntlm ? auth_load_ntlm(d) : 0;

	/* gss-ntlmssp speaks NTLMv1 below 3, and looks for passwords in a file. */
	if (setenv("GSS_MECH_CONFIG", "/dev/null", 1) != 0 ||
	    setenv("LM_COMPAT_LEVEL", "5", 1) != 0 || unsetenv("NTLM_USER_FILE") != 0)
		abort();
	return err;
}

static void auth_status(OM_uint32 code, int type, gss_OID mech, char *out, size_t out_len)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 min, more = 0;

	out[0] = '\0';
	if (gss_display_status(&min, code, type, mech, &more, &text) == GSS_S_COMPLETE)
		snprintf(out, out_len, "%.*s", (int)text.length, (const char *)text.value);
	gss_release_buffer(&min, &text);
}

/* The diag of a failed call. */
static int auth_fail(struct auth *a, OM_uint32 maj, OM_uint32 min, struct diag *d)
{
	char words[200], shown[200];

	a->state = AUTH_FAILED;
	auth_status(min, GSS_C_MECH_CODE, auth_oid(a), words, sizeof(words));
	if (min == 0 || words[0] == '\0')
		auth_status(maj, GSS_C_GSS_CODE, GSS_C_NO_OID, words, sizeof(words));
	if (a->mech == AUTH_KRB5)
		return kcred_explain(&a->kcred, (krb5_error_code)min, words, d);
	log_escape(shown, sizeof(shown), words, strlen(words));
	diag_detail(d, "%s asking for %s: %s", a->info.principal, a->info.spn, shown);
	return diag_set(d, -EACCES, "auth.protocol", "the NTLM log-on does not work");
}

static int auth_refuse(struct auth *a, struct diag *d, int err, const char *id, const char *what)
{
	a->state = AUTH_FAILED;
	return diag_set(d, err, id, "%s", what);
}

static int auth_destroy(struct auth *a)
{
	OM_uint32 min;

	gss_delete_sec_context(&min, &a->ctx, GSS_C_NO_BUFFER);
	gss_release_buffer(&min, &a->token);
	gss_release_cred(&min, &a->cred);
	gss_release_name(&min, &a->target);
	kcred_fini(&a->kcred);
	return 0;
}

static int auth_import(struct auth *a, const char *text, gss_OID type, gss_name_t *out,
		       struct diag *d)
{
	gss_buffer_desc buf = { .length = strlen(text), .value = (void *)text };
	OM_uint32 maj, min;

	maj = gss_import_name(&min, &buf, type, out);
	return GSS_ERROR(maj) ? auth_fail(a, maj, min, d) : 0;
}

/*
 * The credential has SPNEGO's element and nothing is negotiated but our
 * mechanism; whether the latter could be arranged is the proof of the former.
 */
static int auth_acquire(struct auth *a, gss_name_t name, gss_key_value_set_desc *store,
			struct diag *d)
{
	gss_OID_set_desc spnego = { 1, (gss_OID)&auth_spnego }, mech = { 1, auth_oid(a) };
	OM_uint32 maj, min;

	maj = gss_acquire_cred_from(&min, name, GSS_C_INDEFINITE, &spnego, GSS_C_INITIATE, store,
				    &a->cred, NULL, NULL);
	if (!GSS_ERROR(maj))
		maj = gss_set_neg_mechs(&min, a->cred, &mech);
	return GSS_ERROR(maj) ? auth_fail(a, maj, min, d) : 0;
}

static int auth_new_krb5(struct auth *a, const struct auth_params *p, struct diag *d)
{
	gss_key_value_element_desc cache = { "ccache", a->kcred.cc_name };
	gss_key_value_set_desc store = { 1, &cache };
	int err;

	err = kcred_init(&a->kcred, p, d);
	if (err == 0)
		err = kcred_get_ticket(&a->kcred, p, d);
	if (err != 0)
		return err;
	snprintf(a->info.principal, sizeof(a->info.principal), "%s", a->kcred.client_name);
	snprintf(a->info.spn, sizeof(a->info.spn), "%s", a->kcred.server_name);
	/* As a principal, because a host-based name would go through the DNS. */
	err = auth_import(a, a->info.spn, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &a->target, d);
	return err != 0 ? err : auth_acquire(a, GSS_C_NO_NAME, &store, d);
}

int auth_permitted(enum auth_mech mech, const struct policy *pol, const char *server,
		   struct diag *d)
{
	if (mech == AUTH_KRB5 || pol->ntlm)
		return 0;
	diag_hint(d, "use Kerberos (sec=krb5); an administrator can make an exception in "
		     "smbsecure.conf: \"ntlm = allow\" in a section [%s]", server);
	return diag_set(d, -EPERM, "auth.ntlm-not-allowed", "NTLM is not allowed for this server");
}

static int auth_new_ntlm(struct auth *a, const struct auth_params *p, const struct policy *pol,
			 struct diag *d)
{
	gss_key_value_element_desc item[2] = { 0 };
	gss_key_value_set_desc store = { 0, item };
	gss_name_t name = GSS_C_NO_NAME;
	char target[sizeof(a->info.spn)];
	OM_uint32 min;
	int err = auth_permitted(AUTH_NTLMSSP, pol, p->server, d);

	if (err != 0)
		return err;
	if (p->user == NULL || p->password == NULL) {
		diag_hint(d, "give user= and a password in a credentials file, in PASSWD_FD or "
			     "PASSWD_FILE, or at the prompt");
		return diag_set(d, -EINVAL, "auth.no-password",
				"NTLM needs a user and a password");
	}
	snprintf(a->info.principal, sizeof(a->info.principal), "%s", p->user);
	snprintf(a->info.spn, sizeof(a->info.spn), "cifs/%s", p->server);
	snprintf(target, sizeof(target), "cifs@%s", p->server);
	/*
	 * The names of these keys are gss-ntlmssp's alone: the Kerberos element that
	 * comes with SPNEGO's must not see the password, it would ask a KDC with it.
	 */
	item[store.count++] = (gss_key_value_element_desc){ GSS_NTLMSSP_CS_PASSWORD,
							    (const char *)p->password->p };
	if (p->domain != NULL)
		item[store.count++] =
			(gss_key_value_element_desc){ GSS_NTLMSSP_CS_DOMAIN, p->domain };
	err = auth_import(a, target, GSS_C_NT_HOSTBASED_SERVICE, &a->target, d);
	if (err == 0)
		err = auth_import(a, p->user, GSS_C_NT_USER_NAME, &name, d);
	if (err == 0)
		err = auth_acquire(a, name, &store, d);
	gss_release_name(&min, &name);
	return err;
}

int auth_new(TALLOC_CTX *mem, const struct auth_params *p, const struct policy *pol,
	     struct auth **out, struct diag *d)
{
	struct auth *a = talloc_zero(mem, struct auth);
	int err;

	if (a == NULL)
		abort();
	talloc_set_destructor(a, auth_destroy);
	a->mech = p->mech;
	a->min_key_len = pol->min_key_len;
	if (p->mech == AUTH_KRB5)
		err = auth_new_krb5(a, p, d);
	else
		err = auth_new_ntlm(a, p, pol, d);
	if (err != 0)
		talloc_free(a);
	else
		*out = a;
	return err;
}

/*
 * gss-ntlmssp proves the exchange with a MIC only when the challenge has a
 * timestamp, and takes weaker flags from a server that asks for them.
 */
static int auth_check_challenge(struct auth *a, struct slice token, struct diag *d)
{
	struct ntlm_challenge c;

	if (ntlm_challenge_decode(token, &c) != 0)
		return auth_refuse(a, d, -EBADMSG, "auth.protocol",
				   "the server's NTLM challenge makes no sense");
	if ((c.flags & AUTH_NTLM_FLAGS) != AUTH_NTLM_FLAGS || !c.has_timestamp) {
		diag_detail(d, "NTLM challenge with flags 0x%08x and %s timestamp", c.flags,
			    c.has_timestamp ? "a" : "no");
		return auth_refuse(a, d, -EACCES, "auth.ntlm-weak",
				   "the server wants a weak form of NTLM");
	}
	a->challenge_checked = true;
	return 0;
}

static int auth_refuse_mech(struct auth *a, struct diag *d)
{
	if (a->mech == AUTH_NTLMSSP)
		return auth_refuse(a, d, -EACCES, "auth.no-ntlm", "the server does not do NTLM");
	diag_hint(d, "join the server to the realm; for a server that cannot do Kerberos an "
		     "administrator can allow sec=ntlmssp in smbsecure.conf");
	return auth_refuse(a, d, -EACCES, "auth.no-kerberos", "the server does not do Kerberos");
}

/*
 * The server's list is not authenticated.  All it can do is end the log-on
 * before a token is sent that the server would not understand; a list that
 * makes no sense says nothing.
 */
static int auth_check_offer(struct auth *a, struct slice in, struct diag *d)
{
	gss_OID mech = auth_oid(a);
	struct spnego_offer offer;

	if (in.n == 0 || spnego_offer_decode(in, &offer) != 0 ||
	    spnego_offer_has(&offer, mech->elements, mech->length))
		return 0;
	return auth_refuse_mech(a, d);
}

/* What the server's token says above the mechanism, before the library acts on it. */
static int auth_check_token(struct auth *a, struct slice in, struct diag *d)
{
	struct spnego_resp resp;
	struct slice krb_error;

	if (in.n == 0)
		return auth_refuse(a, d, -EACCES, "auth.no-mutual",
				   "the server ended the log-on without proving who it is");
	if (spnego_resp_decode(in, &resp) != 0)
		return auth_refuse(a, d, -EBADMSG, "auth.protocol",
				   "the server's log-on token makes no sense");
	if (a->mech == AUTH_KRB5 && resp.mech.n == auth_ntlmssp.length &&
	    memcmp(resp.mech.p, auth_ntlmssp.elements, resp.mech.n) == 0)
		return auth_refuse_mech(a, d);
	if (a->mech == AUTH_KRB5 && resp.token.n == 0)
		return auth_refuse(a, d, -EACCES, "auth.no-mutual",
				   "the server accepted the log-on without proving who it is");
	if (a->mech == AUTH_KRB5) {
		if (krb_error_token_decode(resp.token, &krb_error) != 0)
			return 0;
		/* SPNEGO would turn its number into another one. */
		a->state = AUTH_FAILED;
		return kcred_explain_error(&a->kcred, krb_error, d);
	}
	if (a->challenge_checked && resp.mic.n == 0) {
		diag_hint(d, "check user and password: a server that lets unknown users in as "
			     "guests does the same");
		return auth_refuse(a, d, -EACCES, "auth.no-mutual",
				   "the server did not prove that it knows the password");
	}
	if (resp.mic.n != 0)
		a->mic_seen = true;
	return resp.token.n == 0 ? 0 : auth_check_challenge(a, resp.token, d);
}

/* Who we are to the server is who we meant to be. */
static int auth_check_source(struct auth *a, gss_name_t source, struct diag *d)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	char shown[sizeof(a->info.principal)];
	OM_uint32 maj, min;
	bool same;

	maj = gss_display_name(&min, source, &text, NULL);
	if (GSS_ERROR(maj))
		return auth_fail(a, maj, min, d);
	/* gss-ntlmssp counts its NUL. */
	log_escape(shown, sizeof(shown), text.value, strnlen(text.value, text.length));
	same = text.length == strlen(a->info.principal) &&
	       memcmp(text.value, a->info.principal, text.length) == 0;
	gss_release_buffer(&min, &text);
	if (a->mech == AUTH_NTLMSSP) /* completed by a domain */
		snprintf(a->info.principal, sizeof(a->info.principal), "%s", shown);
	else if (!same) {
		diag_detail(d, "logged on as %s instead of %s", shown, a->info.principal);
		return auth_refuse(a, d, -EACCES, "auth.wrong-principal",
				   "somebody else was logged on");
	}
	return 0;
}

static int auth_check_context(struct auth *a, struct diag *d)
{
	gss_name_t source = GSS_C_NO_NAME;
	gss_OID mech = GSS_C_NO_OID;
	OM_uint32 maj, min, lifetime = 0, flags = 0;
	struct secret *key;
	bool proven;
	int open = 0, err;

	maj = gss_inquire_context(&min, a->ctx, &source, NULL, &lifetime, &mech, &flags, NULL,
				  &open);
	if (GSS_ERROR(maj))
		return auth_fail(a, maj, min, d);
	proven = open != 0 && mech != GSS_C_NO_OID && gss_oid_equal(mech, auth_oid(a)) &&
		 (flags & AUTH_FLAGS) == AUTH_FLAGS &&
		 (a->mech == AUTH_KRB5 || (a->challenge_checked && a->mic_seen));
	err = proven ? auth_check_source(a, source, d)
		     : auth_refuse(a, d, -EACCES, "auth.no-mutual",
				   "the server did not prove who it is");
	gss_release_name(&min, &source);
	if (err != 0)
		return err;
	snprintf(a->info.mech, sizeof(a->info.mech), "%s",
		 a->mech == AUTH_KRB5 ? "krb5" : "ntlmssp");
	if (a->mech == AUTH_KRB5 && lifetime != GSS_C_INDEFINITE)
		a->info.expires = (int64_t)time(NULL) + lifetime;
	a->state = AUTH_COMPLETE;
	err = auth_key(a, &key, d);
	if (err == 0)
		secret_free(key);
	return err;
}

int auth_step(struct auth *a, struct slice in, struct slice *out, bool *complete, struct diag *d)
{
	gss_buffer_desc from = { .length = in.n, .value = (void *)in.p };
	OM_uint32 maj, min;
	int err;

	gss_release_buffer(&min, &a->token);
	if (a->state == AUTH_COMPLETE || a->state == AUTH_FAILED)
		return auth_refuse(a, d, -EPROTO, "auth.protocol",
				   "the server goes on after the end of the log-on");
	if (a->state == AUTH_TALKING) {
		err = auth_check_token(a, in, d);
	} else {
		err = auth_check_offer(a, in, d);
		from.length = 0;
	}
	if (err != 0)
		return err;
	a->state = AUTH_TALKING;
	maj = gss_init_sec_context(&min, a->cred, &a->ctx, a->target, (gss_OID)&auth_spnego,
				   AUTH_FLAGS, GSS_C_INDEFINITE, GSS_C_NO_CHANNEL_BINDINGS,
				   from.length == 0 ? GSS_C_NO_BUFFER : &from, NULL, &a->token,
				   NULL, NULL);
	if (GSS_ERROR(maj))
		return auth_fail(a, maj, min, d);
	err = maj == GSS_S_COMPLETE ? auth_check_context(a, d) : 0;
	if (err != 0)
		return err;
	*complete = a->state == AUTH_COMPLETE;
	*out = slice_of(a->token.value, a->token.length);
	return 0;
}

/* Kerberos tells the type of its key in a second buffer. */
static bool auth_key_is_strong(const struct auth *a, const gss_buffer_set_desc *set)
{
	const gss_buffer_desc *type = &set->elements[1];
	const uint8_t *oid;

	if (set->elements[0].length < a->min_key_len)
		return false;
	if (a->mech == AUTH_NTLMSSP)
		return true;
	if (set->count < 2 || type->length != auth_enctype.length + 1 ||
	    memcmp(type->value, auth_enctype.elements, auth_enctype.length) != 0)
		return false;
	oid = type->value;
	return kcred_is_strong(oid[auth_enctype.length]);
}

int auth_key(struct auth *a, struct secret **out, struct diag *d)
{
	gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
	struct secret *key;
	OM_uint32 maj, min;
	int err = 0;

	assert(a->state == AUTH_COMPLETE);
	maj = gss_inquire_sec_context_by_oid(&min, a->ctx, GSS_C_INQ_SSPI_SESSION_KEY, &set);
	if (GSS_ERROR(maj))
		return auth_fail(a, maj, min, d);
	if (set->count == 0 || !auth_key_is_strong(a, set)) {
		diag_detail(d, "session key of %zu bytes, at least %u wanted",
			    set->count == 0 ? 0 : set->elements[0].length, a->min_key_len);
		diag_hint(d, "let the server's account use AES-256 keys; min_key_length in "
			     "smbsecure.conf is what is demanded");
		err = auth_refuse(a, d, -EACCES, "auth.weak-key", "the session key is too weak");
	} else {
		key = secret_new(set->elements[0].length);
		memcpy(key->p, set->elements[0].value, key->n);
		*out = key;
	}
	for (size_t i = 0; i < set->count; i++)
		explicit_bzero(set->elements[i].value, set->elements[i].length);
	gss_release_buffer_set(&min, &set);
	return err;
}

enum auth_mech auth_mech(const struct auth *a)
{
	return a->mech;
}

const struct auth_info *auth_info(const struct auth *a)
{
	assert(a->state == AUTH_COMPLETE);
	return &a->info;
}
