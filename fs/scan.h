/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state of an open directory's listing; see dir.c. */
#ifndef SCAN_H
#define SCAN_H

struct scan;

void scan_free(struct scan *s); /* NULL is fine */

#endif
