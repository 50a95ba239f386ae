/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pkt.h"

#include <assert.h>

#define PKT_ELEMENTS 6u

/*
 * Header, largest fixed part with the data that comes with it (SET_INFO of
 * FileBasicInformation, 32 + 40), padding.
 */
#define PKT_ELEMENT_MAX (SMB2_HDR_LEN + 32u + 40u + 8u)

void pkt_init(struct pkt *p, struct bufpool *pool, uint32_t tree_id, size_t payload)
{
	size_t room = PKT_ELEMENTS * PKT_ELEMENT_MAX + payload;
	struct buf *b = buf_new(pool, BUF_HEADROOM + room);

	b->off = BUF_HEADROOM;
	b->len = 0;
	*p = (struct pkt){
		.pool = pool,
		.tree_id = tree_id,
		.b = b,
		.w = wr_to(buf_data(b), room),
	};
}

void pkt_header(struct wr *w, uint16_t cmd, uint32_t flags, uint32_t tree_id)
{
	wr_u32(w, SMB2_MAGIC);
	wr_u16(w, SMB2_HDR_LEN);
	wr_u16(w, 0);		/* CreditCharge */
	wr_u32(w, 0);		/* ChannelSequence, Reserved */
	wr_u16(w, cmd);
	wr_u16(w, 0);		/* CreditRequest */
	wr_u32(w, flags);
	wr_u32(w, 0);		/* NextCommand */
	wr_u64(w, 0);		/* MessageId */
	wr_u32(w, 0);		/* Reserved */
	wr_u32(w, tree_id);
	wr_u64(w, 0);		/* SessionId */
	wr_zero(w, 16);		/* Signature */
}

void pkt_link(struct req *r, struct req *head, uint16_t cmd, uint32_t hdr_off)
{
	r->next = NULL;
	r->chain = NULL;
	r->head = head;
	r->state = REQ_IDLE;
	r->cmd = cmd;
	r->charge = 1;
	r->n_open = 0;
	r->hdr_off = hdr_off;
	r->mid = 0;
	r->async_id = 0;
	r->cancelled = false;
	r->tx = NULL;
	r->sent_ns = 0;
	head->n_open++;
}

/*
 * A related element is written as if it were alone (3.2.4.1.4): real TreeId
 * and, from the channel, real SessionId; only its FileId is all ones.  Servers
 * that keep to 3.3.5.2.7.2 take all three from the element before, but there
 * are some that look all ones up and fail.
 */
void pkt_add(struct pkt *p, struct req *r, uint16_t cmd, bool related)
{
	uint32_t at;

	assert(p->head != NULL || !related);
	if (p->head != NULL)
		wr_align(&p->w, 8);
	at = BUF_HEADROOM + (uint32_t)wr_len(&p->w);

	if (p->head == NULL) {
		p->head = r;
	} else {
		put_le(p->b->mem + p->tail->hdr_off + SMB2_HDR_NEXT, at - p->tail->hdr_off, 4);
		p->tail->chain = r;
	}
	p->tail = r;
	pkt_link(r, p->head, cmd, at);
	if (r == p->head)
		r->tx = p->b;
	pkt_header(&p->w, cmd, related ? SMB2_FLAGS_RELATED_OPERATIONS : 0, p->tree_id);
}

void pkt_end(struct pkt *p)
{
	p->b->len = (uint32_t)wr_len(&p->w);
}

/* ECHO and LOGOFF, 2.2.28 and 2.2.7, have the same empty body. */
static void pkt_add_empty(struct pkt *p, struct req *r, uint16_t cmd)
{
	pkt_add(p, r, cmd, false);
	wr_u16(&p->w, 4);
	wr_u16(&p->w, 0);
	pkt_end(p);
}

void smb_echo(struct pkt *p, struct req *r)
{
	pkt_add_empty(p, r, SMB2_ECHO);
}

void smb_logoff(struct pkt *p, struct req *r)
{
	pkt_add_empty(p, r, SMB2_LOGOFF);
}
