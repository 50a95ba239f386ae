/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A session lasts as long as the ticket it was set up with ([MS-SMB2]
 * 3.3.5.2.9: the server answers STATUS_NETWORK_SESSION_EXPIRED afterwards).
 * Before that the log-on is repeated with the credentials there are by then.
 */
#ifndef REAUTH_H
#define REAUTH_H

#include <stdint.h>
#include <talloc.h>

#include "auth.h"
#include "fs.h"

struct reauth;

/*
 * Watches over the session `s` of `shard` from the control thread's loop until
 * the result is freed.  `p` and `pol` outlive it.  `name` is for the log.
 */
struct reauth *reauth_new(TALLOC_CTX *mem, struct loop *control, struct shard *shard,
			  const struct auth_params *p, const struct policy *pol,
			  const struct sess *s, const char *name);

/* When the session's ticket ends, seconds since the epoch; 0 = never. */
int64_t reauth_expires(const struct reauth *r);

#endif
