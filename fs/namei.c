/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mkdir, unlink, rmdir, rename: one round trip each, as long as nothing is in
 * the way.  What POSIX allows and SMB does not is done in steps:
 *
 * - A file that is open keeps its name until the last handle is closed, also
 *   when it is deleted.  So it is renamed and deleted in the same packet, and
 *   its name is free at once.
 * - A read-only file cannot be deleted, nor replaced.
 * - A directory cannot be replaced, an open file neither.  The target of a
 *   rename is then moved away, the source renamed, and the old target deleted;
 *   for a moment there is nothing of that name.
 */
#include "ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "log.h"
#include "namei.h"
#include "ntstatus.h"
#include "op.h"
#include "reply.h"

#define SILLY_PREFIX ".smbsecure."

bool silly_is(const char *name)
{
	return strncmp(name, SILLY_PREFIX, sizeof(SILLY_PREFIX) - 1) == 0;
}

static void silly_name(struct op *op)
{
	snprintf(op->silly, sizeof(op->silly), SILLY_PREFIX "%016" PRIx64,
		 atomic_fetch_add(&op->sh->fs->next_silly, 1));
}

static void mkdir_done(struct op *op)
{
	int err = op_error_new(op);

	if (err != 0) {
		op_fail(op, err);
		return;
	}
	op->node = itab_enter(op->sh->fs->itab, op->parent, op->name, op->attr.file_id, true);
	node_changed(op->parent);
	fs_reply_entry(op, op->node);
	op_end(op);
}

void ops_mkdir(fuse_req_t fr, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.mkdir);
	struct slice path;
	struct pkt p;

	(void)mode;
	if (!op_set_node(op, &op->parent, parent) || !op_set_name(op, op->name, name))
		return;
	if (!op_path(op, op->parent, op->name, &path))
		return;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, FILE_READ_ATTRIBUTES, FILE_ATTRIBUTE_DIRECTORY, FILE_CREATE,
		  FILE_DIRECTORY_FILE);
	op_query_all(op, &p, NULL);
	op_close(op, &p);
	op_send(op, &p, mkdir_done);
}

void ops_symlink(fuse_req_t fr, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	op_fail(op_new(shard_self(), fr, NULL), -EPERM);
}

void ops_link(fuse_req_t fr, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	op_fail(op_new(shard_self(), fr, NULL), -EPERM);
}

/* Deletes (`dir`, `name`), which has the node `n` or NULL; to be followed by op_send(). */
static int remove_begin(struct op *op, struct pkt *p, struct node *dir, const char *name,
			struct node *n)
{
	bool rename = op->silly[0] != '\0' && !op->moved;
	struct slice path, silly = { 0 };
	uint32_t access = SMB2_DELETE;
	int err;

	err = shard_path(op->sh, dir, name, 0, &path);
	if (err == 0 && rename)
		err = shard_path(op->sh, dir, op->silly, 1, &silly);
	if (err != 0)
		return err;
	if (op->clear_readonly)
		access |= FILE_WRITE_ATTRIBUTES;
	op_begin(op, p, path.n + silly.n);
	op_create(op, p, path, access, 0, FILE_OPEN, FILE_OPEN_REPARSE_POINT |
		  (op->is_dir ? FILE_DIRECTORY_FILE : FILE_NON_DIRECTORY_FILE));
	if (op->clear_readonly) {
		op->basic.attributes = n != NULL ? attr_writable(&n->attr) : FILE_ATTRIBUTE_NORMAL;
		op_set_basic(op, p, NULL);
	}
	if (rename)
		op_set_rename(op, p, silly, false);
	op_set_delete(op, p);
	op_close(op, p);
	return 0;
}

/*
 * The file is gone when the last two elements, disposition and CLOSE, have
 * succeeded, whatever became of the renaming in front of them.
 */
static int remove_error(const struct op *op)
{
	int err = op_error(op);

	if (op->err[0] == 0 && op->err[op->n_reqs - 2] == 0 && op->err[op->n_reqs - 1] == 0)
		return 0;
	return err;
}

static bool remove_renamed(const struct op *op)
{
	return op->silly[0] != '\0' && op->err[0] == 0 && op->err[op->n_reqs - 3] == 0;
}

static void unlink_go(struct op *op);

static void unlink_undone(struct op *op)
{
	if (op_error(op) != 0)
		log_warn("a file that could not be deleted keeps the name %s", op->silly);
	op_fail(op, op->first_err);
}

/* It was given another name for nothing. */
static void unlink_undo(struct op *op, int why)
{
	struct slice from, to;
	struct pkt p;
	int err;

	op->first_err = why;
	err = shard_path(op->sh, op->parent, op->silly, 0, &from);
	if (err == 0)
		err = shard_path(op->sh, op->parent, op->name, 1, &to);
	if (err != 0) {
		op_fail(op, why);
		return;
	}
	op_begin(op, &p, from.n + to.n);
	op_create(op, &p, from, SMB2_DELETE, 0, FILE_OPEN, FILE_OPEN_REPARSE_POINT);
	op_set_rename(op, &p, to, false);
	op_close(op, &p);
	op_send(op, &p, unlink_undone);
}

static void unlink_done(struct op *op)
{
	struct itab *t = op->sh->fs->itab;
	int err = remove_error(op);

	if (!op->moved)
		op->moved = remove_renamed(op);
	if (op_has_status(op, STATUS_CANNOT_DELETE) && !op->is_dir && !op->clear_readonly) {
		op->clear_readonly = true;
		unlink_go(op);
		return;
	}
	if (err != 0 && op->moved) {
		unlink_undo(op, err);
		return;
	}
	node_changed(op->parent);
	if (op->node != NULL) {
		node_changed(op->node);
		if (err == 0 && op->moved)
			itab_move(t, op->node, op->parent, op->silly, true);
		else if (err == 0 || err == -ENOENT)
			itab_unlink(t, op->node);
	}
	op_fail(op, err);
}

static void unlink_go(struct op *op)
{
	struct pkt p;
	int err;

	err = remove_begin(op, &p, op->parent, op->moved ? op->silly : op->name, op->node);
	if (err != 0)
		op_fail(op, err);
	else
		op_send(op, &p, unlink_done);
}

static void unlink_start(struct op *op, fuse_ino_t parent, const char *name)
{
	if (!op_set_node(op, &op->parent, parent) || !op_set_name(op, op->name, name))
		return;
	op->node = itab_lookup(op->sh->fs->itab, op->parent, op->name);
	if (op->node != NULL && !op->is_dir) {
		op->clear_readonly = op->node->attr.attributes & FILE_ATTRIBUTE_READONLY;
		if (node_is_open(op->node))
			silly_name(op);
	}
	unlink_go(op);
}

void ops_unlink(fuse_req_t fr, fuse_ino_t parent, const char *name)
{
	struct shard *sh = shard_self();

	unlink_start(op_new(sh, fr, &sh->stats.unlink), parent, name);
}

void ops_rmdir(fuse_req_t fr, fuse_ino_t parent, const char *name)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.rmdir);

	op->is_dir = true;
	unlink_start(op, parent, name);
}

/* A rename as the protocol has it; an error is answered. */
static void rename_send(struct op *op, struct node *dir, const char *name, struct node *to,
			const char *name_to, bool replace, void (*step)(struct op *op))
{
	struct slice path, path_to;
	struct pkt p;
	int err;

	err = shard_path(op->sh, dir, name, 0, &path);
	if (err == 0)
		err = shard_path(op->sh, to, name_to, 1, &path_to);
	if (err != 0) {
		op_fail(op, op->first_err != 0 ? op->first_err : err);
		return;
	}
	op_begin(op, &p, path.n + path_to.n);
	op_create(op, &p, path, SMB2_DELETE | FILE_READ_ATTRIBUTES, 0, FILE_OPEN,
		  FILE_OPEN_REPARSE_POINT);
	op_set_rename(op, &p, path_to, replace);
	op_close(op, &p);
	op_send(op, &p, step);
}

static void rename_moved(struct op *op)
{
	struct itab *t = op->sh->fs->itab;

	if (op->victim != NULL && !op->moved)
		itab_unlink(t, op->victim);
	if (op->node != NULL) {
		itab_move(t, op->node, op->to, op->name_to, false);
		node_changed(op->node);
	}
	node_changed(op->parent);
	node_changed(op->to);
	fs_reply_err(op, 0);
}

static void rename_deleted(struct op *op)
{
	if (remove_error(op) != 0)
		log_warn("a replaced file could not be deleted and keeps the name %s", op->silly);
	if (!node_is_open(op->victim))
		itab_unlink(op->sh->fs->itab, op->victim);
	op_end(op);
}

/* The caller has its answer: the old target is our affair. */
static void rename_delete(struct op *op)
{
	struct pkt p;

	op->clear_readonly = op->victim->attr.attributes & FILE_ATTRIBUTE_READONLY;
	if (remove_begin(op, &p, op->to, op->silly, op->victim) != 0)
		op_end(op);
	else
		op_send(op, &p, rename_deleted);
}

static void rename_put_back(struct op *op)
{
	if (op_error(op) != 0)
		log_warn("the target of a failed rename keeps the name %s", op->silly);
	else
		itab_move(op->sh->fs->itab, op->victim, op->to, op->name_to, false);
	op_fail(op, op->first_err);
}

static void rename_second(struct op *op)
{
	int err = op_error(op);

	if (err == 0) {
		rename_moved(op);
		if (op->moved)
			rename_delete(op);
		else
			op_end(op);
	} else if (op->moved) {
		op->first_err = err;
		rename_send(op, op->to, op->silly, op->to, op->name_to, false, rename_put_back);
	} else {
		op_fail(op, err);
	}
}

static void rename_aside_done(struct op *op)
{
	if (op_error(op) != 0) {
		op_fail(op, op->first_err != 0 ? op->first_err : op_error(op));
		return;
	}
	op->moved = true;
	itab_move(op->sh->fs->itab, op->victim, op->to, op->silly, true);
	rename_send(op, op->parent, op->name, op->to, op->name_to, true, rename_second);
}

static void rename_aside(struct op *op)
{
	silly_name(op);
	rename_send(op, op->to, op->name_to, op->to, op->silly, false, rename_aside_done);
}

static void rename_emptied(struct op *op)
{
	int err = remove_error(op);

	if (err != 0) {
		op_fail(op, err);
		return;
	}
	itab_unlink(op->sh->fs->itab, op->victim);
	rename_send(op, op->parent, op->name, op->to, op->name_to, false, rename_second);
}

static void rename_over_dir(struct op *op)
{
	struct pkt p;
	int err;

	op->is_dir = true;
	err = remove_begin(op, &p, op->to, op->name_to, op->victim);
	if (err != 0)
		op_fail(op, err);
	else
		op_send(op, &p, rename_emptied);
}

static bool rename_target_was_in_the_way(const struct op *op, int err)
{
	return op->replace && op->victim != NULL && op->err[0] == 0 && op->err[1] != 0 &&
	       (err == -EACCES || err == -EBUSY || err == -EEXIST || err == -EPERM);
}

static void rename_first(struct op *op)
{
	int err = op_error(op);

	if (err != 0 && rename_target_was_in_the_way(op, err)) {
		op->first_err = err;
		if (op->victim->is_dir)
			rename_over_dir(op);
		else
			rename_aside(op);
	} else {
		rename_second(op);
	}
}

void ops_rename(fuse_req_t fr, fuse_ino_t parent, const char *name, fuse_ino_t to,
		const char *name_to, unsigned int flags)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.rename);
	struct itab *t = sh->fs->itab;
	bool same;

	if (flags & ~RENAME_NOREPLACE) {
		op_fail(op, -EINVAL);
		return;
	}
	op->replace = !(flags & RENAME_NOREPLACE);
	if (!op_set_node(op, &op->parent, parent) || !op_set_node(op, &op->to, to) ||
	    !op_set_name(op, op->name, name) || !op_set_name(op, op->name_to, name_to))
		return;
	op->node = itab_lookup(t, op->parent, op->name);
	op->victim = itab_lookup(t, op->to, op->name_to);
	/* Two spellings of one name, where the server does not tell them apart. */
	same = op->node != NULL && op->victim != NULL && op->node->file_id != 0 &&
	       op->node->file_id == op->victim->file_id;
	if (op->replace && op->victim != NULL && !same && !op->victim->is_dir &&
	    node_is_open(op->victim))
		rename_aside(op);
	else
		rename_send(op, op->parent, op->name, op->to, op->name_to, op->replace,
			    rename_first);
}
