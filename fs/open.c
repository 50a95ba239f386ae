/* SPDX-License-Identifier: GPL-3.0-or-later */
/* open, create, mknod of a regular file, release. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "attr.h"
#include "op.h"
#include "reply.h"

/*
 * A small file is read while it is opened: most are read whole, at once, and
 * the answer fits beside that of CREATE.
 */
#define OPEN_HEAD_MAX 65536u

static uint32_t open_access(int flags)
{
	const uint32_t rd = FILE_READ_DATA | FILE_READ_ATTRIBUTES;
	const uint32_t wr = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_ATTRIBUTES |
			    FILE_READ_ATTRIBUTES;

	switch (flags & O_ACCMODE) {
	case O_WRONLY:
		return wr;
	case O_RDWR:
		return rd | wr;
	default:
		return flags & O_TRUNC ? rd | FILE_WRITE_DATA : rd;
	}
}

static struct handle *open_handle(struct op *op)
{
	struct handle *h = handle_new(op->sh, op->node, &op->made.fid);

	h->can_write = (op->flags & O_ACCMODE) != O_RDONLY;
	h->sync = (op->flags & O_DSYNC) != 0;
	return h;
}

/* Nobody will use the file that the first element opened. */
static void open_undo(struct op *op)
{
	if (op->err[0] == 0)
		handle_close_fid(op->sh, &op->made.fid, 0);
}

static void open_head_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;
	struct slice data;

	/* No more than a hint, so no error either: the read will have its own. */
	if (op_status(r, err, status) == 0 && smb_read_decode(pdu, op->asked, &data) == 0 &&
	    data.n != 0) {
		op->buf = buf_new(op->sh->pool, data.n);
		op->buf->len = (uint32_t)data.n;
		memcpy(op->buf->mem, data.p, data.n);
	}
	op_done(r, 0);
}

/*
 * Close-to-open: what the kernel believes about the file may be as old as the
 * attribute timeout, and it would read no further than the size it knows.  Of
 * an inode that is being opened the kernel holds a reference, and an attribute
 * invalidation takes no lock that a request could hold: this cannot block.
 */
static void open_revalidate(struct op *op)
{
	struct node *n = op->node;

	if (n->attr.size != op->attr.size || n->attr.mtime != op->attr.mtime ||
	    n->attr.ctime != op->attr.ctime)
		fuse_lowlevel_notify_inval_inode(op->sh->fs->se, n->id, -1, 0);
	node_told(n, &op->attr, op->as_of);
}

static void open_done(struct op *op)
{
	struct fuse_file_info fi = { .flags = op->flags };
	struct node *n = op->node;
	int err = op_error_node(op);
	struct handle *h;

	n->n_opening--;
	if (op->truncate)
		node_changed(n);
	if (err == 0 && n->file_id != 0 && op->attr.file_id != 0 &&
	    n->file_id != op->attr.file_id) {
		itab_unlink(op->sh->fs->itab, n);
		err = -ESTALE;
	}
	if (err != 0) {
		open_undo(op);
		op_fail(op, err);
		return;
	}
	open_revalidate(op);
	h = open_handle(op);
	if (op->buf != NULL && op->buf->len == op->attr.size) {
		h->head = op->buf;
		h->head_ns = loop_now_ns();
		op->buf = NULL;
	}
	fi.fh = (uintptr_t)h;
	if (fs_reply_open(op, &fi) != 0)
		handle_put(op->sh, h);
	op_end(op);
}

static void open_go(struct op *op)
{
	struct node *n = op->node;
	struct slice path;
	struct pkt p;
	int err;

	if (op->fr == NULL) {
		op_end(op);
		return;
	}
	err = n->hidden ? -ESTALE : shard_path(op->sh, n, NULL, 0, &path);
	if (err != 0) {
		op_fail(op, err);
		return;
	}
	op->as_of = n->write_first == NULL ? n->write_seq : NODE_UNSETTLED;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, open_access(op->flags), 0, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
	if (op->truncate) {
		handle_drop_heads(n);
		op_set_eof(op, &p, NULL, 0);
	}
	op_query_all(op, &p, NULL);
	if ((op->flags & O_ACCMODE) == O_RDONLY && !op->truncate && n->attr.size > 0 &&
	    n->attr.size <= OPEN_HEAD_MAX && n->write_first == NULL) {
		op->asked = (uint32_t)n->attr.size;
		smb_read(&p, op_req(op, open_head_done), NULL, 0, op->asked);
	}
	n->n_opening++;
	op_send(op, &p, open_done);
}

void ops_open(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.open);

	op->flags = fi->flags;
	op->truncate = (fi->flags & O_TRUNC) != 0;
	op->keep = op->truncate;
	if (!op_set_node(op, &op->node, ino))
		return;
	if (op->truncate)
		node_settle(op, op->node, open_go);
	else
		open_go(op);
}

static void create_done(struct op *op)
{
	struct fuse_file_info fi = { .flags = op->flags };
	int err = op_error_new(op);
	struct handle *h;

	if (err == 0 && attr_is_dir(&op->attr))
		err = -EISDIR;
	if (err != 0) {
		open_undo(op);
		op_fail(op, err);
		return;
	}
	node_put(op->sh->fs->itab, op->node);
	op->node = itab_enter(op->sh->fs->itab, op->parent, op->name, op->attr.file_id, false);
	node_changed(op->node);
	node_changed(op->parent);
	h = open_handle(op);
	fi.fh = (uintptr_t)h;
	if (fs_reply_create(op, op->node, &fi) != 0)
		handle_put(op->sh, h);
	op_end(op);
}

static void mknod_done(struct op *op)
{
	int err = op_error_new(op);

	if (err != 0) {
		op_fail(op, err);
		return;
	}
	op->node = itab_enter(op->sh->fs->itab, op->parent, op->name, op->attr.file_id, false);
	node_changed(op->parent);
	fs_reply_entry(op, op->node);
	op_end(op);
}

static void create_go(struct op *op)
{
	struct slice path;
	struct pkt p;

	if (op->fr == NULL) {
		op_end(op);
		return;
	}
	if (!op_path(op, op->parent, op->name, &path))
		return;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, open_access(op->flags),
		  op->basic.attributes, op->flags & O_EXCL ? FILE_CREATE : FILE_OPEN_IF,
		  FILE_NON_DIRECTORY_FILE);
	if (op->truncate)
		op_set_eof(op, &p, NULL, 0);
	if (op->node != NULL) {
		handle_drop_heads(op->node);
		op->as_of = op->node->write_seq;
	}
	op_query_all(op, &p, NULL);
	op_send(op, &p, create_done);
}

void ops_create(fuse_req_t fr, fuse_ino_t parent, const char *name, mode_t mode,
		struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.create);

	op->flags = fi->flags;
	op->truncate = (fi->flags & (O_TRUNC | O_EXCL)) == O_TRUNC;
	op->basic.attributes = mode & S_IWUSR ? FILE_ATTRIBUTE_NORMAL : FILE_ATTRIBUTE_READONLY;
	if (!op_set_node(op, &op->parent, parent) || !op_set_name(op, op->name, name))
		return;
	op->node = itab_lookup(sh->fs->itab, op->parent, name);
	if (op->node != NULL)
		node_settle(op, op->node, create_go);
	else
		create_go(op);
}

void ops_mknod(fuse_req_t fr, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, NULL);
	struct slice path;
	struct pkt p;

	(void)dev;
	if (!S_ISREG(mode)) {
		op_fail(op, -EPERM);
		return;
	}
	if (!op_set_node(op, &op->parent, parent) || !op_set_name(op, op->name, name))
		return;
	if (!op_path(op, op->parent, op->name, &path))
		return;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, FILE_READ_ATTRIBUTES,
		  mode & S_IWUSR ? FILE_ATTRIBUTE_NORMAL : FILE_ATTRIBUTE_READONLY, FILE_CREATE,
		  FILE_NON_DIRECTORY_FILE);
	op_query_all(op, &p, NULL);
	op_close(op, &p);
	op_send(op, &p, mknod_done);
}

/* The last reference closes: writes in flight have their own. */
void ops_release(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct handle *h = handle_of(fi);
	uint64_t *counter = h->scan != NULL ? &sh->stats.releasedir : &sh->stats.release;
	struct op *op = op_new(sh, fr, counter);

	(void)ino;
	handle_put(sh, h);
	op_fail(op, 0);
}
