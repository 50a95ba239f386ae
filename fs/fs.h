/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The file system: one struct fs per mount, one or more shards that serve it.
 * A shard is a thread with a loop, a /dev/fuse descriptor and a channel, and
 * shares nothing on the data path but the inode table.
 */
#ifndef FS_H
#define FS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "chan_io.h"
#include "diag.h"
#include "loop.h"
#include "sess.h"

/* Const from the start of the first shard on. */
struct fs_config {
	uid_t uid;
	gid_t gid;
	mode_t file_mode, dir_mode;   /* permission bits */
	uint64_t attr_timeout_ns;     /* actimeo: how long the kernel may believe us */
	bool map;		      /* mapposix: reserved characters */
	bool read_only;
	uint32_t rsize, wsize;	      /* bytes, at most BUF_MAX_IO; 0 = as large as it goes */
	const char *subdir;	      /* of the share, "a/b", "" for its root */
};

struct fs;
struct shard;
struct fuse_session;
struct fuse_args;

/*
 * `args` are libfuse's (fsname, subtype, default_permissions, ...).  `control`
 * is the control thread's loop: on_ready() and on_gone() are called there, the
 * former once the kernel's INIT was answered, the latter once, when the mount
 * was taken down from outside (umount) and the shards have stopped reading.
 */
int fs_new(TALLOC_CTX *mem, const struct fs_config *cfg, struct fuse_args *args,
	   struct loop *control, void (*on_ready)(void *arg), void (*on_gone)(void *arg),
	   void *arg, struct fs **out);
void fs_free(struct fs *f);
struct fuse_session *fs_session(struct fs *f);

/*
 * Gives the (detached) channel away to a new shard and starts its thread.
 * The session must be mounted: the shard reads fuse_session_fd().
 * on_lost() is called on the control loop when the channel died.
 */
int shard_start(struct fs *f, struct chan_io *io, const struct tree *tree,
		void (*on_lost)(void *arg), void *arg, struct shard **out);

/*
 * Runs `fn(s, arg)` on the shard's thread and waits for it.  Control thread
 * only; `fn` must not block.
 */
void shard_call(struct shard *s, void (*fn)(struct shard *s, void *arg), void *arg);

/*
 * Stops reading requests, waits until all writes in flight have been answered
 * (at most `timeout_ms`), joins the thread and hands the channel back, detached.
 */
struct chan_io *shard_stop(struct shard *s, unsigned int timeout_ms);

/* For fn() of shard_call(); the pointer itself may be read anywhere, it never changes. */
struct chan_io *shard_io(struct shard *s);
/* To post messages to. */
struct loop *shard_loop(struct shard *s);

/* Operations as the kernel names them, counted per shard. */
#define FS_OPS(X)                                                                       \
	X(lookup) X(forget) X(getattr) X(setattr) X(mkdir) X(unlink) X(rmdir) X(rename) \
	X(open) X(create) X(read) X(write) X(flush) X(fsync) X(release)                 \
	X(opendir) X(readdir) X(readdirplus) X(releasedir) X(fsyncdir) X(statfs)        \
	X(getxattr) X(interrupt)

struct fs_stats {
#define X(name) uint64_t name;
	FS_OPS(X)
#undef X
	uint64_t bytes_read, bytes_written;
	uint64_t errors; /* replies with an errno other than ENOENT */
	uint64_t nodes;	 /* in the inode table, at the moment */
};
/* For fn() of shard_call(): borrowed. */
const struct fs_stats *shard_stats(struct shard *s);

/*
 * The text of `getfattr -n user.smb.status`, for the mount's root: set by the
 * control thread on every change of state, read by shards.
 */
void fs_set_status(struct fs *f, const char *text);

#endif
