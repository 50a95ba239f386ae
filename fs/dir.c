/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Listing a directory.  The first page comes with the open, and so does the
 * beginning of the second: for most directories that is the message that
 * there is none, and the listing costs no further round trip.  A page is as
 * large as it goes.
 *
 * Offsets are ordinals: "." is 0, ".." is 1, what the server sends counts from
 * 2.  Whoever seeks backwards has the listing started again.
 */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "log.h"
#include "namei.h"
#include "ntstatus.h"
#include "op.h"
#include "reply.h"
#include "scan.h"

#define SCAN_SECOND_LEN 65536u
/* Both answers of the open travel in one frame, which holds BUF_MAX_IO of data. */
#define SCAN_PAGE_LEN (BUF_MAX_IO - SCAN_SECOND_LEN)
#define SCAN_FIRST 2u
/* No entry of readdirplus is smaller. */
#define SCAN_PLUS_MIN 128u

struct scan {
	struct buf *pages;	/* the first one is being read */
	uint64_t page_ns;	/* when the newest was asked for */
	struct smb_dir_iter it;
	struct smb_dirent held;	/* read and not given out yet, when has_held */
	bool has_held;
	char name[OP_NAME_MAX + 1];	/* of `held` */
	uint64_t ord;		/* of the next entry */
	bool end;		/* there is no page behind those here */
	bool restart;		/* the next page is to be the first */
	int err;		/* instead of a next page */
	struct op *busy;
};

static struct scan *scan_new(void)
{
	struct scan *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->ord = SCAN_FIRST;
	return s;
}

static void scan_drop_page(struct scan *s)
{
	struct buf *b = s->pages;

	s->pages = b->next;
	buf_free(b);
	if (s->pages != NULL)
		smb_dir_iter_init(&s->it, buf_slice(s->pages));
}

static void scan_drop_pages(struct scan *s)
{
	while (s->pages != NULL)
		scan_drop_page(s);
}

void scan_free(struct scan *s)
{
	if (s == NULL)
		return;
	scan_drop_pages(s);
	free(s);
}

static void scan_add_page(struct scan *s, struct bufpool *pool, struct slice page)
{
	struct buf *b = buf_new(pool, page.n != 0 ? page.n : 1), **at;

	b->len = (uint32_t)page.n;
	b->next = NULL;
	if (page.n != 0)
		memcpy(b->mem, page.p, page.n);
	for (at = &s->pages; *at != NULL; at = &(*at)->next)
		;
	*at = b;
	if (s->pages == b)
		smb_dir_iter_init(&s->it, page.n != 0 ? buf_slice(b) : page);
}

static void scan_page_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;
	struct scan *s = op->scan != NULL ? op->scan : op->h->scan;
	struct slice page;

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_query_dir_decode(pdu, op->asked, &page);
	if (err == 0)
		scan_add_page(s, op->sh->pool, page);
	else if (status == STATUS_NO_MORE_FILES || status == STATUS_NO_SUCH_FILE)
		s->end = true;
	else if (s->err == 0)
		s->err = op->lost != 0 ? -EHOSTDOWN : err == -EBADMSG ? -EIO : err;
	op_done(r, 0);
}

static void opendir_done(struct op *op)
{
	struct fuse_file_info fi = { 0 };
	int err = op_error_node(op);
	struct handle *h;

	if (err != 0) {
		op_fail(op, err);
		return;
	}
	h = handle_new(op->sh, op->node, &op->made.fid);
	h->scan = op->scan;
	op->scan = NULL;
	fi.fh = (uintptr_t)h;
	if (fs_reply_open(op, &fi) != 0)
		handle_put(op->sh, h);
	op_end(op);
}

void ops_opendir(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.opendir);
	struct slice path;
	struct pkt p;

	(void)fi;
	if (!op_set_node(op, &op->node, ino))
		return;
	if (!op_path(op, op->node, NULL, &path))
		return;
	op->scan = scan_new();
	op->scan->page_ns = loop_now_ns();
	op->asked = sh->max_transact < SCAN_PAGE_LEN ? sh->max_transact : SCAN_PAGE_LEN;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES, 0, FILE_OPEN,
		  FILE_DIRECTORY_FILE);
	smb_query_dir(&p, op_req(op, scan_page_done), NULL, 0, op->asked);
	smb_query_dir(&p, op_req(op, scan_page_done), NULL, 0, SCAN_SECOND_LEN);
	op_send(op, &p, opendir_done);
}

static void readdir_end(struct op *op)
{
	struct scan *s = op->h->scan;

	s->busy = NULL;
	op_end(op);
}

static bool scan_is_hidden(struct op *op, const struct scan *s)
{
	struct node *n;
	bool hidden;

	if (!silly_is(s->name))
		return false;
	n = itab_lookup(op->sh->fs->itab, op->h->node, s->name);
	hidden = n != NULL && n->hidden;
	node_put(op->sh->fs->itab, n);
	return hidden;
}

static bool scan_is_dots(struct slice name)
{
	return (name.n == 2 && memcmp(name.p, ".", 2) == 0) ||
	       (name.n == 4 && memcmp(name.p, ".\0.", 4) == 0);
}

/* Makes the next entry `held`: 1, 0 at the end, -EAGAIN when a page is missing, or an error. */
static int scan_peek(struct op *op, struct scan *s)
{
	const bool map = op->sh->fs->cfg.map;

	while (!s->has_held) {
		if (s->pages == NULL) {
			if (s->err != 0)
				return s->err;
			return s->end ? 0 : -EAGAIN;
		}
		if (!smb_dir_iter_next(&s->it, &s->held)) {
			if (s->it.bad)
				return -EIO;
			scan_drop_page(s);
		} else if (utf16_to_name(s->held.name, map, s->name, sizeof(s->name)) < 0) {
			/* It could not be handed back either; "/" would even mean another file. */
			if (!scan_is_dots(s->held.name))
				log_warn("the server listed a name that cannot be shown here");
		} else {
			s->has_held = !scan_is_hidden(op, s);
		}
	}
	return 1;
}

static void scan_next(struct scan *s)
{
	s->has_held = false;
	s->ord++;
}

/* An entry of which the kernel learns name, type and number only. */
static void entry_plain(const struct fs *f, const struct smb_attr *a, uint64_t ino,
			struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){ 0 };
	attr_to_stat(&f->cfg, a, ino, &e->attr);
}

/*
 * What a page says is as old as the page: a file that we changed since, or may
 * be changing, is left to be asked for by itself, and so is one that may have
 * lost its name since.
 */
static struct node *scan_enter(struct op *op, struct scan *s, struct fuse_entry_param *e)
{
	struct fs *f = op->sh->fs;
	struct smb_attr *a = &s->held.attr;
	struct node *dir = op->h->node, *n;

	n = itab_lookup(f->itab, dir, s->name);
	if (n != NULL ? node_is_busy(n) || n->changed_ns >= s->page_ns
		      : dir->changed_ns >= s->page_ns) {
		node_put(f->itab, n);
		entry_plain(f, a, 0, e);
		return NULL;
	}
	node_put(f->itab, n);
	n = itab_enter(f->itab, dir, s->name, a->file_id, attr_is_dir(a));
	a->nlink = n->attr.nlink;
	entry_fill(f, n, a, loop_now_ns() - s->page_ns, e);
	return n;
}

struct fill {
	struct op *op;
	char *out;
	size_t len, cap;
	uint64_t *ids;		/* nodes whose lookup was counted */
	size_t n_ids;
};

/* False when it does not fit.  `e->ino` is 0 for an entry without attributes. */
static bool fill_add(struct fill *f, const char *name, const struct fuse_entry_param *e,
		     uint64_t next)
{
	char *at = f->out + f->len;
	size_t left = f->cap - f->len, n;

	if (f->op->with_attrs)
		n = fuse_add_direntry_plus(f->op->fr, at, left, name, e, (off_t)next);
	else
		n = fuse_add_direntry(f->op->fr, at, left, name, &e->attr, (off_t)next);
	if (n > left)
		return false;
	f->len += n;
	return true;
}

static bool fill_dots(struct fill *f)
{
	struct node *n = f->op->h->node;
	struct fuse_entry_param e = {
		.attr.st_mode = S_IFDIR,
		.attr.st_ino = n->file_id != 0 ? n->file_id : n->id,
	};

	for (; f->op->off < SCAN_FIRST; f->op->off++) {
		if (!fill_add(f, f->op->off == 0 ? "." : "..", &e, f->op->off + 1))
			return false;
	}
	return true;
}

static bool fill_entry(struct fill *f, struct scan *s)
{
	struct itab *t = f->op->sh->fs->itab;
	struct fuse_entry_param e;
	struct node *n = NULL;
	bool fits;

	if (f->op->with_attrs)
		n = scan_enter(f->op, s, &e);
	else
		entry_plain(f->op->sh->fs, &s->held.attr, UINT64_MAX, &e);
	fits = fill_add(f, s->name, &e, s->ord + 1);
	if (fits && n != NULL) {
		node_told(n, &s->held.attr, n->write_seq);
		node_remember(t, n);
		f->ids[f->n_ids++] = n->id;
	}
	node_put(t, n);
	return fits;
}

static void readdir_go(struct op *op);

static void readdir_fetch(struct op *op)
{
	struct scan *s = op->h->scan;
	struct pkt p;

	s->page_ns = loop_now_ns();
	op->asked = op->sh->max_transact < BUF_MAX_IO ? op->sh->max_transact : BUF_MAX_IO;
	op_begin(op, &p, 0);
	smb_query_dir(&p, op_req(op, scan_page_done), &op->h->fid,
		      s->restart ? SMB2_RESTART_SCANS : 0, op->asked);
	s->restart = false;
	op_send(op, &p, readdir_go);
}

static void scan_rewind(struct scan *s)
{
	scan_drop_pages(s);
	s->has_held = false;
	s->ord = SCAN_FIRST;
	s->end = false;
	s->err = 0;
	s->restart = true;
}

/* Fills one answer; what is returned is scan_peek()'s when it ended for want of entries. */
static int readdir_fill(struct fill *f, struct scan *s)
{
	struct op *op = f->op;
	int more;

	if (op->off < SCAN_FIRST && !fill_dots(f))
		return 1;
	while ((more = scan_peek(op, s)) > 0) {
		if (s->ord >= op->off) {
			if (!fill_entry(f, s))
				break;
			op->off = s->ord + 1;
		}
		scan_next(s);
	}
	return more;
}

static void readdir_go(struct op *op)
{
	struct scan *s = op->h->scan;
	struct fill f = { .op = op, .cap = op->len };
	size_t max_ids = op->with_attrs ? op->len / SCAN_PLUS_MIN : 0;
	uint64_t from = op->off > SCAN_FIRST ? op->off : SCAN_FIRST;
	int more;

	if (op->fr == NULL) {
		readdir_end(op);
		return;
	}
	if (from < s->ord)
		scan_rewind(s);
	if (op->buf == NULL)
		op->buf = buf_new(op->sh->pool, op->len + (max_ids + 1) * sizeof(*f.ids));
	f.ids = (uint64_t *)(void *)(op->buf->mem + (-(uintptr_t)op->buf->mem & 7));
	f.out = (char *)(f.ids + max_ids);
	more = readdir_fill(&f, s);
	if (f.len == 0 && more == -EAGAIN) {
		readdir_fetch(op);
		return;
	}
	if (f.len == 0 && more < 0) {
		fs_reply_err(op, more);
	} else if (fs_reply_buf(op, f.out, f.len) != 0) {
		while (f.n_ids > 0)
			itab_forget(op->sh->fs->itab, f.ids[--f.n_ids], 1);
	}
	readdir_end(op);
}

static void readdir_start(fuse_req_t fr, size_t size, off_t off, struct handle *h, bool with_attrs,
			  uint64_t *counter)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, counter);

	op->h = handle_get(h);
	op->off = (uint64_t)off;
	op->len = size < BUF_MAX_IO ? size : BUF_MAX_IO;
	op->with_attrs = with_attrs;
	if (h->scan->busy != NULL) {
		/* The one before was interrupted, and the server still works on it. */
		op_fail(op, -EINTR);
		return;
	}
	h->scan->busy = op;
	readdir_go(op);
}

void ops_readdir(fuse_req_t fr, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	readdir_start(fr, size, off, handle_of(fi), false, &shard_self()->stats.readdir);
}

void ops_readdirplus(fuse_req_t fr, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	(void)ino;
	readdir_start(fr, size, off, handle_of(fi), true, &shard_self()->stats.readdirplus);
}

/* Names are the server's as soon as it has answered. */
void ops_fsyncdir(fuse_req_t fr, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();

	(void)ino;
	(void)datasync;
	(void)fi;
	op_fail(op_new(sh, fr, &sh->stats.fsyncdir), 0);
}
