/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pkt.h"

#include <assert.h>
#include <errno.h>

#define SET_INFO_DATA_OFF (SMB2_HDR_LEN + 32)
/* With its Padding the structure has at least 24 bytes: a name of one character needs some. */
#define RENAME_INFO_MIN 24u
#define RENAME_INFO_FIXED 20u

/* QUERY_INFO Request, 2.2.37. */
void smb_query_info(struct pkt *p, struct req *r, const struct smb_fid *fid, uint8_t type,
		    uint8_t info_class, uint32_t out_len)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_QUERY_INFO, fid == NULL);
	r->charge = pkt_charge(out_len);
	wr_u16(w, 41);
	wr_u8(w, type);
	wr_u8(w, info_class);
	wr_u32(w, out_len);
	wr_u16(w, 0);		/* InputBufferOffset */
	wr_u16(w, 0);		/* Reserved */
	wr_u32(w, 0);		/* InputBufferLength */
	wr_u32(w, 0);		/* AdditionalInformation */
	wr_u32(w, 0);		/* Flags */
	pkt_fid(w, fid);
	wr_u8(w, 0);		/* the byte of buffer that StructureSize counts in */
	pkt_end(p);
}

/* QUERY_INFO Response, 2.2.38. */
int smb_query_info_decode(struct slice pdu, uint32_t asked, struct slice *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	uint16_t size = rd_u16(&r);
	uint16_t off = rd_u16(&r);
	uint32_t len = rd_u32(&r);

	*out = rd_window(&r, pdu, off, len);

	if (!pkt_ends(&r, pdu, *out) || size != 9 || len > asked)
		return -EBADMSG;
	return 0;
}

int smb_all_info_decode(struct slice info, struct smb_attr *out)
{
	struct rd r = rd_at(info, 0);

	*out = (struct smb_attr){ 0 };
	out->btime = rd_u64(&r);	/* Basic */
	out->atime = rd_u64(&r);
	out->mtime = rd_u64(&r);
	out->ctime = rd_u64(&r);
	out->attributes = rd_u32(&r);
	rd_u32(&r);			/* Reserved */
	out->alloc = rd_u64(&r);	/* Standard */
	out->size = rd_u64(&r);
	out->nlink = rd_u32(&r);
	out->delete_pending = rd_u8(&r) != 0;
	rd_u8(&r);			/* Directory: in the attributes as well */
	rd_u16(&r);			/* Reserved */
	out->file_id = pkt_file_id(rd_u64(&r)); /* Internal */
	rd_u32(&r);			/* EaSize */
	rd_u32(&r);			/* AccessFlags */
	rd_u64(&r);			/* CurrentByteOffset */
	rd_u32(&r);			/* Mode */
	rd_u32(&r);			/* AlignmentRequirement */
	rd_u32(&r);			/* FileNameLength */

	if (!rd_ok(&r) || !pkt_sizes_ok(out))
		return -EBADMSG;
	return 0;
}

int smb_query_all_decode(struct slice pdu, struct smb_attr *out)
{
	struct slice info;
	int err;

	err = smb_query_info_decode(pdu, SMB_ALL_INFO_MAX, &info);
	if (err != 0)
		return err;
	return smb_all_info_decode(info, out);
}

/* FileFsFullSizeInformation, [MS-FSCC] 2.5.4. */
int smb_fs_size_decode(struct slice pdu, struct smb_fs_size *out)
{
	uint32_t sectors, sector_len;
	struct slice info;
	uint64_t unit;
	struct rd r;
	int err;

	err = smb_query_info_decode(pdu, SMB_FS_SIZE_LEN, &info);
	if (err != 0)
		return err;
	r = rd_at(info, 0);
	out->total = rd_u64(&r);
	out->avail = rd_u64(&r);
	out->free = rd_u64(&r);
	sectors = rd_u32(&r);
	sector_len = rd_u32(&r);
	unit = (uint64_t)sectors * sector_len;
	out->unit = (uint32_t)unit;

	if (!rd_ok(&r) || unit == 0 || unit > UINT32_MAX)
		return -EBADMSG;
	return 0;
}

/* SET_INFO Request, 2.2.39, up to its `len` bytes of data. */
static void info_set(struct pkt *p, struct req *r, const struct smb_fid *fid, uint8_t info_class,
		     uint32_t len)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_SET_INFO, fid == NULL);
	wr_u16(w, 33);
	wr_u8(w, SMB2_0_INFO_FILE);
	wr_u8(w, info_class);
	wr_u32(w, len);
	wr_u16(w, SET_INFO_DATA_OFF);
	wr_u16(w, 0);		/* Reserved */
	wr_u32(w, 0);		/* AdditionalInformation */
	pkt_fid(w, fid);
}

/* [MS-FSCC] 2.4.7 */
void smb_set_basic(struct pkt *p, struct req *r, const struct smb_fid *fid,
		   const struct smb_basic *b)
{
	struct wr *w = &p->w;

	info_set(p, r, fid, FILE_BASIC_INFORMATION, 40);
	wr_u64(w, b->btime);
	wr_u64(w, b->atime);
	wr_u64(w, b->mtime);
	wr_u64(w, b->ctime);
	wr_u32(w, b->attributes);
	wr_u32(w, 0);		/* Reserved */
	pkt_end(p);
}

/* [MS-FSCC] 2.4.14 */
void smb_set_eof(struct pkt *p, struct req *r, const struct smb_fid *fid, uint64_t size)
{
	info_set(p, r, fid, FILE_END_OF_FILE_INFORMATION, 8);
	wr_u64(&p->w, size);
	pkt_end(p);
}

/* [MS-FSCC] 2.4.11 */
void smb_set_disposition(struct pkt *p, struct req *r, const struct smb_fid *fid, bool remove)
{
	info_set(p, r, fid, FILE_DISPOSITION_INFORMATION, 1);
	wr_u8(&p->w, remove);
	pkt_end(p);
}

/* [MS-FSCC] 2.4.42.2, the form for SMB2 */
void smb_set_rename(struct pkt *p, struct req *r, const struct smb_fid *fid, struct slice path,
		    bool replace)
{
	size_t len = RENAME_INFO_FIXED + path.n, pad = 0;
	struct wr *w = &p->w;

	assert(path.n != 0 && path.n <= UINT16_MAX);
	if (len < RENAME_INFO_MIN)
		pad = RENAME_INFO_MIN - len;
	info_set(p, r, fid, FILE_RENAME_INFORMATION, (uint32_t)(len + pad));
	wr_u8(w, replace);
	wr_zero(w, 7);		/* Reserved */
	wr_u64(w, 0);		/* RootDirectory: the path is the share's */
	wr_u32(w, (uint32_t)path.n);
	wr_slice(w, path);
	wr_zero(w, pad);
	pkt_end(p);
}
