/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The insides of struct fs and struct shard, for the files that serve requests. */
#ifndef SHARD_H
#define SHARD_H

#include <pthread.h>
#include <stddef.h>

#include <fuse_lowlevel.h>

#include "fs.h"
#include "inode.h"
#include "smb.h"

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct fs {
	struct fs_config cfg;
	struct fuse_session *se;
	struct loop *control;
	void (*on_ready)(void *arg), (*on_gone)(void *arg);
	void *arg;
	struct itab *itab;
	_Atomic uint64_t next_silly; /* see silly_name() */
	_Atomic bool lossy_told;
	bool ready;		     /* INIT was answered */
	pthread_mutex_t status_lock;
	char *status;
};

struct shard {
	struct fs *fs;
	pthread_t thread;
	struct loop *loop;
	struct chan_io *io;
	struct chan *chan;
	struct bufpool *pool;
	struct tree tree;
	uint32_t max_read, max_write, max_transact; /* bytes per request */
	void (*on_lost)(void *arg);
	void *lost_arg;

	struct watch dev;
	bool dev_eager; /* see dev_ready() */
	unsigned int dev_turns;
	struct buf *cur_buf; /* the request being handled; whoever keeps it sets this to NULL */

	struct op *free_ops;
	unsigned int n_ops;  /* operations under way */
	bool stopping;
	struct timer stop_timer;
	struct op *write_first, **write_last; /* to be answered when there is room again */
	uint64_t write_bytes;		      /* answered ahead of the server */

	struct fs_stats stats;
	struct statvfs statfs;
	uint64_t statfs_ns; /* when; 0 = never */
	char path8[INODE_PATH_MAX];
	uint8_t path16[2][INODE_PATH_MAX / 3 * 2];
};

/* The shard whose thread this is: libfuse hands its callbacks nothing of the kind. */
struct shard *shard_self(void);

/* Runs `fn(arg)` on the control thread, some time. */
void fs_tell_control(struct fs *f, void (*fn)(void *arg), void *arg);

/*
 * The path of (`n`, `name`) as the protocol wants it, in slot 0 or 1 of the
 * shard's own, until the next call for that slot.
 */
int shard_path(struct shard *sh, const struct node *n, const char *name, unsigned int slot,
	       struct slice *out);

/* An operation ended: the shard may be waiting for it. */
void shard_op_ended(struct shard *sh);

/* dev.c: starts and stops reading requests. */
int dev_start(struct shard *sh);
void dev_stop(struct shard *sh);

/* ops.c */
extern const struct fuse_lowlevel_ops fs_ops;

#endif
