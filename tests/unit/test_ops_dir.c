/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The entries of a directory page, recorded from a real server, then bent. */
#include "ops.h"

#include "recorded.h"
#include "smb.h"

#define PAGE_OFF 72
/* Where the entries of the recorded page start, and its length. */
#define DOT 0
#define DOTDOT 88
#define B 176
#define GREEK 264
#define DIR 368
#define A 456
#define PAGE_LEN 538

/* In an entry */
#define NEXT 0
#define SIZE 40
#define ALLOC 48
#define NAME_LEN 60
#define FILE_ID 72

static struct msg page_recorded(void)
{
	struct msg m = msg_hex(REC_DIR);

	m.n = PAGE_LEN;
	memmove(m.b, m.b + PAGE_OFF, m.n);
	return m;
}

/* Entries given until the end; *out_bad tells how it ended. */
static size_t page_walk(struct slice page, bool *out_bad)
{
	struct smb_dir_iter it;
	struct smb_dirent e;
	size_t n = 0;

	smb_dir_iter_init(&it, page);
	while (smb_dir_iter_next(&it, &e))
		n++;
	CHECK(!smb_dir_iter_next(&it, &e));
	*out_bad = it.bad;
	return n;
}

static size_t page_walk_exact(const struct msg *m, size_t len, bool *out_bad)
{
	struct slice page = msg_exact(m->b, len);
	size_t n = page_walk(page, out_bad);

	msg_free(page);
	return n;
}

static bool is_named(const struct smb_dirent *e, const char *hex)
{
	struct msg m = msg_hex(hex);

	return e->name.n == m.n && memcmp(e->name.p, m.b, m.n) == 0;
}

static void entries_are_read_as_the_server_meant_them(void)
{
	struct msg m = msg_hex(REC_DIR);
	struct smb_dir_iter it;
	struct smb_dirent e;
	struct slice page;

	CHECK(smb_query_dir_decode(slice_of(m.b, m.n), 65536, &page) == 0);
	CHECK(page.p == m.b + PAGE_OFF && page.n == PAGE_LEN);
	smb_dir_iter_init(&it, page);
	CHECK(smb_dir_iter_next(&it, &e) && is_named(&e, "2e00"));
	CHECK(e.attr.attributes == FILE_ATTRIBUTE_DIRECTORY && e.attr.size == 0);
	CHECK(e.attr.file_id == 0x00a88334);
	CHECK(smb_dir_iter_next(&it, &e) && is_named(&e, "2e00 2e00"));
	CHECK(smb_dir_iter_next(&it, &e) && is_named(&e, "6200"));
	CHECK(e.attr.size == 5 && e.attr.alloc == 4096);
	CHECK(e.attr.attributes == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE));
	CHECK(e.attr.btime == 0x01dd795e2089e7d6 && e.attr.atime == 0x01dd795e208aeb5f);
	CHECK(e.attr.mtime == 133000000000000000 && e.attr.ctime == 133000000000000000);
	CHECK(e.attr.nlink == 0 && e.attr.file_id == 0x00a88842);
	CHECK(smb_dir_iter_next(&it, &e));
	CHECK(is_named(&e, "e500 6e00 6700 7300 7400 7200 f600 6d00 2000 b103 b203 b303"));
	CHECK(e.attr.attributes == FILE_ATTRIBUTE_NORMAL);
	CHECK(smb_dir_iter_next(&it, &e) && is_named(&e, "6400 6900 7200"));
	CHECK(smb_dir_iter_next(&it, &e) && is_named(&e, "6100"));
	CHECK(!smb_dir_iter_next(&it, &e) && !it.bad);
}

static void every_truncation_is_bad(void)
{
	struct msg m = page_recorded();
	bool bad;

	CHECK(page_walk_exact(&m, m.n, &bad) == 6 && !bad);
	for (size_t n = 0; n < m.n; n++) {
		CHECK(page_walk_exact(&m, n, &bad) < 6);
		CHECK(bad);
	}
}

static void entry_without_an_id_has_none(void)
{
	struct msg m = page_recorded();
	struct smb_dir_iter it;
	struct smb_dirent e;

	put_le(m.b + DOT + FILE_ID, UINT64_MAX, 8);
	smb_dir_iter_init(&it, slice_of(m.b, m.n));
	CHECK(smb_dir_iter_next(&it, &e) && e.attr.file_id == 0);
}

static void lies_end_the_page(void)
{
	static const struct {
		const char *what;
		size_t off, value, width, good; /* entries before the lie */
	} rows[] = {
		{ "step not aligned", DOT + NEXT, 89, 4, 0 },
		{ "step of 4", DOT + NEXT, 4, 4, 0 },
		{ "step into the fixed part", DOT + NEXT, 72, 4, 0 },
		{ "step over the name", GREEK + NEXT, 96, 4, 3 },
		{ "step backwards", B + NEXT, (uint32_t)-DOTDOT, 4, 2 },
		{ "step behind the page", DIR + NEXT, 176, 4, 4 },
		{ "step of almost 4 GiB", DIR + NEXT, 0xfffffff8, 4, 4 },
		{ "step to less than an entry", A + NEXT, 80, 4, 5 },
		{ "step from the last entry", A + NEXT, 8, 4, 5 },
		{ "name reaches into the next", DOT + NAME_LEN, 9, 4, 0 },
		{ "name reaches behind the page", A + NAME_LEN, 3, 4, 5 },
		{ "name of 4 GiB", A + NAME_LEN, 0xffffffff, 4, 5 },
		{ "size beyond off_t", B + SIZE, 1ull << 63, 8, 2 },
		{ "allocation beyond off_t", B + ALLOC, 1ull << 63, 8, 2 },
	};
	bool bad;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg m = page_recorded();
		size_t n;

		put_le(m.b + rows[i].off, rows[i].value, rows[i].width);
		n = page_walk_exact(&m, m.n, &bad);
		if (n != rows[i].good || !bad)
			printf("# %s: %zu entries\n", rows[i].what, n);
		CHECK(n == rows[i].good && bad);
	}
}

/* The step ends exactly where the page does: the next entry is not there. */
static void step_to_the_end_is_bad(void)
{
	struct msg m = page_recorded();
	bool bad;

	put_le(m.b + A + NEXT, 88, 4);
	memset(m.b + PAGE_LEN, 0, 6);
	CHECK(page_walk_exact(&m, A + 88, &bad) == 5 && bad);
}

static void page_without_entries_is_bad(void)
{
	bool bad;

	CHECK(page_walk((struct slice){ 0 }, &bad) == 0 && bad);
}

static void nothing_comes_after_a_bad_entry(void)
{
	struct msg m = page_recorded();
	struct smb_dir_iter it;
	struct smb_dirent e;

	put_le(m.b + DOT + NAME_LEN, 4096, 4);
	smb_dir_iter_init(&it, slice_of(m.b, m.n));
	CHECK(!smb_dir_iter_next(&it, &e) && it.bad);
	put_le(m.b + DOT + NAME_LEN, 2, 4);
	CHECK(!smb_dir_iter_next(&it, &e) && it.bad);
}

int main(void)
{
	RUN(entries_are_read_as_the_server_meant_them);
	RUN(every_truncation_is_bad);
	RUN(entry_without_an_id_has_none);
	RUN(lies_end_the_page);
	RUN(step_to_the_end_is_bad);
	RUN(page_without_entries_is_bad);
	RUN(nothing_comes_after_a_bad_entry);
	return DONE();
}
