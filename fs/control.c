/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"
#include "fs.h"
#include "log.h"
#include "ntstatus.h"
#include "reauth.h"
#include "session.h"
#include "smb.h"
#include "transport.h"

/* After SIGTERM: what was written and not yet answered may take so long. */
#define FLUSH_MS 10000u
#define LOGOFF_MS 1000u

struct control {
	struct control_conf conf;
	struct loop *loop;
	struct watch signals;
	struct reauth *reauth;
	struct admin *admin;
	struct fs *fs;
	struct shard *shard; /* has the channel, while there is one */
	struct chan_io *io;  /* ours before and after */
	struct auth *auth;
	struct sess *sess;
	struct tree tree;
	dev_t dev;
	void (*ready)(void *arg);
	void *ready_arg;
	bool mounted, gone, lost;
	time_t since; /* connected, or lost */
	char why[160];
};

static struct control *control_of(void *member, size_t off)
{
	return (struct control *)(void *)((char *)member - off);
}

int control_new(const struct control_conf *conf, struct control **out, struct diag *d)
{
	struct control *c = talloc_zero(NULL, struct control);
	int err;

	c->conf = *conf;
	c->signals.fd = -1;
	err = loop_new(&c->loop);
	if (err != 0) {
		talloc_free(c);
		return diag_set(d, err, "mount.process", "no event loop: %s", strerror(-err));
	}
	*out = c;
	return 0;
}

struct probe {
	struct req create, close;
	uint32_t status;
};

static void probe_create_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct probe *p = r->ctx;

	(void)pdu;
	if (err == 0)
		p->status = status;
}

static void probe_close_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	(void)r;
	(void)err;
	(void)status;
	(void)pdu;
}

static int probe_refused(const char *subdir, uint32_t status, struct diag *d)
{
	char name[24];
	const char *shown = *subdir != '\0' ? subdir : "/";

	diag_detail(d, "CREATE answered %s (0x%08x)", nt_name(status, name, sizeof(name)), status);
	switch (nt_errno(status)) {
	case -ENOENT:
	case -ENOTDIR:
		return diag_set(d, -ENOENT, "share.no-directory",
				"the share has no directory \"%s\"", shown);
	case -EACCES:
	case -EPERM:
		diag_hint(d, "the log-on succeeded; the directory's permissions on the server do not "
			     "let this user in");
		return diag_set(d, -EACCES, "share.denied", "no permission for the directory \"%s\"",
				shown);
	default:
		if (nt_hint(status) != NULL)
			diag_hint(d, "%s", nt_hint(status));
		return diag_set(d, -EIO, "share.directory", "the directory \"%s\" cannot be opened",
				shown);
	}
}

/* That the directory to mount is there and may be looked at. */
static int control_probe(struct control *c, struct diag *d)
{
	const char *subdir = c->conf.src->subdir;
	struct probe probe = { .create = { .done = probe_create_done, .ctx = &probe },
			       .close = { .done = probe_close_done, .ctx = &probe } };
	struct smb_create open = {
		.access = FILE_READ_ATTRIBUTES,
		.share = FILE_SHARE_ALL,
		.disposition = FILE_OPEN,
		.options = FILE_DIRECTORY_FILE,
	};
	size_t cap = 2 * strlen(subdir) + 2;
	uint8_t *path = talloc_array(c, uint8_t, cap);
	struct pkt p;
	int n = utf16_from_path(subdir, strlen(subdir), c->conf.opts->map, path, cap);

	if (n < 0)
		return diag_set(d, n, "source.path",
				"the directory has a name that cannot exist without mapposix");
	open.path = slice_of(path, (size_t)n);
	pkt_init(&p, chan_io_pool(c->io), c->tree.id, (size_t)n);
	smb_create(&p, &probe.create, &open);
	smb_close(&p, &probe.close, NULL, 0);
	n = chan_call(c->io, p.head, SESSION_TIMEOUT_MS, d);
	talloc_free(path);
	if (n != 0)
		return n;
	return probe.status != 0 ? probe_refused(subdir, probe.status, d) : 0;
}

int control_reach(struct control *c, struct diag *d)
{
	const struct opts *o = c->conf.opts;
	struct transport *t;
	int err;

	/* Sooner than the whole: then it is known that it was this. */
	err = tcp_connect(c->conf.server, o->ip, o->port, o->mount_timeout_s * 900u, &t, d);
	if (err != 0)
		return err;
	c->io = chan_io_new(t, 0, o->max_credits, o->echo_s);
	err = chan_io_attach(c->io, c->loop);
	if (err != 0)
		return diag_set(d, err, "mount.process", "no event loop: %s", strerror(-err));
	return 0;
}

int control_log_on(struct control *c, struct diag *d)
{
	struct negotiated neg;
	uint8_t guid[16];
	int err;

	if (getrandom(guid, sizeof(guid), 0) != sizeof(guid))
		return diag_set(d, -EIO, "mount.process", "no random numbers");
	err = auth_new(c, c->conf.auth, c->conf.pol, &c->auth, d);
	if (err == 0)
		err = negotiate(c->io, c->conf.pol, c->conf.server, guid, &neg, d);
	if (err == 0)
		err = session_setup(c->io, c->conf.pol, &neg, c->auth, &c->sess, d);
	if (err == 0)
		err = tree_connect(c->io, c->conf.server, c->conf.src->share, &c->tree, d);
	return err == 0 ? control_probe(c, d) : err;
}

static void control_set_state(struct control *c, bool lost, const char *why)
{
	char text[400], when[32];
	struct tm tm;

	c->lost = lost;
	c->since = time(NULL);
	snprintf(c->why, sizeof(c->why), "%s", why);
	strftime(when, sizeof(when), "%FT%TZ", gmtime_r(&c->since, &tm));
	snprintf(text, sizeof(text), "%s since %s%s%s", lost ? "lost" : "connected", when,
		 lost ? ": " : "", why);
	fs_set_status(c->fs, text);
}

static void control_ready(void *arg)
{
	struct control *c = arg;

	kernel_raise_read_ahead(c->dev);
	c->ready(c->ready_arg);
}

static void control_gone(void *arg)
{
	struct control *c = arg;

	c->gone = true;
	loop_stop(c->loop);
}

static void shard_why(struct shard *s, void *arg)
{
	struct control *c = arg;

	snprintf(c->why, sizeof(c->why), "%s", chan_io_why(shard_io(s)));
}

static void control_lost(void *arg)
{
	struct control *c = arg;
	char why[sizeof(c->why)];

	if (c->shard == NULL)
		return;
	shard_call(c->shard, shard_why, c);
	memcpy(why, c->why, sizeof(why));
	control_set_state(c, true, why);
	log_err("lost %s: %s; unmount and mount again", c->conf.src->fsname, why);
}

static void control_signal(struct watch *w, uint32_t revents)
{
	struct control *c = control_of(w, offsetof(struct control, signals));
	struct signalfd_siginfo si;

	(void)revents;
	if (read(w->fd, &si, sizeof(si)) == sizeof(si))
		loop_stop(c->loop);
}

/* Before there are threads: they inherit the mask. */
static int control_catch_signals(struct control *c, struct diag *d)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	c->signals = (struct watch){ .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				     .events = EPOLLIN, .ready = control_signal };
	err = c->signals.fd < 0 ? -errno : loop_add(c->loop, &c->signals);
	if (err != 0)
		return diag_set(d, err, "mount.process", "no signals: %s", strerror(-err));
	return 0;
}

struct figures {
	struct chan_stats chan;
	struct fs_stats fs;
	size_t buffers;
};

static void shard_figures(struct shard *s, void *arg)
{
	struct figures *f = arg;

	f->chan = *chan_stats(chan_io_chan(shard_io(s)));
	f->fs = *shard_stats(s);
	f->buffers = bufpool_bytes(chan_io_pool(shard_io(s)));
}

static void control_fill_figures(struct control *c, struct answer *a)
{
	static const char *const command[SMB2_COMMANDS] = {
		"negotiate", "session_setup", "logoff", "tree_connect", "tree_disconnect", "create",
		"close", "flush", "read", "write", "lock", "ioctl", "cancel", "echo",
		"query_directory", "change_notify", "query_info", "set_info", "oplock_break",
	};
	struct figures f = { 0 };
	char key[40];

	shard_call(c->shard, shard_figures, &f);
	answer_number(a, "credits", f.chan.credits);
	answer_number(a, "in_flight", f.chan.in_flight);
	answer_number(a, "round_trips", (int64_t)f.chan.frames_out);
	answer_number(a, "bytes_read", (int64_t)f.fs.bytes_read);
	answer_number(a, "bytes_written", (int64_t)f.fs.bytes_written);
	answer_number(a, "bytes_in", (int64_t)f.chan.bytes_in);
	answer_number(a, "bytes_out", (int64_t)f.chan.bytes_out);
	answer_number(a, "buffers", (int64_t)f.buffers);
	answer_number(a, "nodes", (int64_t)f.fs.nodes);
	answer_number(a, "errors", (int64_t)f.fs.errors);
#define X(name) answer_number(a, "ops." #name, (int64_t)f.fs.name);
	FS_OPS(X)
#undef X
	for (size_t i = 0; i < SMB2_COMMANDS; i++) {
		snprintf(key, sizeof(key), "smb.%s", command[i]);
		answer_number(a, key, (int64_t)f.chan.n_cmd[i]);
	}
}

static void control_fill_caps(const struct control *c, struct answer *a)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} caps[] = {
		{ SMB2_GLOBAL_CAP_DFS, "dfs " },
		{ SMB2_GLOBAL_CAP_LEASING, "leasing " },
		{ SMB2_GLOBAL_CAP_LARGE_MTU, "large-mtu " },
		{ SMB2_GLOBAL_CAP_MULTI_CHANNEL, "multichannel " },
		{ SMB2_GLOBAL_CAP_PERSISTENT_HANDLES, "persistent-handles " },
		{ SMB2_GLOBAL_CAP_DIRECTORY_LEASING, "directory-leasing " },
	};
	char text[160] = "";

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (c->sess->caps & caps[i].bit)
			strcat(text, caps[i].name);
	if (*text != '\0')
		text[strlen(text) - 1] = '\0';
	answer_text(a, "caps", text);
}

static void control_fill(struct answer *a, void *arg)
{
	struct control *c = arg;
	const struct auth_info *who = &c->sess->who;
	char dialect[16];
	uint16_t v = c->sess->dialect;

	snprintf(dialect, sizeof(dialect), "%u.%u.%u", v >> 8, v >> 4 & 15, v & 15);
	answer_text(a, "source", c->conf.src->fsname);
	answer_text(a, "server", c->conf.server);
	answer_text(a, "share", c->conf.src->share);
	answer_text(a, "subdir", c->conf.src->subdir);
	answer_text(a, "target", c->conf.target->path);
	answer_text(a, "state", c->lost ? "lost" : "connected");
	answer_number(a, "since", c->since);
	answer_text(a, "reason", c->why);
	answer_text(a, "peer", chan_io_peer(c->io));
	answer_text(a, "dialect", dialect);
	answer_text(a, "protection", c->sess->sealed ? "sealed" : "signed");
	answer_text(a, "cipher", policy_cipher_name(c->sess->cipher));
	answer_text(a, "signing", policy_signing_name(c->sess->signing));
	answer_text(a, "mechanism", who->mech);
	answer_text(a, "principal", who->principal);
	answer_text(a, "spn", who->spn);
	answer_number(a, "ticket_end", reauth_expires(c->reauth));
	control_fill_caps(c, a);
	control_fill_figures(c, a);
	answer_number(a, "pid", getpid());
	answer_text(a, "version", SMBSECURE_VERSION);
}

static void control_make_config(const struct control *c, struct fs_config *cfg)
{
	const struct opts *o = c->conf.opts;

	*cfg = (struct fs_config){
		.uid = o->have_uid ? o->uid : geteuid(),
		.gid = o->have_gid ? o->gid : getegid(),
		.file_mode = o->file_mode,
		.dir_mode = o->dir_mode,
		.attr_timeout_ns = o->attr_timeout_ns,
		.map = o->map,
		.read_only = o->read_only,
		.rsize = o->rsize < BUF_MAX_IO ? o->rsize : BUF_MAX_IO,
		.wsize = o->wsize < BUF_MAX_IO ? o->wsize : BUF_MAX_IO,
		.subdir = c->conf.src->subdir,
	};
}

static int control_start_fs(struct control *c, struct diag *d)
{
	struct fs_config cfg;
	struct fuse_args args;
	int err;

	control_make_config(c, &cfg);
	kernel_args(c->conf.opts, c->conf.src, &args);
	err = fs_new(NULL, &cfg, &args, c->loop, control_ready, control_gone, c, &c->fs);
	fuse_opt_free_args(&args);
	if (err != 0)
		return diag_set(d, err, "mount.process", "libfuse: %s", strerror(-err));
	err = kernel_mount(fs_session(c->fs), c->conf.opts, c->conf.src, c->conf.target, &c->dev, d);
	if (err != 0)
		return err;
	c->mounted = true;
	chan_io_detach(c->io);
	err = shard_start(c->fs, c->io, &c->tree, control_lost, c, &c->shard);
	if (err != 0) {
		chan_io_attach(c->io, c->loop);
		return diag_set(d, err, "mount.process", "no thread: %s", strerror(-err));
	}
	control_set_state(c, false, "");
	return 0;
}

int control_mount(struct control *c, void (*ready)(void *arg), void *arg, struct diag *d)
{
	struct diag ignored = { 0 };
	int err;

	c->ready = ready;
	c->ready_arg = arg;
	err = control_catch_signals(c, d);
	if (err == 0)
		err = control_start_fs(c, d);
	if (err != 0)
		return err;
	if (admin_new(c, c->loop, c->dev, control_fill, c, &c->admin, &ignored) != 0)
		log_warn("%s: \"smbsecure status\" will not find this mount", ignored.what);
	c->reauth = reauth_new(c, c->loop, c->shard, c->conf.auth, c->conf.pol, c->sess,
			       c->conf.src->fsname);
	return 0;
}

void control_run(struct control *c)
{
	loop_run(c->loop);
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	/* First the mount: the kernel sends what it still holds, and no more comes. */
	if (c->mounted && !c->gone)
		kernel_unmount(c->conf.target->path, c->dev);
	talloc_free(c->admin);
	talloc_free(c->reauth);
	if (c->shard != NULL) {
		c->io = shard_stop(c->shard, FLUSH_MS);
		c->shard = NULL;
		if (chan_io_attach(c->io, c->loop) == 0)
			session_logoff(c->io, LOGOFF_MS);
	} else if (c->sess != NULL) {
		session_logoff(c->io, LOGOFF_MS);
	}
	chan_io_free(c->io);
	fs_free(c->fs);
	sess_put(c->sess);
	if (c->signals.fd >= 0) {
		loop_del(c->loop, &c->signals);
		close(c->signals.fd);
	}
	loop_turn(c->loop, 0);
	loop_free(c->loop);
	talloc_free(c);
}
