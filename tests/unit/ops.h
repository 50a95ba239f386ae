/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages as hex, for the tests of encoders and decoders. */
#ifndef OPS_H
#define OPS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "wire.h"

struct msg {
	uint8_t b[4096];
	size_t n;
};

static inline int msg_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Lower case; blanks are ignored. */
static inline struct msg msg_hex(const char *hex)
{
	struct msg m = { .n = 0 };

	while (*hex != '\0') {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		if (m.n == sizeof(m.b))
			abort();
		m.b[m.n++] = (uint8_t)(msg_digit(hex[0]) << 4 | msg_digit(hex[1]));
		hex += 2;
	}
	return m;
}

/* A copy of exactly its size on the heap, so that a sanitizer sees the end. */
static inline struct slice msg_exact(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n != 0 ? n : 1);

	if (copy == NULL)
		abort();
	if (n != 0)
		memcpy(copy, p, n);
	return slice_of(copy, n);
}

static inline void msg_free(struct slice s)
{
	free((void *)(uintptr_t)s.p);
}

#endif
