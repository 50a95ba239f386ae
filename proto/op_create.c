/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pkt.h"

#include <assert.h>
#include <errno.h>

#define CREATE_NAME_OFF (SMB2_HDR_LEN + 56)

void smb_create(struct pkt *p, struct req *r, const struct smb_create *a)
{
	struct wr *w = &p->w;

	assert(a->path.n <= UINT16_MAX);
	pkt_add(p, r, SMB2_CREATE, false);
	wr_u16(w, 57);
	wr_u8(w, 0);		/* SecurityFlags */
	wr_u8(w, SMB2_OPLOCK_LEVEL_NONE);
	wr_u32(w, SMB2_IMPERSONATION);
	wr_u64(w, 0);		/* SmbCreateFlags */
	wr_u64(w, 0);		/* Reserved */
	wr_u32(w, a->access);
	wr_u32(w, a->attributes);
	wr_u32(w, a->share);
	wr_u32(w, a->disposition);
	wr_u32(w, a->options);
	wr_u16(w, CREATE_NAME_OFF);
	wr_u16(w, (uint16_t)a->path.n);
	wr_u32(w, 0);		/* CreateContextsOffset */
	wr_u32(w, 0);		/* CreateContextsLength */
	wr_slice(w, a->path);
	if (a->path.n == 0)
		wr_u8(w, 0);	/* Windows wants the buffer that StructureSize counts in */
	pkt_end(p);
}

/* CREATE Response, 2.2.14. */
int smb_create_decode(struct slice pdu, struct smb_create_resp *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	uint16_t size = rd_u16(&r);
	struct slice contexts;
	uint32_t off, len;

	*out = (struct smb_create_resp){ 0 };
	rd_u8(&r);		/* OplockLevel */
	rd_u8(&r);		/* Flags */
	out->action = rd_u32(&r);
	out->attr.btime = rd_u64(&r);
	out->attr.atime = rd_u64(&r);
	out->attr.mtime = rd_u64(&r);
	out->attr.ctime = rd_u64(&r);
	out->attr.alloc = rd_u64(&r);
	out->attr.size = rd_u64(&r);
	out->attr.attributes = rd_u32(&r);
	rd_u32(&r);		/* Reserved2 */
	out->fid.persistent = rd_u64(&r);
	out->fid.volatile_ = rd_u64(&r);
	off = rd_u32(&r);
	len = rd_u32(&r);
	contexts = rd_window(&r, pdu, off, len);

	if (!pkt_ends(&r, pdu, contexts) || size != 89 || !pkt_sizes_ok(&out->attr))
		return -EBADMSG;
	return 0;
}
