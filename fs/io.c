/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read, write, flush, fsync.  handle.h says what may overtake what. */
#include "ops.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "op.h"
#include "reply.h"

/* Smaller payloads are copied: a large buffer is not held for a few bytes. */
#define WRITE_COPY_MAX 32768u
/* A file read while it was opened is given out for so long. */
#define HEAD_MAX_AGE_NS NS_PER_S

/* Of file data programs expect EIO, whatever became of the server. */
static int io_error(const struct op *op, int err)
{
	if (op->lost != 0 || err == -EBADMSG || err == -ENODATA)
		return -EIO;
	return err;
}

static void read_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;
	struct slice data = { 0 };

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_read_decode(pdu, op->asked, &data);
	if (err == 0 || err == -ENODATA)	/* the latter is the end of the file */
		fs_reply_data(op, data);
	else
		fs_reply_err(op, io_error(op, err));
	op_done(r, 0);
}

static void read_parts(struct op *op);

static void read_part_step(struct op *op)
{
	struct slice all = slice_of(op->buf->mem, op->buf->len);

	/* A part that came short is the end of the file. */
	if (op->fr != NULL && op->err[0] == 0 && op->asked == 0 && op->buf->len < op->len)
		read_parts(op);
	else if (op->err[0] != 0)
		op_fail(op, op->err[0]);
	else {
		fs_reply_data(op, all);
		op_end(op);
	}
}

static void read_part_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;
	struct slice data = { 0 };

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_read_decode(pdu, op->asked, &data);
	if (err == -ENODATA)
		err = 0;
	if (err == 0 && data.n != 0)
		memcpy(op->buf->mem + op->buf->len, data.p, data.n);
	if (err == 0) {
		op->buf->len += (uint32_t)data.n;
		op->asked -= (uint32_t)data.n;
	}
	op_done(r, err != 0 ? io_error(op, err) : 0);
}

/* The kernel asks for more than the server gives at a time: one part after the other. */
static void read_parts(struct op *op)
{
	uint64_t left = op->len - op->buf->len;
	struct pkt p;

	op->asked = left < op->sh->max_read ? (uint32_t)left : op->sh->max_read;
	op_begin(op, &p, 0);
	smb_read(&p, op_req(op, read_part_done), &op->h->fid, op->off + op->buf->len, op->asked);
	op_send(op, &p, read_part_step);
}

/* From what came with the open, up to its end once; false if that does not cover it. */
static bool read_head(struct op *op)
{
	struct handle *h = op->h;
	struct buf *b = h->head;
	bool usable;
	size_t left;

	if (b == NULL)
		return false;
	usable = op->off < b->len && loop_now_ns() - h->head_ns < HEAD_MAX_AGE_NS;
	left = usable ? b->len - op->off : 0;
	if (usable)
		fs_reply_data(op, slice_of(b->mem + op->off, op->len < left ? op->len : left));
	if (op->len >= left) {
		buf_free(b);
		h->head = NULL;
	}
	return usable;
}

static void read_go(struct op *op)
{
	struct pkt p;

	if (op->fr == NULL || read_head(op)) {
		op_end(op);
		return;
	}
	if (op->len > op->sh->max_read) {
		op->buf = buf_new(op->sh->pool, op->len);
		read_parts(op);
		return;
	}
	op->asked = (uint32_t)op->len;
	op_begin(op, &p, 0);
	smb_read(&p, op_req(op, read_done), &op->h->fid, op->off, op->asked);
	op_send(op, &p, op_end);
}

void ops_read(fuse_req_t fr, fuse_ino_t ino, size_t len, off_t off, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.read);
	struct node *n;

	(void)ino;
	op->h = handle_get(handle_of(fi));
	op->off = (uint64_t)off;
	op->len = len < BUF_MAX_IO ? len : BUF_MAX_IO;
	n = op->h->node;
	node_wait(op, n, write_overlap(n, op->off, op->len), read_go);
}

static void write_flushed(struct op *op)
{
	write_finish(op, op_error(op) != 0 ? io_error(op, op_error(op)) : 0);
}

static void write_sent(struct op *op)
{
	struct pkt p;

	if (op->err[0] != 0 || !op->h->sync) {
		write_finish(op, op->err[0]);
		return;
	}
	op_begin(op, &p, 0);
	op_flush(op, &p, &op->h->fid);
	op_send(op, &p, write_flushed);
}

static void write_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;
	uint32_t n = 0;

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_write_decode(pdu, (uint32_t)op->len, &n);
	if (err == 0 && n != op->len)
		err = -EIO;
	if (err == 0)
		op->sh->stats.bytes_written += n;
	op_done(r, err != 0 ? io_error(op, err) : 0);
}

static void write_go(struct op *op)
{
	struct req *r;

	op->n_reqs = 0;
	r = op_req(op, write_done);
	op->step = write_sent;
	op->n_open = 1;
	smb_write(r, op->buf, op->sh->tree.id, &op->h->fid, op->off);
	op->buf = NULL;
	chan_submit(op->sh->chan, r);
}

/* The payload where it arrived, with the headroom of smb_write(), or a copy of a small one. */
static struct buf *write_buf(struct shard *sh, const char *data, size_t len)
{
	struct buf *b = sh->cur_buf;

	if (len > WRITE_COPY_MAX) {
		assert((const uint8_t *)data == b->mem + BUF_FUSE_OFF + BUF_FUSE_HDRS);
		sh->cur_buf = NULL;
		b->off = BUF_FUSE_OFF + BUF_FUSE_HDRS;
	} else {
		b = buf_new(sh->pool, SMB_WRITE_HEADROOM + len);
		b->off = SMB_WRITE_HEADROOM;
		memcpy(buf_data(b), data, len);
	}
	b->len = (uint32_t)len;
	return b;
}

void ops_write(fuse_req_t fr, fuse_ino_t ino, const char *data, size_t len, off_t off,
	       struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.write);
	struct handle *h = handle_of(fi);
	int err = handle_take_error(h, false);

	(void)ino;
	if (err == 0 && !h->can_write)
		err = -EBADF;
	if (err != 0) {
		op_fail(op, err);
		return;
	}
	op->keep = true;
	op->h = handle_get(h);
	op->node = node_get(sh->fs->itab, h->node);
	op->off = (uint64_t)off;
	op->len = len;
	op->buf = write_buf(sh, data, len);
	write_begin(op, write_go);
}

/* An error is kept as long as nobody is there to hear it. */
static int io_take_error(struct op *op, bool others_too)
{
	return op->fr != NULL ? handle_take_error(op->h, others_too) : 0;
}

static void flush_go(struct op *op)
{
	op_fail(op, io_take_error(op, false));
}

void ops_flush(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.flush);

	(void)ino;
	op->h = handle_get(handle_of(fi));
	if (op->h->can_write)
		node_settle(op, op->h->node, flush_go);
	else
		op_fail(op, 0);
}

static void fsync_done(struct op *op)
{
	int deferred = io_take_error(op, true);
	int err = op_error(op) != 0 ? io_error(op, op_error(op)) : 0;

	op_fail(op, deferred != 0 ? deferred : err);
}

/* SMB lets flush only who may write: through another handle, if need be. */
static void fsync_go(struct op *op)
{
	struct handle *h = op->h;
	struct pkt p;

	if (!h->can_write)
		h = handle_any(h->node, true);
	if (h == NULL || op->fr == NULL) {
		op_fail(op, io_take_error(op, true));
		return;
	}
	op_begin(op, &p, 0);
	op_flush(op, &p, &h->fid);
	op_send(op, &p, fsync_done);
}

void ops_fsync(fuse_req_t fr, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.fsync);

	(void)ino;
	(void)datasync;
	op->keep = true;
	op->h = handle_get(handle_of(fi));
	node_settle(op, op->h->node, fsync_go);
}
