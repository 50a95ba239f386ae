/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a channel over a transport on a loop: receive buffering, batched
 * writes, deadlines, keep-alive.  Belongs to the thread of the loop it is
 * attached to.  The control thread attaches it to its own loop, talks through
 * chan_call(), detaches it, and gives it away to a shard, which attaches it to
 * its loop.
 */
#ifndef CHAN_IO_H
#define CHAN_IO_H

#include <stdint.h>

#include "chan.h"
#include "diag.h"
#include "loop.h"
#include "transport.h"

struct chan_io;

/*
 * Takes over `t`.  `echo_s`: a server silent for so many seconds while
 * requests wait is asked by ECHO, and taken for dead when it stays silent as
 * long again.  The channel gets the number `channel_number`, unique in the session.
 */
struct chan_io *chan_io_new(struct transport *t, uint32_t channel_number, uint16_t max_credits,
			    unsigned int echo_s);
void chan_io_free(struct chan_io *io); /* detaches, fails what is left; NULL is fine */

int chan_io_attach(struct chan_io *io, struct loop *l);
void chan_io_detach(struct chan_io *io);

/*
 * Called once, on the loop's thread, after the channel died and every request
 * was completed: by then chan_io_why() tells the reason.
 */
void chan_io_on_lost(struct chan_io *io, void (*lost)(void *arg), void *arg);

struct chan *chan_io_chan(struct chan_io *io);
struct bufpool *chan_io_pool(struct chan_io *io);
const char *chan_io_peer(const struct chan_io *io);
/* "" while alive; else a sentence: "the server closed the connection". */
const char *chan_io_why(const struct chan_io *io);

/*
 * Submits `head` and turns the attached loop until every element is done or
 * `timeout_ms` passed (then the channel is failed, so that done() has been
 * called in any case).  Each element's own done() is called.  0, or the
 * channel's error with `d` filled.  Control thread only.
 */
int chan_call(struct chan_io *io, struct req *head, unsigned int timeout_ms, struct diag *d);

#endif
