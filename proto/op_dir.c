/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pkt.h"

#define QUERY_DIR_NAME_OFF (SMB2_HDR_LEN + 32)

/* QUERY_DIRECTORY Request, 2.2.33. */
void smb_query_dir(struct pkt *p, struct req *r, const struct smb_fid *fid, uint8_t flags,
		   uint32_t out_len)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_QUERY_DIRECTORY, fid == NULL);
	r->charge = pkt_charge(out_len);
	wr_u16(w, 33);
	wr_u8(w, FILE_ID_FULL_DIRECTORY_INFORMATION);
	wr_u8(w, flags);
	wr_u32(w, 0);		/* FileIndex */
	pkt_fid(w, fid);
	wr_u16(w, QUERY_DIR_NAME_OFF);
	wr_u16(w, 2);
	wr_u32(w, out_len);
	wr_u16(w, '*');
	pkt_end(p);
}

/* QUERY_DIRECTORY Response, 2.2.34: field by field that of QUERY_INFO. */
int smb_query_dir_decode(struct slice pdu, uint32_t asked, struct slice *page)
{
	return smb_query_info_decode(pdu, asked, page);
}

void smb_dir_iter_init(struct smb_dir_iter *it, struct slice page)
{
	*it = (struct smb_dir_iter){ .page = page };
}

/*
 * FileIdFullDirectoryInformation, [MS-FSCC] 2.4.18.  A page without any entry
 * is malformed too: the end of a directory is a status, and whoever took such
 * a page for progress would ask for the next one for ever.
 */
bool smb_dir_iter_next(struct smb_dir_iter *it, struct smb_dirent *out)
{
	struct slice entry;
	uint32_t step, name_len;
	struct rd r;

	if (it->last || it->bad)
		return false;

	r = rd_at(it->page, it->next);
	entry = slice_of(r.p, rd_left(&r));
	step = rd_u32(&r);
	if (step % 8 != 0 || step > rd_left(&r)) {
		it->bad = true;
		return false;
	}
	if (step != 0)
		entry.n = step;

	*out = (struct smb_dirent){ 0 };
	r = rd_at(entry, 0);
	rd_u32(&r);		/* NextEntryOffset */
	rd_u32(&r);		/* FileIndex */
	out->attr.btime = rd_u64(&r);
	out->attr.atime = rd_u64(&r);
	out->attr.mtime = rd_u64(&r);
	out->attr.ctime = rd_u64(&r);
	out->attr.size = rd_u64(&r);
	out->attr.alloc = rd_u64(&r);
	out->attr.attributes = rd_u32(&r);
	name_len = rd_u32(&r);
	rd_u32(&r);		/* EaSize */
	rd_u32(&r);		/* Reserved */
	out->attr.file_id = pkt_file_id(rd_u64(&r));
	out->name = rd_bytes(&r, name_len);

	if (!rd_ok(&r) || !pkt_sizes_ok(&out->attr)) {
		it->bad = true;
		return false;
	}
	it->next += step;
	it->last = step == 0;
	return true;
}
