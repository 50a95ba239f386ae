/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The daemon's control socket: one per mount, named after the mount's device
 * number, which whoever asks reads in /proc/self/mountinfo without touching
 * the mount.  Whoever connects and is the same user or root gets the status
 * and the end of the stream: one line per value, its name, a blank, and the
 * value as JSON spells it.
 */
#ifndef ADMIN_H
#define ADMIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <talloc.h>

#include "diag.h"
#include "loop.h"

struct admin;

/* The answer that is being written; its text is a child of it. */
struct answer {
	char *text;
};

/* `key` with a dot in it becomes a member of an object: "ops.lookup". */
void answer_text(struct answer *a, const char *key, const char *value);
void answer_number(struct answer *a, const char *key, int64_t value);

/*
 * Listens.  `fill(a, arg)` is called on the loop's thread for every question.
 * The result is a child of `mem`; freeing it takes the socket away.
 */
int admin_new(TALLOC_CTX *mem, struct loop *l, dev_t dev,
	      void (*fill)(struct answer *a, void *arg), void *arg, struct admin **out,
	      struct diag *d);

/*
 * Asks the daemon of `owner`'s mount `dev`.  `*out` is the answer, a child of
 * `mem`.  -ENOENT when there is no socket, -ECONNREFUSED when nobody listens,
 * -EACCES when the caller may not ask, -ETIMEDOUT when the daemon is stuck, or
 * another negative errno.
 */
int admin_ask(TALLOC_CTX *mem, dev_t dev, uid_t owner, char **out);

#endif
