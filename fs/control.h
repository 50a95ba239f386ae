/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control thread, which is the daemon's main thread: connects, mounts,
 * waits, takes everything down.  It may block; the shards never do.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "auth.h"
#include "diag.h"
#include "kernel.h"
#include "opts.h"
#include "policy.h"

/* Borrowed, and const while the struct control lives. */
struct control_conf {
	const struct source *src;
	const struct opts *opts;
	const char *server; /* normalised */
	const struct policy *pol;
	const struct auth_params *auth;
	const struct target *target;
};

struct control;

int control_new(const struct control_conf *conf, struct control **out, struct diag *d);

/* Connects to the server. */
int control_reach(struct control *c, struct diag *d);
/* From there to a share whose directory is there. */
int control_log_on(struct control *c, struct diag *d);

/*
 * Mounts and starts to serve.  `ready(arg)` is called from control_run() once
 * the kernel was answered.  SIGTERM and SIGINT are waited for from here on.
 */
int control_mount(struct control *c, void (*ready)(void *arg), void *arg, struct diag *d);

/* Until the mount is taken down, or a signal takes it down. */
void control_run(struct control *c);

/* Logs off and frees, in whatever state; NULL is fine. */
void control_free(struct control *c);

#endif
