/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every fuzz target is made of. */
#ifndef TOUCH_H
#define TOUCH_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Reads each byte of a borrowed slice, so that a sanitizer sees a wrong one. */
static inline void touch(struct slice s)
{
	const volatile uint8_t *p = s.p;

	for (size_t i = 0; i < s.n; i++)
		(void)p[i];
}

/* Traps unless `s` is empty or lies within `outer`. */
static inline void touch_within(struct slice s, struct slice outer)
{
	if (s.n != 0 && (s.p < outer.p || s.n > outer.n || s.p > outer.p + (outer.n - s.n)))
		__builtin_trap();
	touch(s);
}

#endif
