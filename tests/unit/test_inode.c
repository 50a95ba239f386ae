/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../../fs/inode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static void no_drop(struct node *n, void *arg)
{
	(void)n;
	(void)arg;
}

static struct node *root_of(struct itab *t)
{
	return itab_find(t, INODE_ROOT);
}

/* Reads `path` back; NULL when it has none. */
static const char *path_of(struct itab *t, struct node *n, const char *subdir, const char *name)
{
	static char text[4096];
	int len = node_path(t, n, subdir, name, text, sizeof(text) - 1);

	if (len < 0)
		return NULL;
	text[len] = '\0';
	return text;
}

static void root_is_one_and_stays(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);

	CHECK(root != NULL && root->id == 1 && root->is_dir);
	itab_forget(t, INODE_ROOT, 1000);
	node_put(t, root);
	CHECK(itab_count(t) == 1);
	root = root_of(t);
	CHECK(root != NULL);
	node_put(t, root);
	itab_free(t, no_drop, NULL);
}

static void the_same_file_keeps_its_number(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *a = itab_enter(t, root, "a", 77, false);
	struct node *b = itab_enter(t, root, "a", 77, false);
	struct node *c = itab_enter(t, root, "a", 0, false);

	CHECK(a == b && a == c);
	CHECK(itab_count(t) == 2);
	node_put(t, a);
	node_put(t, b);
	node_put(t, c);
	CHECK(itab_count(t) == 1);
	node_put(t, root);
	itab_free(t, no_drop, NULL);
}

static void another_file_gets_another_number(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *a = itab_enter(t, root, "a", 77, false);
	struct node *b = itab_enter(t, root, "a", 78, false);
	struct node *d = itab_enter(t, root, "a", 78, true);

	CHECK(a != b && b != d && a->id != b->id && b->id != d->id);
	CHECK(path_of(t, a, "", NULL) == NULL);
	CHECK(path_of(t, b, "", NULL) == NULL);
	CHECK(strcmp(path_of(t, d, "", NULL), "a") == 0);
	node_put(t, a);
	node_put(t, b);
	node_put(t, d);
	node_put(t, root);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void a_number_is_never_used_twice(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t), *n;
	uint64_t last = 1;

	for (int i = 0; i < 1000; i++) {
		n = itab_enter(t, root, "a", 5, false);
		CHECK(n->id > last);
		last = n->id;
		node_put(t, n);
	}
	node_put(t, root);
	itab_free(t, no_drop, NULL);
}

static void forget_counts_exactly(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *n = itab_enter(t, root, "a", 5, false);
	uint64_t id = n->id;

	for (int i = 0; i < 5; i++)
		node_remember(t, n);
	node_put(t, n);
	itab_forget(t, id, 4);
	n = itab_find(t, id);
	CHECK(n != NULL && n->n_lookup == 1);
	node_put(t, n);
	itab_forget(t, id, 1);
	CHECK(itab_find(t, id) == NULL);
	itab_forget(t, id, 1);
	node_put(t, root);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void too_much_forget_ends_at_none(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *n = itab_enter(t, root, "a", 5, false);

	node_remember(t, n);
	itab_forget(t, n->id, UINT64_MAX);
	CHECK(n->n_lookup == 0);
	node_put(t, n);
	node_put(t, root);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void a_deep_chain_goes_with_its_last_child(void)
{
	struct itab *t = itab_new();
	struct node *n = root_of(t), *child;

	for (int i = 0; i < 100000; i++) {
		child = itab_enter(t, n, "d", (uint64_t)i + 2, true);
		node_put(t, n);
		n = child;
	}
	CHECK(itab_count(t) == 100001);
	node_put(t, n);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void children_follow_a_renamed_directory(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *d = itab_enter(t, root, "old", 2, true);
	struct node *e = itab_enter(t, root, "other", 3, true);
	struct node *f = itab_enter(t, d, "file", 4, false);

	CHECK(strcmp(path_of(t, f, "sub/dir", NULL), "sub/dir/old/file") == 0);
	itab_move(t, d, e, "new", false);
	CHECK(strcmp(path_of(t, f, "", NULL), "other/new/file") == 0);
	CHECK(strcmp(path_of(t, d, "", "x"), "other/new/x") == 0);
	CHECK(itab_lookup(t, root, "old") == NULL);
	node_put(t, root);
	node_put(t, d);
	node_put(t, e);
	node_put(t, f);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void whatever_was_renamed_over_is_stale(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *a = itab_enter(t, root, "a", 2, false);
	struct node *b = itab_enter(t, root, "b", 3, false);
	char text[64];

	itab_move(t, a, root, "b", false);
	CHECK(strcmp(path_of(t, a, "", NULL), "b") == 0);
	CHECK(node_path(t, b, "", NULL, text, sizeof(text)) == -ESTALE);
	itab_unlink(t, b);	/* again: nothing */
	node_put(t, root);
	node_put(t, a);
	node_put(t, b);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void below_an_unlinked_directory_everything_is_stale(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *d = itab_enter(t, root, "d", 2, true);
	struct node *f = itab_enter(t, d, "f", 3, false);
	char text[64];

	itab_unlink(t, d);
	CHECK(node_path(t, f, "", NULL, text, sizeof(text)) == -ESTALE);
	CHECK(node_path(t, d, "", "x", text, sizeof(text)) == -ESTALE);
	node_put(t, f);
	node_put(t, d);
	node_put(t, root);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void a_hidden_file_does_not_become_another_one(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *a = itab_enter(t, root, "a", 2, false), *b;

	itab_move(t, a, root, ".hidden", true);
	CHECK(a->hidden && itab_lookup(t, root, "a") == NULL);
	b = itab_enter(t, root, ".hidden", 2, false);
	CHECK(b != a && !b->hidden);
	node_put(t, a);
	node_put(t, b);
	node_put(t, root);
	CHECK(itab_count(t) == 1);
	itab_free(t, no_drop, NULL);
}

static void paths_fit_or_fail(void)
{
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	struct node *d = itab_enter(t, root, "dd", 2, true);
	char text[16];

	CHECK(node_path(t, root, "", NULL, text, sizeof(text)) == 0);
	CHECK(node_path(t, root, "s", NULL, text, sizeof(text)) == 1 && text[0] == 's');
	for (size_t cap = 1; cap < sizeof(text); cap++) {
		int len = node_path(t, d, "sub", "x", text, cap);

		/* The last byte is never used: a path that fills everything does not fit. */
		CHECK(cap > 8 ? len == 8 && memcmp(text, "sub/dd/x", 8) == 0
			      : len == -ENAMETOOLONG);
	}
	node_put(t, d);
	node_put(t, root);
	itab_free(t, no_drop, NULL);
}

static void the_table_grows_and_shrinks(void)
{
	enum { N = 20000 };
	static struct node *n[N];
	struct itab *t = itab_new();
	struct node *root = root_of(t);
	char name[32];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		n[i] = itab_enter(t, root, name, (uint64_t)i + 2, false);
	}
	CHECK(itab_count(t) == N + 1);
	for (int i = 0; i < N; i++) {
		struct node *by_name, *by_id = itab_find(t, n[i]->id);

		snprintf(name, sizeof(name), "file%d", i);
		by_name = itab_lookup(t, root, name);
		CHECK(by_id == n[i] && by_name == n[i]);
		node_put(t, by_id);
		node_put(t, by_name);
	}
	for (int i = 0; i < N; i++)
		node_put(t, n[i]);
	CHECK(itab_count(t) == 1);
	node_put(t, root);
	itab_free(t, no_drop, NULL);
}

int main(void)
{
	RUN(root_is_one_and_stays);
	RUN(the_same_file_keeps_its_number);
	RUN(another_file_gets_another_number);
	RUN(a_number_is_never_used_twice);
	RUN(forget_counts_exactly);
	RUN(too_much_forget_ends_at_none);
	RUN(a_deep_chain_goes_with_its_last_child);
	RUN(children_follow_a_renamed_directory);
	RUN(whatever_was_renamed_over_is_stale);
	RUN(below_an_unlinked_directory_everything_is_stale);
	RUN(a_hidden_file_does_not_become_another_one);
	RUN(paths_fit_or_fail);
	RUN(the_table_grows_and_shrinks);
	return DONE();
}
