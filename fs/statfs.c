/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ops.h"

#include <errno.h>

#include "op.h"
#include "reply.h"

/* Desktops ask again and again; the numbers are out of date at once anyway. */
#define STATFS_AGE_NS NS_PER_S
#define STATFS_NAME_MAX 255

static void statfs_size_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct op *op = r->ctx;
	struct smb_fs_size size;

	err = op_status(r, err, status);
	if (err == 0)
		err = smb_fs_size_decode(pdu, &size);
	if (err == 0) {
		op->sh->statfs = (struct statvfs){
			.f_bsize = size.unit,
			.f_frsize = size.unit,
			.f_blocks = size.total,
			.f_bfree = size.free,
			.f_bavail = size.avail,
			.f_namemax = STATFS_NAME_MAX,
		};
		op->sh->statfs_ns = loop_now_ns();
	}
	op_done(r, err);
}

static void statfs_done(struct op *op)
{
	int err = op_error(op);

	/* Old numbers are better than none, as long as the server is away. */
	if (err != 0 && op->sh->statfs_ns == 0)
		fs_reply_err(op, err);
	else
		fs_reply_statfs(op, &op->sh->statfs);
	op_end(op);
}

void ops_statfs(fuse_req_t fr, fuse_ino_t ino)
{
	struct shard *sh = shard_self();
	struct op *op = op_new(sh, fr, &sh->stats.statfs);
	struct slice path;
	struct pkt p;

	(void)ino;
	if (sh->statfs_ns != 0 && (chan_error(sh->chan) != 0 ||
				   loop_now_ns() - sh->statfs_ns < STATFS_AGE_NS)) {
		fs_reply_statfs(op, &sh->statfs);
		op_end(op);
		return;
	}
	if (!op_set_node(op, &op->node, INODE_ROOT))
		return;
	if (!op_path(op, op->node, NULL, &path))
		return;
	op_begin(op, &p, path.n);
	op_create(op, &p, path, FILE_READ_ATTRIBUTES, 0, FILE_OPEN, FILE_DIRECTORY_FILE);
	smb_query_info(&p, op_req(op, statfs_size_done), NULL, SMB2_0_INFO_FILESYSTEM,
		       FS_FULL_SIZE_INFORMATION, SMB_FS_SIZE_LEN);
	op_close(op, &p);
	op_send(op, &p, statfs_done);
}
