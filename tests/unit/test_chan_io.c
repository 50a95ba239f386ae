/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The channel's I/O over a socket pair whose near end moves few bytes at a
 * time, or breaks after some: a server made of bytes sits at the far end.
 */
#include "check.h"
#include "chan_io.h"
#include "smb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_REQUESTS 4

struct pipe_transport {
	struct transport t;
	size_t piece;	/* bytes a call may move */
	size_t n_moved; /* so far */
	size_t cut_at;	/* the call that would go beyond fails */
};

static ssize_t limit(struct pipe_transport *p, const struct iovec *iov, struct iovec *out)
{
	*out = *iov;
	if (out->iov_len > p->piece)
		out->iov_len = p->piece;
	if (p->n_moved + out->iov_len > p->cut_at)
		out->iov_len = p->cut_at - p->n_moved;
	return (ssize_t)out->iov_len;
}

static ssize_t pipe_move(struct pipe_transport *p, ssize_t n)
{
	if (n < 0)
		return -errno;
	p->n_moved += (size_t)n;
	return n;
}

static ssize_t pipe_readv(struct transport *t, const struct iovec *iov, int n)
{
	struct pipe_transport *p = (struct pipe_transport *)t;
	struct iovec v;

	(void)n;
	if (limit(p, iov, &v) == 0)
		return 0;
	return pipe_move(p, readv(t->fd, &v, 1));
}

static ssize_t pipe_writev(struct transport *t, const struct iovec *iov, int n)
{
	struct pipe_transport *p = (struct pipe_transport *)t;
	struct iovec v;

	(void)n;
	if (limit(p, iov, &v) == 0)
		return -EPIPE;
	return pipe_move(p, writev(t->fd, &v, 1));
}

static void pipe_want(struct transport *t, uint32_t n)
{
	(void)t;
	(void)n;
}

static void pipe_free(struct transport *t)
{
	close(t->fd);
	free(t);
}

static const struct transport_ops pipe_ops = {
	.name = "pipe", .readv = pipe_readv, .writev = pipe_writev, .want = pipe_want,
	.free = pipe_free,
};

struct bench {
	struct loop *l;
	struct chan_io *io;
	int far;
	uint8_t in[8192]; /* what the server has received */
	size_t n_in;
	int n_done[N_REQUESTS], n_good, n_lost;
	struct req r[N_REQUESTS];
	struct timer nudge;
};

static void count_lost(void *arg)
{
	((struct bench *)arg)->n_lost++;
}

static void nothing(struct timer *t)
{
	(void)t;
}

static void bench_init(struct bench *b, size_t piece, size_t cut_at)
{
	struct pipe_transport *p = calloc(1, sizeof(*p));
	int fds[2];

	memset(b, 0, sizeof(*b));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	p->t.ops = &pipe_ops;
	p->t.fd = fds[0];
	p->piece = piece;
	p->cut_at = cut_at;
	b->far = fds[1];
	b->nudge.fire = nothing;
	CHECK(loop_new(&b->l) == 0);
	b->io = chan_io_new(&p->t, 0, 64, 5);
	CHECK(chan_io_attach(b->io, b->l) == 0);
	chan_io_on_lost(b->io, count_lost, b);
}

static void bench_fini(struct bench *b)
{
	chan_io_free(b->io);
	close(b->far);
	loop_free(b->l);
}

static void echo_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct bench *b = r->ctx;

	b->n_done[r - b->r]++;
	b->n_good += err == 0 && status == 0 && pdu.n >= 72;
}

static void bench_echo(struct bench *b, int i)
{
	struct pkt p;

	pkt_init(&p, chan_io_pool(b->io), 0, 0);
	smb_echo(&p, &b->r[i]);
	b->r[i].done = echo_done;
	b->r[i].ctx = b;
	chan_submit(chan_io_chan(b->io), p.head);
}

/* Answers each complete ECHO, padding each reply by `pad` bytes. */
static void server_turn(struct bench *b, uint32_t pad)
{
	ssize_t n = read(b->far, b->in + b->n_in, sizeof(b->in) - b->n_in);

	if (n > 0)
		b->n_in += (size_t)n;
	while (b->n_in >= 4) {
		uint32_t len = (uint32_t)b->in[2] << 8 | b->in[3];
		uint32_t out_len = 72 + pad;
		uint8_t *out;

		if (b->n_in < 4 + len)
			break;
		out = calloc(1, 4 + out_len);
		out[1] = (uint8_t)(out_len >> 16);
		out[2] = (uint8_t)(out_len >> 8);
		out[3] = (uint8_t)out_len;
		memcpy(out + 4, b->in + 4, 64);
		put_le(out + 4 + SMB2_HDR_CREDITS, 8, 2);
		out[4 + SMB2_HDR_FLAGS] = SMB2_FLAGS_SERVER_TO_REDIR;
		memset(out + 4 + SMB2_HDR_STATUS, 0, 4);
		CHECK(write(b->far, out, 4 + out_len) == (ssize_t)(4 + out_len));
		free(out);
		b->n_in -= 4 + len;
		memmove(b->in, b->in + 4 + len, b->n_in);
	}
}

static int all_done(const struct bench *b)
{
	int n = 0;

	for (int i = 0; i < N_REQUESTS; i++)
		n += b->n_done[i] > 0;
	return n == N_REQUESTS;
}

static void run(struct bench *b, uint32_t pad)
{
	for (int i = 0; i < N_REQUESTS; i++)
		bench_echo(b, i);
	for (int turn = 0; turn < 200000 && !all_done(b); turn++) {
		loop_timer_set(b->l, &b->nudge, loop_now_ns());
		loop_turn(b->l, 1);
		server_turn(b, pad);
	}
	loop_timer_del(b->l, &b->nudge);
}

static void frames_arrive_whole_whatever_the_pieces(void)
{
	static const size_t pieces[] = { 1, 2, 3, 4, 5, 7, 64, 75, 76, 77, 152, 1000, 1u << 20 };
	static const uint32_t pads[] = { 0, 8, 4000, 60000 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		for (size_t j = 0; j < sizeof(pads) / sizeof(pads[0]); j++) {
			struct bench b;

			if (pads[j] / pieces[i] > 10000)
				continue;
			bench_init(&b, pieces[i], SIZE_MAX);
			run(&b, pads[j]);
			CHECK(b.n_good == N_REQUESTS && b.n_lost == 0);
			bench_fini(&b);
		}
	}
}

static void a_connection_cut_anywhere_ends_every_request_once(void)
{
	/* Four requests of 72 bytes and four replies of 76, prefixes included. */
	for (size_t cut = 0; cut < 4 * (72 + 76); cut++) {
		struct bench b;

		bench_init(&b, 50, cut);
		run(&b, 0);
		for (int i = 0; i < N_REQUESTS; i++)
			CHECK(b.n_done[i] == 1);
		CHECK(b.n_good < N_REQUESTS && b.n_lost == 1);
		CHECK(chan_io_why(b.io)[0] != '\0');
		/* And later ones at once. */
		bench_echo(&b, 0);
		loop_turn(b.l, loop_now_ns() + NS_PER_S);
		CHECK(b.n_done[0] == 2);
		bench_fini(&b);
	}
}

static void a_frame_that_cannot_be_is_fatal(void)
{
	static const struct {
		uint8_t prefix[4];
		const char *why;
	} rows[] = {
		{ { 1, 0, 0, 72 }, "the server sent a frame that does not begin with a length "
				   "prefix" },
		{ { 0, 0xff, 0xff, 0xff }, "the server sent a frame longer than any reply" },
		{ { 0, 1, 0, 1 }, "the server sent a frame longer than any reply" },
		{ { 0, 0, 0, 0 }, "the server sent a message that is not SMB" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench b;

		bench_init(&b, 1u << 20, SIZE_MAX);
		bench_echo(&b, 0);
		CHECK(write(b.far, rows[i].prefix, 4) == 4);
		for (int t = 0; t < 10 && b.n_lost == 0; t++)
			loop_turn(b.l, loop_now_ns() + NS_PER_S);
		CHECK(b.n_lost == 1 && b.n_done[0] == 1 && b.n_good == 0);
		CHECK(strcmp(chan_io_why(b.io), rows[i].why) == 0);
		bench_fini(&b);
	}
}

static void a_call_ends_at_its_deadline(void)
{
	struct bench b;
	struct diag d = { 0 };
	struct pkt p;

	bench_init(&b, 1u << 20, SIZE_MAX);
	pkt_init(&p, chan_io_pool(b.io), 0, 0);
	smb_echo(&p, &b.r[0]);
	b.r[0].done = echo_done;
	b.r[0].ctx = &b;
	CHECK(chan_call(b.io, p.head, 20, &d) == -ETIMEDOUT);
	CHECK(b.n_done[0] == 1 && d.err == -ETIMEDOUT && strcmp(d.id, "net.lost") == 0);
	bench_fini(&b);
}

int main(void)
{
	RUN(frames_arrive_whole_whatever_the_pieces);
	RUN(a_connection_cut_anywhere_ends_every_request_once);
	RUN(a_frame_that_cannot_be_is_fatal);
	RUN(a_call_ends_at_its_deadline);
	return DONE();
}
