/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static char captured[65536];

/* Runs `act` with stderr in a file of ours, which ends up in `captured`. */
static void capture(void (*act)(void))
{
	FILE *f = tmpfile();
	int was = dup(STDERR_FILENO);
	size_t n;

	dup2(fileno(f), STDERR_FILENO);
	act();
	dup2(was, STDERR_FILENO);
	close(was);
	rewind(f);
	n = fread(captured, 1, sizeof(captured) - 1, f);
	captured[n] = '\0';
	fclose(f);
}

static void say_one_of_each(void)
{
	log_open(false);
	log_err("an error %d", 1);
	log_warn("a warning");
	log_info("news");
	log_dbg("noise");
}

static void drops_what_is_above_the_level(void)
{
	atomic_store(&log_level, LOG_LVL_INFO);
	capture(say_one_of_each);
	CHECK(strcmp(captured, "an error 1\na warning\nnews\n") == 0);
	atomic_store(&log_level, LOG_LVL_DBG);
	capture(say_one_of_each);
	CHECK(strcmp(captured, "an error 1\na warning\nnews\nnoise\n") == 0);
	atomic_store(&log_level, LOG_LVL_ERR);
	capture(say_one_of_each);
	CHECK(strcmp(captured, "an error 1\n") == 0);
	atomic_store(&log_level, LOG_LVL_INFO);
}

static void say_to_the_journal(void)
{
	struct stat st;
	char stream[64];

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(false);
	log_err("bad");
	log_info("news");
	setenv("JOURNAL_STREAM", "1:1", 1); /* somebody else's */
	log_open(false);
	log_err("plain");
	unsetenv("JOURNAL_STREAM");
}

static void tells_the_journal_the_level(void)
{
	capture(say_to_the_journal);
	CHECK(strcmp(captured, "<3>bad\n<6>news\nplain\n") == 0);
	log_open(false);
}

static struct log_site busy;

static uint64_t second_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec;
}

static void say_much(void)
{
	for (int i = 0; i < 25; i++)
		log_line(&busy, LOG_LVL_INFO, "line %d", i);
	/* As if the second were over. */
	atomic_store(&busy.second, 0);
	log_line(&busy, LOG_LVL_INFO, "after");
	log_line(&busy, LOG_LVL_INFO, "again");
}

static void limits_each_site_and_counts_the_rest(void)
{
	uint64_t began;

	/* A burst that the clock cut in two proves nothing: take another. */
	do {
		busy = (struct log_site){ 0 };
		began = second_now();
		capture(say_much);
	} while (second_now() != began);
	CHECK(strstr(captured, "line 9\n") != NULL);
	CHECK(strstr(captured, "line 10\n") == NULL);
	CHECK(strstr(captured, "\nafter (15 lines like this dropped)\nagain\n") != NULL);
}

static void say_long(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
}

static void long_lines_are_cut_and_still_end(void)
{
	size_t n;

	capture(say_long);
	n = strlen(captured);
	CHECK(n > 500 && n < 1100 && captured[n - 1] == '\n');
}

static struct log_site shared;

static void *say_from_a_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		log_line(&shared, LOG_LVL_INFO, "one whole line");
	return NULL;
}

static void say_from_threads(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, say_from_a_thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void threads_do_not_mix_their_lines(void)
{
	capture(say_from_threads);
	for (char *save, *l = strtok_r(captured, "\n", &save); l != NULL;
	     l = strtok_r(NULL, "\n", &save))
		CHECK(strncmp(l, "one whole line", 14) == 0);
	CHECK(captured[0] != '\0');
}

static const struct {
	const char *in;
	size_t cap;
	const char *want;
} escapes[] = {
	{ "plain name.txt", 64, "plain name.txt" },
	{ "", 64, "" },
	{ "Gr\xc3\xb6\xc3\x9f" "e \xe6\x97\xa5 \xf0\x9f\x98\x80", 64,
	  "Gr\xc3\xb6\xc3\x9f" "e \xe6\x97\xa5 \xf0\x9f\x98\x80" },
	{ "a\nb\tc\x7f", 64, "a\\x0ab\\x09c\\x7f" },
	{ "\x1b[31mred", 64, "\\x1b[31mred" },
	{ "\xc2\x9b" "31m", 64, "\\xc2\\x9b31m" },	      /* C1: CSI */
	{ "a\xe2\x80\xaetxt.exe", 64, "a\\xe2\\x80\\xaetxt.exe" }, /* right-to-left override */
	{ "a\xe2\x81\xa6z", 64, "a\\xe2\\x81\\xa6z" },	      /* isolate */
	{ "a\xe2\x80\xa8z", 64, "a\\xe2\\x80\\xa8z" },	      /* line separator */
	{ "\xef\xbb\xbfx", 64, "\\xef\\xbb\\xbfx" },	      /* byte order mark */
	{ "\xff\xfe", 64, "\\xff\\xfe" },
	{ "\xc0\xaf", 64, "\\xc0\\xaf" },	      /* overlong '/' */
	{ "\xed\xa0\x80", 64, "\\xed\\xa0\\x80" },    /* surrogate */
	{ "\xe2\x82", 64, "\\xe2\\x82" },	      /* cut short */
	{ "12345", 6, "12345" },
	{ "123456", 6, "12..." },
	{ "\n\n", 8, "\\x0a..." },
	{ "ab\xc3\xb6" "cd", 7, "ab\xc3\xb6" "cd" },
	{ "ab\xc3\xb6" "cde", 7, "ab..." }, /* a character is never halved */
	{ "abcd", 4, "..." },
	{ "abc", 4, "abc" },
};

static void escapes_what_terminals_obey(void)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		char *out = malloc(escapes[i].cap); /* exact, for the sanitizer */

		CHECK(log_escape(out, escapes[i].cap, escapes[i].in, strlen(escapes[i].in)) == out);
		if (strcmp(out, escapes[i].want) != 0)
			printf("# case %zu: \"%s\"\n", i, out);
		CHECK(strcmp(out, escapes[i].want) == 0);
		free(out);
	}
}

static void escapes_a_nul_and_reads_no_further(void)
{
	char *in = malloc(3), out[32];

	memcpy(in, "a\0b", 3);
	CHECK(strcmp(log_escape(out, sizeof(out), in, 3), "a\\x00b") == 0);
	free(in);
}

static void every_byte_and_every_size_fits(void)
{
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t cap = 4; cap < 1100; cap++) {
		char *out = malloc(cap);

		log_escape(out, cap, all, sizeof(all));
		CHECK(strlen(out) < cap);
		for (const char *p = out; *p != '\0'; p++)
			CHECK(*p >= 0x20 && *p < 0x7f);
		free(out);
	}
}

int main(void)
{
	RUN(drops_what_is_above_the_level);
	RUN(tells_the_journal_the_level);
	RUN(limits_each_site_and_counts_the_rest);
	RUN(long_lines_are_cut_and_still_end);
	RUN(threads_do_not_mix_their_lines);
	RUN(escapes_what_terminals_obey);
	RUN(escapes_a_nul_and_reads_no_further);
	RUN(every_byte_and_every_size_fits);
	return DONE();
}
