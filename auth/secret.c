/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SECRET_MAX 65536u

/* What secret_new() maps; whole pages, as mlock() and madvise() want them. */
struct secret_map {
	struct secret s;
	size_t len; /* of the mapping */
	alignas(16) uint8_t bytes[];
};

struct secret *secret_new(size_t size)
{
	size_t len = sizeof(struct secret_map) + size;
	struct secret_map *m;

	assert(size > 0 && size <= SECRET_MAX);
	m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED || madvise(m, len, MADV_DONTDUMP) != 0)
		abort();
	/*
	 * Refused where RLIMIT_MEMLOCK is small: swap may see it then, a core
	 * file never.  Sanitizers would make a plain mlock() do nothing.
	 */
	(void)mlock2(m, len, 0);
	m->len = len;
	m->s.n = size;
	m->s.p = m->bytes;
	return &m->s;
}

void secret_free(struct secret *s)
{
	struct secret_map *m = (struct secret_map *)(void *)s;

	if (s == NULL)
		return;
	explicit_bzero(m->bytes, m->len - sizeof(*m));
	munmap(m, m->len);
}
