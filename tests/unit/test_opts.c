/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"

#include "fs/opts.h"
#include "log.h"

#include <string.h>

#define S 1000000000ull

static struct opts *parse(const char *text)
{
	struct opts *o = NULL;
	struct diag d = { 0 };

	if (opts_parse(NULL, text, true, &o, &d) != 0) {
		printf("# %s: %s (%s)\n", text, d.what, d.hint);
		CHECK(!"accepted");
		opts_parse(NULL, "", true, &o, &d);
	}
	return o;
}

static void defaults(void)
{
	struct diag d = { 0 };
	struct opts *o;

	CHECK(opts_parse(NULL, "", true, &o, &d) == 0);
	CHECK(o->mech == AUTH_KRB5 && o->port == 0 && o->mount_timeout_s == 25);
	CHECK(o->file_mode == 0755 && o->dir_mode == 0755 && o->attr_timeout_ns == S);
	CHECK(o->perm && o->map && o->nosuid && o->nodev && o->allow_other);
	CHECK(!o->read_only && !o->noexec && !o->have_uid && !o->have_gid && !o->have_cruid);
	CHECK(!o->nofail && !o->foreground && !o->sloppy && !o->remount);
	CHECK(o->user == NULL && o->config == NULL && o->selinux == NULL);
	talloc_free(o);
	CHECK(opts_parse(NULL, "", false, &o, &d) == 0);
	CHECK(!o->allow_other);
	talloc_free(o);
}

static void values(void)
{
	struct opts *o = parse("username=alice@EXAMPLE.TEST,domain=EX,credentials=/root/c=d,"
			       "principal=p,ccache=FILE:/tmp/cc,keytab=/k,cruid=1000,sec=ntlmssp,"
			       "uid=root,gid=0,forceuid,forcegid,file_mode=0640,dirmode=750,noperm,"
			       "port=8445,addr=192.0.2.1,vers=3.1.1,seal,sign,rsize=65536,"
			       "wsize=4194304,max_credits=512,actimeo=30,nomapposix,iocharset=UTF8,"
			       "echo_interval=10,mount_timeout=5,loglevel=debug,ciphers=AES-256-GCM,"
			       "signing=AES-GMAC,config=/etc/other");

	CHECK(strcmp(o->user, "alice@EXAMPLE.TEST") == 0 && strcmp(o->domain, "EX") == 0);
	CHECK(strcmp(o->credentials, "/root/c=d") == 0 && strcmp(o->principal, "p") == 0);
	CHECK(strcmp(o->ccache, "FILE:/tmp/cc") == 0 && strcmp(o->keytab, "/k") == 0);
	CHECK(o->have_cruid && o->cruid == 1000 && o->mech == AUTH_NTLMSSP);
	CHECK(o->have_uid && o->uid == 0 && o->have_gid && o->gid == 0);
	CHECK(o->forceuid && o->forcegid && !o->perm && !o->map);
	CHECK(o->file_mode == 0640 && o->dir_mode == 0750);
	CHECK(o->port == 8445 && strcmp(o->ip, "192.0.2.1") == 0);
	CHECK(o->rsize == 65536 && o->wsize == 4194304 && o->max_credits == 512);
	CHECK(o->attr_timeout_ns == 30 * S && o->echo_s == 10 && o->mount_timeout_s == 5);
	CHECK(o->loglevel == LOG_LVL_DBG);
	CHECK(strcmp(o->ciphers, "AES-256-GCM") == 0 && strcmp(o->signing, "AES-GMAC") == 0);
	CHECK(strcmp(o->config, "/etc/other") == 0);
	talloc_free(o);
}

static void later_word_wins(void)
{
	struct opts *o = parse("ro,user=a,rw,user=b,uid=1,uid=2");

	CHECK(!o->read_only && strcmp(o->user, "b") == 0 && o->uid == 2);
	talloc_free(o);
}

static void attribute_timeouts(void)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = {
		{ "actimeo=0", 0 },
		{ "noac", 0 },
		{ "acregmax=60,acdirmax=3", 3 * S },
		{ "acdirmax=3,acregmax=60", 3 * S },
		{ "noac,actimeo=5", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct opts *o = parse(rows[i].text);

		CHECK(o->attr_timeout_ns == rows[i].ns);
		talloc_free(o);
	}
}

/* Bare "user" is fstab's, "user=" is a name. */
static void user_mounts(void)
{
	struct opts *o = parse("exec,suid,dev,user");

	CHECK(o->noexec && o->nosuid && o->nodev && o->user == NULL);
	talloc_free(o);
	o = parse("users,exec");
	CHECK(!o->noexec && o->nosuid && o->nodev);
	talloc_free(o);
	o = parse("suid,dev");
	CHECK(!o->nosuid && !o->nodev);
	talloc_free(o);
}

static void swallowed(void)
{
	struct opts *o = parse("_netdev,nofail,auto,noauto,owner,group,nouser,defaults,comment=x y,"
			       "x-systemd.automount,x-gvfs-name=My%20Share,X-mount.mkdir,,soft,nobrl,"
			       "serverino,cache=strict,noserverino,vers=3,nodfs,relatime,transport=tcp,"
			       "user_id=0,group_id=0,max_read=1048576");

	CHECK(o->nofail && !o->noexec);
	talloc_free(o);
}

/* A security context may hold commas when quoted; the kernel wants the quotes. */
static void selinux(void)
{
	struct opts *o = parse("context=\"system_u:object_r:x_t:s0:c1,c2\",ro,fscontext=a:b:c");

	CHECK(o->read_only);
	CHECK(strcmp(o->selinux, "context=\"system_u:object_r:x_t:s0:c1,c2\",fscontext=a:b:c") == 0);
	talloc_free(o);
}

static void refused(void)
{
	static const char *const rows[][2] = {
		{ "password=Hush-1234", "opt.refused" },
		{ "ro,pass=Hush-1234", "opt.refused" },
		{ "password2=Hush-1234", "opt.refused" },
		{ "password", "opt.refused" },
		{ "guest", "opt.refused" },
		{ "sec=none", "opt.refused" },
		{ "sec=ntlm", "opt.refused" },
		{ "sec=lanman", "opt.refused" },
		{ "sec=krb6", "opt.value" },
		{ "sec", "opt.value" },
		{ "noseal", "opt.refused" },
		{ "signloosely", "opt.refused" },
		{ "ignore_signature", "opt.refused" },
		{ "domainauto", "opt.refused" },
		{ "rdma", "opt.refused" },
		{ "port=139", "opt.refused" },
		{ "rootfs", "opt.refused" },
		{ "sep=;", "opt.refused" },
		{ "unc=//other/share", "opt.refused" },
		{ "vers=1.0", "opt.refused" },
		{ "vers=2.1", "opt.refused" },
		{ "vers=3.0", "opt.refused" },
		{ "vers=3.02", "opt.refused" },
		{ "vers=4", "opt.value" },
		{ "min_protocol=3.0", "opt.refused" },
		{ "iocharset=iso8859-1", "opt.refused" },
		{ "sloppy,guest", "opt.refused" },
		{ "hard", "opt.not-yet" },
		{ "multiuser", "opt.not-yet" },
		{ "cifsacl", "opt.not-yet" },
		{ "snapshot=@GMT-2020.01.01-00.00.00", "opt.not-yet" },
		{ "transport=quic", "opt.not-yet" },
		{ "mfsymlinks", "opt.not-yet" },
		{ "cache=none", "opt.not-yet" },
		{ "bg", "opt.not-yet" },
		{ "sloppy,hard", "opt.not-yet" },
		{ "port=0", "opt.value" },
		{ "port=65536", "opt.value" },
		{ "port=-1", "opt.value" },
		{ "port= 445", "opt.value" },
		{ "port=445x", "opt.value" },
		{ "port=", "opt.value" },
		{ "port", "opt.value" },
		{ "port=99999999999999999999999", "opt.value" },
		{ "rsize=100", "opt.value" },
		{ "echo_interval=0", "opt.value" },
		{ "echo_interval=601", "opt.value" },
		{ "max_credits=1", "opt.value" },
		{ "file_mode=0888", "opt.value" },
		{ "file_mode=17777", "opt.value" },
		{ "file_mode=u+r", "opt.value" },
		{ "actimeo=-1", "opt.value" },
		{ "uid=no-such-user-here", "opt.value" },
		{ "gid=no-such-group-here", "opt.value" },
		{ "uid=4294967295", "opt.value" },
		{ "uid=", "opt.value" },
		{ "username=", "opt.value" },
		{ "username", "opt.value" },
		{ "ro=1", "opt.value" },
		{ "user_id", NULL },
		{ "loglevel=loud", "opt.value" },
		{ "x", "opt.unknown" },
		{ "passwort=Hush-1234", "opt.unknown" },
		{ "rw sloppy", "opt.unknown" },
		{ "usernam=x,sloppy", "opt.unknown" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct opts *o = NULL;
		struct diag d = { 0 };
		int err = opts_parse(NULL, rows[i][0], true, &o, &d);

		if ((err == 0) != (rows[i][1] == NULL) ||
		    (d.id == NULL ? rows[i][1] != NULL : strcmp(d.id, rows[i][1]) != 0)) {
			CHECK(!"the right code");
			printf("# %s: %s\n", rows[i][0], d.id != NULL ? d.id : "accepted");
		}
		CHECK(err == 0 || (o == NULL && d.hint[0] != '\0'));
		CHECK(strstr(d.what, "Hush") == NULL && strstr(d.detail, "Hush") == NULL &&
		      strstr(d.hint, "Hush") == NULL);
		talloc_free(o);
	}
}

static void nearest_is_named(void)
{
	static const char *const rows[][2] = {
		{ "usernam=x", "\"username\"" },
		{ "crediantials=x", "\"credentials\"" },
		{ "filemode=0600", "\"file_mode\"" },
		{ "mulituser", "\"multiuser\"" },
		{ "sesc=krb5", "\"sec\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct opts *o = NULL;
		struct diag d = { 0 };

		CHECK(opts_parse(NULL, rows[i][0], true, &o, &d) < 0);
		CHECK(strcmp(d.id, "opt.unknown") == 0);
		CHECK(strstr(d.hint, rows[i][1]) != NULL);
	}
}

static void sloppy(void)
{
	struct opts *o = parse("sloppy,no-such-option=1,ro");

	CHECK(o->read_only);
	talloc_free(o);
}

/* What a terminal would obey must not reach it. */
static void unknown_is_escaped(void)
{
	struct opts *o = NULL;
	struct diag d = { 0 };

	CHECK(opts_parse(NULL, "a\033[2Jb", true, &o, &d) < 0);
	CHECK(strchr(d.what, '\033') == NULL);
}

static void describe(void)
{
	char *s = opts_describe(NULL, "ro,password=Hush-1234,credentials=/c,passwrod=Hush,user=a");

	CHECK(strcmp(s, "ro,password=***,credentials=/c,passwrod=***,user=a") == 0);
	talloc_free(s);
}

int main(void)
{
	RUN(defaults);
	RUN(values);
	RUN(later_word_wins);
	RUN(attribute_timeouts);
	RUN(user_mounts);
	RUN(swallowed);
	RUN(selinux);
	RUN(refused);
	RUN(nearest_is_named);
	RUN(sloppy);
	RUN(unknown_is_escaped);
	RUN(describe);
	return DONE();
}
