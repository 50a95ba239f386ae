/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory for keys and passwords: locked, left out of core dumps, wiped when freed. */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>
#include <stdint.h>

struct secret {
	size_t n; /* bytes in use; the size asked for at first, the owner may lower it */
	uint8_t *p;
};

/*
 * `size` zero bytes (1 to 64 KiB) on pages of their own.  Aborts when there is
 * no memory.  A page that cannot be locked (RLIMIT_MEMLOCK) is used all the
 * same: it is still never dumped.  Any thread.
 */
struct secret *secret_new(size_t size);

/* Wipes and releases; NULL is fine.  Any thread. */
void secret_free(struct secret *s);

#endif
