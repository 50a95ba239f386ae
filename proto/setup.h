/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the steps of the set-up dialogue share: the bytes, and the step into protection. */
#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "chan_io.h"
#include "sess.h"
#include "wire.h"

/* Windows sends at most eight contexts; more is no negotiation. */
#define NEGOTIATE_MAX_CONTEXTS 16

/* The one value a response context may carry, and how it came. */
struct negotiate_choice {
	unsigned int n_contexts; /* of this type */
	uint16_t n_values;	 /* in the last of them */
	uint16_t value;
};

struct negotiate_resp {
	uint16_t dialect;
	uint8_t guid[16];
	uint32_t caps, max_transact, max_read, max_write;
	struct slice token;
	struct negotiate_choice preauth, cipher, signing;
};

/* NEGOTIATE response, [MS-SMB2] 2.2.4, with its contexts if the dialect has them. */
int negotiate_resp_decode(struct slice pdu, struct negotiate_resp *out)
	__attribute__((warn_unused_result));

/* SESSION_SETUP response, 2.2.6. */
struct session_setup_resp {
	uint16_t flags; /* SMB2_SESSION_FLAG_* */
	struct slice token;
};
int session_setup_decode(struct slice pdu, struct session_setup_resp *out)
	__attribute__((warn_unused_result));

/* TREE_CONNECT response, 2.2.10, and the tree's id from its header. */
int tree_connect_decode(struct slice pdu, struct tree *out) __attribute__((warn_unused_result));

/* Protects the channel as s->sealed says, which a server without cipher cannot. */
int session_protect(struct chan_io *io, struct sess *s, struct diag *d);

#endif
