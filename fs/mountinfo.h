/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /proc/self/mountinfo: what is mounted, told without touching any mount. */
#ifndef MOUNTINFO_H
#define MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <talloc.h>

#define MOUNTINFO_TYPE "fuse.smbsecure"

struct mountinfo {
	int id;
	dev_t dev;
	char *target, *type, *source;
	uid_t owner; /* of a FUSE mount */
};

struct mounts {
	size_t n;
	struct mountinfo *list; /* in the order of mounting */
};

/* 0 or negative errno; a child of `mem`.  Any thread. */
int mountinfo_read(TALLOC_CTX *mem, struct mounts **out);

/* The topmost mount at `target`, an absolute path without links; or NULL. */
const struct mountinfo *mountinfo_at(const struct mounts *m, const char *target);

bool mountinfo_is_ours(const struct mountinfo *m);

#endif
