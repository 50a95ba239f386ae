/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An error for a person: filled where the cause is understood, printed once,
 * at the edge.  Fixed size, because an error must not need memory and may
 * cross threads.  Filled by one thread at a time.
 */
#ifndef DIAG_H
#define DIAG_H

#include <stdio.h>

struct diag {
	int err;	   /* negative errno, 0 while nothing failed */
	const char *id;	   /* stable, searchable: "policy.no-cipher"; a literal */
	char what[200];	   /* one line, reads after "cannot mount X:" */
	char detail[300];  /* protocol facts: status, dialect, lengths */
	char hint[400];	   /* what the reader can do about it */
};

/*
 * Sets cause, code and sentence; the first cause wins, later calls change
 * nothing.  Returns the error of `d`, so that "return diag_set(...)" works.
 * Strings that came from a server must have passed log_escape().
 */
int diag_set(struct diag *d, int err, const char *id, const char *what, ...)
	__attribute__((format(printf, 4, 5)));

/* Detail and hint belong to the next diag_set(); ignored once a cause is set. */
void diag_detail(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_hint(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets everything. */
void diag_clear(struct diag *d);

/*
 * Prints "smbsecure: <what for>: <what>" and the lines detail, hint and code,
 * those that are set.  `what_for` reads like "cannot mount //srv/share".
 */
void diag_print(FILE *f, const char *what_for, const struct diag *d);

#endif
