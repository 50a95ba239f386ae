/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "utf8.h"

enum log_sink { LOG_TO_STDERR, LOG_TO_JOURNAL, LOG_TO_SYSLOG };

_Atomic int log_level = LOG_LVL_INFO;
static _Atomic int log_sink = LOG_TO_STDERR;

/* sd-daemon(3): the journal tells its streams by device and inode. */
static bool log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[48];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

void log_open(bool background)
{
	int sink = LOG_TO_STDERR;

	if (background) {
		/* Connected now: later the path may lie behind a sandbox or our own mount. */
		openlog("smbsecure", LOG_PID | LOG_NDELAY, LOG_DAEMON);
		sink = LOG_TO_SYSLOG;
	} else if (log_stderr_is_journal()) {
		sink = LOG_TO_JOURNAL;
	}
	atomic_store(&log_sink, sink);
}

/*
 * False when this second's share is used up.  Two threads that meet at the
 * turn of a second may let a line or two more pass, which is harmless.
 */
static bool log_may_pass(struct log_site *site, uint32_t *dropped)
{
	struct timespec ts;
	uint64_t now, seen = atomic_load(&site->second);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	now = (uint64_t)ts.tv_sec;
	if (seen != now && atomic_compare_exchange_strong(&site->second, &seen, now))
		atomic_store(&site->n, 0);
	if (atomic_fetch_add(&site->n, 1) >= LOG_BURST) {
		atomic_fetch_add(&site->dropped, 1);
		return false;
	}
	*dropped = atomic_exchange(&site->dropped, 0);
	return true;
}

void log_line(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	char text[1024], more[48] = "", prefix[8] = "", line[sizeof(text) + 64];
	uint32_t dropped;
	va_list ap;
	int sink, n;

	if (!log_may_pass(site, &dropped))
		return;
	if (dropped != 0)
		snprintf(more, sizeof(more), " (%u lines like this dropped)", dropped);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	sink = atomic_load(&log_sink);
	if (sink == LOG_TO_SYSLOG) {
		syslog((int)level, "%s%s", text, more); /* our levels are syslog's */
		return;
	}
	if (sink == LOG_TO_JOURNAL)
		snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
	n = snprintf(line, sizeof(line), "%s%s%s\n", prefix, text, more);
	/* One write, so that the lines of two threads never mix. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody is left to be told */
}

/* Characters that move, hide or reorder the text around them. */
static bool log_is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||	    /* C0, DEL, C1 */
	       c == 0xad || c == 0x61c || c == 0x180e ||    /* soft hyphen, marks */
	       c == 0x200b || c == 0x200e || c == 0x200f || /* zero width, marks */
	       (c >= 0x2028 && c <= 0x202e) ||		    /* separators, embeddings */
	       (c >= 0x2060 && c <= 0x206f) ||		    /* isolates, invisible operators */
	       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe0fff); /* tags */
}

const char *log_escape(char *out, size_t out_len, const char *s, size_t n)
{
	const uint8_t *in = (const uint8_t *)s;
	size_t at = 0, cut = 0; /* cut: the last place where "..." still fits */

	while (n > 0) {
		char piece[16];
		uint32_t c;
		size_t took = utf8_next(in, n, &c), len = 0;

		if (took != 0 && !log_is_unsafe(c)) {
			memcpy(piece, in, took);
			len = took;
		} else {
			took = took != 0 ? took : 1;
			for (size_t i = 0; i < took; i++)
				len += (size_t)snprintf(piece + len, 5, "\\x%02x", in[i]);
		}
		if (len > out_len - 1 - at) {
			memcpy(out + cut, "...", 4);
			return out;
		}
		memcpy(out + at, piece, len);
		at += len;
		if (at + 4 <= out_len)
			cut = at;
		in += took;
		n -= took;
	}
	out[at] = '\0';
	return out;
}
