/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "frame.h"

#include "ntstatus.h"
#include "smb2.h"

#include <errno.h>

int frame_protect(struct frame_prot *f, const struct sess *s, uint32_t channel)
{
	const struct sess_keys *k = sess_keys(s);

	/* Sealing twice with one session's keys would start the nonces again. */
	if (channel >= 1u << 24 || f->mode == FRAME_SEALED)
		return -EIO;
	frame_fini(f);
	f->session_id = s->id;
	f->cipher = s->cipher;
	f->channel = channel;
	if (s->sealed) {
		f->seal = aead_new(s->cipher, k->c2s, true);
		f->open = aead_new(s->cipher, k->s2c, false);
		if (f->seal == NULL || f->open == NULL)
			return -EIO;
		f->mode = FRAME_SEALED;
	} else {
		f->mac = mac_new(s->signing, k->sign);
		if (f->mac == NULL)
			return -EIO;
		f->mode = FRAME_SIGNED;
	}
	return 0;
}

void frame_fini(struct frame_prot *f)
{
	aead_free(f->seal);
	aead_free(f->open);
	mac_free(f->mac);
	*f = (struct frame_prot){ 0 };
}

int frame_next(struct slice *msg, struct slice *element)
{
	struct rd r = rd_at(*msg, 0);
	uint32_t magic = rd_u32(&r);
	uint16_t size = rd_u16(&r);
	uint32_t next;

	rd_bytes(&r, SMB2_HDR_NEXT - SMB2_HDR_CHARGE);
	next = rd_u32(&r);
	rd_bytes(&r, SMB2_HDR_LEN - SMB2_HDR_MID);
	if (!rd_ok(&r) || magic != SMB2_MAGIC || size != SMB2_HDR_LEN)
		return -EBADMSG;
	if (next == 0)
		next = (uint32_t)msg->n;
	else if (next < SMB2_HDR_LEN || next % 8 != 0 || next >= msg->n)
		return -EBADMSG;
	*element = slice_of(msg->p, next);
	*msg = slice_of(msg->p + next, msg->n - next);
	return 0;
}

/* Signs each element of our own message over its own span, 3.1.4.1. */
static int frame_sign(struct frame_prot *f, struct buf *b)
{
	struct slice msg = buf_slice(b), el;

	while (msg.n > 0) {
		uint8_t *at = buf_data(b) + (msg.p - buf_data(b));
		int err = frame_next(&msg, &el);

		if (err != 0)
			return -EIO;
		at[SMB2_HDR_FLAGS] |= SMB2_FLAGS_SIGNED;
		err = mac_sign(f->mac, el, false, at + SMB2_HDR_SIGNATURE);
		if (err != 0)
			return err;
	}
	return 0;
}

int frame_seal(struct frame_prot *f, struct buf *b)
{
	uint32_t n = b->len;
	uint8_t *tf;
	int err;

	if (f->mode != FRAME_CLEAR &&
	    (f->counter >= FRAME_MAX_MESSAGES || f->bytes + n > FRAME_MAX_BYTES))
		return -EKEYEXPIRED;
	if (f->mode == FRAME_SIGNED) {
		err = frame_sign(f, b);
		if (err != 0)
			return err;
	} else if (f->mode == FRAME_SEALED) {
		size_t nonce_len = aead_nonce_len(f->cipher);

		b->off -= SMB2_TF_LEN;
		b->len += SMB2_TF_LEN;
		tf = buf_data(b);
		memset(tf, 0, SMB2_TF_LEN);
		put_le(tf, SMB2_TF_MAGIC, 4);
		put_le(tf + SMB2_TF_NONCE, f->channel, nonce_len - 8);
		put_le(tf + SMB2_TF_NONCE + nonce_len - 8, f->counter, 8);
		put_le(tf + SMB2_TF_SIZE, n, 4);
		put_le(tf + SMB2_TF_FLAGS, 1, 2);
		put_le(tf + SMB2_TF_SESSION_ID, f->session_id, 8);
		err = aead_seal(f->seal, tf + SMB2_TF_NONCE,
				slice_of(tf + SMB2_TF_NONCE, SMB2_TF_LEN - SMB2_TF_NONCE),
				tf + SMB2_TF_LEN, n, tf + SMB2_TF_SIGNATURE);
		if (err != 0)
			return err;
	}
	f->counter++;
	f->bytes += n;

	n = b->len;
	b->off -= SMB2_NBT_LEN;
	b->len += SMB2_NBT_LEN;
	tf = buf_data(b);
	tf[0] = 0;
	tf[1] = (uint8_t)(n >> 16);
	tf[2] = (uint8_t)(n >> 8);
	tf[3] = (uint8_t)n;
	return 0;
}

static int frame_bad(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

static int frame_unseal(struct frame_prot *f, struct buf *b, const char **why)
{
	struct slice whole = buf_slice(b);
	struct rd r = rd_at(whole, 0);
	struct slice tag, nonce;
	uint32_t magic = rd_u32(&r);
	uint32_t size;
	uint16_t flags;
	uint64_t session_id;

	tag = rd_bytes(&r, CRYPT_TAG_LEN);
	nonce = rd_bytes(&r, SMB2_TF_SIZE - SMB2_TF_NONCE);
	size = rd_u32(&r);
	rd_u16(&r); /* Reserved */
	flags = rd_u16(&r);
	session_id = rd_u64(&r);
	if (!rd_ok(&r))
		return frame_bad(why, "a frame shorter than its header");
	if (magic != SMB2_TF_MAGIC)
		return frame_bad(why, "an unencrypted message on an encrypted session");
	if (flags != 1)
		return frame_bad(why, "a transform header without the encrypted flag");
	if (session_id != f->session_id)
		return frame_bad(why, "a transform header for another session");
	if (size != rd_left(&r))
		return frame_bad(why, "a transform header with a wrong message size");
	b->off += SMB2_TF_LEN;
	b->len -= SMB2_TF_LEN;
	if (aead_open(f->open, nonce.p, slice_of(nonce.p, SMB2_TF_LEN - SMB2_TF_NONCE),
		      buf_data(b), b->len, tag.p) != 0)
		return frame_bad(why, "an encrypted message whose tag does not match");
	return 0;
}

/*
 * Everything is signed but the interim reply, which may go without
 * ([MS-SMB2] 3.2.5.1.3).  It carries nothing that is used but the asynchronous
 * id, which only ever goes back into a CANCEL.
 */
static int frame_check_signatures(struct frame_prot *f, struct slice msg, const char **why)
{
	struct slice el;

	while (msg.n > 0) {
		struct rd r;
		uint32_t status, flags;

		if (frame_next(&msg, &el) != 0)
			return frame_bad(why, "a malformed message header");
		r = rd_at(el, SMB2_HDR_STATUS);
		status = rd_u32(&r);
		rd_u32(&r); /* Command, Credits */
		flags = rd_u32(&r);
		if (status == STATUS_PENDING && !(flags & SMB2_FLAGS_SIGNED))
			continue;
		if (!(flags & SMB2_FLAGS_SIGNED))
			return frame_bad(why, "an unsigned message on a signed session");
		if (mac_check(f->mac, el, true) != 0)
			return frame_bad(why, "a message whose signature does not match");
	}
	return 0;
}

int frame_open(struct frame_prot *f, struct buf *b, struct slice *msg, const char **why)
{
	struct rd r;
	int err = 0;

	if (f->mode == FRAME_SEALED)
		err = frame_unseal(f, b, why);
	if (err != 0)
		return err;
	r = rd_at(buf_slice(b), 0);
	switch (rd_u32(&r)) {
	case SMB2_MAGIC:
		break;
	case SMB1_MAGIC:
		return frame_bad(why, "an SMB1 message");
	case SMB2_COMP_MAGIC:
		return frame_bad(why, "a compressed message though none was negotiated");
	case SMB2_TF_MAGIC:
		return frame_bad(why, f->mode == FRAME_SEALED ? "a message encrypted twice" :
				 "an encrypted message before or without encryption keys");
	default:
		return frame_bad(why, "a message that is not SMB");
	}
	if (f->mode == FRAME_SIGNED)
		err = frame_check_signatures(f, buf_slice(b), why);
	*msg = buf_slice(b);
	return err;
}
