/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An operation: one request of the kernel on its way through the server.
 *
 * It goes in rounds.  A round is one packet: op_begin(), then elements
 * (op_create(), op_close(), ...) that each take the next slot, then op_send()
 * with the function that goes on when every element is done.  That function
 * looks at op_error(), and begins another round or answers by fs_reply_*() and
 * ends the operation by op_end().
 *
 * The kernel's request may be answered before the operation ends: a WRITE
 * ahead of the server, and any request whose caller was interrupted and whose
 * server keeps silent.  `fr` is NULL from then on, the operation runs to its
 * end all the same, and what fs_reply_*() then returns says that nobody took
 * the result, so that it can be undone.
 *
 * Everything here is called on the shard's thread.
 */
#ifndef OP_H
#define OP_H

#include "handle.h"
#include "shard.h"

#define OP_REQS 6
/* 255 units of UTF-16 are at most so many bytes of UTF-8; longer names do not exist on a server. */
#define OP_NAME_MAX 765

struct op {
	struct op *next;		/* free, or in a list of waiting ones */
	struct shard *sh;
	fuse_req_t fr;			/* NULL once answered */
	struct timer give_up;
	bool keep;			/* not to be cancelled at the server */
	void (*step)(struct op *op);	/* what comes after the round, or after waiting */
	unsigned int n_reqs, n_open;
	struct req r[OP_REQS];
	int err[OP_REQS];		/* negative errno of each element */
	uint32_t status[OP_REQS];	/* the server's; 0 where it did not answer */
	int lost;			/* the channel's error, when it died */
	uint32_t asked;			/* longest answer to the element that returns data */

	struct node *node, *parent, *to, *victim;	/* references, put by op_end() */
	struct handle *h;			/* likewise */
	uint64_t wait_seq, as_of;		/* see handle.h */

	struct smb_create_resp made;	/* of the last CREATE that succeeded */
	struct smb_attr attr;		/* of the last FILE_ALL_INFORMATION */
	struct smb_basic basic;		/* to set */
	struct buf *buf;		/* freed by op_end() */
	struct scan *scan;		/* likewise */

	int flags;			/* open(2)'s */
	int first_err;			/* what to report when an attempt to undo ends */
	uint64_t off, len;
	bool is_dir, truncate, with_attrs, replace, clear_readonly, moved;

	/* WRITE: see handle.h */
	struct op *write_next;		/* in flight on the inode, by seq */
	struct op *early_next;		/* to be answered when there is room */
	uint64_t seq;
	bool in_early;
	char silly[32];			/* see namei.h */

	/* The part above is zero at first, the names are not. */
	char name[OP_NAME_MAX + 1], name_to[OP_NAME_MAX + 1];
};

/* `fr` may be NULL; `counter` likewise. */
struct op *op_new(struct shard *sh, fuse_req_t fr, uint64_t *counter);
void op_end(struct op *op);
/* Answers with an error (0 or negative) and ends. */
void op_fail(struct op *op, int err);

/*
 * Takes a reference to the node `ino`, or copies a name; when that cannot be
 * done, answers, ends the operation and returns false.
 */
bool op_set_node(struct op *op, struct node **field, fuse_ino_t ino);
bool op_set_name(struct op *op, char *field, const char *name);
/* shard_path() in slot 0, with the same way out. */
bool op_path(struct op *op, const struct node *n, const char *name, struct slice *out);

/* A packet with room for `payload` bytes of paths. */
void op_begin(struct op *op, struct pkt *p, size_t payload);
void op_send(struct op *op, struct pkt *p, void (*step)(struct op *op));
/* A slot for an element of the caller's own: `done` must end in op_done(). */
struct req *op_req(struct op *op, void (*done)(struct req *r, int err, uint32_t status,
					       struct slice pdu));
/* The status as an error, taken down where the channel died or the server said no. */
int op_status(struct req *r, int err, uint32_t status);
void op_done(struct req *r, int err);

/*
 * Elements.  CREATE opens with FILE_SHARE_ALL; the others carry on with the
 * file of the element before, or with `fid`.
 */
void op_create(struct op *op, struct pkt *p, struct slice path, uint32_t access,
	       uint32_t attributes, enum smb2_disposition disposition, uint32_t options);
void op_query_all(struct op *op, struct pkt *p, const struct smb_fid *fid);
void op_close(struct op *op, struct pkt *p);
void op_set_eof(struct op *op, struct pkt *p, const struct smb_fid *fid, uint64_t size);
void op_set_basic(struct op *op, struct pkt *p, const struct smb_fid *fid);
void op_set_delete(struct op *op, struct pkt *p);
void op_set_rename(struct op *op, struct pkt *p, struct slice path, bool replace);
void op_flush(struct op *op, struct pkt *p, const struct smb_fid *fid);

/* The error of the first element that failed, fit for the kernel. */
int op_error(const struct op *op);
/* Some element of the round ended with this status. */
bool op_has_status(const struct op *op, uint32_t status);

/* The same for one that makes a file: -EBUSY where a deleted one still has the name. */
int op_error_new(const struct op *op);

/*
 * The same for an operation on a node: a file that is no longer at its path is
 * -ESTALE, upon which the kernel looks the path up again.
 */
int op_error_node(struct op *op);

#endif
