/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the encoders and decoders of single commands share. */
#ifndef PKT_H
#define PKT_H

#include <stdbool.h>
#include <stdint.h>

#include "smb.h"

/* The 64 bytes of 2.2.1; the channel fills in what it numbers, grants and signs. */
void pkt_header(struct wr *w, uint16_t cmd, uint32_t flags, uint32_t tree_id);

/* `r` as the element of the compound `head` whose header is at `hdr_off`. */
void pkt_link(struct req *r, struct req *head, uint16_t cmd, uint32_t hdr_off);

/* CreditCharge, 3.1.5.2, for the larger of what is sent and what may come back. */
static inline uint16_t pkt_charge(uint32_t bytes)
{
	return bytes == 0 ? 1 : (uint16_t)((bytes - 1) / SMB2_PAYLOAD_PER_CREDIT + 1);
}

/* FileId of a request; NULL: the one of the element before, 3.2.4.1.4. */
static inline void pkt_fid(struct wr *w, const struct smb_fid *fid)
{
	wr_u64(w, fid != NULL ? fid->persistent : UINT64_MAX);
	wr_u64(w, fid != NULL ? fid->volatile_ : UINT64_MAX);
}

/*
 * Whether a reply ends with its variable part `window`, or with its fixed part
 * if that is empty.  Servers do send a little more: the one byte of buffer
 * that an odd StructureSize counts in, the last element of a compound padded
 * to 8 (Windows 2016), both together, or 3 stray bytes after WRITE (macOS).
 */
#define PKT_PAD_MAX 8u
static inline bool pkt_ends(const struct rd *r, struct slice pdu, struct slice window)
{
	const uint8_t *end = window.n != 0 ? window.p + window.n : r->p;

	return rd_ok(r) && (size_t)(pdu.p + pdu.n - end) <= PKT_PAD_MAX;
}

/* A FileId of all ones also means that there is none, [MS-FSCC] 2.1.9. */
static inline uint64_t pkt_file_id(uint64_t id)
{
	return id == UINT64_MAX ? 0 : id;
}

/* Sizes of the server's become an off_t: one beyond that is a lie. */
static inline bool pkt_sizes_ok(const struct smb_attr *a)
{
	return a->size <= INT64_MAX && a->alloc <= INT64_MAX;
}

#endif
