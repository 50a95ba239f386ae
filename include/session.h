/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a fresh connection to a connected share: the sequential dialogue of
 * [MS-SMB2] 3.2.4.2.  All of it blocks, on the control thread, with `io`
 * attached to that thread's loop.  Nothing weaker is ever tried after a
 * refusal: every error here is final for the attempt.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdint.h>

#include "auth.h"
#include "chan_io.h"
#include "policy.h"
#include "sess.h"

#define SESSION_TIMEOUT_MS 20000u /* per message; a server delays failed log-ons by 2 s and more */

/*
 * NEGOTIATE, 2.2.3 and 3.2.5.2: offers 3.1.1 and what the policy allows,
 * refuses everything else.  `server` as typed goes into the netname context.
 * `client_guid` is the same for every connection of a mount.
 */
int negotiate(struct chan_io *io, const struct policy *pol, const char *server,
	      const uint8_t client_guid[16], struct negotiated *out, struct diag *d);

/*
 * SESSION_SETUP until both sides are satisfied, key derivation, check of the
 * final signature; the channel is protected from then on.  The caller owns a
 * reference to `*out`.
 */
int session_setup(struct chan_io *io, const struct policy *pol, const struct negotiated *neg,
		  struct auth *a, struct sess **out, struct diag *d);

/*
 * The log-on again, under the same session id and protected by the keys it
 * has, before the ticket of the first one ends: keys and hash stay, 3.2.4.2.3.
 * `a` must be for the same principal.  The channel is at work on another
 * thread, whose loop is `l`; the caller, the control thread, waits for it.  A
 * failure leaves the session as it was.
 */
int session_reauth(struct loop *l, struct chan_io *io, struct auth *a, struct diag *d);

/* TREE_CONNECT to \\server\share, 2.2.9; refuses what is not a disk share. */
int tree_connect(struct chan_io *io, const char *server, const char *share, struct tree *out,
		 struct diag *d);

/* LOGOFF; the answer is waited for `timeout_ms` at most and does not matter. */
void session_logoff(struct chan_io *io, unsigned int timeout_ms);

#endif
