/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The inode table: what the kernel calls nodeid, and the path that stands for
 * it on the server.  The table has one lock, held for a look-up and never
 * across I/O; everything in the first half of a node is guarded by it.  The
 * second half belongs to the shard's thread.
 *
 * A nodeid comes from a counter and is never used twice.  A node is found by
 * (parent, name) for as long as it is linked; once its name is gone, or means
 * another file, it is unlinked: operations by path give -ESTALE, open handles
 * go on working.  References are counted (operations, handles, children), the
 * kernel's lookups apart from them; the last of both frees the node.
 */
#ifndef INODE_H
#define INODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smb.h"

#define INODE_ROOT 1u

/* A path of the protocol's longest, 32 KiB of UTF-16, takes so much as UTF-8. */
#define INODE_PATH_MAX (3u * 16384u)

struct handle;
struct op;

struct node {
	uint64_t id;
	struct node *next_id, *next_name; /* hash chains */
	struct node *parent;		  /* referenced; NULL for the root and once unlinked */
	char *name;			  /* NULL likewise */
	uint64_t name_hash;
	uint64_t file_id;		  /* the server's; 0 = unknown */
	uint64_t n_lookup;
	uint32_t refs;
	bool is_dir;
	bool hidden; /* deleted, but for open handles: its name is our own invention */

	struct smb_attr attr;	 /* what the kernel was last told */
	uint64_t attr_as_of;	 /* write_seq when the server was asked; NODE_UNSETTLED */
	uint64_t changed_ns;	 /* when we last changed it, or a name in it; loop clock */
	struct handle *handles;
	uint32_t n_opening;	 /* handles to be */
	struct op *write_first, **write_last; /* in flight, by write_seq */
	uint64_t write_seq;	 /* of the last one begun */
	struct op *waiting;	 /* operations that wait for writes */
};

/* Writes were in flight when the server was asked: its answer may be older than they are. */
#define NODE_UNSETTLED UINT64_MAX

struct itab;

struct itab *itab_new(void);
/* `drop` is called for every node that is left; then all of them are freed. */
void itab_free(struct itab *t, void (*drop)(struct node *n, void *arg), void *arg);
/* Calls `fn` for every node; it must not call back into the table. */
void itab_each(struct itab *t, void (*fn)(struct node *n, void *arg), void *arg);
size_t itab_count(struct itab *t);

/* All of these return a reference, or NULL. */
struct node *itab_find(struct itab *t, uint64_t id);
struct node *itab_lookup(struct itab *t, struct node *parent, const char *name);
struct node *node_get(struct itab *t, struct node *n);
void node_put(struct itab *t, struct node *n); /* NULL is fine */

/*
 * The node for what the server says is at (parent, name): the one that is
 * there if it is the same file, else a new one, and the old one is unlinked.
 * `file_id` 0 matches any file.
 */
struct node *itab_enter(struct itab *t, struct node *parent, const char *name, uint64_t file_id,
			bool is_dir);

/* The name is gone. */
void itab_unlink(struct itab *t, struct node *n);
/* Renames, hides; what was linked there is unlinked.  Does nothing if `n` is not linked itself. */
void itab_move(struct itab *t, struct node *n, struct node *parent, const char *name, bool hide);

static inline void node_told(struct node *n, const struct smb_attr *a, uint64_t as_of)
{
	n->attr = *a;
	n->attr_as_of = as_of;
}

/* The kernel was told (+1) or takes back (-n). */
void node_remember(struct itab *t, struct node *n);
void itab_forget(struct itab *t, uint64_t id, uint64_t n_lookup);

/*
 * Writes "subdir/a/b[/name]" (`name` NULL: the node itself) without a NUL.
 * Length, -ESTALE when the node or one above it is unlinked, -ENAMETOOLONG.
 */
int node_path(struct itab *t, const struct node *n, const char *subdir, const char *name, char *out,
	      size_t cap);

#endif
