/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const uint8_t sixteen[16] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
				     0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xf0 };

static void reads_little_endian(void)
{
	struct rd r = rd_at(slice_of(sixteen, 16), 0);

	CHECK(rd_u8(&r) == 0x01);
	CHECK(rd_u16(&r) == 0x0302);
	CHECK(rd_u32(&r) == 0x07060504);
	CHECK(rd_u64(&r) == 0x0f0e0d0c0b0a0908ull);
	CHECK(rd_left(&r) == 1 && rd_ok(&r));
	CHECK(rd_u8(&r) == 0xf0);
	CHECK(rd_left(&r) == 0 && rd_ok(&r));
}

/* Every width against every number of bytes left. */
static void a_short_read_poisons(void)
{
	static const size_t width[] = { 1, 2, 4, 8 };

	for (size_t w = 0; w < 4; w++) {
		for (size_t n = 0; n < width[w]; n++) {
			uint8_t *exact = malloc(n + 1); /* for the sanitizer */
			struct rd r;

			memset(exact, 0xff, n + 1);
			r = rd_at(slice_of(exact + 1, n), 0);
			switch (width[w]) {
			case 1:
				CHECK(rd_u8(&r) == 0);
				break;
			case 2:
				CHECK(rd_u16(&r) == 0);
				break;
			case 4:
				CHECK(rd_u32(&r) == 0);
				break;
			default:
				CHECK(rd_u64(&r) == 0);
			}
			CHECK(!rd_ok(&r) && rd_left(&r) == 0);
			/* For good, even where a byte would be left. */
			CHECK(rd_u8(&r) == 0 && rd_bytes(&r, 0).p == NULL && !rd_ok(&r));
			free(exact);
		}
	}
}

static void starts_anywhere_within_and_nowhere_beyond(void)
{
	for (size_t off = 0; off <= 16; off++) {
		struct rd r = rd_at(slice_of(sixteen, 16), off);

		CHECK(rd_ok(&r) && rd_left(&r) == 16 - off);
	}
	for (size_t i = 0; i < 3; i++) {
		static const size_t beyond[] = { 17, 1u << 31, SIZE_MAX };
		struct rd r = rd_at(slice_of(sixteen, 16), beyond[i]);

		CHECK(!rd_ok(&r) && rd_left(&r) == 0 && rd_u8(&r) == 0);
	}
}

static void an_empty_slice_reads_as_nothing(void)
{
	struct rd r = rd_at((struct slice){ 0 }, 0);

	CHECK(rd_ok(&r) && rd_left(&r) == 0);
	CHECK(rd_bytes(&r, 0).n == 0 && rd_ok(&r));
	CHECK(rd_u8(&r) == 0 && !rd_ok(&r));
}

static void bytes_are_borrowed_in_place(void)
{
	struct rd r = rd_at(slice_of(sixteen, 16), 4);
	struct slice s = rd_bytes(&r, 8);

	CHECK(s.p == sixteen + 4 && s.n == 8 && rd_left(&r) == 4);
	s = rd_bytes(&r, SIZE_MAX);
	CHECK(s.p == NULL && s.n == 0 && !rd_ok(&r));
}

static const struct {
	uint32_t off, len;
	bool ok;
} windows[] = {
	{ 8, 8, true },
	{ 8, 1, true },
	{ 15, 1, true },
	{ 12, 4, true },
	{ 7, 1, false },		   /* in front of the reader */
	{ 0, 16, false },
	{ 8, 9, false },		   /* past the end */
	{ 15, 2, false },
	{ 16, 1, false },
	{ 17, 1, false },
	{ UINT32_MAX, 1, false },
	{ UINT32_MAX, UINT32_MAX, false }, /* the sum wraps */
	{ UINT32_MAX - 7, 16, false },	   /* to 8 */
	{ 8, UINT32_MAX, false },
	{ 12, UINT32_MAX - 3, false },
};

static void a_window_lies_behind_the_reader_and_inside(void)
{
	struct slice msg = slice_of(sixteen, 16);

	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct rd r = rd_at(msg, 8);
		struct slice s = rd_window(&r, msg, windows[i].off, windows[i].len);

		CHECK(rd_ok(&r) == windows[i].ok);
		if (windows[i].ok)
			CHECK(s.p == sixteen + windows[i].off && s.n == windows[i].len &&
			      rd_left(&r) == 8);
		else
			CHECK(s.p == NULL && s.n == 0);
	}
}

static void an_empty_window_may_point_anywhere(void)
{
	static const uint32_t off[] = { 0, 7, 16, 17, UINT32_MAX };
	struct slice msg = slice_of(sixteen, 16);

	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		struct rd r = rd_at(msg, 8);
		struct slice s = rd_window(&r, msg, off[i], 0);

		CHECK(rd_ok(&r) && s.p == NULL && s.n == 0);
	}
}

static void a_poisoned_reader_opens_no_window(void)
{
	struct slice msg = slice_of(sixteen, 16);
	struct rd r = rd_at(msg, 16);

	rd_u8(&r);
	CHECK(rd_window(&r, msg, 16, 0).p == NULL);
	CHECK(rd_window(&r, msg, 8, 4).p == NULL && !rd_ok(&r));
}

static void writes_what_reads_the_same(void)
{
	uint8_t out[32];
	struct wr w = wr_to(out, sizeof(out));
	struct rd r;

	wr_u8(&w, 0xfe);
	wr_u16(&w, 0x1234);
	wr_u32(&w, 0x89abcdef);
	wr_u64(&w, 0x0123456789abcdefull);
	wr_slice(&w, slice_of("xyz", 3));
	wr_slice(&w, (struct slice){ 0 });
	wr_align(&w, 8);
	CHECK(wr_len(&w) == 24);
	wr_align(&w, 8);
	CHECK(wr_len(&w) == 24);
	r = rd_at(slice_of(out, wr_len(&w)), 0);
	CHECK(rd_u8(&r) == 0xfe && rd_u16(&r) == 0x1234 && rd_u32(&r) == 0x89abcdef);
	CHECK(rd_u64(&r) == 0x0123456789abcdefull);
	CHECK(memcmp(rd_bytes(&r, 3).p, "xyz", 3) == 0);
	CHECK(rd_u32(&r) == 0 && rd_u16(&r) == 0 && rd_left(&r) == 0 && rd_ok(&r));
	CHECK(out[1] == 0x34 && out[2] == 0x12);
}

static void aligns_every_length(void)
{
	for (size_t to = 1; to <= 16; to *= 2) {
		for (size_t n = 0; n <= 16; n++) {
			uint8_t out[32];
			struct wr w = wr_to(out, sizeof(out));

			wr_zero(&w, n);
			wr_align(&w, to);
			CHECK(wr_len(&w) % to == 0 && wr_len(&w) >= n && wr_len(&w) < n + to);
		}
	}
}

static void fill(struct wr *w)
{
	wr_zero(w, 4);
}

static void overflow_by_a_byte(struct wr *w)
{
	wr_zero(w, 4);
	wr_u8(w, 0);
}

static void overflow_by_a_word(struct wr *w)
{
	wr_zero(w, 1);
	wr_u32(w, 0);
}

static void overflow_by_a_huge_length(struct wr *w)
{
	wr_room(w, SIZE_MAX);
}

static void overflow_by_alignment(struct wr *w)
{
	wr_zero(w, 3);
	wr_align(w, 8);
}

/* The signal that `act` on a writer of four bytes dies of, 0 if it lives. */
static int signal_of(void (*act)(struct wr *w))
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		uint8_t out[4];
		struct wr w = wr_to(out, sizeof(out));

		/* Sanitizers would turn the signal into a report. */
		signal(SIGILL, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		act(&w);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool traps(void (*act)(struct wr *w))
{
	int sig = signal_of(act);

	return sig == SIGILL || sig == SIGTRAP;
}

static void a_writer_traps_instead_of_overflowing(void)
{
	CHECK(signal_of(fill) == 0);
	CHECK(traps(overflow_by_a_byte));
	CHECK(traps(overflow_by_a_word));
	CHECK(traps(overflow_by_a_huge_length));
	CHECK(traps(overflow_by_alignment));
}

int main(void)
{
	RUN(reads_little_endian);
	RUN(a_short_read_poisons);
	RUN(starts_anywhere_within_and_nowhere_beyond);
	RUN(an_empty_slice_reads_as_nothing);
	RUN(bytes_are_borrowed_in_place);
	RUN(a_window_lies_behind_the_reader_and_inside);
	RUN(an_empty_window_may_point_anywhere);
	RUN(a_poisoned_reader_opens_no_window);
	RUN(writes_what_reads_the_same);
	RUN(aligns_every_length);
	RUN(a_writer_traps_instead_of_overflowing);
	return DONE();
}
