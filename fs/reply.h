/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The only callers of fuse_reply_*().  Each answers the request of `op`, at
 * most once; a negative result says that nobody received the answer.
 */
#ifndef REPLY_H
#define REPLY_H

#include "op.h"

int fs_reply_err(struct op *op, int err); /* 0 or negative */
void fs_reply_none(fuse_req_t fr);
/* The attributes are op->attr; they become the node's.  Counts the lookup. */
int fs_reply_entry(struct op *op, struct node *n);
int fs_reply_create(struct op *op, struct node *n, struct fuse_file_info *fi);
int fs_reply_attr(struct op *op, struct node *n, uint64_t timeout_ns);
int fs_reply_open(struct op *op, const struct fuse_file_info *fi);
int fs_reply_data(struct op *op, struct slice data);
int fs_reply_write(struct op *op, size_t n);
int fs_reply_statfs(struct op *op, const struct statvfs *st);
/* A directory page or an attribute's value. */
int fs_reply_buf(struct op *op, const void *p, size_t n);
int fs_reply_xattr_len(struct op *op, size_t n);

/* For readdirplus: `age_ns` ago the server said so. */
void entry_fill(struct fs *f, const struct node *n, const struct smb_attr *a, uint64_t age_ns,
		struct fuse_entry_param *e);

#endif
