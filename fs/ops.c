/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "op.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ntstatus.h"
#include "ops.h"
#include "reply.h"
#include "scan.h"

/*
 * How long an interrupted request may still wait for its answer.  The kernel
 * tells us of every signal, also of those whose handler wants nothing but to
 * count; programs do not expect EINTR from a file, so a server that answers in
 * time spares them.  Those who are to die, die within a second.
 */
#define OP_GRACE_NS (500 * NS_PER_MS)

static void op_give_up(struct timer *t)
{
	struct op *op = container_of(t, struct op, give_up);

	fs_reply_err(op, -EINTR);
	for (unsigned int i = 0; i < op->n_reqs && !op->keep; i++)
		chan_cancel(op->sh->chan, &op->r[i]);
}

/* Nothing is answered here: libfuse holds a lock of the request. */
static void op_interrupted(fuse_req_t fr, void *data)
{
	struct op *op = data;

	(void)fr;
	op->sh->stats.interrupt++;
	if (op->give_up.pos == 0)
		loop_timer_set(op->sh->loop, &op->give_up, loop_now_ns() + OP_GRACE_NS);
}

struct op *op_new(struct shard *sh, fuse_req_t fr, uint64_t *counter)
{
	struct op *op = sh->free_ops;

	if (op != NULL)
		sh->free_ops = op->next;
	else
		op = malloc(sizeof(*op));
	if (op == NULL)
		abort();
	memset(op, 0, offsetof(struct op, name));
	op->sh = sh;
	op->fr = fr;
	op->give_up.fire = op_give_up;
	sh->n_ops++;
	if (counter != NULL)
		(*counter)++;
	if (fr != NULL)
		fuse_req_interrupt_func(fr, op_interrupted, op);
	return op;
}

void op_end(struct op *op)
{
	struct shard *sh = op->sh;
	struct itab *t = sh->fs->itab;

	assert(op->fr == NULL && op->n_open == 0);
	handle_put(sh, op->h);
	node_put(t, op->node);
	node_put(t, op->parent);
	node_put(t, op->to);
	node_put(t, op->victim);
	buf_free(op->buf);
	scan_free(op->scan);
	op->next = sh->free_ops;
	sh->free_ops = op;
	shard_op_ended(sh);
}

void op_fail(struct op *op, int err)
{
	fs_reply_err(op, err);
	op_end(op);
}

bool op_set_node(struct op *op, struct node **field, fuse_ino_t ino)
{
	*field = itab_find(op->sh->fs->itab, ino);
	if (*field == NULL)
		op_fail(op, -ESTALE);
	return *field != NULL;
}

bool op_set_name(struct op *op, char *field, const char *name)
{
	size_t n = strlen(name);

	if (n > OP_NAME_MAX) {
		op_fail(op, -ENAMETOOLONG);
		return false;
	}
	memcpy(field, name, n + 1);
	return true;
}

bool op_path(struct op *op, const struct node *n, const char *name, struct slice *out)
{
	int err = shard_path(op->sh, n, name, 0, out);

	if (err != 0)
		op_fail(op, err);
	return err == 0;
}

void op_begin(struct op *op, struct pkt *p, size_t payload)
{
	op->n_reqs = 0;
	pkt_init(p, op->sh->pool, op->sh->tree.id, payload);
}

void op_send(struct op *op, struct pkt *p, void (*step)(struct op *op))
{
	op->step = step;
	op->n_open = op->n_reqs;
	chan_submit(op->sh->chan, p->head);
}

struct req *op_req(struct op *op, void (*done)(struct req *r, int err, uint32_t status,
					       struct slice pdu))
{
	struct req *r = &op->r[op->n_reqs];

	assert(op->n_reqs < OP_REQS);
	op->err[op->n_reqs] = 0;
	op->status[op->n_reqs] = 0;
	op->n_reqs++;
	r->done = done;
	r->ctx = op;
	return r;
}

int op_status(struct req *r, int err, uint32_t status)
{
	struct op *op = r->ctx;

	if (err != 0) {
		op->lost = err;
		return err;
	}
	op->status[r - op->r] = status;
	return nt_errno(status);
}

void op_done(struct req *r, int err)
{
	struct op *op = r->ctx;

	op->err[r - op->r] = err;
	if (--op->n_open == 0)
		op->step(op);
}

static void op_plain_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	(void)pdu;
	op_done(r, op_status(r, err, status));
}

static void op_create_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_create_decode(pdu, &op->made);
	op_done(r, err);
}

static void op_query_all_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_query_all_decode(pdu, &op->attr);
	op_done(r, err);
}

void op_create(struct op *op, struct pkt *p, struct slice path, uint32_t access,
	       uint32_t attributes, enum smb2_disposition disposition, uint32_t options)
{
	struct smb_create a = {
		.path = path,
		.access = access,
		.attributes = attributes,
		.share = FILE_SHARE_ALL,
		.disposition = disposition,
		.options = options,
	};

	smb_create(p, op_req(op, op_create_done), &a);
}

void op_query_all(struct op *op, struct pkt *p, const struct smb_fid *fid)
{
	smb_query_info(p, op_req(op, op_query_all_done), fid, SMB2_0_INFO_FILE,
		       FILE_ALL_INFORMATION, SMB_ALL_INFO_MAX);
}

void op_close(struct op *op, struct pkt *p)
{
	smb_close(p, op_req(op, op_plain_done), NULL, 0);
}

void op_set_eof(struct op *op, struct pkt *p, const struct smb_fid *fid, uint64_t size)
{
	smb_set_eof(p, op_req(op, op_plain_done), fid, size);
}

void op_set_basic(struct op *op, struct pkt *p, const struct smb_fid *fid)
{
	smb_set_basic(p, op_req(op, op_plain_done), fid, &op->basic);
}

void op_set_delete(struct op *op, struct pkt *p)
{
	smb_set_disposition(p, op_req(op, op_plain_done), NULL, true);
}

void op_set_rename(struct op *op, struct pkt *p, struct slice path, bool replace)
{
	smb_set_rename(p, op_req(op, op_plain_done), NULL, path, replace);
}

void op_flush(struct op *op, struct pkt *p, const struct smb_fid *fid)
{
	smb_flush(p, op_req(op, op_plain_done), fid);
}

/*
 * EBADMSG is ours, for an answer that makes no sense.  ENOSYS and ENOTCONN
 * would make the kernel draw conclusions, ENODATA make no sense to programs.
 */
static int op_errno(const struct op *op, int err)
{
	if (op->lost != 0)
		return -EHOSTDOWN;
	if (err == -EBADMSG || err == -ENOSYS || err == -ENOTCONN || err == -ENODATA)
		return -EIO;
	return err;
}

int op_error(const struct op *op)
{
	for (unsigned int i = 0; i < op->n_reqs; i++) {
		if (op->err[i] != 0)
			return op_errno(op, op->err[i]);
	}
	return 0;
}

bool op_has_status(const struct op *op, uint32_t status)
{
	for (unsigned int i = 0; i < op->n_reqs; i++) {
		if (op->status[i] == status)
			return true;
	}
	return false;
}

int op_error_new(const struct op *op)
{
	return op_has_status(op, STATUS_DELETE_PENDING) ? -EBUSY : op_error(op);
}

int op_error_node(struct op *op)
{
	int err = op_error(op);

	if (err == -ENOENT) {
		itab_unlink(op->sh->fs->itab, op->node);
		err = -ESTALE;
	}
	return err;
}

#define OPS_CAPS                                                                         \
	(FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |           \
	 FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ATOMIC_O_TRUNC |    \
	 FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_AUTO_INVAL_DATA)

/*
 * Everything else is off: splice, because requests are read by dev.c; the
 * write-back cache, because with it the kernel owns sizes and times, and
 * several clients would mix their data.
 */
static void ops_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct shard *sh = shard_self();

	(void)userdata;
	conn->want = conn->capable & OPS_CAPS;
	conn->max_write = sh->max_write & ~4095u;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

/*
 * What is not here libfuse answers with ENOSYS, and the kernel does not ask
 * again: access is checked by the kernel, locks are local, extended attributes
 * cannot be set.
 */
const struct fuse_lowlevel_ops fs_ops = {
	.init = ops_init,
	.lookup = ops_lookup,
	.forget = ops_forget,
	.forget_multi = ops_forget_multi,
	.getattr = ops_getattr,
	.setattr = ops_setattr,
	.mkdir = ops_mkdir,
	.mknod = ops_mknod,
	.symlink = ops_symlink,
	.link = ops_link,
	.unlink = ops_unlink,
	.rmdir = ops_rmdir,
	.rename = ops_rename,
	.open = ops_open,
	.create = ops_create,
	.read = ops_read,
	.write = ops_write,
	.flush = ops_flush,
	.fsync = ops_fsync,
	.release = ops_release,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.readdirplus = ops_readdirplus,
	.releasedir = ops_release,
	.fsyncdir = ops_fsyncdir,
	.statfs = ops_statfs,
	.getxattr = ops_getxattr,
};
