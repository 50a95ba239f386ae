/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Pooled I/O buffers with headroom.  A pool belongs to one thread, and so do
 * its buffers; a buffer crosses threads only with the channel that holds it,
 * and the channel's pool with both (buf_adopt).  Running out of memory aborts:
 * the data path has no sensible answer to it, and Linux overcommits anyway.
 *
 *	mem                off            off + len              cap
 *	 |    headroom      |  valid bytes   |     tailroom        |
 */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/*
 * In front of every SMB2 message: length prefix (4) and transform header (52),
 * filled in when the message is sealed.
 */
#define BUF_HEADROOM 56u

/*
 * /dev/fuse is read at this offset: its two headers (80 bytes) then end where
 * the four of SMB (4 + 52 + 64 + 48) end, so a WRITE's payload never moves.
 */
#define BUF_FUSE_OFF 96u
#define BUF_FUSE_HDRS 80u

/* The largest payload of one READ or WRITE, and of one directory page. */
#define BUF_MAX_IO (1024u * 1024u)

/* Room for BUF_MAX_IO and every header in front of and behind it. */
#define BUF_LARGE (BUF_MAX_IO + 4096u)

struct bufpool;

struct buf {
	struct buf *next; /* freelist, or a queue of the owner's */
	struct bufpool *pool;
	uint32_t cap, off, len;
	_Alignas(16) uint8_t mem[]; /* and so is BUF_FUSE_OFF: libfuse casts what is there */
};

struct bufpool *bufpool_new(void);
/* All buffers of the pool must have been freed. */
void bufpool_free(struct bufpool *p);
/* Bytes of memory the pool holds, in use and free. */
size_t bufpool_bytes(const struct bufpool *p);

/*
 * A buffer with at least `cap` bytes, 1 <= cap <= 16 MiB; off and len are 0.
 * Contents are whatever they were.  Never NULL.
 */
struct buf *buf_new(struct bufpool *p, size_t cap);
void buf_free(struct buf *b); /* NULL is fine */

static inline uint8_t *buf_data(struct buf *b)
{
	return b->mem + b->off;
}

static inline struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->mem + b->off, b->len);
}

#endif
