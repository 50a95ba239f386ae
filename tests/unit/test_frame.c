/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"

#include "../../proto/frame.h"
#include "ntstatus.h"

#include <errno.h>
#include <stdlib.h>

static struct bufpool *pool;

#define SESSION 0x1122334455667788ull

static struct sess *sess_make(uint16_t cipher, bool sealed, bool server)
{
	struct sess *s = calloc(1, sizeof(*s));
	struct sess_keys *k;

	atomic_init(&s->refs, 1);
	s->id = SESSION;
	s->sealed = sealed;
	s->cipher = cipher;
	s->signing = SMB2_SIGNING_AES_GMAC;
	s->keys = secret_new(sizeof(struct sess_keys));
	k = (struct sess_keys *)(void *)s->keys->p;
	memset(server ? k->s2c : k->c2s, 0x11, 32);
	memset(server ? k->c2s : k->s2c, 0x22, 32);
	memset(k->sign, 0x33, 16);
	return s;
}

struct side {
	struct sess *s;
	struct frame_prot f;
};

static void side_init(struct side *x, uint16_t cipher, bool sealed, bool server)
{
	*x = (struct side){ .s = sess_make(cipher, sealed, server) };
	CHECK(frame_protect(&x->f, x->s, 5) == 0);
}

static void side_fini(struct side *x)
{
	frame_fini(&x->f);
	sess_put(x->s);
}

static struct buf *message(uint32_t flags, uint32_t status, size_t body)
{
	struct buf *b = buf_new(pool, BUF_HEADROOM + SMB2_HDR_LEN + body);
	struct wr w;

	b->off = BUF_HEADROOM;
	w = wr_to(buf_data(b), SMB2_HDR_LEN + body);
	wr_u32(&w, SMB2_MAGIC);
	wr_u16(&w, SMB2_HDR_LEN);
	wr_u16(&w, 1);
	wr_u32(&w, status);
	wr_u16(&w, SMB2_ECHO);
	wr_u16(&w, 1);
	wr_u32(&w, flags);
	wr_u32(&w, 0);
	wr_u64(&w, 7);
	wr_u64(&w, 0);
	wr_u64(&w, SESSION);
	wr_zero(&w, 16);
	for (size_t i = 0; i < body; i++)
		wr_u8(&w, (uint8_t)i);
	b->len = (uint32_t)wr_len(&w);
	return b;
}

/* As the other side receives it: without the length prefix. */
static void strip_prefix(struct buf *b)
{
	CHECK(b->mem[b->off] == 0);
	b->off += SMB2_NBT_LEN;
	b->len -= SMB2_NBT_LEN;
}

static void every_cipher_seals_what_it_opens(void)
{
	for (uint16_t cipher = 1; cipher <= 4; cipher++) {
		struct side client, server;
		struct slice msg;
		const char *why = NULL;

		side_init(&client, cipher, true, false);
		side_init(&server, cipher, true, true);
		for (int i = 0; i < 3; i++) {
			struct buf *b = message(0, 0, 100);

			CHECK(frame_seal(&client.f, b) == 0);
			CHECK(b->len == SMB2_NBT_LEN + SMB2_TF_LEN + SMB2_HDR_LEN + 100);
			strip_prefix(b);
			CHECK(frame_open(&server.f, b, &msg, &why) == 0);
			CHECK(msg.n == SMB2_HDR_LEN + 100 && msg.p[SMB2_HDR_LEN + 99] == 99);
			buf_free(b);
		}
		side_fini(&client);
		side_fini(&server);
	}
}

static void no_two_nonces_are_alike(void)
{
	struct side a;
	uint8_t seen[16][16];

	side_init(&a, SMB2_ENCRYPTION_AES256_GCM, true, false);
	for (int i = 0; i < 16; i++) {
		struct buf *b = message(0, 0, 1);

		CHECK(frame_seal(&a.f, b) == 0);
		memcpy(seen[i], buf_data(b) + SMB2_NBT_LEN + SMB2_TF_NONCE, 16);
		for (int j = 0; j < i; j++)
			CHECK(memcmp(seen[i], seen[j], 16) != 0);
		CHECK(seen[i][0] == 5 && seen[i][12] == 0);
		buf_free(b);
	}
	/* Sealing again with the same keys would start the nonces again. */
	CHECK(frame_protect(&a.f, a.s, 6) != 0);
	side_fini(&a);
}

static void the_limit_of_a_key_ends_the_session(void)
{
	struct side a;
	struct buf *b = message(0, 0, 1);

	side_init(&a, SMB2_ENCRYPTION_AES128_GCM, true, false);
	a.f.counter = FRAME_MAX_MESSAGES;
	CHECK(frame_seal(&a.f, b) == -EKEYEXPIRED);
	a.f.counter = 0;
	a.f.bytes = FRAME_MAX_BYTES;
	CHECK(frame_seal(&a.f, b) == -EKEYEXPIRED);
	buf_free(b);
	side_fini(&a);
}

/* A sealed frame with one bit flipped, or cut off, anywhere. */
static void a_sealed_frame_opens_only_as_it_was_sent(void)
{
	for (uint16_t cipher = 1; cipher <= 4; cipher++) {
		struct side client, server;
		struct buf *good = message(0, 0, 20);
		struct slice msg;
		const char *why;

		side_init(&client, cipher, true, false);
		side_init(&server, cipher, true, true);
		CHECK(frame_seal(&client.f, good) == 0);
		strip_prefix(good);
		for (uint32_t bit = 0; bit < good->len * 8; bit++) {
			struct buf *b = buf_new(pool, good->len);

			memcpy(b->mem, buf_data(good), good->len);
			b->len = good->len;
			b->mem[bit / 8] ^= (uint8_t)(1u << bit % 8);
			why = NULL;
			CHECK(frame_open(&server.f, b, &msg, &why) == -EBADMSG && why != NULL);
			buf_free(b);
		}
		for (uint32_t n = 0; n < good->len; n++) {
			struct buf *b = buf_new(pool, good->len);

			memcpy(b->mem, buf_data(good), n);
			b->len = n;
			CHECK(frame_open(&server.f, b, &msg, &why) == -EBADMSG);
			buf_free(b);
		}
		buf_free(good);
		side_fini(&client);
		side_fini(&server);
	}
}

static void a_sealed_session_takes_nothing_else(void)
{
	struct side client;
	struct slice msg;
	const char *why;
	struct buf *b = message(SMB2_FLAGS_SERVER_TO_REDIR, 0, 10);

	side_init(&client, SMB2_ENCRYPTION_AES128_GCM, true, false);
	CHECK(frame_open(&client.f, b, &msg, &why) == -EBADMSG);
	buf_free(b);
	side_fini(&client);
}

static void a_clear_channel_takes_only_clear_smb2(void)
{
	static const uint32_t magics[] = { SMB1_MAGIC, SMB2_TF_MAGIC, SMB2_COMP_MAGIC, 0 };
	struct frame_prot f = { 0 };
	struct slice msg;
	const char *why;

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		struct buf *b = message(0, 0, 10);

		put_le(buf_data(b), magics[i], 4);
		CHECK(frame_open(&f, b, &msg, &why) == -EBADMSG);
		buf_free(b);
	}
}

/* Server's replies are signed with the server bit in GMAC's nonce. */
static void reply_sign(struct side *server, struct buf *b)
{
	uint8_t sig[16];

	buf_data(b)[SMB2_HDR_FLAGS] |= SMB2_FLAGS_SIGNED;
	CHECK(mac_sign(server->f.mac, buf_slice(b), true, sig) == 0);
	memcpy(buf_data(b) + SMB2_HDR_SIGNATURE, sig, 16);
}

static void a_signed_session_takes_only_what_is_signed(void)
{
	struct side client, server;
	struct slice msg;
	const char *why;
	struct buf *b;

	side_init(&client, SMB2_ENCRYPTION_AES128_GCM, false, false);
	side_init(&server, SMB2_ENCRYPTION_AES128_GCM, false, true);

	b = message(SMB2_FLAGS_SERVER_TO_REDIR, 0, 10);
	CHECK(frame_open(&client.f, b, &msg, &why) == -EBADMSG);
	reply_sign(&server, b);
	CHECK(frame_open(&client.f, b, &msg, &why) == 0);
	buf_data(b)[SMB2_HDR_LEN] ^= 1;
	CHECK(frame_open(&client.f, b, &msg, &why) == -EBADMSG);
	buf_free(b);

	/* The interim reply may come without, but a wrong signature is a wrong one. */
	b = message(SMB2_FLAGS_SERVER_TO_REDIR | SMB2_FLAGS_ASYNC_COMMAND, STATUS_PENDING, 10);
	CHECK(frame_open(&client.f, b, &msg, &why) == 0);
	buf_data(b)[SMB2_HDR_FLAGS] |= SMB2_FLAGS_SIGNED;
	CHECK(frame_open(&client.f, b, &msg, &why) == -EBADMSG);
	buf_free(b);
	side_fini(&client);
	side_fini(&server);
}

static void elements_are_cut_forward_and_aligned(void)
{
	static const struct {
		uint32_t next;
		int err;
	} rows[] = {
		{ 0, 0 }, { 72, 0 }, { 64, 0 }, { 56, -EBADMSG }, { 70, -EBADMSG },
		{ 8, -EBADMSG }, { 136, -EBADMSG }, { 144, -EBADMSG }, { UINT32_MAX - 7, -EBADMSG },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf *b = message(0, 0, 72);
		struct slice msg = buf_slice(b), el;

		put_le(buf_data(b) + SMB2_HDR_NEXT, rows[i].next, 4);
		CHECK(frame_next(&msg, &el) == rows[i].err);
		if (rows[i].err == 0)
			CHECK(el.n == (rows[i].next == 0 ? 136 : rows[i].next) && el.n + msg.n == 136);
		buf_free(b);
	}
}

int main(void)
{
	pool = bufpool_new();
	RUN(every_cipher_seals_what_it_opens);
	RUN(no_two_nonces_are_alike);
	RUN(the_limit_of_a_key_ends_the_session);
	RUN(a_sealed_frame_opens_only_as_it_was_sent);
	RUN(a_sealed_session_takes_nothing_else);
	RUN(a_clear_channel_takes_only_clear_smb2);
	RUN(a_signed_session_takes_only_what_is_signed);
	RUN(elements_are_cut_forward_and_aligned);
	bufpool_free(pool);
	return DONE();
}
