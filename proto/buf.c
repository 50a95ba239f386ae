/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * Three sizes: requests and small replies; the staging buffer of the receiver
 * and medium frames; and whatever carries BUF_MAX_IO.  The rare larger frame
 * gets a mapping of its own and is given back at once.
 */
static const struct class {
	size_t cap;
	unsigned int keep; /* free buffers kept; more would be idle memory */
} classes[] = {
	{ 2048 - sizeof(struct buf), 512 },
	{ 64 * 1024 + 4096, 32 },
	{ BUF_LARGE, 16 },
};
#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

struct bufpool {
	struct buf *free[N_CLASSES];
	unsigned int n_free[N_CLASSES];
	size_t bytes;
	size_t in_use; /* buffers */
};

struct bufpool *bufpool_new(void)
{
	struct bufpool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		abort();
	return p;
}

/* Large buffers are mappings, so that giving them back really does. */
static struct buf *buf_map(size_t cap)
{
	struct buf *b = mmap(NULL, sizeof(*b) + cap, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED) {
		fprintf(stderr, "smbsecure: out of memory for a buffer of %zu bytes\n", cap);
		abort();
	}
	return b;
}

static void buf_destroy(struct buf *b)
{
	size_t size = sizeof(*b) + b->cap;

	b->pool->bytes -= size;
	if (b->cap >= BUF_LARGE)
		munmap(b, size);
	else
		free(b);
}

void bufpool_free(struct bufpool *p)
{
	if (p == NULL)
		return;
	if (p->in_use != 0)
		abort();
	for (size_t i = 0; i < N_CLASSES; i++) {
		while (p->free[i] != NULL) {
			struct buf *b = p->free[i];

			p->free[i] = b->next;
			buf_destroy(b);
		}
	}
	free(p);
}

size_t bufpool_bytes(const struct bufpool *p)
{
	return p->bytes;
}

struct buf *buf_new(struct bufpool *p, size_t cap)
{
	struct buf *b = NULL;
	size_t i;

	for (i = 0; i < N_CLASSES && cap > classes[i].cap; i++)
		;
	if (i < N_CLASSES) {
		cap = classes[i].cap;
		b = p->free[i];
	}
	if (b != NULL) {
		p->free[i] = b->next;
		p->n_free[i]--;
	} else {
		b = cap >= BUF_LARGE ? buf_map(cap) : malloc(sizeof(*b) + cap);
		if (b == NULL)
			abort();
		b->pool = p;
		b->cap = (uint32_t)cap;
		p->bytes += sizeof(*b) + cap;
	}
	b->next = NULL;
	b->off = 0;
	b->len = 0;
	p->in_use++;
	return b;
}

void buf_free(struct buf *b)
{
	struct bufpool *p;
	size_t i;

	if (b == NULL)
		return;
	p = b->pool;
	p->in_use--;
	for (i = 0; i < N_CLASSES && b->cap != classes[i].cap; i++)
		;
	if (i == N_CLASSES || p->n_free[i] >= classes[i].keep) {
		buf_destroy(b);
		return;
	}
	b->next = p->free[i];
	p->free[i] = b;
	p->n_free[i]++;
}
