/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A row is found by the whole word first ("sec=krb5i", "ro"), then by the name
 * in front of "=".  So one value of an option can be accepted, another one
 * refused with its own reason, and the last row of a name catches the rest.
 */
#include "opts.h"

#include "log.h"
#include "nearest.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum opt_kind {
	OPT_SET,     /* `min` into the target */
	OPT_USERS,   /* fstab's user mount */
	OPT_SILENT,  /* what we do anyway, or mount(8)'s own business */
	OPT_IGNORED, /* no effect, worth a line in the log */
	OPT_REFUSED,
	OPT_LATER,   /* not there yet, and leaving it out would break a promise */
	OPT_BAD,     /* a value that none of the rows above knows */
	OPT_VALUES,  /* the kinds below have a value */
	OPT_STR,
	OPT_NUM,
	OPT_SECONDS, /* stored as ns, the smallest one given wins */
	OPT_MODE,
	OPT_UID,
	OPT_GID,
	OPT_SELINUX,
};

struct opt_row {
	const char *names; /* separated by blanks */
	enum opt_kind kind;
	const char *text; /* of a value: its name for the help; else the reason */
	size_t off, size; /* of the target in struct opts */
	uint64_t min, max;
	size_t have; /* target of "was given", 0 = none */
};

#define TO(field) offsetof(struct opts, field), sizeof(((struct opts *)NULL)->field)
#define HAVE(field) offsetof(struct opts, field)
#define ON 1, 0, 0
#define OFF 0, 0, 0

static const struct opt_row rows[] = {
	/* who */
	{ "username user", OPT_STR, "NAME", TO(user), 0, 0, 0 },
	{ "domain dom workgroup", OPT_STR, "NAME", TO(domain), 0, 0, 0 },
	{ "credentials cred", OPT_STR, "FILE", TO(credentials), 0, 0, 0 },
	{ "principal", OPT_STR, "NAME", TO(principal), 0, 0, 0 },
	{ "ccache", OPT_STR, "CACHE", TO(ccache), 0, 0, 0 },
	{ "keytab", OPT_STR, "FILE", TO(keytab), 0, 0, 0 },
	{ "cruid", OPT_UID, "USER", TO(cruid), 0, 0, HAVE(have_cruid) },
	{ "sec=krb5 sec=krb5i sec=krb5p", OPT_SET, NULL, TO(mech), AUTH_KRB5, 0, 0 },
	{ "sec=ntlmssp sec=ntlmsspi sec=ntlmv2 sec=ntlmv2i", OPT_SET, NULL, TO(mech),
	  AUTH_NTLMSSP, 0, 0 },
	{ .names = "sec=none guest", .kind = OPT_REFUSED,
	  .text = "a session without a user has no key, so nothing could be encrypted or signed" },
	{ .names = "sec=ntlm sec=ntlmi sec=lanman sec=nontlm", .kind = OPT_REFUSED,
	  .text = "NTLMv1 and LANMAN are broken; use Kerberos (sec=krb5)" },
	{ .names = "sec", .kind = OPT_BAD,
	  .text = "krb5, or ntlmssp for a server that smbsecure.conf names" },
	{ .names = "password pass password2 pass2", .kind = OPT_REFUSED,
	  .text = "a password on the command line or in fstab is visible to others; use Kerberos, "
		  "credentials=FILE or the environment variable PASSWD_FD" },
	{ .names = "domainauto", .kind = OPT_REFUSED,
	  .text = "it takes the domain from a message that nobody authenticated; use domain=" },
	{ .names = "multiuser", .kind = OPT_LATER,
	  .text = "all users of a mount share one session; mount once per user" },
	{ .names = "upcall_target", .kind = OPT_IGNORED, .text = "nothing calls up from the kernel" },

	/* the connection */
	{ "ip addr", OPT_STR, "ADDRESS", TO(ip), 0, 0, 0 },
	{ .names = "port=139", .kind = OPT_REFUSED, .text = "NetBIOS is not supported" },
	{ "port", OPT_NUM, "PORT", TO(port), 1, 65535, 0 },
	{ "rsize", OPT_NUM, "BYTES", TO(rsize), 4096, UINT32_MAX, 0 },
	{ "wsize", OPT_NUM, "BYTES", TO(wsize), 4096, UINT32_MAX, 0 },
	{ "max_credits", OPT_NUM, "N", TO(max_credits), 20, 60000, 0 },
	{ "echo_interval", OPT_NUM, "SECONDS", TO(echo_s), 1, 600, 0 },
	{ "mount_timeout", OPT_NUM, "SECONDS", TO(mount_timeout_s), 1, 3600, 0 },
	{ .names = "transport=tcp transport=auto", .kind = OPT_SILENT },
	{ .names = "transport quic_port tls_ca tls_cert tls_key tls_pin", .kind = OPT_LATER,
	  .text = "the only transport is tcp" },
	{ .names = "rdma", .kind = OPT_REFUSED, .text = "RDMA is not supported" },
	{ .names = "srcaddr", .kind = OPT_LATER, .text = "the kernel chooses the source address" },
	{ .names = "netbiosname servern servernetbiosname", .kind = OPT_IGNORED,
	  .text = "NetBIOS is gone" },
	{ .names = "multichannel max_channels", .kind = OPT_IGNORED,
	  .text = "a mount uses one connection" },
	{ .names = "nomultichannel nosharesock", .kind = OPT_SILENT },
	{ .names = "noblocksend noautotune tcpnodelay notcpnodelay", .kind = OPT_IGNORED,
	  .text = "the connection tunes itself" },
	{ .names = "esize min_enc_offload", .kind = OPT_IGNORED,
	  .text = "where encryption runs is automatic" },
	{ .names = "compress", .kind = OPT_IGNORED, .text = "there is no compression" },
	{ .names = "witness", .kind = OPT_IGNORED, .text = "there is no witness client" },
	{ .names = "nowitness", .kind = OPT_SILENT },

	/* protection */
	{ .names = "vers=3.1.1 vers=3.11 vers=3 vers=default min_protocol=3.1.1 seal sign",
	  .kind = OPT_SILENT },
	{ .names = "vers=3.0 vers=3.02 vers=3.0.2 min_protocol=3.0 min_protocol=3.0.2",
	  .kind = OPT_REFUSED,
	  .text = "before SMB 3.1.1 an attacker can remove the encryption unnoticed; "
		  "leave it out" },
	{ .names = "vers=1.0 vers=2.0 vers=2.1", .kind = OPT_REFUSED,
	  .text = "this dialect cannot encrypt; the server must be upgraded to SMB 3.1.1" },
	{ .names = "vers min_protocol", .kind = OPT_BAD, .text = "3.1.1" },
	{ .names = "ver", .kind = OPT_SILENT },
	{ .names = "noseal", .kind = OPT_REFUSED,
	  .text = "an option cannot loosen the policy; whether signing is enough for a server is said "
		  "in smbsecure.conf" },
	{ .names = "ignore_signature signloosely", .kind = OPT_REFUSED,
	  .text = "a message without a valid signature is an attack or a defect" },
	{ "ciphers", OPT_STR, "LIST", TO(ciphers), 0, 0, 0 },
	{ "signing", OPT_STR, "LIST", TO(signing), 0, 0, 0 },
	{ "config", OPT_STR, "FILE", TO(config), 0, 0, 0 },
	{ .names = "hardening", .kind = OPT_LATER, .text = "smbsecure.conf holds the policy" },

	/* whose files, and how they look */
	{ "uid", OPT_UID, "USER", TO(uid), 0, 0, HAVE(have_uid) },
	{ "gid", OPT_GID, "GROUP", TO(gid), 0, 0, HAVE(have_gid) },
	{ "forceuid", OPT_SET, NULL, TO(forceuid), ON },
	{ "noforceuid", OPT_SET, NULL, TO(forceuid), OFF },
	{ "forcegid", OPT_SET, NULL, TO(forcegid), ON },
	{ "noforcegid", OPT_SET, NULL, TO(forcegid), OFF },
	{ "file_mode fmask", OPT_MODE, "OCTAL", TO(file_mode), 0, 07777, 0 },
	{ "dir_mode dirmode dirm dmask", OPT_MODE, "OCTAL", TO(dir_mode), 0, 07777, 0 },
	{ "perm default_permissions", OPT_SET, NULL, TO(perm), ON },
	{ "noperm", OPT_SET, NULL, TO(perm), OFF },
	{ "allow_other", OPT_SET, NULL, TO(allow_other), ON },
	{ .names = "dynperm nodynperm setuids nosetuids", .kind = OPT_IGNORED,
	  .text = "it was for SMB1" },
	{ .names = "cifsacl idsfromsid setuidfromacl modefromsid modesid acl backupuid backupgid",
	  .kind = OPT_LATER,
	  .text = "owners and modes are those of uid=, gid=, file_mode= and dir_mode=" },
	{ .names = "noacl nouser_xattr nocifsacl", .kind = OPT_SILENT },
	{ .names = "user_xattr", .kind = OPT_LATER, .text = "extended attributes are not stored" },
	{ .names = "posix unix linux posixpaths", .kind = OPT_LATER,
	  .text = "the POSIX extensions are not used" },
	{ .names = "noposix nounix nolinux noposixpaths", .kind = OPT_SILENT },

	/* names */
	{ "mapposix", OPT_SET, NULL, TO(map), ON },
	{ "nomapposix", OPT_SET, NULL, TO(map), OFF },
	{ .names = "mapchars", .kind = OPT_LATER, .text = "mapposix maps reserved characters" },
	{ .names = "nomapchars", .kind = OPT_SILENT },
	{ .names = "iocharset=utf8 iocharset=utf-8", .kind = OPT_SILENT },
	{ .names = "iocharset", .kind = OPT_REFUSED, .text = "names are UTF-8; use a UTF-8 locale" },
	{ .names = "nocase ignorecase", .kind = OPT_LATER,
	  .text = "the server decides whether letter case matters" },
	{ .names = "serverino noserverino nodfs nosfu noreparse nonativesocket nomfsymlinks",
	  .kind = OPT_SILENT },
	{ .names = "mfsymlinks symlink symlinkroot symlinks sfu reparse nativesocket",
	  .kind = OPT_LATER, .text = "symbolic links and special files are not shown" },
	{ .names = "streams snapdir snapshot", .kind = OPT_LATER,
	  .text = "streams and snapshots are not shown" },
	{ .names = "prefixpath unc target path source", .kind = OPT_REFUSED,
	  .text = "write it into the source: //server/share/directory" },
	{ .names = "sep", .kind = OPT_REFUSED, .text = "the separator of options is the comma" },
	{ .names = "rootfs", .kind = OPT_REFUSED,
	  .text = "a file system in user space cannot be the root" },

	/* caching and coherence */
	{ "actimeo acregmax acdirmax", OPT_SECONDS, "SECONDS", TO(attr_timeout_ns), 0, 1u << 30, 0 },
	{ "noac", OPT_SET, NULL, TO(attr_timeout_ns), OFF },
	{ .names = "cache=strict strictsync nolease nohandlecache", .kind = OPT_SILENT },
	{ .names = "cache=loose cache=ro cache=singleclient", .kind = OPT_IGNORED,
	  .text = "the cache is strict" },
	{ .names = "cache", .kind = OPT_LATER, .text = "the cache is strict" },
	{ .names = "nostrictsync", .kind = OPT_IGNORED, .text = "fsync always waits for the server" },
	{ .names = "locallease closetimeo handlecache max_cached_dirs statfs_cache fsc",
	  .kind = OPT_IGNORED, .text = "there is no such cache" },
	{ .names = "bsize rasize", .kind = OPT_IGNORED, .text = "the size is automatic" },
	{ .names = "nosparse", .kind = OPT_IGNORED, .text = "the server decides what is sparse" },
	{ .names = "nodelete", .kind = OPT_LATER, .text = "set the permissions on the server" },
	{ .names = "notify", .kind = OPT_LATER, .text = "changes by others are seen when asked for" },

	/* outages and locks */
	{ .names = "soft nohard nointr intr", .kind = OPT_SILENT },
	{ .names = "hard nosoft timeo retry bg", .kind = OPT_LATER,
	  .text = "a lost connection is an error (EIO), and the mount is tried once" },
	{ .names = "fg", .kind = OPT_SILENT },
	{ .names = "retrans", .kind = OPT_IGNORED, .text = "requests are not repeated" },
	{ .names = "persistenthandles resilienthandles handletimeout", .kind = OPT_LATER,
	  .text = "open files do not survive a lost connection" },
	{ .names = "nopersistenthandles noresilienthandles", .kind = OPT_SILENT },
	{ .names = "nobrl nolock", .kind = OPT_SILENT },
	{ .names = "brl forcemandatorylock forcemand", .kind = OPT_LATER,
	  .text = "locks are seen on this computer only" },
	{ .names = "rwpidforward", .kind = OPT_IGNORED, .text = "locks are not sent" },

	/* mounting */
	{ "ro", OPT_SET, NULL, TO(read_only), ON },
	{ "rw", OPT_SET, NULL, TO(read_only), OFF },
	{ "nosuid", OPT_SET, NULL, TO(nosuid), ON },
	{ "suid", OPT_SET, NULL, TO(nosuid), OFF },
	{ "nodev", OPT_SET, NULL, TO(nodev), ON },
	{ "dev", OPT_SET, NULL, TO(nodev), OFF },
	{ "noexec", OPT_SET, NULL, TO(noexec), ON },
	{ "exec", OPT_SET, NULL, TO(noexec), OFF },
	{ "noatime", OPT_SET, NULL, TO(noatime), ON },
	{ "atime", OPT_SET, NULL, TO(noatime), OFF },
	{ "sync", OPT_SET, NULL, TO(sync), ON },
	{ "async", OPT_SET, NULL, TO(sync), OFF },
	{ "dirsync", OPT_SET, NULL, TO(dirsync), ON },
	{ "remount", OPT_SET, NULL, TO(remount), ON },
	{ "nofail", OPT_SET, NULL, TO(nofail), ON },
	{ "sloppy", OPT_SET, NULL, TO(sloppy), ON },
	{ "foreground", OPT_SET, NULL, TO(foreground), ON },
	{ "context fscontext defcontext rootcontext", OPT_SELINUX, "CONTEXT", TO(selinux), 0, 0, 0 },
	{ "loglevel=err", OPT_SET, NULL, TO(loglevel), LOG_LVL_ERR, 0, 0 },
	{ "loglevel=warn", OPT_SET, NULL, TO(loglevel), LOG_LVL_WARN, 0, 0 },
	{ "loglevel=info", OPT_SET, NULL, TO(loglevel), LOG_LVL_INFO, 0, 0 },
	{ "loglevel=debug", OPT_SET, NULL, TO(loglevel), LOG_LVL_DBG, 0, 0 },
	{ .names = "loglevel", .kind = OPT_BAD, .text = "err, warn, info or debug" },
	{ .names = "user users", .kind = OPT_USERS },
	{ .names = "nouser owner group auto noauto _netdev comment defaults nodiratime diratime "
		   "relatime norelatime strictatime nostrictatime lazytime nolazytime silent loud",
	  .kind = OPT_SILENT },
	/* What /proc/mounts shows, which comes back with a remount. */
	{ .names = "user_id group_id max_read subtype", .kind = OPT_SILENT },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* The next name of a row, as a slice of it; false at the end. */
static bool opts_name_next(const char **at, size_t *len)
{
	*at += *len;
	*at += strspn(*at, " ");
	*len = strcspn(*at, " ");
	return *len != 0;
}

static bool opts_row_has(const struct opt_row *row, const char *word, size_t n)
{
	const char *at = row->names;
	size_t len = 0;

	while (opts_name_next(&at, &len))
		if (len == n && strncasecmp(at, word, n) == 0)
			return true;
	return false;
}

static const struct opt_row *opts_find(const char *word)
{
	size_t name_len = strcspn(word, "=");
	const struct opt_row *wrong = NULL;

	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].kind < OPT_VALUES && opts_row_has(&rows[i], word, strlen(word)))
			return &rows[i];
	for (size_t i = 0; i < N_ROWS; i++) {
		if (!opts_row_has(&rows[i], word, name_len))
			continue;
		if (word[name_len] == '=' && rows[i].kind != OPT_SET && rows[i].kind != OPT_USERS)
			return &rows[i];
		wrong = &rows[i];
	}
	return wrong;
}

static void opts_store(struct opts *o, const struct opt_row *row, uint64_t v)
{
	char *at = (char *)o + row->off;

	switch (row->size) {
	case 1:
		*(bool *)at = v != 0;
		break;
	case 2:
		*(uint16_t *)(void *)at = (uint16_t)v;
		break;
	case 4:
		*(uint32_t *)(void *)at = (uint32_t)v;
		break;
	default:
		*(uint64_t *)(void *)at = v;
	}
	if (row->have != 0)
		*((bool *)o + row->have) = true;
}

static bool opts_number(const char *s, int base, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoull(s, &end, base);
	return errno == 0 && *end == '\0' && *out >= min && *out <= max;
}

static int opts_bad(const char *name, const char *wanted, struct diag *d)
{
	diag_hint(d, "%s is %s", name, wanted);
	return diag_set(d, -EINVAL, "opt.value", "the value of option %s cannot be used", name);
}

/* (uid_t)-1 means "leave alone" to system calls, so it is nobody's. */
static int opts_id(const struct opt_row *row, const char *value, uint64_t *out)
{
	struct passwd *pw;
	struct group *gr;

	if (opts_number(value, 10, 0, UINT32_MAX - 1, out))
		return 0;
	if (row->kind == OPT_UID && (pw = getpwnam(value)) != NULL) {
		*out = pw->pw_uid;
		return 0;
	}
	if (row->kind == OPT_GID && (gr = getgrnam(value)) != NULL) {
		*out = gr->gr_gid;
		return 0;
	}
	return -EINVAL;
}

static int opts_value(struct opts *o, const struct opt_row *row, const char *name,
		      const char *value, struct diag *d)
{
	char **str = (char **)(void *)((char *)o + row->off), wanted[80];
	uint64_t v;

	switch (row->kind) {
	case OPT_STR:
		if (*value == '\0')
			return opts_bad(name, "not to be empty", d);
		talloc_free(*str);
		*str = talloc_strdup(o, value);
		return 0;
	case OPT_SELINUX:
		*str = *str == NULL ? talloc_asprintf(o, "%s=%s", name, value) :
				      talloc_asprintf_append(*str, ",%s=%s", name, value);
		return 0;
	case OPT_SECONDS:
		if (!opts_number(value, 10, row->min, row->max, &v))
			return opts_bad(name, "a number of seconds", d);
		opts_store(o, row, v * 1000000000u < o->attr_timeout_ns ? v * 1000000000u :
									  o->attr_timeout_ns);
		return 0;
	case OPT_MODE:
		if (!opts_number(value, 8, row->min, row->max, &v))
			return opts_bad(name, "an octal number like 0750", d);
		opts_store(o, row, v);
		return 0;
	case OPT_UID:
	case OPT_GID:
		if (opts_id(row, value, &v) != 0)
			return opts_bad(name, row->kind == OPT_UID ?
					"a number or the name of a user of this computer" :
					"a number or the name of a group of this computer", d);
		opts_store(o, row, v);
		return 0;
	default:
		snprintf(wanted, sizeof(wanted), "a number from %lu to %lu",
			 (unsigned long)row->min, (unsigned long)row->max);
		if (!opts_number(value, 10, row->min, row->max, &v))
			return opts_bad(name, wanted, d);
		opts_store(o, row, v);
		return 0;
	}
}

/* For the user's eyes: never the value, which may be a misspelt password's. */
static int opts_unknown(struct opts *o, const char *name, struct diag *d)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	const char **known = NULL, *near;
	char shown[64];
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		const char *at = rows[i].names;
		size_t len = 0;

		while (opts_name_next(&at, &len)) {
			known = talloc_realloc(tmp, known, const char *, n + 1);
			known[n++] = talloc_strndup(tmp, at, strcspn(at, "= "));
		}
	}
	near = nearest(name, known, n);
	log_escape(shown, sizeof(shown), name, strlen(name));
	if (o->sloppy) {
		log_warn("option %s is unknown and has no effect", shown);
	} else {
		if (near != NULL)
			diag_hint(d, "did you mean \"%s\"?", near);
		else
			diag_hint(d, "\"mount.smbsecure -h\" lists the options");
		err = diag_set(d, -EINVAL, "opt.unknown", "there is no option \"%s\"", shown);
	}
	talloc_free(tmp);
	return err;
}

static int opts_word(struct opts *o, const char *word, struct diag *d)
{
	size_t n = strcspn(word, "=");
	const char *value = word[n] == '=' ? word + n + 1 : NULL;
	const struct opt_row *row;
	bool whole;
	char name[64];

	if (*word == '\0' || strncasecmp(word, "x-", 2) == 0)
		return 0;
	row = opts_find(word);
	snprintf(name, sizeof(name), "%.*s", (int)n, word);
	if (row == NULL)
		return opts_unknown(o, name, d);
	whole = opts_row_has(row, word, strlen(word));
	switch (row->kind) {
	case OPT_SILENT:
		return 0;
	case OPT_IGNORED:
		log_warn("option %s has no effect: %s", name, row->text);
		return 0;
	case OPT_REFUSED:
		diag_hint(d, "%s", row->text);
		return diag_set(d, -EINVAL, "opt.refused", "option \"%s\" is refused",
				whole ? word : name);
	case OPT_LATER:
		diag_hint(d, "without it: %s", row->text);
		return diag_set(d, -EOPNOTSUPP, "opt.not-yet", "option \"%s\" is not there yet",
				name);
	case OPT_BAD:
		return opts_bad(name, row->text, d);
	case OPT_SET:
	case OPT_USERS:
		if (!whole)
			return opts_bad(name, "to stand alone, without a value", d);
		if (row->kind == OPT_USERS)
			o->nosuid = o->nodev = o->noexec = true;
		else
			opts_store(o, row, row->min);
		return 0;
	default:
		if (value == NULL)
			return opts_bad(name, "to have a value", d);
		return opts_value(o, row, name, value, d);
	}
}

/* Cuts the next word off `*text`; commas inside double quotes belong to it. */
static char *opts_cut(TALLOC_CTX *mem, const char **text)
{
	const char *from = *text, *p;
	bool quoted = false;

	for (p = from; *p != '\0' && (*p != ',' || quoted); p++)
		if (*p == '"')
			quoted = !quoted;
	*text = *p == ',' ? p + 1 : p;
	return talloc_strndup(mem, from, (size_t)(p - from));
}

int opts_parse(TALLOC_CTX *mem, const char *text, bool as_root, struct opts **out, struct diag *d)
{
	struct opts *o = talloc_zero(mem, struct opts);
	int err = 0;

	o->mech = AUTH_KRB5;
	o->file_mode = o->dir_mode = 0755;
	o->echo_s = 7;
	o->max_credits = 8192;
	o->attr_timeout_ns = UINT64_MAX;
	o->mount_timeout_s = 25;
	o->perm = o->map = o->nosuid = o->nodev = true;
	o->allow_other = as_root;
	o->loglevel = LOG_LVL_INFO;
	while (err == 0 && *text != '\0') {
		char *word = opts_cut(o, &text);

		err = opts_word(o, word, d);
		talloc_free(word);
	}
	if (err != 0) {
		talloc_free(o);
		return err;
	}
	if (o->attr_timeout_ns == UINT64_MAX)
		o->attr_timeout_ns = 1000000000u;
	*out = o;
	return 0;
}

char *opts_describe(TALLOC_CTX *mem, const char *text)
{
	char *shown = talloc_strdup(mem, "");

	while (*text != '\0') {
		char *word = opts_cut(mem, &text);
		size_t n = strcspn(word, "=");
		bool secret = word[n] == '=' && strncasecmp(word, "pass", 4) == 0;

		shown = talloc_asprintf_append(shown, "%s%.*s%s", *shown != '\0' ? "," : "",
					       secret ? (int)n : (int)strlen(word), word,
					       secret ? "=***" : "");
		talloc_free(word);
	}
	return shown;
}

static void opts_print_kind(FILE *f, enum opt_kind kind, const char *title)
{
	int col = 80;

	fprintf(f, "\n%s:", title);
	for (size_t i = 0; i < N_ROWS; i++) {
		const char *at = rows[i].names;
		size_t len = 0;

		while (rows[i].kind == kind && opts_name_next(&at, &len)) {
			if (col + (int)len > 76)
				col = fprintf(f, "\n ") - 1;
			col += fprintf(f, " %.*s", (int)len, at);
		}
	}
	fputc('\n', f);
}

void opts_print(FILE *f)
{
	fputs("Options:\n", f);
	for (size_t i = 0; i < N_ROWS; i++) {
		const char *at = rows[i].names;
		size_t len = 0;

		if (rows[i].kind != OPT_SET && rows[i].kind < OPT_VALUES)
			continue;
		fputs(" ", f);
		while (opts_name_next(&at, &len))
			fprintf(f, " %.*s%s%s", (int)len, at, rows[i].text != NULL ? "=" : "",
				rows[i].text != NULL ? rows[i].text : "");
		fputc('\n', f);
	}
	opts_print_kind(f, OPT_USERS, "Of fstab, with noexec,nosuid,nodev");
	opts_print_kind(f, OPT_SILENT, "Accepted");
	opts_print_kind(f, OPT_IGNORED, "Accepted without effect");
	opts_print_kind(f, OPT_LATER, "Not there yet");
	opts_print_kind(f, OPT_REFUSED, "Refused");
}
