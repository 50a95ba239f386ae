/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection as a state machine without I/O: message ids, credits, the
 * table of pending requests, sealing and opening, failure.  Owned by one
 * thread at a time; given away whole.
 *
 * What a frame must look like is decided by the channel's own state: before
 * chan_protect() clear messages, afterwards sealed ones only (or signed ones
 * only, where the policy asks for integrity).  A frame that is anything else
 * ends the channel; nothing of it is used.
 */
#ifndef CHAN_H
#define CHAN_H

#include <stdbool.h>
#include <stdint.h>

#include "req.h"
#include "sess.h"

struct chan;

struct chan_stats {
	uint64_t frames_out, frames_in; /* one compound is one frame */
	uint64_t bytes_out, bytes_in;	/* with all headers */
	uint64_t n_cmd[0x13];		/* requests sent, by command */
	uint32_t credits, in_flight, queued;
};

/*
 * `kick(arg)` is called (not from inside chan_output) when chan_output() may
 * have something to send.  `pool` provides and takes back every buffer and
 * outlives the channel.
 */
struct chan *chan_new(struct bufpool *pool, uint32_t channel_number, uint16_t max_credits,
		      void (*kick)(void *arg), void *arg);
/* Fails what is left, then frees.  Not from inside done(). */
void chan_free(struct chan *c);

/* From now on sealed (or signed, if !s->sealed) with the keys of `s`; takes a reference. */
int chan_protect(struct chan *c, struct sess *s);

/* The compound that starts at `head`, encoded into head->tx (see smb.h). */
void chan_submit(struct chan *c, struct req *head);

/*
 * Asks the server to give up on `r`, at most once per request; done() still
 * comes.  A request that still waits for credits is sent all the same.
 */
void chan_cancel(struct chan *c, struct req *r);

/* The next frame for the wire, length prefix first, or NULL.  Borrowed until chan_sent(). */
struct buf *chan_output(struct chan *c);
void chan_sent(struct chan *c);

/*
 * One whole frame, without its length prefix, at buf_data(); takes the buffer.
 * A negative errno means that the server broke the protocol: `why` says how,
 * and the caller must chan_fail().
 */
int chan_input(struct chan *c, struct buf *frame, const char **why);

/* The largest frame (without prefix) that may come now. */
uint32_t chan_frame_limit(const struct chan *c);

/*
 * Detaches everything, then completes each request with `err` (negative).
 * Later chan_submit()s complete with `err` as well (through chan_output()).
 */
void chan_fail(struct chan *c, int err);
int chan_error(const struct chan *c); /* 0 while alive */

const struct chan_stats *chan_stats(struct chan *c);
struct sess *chan_sess(struct chan *c); /* borrowed; NULL before chan_protect() */

/* Requests sent and unanswered; bytes of payload they ask for or carry. */
uint32_t chan_in_flight(const struct chan *c);
/*
 * Bytes of the next frame (without prefix) when only full READs are in flight,
 * several of them, and the server has the data; 0 when that cannot be told.
 */
uint32_t chan_expected(const struct chan *c);
/* Some request waits for credits. */
bool chan_starved(const struct chan *c);

#endif
