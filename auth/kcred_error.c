/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Kerberos' errors mean to the person who mounts. */
#include "kcred.h"

#include <errno.h>
#include <string.h>

#include "log.h"

#define KCRED_MAX_ERRNO 4096 /* the kernel's bound; libkrb5's own codes are negative or huge */

enum kcred_cause {
	CAUSE_OTHER,
	CAUSE_NO_TICKET,
	CAUSE_EXPIRED,
	CAUSE_NO_SERVICE,
	CAUSE_PASSWORD,
	CAUSE_PASSWORD_EXPIRED,
	CAUSE_NO_USER,
	CAUSE_ACCOUNT,
	CAUSE_SKEW,
	CAUSE_UNREACHABLE,
	CAUSE_WEAK,
	CAUSE_SERVICE_KEY,
	CAUSE_KEYTAB,
	CAUSE_NO_REALM,
};

static const struct kcred_row {
	krb5_error_code code;
	enum kcred_cause cause;
} kcred_rows[] = {
	{ KRB5_FCC_NOFILE, CAUSE_NO_TICKET },
	{ KRB5_FCC_PERM, CAUSE_NO_TICKET },
	{ KRB5_CC_NOTFOUND, CAUSE_NO_TICKET },
	{ KRB5_CC_FORMAT, CAUSE_NO_TICKET },
	{ KRB5_CC_BADNAME, CAUSE_NO_TICKET },
	{ KRB5_CC_UNKNOWN_TYPE, CAUSE_NO_TICKET },
	{ KRB5_CCACHE_BADVNO, CAUSE_NO_TICKET },
	{ KRB5_KCM_NO_SERVER, CAUSE_NO_TICKET },
	{ KRB5KRB_AP_ERR_TKT_EXPIRED, CAUSE_EXPIRED },
	{ KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, CAUSE_NO_SERVICE },
	{ KRB5KDC_ERR_MUST_USE_USER2USER, CAUSE_NO_SERVICE },
	{ KRB5KDC_ERR_SVC_UNAVAILABLE, CAUSE_NO_SERVICE },
	{ KRB5_ERR_HOST_REALM_UNKNOWN, CAUSE_NO_SERVICE },
	{ KRB5KDC_ERR_PREAUTH_FAILED, CAUSE_PASSWORD },
	{ KRB5KRB_AP_ERR_BAD_INTEGRITY, CAUSE_PASSWORD },
	{ KRB5_PREAUTH_FAILED, CAUSE_PASSWORD },
	{ KRB5KDC_ERR_KEY_EXP, CAUSE_PASSWORD_EXPIRED },
	{ KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, CAUSE_NO_USER },
	{ KRB5KDC_ERR_CLIENT_REVOKED, CAUSE_ACCOUNT },
	{ KRB5KDC_ERR_CLIENT_NOTYET, CAUSE_ACCOUNT },
	{ KRB5KDC_ERR_NAME_EXP, CAUSE_ACCOUNT },
	{ KRB5KDC_ERR_POLICY, CAUSE_ACCOUNT },
	{ KRB5KRB_AP_ERR_SKEW, CAUSE_SKEW },
	{ KRB5KRB_AP_ERR_TKT_NYV, CAUSE_SKEW },
	{ KRB5KDC_ERR_NEVER_VALID, CAUSE_SKEW },
	{ KRB5_KDCREP_SKEW, CAUSE_SKEW },
	{ KRB5_KDC_UNREACH, CAUSE_UNREACHABLE },
	{ KRB5_REALM_CANT_RESOLVE, CAUSE_UNREACHABLE },
	{ KRB5_REALM_UNKNOWN, CAUSE_UNREACHABLE },
	{ KRB5KDC_ERR_ETYPE_NOSUPP, CAUSE_WEAK },
	{ KRB5_CONFIG_ETYPE_NOSUPP, CAUSE_WEAK },
	{ KRB5_PROG_ETYPE_NOSUPP, CAUSE_WEAK },
	{ KRB5KRB_AP_ERR_MODIFIED, CAUSE_SERVICE_KEY },
	{ KRB5KRB_AP_ERR_BADKEYVER, CAUSE_SERVICE_KEY },
	{ KRB5KRB_AP_ERR_NOKEY, CAUSE_SERVICE_KEY },
	{ KRB5KRB_AP_ERR_NOT_US, CAUSE_SERVICE_KEY },
	{ KRB5KRB_AP_WRONG_PRINC, CAUSE_SERVICE_KEY },
	{ KRB5_KT_NOTFOUND, CAUSE_KEYTAB },
	{ KRB5_KT_END, CAUSE_KEYTAB },
	{ KRB5_KT_BADNAME, CAUSE_KEYTAB },
	{ KRB5_KT_UNKNOWN_TYPE, CAUSE_KEYTAB },
	{ KRB5_KT_FORMAT, CAUSE_KEYTAB },
	{ KRB5_KEYTAB_BADVNO, CAUSE_KEYTAB },
	{ KRB5_CONFIG_NODEFREALM, CAUSE_NO_REALM },
};

static enum kcred_cause kcred_cause(const struct kcred *k, krb5_error_code code)
{
	if (k->used_keytab && code > 0 && code < KCRED_MAX_ERRNO)
		return CAUSE_KEYTAB; /* it could not be opened */
	for (size_t i = 0; i < sizeof(kcred_rows) / sizeof(kcred_rows[0]); i++)
		if (kcred_rows[i].code == code)
			return kcred_rows[i].cause;
	return CAUSE_OTHER;
}

int kcred_no_ticket(const struct kcred *k, struct diag *d)
{
	diag_hint(d, "run `kinit %s`, or give keytab= or a credentials file",
		  k->client_name[0] != '\0' ? k->client_name : "USER@REALM");
	return diag_set(d, -ENOKEY, "auth.no-ticket", "no Kerberos ticket");
}

int kcred_expired(const struct kcred *k, struct diag *d)
{
	diag_hint(d, "run `kinit %s`", k->client_name);
	return diag_set(d, -EKEYEXPIRED, "auth.ticket-expired",
			"the Kerberos ticket of %s has expired", k->client_name);
}

int kcred_explain(const struct kcred *k, krb5_error_code code, const char *words,
		  struct diag *d)
{
	const char *who = k->client_name[0] != '\0' ? k->client_name : "the client";
	int spn_len = (int)strcspn(k->server_name, "@");
	char shown[160];

	log_escape(shown, sizeof(shown), words, strlen(words));
	diag_detail(d, "%s%s%s%s%s: %s", k->client_name,
		    k->server_name[0] != '\0' ? " asking for " : "", k->server_name,
		    k->client_name[0] != '\0' ? " from " : "", k->source, shown);
	switch (kcred_cause(k, code)) {
	case CAUSE_NO_TICKET:
		return kcred_no_ticket(k, d);
	case CAUSE_EXPIRED:
		return kcred_expired(k, d);
	case CAUSE_NO_SERVICE:
		diag_hint(d, "mount by the name the server is registered under, or have %.*s "
			     "registered (in Active Directory: setspn -S %.*s COMPUTER)",
			  spn_len, k->server_name, spn_len, k->server_name);
		return diag_set(d, -ENOKEY, "auth.no-service", "Kerberos knows no service %s",
				k->server_name);
	case CAUSE_PASSWORD:
		if (k->used_keytab)
			return diag_set(d, -EKEYREJECTED, "auth.wrong-password",
					"the key in %s is not that of %s any more", k->source, who);
		return diag_set(d, -EKEYREJECTED, "auth.wrong-password",
				"the password of %s is wrong", who);
	case CAUSE_PASSWORD_EXPIRED:
		diag_hint(d, "change it with `kpasswd %s`", who);
		return diag_set(d, -EKEYEXPIRED, "auth.password-expired",
				"the password of %s has expired", who);
	case CAUSE_NO_USER:
		diag_hint(d, "check the spelling of the user and of the realm");
		return diag_set(d, -EKEYREJECTED, "auth.account", "Kerberos knows no user %s", who);
	case CAUSE_ACCOUNT:
		diag_hint(d, "ask whoever keeps the accounts");
		return diag_set(d, -EKEYREVOKED, "auth.account",
				"%s is locked or may not log on now", who);
	case CAUSE_SKEW:
		diag_hint(d, "set the clock (`timedatectl`); five minutes are the usual limit");
		return diag_set(d, -EACCES, "auth.clock-skew",
				"the clocks here and at the server differ too much");
	case CAUSE_UNREACHABLE:
		diag_hint(d, "check the network and the realm; krb5.conf may name the KDC");
		return diag_set(d, -EHOSTUNREACH, "auth.kdc-unreachable",
				"no Kerberos server (KDC) for %s answers", who);
	case CAUSE_WEAK:
		diag_hint(d, "let the account use AES keys; its password may have to be set anew");
		return diag_set(d, -EACCES, "auth.weak-key",
				"Kerberos offers only keys that are too weak");
	case CAUSE_SERVICE_KEY:
		diag_hint(d, "the server's keytab is stale, or another machine answers under this "
			     "name");
		return diag_set(d, -EACCES, "auth.service-key",
				"the server does not hold the key of %s", k->server_name);
	case CAUSE_KEYTAB:
		diag_hint(d, "see `klist -k %s`", k->source);
		return diag_set(d, -ENOKEY, "auth.keytab", "%s has no usable key for %s",
				k->source, who);
	case CAUSE_NO_REALM:
		diag_hint(d, "write user=NAME@REALM, or set default_realm in krb5.conf");
		return diag_set(d, -EINVAL, "auth.no-realm", "no Kerberos realm is known for %s",
				who);
	case CAUSE_OTHER:
		break;
	}
	return diag_set(d, -EACCES, "auth.protocol", "the Kerberos log-on does not work");
}

int kcred_fail(const struct kcred *k, krb5_error_code code, struct diag *d)
{
	const char *words = krb5_get_error_message(k->ctx, code);
	int err = kcred_explain(k, code, words, d);

	krb5_free_error_message(k->ctx, words);
	return err;
}

int kcred_explain_error(const struct kcred *k, struct slice message, struct diag *d)
{
	krb5_data data = { .length = (unsigned int)message.n,
			   .data = (char *)(uintptr_t)message.p };
	krb5_error *error;
	krb5_error_code code;

	code = krb5_rd_error(k->ctx, &data, &error);
	if (code == 0) {
		code = (krb5_error_code)error->error + ERROR_TABLE_BASE_krb5;
		krb5_free_error(k->ctx, error);
	}
	return kcred_fail(k, code, d);
}
