/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "inode.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ITAB_MIN_SIZE 256u

struct itab {
	pthread_mutex_t lock;
	uint64_t last_id;
	size_t size, count;	      /* buckets of both hashes (a power of two), nodes */
	struct node **by_id, **by_name;
};

static void *itab_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		abort();
	return p;
}

static uint64_t hash_mix(uint64_t h)
{
	h *= 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static uint64_t hash_name(const struct node *parent, const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull ^ parent->id;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return hash_mix(h);
}

static struct node **itab_id_slot(const struct itab *t, uint64_t id)
{
	return &t->by_id[hash_mix(id) & (t->size - 1)];
}

static struct node **itab_name_slot(const struct itab *t, uint64_t hash)
{
	return &t->by_name[hash & (t->size - 1)];
}

static void itab_hash_name(struct itab *t, struct node *n)
{
	struct node **slot = itab_name_slot(t, n->name_hash);

	n->next_name = *slot;
	*slot = n;
}

static void itab_resize(struct itab *t, size_t size)
{
	struct node **old = t->by_id;
	size_t old_size = t->size;

	free(t->by_name);
	t->size = size;
	t->by_id = itab_alloc(size, sizeof(*t->by_id));
	t->by_name = itab_alloc(size, sizeof(*t->by_name));
	for (size_t i = 0; i < old_size; i++) {
		for (struct node *n = old[i], *next; n != NULL; n = next) {
			struct node **slot = itab_id_slot(t, n->id);

			next = n->next_id;
			n->next_id = *slot;
			*slot = n;
			if (n->name != NULL)
				itab_hash_name(t, n);
		}
	}
	free(old);
}

static struct node *itab_add(struct itab *t, uint64_t file_id, bool is_dir)
{
	struct node *n = itab_alloc(1, sizeof(*n)), **slot;

	if (t->count >= t->size)
		itab_resize(t, 2 * t->size);
	n->id = ++t->last_id;
	n->file_id = file_id;
	n->is_dir = is_dir;
	n->refs = 1;
	n->write_last = &n->write_first;
	slot = itab_id_slot(t, n->id);
	n->next_id = *slot;
	*slot = n;
	t->count++;
	return n;
}

struct itab *itab_new(void)
{
	struct itab *t = itab_alloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	t->size = ITAB_MIN_SIZE;
	t->by_id = itab_alloc(t->size, sizeof(*t->by_id));
	t->by_name = itab_alloc(t->size, sizeof(*t->by_name));
	itab_add(t, 0, true);
	return t;
}

void itab_each(struct itab *t, void (*fn)(struct node *n, void *arg), void *arg)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->size; i++) {
		for (struct node *n = t->by_id[i]; n != NULL; n = n->next_id)
			fn(n, arg);
	}
	pthread_mutex_unlock(&t->lock);
}

void itab_free(struct itab *t, void (*drop)(struct node *n, void *arg), void *arg)
{
	if (t == NULL)
		return;
	itab_each(t, drop, arg);
	for (size_t i = 0; i < t->size; i++) {
		for (struct node *n = t->by_id[i], *next; n != NULL; n = next) {
			next = n->next_id;
			free(n->name);
			free(n);
		}
	}
	free(t->by_id);
	free(t->by_name);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

size_t itab_count(struct itab *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->count;
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* Takes the name away and returns the parent, whose reference is now the caller's. */
static struct node *itab_unhash(struct itab *t, struct node *n)
{
	struct node *parent = n->parent, **at;

	if (n->name == NULL)
		return NULL;
	for (at = itab_name_slot(t, n->name_hash); *at != n; at = &(*at)->next_name)
		;
	*at = n->next_name;
	free(n->name);
	n->name = NULL;
	n->parent = NULL;
	return parent;
}

/* The lock is held.  A chain of parents may go with it: by a loop, for it may be long. */
static void itab_drop(struct itab *t, struct node *n)
{
	while (n != NULL && n->refs == 0 && n->n_lookup == 0 && n->id != INODE_ROOT) {
		struct node *parent = itab_unhash(t, n), **at;

		assert(n->handles == NULL && n->write_first == NULL && n->waiting == NULL);
		for (at = itab_id_slot(t, n->id); *at != n; at = &(*at)->next_id)
			;
		*at = n->next_id;
		free(n);
		t->count--;
		if (t->size > ITAB_MIN_SIZE && t->count < t->size / 8)
			itab_resize(t, t->size / 2);
		n = parent;
		if (n != NULL)
			n->refs--;
	}
}

static void itab_put(struct itab *t, struct node *n)
{
	if (n == NULL)
		return;
	assert(n->refs > 0);
	n->refs--;
	itab_drop(t, n);
}

static struct node *itab_find_locked(struct itab *t, uint64_t id)
{
	struct node *n = *itab_id_slot(t, id);

	while (n != NULL && n->id != id)
		n = n->next_id;
	return n;
}

static struct node *itab_lookup_locked(struct itab *t, const struct node *parent, const char *name)
{
	uint64_t hash = hash_name(parent, name);
	struct node *n = *itab_name_slot(t, hash);

	while (n != NULL && (n->name_hash != hash || n->parent != parent ||
			     strcmp(n->name, name) != 0))
		n = n->next_name;
	return n;
}

static void itab_link(struct itab *t, struct node *n, struct node *parent, const char *name)
{
	n->name = strdup(name);
	if (n->name == NULL)
		abort();
	n->name_hash = hash_name(parent, name);
	n->parent = parent;
	parent->refs++;
	itab_hash_name(t, n);
}

struct node *itab_find(struct itab *t, uint64_t id)
{
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = itab_find_locked(t, id);
	if (n != NULL)
		n->refs++;
	pthread_mutex_unlock(&t->lock);
	return n;
}

struct node *itab_lookup(struct itab *t, struct node *parent, const char *name)
{
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = itab_lookup_locked(t, parent, name);
	if (n != NULL)
		n->refs++;
	pthread_mutex_unlock(&t->lock);
	return n;
}

struct node *node_get(struct itab *t, struct node *n)
{
	pthread_mutex_lock(&t->lock);
	n->refs++;
	pthread_mutex_unlock(&t->lock);
	return n;
}

void node_put(struct itab *t, struct node *n)
{
	if (n == NULL)
		return;
	pthread_mutex_lock(&t->lock);
	itab_put(t, n);
	pthread_mutex_unlock(&t->lock);
}

static void itab_unlink_locked(struct itab *t, struct node *n)
{
	struct node *parent;

	if (n == NULL)
		return;
	parent = itab_unhash(t, n);
	itab_put(t, parent);
	itab_drop(t, n);
}

struct node *itab_enter(struct itab *t, struct node *parent, const char *name, uint64_t file_id,
			bool is_dir)
{
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = itab_lookup_locked(t, parent, name);
	if (n != NULL && (n->is_dir != is_dir || n->hidden ||
			  (n->file_id != 0 && file_id != 0 && n->file_id != file_id))) {
		itab_unlink_locked(t, n);
		n = NULL;
	}
	if (n == NULL) {
		n = itab_add(t, file_id, is_dir);
		itab_link(t, n, parent, name);
	} else {
		n->refs++;
		if (n->file_id == 0)
			n->file_id = file_id;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

void itab_unlink(struct itab *t, struct node *n)
{
	pthread_mutex_lock(&t->lock);
	itab_unlink_locked(t, n);
	pthread_mutex_unlock(&t->lock);
}

void itab_move(struct itab *t, struct node *n, struct node *parent, const char *name, bool hide)
{
	struct node *there, *old;

	pthread_mutex_lock(&t->lock);
	there = itab_lookup_locked(t, parent, name);
	if (n->name != NULL && there != n) {
		itab_unlink_locked(t, there);
		old = itab_unhash(t, n);
		itab_link(t, n, parent, name);
		itab_put(t, old);
	}
	n->hidden = hide;
	pthread_mutex_unlock(&t->lock);
}

void node_remember(struct itab *t, struct node *n)
{
	pthread_mutex_lock(&t->lock);
	n->n_lookup++;
	pthread_mutex_unlock(&t->lock);
}

/* The number comes from the kernel: more than was told ends at none. */
void itab_forget(struct itab *t, uint64_t id, uint64_t n_lookup)
{
	struct node *n;

	pthread_mutex_lock(&t->lock);
	n = itab_find_locked(t, id);
	if (n != NULL) {
		n->n_lookup -= n_lookup < n->n_lookup ? n_lookup : n->n_lookup;
		itab_drop(t, n);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Puts `s` in front of what is at `out + at`; the new beginning, or 0 when it does not fit. */
static size_t path_prepend(char *out, size_t at, size_t cap, const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return at;
	if (at < cap) {
		if (at < 2)
			return 0;
		out[--at] = '/';
	}
	if (n >= at)
		return 0;
	memcpy(out + at - n, s, n);
	return at - n;
}

int node_path(struct itab *t, const struct node *n, const char *subdir, const char *name, char *out,
	      size_t cap)
{
	size_t at = cap;
	int err = 0;

	if (name != NULL)
		at = path_prepend(out, at, cap, name);
	pthread_mutex_lock(&t->lock);
	for (; at != 0 && n->id != INODE_ROOT; n = n->parent) {
		if (n->name == NULL) {
			err = -ESTALE;
			break;
		}
		at = path_prepend(out, at, cap, n->name);
	}
	pthread_mutex_unlock(&t->lock);
	if (err != 0)
		return err;
	if (at != 0)
		at = path_prepend(out, at, cap, subdir);
	if (at == 0)
		return -ENAMETOOLONG;
	memmove(out, out + at, cap - at);
	return (int)(cap - at);
}
