/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logging: to stderr while a person may be reading it (with the sd-daemon
 * level prefixes when stderr is the journal), to syslog once in the
 * background.  Names and paths only at debug level, secrets never.  Callable
 * from every thread.  Each call site is limited to LOG_BURST lines a second;
 * what was dropped is counted in the next line that passes.
 */
#ifndef LOG_H
#define LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LVL_ERR = 3, LOG_LVL_WARN = 4, LOG_LVL_INFO = 6, LOG_LVL_DBG = 7 };

#define LOG_BURST 10

struct log_site {
	_Atomic uint64_t second; /* the second that `n` counts */
	_Atomic uint32_t n;
	_Atomic uint32_t dropped;
};

/* The one mutable global: everything above this level is dropped. */
extern _Atomic int log_level;

/* Chooses the sink: syslog when `background`, else stderr. */
void log_open(bool background);

void log_line(struct log_site *site, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Copies a string that somebody else chose into `out`, printable ASCII and
 * valid UTF-8 kept, everything else as \xNN, cut with "..." to fit.  Returns
 * `out`, always terminated (out_len >= 4).
 */
const char *log_escape(char *out, size_t out_len, const char *s, size_t n);

#define LOG_AT(level, ...)                                                         \
	do {                                                                       \
		static struct log_site site_;                                      \
		if ((int)(level) <= atomic_load_explicit(&log_level,               \
							 memory_order_relaxed))    \
			log_line(&site_, level, __VA_ARGS__);                      \
	} while (0)

#define log_err(...) LOG_AT(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LVL_INFO, __VA_ARGS__)
#define log_dbg(...) LOG_AT(LOG_LVL_DBG, __VA_ARGS__)

#endif
