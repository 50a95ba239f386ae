/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frames: what goes between the length prefixes, [MS-SMB2] 2.1.  frame_open()
 * is the only function that yields parsable bytes of a server, and it has
 * verified them; how they must be protected is decided by our own state.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>

#include "buf.h"
#include "crypt.h"
#include "sess.h"

/*
 * One key never seals more than this many messages or bytes in our direction;
 * the session ends there, long before a counter could wrap.  With unique
 * 96-bit nonces the bytes count: 2^42 of them are 2^38 blocks, an advantage of
 * 2^-53 for an attacker of AES-GCM.
 */
#define FRAME_MAX_MESSAGES (1ull << 32)
#define FRAME_MAX_BYTES (1ull << 42)

enum frame_mode { FRAME_CLEAR, FRAME_SIGNED, FRAME_SEALED };

/* A channel's protection.  Zeroed: FRAME_CLEAR, for NEGOTIATE and SESSION_SETUP. */
struct frame_prot {
	enum frame_mode mode;
	uint64_t session_id;
	uint16_t cipher;
	struct aead *seal, *open;
	struct mac *mac;
	uint32_t channel; /* first part of every nonce */
	uint64_t counter; /* second part: messages sealed */
	uint64_t bytes;	  /* bytes sealed */
};

/*
 * Sealed, or signed, from now on, with the keys of `s`.  `channel` is a number
 * that no other connection of this session has or had (below 2^24: CCM has
 * room for no more).  0 or -EIO.
 */
int frame_protect(struct frame_prot *f, const struct sess *s, uint32_t channel);
void frame_fini(struct frame_prot *f);

/*
 * `b` holds a whole message at BUF_HEADROOM or behind; afterwards it holds the
 * frame with its length prefix.  0, -EIO, or -EKEYEXPIRED when a limit of the
 * session is reached.
 */
int frame_seal(struct frame_prot *f, struct buf *b) __attribute__((warn_unused_result));

/*
 * `b` holds a frame without its prefix; on success `*msg` is the verified
 * message in it.  -EBADMSG otherwise, with `*why` a literal.
 */
int frame_open(struct frame_prot *f, struct buf *b, struct slice *msg, const char **why)
	__attribute__((warn_unused_result));

/*
 * Cuts the first element off a message: header to the next header, padding
 * included.  -EBADMSG when NextCommand points anywhere but 8-aligned forward
 * inside, or the header's fixed fields are wrong.
 */
int frame_next(struct slice *msg, struct slice *element) __attribute__((warn_unused_result));

#endif
