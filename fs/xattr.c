/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One extended attribute, of our own making: what the mount's state is and
 * why.  All others are answered here and now, because the kernel and ls ask
 * for some of them at every opportunity.
 */
#include "ops.h"

#include <errno.h>
#include <string.h>

#include "op.h"
#include "reply.h"

#define XATTR_STATUS "user.smb.status"

static void xattr_status(struct op *op, size_t size)
{
	struct fs *f = op->sh->fs;
	size_t n;

	pthread_mutex_lock(&f->status_lock);
	n = f->status != NULL ? strlen(f->status) : 0;
	if (size == 0)
		fs_reply_xattr_len(op, n);
	else if (n > size)
		fs_reply_err(op, -ERANGE);
	else
		fs_reply_buf(op, f->status, n);
	pthread_mutex_unlock(&f->status_lock);
	op_end(op);
}

void ops_getxattr(fuse_req_t fr, fuse_ino_t ino, const char *name, size_t size)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.getxattr);

	if (ino == INODE_ROOT && strcmp(name, XATTR_STATUS) == 0)
		xattr_status(op, size);
	else
		op_fail(op, strncmp(name, "user.", 5) == 0 ? -ENODATA : -EOPNOTSUPP);
}
