/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One request of the control thread, waited for; reply and sent bytes are kept. */
#ifndef CALL_H
#define CALL_H

#include "chan_io.h"
#include "smb.h"

struct call {
	struct req r;
	int err;
	uint32_t status;
	struct slice pdu;  /* the whole reply element */
	struct slice sent; /* the request as it was on the wire; only while not sealed */
	uint8_t *mem;
};

/*
 * Sends the packet, whose only element is c->r.  0 when there is a reply, of
 * whatever status; else `d` says what happened.  call_fini() in any case.
 */
int call_run(struct chan_io *io, struct pkt *p, struct call *c, unsigned int timeout_ms,
	     struct diag *d);
void call_fini(struct call *c);

/* "STATUS_X (0x...)" into the detail, its hint into the hint. */
void call_explain(struct diag *d, const char *command, uint32_t status);

#endif
