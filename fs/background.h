/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two processes: the daemon, and the one that mount(8) waits for.  The latter
 * returns when the mount answers, or with the daemon's exit code when it gives
 * up; it ends the daemon on SIGINT, on SIGTERM and when the time is over.
 * With `foreground` it stays as long as the daemon lives.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include <stdbool.h>

/* Exit codes of mount(8). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 1,
	EXIT_SYSTEM = 2,
	EXIT_SOFTWARE = 4,
	EXIT_USER = 8,
	EXIT_FAIL = 32,
};

struct background {
	const char *what_for; /* of diag_print(): "cannot mount //srv/share" */
	const char *target;
	unsigned int timeout_s; /* from background_begin() on */
	bool foreground;
	bool nofail; /* a time that is over before background_reached() is forgiven */
	int fd; /* in the daemon: where it reports to */
};

/*
 * Forks, before there is any thread.  Returns -1 in the daemon and the exit
 * code in the other process, when that has one.  A daemon that fails prints
 * the reason itself and exits with the code.
 */
int background_start(struct background *b);

/* Daemon: nothing is asked of a person any more, the time starts. */
void background_begin(struct background *b);

/* Daemon: the server took the connection. */
void background_reached(struct background *b);

/* Daemon: mounted.  In the background, standard streams lead nowhere from here on. */
void background_ready(struct background *b);

/* Opens /dev/null wherever a standard stream is closed. */
void background_fill_stdio(void);

#endif
