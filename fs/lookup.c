/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lookup, forget, getattr, setattr: one round trip each. */
#include "ops.h"

#include <errno.h>

#include "attr.h"
#include "log.h"
#include "ntstatus.h"
#include "op.h"
#include "reply.h"

/* Type and number of the file at the path are still those of the node. */
static bool node_is_still(const struct node *n, const struct smb_attr *a)
{
	if (n->is_dir != attr_is_dir(a))
		return false;
	return n->id == INODE_ROOT || n->file_id == 0 || a->file_id == 0 ||
	       n->file_id == a->file_id;
}

static void lookup_done(struct op *op)
{
	struct itab *t = op->sh->fs->itab;
	int err = op_error(op);

	/* Such a name cannot be there, and programs do ask. */
	if (op_has_status(op, STATUS_OBJECT_NAME_INVALID))
		err = -ENOENT;
	if (err != 0) {
		if (err == -ENOENT && op->node != NULL)
			itab_unlink(t, op->node);
		op_fail(op, err);
		return;
	}
	if (op->node != NULL)
		handle_pin_mtime(op->node, op->as_of, op->attr.mtime);
	node_put(t, op->node);
	op->node = itab_enter(t, op->parent, op->name, op->attr.file_id, attr_is_dir(&op->attr));
	fs_reply_entry(op, op->node);
	op_end(op);
}

static void lookup_go(struct op *op)
{
	struct slice path;
	struct pkt p;
	int err;

	if (op->fr == NULL) {
		op_end(op);
		return;
	}
	err = shard_path(op->sh, op->parent, op->name, 0, &path);
	if (err != 0) {
		op_fail(op, err == -EILSEQ ? -ENOENT : err);
		return;
	}
	if (op->node != NULL)
		op->as_of = op->node->write_seq;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, FILE_READ_ATTRIBUTES, 0, FILE_OPEN, FILE_OPEN_REPARSE_POINT);
	op_query_all(op, &p, NULL);
	op_close(op, &p);
	op_send(op, &p, lookup_done);
}

void ops_lookup(fuse_req_t fr, fuse_ino_t parent, const char *name)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.lookup);

	if (!op_set_node(op, &op->parent, parent) || !op_set_name(op, op->name, name))
		return;
	op->node = itab_lookup(sh->fs->itab, op->parent, name);
	if (op->node == NULL)
		lookup_go(op);
	else if (op->node->hidden)
		op_fail(op, -ENOENT);
	else
		node_settle(op, op->node, lookup_go);
}

void ops_forget(fuse_req_t fr, fuse_ino_t ino, uint64_t n)
{
	struct shard *sh = shard_self();

	sh->stats.forget++;
	itab_forget(sh->fs->itab, ino, n);
	fs_reply_none(fr);
}

void ops_forget_multi(fuse_req_t fr, size_t n, struct fuse_forget_data *list)
{
	struct shard *sh = shard_self();

	sh->stats.forget += n;
	for (size_t i = 0; i < n; i++)
		itab_forget(sh->fs->itab, list[i].ino, list[i].nlookup);
	fs_reply_none(fr);
}

static void attr_answer(struct op *op, int err)
{
	if (err != 0)
		/* Of an open file programs expect EIO; and a read may be what asks. */
		fs_reply_err(op, op->h != NULL && op->lost != 0 ? -EIO : err);
	else if (fs_reply_attr(op, op->node, op->sh->fs->cfg.attr_timeout_ns) == 0)
		handle_pin_mtime(op->node, op->as_of, op->attr.mtime);
	op_end(op);
}

static void getattr_done(struct op *op)
{
	int err = op_error_node(op);

	/* Without a server the root is as it was, or its status could not be read. */
	if (op->lost != 0 && op->node->id == INODE_ROOT) {
		op->attr = op->node->attr;
		fs_reply_attr(op, op->node, 0);
		op_end(op);
		return;
	}
	if (err == 0 && !node_is_still(op->node, &op->attr)) {
		itab_unlink(op->sh->fs->itab, op->node);
		err = -ESTALE;
	}
	attr_answer(op, err);
}

static void getattr_go(struct op *op)
{
	struct slice path = { 0 };
	struct handle *h;
	struct pkt p;

	if (op->fr == NULL) {
		op_end(op);
		return;
	}
	h = op->h != NULL ? op->h : handle_any(op->node, false);
	if (h == NULL && !op_path(op, op->node, NULL, &path))
		return;
	op->as_of = op->node->write_seq;
	op_begin(op, &p, path.n);
	if (h != NULL) {
		op_query_all(op, &p, &h->fid);
	} else {
		op_create(op, &p, path, FILE_READ_ATTRIBUTES, 0, FILE_OPEN,
			  FILE_OPEN_REPARSE_POINT);
		op_query_all(op, &p, NULL);
		op_close(op, &p);
	}
	op_send(op, &p, getattr_done);
}

void ops_getattr(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.getattr);

	if (!op_set_node(op, &op->node, ino))
		return;
	if (fi != NULL)
		op->h = handle_get(handle_of(fi));
	node_settle(op, op->node, getattr_go);
}

static void setattr_done(struct op *op)
{
	int err = op_error_node(op);

	node_changed(op->node);
	attr_answer(op, err);
}

static bool setattr_has_basic(const struct op *op)
{
	return op->basic.atime != 0 || op->basic.mtime != 0 || op->basic.attributes != 0;
}

/*
 * Samba sets the time of the last write once more when a handle that wrote is
 * closed, unless a time was set through that very handle.  So each of them is
 * told.
 */
static void setattr_other_writers(struct op *op, struct handle *h)
{
	if (op->basic.mtime != 0)
		handle_pin_nothing(h);
	for (struct handle *o = op->node->handles; o != NULL && op->n_reqs < OP_REQS - 3;
	     o = o->next) {
		struct pkt p;

		if (o == h || !o->wrote)
			continue;
		pkt_init(&p, op->sh->pool, op->sh->tree.id, 0);
		op_set_basic(op, &p, &o->fid);
		if (op->basic.mtime != 0)
			handle_pin_nothing(o);
		chan_submit(op->sh->chan, p.head);
	}
}

static void setattr_by_handle(struct op *op, struct handle *h)
{
	const struct smb_fid *fid = &h->fid;
	struct pkt p;

	op_begin(op, &p, 0);
	if (setattr_has_basic(op))
		setattr_other_writers(op, h);
	if (op->truncate) {
		op_set_eof(op, &p, fid, op->off);
		fid = NULL;
	}
	if (setattr_has_basic(op)) {
		op_set_basic(op, &p, fid);
		fid = NULL;
	}
	op_query_all(op, &p, fid);
	op_send(op, &p, setattr_done);
}

static void setattr_by_path(struct op *op)
{
	uint32_t access = FILE_READ_ATTRIBUTES;
	struct slice path;
	struct pkt p;

	if (!op_path(op, op->node, NULL, &path))
		return;
	if (op->truncate)
		access |= FILE_WRITE_DATA;
	if (setattr_has_basic(op))
		access |= FILE_WRITE_ATTRIBUTES;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, access, 0, FILE_OPEN, op->truncate ? 0 : FILE_OPEN_REPARSE_POINT);
	if (op->truncate)
		op_set_eof(op, &p, NULL, op->off);
	if (setattr_has_basic(op))
		op_set_basic(op, &p, NULL);
	op_query_all(op, &p, NULL);
	op_close(op, &p);
	op_send(op, &p, setattr_done);
}

/*
 * Nothing that the server could hold is to be changed, as with most of what
 * tar and cp -a do: no news, then, and none that the kernel should rely on.
 */
static bool setattr_is_idle(struct op *op)
{
	const struct node *n = op->node;

	if (op->truncate || setattr_has_basic(op) || n->attr_as_of != n->write_seq ||
	    n->attr.mtime == 0)
		return false;
	op->attr = n->attr;
	op->as_of = n->attr_as_of;
	return true;
}

static void setattr_go(struct op *op)
{
	struct handle *h = op->h;

	if (op->fr == NULL) {
		op_end(op);
		return;
	}
	if (setattr_is_idle(op)) {
		fs_reply_attr(op, op->node, 0);
		op_end(op);
		return;
	}
	op->as_of = op->node->write_seq;
	if (op->truncate)
		handle_drop_heads(op->node);
	if (h == NULL || !h->can_write)
		h = handle_any(op->node, true);
	if (h != NULL)
		setattr_by_handle(op, h);
	else
		setattr_by_path(op);
}

/*
 * The mode is a wish: what the server cannot hold stays as it is shown, which
 * is said once.  The bits that would grant somebody else's rights are no
 * matter of taste and refused.
 */
static int setattr_mode(struct op *op, mode_t mode)
{
	struct fs *f = op->sh->fs;
	struct smb_attr after = op->node->attr;

	if (mode & (S_ISUID | S_ISGID | S_ISVTX))
		return -EPERM;
	op->basic.attributes = attr_for_mode(&op->node->attr, mode);
	if (op->basic.attributes != 0)
		after.attributes = op->basic.attributes;
	if ((attr_mode(&f->cfg, &after) & ACCESSPERMS) != (mode & ACCESSPERMS) &&
	    !atomic_exchange(&f->lossy_told, true))
		log_info("a chmod was kept in part only: the server stores whether a file may be "
			 "written, and nothing else of its mode (this is said once)");
	return 0;
}

static uint64_t setattr_time(struct timespec ts, bool now)
{
	if (now)
		clock_gettime(CLOCK_REALTIME, &ts);
	return attr_time_to_nt(ts);
}

void ops_setattr(fuse_req_t fr, fuse_ino_t ino, struct stat *st, int to_set,
		 struct fuse_file_info *fi)
{
	struct shard *sh = shard_self();
	const struct fs_config *cfg = &sh->fs->cfg;
	struct op *op = op_new(sh, fr, &sh->stats.setattr);
	int err = 0;

	op->keep = true;
	if (!op_set_node(op, &op->node, ino))
		return;
	if (fi != NULL)
		op->h = handle_get(handle_of(fi));
	if (((to_set & FUSE_SET_ATTR_UID) && st->st_uid != cfg->uid) ||
	    ((to_set & FUSE_SET_ATTR_GID) && st->st_gid != cfg->gid))
		err = -EPERM;
	if (err == 0 && (to_set & FUSE_SET_ATTR_MODE))
		err = setattr_mode(op, st->st_mode);
	if (err != 0) {
		op_fail(op, err);
		return;
	}
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW))
		op->basic.atime = setattr_time(st->st_atim, to_set & FUSE_SET_ATTR_ATIME_NOW);
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		op->basic.mtime = setattr_time(st->st_mtim, to_set & FUSE_SET_ATTR_MTIME_NOW);
	if (to_set & FUSE_SET_ATTR_SIZE) {
		op->truncate = true;
		op->off = (uint64_t)st->st_size;
	}
	node_settle(op, op->node, setattr_go);
}
