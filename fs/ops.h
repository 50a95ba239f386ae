/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The operations, as libfuse calls them on a shard's thread. */
#ifndef OPS_H
#define OPS_H

#include <fuse_lowlevel.h>

/* lookup.c */
void ops_lookup(fuse_req_t fr, fuse_ino_t parent, const char *name);
void ops_forget(fuse_req_t fr, fuse_ino_t ino, uint64_t n);
void ops_forget_multi(fuse_req_t fr, size_t n, struct fuse_forget_data *list);
void ops_getattr(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_setattr(fuse_req_t fr, fuse_ino_t ino, struct stat *st, int to_set,
		 struct fuse_file_info *fi);

/* open.c */
void ops_open(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_create(fuse_req_t fr, fuse_ino_t parent, const char *name, mode_t mode,
		struct fuse_file_info *fi);
void ops_mknod(fuse_req_t fr, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev);
void ops_release(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi);

/* io.c */
void ops_read(fuse_req_t fr, fuse_ino_t ino, size_t len, off_t off, struct fuse_file_info *fi);
void ops_write(fuse_req_t fr, fuse_ino_t ino, const char *data, size_t len, off_t off,
	       struct fuse_file_info *fi);
void ops_flush(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_fsync(fuse_req_t fr, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* dir.c */
void ops_opendir(fuse_req_t fr, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_readdir(fuse_req_t fr, fuse_ino_t ino, size_t size, off_t off,
		 struct fuse_file_info *fi);
void ops_readdirplus(fuse_req_t fr, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi);
void ops_fsyncdir(fuse_req_t fr, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* namei.c */
void ops_mkdir(fuse_req_t fr, fuse_ino_t parent, const char *name, mode_t mode);
void ops_symlink(fuse_req_t fr, const char *target, fuse_ino_t parent, const char *name);
void ops_link(fuse_req_t fr, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void ops_unlink(fuse_req_t fr, fuse_ino_t parent, const char *name);
void ops_rmdir(fuse_req_t fr, fuse_ino_t parent, const char *name);
void ops_rename(fuse_req_t fr, fuse_ino_t parent, const char *name, fuse_ino_t to,
		const char *name_to, unsigned int flags);

/* statfs.c, xattr.c */
void ops_statfs(fuse_req_t fr, fuse_ino_t ino);
void ops_getxattr(fuse_req_t fr, fuse_ino_t ino, const char *name, size_t size);

#endif
