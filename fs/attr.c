/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "attr.h"

#define NT_PER_S 10000000ll
#define NSEC_PER_NT 100
/* st_blksize: what programs copy with; less than a request, so that several can be in flight. */
#define ATTR_BLKSIZE (128 * 1024)
#define ATTR_WRITE_BITS 0222

/* What SET_INFO takes; the others are the file system's own. */
#define ATTR_SETTABLE                                                                  \
	(FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |     \
	 FILE_ATTRIBUTE_ARCHIVE)

struct timespec attr_time_from_nt(uint64_t nt)
{
	int64_t t = nt > INT64_MAX ? INT64_MAX : (int64_t)nt;
	struct timespec ts;

	t -= (int64_t)NT_TIME_UNIX_EPOCH;
	ts.tv_sec = t / NT_PER_S;
	ts.tv_nsec = t % NT_PER_S * NSEC_PER_NT;
	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += 1000000000;
	}
	return ts;
}

uint64_t attr_time_to_nt(struct timespec ts)
{
	const int64_t first = -(int64_t)(NT_TIME_UNIX_EPOCH / NT_PER_S);
	const int64_t last = (INT64_MAX - (int64_t)NT_TIME_UNIX_EPOCH) / NT_PER_S - 1;

	if (ts.tv_sec < first)
		return 1;	/* 0 would mean "leave alone" */
	if (ts.tv_sec > last)
		ts.tv_sec = last;
	return (uint64_t)(ts.tv_sec * NT_PER_S + ts.tv_nsec / NSEC_PER_NT) + NT_TIME_UNIX_EPOCH;
}

mode_t attr_mode(const struct fs_config *cfg, const struct smb_attr *a)
{
	if (attr_is_dir(a))
		return S_IFDIR | cfg->dir_mode;
	if (a->attributes & FILE_ATTRIBUTE_READONLY)
		return S_IFREG | (cfg->file_mode & ~ATTR_WRITE_BITS);
	return S_IFREG | cfg->file_mode;
}

void attr_to_stat(const struct fs_config *cfg, const struct smb_attr *a, uint64_t ino,
		  struct stat *st)
{
	uint64_t atime = a->atime != 0 ? a->atime : a->mtime;
	uint64_t ctime = a->ctime != 0 ? a->ctime : a->mtime;

	*st = (struct stat){
		.st_ino = a->file_id != 0 ? a->file_id : ino,
		.st_mode = attr_mode(cfg, a),
		.st_nlink = a->nlink != 0 ? a->nlink : 1,
		.st_uid = cfg->uid,
		.st_gid = cfg->gid,
		.st_size = (off_t)a->size,
		.st_blksize = ATTR_BLKSIZE,
		.st_blocks = (blkcnt_t)(a->alloc / 512 + (a->alloc % 512 != 0)),
		.st_atim = attr_time_from_nt(atime),
		.st_mtim = attr_time_from_nt(a->mtime),
		.st_ctim = attr_time_from_nt(ctime),
	};
	if (attr_is_dir(a)) {
		st->st_size = 0;
		st->st_blocks = 0;
		st->st_nlink = 2;
	}
}

static uint32_t attr_settable(uint32_t attributes)
{
	attributes &= ATTR_SETTABLE;
	/* 0 would mean "leave alone". */
	return attributes != 0 ? attributes : FILE_ATTRIBUTE_NORMAL;
}

uint32_t attr_writable(const struct smb_attr *a)
{
	return attr_settable(a->attributes & ~FILE_ATTRIBUTE_READONLY);
}

uint32_t attr_for_mode(const struct smb_attr *a, mode_t mode)
{
	bool now = (a->attributes & FILE_ATTRIBUTE_READONLY) != 0;
	bool wanted = (mode & S_IWUSR) == 0;

	if (attr_is_dir(a) || now == wanted)
		return 0;
	return wanted ? attr_settable(a->attributes | FILE_ATTRIBUTE_READONLY) : attr_writable(a);
}
