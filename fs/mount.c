/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main of mount.smbsecure: command line, policy, credentials, mount, run.  The
 * process that was started waits (background.c); everything that talks to a
 * server happens in its child, which becomes the daemon.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "background.h"
#include "control.h"
#include "cred.h"
#include "log.h"
#include "name.h"

struct cmdline {
	const char *source, *target;
	char *options; /* all -o, joined */
	bool fake, verbose;
};

struct mount {
	struct cmdline line;
	struct source *src;
	struct opts *opts;
	struct target *target;
	struct policy *pol;
	struct cred *cred;
	struct auth_params auth;
	char server[NAME_SIZE], what_for[600];
	struct background bg;
};

static void mount_usage(FILE *f)
{
	fputs("Usage: mount.smbsecure //SERVER/SHARE[/DIRECTORY] DIRECTORY [-fnsvwrVh] [-o OPTIONS]\n"
	      "\n"
	      "  -o OPTIONS  separated by commas, see below and mount.smbsecure(8)\n"
	      "  -r, -w      read-only, read-write\n"
	      "  -f          check everything, but neither connect nor mount\n"
	      "  -s          ignore unknown options\n"
	      "  -v          say what is done\n"
	      "  -n, -t TYPE, -N NAMESPACE  accepted, without effect\n"
	      "  -V, -h      version, this help\n"
	      "\n", f);
	opts_print(f);
}

static void mount_add_option(struct mount *m, const char *text)
{
	m->line.options = talloc_asprintf_append(m->line.options, "%s%s",
						 *m->line.options != '\0' ? "," : "", text);
}

/* Exit code, or -1 to go on.  As mount(8) calls it, and as people do. */
static int mount_read_line(struct mount *m, int argc, char **argv)
{
	int c;

	m->line.options = talloc_strdup(m, "");
	while ((c = getopt(argc, argv, "fhno:rst:vwN:V")) != -1) {
		switch (c) {
		case 'f':
			m->line.fake = true;
			break;
		case 'o':
			mount_add_option(m, optarg);
			break;
		case 'r':
			mount_add_option(m, "ro");
			break;
		case 'w':
			mount_add_option(m, "rw");
			break;
		case 's':
			m->line.options = talloc_asprintf(m, "sloppy,%s", m->line.options);
			break;
		case 'v':
			m->line.verbose = true;
			break;
		case 'n':
		case 't':
		case 'N':
			break;
		case 'h':
			mount_usage(stdout);
			return EXIT_OK;
		case 'V':
			puts("mount.smbsecure " SMBSECURE_VERSION);
			return EXIT_OK;
		default:
			fputs("mount.smbsecure: \"mount.smbsecure -h\" tells how it is used\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 2) {
		fputs("mount.smbsecure: a source and a mount point are needed; see "
		      "\"mount.smbsecure -h\"\n", stderr);
		return EXIT_USAGE;
	}
	m->line.source = argv[optind];
	m->line.target = argv[optind + 1];
	return -1;
}

/* Nothing of this process, its keys least of all, is for others to see. */
static int mount_harden(struct diag *d)
{
	struct rlimit none = { 0, 0 };

	background_fill_stdio();
	if (getauxval(AT_SECURE) != 0) {
		diag_hint(d, "remove the setuid bit; users mount through fusermount3");
		return diag_set(d, -EPERM, "mount.setuid",
				"this program must not run with the privileges of its file");
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
		return diag_set(d, -errno, "mount.process", "core dumps cannot be switched off");
	return 0;
}

static int mount_parse(struct mount *m, struct diag *d)
{
	int err = source_parse(m, m->line.source, &m->src, d);

	if (err != 0)
		return err;
	snprintf(m->what_for, sizeof(m->what_for), "cannot mount %s", m->src->fsname);
	err = opts_parse(m, m->line.options, geteuid() == 0, &m->opts, d);
	if (err != 0)
		return err;
	atomic_store(&log_level, m->opts->loglevel);
	if (m->opts->port == 0)
		m->opts->port = m->src->port != 0 ? m->src->port : 445;
	if (m->line.verbose)
		fprintf(stderr, "mount.smbsecure: %s on %s, options \"%s\"\n", m->src->fsname,
			m->line.target, opts_describe(m, m->line.options));
	return 0;
}

/* Another policy is for those only who could change the one there is. */
static int mount_load_policy(struct mount *m, struct diag *d)
{
	const struct opts *o = m->opts;
	int err;

	if (o->config != NULL && geteuid() != 0) {
		diag_hint(d, "the policy is in /etc/smbsecure/smbsecure.conf");
		return diag_set(d, -EPERM, "opt.refused",
				"option \"config\" is refused: only root may choose another policy");
	}
	err = name_normalise(m->src->server, m->server, sizeof(m->server), d);
	if (err == 0)
		err = policy_load(m, o->config, m->server, m->src->share, &m->pol, d);
	if (err == 0)
		err = auth_permitted(o->mech, m->pol, m->server, d);
	if (err == 0 && o->ciphers != NULL)
		err = policy_keep_ciphers(m->pol, o->ciphers, d);
	if (err == 0 && o->signing != NULL)
		err = policy_keep_signing(m->pol, o->signing, d);
	return err != 0 ? err : auth_setup(o->mech == AUTH_NTLMSSP, d);
}

/* The log-on is repeated when the daemon's directory is another one: "KEYS" and "FILE:KEYS". */
static const char *mount_absolute(TALLOC_CTX *mem, const char *name)
{
	size_t type = name != NULL && strncmp(name, "FILE:", 5) == 0 ? 5 : 0;
	const char *abs = name;
	char *cwd;

	if (name == NULL || name[type] == '/' || strchr(name + type, ':') != NULL)
		return name;
	cwd = getcwd(NULL, 0);
	if (cwd != NULL)
		abs = talloc_asprintf(mem, "%.*s%s/%s", (int)type, name, cwd, name + type);
	free(cwd);
	return abs;
}

/* May ask on the terminal, so it comes before the session of our own. */
static int mount_get_credentials(struct mount *m, struct diag *d)
{
	const struct opts *o = m->opts;
	char *share = talloc_asprintf(m, "//%s/%s", m->src->server, m->src->share);
	const char *env;
	int err;

	m->auth = (struct auth_params){
		.mech = o->mech,
		.server = m->server,
		.principal = o->principal,
		.user = o->user != NULL ? o->user : m->src->user,
		.domain = o->domain != NULL ? o->domain : m->src->domain,
		.ccache = o->ccache,
		.keytab = o->keytab,
		.have_uid = o->have_cruid,
		.uid = o->cruid,
	};
	err = cred_pick(m, o->credentials, share, &m->auth, &m->cred, d);
	m->auth.keytab = mount_absolute(m, m->auth.keytab);
	m->auth.ccache = mount_absolute(m, m->auth.ccache);
	env = mount_absolute(m, getenv("KRB5CCNAME"));
	if (env != NULL)
		setenv("KRB5CCNAME", env, 1);
	return err;
}

static void mount_is_ready(void *arg)
{
	background_ready(arg);
}

/* The daemon's life.  Its result is the exit code. */
static int mount_serve(struct mount *m)
{
	struct control_conf conf = {
		.src = m->src,
		.opts = m->opts,
		.server = m->server,
		.auth = &m->auth,
		.target = m->target,
	};
	struct control *c = NULL;
	struct diag d = { 0 };
	int err;
	bool forgiven = false;

	err = mount_get_credentials(m, &d);
	conf.pol = m->pol;
	if (err == 0)
		err = control_new(&conf, &c, &d);
	background_begin(&m->bg);
	if (err == 0) {
		err = control_reach(c, &d);
		forgiven = err != 0 && m->opts->nofail;
	}
	if (err == 0) {
		background_reached(&m->bg);
		err = control_log_on(c, &d);
	}
	if (err == 0 && chdir("/") != 0)
		err = diag_set(&d, -errno, "mount.process", "chdir: %s", strerror(errno));
	if (err == 0)
		err = control_mount(c, mount_is_ready, &m->bg, &d);
	if (err == 0)
		control_run(c);
	else
		diag_print(stderr, m->what_for, &d);
	control_free(c);
	return err == 0 || forgiven ? EXIT_OK : EXIT_FAIL;
}

/* -1 to go on in the daemon, else the exit code. */
static int mount_start(struct mount *m, struct diag *d)
{
	int err = mount_parse(m, d);

	if (err != 0)
		return EXIT_USAGE;
	if (m->opts->remount)
		return kernel_remount(m->line.target, m->opts, d) != 0 ? EXIT_FAIL : EXIT_OK;
	if (mount_load_policy(m, d) != 0 ||
	    kernel_target(m, m->line.target, m->src->fsname, &m->target, d) != 0)
		return EXIT_FAIL;
	if (m->line.fake)
		return EXIT_OK;
	m->bg = (struct background){
		.what_for = m->what_for,
		.target = m->target->path,
		.timeout_s = m->opts->mount_timeout_s,
		.foreground = m->opts->foreground,
		.nofail = m->opts->nofail,
	};
	return background_start(&m->bg);
}

int main(int argc, char **argv)
{
	struct diag d = { 0 };
	struct mount *m;
	int code;

	talloc_disable_null_tracking();
	m = talloc_zero(NULL, struct mount);
	snprintf(m->what_for, sizeof(m->what_for), "cannot mount the share");
	log_open(false);
	code = mount_harden(&d) != 0 ? EXIT_USAGE : mount_read_line(m, argc, argv);
	if (code < 0)
		code = mount_start(m, &d);
	if (d.err != 0)
		diag_print(stderr, m->what_for, &d);
	if (code < 0)
		code = mount_serve(m);
	talloc_free(m);
	return code;
}
