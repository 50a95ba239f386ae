/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SMB attributes to and from what POSIX shows of a file.  Pure functions. */
#ifndef ATTR_H
#define ATTR_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include "fs.h"
#include "smb.h"

static inline bool attr_is_dir(const struct smb_attr *a)
{
	return (a->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

/* Any time of either side has an answer on the other; what does not fit is clamped. */
struct timespec attr_time_from_nt(uint64_t nt);
uint64_t attr_time_to_nt(struct timespec ts);

/* Type and permission bits. */
mode_t attr_mode(const struct fs_config *cfg, const struct smb_attr *a);

/* `ino` when the server numbers no files. */
void attr_to_stat(const struct fs_config *cfg, const struct smb_attr *a, uint64_t ino,
		  struct stat *st);

/*
 * What SET_INFO must be told so that the file's owner may write, or may not:
 * 0 = nothing.  Only FILE_ATTRIBUTE_READONLY can hold a part of a mode.
 */
uint32_t attr_for_mode(const struct smb_attr *a, mode_t mode);
/* The attributes of a file that can be deleted. */
uint32_t attr_writable(const struct smb_attr *a);

#endif
