/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "handle.h"

#include <assert.h>
#include <stdlib.h>

#include "op.h"
#include "reply.h"
#include "scan.h"

/* All handles together: what a mount may hold in memory for programs that were told "written". */
#define AHEAD_BYTES_ALL (32u * 1024 * 1024)

struct handle *handle_new(struct shard *sh, struct node *n, const struct smb_fid *fid)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (h == NULL)
		abort();
	h->node = node_get(sh->fs->itab, n);
	h->refs = 1;
	h->fid = *fid;
	h->next = n->handles;
	n->handles = h;
	return h;
}

struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

struct handle *handle_get(struct handle *h)
{
	h->refs++;
	return h;
}

static void handle_free(struct handle *h)
{
	scan_free(h->scan);
	buf_free(h->head);
	free(h);
}

void handle_put(struct shard *sh, struct handle *h)
{
	struct handle **at;

	if (h == NULL || --h->refs > 0)
		return;
	assert(h->n_ahead == 0);
	for (at = &h->node->handles; *at != h; at = &(*at)->next)
		;
	*at = h->next;
	handle_close_fid(sh, &h->fid, h->pin_mtime);
	node_put(sh->fs->itab, h->node);
	handle_free(h);
}

void handle_drop_all(struct node *n)
{
	while (n->handles != NULL) {
		struct handle *h = n->handles;

		n->handles = h->next;
		n->refs--;
		handle_free(h);
	}
}

static void handle_closed(struct req *r, int err, uint32_t status, struct slice pdu)
{
	(void)err;
	(void)status;
	(void)pdu;
	op_done(r, 0);
}

void handle_close_fid(struct shard *sh, const struct smb_fid *fid, uint64_t mtime)
{
	struct op *op = op_new(sh, NULL, NULL);
	struct pkt p;

	op_begin(op, &p, 0);
	if (mtime != 0) {
		op->basic.mtime = mtime;
		op_set_basic(op, &p, fid);
		fid = NULL;
	}
	smb_close(&p, op_req(op, handle_closed), fid, 0);
	op_send(op, &p, op_end);
}

/*
 * What compares times, as git and make do, looks before it closes and must not
 * find another time later.  A write of another client in between would be
 * dated back by this; without a lease there is no telling.
 */
void handle_pin_mtime(struct node *n, uint64_t as_of, uint64_t mtime)
{
	if (n->write_seq != as_of)
		return;
	for (struct handle *h = n->handles; h != NULL; h = h->next) {
		if (h->wrote)
			h->pin_mtime = mtime;
	}
}

void handle_pin_nothing(struct handle *h)
{
	h->wrote = false;
	h->pin_mtime = 0;
}

void node_changed(struct node *n)
{
	n->changed_ns = loop_now_ns();
}

bool node_is_open(const struct node *n)
{
	return n->handles != NULL || n->n_opening > 0;
}

struct handle *handle_any(const struct node *n, bool can_write)
{
	struct handle *h = n->handles;

	while (h != NULL && can_write && !h->can_write)
		h = h->next;
	return h;
}

void handle_drop_heads(struct node *n)
{
	for (struct handle *h = n->handles; h != NULL; h = h->next) {
		buf_free(h->head);
		h->head = NULL;
	}
}

int handle_take_error(struct handle *h, bool others_too)
{
	int err = h->err;

	if (err == 0 && others_too)
		err = h->err_other;
	h->err = 0;
	if (others_too)
		h->err_other = 0;
	return err;
}

bool node_is_busy(const struct node *n)
{
	return n->write_first != NULL || handle_any(n, true) != NULL;
}

static bool node_must_wait(const struct node *n, uint64_t seq)
{
	return n->write_first != NULL && n->write_first->seq <= seq;
}

void node_wait(struct op *op, struct node *n, uint64_t seq, void (*then)(struct op *op))
{
	struct op **at = &n->waiting;

	if (!node_must_wait(n, seq)) {
		then(op);
		return;
	}
	op->wait_seq = seq;
	op->step = then;
	while (*at != NULL)
		at = &(*at)->next;
	op->next = NULL;
	*at = op;
}

void node_settle(struct op *op, struct node *n, void (*then)(struct op *op))
{
	node_wait(op, n, n->write_seq, then);
}

/* Whoever goes on may begin to wait again: that goes behind those who still do. */
static void node_wake(struct node *n)
{
	struct op *list = n->waiting, *op, **kept = &n->waiting;

	n->waiting = NULL;
	while ((op = list) != NULL) {
		list = op->next;
		op->next = NULL;
		if (node_must_wait(n, op->wait_seq)) {
			op->next = *kept;
			*kept = op;
			kept = &op->next;
		} else {
			op->step(op);
		}
	}
}

uint64_t write_overlap(const struct node *n, uint64_t off, uint64_t len)
{
	uint64_t seq = 0;

	for (const struct op *w = n->write_first; w != NULL; w = w->write_next) {
		if (w->off < off + len && off < w->off + w->len)
			seq = w->seq;
	}
	return seq;
}

static bool write_has_room(const struct op *op)
{
	return op->h->ahead_bytes <= HANDLE_AHEAD_BYTES && op->h->n_ahead <= HANDLE_AHEAD_MAX &&
	       op->sh->write_bytes <= AHEAD_BYTES_ALL;
}

static void write_answer_later(struct op *op)
{
	op->early_next = NULL;
	*op->sh->write_last = op;
	op->sh->write_last = &op->early_next;
	op->in_early = true;
}

/* Takes `op` off the list of those to be answered. */
static void write_answer_never(struct op *op)
{
	struct op **at = &op->sh->write_first;

	if (!op->in_early)
		return;
	while (*at != op)
		at = &(*at)->early_next;
	*at = op->early_next;
	if (*at == NULL)
		op->sh->write_last = at;
	op->in_early = false;
}

static void write_answer_waiting(struct shard *sh)
{
	struct op *op, *next;

	for (op = sh->write_first; op != NULL; op = next) {
		next = op->early_next;
		if (write_has_room(op)) {
			write_answer_never(op);
			fs_reply_write(op, op->len);
		}
	}
}

void write_begin(struct op *op, void (*send)(struct op *op))
{
	struct node *n = op->node;
	struct handle *h = op->h;
	uint64_t after = write_overlap(n, op->off, op->len);

	op->seq = ++n->write_seq;
	op->write_next = NULL;
	*n->write_last = op;
	n->write_last = &op->write_next;
	node_changed(n);
	handle_drop_heads(n);
	for (struct handle *o = n->handles; o != NULL; o = o->next)
		o->pin_mtime = 0;
	h->wrote = true;
	h->n_ahead++;
	h->ahead_bytes += op->len;
	op->sh->write_bytes += op->len;
	if (!h->sync) {
		if (write_has_room(op))
			fs_reply_write(op, op->len);
		else
			write_answer_later(op);
	}
	node_wait(op, n, after, send);
}

static void write_failed(struct op *op, int err)
{
	bool told = op->fr != NULL;

	if (told)
		fs_reply_err(op, err);
	for (struct handle *h = op->node->handles; h != NULL; h = h->next) {
		int *where = h == op->h ? &h->err : &h->err_other;

		if (*where == 0 && !(told && h == op->h))
			*where = err;
	}
}

void write_finish(struct op *op, int err)
{
	struct shard *sh = op->sh;
	struct node *n = op->node;
	struct op **at = &n->write_first;

	while (*at != op)
		at = &(*at)->write_next;
	*at = op->write_next;
	if (*at == NULL)
		n->write_last = at;
	node_changed(n);
	op->h->n_ahead--;
	op->h->ahead_bytes -= op->len;
	sh->write_bytes -= op->len;
	write_answer_never(op);
	if (err != 0)
		write_failed(op, err);
	else
		fs_reply_write(op, op->len);
	node_wake(n);
	write_answer_waiting(sh);
	op_end(op);
}
