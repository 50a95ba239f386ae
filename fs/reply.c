/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reply.h"

#include <errno.h>
#include <string.h>

#include "attr.h"

/* Whoever answers takes the request out of the operation: NULL when it was answered before. */
static fuse_req_t reply_take(struct op *op)
{
	fuse_req_t fr = op->fr;

	op->fr = NULL;
	loop_timer_del(op->sh->loop, &op->give_up);
	return fr;
}

int fs_reply_err(struct op *op, int err)
{
	fuse_req_t fr = reply_take(op);

	if (err != 0 && err != -ENOENT)
		op->sh->stats.errors++;
	return fr == NULL ? -ENOENT : fuse_reply_err(fr, -err);
}

void fs_reply_none(fuse_req_t fr)
{
	fuse_reply_none(fr);
}

void entry_fill(struct fs *f, const struct node *n, const struct smb_attr *a, uint64_t age_ns,
		struct fuse_entry_param *e)
{
	uint64_t left = age_ns < f->cfg.attr_timeout_ns ? f->cfg.attr_timeout_ns - age_ns : 0;

	*e = (struct fuse_entry_param){
		.ino = n->id,
		.attr_timeout = (double)left / NS_PER_S,
		.entry_timeout = (double)left / NS_PER_S,
	};
	attr_to_stat(&f->cfg, a, n->id, &e->attr);
}

/*
 * The lookup is counted before the kernel hears of it, because its FORGET may
 * come through another shard.
 */
static int reply_node(struct op *op, struct node *n, struct fuse_file_info *fi)
{
	fuse_req_t fr = reply_take(op);
	struct fs *f = op->sh->fs;
	struct fuse_entry_param e;
	int err;

	if (fr == NULL)
		return -ENOENT;
	entry_fill(f, n, &op->attr, 0, &e);
	node_told(n, &op->attr, op->as_of);
	node_remember(f->itab, n);
	err = fi != NULL ? fuse_reply_create(fr, &e, fi) : fuse_reply_entry(fr, &e);
	if (err != 0)
		itab_forget(f->itab, n->id, 1);
	return err;
}

int fs_reply_entry(struct op *op, struct node *n)
{
	return reply_node(op, n, NULL);
}

int fs_reply_create(struct op *op, struct node *n, struct fuse_file_info *fi)
{
	return reply_node(op, n, fi);
}

int fs_reply_attr(struct op *op, struct node *n, uint64_t timeout_ns)
{
	fuse_req_t fr = reply_take(op);
	const struct fs_config *cfg = &op->sh->fs->cfg;
	struct stat st;

	if (fr == NULL)
		return -ENOENT;
	node_told(n, &op->attr, op->as_of);
	attr_to_stat(cfg, &op->attr, n->id, &st);
	return fuse_reply_attr(fr, &st, (double)timeout_ns / NS_PER_S);
}

int fs_reply_open(struct op *op, const struct fuse_file_info *fi)
{
	fuse_req_t fr = reply_take(op);

	return fr == NULL ? -ENOENT : fuse_reply_open(fr, fi);
}

int fs_reply_data(struct op *op, struct slice data)
{
	op->sh->stats.bytes_read += data.n;
	return fs_reply_buf(op, data.p, data.n);
}

int fs_reply_write(struct op *op, size_t n)
{
	fuse_req_t fr = reply_take(op);

	return fr == NULL ? -ENOENT : fuse_reply_write(fr, n);
}

int fs_reply_statfs(struct op *op, const struct statvfs *st)
{
	fuse_req_t fr = reply_take(op);

	return fr == NULL ? -ENOENT : fuse_reply_statfs(fr, st);
}

int fs_reply_buf(struct op *op, const void *p, size_t n)
{
	fuse_req_t fr = reply_take(op);

	return fr == NULL ? -ENOENT : fuse_reply_buf(fr, p, n);
}

int fs_reply_xattr_len(struct op *op, size_t n)
{
	fuse_req_t fr = reply_take(op);

	return fr == NULL ? -ENOENT : fuse_reply_xattr(fr, n);
}
