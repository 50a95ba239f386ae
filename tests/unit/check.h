/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TAP in thirty lines.  RUN(name) runs `static void name(void)` as one test
 * point; CHECK() inside it notes a failure and goes on; DONE() is main's
 * return value.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int check_points, check_bad_points, check_bad;

#define CHECK(cond)                                                              \
	do {                                                                     \
		if (!(cond)) {                                                   \
			check_bad++;                                             \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);      \
		}                                                                \
	} while (0)

#define RUN(name)                                                                \
	do {                                                                     \
		check_bad = 0;                                                   \
		name();                                                          \
		check_points++;                                                  \
		check_bad_points += check_bad != 0;                              \
		printf("%sok %d - %s\n", check_bad ? "not " : "", check_points, #name); \
		fflush(stdout);                                                  \
	} while (0)

#define DONE() (printf("1..%d\n", check_points), check_bad_points != 0)

#endif
