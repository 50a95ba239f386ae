/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A request: one SMB2 message on its way to the server and back.
 *
 *          chan_submit()            credits + slot           frame sent
 *  IDLE ----------------> QUEUED ---------------> SENT ----------> on the wire
 *   ^                       |                      |  interim reply
 *   |  done(-ENOTCONN)      |                      +---------------> PENDING
 *   +-----------------------+-- chan_fail() -------+                   |
 *   +---------------------- done(0, status, pdu) <-+-------------------+
 *
 * The submitter owns the memory of the request, usually inside the operation
 * it serves, and leaves it alone until done() was called.  Elements of one
 * compound are linked by `chain`; each has its own done(), in any order, and
 * the head carries the one frame.  The channel owns `tx` from chan_submit()
 * and frees it after the last done() of the compound.
 */
#ifndef REQ_H
#define REQ_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum req_state { REQ_IDLE, REQ_QUEUED, REQ_SENT, REQ_PENDING };

struct req {
	struct req *next;  /* the channel's queue */
	struct req *chain; /* next element of the compound */
	struct req *head;  /* first element of the compound, itself if alone */
	enum req_state state;
	uint16_t cmd, charge;
	uint16_t n_open;  /* head: elements not done yet */
	uint32_t hdr_off; /* of its SMB2 header, in head->tx->mem */
	uint64_t mid;
	uint64_t async_id; /* valid in REQ_PENDING */
	bool cancelled;	   /* a CANCEL was sent or is owed: never a second one */
	struct buf *tx;	   /* head only */
	uint64_t sent_ns;  /* loop clock, for latency and deadlines */

	/*
	 * Called exactly once, on the channel's thread, never from inside
	 * chan_submit().  `err` is 0 or a negative errno of ours (the channel
	 * died, the request was cancelled before it was sent); with 0, `status`
	 * is the server's and `pdu` the whole verified element, header first.
	 * `pdu` is borrowed and dies when done() returns.  done() may free the
	 * request and may submit others.
	 */
	void (*done)(struct req *r, int err, uint32_t status, struct slice pdu);
	void *ctx; /* the submitter's */
};

#endif
