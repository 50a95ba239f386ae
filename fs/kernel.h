/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's side of a mount: the directory to mount on, mount(2) as root
 * (real or of a user namespace), fusermount3 as a plain user.  Nothing here
 * touches a mount of our own.  Control thread, or before there are threads.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <sys/types.h>
#include <talloc.h>

#include "diag.h"
#include "opts.h"

struct fuse_args;
struct fuse_session;

/* The directory to mount on, held by `fd` so that nobody can exchange it. */
struct target {
	char *path; /* absolute, without links */
	int fd;	    /* O_PATH */
};

/*
 * Opens `path`.  A dead mount of ours on it (its daemon was killed) is
 * detached first.  `source` already mounted there is an error.  The result is
 * a child of `mem` and closes its descriptor.
 */
int kernel_target(TALLOC_CTX *mem, const char *path, const char *source, struct target **out,
		  struct diag *d);

/* Detaches `path` if what is mounted there is of ours and has no daemon any more. */
void kernel_detach_dead(const char *path);

/* The arguments libfuse needs for fuse_session_new(), to be freed by fuse_opt_free_args(). */
void kernel_args(const struct opts *o, const struct source *src, struct fuse_args *out);

/* Mounts; `*dev` is the st_dev of the mount. */
int kernel_mount(struct fuse_session *se, const struct opts *o, const struct source *src,
		 const struct target *t, dev_t *dev, struct diag *d);

/*
 * Lets the kernel read ahead far enough for SMB.  Not before INIT was answered,
 * which sets it back.  Best effort: only the real root may.
 */
void kernel_raise_read_ahead(dev_t dev);

/* Takes `dev` away from `path`, lazily; nothing happens when it is not (any more) on top there. */
void kernel_unmount(const char *path, dev_t dev);

/* -o remount: read-only or not, and the other flags of the mount itself. */
int kernel_remount(const char *path, const struct opts *o, struct diag *d);

#endif
