/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pkt.h"

/* CLOSE Request, 2.2.15. */
void smb_close(struct pkt *p, struct req *r, const struct smb_fid *fid, uint16_t flags)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_CLOSE, fid == NULL);
	wr_u16(w, 24);
	wr_u16(w, flags);
	wr_u32(w, 0);		/* Reserved */
	pkt_fid(w, fid);
	pkt_end(p);
}
