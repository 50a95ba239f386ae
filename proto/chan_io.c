/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the bytes go.  Out: a message is encoded, sealed and sent from one
 * buffer, at the end of the loop's turn; small ones are copied behind each
 * other before, so that all of a turn leave by one system call and wake the
 * server once.  In: the stream is received into a large pooled buffer, length
 * prefix first.  A large frame stays where it arrived and that buffer itself
 * is handed to the channel, so payload is not copied; only what was received
 * behind the frame's end (at most the little that fits behind it) moves to the
 * next buffer.  Small frames, many of which may have come at once, are copied
 * into small buffers.
 */
#include "chan_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "smb.h"

/* Frames up to this size are copied out of the receive buffer. */
#define IO_SMALL_FRAME (64u * 1024u)
/* Frames up to this size are copied to leave together, up to so many bytes. */
#define IO_GATHER_FRAME 2048u
#define IO_GATHER (64u * 1024u)
/*
 * From this size on, what remains of a frame, or a whole expected one, is waited
 * for in one piece; but not for longer, because less may come, or come slowly.
 */
#define IO_WANT_MIN (128u * 1024u)
#define IO_WANT_NS (10 * NS_PER_MS)
/* Full buffers taken in one turn: the kernel's requests wait meanwhile. */
#define IO_RECEIVE_BURST 4
/* An idle connection is touched so often: NAT boxes and servers forget idle ones. */
#define IO_IDLE_ECHO_NS (60 * NS_PER_S)

struct chan_io {
	struct transport *t;
	struct chan *chan;
	struct bufpool *pool;
	struct loop *loop; /* NULL while detached */
	struct watch watch;
	struct timer tick;

	struct buf *rx;	   /* bytes received and not consumed: off, len */
	uint32_t wanted;   /* what the transport was asked to wait for */
	struct timer impatient; /* set while that is more than anything */
	struct buf *tx;	   /* small frames on their way out: off, len */
	uint32_t tx_sent;  /* of chan_output(), which comes behind them */
	struct timer turn; /* the end of the loop's turn, when there is something to send */

	uint64_t echo_ns, heard_ns; /* interval; when something last moved */
	struct req echo;
	bool echo_out;

	void (*lost)(void *arg);
	void *lost_arg;
	char why[128];
};

static void io_tick_at(struct chan_io *io, uint64_t at_ns)
{
	if (io->loop != NULL && (io->tick.pos == 0 || io->tick.at_ns > at_ns))
		loop_timer_set(io->loop, &io->tick, at_ns);
}

static void io_die(struct chan_io *io, int err, const char *why)
{
	void (*lost)(void *arg) = io->lost;

	if (io->why[0] != '\0')
		return;
	snprintf(io->why, sizeof(io->why), "%s", why);
	if (io->loop != NULL) {
		loop_del(io->loop, &io->watch);
		loop_timer_del(io->loop, &io->tick);
		loop_timer_del(io->loop, &io->turn);
		loop_timer_del(io->loop, &io->impatient);
	}
	chan_fail(io->chan, err);
	if (lost != NULL)
		lost(io->lost_arg);
}

static void io_want(struct chan_io *io, uint32_t n);

/* Copies what is small; returns the large frame behind it, if there is one. */
static struct buf *io_gather(struct chan_io *io)
{
	struct buf *tx = io->tx, *b;

	if (io->tx_sent != 0)
		return chan_output(io->chan);
	while ((b = chan_output(io->chan)) != NULL && b->len <= IO_GATHER_FRAME &&
	       b->len <= tx->cap - tx->off - tx->len) {
		memcpy(buf_data(tx) + tx->len, buf_data(b), b->len);
		tx->len += b->len;
		chan_sent(io->chan);
	}
	return b;
}

/* `n` bytes of what was gathered, and of the large frame `b` behind it, are gone. */
static void io_sent(struct chan_io *io, struct buf *b, uint32_t n)
{
	struct buf *tx = io->tx;

	if (n < tx->len) {
		tx->off += n;
		tx->len -= n;
		return;
	}
	io->tx_sent += n - tx->len;
	tx->off = 0;
	tx->len = 0;
	if (b != NULL && io->tx_sent == b->len) {
		io->tx_sent = 0;
		chan_sent(io->chan);
	}
}

/* Sends until the socket is full.  Not from inside a submit: requests may complete. */
static void io_flush(struct chan_io *io)
{
	struct buf *tx = io->tx, *b;

	loop_timer_del(io->loop, &io->turn);
	while ((b = io_gather(io)) != NULL || tx->len > 0) {
		struct iovec iov[2];
		ssize_t n;
		int k = 0;

		if (tx->len > 0)
			iov[k++] = (struct iovec){ buf_data(tx), tx->len };
		if (b != NULL)
			iov[k++] = (struct iovec){ buf_data(b) + io->tx_sent, b->len - io->tx_sent };
		n = io->t->ops->writev(io->t, iov, k);
		if (n == -EAGAIN) {
			loop_mod(io->loop, &io->watch, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n == -EINTR)
			continue;
		if (n < 0) {
			io_die(io, (int)n, "the connection broke while sending");
			return;
		}
		io->heard_ns = loop_now_ns();
		io_sent(io, b, (uint32_t)n);
	}
	loop_mod(io->loop, &io->watch, EPOLLIN);
	/* What was sent now may be answered by less than was waited for. */
	if (io->wanted != 1 && io->rx->len < SMB2_NBT_LEN && chan_expected(io->chan) == 0)
		io_want(io, 1);
	if (chan_error(io->chan) != 0)
		io_tick_at(io, 0);
}

/* Something waits for credits, and nothing is on its way that could bring them. */
static bool io_starved(const struct chan_io *io)
{
	return chan_starved(io->chan) && chan_in_flight(io->chan) == 0;
}

static void io_turn(struct timer *t)
{
	struct chan_io *io = (struct chan_io *)((char *)t - offsetof(struct chan_io, turn));

	io_flush(io);
	if (io->why[0] == '\0' && io_starved(io))
		io_die(io, -EBADMSG, "the server sent too few credits to go on");
}

/* From inside chan_submit(), where no request may complete: all else is the loop's. */
static void io_kick(void *arg)
{
	struct chan_io *io = arg;

	if (io->loop == NULL)
		return;
	if (chan_error(io->chan) != 0) {
		io_tick_at(io, 0);
		return;
	}
	if (chan_in_flight(io->chan) == 0)
		io->heard_ns = loop_now_ns();
	if (io->turn.pos == 0)
		loop_timer_set(io->loop, &io->turn, 0);
	io_tick_at(io, io->heard_ns + io->echo_ns);
}

static void io_echo_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct chan_io *io = r->ctx;

	(void)err;
	(void)status;
	(void)pdu;
	io->echo_out = false;
}

static void io_echo(struct chan_io *io)
{
	struct pkt p;

	pkt_init(&p, io->pool, 0, 0);
	smb_echo(&p, &io->echo);
	io->echo.done = io_echo_done;
	io->echo.ctx = io;
	io->echo_out = true;
	chan_submit(io->chan, p.head);
}

static void io_tick(struct timer *t)
{
	struct chan_io *io = (struct chan_io *)((char *)t - offsetof(struct chan_io, tick));
	uint64_t silent = loop_now_ns() - io->heard_ns;
	bool waiting;

	if (chan_error(io->chan) != 0) {
		io_die(io, chan_error(io->chan), "the session reached the limit of its keys");
		/* Completes what was submitted after the channel's death. */
		chan_output(io->chan);
		return;
	}
	waiting = chan_in_flight(io->chan) > 0 || chan_starved(io->chan);
	if (waiting && silent >= 2 * io->echo_ns) {
		io_die(io, -ETIMEDOUT, "the server does not answer");
		return;
	}
	if (!io->echo_out && chan_sess(io->chan) != NULL &&
	    silent >= (waiting ? io->echo_ns : IO_IDLE_ECHO_NS)) {
		uint64_t heard = io->heard_ns;

		io_echo(io);
		io_flush(io);
		/* Sending is no sign of life when nothing was heard for long. */
		if (waiting)
			io->heard_ns = heard;
	}
	io_tick_at(io, waiting || io->echo_out ? loop_now_ns() + NS_PER_S :
		   io->heard_ns + IO_IDLE_ECHO_NS);
}

static void io_want(struct chan_io *io, uint32_t n)
{
	n = n < IO_WANT_MIN ? 1 : n;
	if (n != io->wanted)
		io->t->ops->want(io->t, n);
	io->wanted = n;
	if (n == 1)
		loop_timer_del(io->loop, &io->impatient);
	else
		loop_timer_set(io->loop, &io->impatient, loop_now_ns() + IO_WANT_NS);
}

static void io_impatient(struct timer *t)
{
	io_want((struct chan_io *)((char *)t - offsetof(struct chan_io, impatient)), 1);
}

/* After receiving: the rest of the frame whose beginning is there, or the next frame. */
static void io_want_next(struct chan_io *io)
{
	const uint8_t *p = buf_data(io->rx);
	uint32_t have = io->rx->len, n = chan_expected(io->chan);

	if (have >= SMB2_NBT_LEN)
		n = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	io_want(io, n == 0 || SMB2_NBT_LEN + n < have ? 1 : SMB2_NBT_LEN + n - have);
}

/*
 * Takes complete frames off the receive buffer.  What stays is the beginning
 * of one frame.  0 or -EBADMSG.
 */
static int io_frames(struct chan_io *io, const char **why)
{
	for (;;) {
		struct buf *rx = io->rx, *frame;
		uint8_t *p = buf_data(rx);
		uint32_t n, behind;
		int err;

		if (rx->len < SMB2_NBT_LEN)
			break;
		n = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		*why = "a frame that does not begin with a length prefix";
		if (p[0] != 0)
			return -EBADMSG;
		*why = "a frame longer than any reply";
		if (n > chan_frame_limit(io->chan))
			return -EBADMSG;
		if (rx->len < SMB2_NBT_LEN + n)
			break;
		behind = rx->len - SMB2_NBT_LEN - n;
		if (n > IO_SMALL_FRAME) {
			io->rx = buf_new(io->pool, BUF_LARGE);
			io->rx->len = behind;
			memcpy(io->rx->mem, p + SMB2_NBT_LEN + n, behind);
			frame = rx;
			frame->off += SMB2_NBT_LEN;
		} else {
			frame = buf_new(io->pool, n == 0 ? 1 : n);
			memcpy(frame->mem, p + SMB2_NBT_LEN, n);
			rx->off += SMB2_NBT_LEN + n;
			rx->len = behind;
		}
		frame->len = n;
		err = chan_input(io->chan, frame, why);
		if (err != 0)
			return err;
		if (chan_error(io->chan) != 0)
			return 0;
	}
	if (io->rx->off != 0) {
		memmove(io->rx->mem, buf_data(io->rx), io->rx->len);
		io->rx->off = 0;
	}
	io_want_next(io);
	return 0;
}

/* True when what was received filled all the room there was: more is waiting. */
static bool io_receive(struct chan_io *io)
{
	struct buf *rx = io->rx;
	struct iovec iov = { rx->mem + rx->len, rx->cap - rx->len };
	ssize_t n = io->t->ops->readv(io->t, &iov, 1);
	const char *why = "";

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n == 0) {
		io_die(io, -ECONNRESET, "the server closed the connection");
		return false;
	}
	if (n < 0) {
		io_die(io, (int)n, n == -ECONNRESET ? "the server reset the connection" :
		       "the connection broke while receiving");
		return false;
	}
	io->heard_ns = loop_now_ns();
	rx->len += (uint32_t)n;
	if (io_frames(io, &why) != 0) {
		char text[120];

		snprintf(text, sizeof(text), "the server sent %s", why);
		io_die(io, -EBADMSG, text);
	}
	return (size_t)n == iov.iov_len && io->why[0] == '\0';
}

static void io_ready(struct watch *w, uint32_t revents)
{
	struct chan_io *io = (struct chan_io *)((char *)w - offsetof(struct chan_io, watch));

	/* To open a large reply takes so long that the server had better work meanwhile. */
	if (io->turn.pos != 0)
		io_flush(io);
	if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) && io->why[0] == '\0')
		for (int i = 0; i < IO_RECEIVE_BURST && io_receive(io); i++)
			;
	if ((revents & EPOLLOUT) && io->why[0] == '\0')
		io_flush(io);
}

struct chan_io *chan_io_new(struct transport *t, uint32_t channel_number, uint16_t max_credits,
			    unsigned int echo_s)
{
	struct chan_io *io = calloc(1, sizeof(*io));

	if (io == NULL)
		abort();
	io->t = t;
	io->pool = bufpool_new();
	io->chan = chan_new(io->pool, channel_number, max_credits, io_kick, io);
	io->rx = buf_new(io->pool, BUF_LARGE);
	io->tx = buf_new(io->pool, IO_GATHER);
	io->wanted = 1;
	io->watch = (struct watch){ .fd = t->fd, .events = EPOLLIN, .ready = io_ready };
	io->tick.fire = io_tick;
	io->turn.fire = io_turn;
	io->impatient.fire = io_impatient;
	io->echo_ns = echo_s * NS_PER_S;
	io->heard_ns = loop_now_ns();
	return io;
}

void chan_io_free(struct chan_io *io)
{
	if (io == NULL)
		return;
	chan_io_detach(io);
	chan_free(io->chan);
	buf_free(io->rx);
	buf_free(io->tx);
	bufpool_free(io->pool);
	io->t->ops->free(io->t);
	free(io);
}

int chan_io_attach(struct chan_io *io, struct loop *l)
{
	int err = 0;

	if (io->why[0] == '\0')
		err = loop_add(l, &io->watch);
	if (err != 0)
		return err;
	io->loop = l;
	/* Looks at once for what was submitted, or died, in between. */
	io_tick_at(io, 0);
	if (io->why[0] == '\0')
		loop_timer_set(l, &io->turn, 0);
	return 0;
}

void chan_io_detach(struct chan_io *io)
{
	if (io->loop == NULL)
		return;
	if (io->why[0] == '\0')
		loop_del(io->loop, &io->watch);
	loop_timer_del(io->loop, &io->tick);
	loop_timer_del(io->loop, &io->turn);
	/* The next owner waits for whatever comes. */
	if (io->why[0] == '\0')
		io_want(io, 1);
	io->watch.events = EPOLLIN;
	io->loop = NULL;
}

void chan_io_on_lost(struct chan_io *io, void (*lost)(void *arg), void *arg)
{
	io->lost = lost;
	io->lost_arg = arg;
}

struct chan *chan_io_chan(struct chan_io *io)
{
	return io->chan;
}

struct bufpool *chan_io_pool(struct chan_io *io)
{
	return io->pool;
}

const char *chan_io_peer(const struct chan_io *io)
{
	return io->t->peer;
}

const char *chan_io_why(const struct chan_io *io)
{
	return io->why;
}

int chan_call(struct chan_io *io, struct req *head, unsigned int timeout_ms, struct diag *d)
{
	uint64_t deadline_ns = loop_now_ns() + timeout_ms * NS_PER_MS;

	chan_submit(io->chan, head);
	while (head->n_open > 0) {
		loop_turn(io->loop, deadline_ns);
		if (head->n_open > 0 && loop_now_ns() >= deadline_ns)
			io_die(io, -ETIMEDOUT, "the server does not answer");
	}
	if (chan_error(io->chan) == 0)
		return 0;
	diag_detail(d, "connection to %s: %s", io->t->peer, io->why);
	if (chan_error(io->chan) == -EBADMSG) {
		diag_hint(d, "this is a fault of the server or of something on the way that changes "
			     "packets; nothing of the message was used");
		return diag_set(d, -EPROTO, "proto.violation", "the server broke the protocol");
	}
	return diag_set(d, chan_error(io->chan), "net.lost", "%s", io->why);
}
