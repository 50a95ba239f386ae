/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shard.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "op.h"

static _Thread_local struct shard *shard_own;

struct shard *shard_self(void)
{
	return shard_own;
}

struct told {
	struct msg msg;
	void (*fn)(void *arg);
	void *arg;
};

static void told_run(struct msg *m)
{
	struct told *t = container_of(m, struct told, msg);

	t->fn(t->arg);
	free(t);
}

void fs_tell_control(struct fs *f, void (*fn)(void *arg), void *arg)
{
	struct told *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	t->msg.run = told_run;
	t->fn = fn;
	t->arg = arg;
	loop_post(f->control, &t->msg);
}

int fs_new(TALLOC_CTX *mem, const struct fs_config *cfg, struct fuse_args *args,
	   struct loop *control, void (*on_ready)(void *arg), void (*on_gone)(void *arg),
	   void *arg, struct fs **out)
{
	struct fs *f = talloc_zero(mem, struct fs);
	uint64_t silly;

	if (f == NULL)
		return -ENOMEM;
	f->cfg = *cfg;
	f->cfg.subdir = talloc_strdup(f, cfg->subdir);
	f->control = control;
	f->on_ready = on_ready;
	f->on_gone = on_gone;
	f->arg = arg;
	if (f->cfg.subdir == NULL || getrandom(&silly, sizeof(silly), 0) != sizeof(silly)) {
		talloc_free(f);
		return -ENOMEM;
	}
	f->next_silly = silly;
	f->se = fuse_session_new(args, &fs_ops, sizeof(fs_ops), f);
	if (f->se == NULL) {
		talloc_free(f);
		return -EINVAL;
	}
	f->itab = itab_new();
	pthread_mutex_init(&f->status_lock, NULL);
	*out = f;
	return 0;
}

static void fs_drop_node(struct node *n, void *arg)
{
	(void)arg;
	handle_drop_all(n);
}

void fs_free(struct fs *f)
{
	if (f == NULL)
		return;
	fuse_session_destroy(f->se);
	itab_free(f->itab, fs_drop_node, NULL);
	pthread_mutex_destroy(&f->status_lock);
	free(f->status);
	talloc_free(f);
}

struct fuse_session *fs_session(struct fs *f)
{
	return f->se;
}

void fs_set_status(struct fs *f, const char *text)
{
	char *copy = strdup(text), *old;

	if (copy == NULL)
		abort();
	pthread_mutex_lock(&f->status_lock);
	old = f->status;
	f->status = copy;
	pthread_mutex_unlock(&f->status_lock);
	free(old);
}

int shard_path(struct shard *sh, const struct node *n, const char *name, unsigned int slot,
	       struct slice *out)
{
	int len;

	len = node_path(sh->fs->itab, n, sh->fs->cfg.subdir, name, sh->path8, sizeof(sh->path8));
	if (len >= 0)
		len = utf16_from_path(sh->path8, (size_t)len, sh->fs->cfg.map, sh->path16[slot],
				      sizeof(sh->path16[slot]));
	if (len < 0)
		return len;
	*out = slice_of(sh->path16[slot], (size_t)len);
	return 0;
}

static void shard_lost(void *arg)
{
	struct shard *sh = arg;

	if (sh->on_lost != NULL)
		fs_tell_control(sh->fs, sh->on_lost, sh->lost_arg);
}

static void *shard_main(void *arg)
{
	struct shard *sh = arg;

	shard_own = sh;
	loop_run(sh->loop);
	/* The buffers of open files belong to the channel's pool, which leaves. */
	itab_each(sh->fs->itab, fs_drop_node, NULL);
	dev_stop(sh);
	chan_io_on_lost(sh->io, NULL, NULL);
	chan_io_detach(sh->io);
	return NULL;
}

static uint32_t shard_limit(uint32_t server, uint32_t option)
{
	uint32_t n = server < BUF_MAX_IO ? server : BUF_MAX_IO;

	return option != 0 && option < n ? option : n;
}

static void shard_free(struct shard *sh)
{
	struct op *op;

	while ((op = sh->free_ops) != NULL) {
		sh->free_ops = op->next;
		free(op);
	}
	loop_free(sh->loop);
	free(sh);
}

/* Signals are the control thread's. */
static int shard_spawn(struct shard *sh)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&sh->thread, NULL, shard_main, sh);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int shard_start(struct fs *f, struct chan_io *io, const struct tree *tree,
		void (*on_lost)(void *arg), void *arg, struct shard **out)
{
	struct shard *sh = calloc(1, sizeof(*sh));
	const struct sess *s = chan_sess(chan_io_chan(io));
	int err;

	if (sh == NULL)
		return -ENOMEM;
	sh->fs = f;
	sh->io = io;
	sh->chan = chan_io_chan(io);
	sh->pool = chan_io_pool(io);
	sh->tree = *tree;
	sh->max_read = shard_limit(s->max_read, f->cfg.rsize);
	sh->max_write = shard_limit(s->max_write, f->cfg.wsize);
	sh->max_transact = shard_limit(s->max_transact, 0);
	sh->on_lost = on_lost;
	sh->lost_arg = arg;
	sh->write_last = &sh->write_first;
	err = loop_new(&sh->loop);
	if (err != 0) {
		free(sh);
		return err;
	}
	chan_io_on_lost(io, shard_lost, sh);
	err = chan_io_attach(io, sh->loop);
	if (err == 0)
		err = dev_start(sh);
	if (err == 0)
		err = shard_spawn(sh);
	if (err != 0) {
		dev_stop(sh);
		chan_io_on_lost(io, NULL, NULL);
		chan_io_detach(io);
		shard_free(sh);
		return err;
	}
	*out = sh;
	return 0;
}

struct call {
	struct msg msg;
	struct shard *sh;
	void (*fn)(struct shard *s, void *arg);
	void *arg;
	sem_t done;
};

static void call_run(struct msg *m)
{
	struct call *c = container_of(m, struct call, msg);

	c->fn(c->sh, c->arg);
	sem_post(&c->done);
}

void shard_call(struct shard *s, void (*fn)(struct shard *s, void *arg), void *arg)
{
	struct call c = { .msg.run = call_run, .sh = s, .fn = fn, .arg = arg };

	sem_init(&c.done, 0, 0);
	loop_post(s->loop, &c.msg);
	while (sem_wait(&c.done) != 0)
		;
	sem_destroy(&c.done);
}

void shard_op_ended(struct shard *sh)
{
	sh->n_ops--;
	if (sh->stopping && sh->n_ops == 0)
		loop_stop(sh->loop);
}

/*
 * What the server did not answer in time it never will, as far as we are
 * concerned.  The loop ends with the last operation: some have another step.
 */
static void shard_stop_late(struct timer *t)
{
	struct shard *sh = container_of(t, struct shard, stop_timer);

	log_warn("%u operations were still under way at the end", sh->n_ops);
	chan_fail(sh->chan, -ETIMEDOUT);
}

static void shard_stop_begin(struct shard *sh, void *arg)
{
	const unsigned int *timeout_ms = arg;

	dev_stop(sh);
	sh->stopping = true;
	sh->stop_timer.fire = shard_stop_late;
	loop_timer_set(sh->loop, &sh->stop_timer, loop_now_ns() + *timeout_ms * NS_PER_MS);
	if (sh->n_ops == 0)
		loop_stop(sh->loop);
}

struct chan_io *shard_stop(struct shard *s, unsigned int timeout_ms)
{
	struct chan_io *io = s->io;

	shard_call(s, shard_stop_begin, &timeout_ms);
	pthread_join(s->thread, NULL);
	shard_free(s);
	return io;
}

struct chan_io *shard_io(struct shard *s)
{
	return s->io;
}

struct loop *shard_loop(struct shard *s)
{
	return s->loop;
}

const struct fs_stats *shard_stats(struct shard *s)
{
	s->stats.nodes = itab_count(s->fs->itab);
	return &s->stats;
}
