/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order of operations on one file, with doubles for the kernel (the
 * functions of reply.h) and for the server (write_finish() says what it said).
 */
#include "../../fs/op.h"

#include <errno.h>
#include <stdlib.h>

#include "../../fs/reply.h"
#include "check.h"

/* What the kernel was answered: by request, a count or a negative errno. */
static int answers[64];
static bool answered[64];

static int reply(struct op *op, int what)
{
	size_t id = (size_t)(uintptr_t)op->fr;

	if (op->fr == NULL)
		return -ENOENT;
	CHECK(!answered[id]);
	answered[id] = true;
	answers[id] = what;
	op->fr = NULL;
	return 0;
}

int fs_reply_err(struct op *op, int err)
{
	return reply(op, err);
}

int fs_reply_write(struct op *op, size_t n)
{
	return reply(op, (int)n);
}

int fs_reply_data(struct op *op, struct slice data)
{
	return reply(op, (int)data.n);
}

int fs_reply_buf(struct op *op, const void *p, size_t n)
{
	(void)p;
	return reply(op, (int)n);
}

int fs_reply_xattr_len(struct op *op, size_t n)
{
	return reply(op, (int)n);
}

void fs_reply_none(fuse_req_t fr)
{
	(void)fr;
}

int fs_reply_entry(struct op *op, struct node *n)
{
	(void)n;
	return reply(op, 0);
}

int fs_reply_create(struct op *op, struct node *n, struct fuse_file_info *fi)
{
	(void)n;
	(void)fi;
	return reply(op, 0);
}

int fs_reply_attr(struct op *op, struct node *n, uint64_t timeout_ns)
{
	(void)n;
	(void)timeout_ns;
	return reply(op, 0);
}

int fs_reply_open(struct op *op, const struct fuse_file_info *fi)
{
	(void)fi;
	return reply(op, 0);
}

int fs_reply_statfs(struct op *op, const struct statvfs *st)
{
	(void)st;
	return reply(op, 0);
}

void entry_fill(struct fs *f, const struct node *n, const struct smb_attr *a, uint64_t age_ns,
		struct fuse_entry_param *e)
{
	(void)f;
	(void)n;
	(void)a;
	(void)age_ns;
	(void)e;
}

/* libfuse's: there is no kernel that could interrupt. */
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
	(void)req;
	(void)func;
	(void)data;
}

struct rig {
	struct fs fs;
	struct shard sh;
	struct node *n;
	struct handle *h, *other;
};

/* The operations whose turn has come, in that order. */
static struct op *went[64];
static size_t n_went;

static void go(struct op *op)
{
	went[n_went++] = op;
}

static void kick(void *arg)
{
	(void)arg;
}

static struct rig *rig_new(void)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct smb_fid fid = { 1, 2 };
	struct node *root;

	memset(answered, 0, sizeof(answered));
	n_went = 0;
	g->fs.itab = itab_new();
	g->sh.fs = &g->fs;
	g->sh.pool = bufpool_new();
	g->sh.chan = chan_new(g->sh.pool, 0, 100, kick, NULL);
	g->sh.write_last = &g->sh.write_first;
	CHECK(loop_new(&g->sh.loop) == 0);
	root = itab_find(g->fs.itab, INODE_ROOT);
	g->n = itab_enter(g->fs.itab, root, "file", 7, false);
	node_put(g->fs.itab, root);
	g->h = handle_new(&g->sh, g->n, &fid);
	g->other = handle_new(&g->sh, g->n, &fid);
	g->h->can_write = g->other->can_write = true;
	return g;
}

static void no_node(struct node *n, void *arg)
{
	(void)n;
	(void)arg;
}

static void rig_free(struct rig *g)
{
	struct op *op;

	handle_put(&g->sh, g->h);
	handle_put(&g->sh, g->other);
	node_put(g->fs.itab, g->n);
	chan_free(g->sh.chan);
	CHECK(g->sh.n_ops == 0);
	CHECK(itab_count(g->fs.itab) == 1);
	while ((op = g->sh.free_ops) != NULL) {
		g->sh.free_ops = op->next;
		free(op);
	}
	itab_free(g->fs.itab, no_node, NULL);
	bufpool_free(g->sh.pool);
	loop_free(g->sh.loop);
	free(g);
}

static struct op *request(struct rig *g, size_t id)
{
	return op_new(&g->sh, (fuse_req_t)(uintptr_t)id, NULL);
}

static struct op *begin_write(struct rig *g, size_t id, uint64_t off, uint64_t len)
{
	struct op *op = request(g, id);

	op->h = handle_get(g->h);
	op->node = node_get(g->fs.itab, g->n);
	op->off = off;
	op->len = len;
	write_begin(op, go);
	return op;
}

static void a_write_is_answered_ahead_of_the_server(void)
{
	struct rig *g = rig_new();
	struct op *w = begin_write(g, 1, 0, 100);

	CHECK(n_went == 1 && answered[1] && answers[1] == 100);
	write_finish(w, 0);
	CHECK(g->h->n_ahead == 0 && g->h->ahead_bytes == 0 && g->sh.write_bytes == 0);
	rig_free(g);
}

static void a_synchronous_write_is_answered_by_the_server(void)
{
	struct rig *g = rig_new();
	struct op *w;

	g->h->sync = true;
	w = begin_write(g, 1, 0, 100);
	CHECK(n_went == 1 && !answered[1]);
	write_finish(w, 0);
	CHECK(answered[1] && answers[1] == 100);
	rig_free(g);
}

static void writes_side_by_side_do_not_wait(void)
{
	struct rig *g = rig_new();
	struct op *a = begin_write(g, 1, 0, 100), *b = begin_write(g, 2, 100, 100);

	CHECK(n_went == 2);
	write_finish(b, 0);
	write_finish(a, 0);
	rig_free(g);
}

static void overlapping_writes_go_one_after_the_other(void)
{
	struct rig *g = rig_new();
	struct op *a = begin_write(g, 1, 0, 100);
	struct op *b = begin_write(g, 2, 99, 100);
	struct op *c = begin_write(g, 3, 150, 10);	/* overlaps the one that waits */
	struct op *d = begin_write(g, 4, 300, 10);

	CHECK(n_went == 2 && went[0] == a && went[1] == d);
	write_finish(d, 0);
	CHECK(n_went == 2);
	write_finish(a, 0);
	CHECK(n_went == 3 && went[2] == b);
	write_finish(b, 0);
	CHECK(n_went == 4 && went[3] == c);
	write_finish(c, 0);
	CHECK(answered[1] && answered[2] && answered[3] && answered[4]);
	rig_free(g);
}

static void a_read_waits_for_what_it_overlaps(void)
{
	struct rig *g = rig_new();
	struct op *a = begin_write(g, 1, 0, 100), *b = begin_write(g, 2, 1000, 100);
	struct op *beside = request(g, 3), *over = request(g, 4);

	node_wait(beside, g->n, write_overlap(g->n, 100, 900), go);
	node_wait(over, g->n, write_overlap(g->n, 99, 1), go);
	CHECK(n_went == 3 && went[2] == beside);
	write_finish(a, 0);
	CHECK(n_went == 4 && went[3] == over);
	write_finish(b, 0);
	op_fail(beside, 0);
	op_fail(over, 0);
	rig_free(g);
}

static void settling_waits_for_what_was_begun_before(void)
{
	struct rig *g = rig_new();
	struct op *a = begin_write(g, 1, 0, 10), *b = begin_write(g, 2, 10, 10), *c;
	struct op *s = request(g, 3);

	node_settle(s, g->n, go);
	c = begin_write(g, 4, 20, 10);
	write_finish(b, 0);
	CHECK(n_went == 3);
	write_finish(a, 0);
	CHECK(n_went == 4 && went[3] == s);
	write_finish(c, 0);
	op_fail(s, 0);
	rig_free(g);
}

static void settling_without_writes_does_not_wait(void)
{
	struct rig *g = rig_new();
	struct op *s = request(g, 1);

	write_finish(begin_write(g, 2, 0, 10), 0);
	node_settle(s, g->n, go);
	CHECK(n_went == 2 && went[1] == s);
	op_fail(s, 0);
	rig_free(g);
}

static void too_many_writes_wait_for_their_answer(void)
{
	struct rig *g = rig_new();
	struct op *w[HANDLE_AHEAD_MAX + 2];

	for (size_t i = 0; i < HANDLE_AHEAD_MAX + 2; i++)
		w[i] = begin_write(g, i + 1, i * 10, 10);
	CHECK(answered[HANDLE_AHEAD_MAX] && !answered[HANDLE_AHEAD_MAX + 1] &&
	      !answered[HANDLE_AHEAD_MAX + 2]);
	CHECK(n_went == HANDLE_AHEAD_MAX + 2);
	write_finish(w[5], 0);
	CHECK(!answered[HANDLE_AHEAD_MAX + 1]);
	write_finish(w[6], 0);
	CHECK(answered[HANDLE_AHEAD_MAX + 1] && answered[HANDLE_AHEAD_MAX + 2]);
	for (size_t i = 0; i < HANDLE_AHEAD_MAX + 2; i++) {
		if (i != 5 && i != 6)
			write_finish(w[i], 0);
	}
	rig_free(g);
}

static void too_many_bytes_wait_for_their_answer(void)
{
	struct rig *g = rig_new();
	struct op *a = begin_write(g, 1, 0, HANDLE_AHEAD_BYTES);
	struct op *b = begin_write(g, 2, HANDLE_AHEAD_BYTES, 1);

	CHECK(answered[1] && !answered[2]);
	write_finish(a, 0);
	CHECK(answered[2] && answers[2] == 1);
	write_finish(b, 0);
	rig_free(g);
}

static void a_late_error_is_reported_once(void)
{
	struct rig *g = rig_new();

	write_finish(begin_write(g, 1, 0, 10), -ENOSPC);
	write_finish(begin_write(g, 2, 0, 10), -EIO);
	CHECK(answers[1] == 10 && answers[2] == 10);
	CHECK(handle_take_error(g->h, false) == -ENOSPC);
	CHECK(handle_take_error(g->h, true) == 0);
	/* Only fsync tells the others. */
	CHECK(handle_take_error(g->other, false) == 0);
	CHECK(handle_take_error(g->other, true) == -ENOSPC);
	CHECK(handle_take_error(g->other, true) == 0);
	rig_free(g);
}

static void an_error_in_time_is_not_reported_again(void)
{
	struct rig *g = rig_new();
	struct op *w;

	g->h->sync = true;
	w = begin_write(g, 1, 0, 10);
	write_finish(w, -EDQUOT);
	CHECK(answers[1] == -EDQUOT);
	CHECK(handle_take_error(g->h, true) == 0);
	CHECK(handle_take_error(g->other, true) == -EDQUOT);
	rig_free(g);
}

static void the_error_of_an_interrupted_write_is_kept(void)
{
	struct rig *g = rig_new();
	struct op *w;

	g->h->sync = true;
	w = begin_write(g, 1, 0, 10);
	fs_reply_err(w, -EINTR);
	write_finish(w, -EIO);
	CHECK(answers[1] == -EINTR);
	CHECK(handle_take_error(g->h, false) == -EIO);
	rig_free(g);
}

static void an_mtime_stays_unless_there_was_a_write_since(void)
{
	struct rig *g = rig_new();
	struct op *w = begin_write(g, 1, 0, 10);
	uint64_t as_of = g->n->write_seq;

	write_finish(w, 0);
	handle_pin_mtime(g->n, as_of, 1234);
	CHECK(g->h->pin_mtime == 1234 && g->other->pin_mtime == 0);
	w = begin_write(g, 2, 0, 10);
	CHECK(g->h->pin_mtime == 0);
	write_finish(w, 0);
	handle_pin_mtime(g->n, as_of, 1234);
	CHECK(g->h->pin_mtime == 0);
	rig_free(g);
}

int main(void)
{
	RUN(a_write_is_answered_ahead_of_the_server);
	RUN(a_synchronous_write_is_answered_by_the_server);
	RUN(writes_side_by_side_do_not_wait);
	RUN(overlapping_writes_go_one_after_the_other);
	RUN(a_read_waits_for_what_it_overlaps);
	RUN(settling_waits_for_what_was_begun_before);
	RUN(settling_without_writes_does_not_wait);
	RUN(too_many_writes_wait_for_their_answer);
	RUN(too_many_bytes_wait_for_their_answer);
	RUN(a_late_error_is_reported_once);
	RUN(an_error_in_time_is_not_reported_again);
	RUN(the_error_of_an_interrupted_write_is_kept);
	RUN(an_mtime_stays_unless_there_was_a_write_since);
	return DONE();
}
