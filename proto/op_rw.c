/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pkt.h"

#include <assert.h>
#include <errno.h>

#define RW_BODY_LEN 48u
/* Where the data of a READ reply best starts: right behind its fixed part. */
#define READ_DATA_OFF (SMB2_HDR_LEN + 16)

/* FLUSH Request, 2.2.17. */
void smb_flush(struct pkt *p, struct req *r, const struct smb_fid *fid)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_FLUSH, fid == NULL);
	wr_u16(w, 24);
	wr_u16(w, 0);		/* Reserved1 */
	wr_u32(w, 0);		/* Reserved2 */
	pkt_fid(w, fid);
	pkt_end(p);
}

/* READ Request, 2.2.19. */
void smb_read(struct pkt *p, struct req *r, const struct smb_fid *fid, uint64_t off, uint32_t len)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_READ, fid == NULL);
	r->charge = pkt_charge(len);
	wr_u16(w, 49);
	wr_u8(w, READ_DATA_OFF);
	wr_u8(w, 0);		/* Flags */
	wr_u32(w, len);
	wr_u64(w, off);
	pkt_fid(w, fid);
	wr_u32(w, 0);		/* MinimumCount */
	wr_u32(w, 0);		/* Channel */
	wr_u32(w, 0);		/* RemainingBytes */
	wr_u16(w, 0);		/* ReadChannelInfoOffset */
	wr_u16(w, 0);		/* ReadChannelInfoLength */
	wr_u8(w, 0);		/* the byte of buffer that StructureSize counts in */
	pkt_end(p);
}

/* READ Response, 2.2.20. */
int smb_read_decode(struct slice pdu, uint32_t asked, struct slice *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	uint16_t size = rd_u16(&r);
	uint8_t off = rd_u8(&r);
	uint32_t len;

	rd_u8(&r);		/* Reserved */
	len = rd_u32(&r);
	rd_u32(&r);		/* DataRemaining: RDMA only */
	rd_u32(&r);		/* Flags */
	*out = rd_window(&r, pdu, off, len);

	if (!pkt_ends(&r, pdu, *out) || size != 17 || len > asked)
		return -EBADMSG;
	return 0;
}

/* WRITE Request, 2.2.21. */
void smb_write(struct req *r, struct buf *b, uint32_t tree_id, const struct smb_fid *fid,
	       uint64_t off)
{
	uint32_t len = b->len;
	struct wr w;

	assert(b->off >= SMB_WRITE_HEADROOM);
	b->off -= SMB2_HDR_LEN + RW_BODY_LEN;
	b->len += SMB2_HDR_LEN + RW_BODY_LEN;
	pkt_link(r, r, SMB2_WRITE, b->off);
	r->tx = b;
	r->charge = pkt_charge(len);

	w = wr_to(buf_data(b), SMB2_HDR_LEN + RW_BODY_LEN);
	pkt_header(&w, SMB2_WRITE, 0, tree_id);
	wr_u16(&w, 49);
	wr_u16(&w, SMB2_HDR_LEN + RW_BODY_LEN);
	wr_u32(&w, len);
	wr_u64(&w, off);
	pkt_fid(&w, fid);
	wr_u32(&w, 0);		/* Channel */
	wr_u32(&w, 0);		/* RemainingBytes */
	wr_u16(&w, 0);		/* WriteChannelInfoOffset */
	wr_u16(&w, 0);		/* WriteChannelInfoLength */
	wr_u32(&w, 0);		/* Flags */
}

/* WRITE Response, 2.2.22. */
int smb_write_decode(struct slice pdu, uint32_t asked, uint32_t *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	uint16_t size = rd_u16(&r);

	rd_u16(&r);		/* Reserved */
	*out = rd_u32(&r);
	rd_u32(&r);		/* Remaining */
	rd_u16(&r);		/* WriteChannelInfoOffset */
	rd_u16(&r);		/* WriteChannelInfoLength */

	if (!pkt_ends(&r, pdu, (struct slice){ 0 }) || size != 17 || *out > asked)
		return -EBADMSG;
	return 0;
}
