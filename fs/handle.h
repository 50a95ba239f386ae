/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Open files, and the order of what happens to one file.
 *
 * A WRITE is answered as soon as it is on its way (at most HANDLE_AHEAD_BYTES
 * and HANDLE_AHEAD_MAX of them per handle), and the server may carry out what
 * it is sent in any order.  So every write of an inode has a number, and
 * whatever must not overtake it waits: a write or read that overlaps it, and
 * every operation that asks for size or times, or changes the size.
 *
 * An error that comes after the answer is kept on the handle and reported
 * once, by the next write, fsync or close of that descriptor; the other
 * descriptors of the file learn of it by fsync.
 */
#ifndef HANDLE_H
#define HANDLE_H

#include "inode.h"
#include "smb.h"

#define HANDLE_AHEAD_BYTES (8u * 1024 * 1024)
#define HANDLE_AHEAD_MAX 32u

struct fuse_file_info;
struct shard;

struct handle {
	struct handle *next; /* of the node */
	struct node *node;   /* referenced */
	uint32_t refs;	     /* the descriptor and operations; the last one closes */
	struct smb_fid fid;
	bool can_write, sync;
	bool wrote;	     /* Samba sets mtime once more when such a handle is closed, */
	uint64_t pin_mtime;  /* unless it was set through it: to what we told; 0 = nothing */
	int err, err_other;  /* deferred: of our own writes, of others' to the same file */
	uint32_t n_ahead;
	uint64_t ahead_bytes;

	struct buf *head;    /* the whole of a small file, read while it was opened */
	uint64_t head_ns;

	struct scan *scan;   /* of a directory */
};

/* Takes over the open file `fid`; the reference belongs to the kernel's descriptor. */
struct handle *handle_new(struct shard *sh, struct node *n, const struct smb_fid *fid);
struct handle *handle_of(const struct fuse_file_info *fi);
struct handle *handle_get(struct handle *h);
void handle_put(struct shard *sh, struct handle *h); /* NULL is fine */
/* Frees without a word to the server: for the end of a shard. */
void handle_drop_all(struct node *n);
/* Closes a file that nobody has a handle for; `mtime` is set before, if not 0. */
void handle_close_fid(struct shard *sh, const struct smb_fid *fid, uint64_t mtime);
/*
 * The kernel was told of this mtime, as it was when the write `as_of` was the
 * last one: unless there were later ones, it is to stay when we close.
 */
void handle_pin_mtime(struct node *n, uint64_t as_of, uint64_t mtime);
/* A time was set through the handle: until its next write it stays by itself. */
void handle_pin_nothing(struct handle *h);

/* Directory pages that were asked for before now know nothing of it any more. */
void node_changed(struct node *n);
/* The file is open, or about to be. */
bool node_is_open(const struct node *n);
/* Some handle of the node, with write access when asked for; NULL if there is none. */
struct handle *handle_any(const struct node *n, bool can_write);
/* Forgets what was read ahead, through any handle. */
void handle_drop_heads(struct node *n);

/* A deferred error, once; 0 if there is none. */
int handle_take_error(struct handle *h, bool others_too);

/* We may be changing it: what a directory page says about it is worth nothing. */
bool node_is_busy(const struct node *n);

/*
 * Goes on with `then(op)` when no write up to number `seq` is in flight any
 * more: at once, or later.
 */
void node_wait(struct op *op, struct node *n, uint64_t seq, void (*then)(struct op *op));
/* The same for every write begun so far. */
void node_settle(struct op *op, struct node *n, void (*then)(struct op *op));

/* The number of the last write begun that overlaps; 0 if there is none. */
uint64_t write_overlap(const struct node *n, uint64_t off, uint64_t len);
/*
 * Gives the write its place (op->node, op->h, op->off and op->len are set), goes
 * on with `send(op)` when its turn has come, and answers it as soon as allowed.
 */
void write_begin(struct op *op, void (*send)(struct op *op));
/* The server answered; `err` is for the caller, or for whoever comes next. */
void write_finish(struct op *op, int err);

#endif
