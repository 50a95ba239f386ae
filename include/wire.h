/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading and writing of wire formats.
 *
 * A slice is a borrowed view; whoever owns the bytes outlives every slice of
 * them.  A reader is a cursor that checks every step: a short read poisons it,
 * everything after reads as zero, and rd_ok() says so once at the end.  A
 * writer fills a buffer whose size we computed ourselves, so overflow there is
 * our own bug and traps.  All integers are little-endian unless named _be.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *p;
	size_t n;
};

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){ .p = p, .n = n };
}

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

/* A reader over `s`, starting `off` bytes into it. */
static inline struct rd rd_at(struct slice s, size_t off)
{
	if (off > s.n)
		return (struct rd){ .bad = true };
	if (s.n == 0)
		return (struct rd){ 0 };
	return (struct rd){ .p = s.p + off, .end = s.p + s.n };
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

static inline struct slice rd_bytes(struct rd *r, size_t n)
{
	struct slice s = { .p = r->p, .n = n };

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return (struct slice){ 0 };
	}
	if (n != 0)
		r->p += n;
	return s;
}

#define RD_DEFINE(name, type, width)                                      \
	static inline type name(struct rd *r)                             \
	{                                                                 \
		struct slice s = rd_bytes(r, width);                      \
		uint64_t v = 0;                                           \
                                                                          \
		for (size_t i = s.n; i > 0; i--)                          \
			v = v << 8 | s.p[i - 1];                          \
		return (type)v;                                           \
	}
RD_DEFINE(rd_u8, uint8_t, 1)
RD_DEFINE(rd_u16, uint16_t, 2)
RD_DEFINE(rd_u32, uint32_t, 4)
RD_DEFINE(rd_u64, uint64_t, 8)
#undef RD_DEFINE

/*
 * The (offset, length) pair of SMB2, relative to the start of `msg`.  The
 * window must lie wholly behind the reader, so that a body cannot point back
 * into its own fixed part.  An empty window is valid wherever it points.
 */
static inline struct slice rd_window(struct rd *r, struct slice msg, uint32_t off, uint32_t len)
{
	size_t behind;

	if (r->bad || len == 0)
		return (struct slice){ 0 };
	behind = (size_t)(r->p - msg.p);
	if (off < behind || off > msg.n || len > msg.n - off) {
		r->bad = true;
		return (struct slice){ 0 };
	}
	return (struct slice){ .p = msg.p + off, .n = len };
}

struct wr {
	uint8_t *start, *p, *end;
};

static inline struct wr wr_to(void *p, size_t n)
{
	return (struct wr){ .start = p, .p = p, .end = (uint8_t *)p + n };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for `n` bytes that the caller fills. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *at = w->p;

	if (n > (size_t)(w->end - w->p))
		__builtin_trap();
	w->p += n;
	return at;
}

static inline void wr_bytes(struct wr *w, const void *p, size_t n)
{
	if (n != 0)
		memcpy(wr_room(w, n), p, n);
}

static inline void wr_slice(struct wr *w, struct slice s)
{
	wr_bytes(w, s.p, s.n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	if (n != 0)
		memset(wr_room(w, n), 0, n);
}

static inline void put_le(uint8_t *at, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	*wr_room(w, 1) = v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	put_le(wr_room(w, 2), v, 2);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	put_le(wr_room(w, 4), v, 4);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	put_le(wr_room(w, 8), v, 8);
}

/* Zero bytes until the length written is a multiple of `to` (a power of two). */
static inline void wr_align(struct wr *w, size_t to)
{
	wr_zero(w, -wr_len(w) & (to - 1));
}

#endif
