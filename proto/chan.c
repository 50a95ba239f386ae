/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Credits and message ids ([MS-SMB2] 3.2.4.1.2 to 3.2.4.1.5): a request of
 * charge n uses n consecutive ids and n credits; ids are never reused.  The
 * pending table is an array indexed by the first id modulo its size, so that
 * the ids in use must lie within CHAN_SLOTS of each other: a straggler that
 * holds the oldest id stops new requests until it is answered, which is what
 * the server's own window does as well.
 */
#include "chan.h"

#include "frame.h"
#include "loop.h"
#include "ntstatus.h"

#include <errno.h>
#include <stdlib.h>

#define CHAN_SLOTS 8192u
/* More credits than a 16-bit sequence of grants can mean: a broken or hostile server. */
#define CHAN_MAX_CREDITS 65535u
/* Frames before authentication are small; nothing larger is read for a stranger. */
#define CHAN_CLEAR_LIMIT 65536u

struct reqq {
	struct req *first, **tail;
};

struct chan {
	struct bufpool *pool;
	uint32_t number;
	uint16_t max_credits;
	void (*kick)(void *arg);
	void *arg;
	int err;

	struct frame_prot prot;
	struct sess *sess;

	uint64_t mid_next, mid_oldest; /* mid_oldest <= every id in use */
	uint32_t credits, charged;     /* free, and in flight */
	uint32_t n_in_flight, n_waiting;
	uint32_t n_bulk; /* of those in flight: READs of BUF_MAX_IO */
	struct reqq waiting;
	struct buf *cancels; /* CANCEL messages to send */
	struct buf *out;     /* sealed, on its way */
	bool out_owned;	     /* `out` belongs to no request */

	struct chan_stats stats;
	struct req *slot[CHAN_SLOTS];
};

static void q_init(struct reqq *q)
{
	q->first = NULL;
	q->tail = &q->first;
}

static void q_push(struct reqq *q, struct req *r)
{
	r->next = NULL;
	*q->tail = r;
	q->tail = &r->next;
}

static struct req *q_pop(struct reqq *q)
{
	struct req *r = q->first;

	if (r != NULL) {
		q->first = r->next;
		if (q->first == NULL)
			q->tail = &q->first;
	}
	return r;
}

struct chan *chan_new(struct bufpool *pool, uint32_t channel_number, uint16_t max_credits,
		      void (*kick)(void *arg), void *arg)
{
	struct chan *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	c->pool = pool;
	c->number = channel_number;
	c->max_credits = max_credits;
	c->kick = kick;
	c->arg = arg;
	c->credits = 1;
	q_init(&c->waiting);
	return c;
}

void chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	chan_fail(c, -ECONNABORTED);
	frame_fini(&c->prot);
	sess_put(c->sess);
	free(c);
}

int chan_protect(struct chan *c, struct sess *s)
{
	int err = frame_protect(&c->prot, s, c->number);

	if (err == 0) {
		sess_put(c->sess);
		c->sess = sess_get(s);
	}
	return err;
}

/*
 * Completes one element.  The compound's buffer goes after its last element
 * was completed, because done() may still look at what was sent; and not
 * before the last byte has left, should a server answer sooner than that.
 */
static void chan_complete(struct chan *c, struct req *r, int err, uint32_t status,
			  struct slice pdu)
{
	struct buf *tx = --r->head->n_open == 0 ? r->head->tx : NULL;

	r->state = REQ_IDLE;
	r->done(r, err, status, pdu);
	if (tx != NULL && tx == c->out)
		c->out_owned = true;
	else
		buf_free(tx);
}

static void chan_complete_all(struct chan *c, struct req *head, int err)
{
	struct req *next;

	for (struct req *r = head; r != NULL; r = next) {
		next = r->chain;
		chan_complete(c, r, err, 0, (struct slice){ 0 });
	}
}

void chan_submit(struct chan *c, struct req *head)
{
	for (struct req *r = head; r != NULL; r = r->chain)
		r->state = REQ_QUEUED;
	q_push(&c->waiting, head);
	c->n_waiting++;
	c->kick(c->arg);
}

static bool chan_has_room(const struct chan *c, const struct req *head)
{
	uint32_t charge = 0;

	for (const struct req *r = head; r != NULL; r = r->chain)
		charge += r->charge;
	return charge <= c->credits && c->mid_next + charge - c->mid_oldest <= CHAN_SLOTS;
}

/* Grants are asked for until max_credits are ours, free or in flight. */
static uint16_t chan_credit_request(const struct chan *c, uint16_t charge)
{
	uint32_t have = c->credits + c->charged;
	uint32_t more = have < c->max_credits ? c->max_credits - have : 0;

	return (uint16_t)(charge + more > CHAN_MAX_CREDITS ? CHAN_MAX_CREDITS : charge + more);
}

static bool req_is_bulk(const struct req *r)
{
	return r->cmd == SMB2_READ && r->charge == BUF_MAX_IO / SMB2_PAYLOAD_PER_CREDIT &&
	       r->head == r && r->chain == NULL;
}

static void chan_assign(struct chan *c, struct req *head)
{
	uint64_t now = loop_now_ns();

	for (struct req *r = head; r != NULL; r = r->chain) {
		uint8_t *h = head->tx->mem + r->hdr_off;

		r->mid = c->mid_next;
		c->mid_next += r->charge;
		c->credits -= r->charge;
		c->charged += r->charge;
		c->n_in_flight++;
		c->n_bulk += req_is_bulk(r);
		c->slot[r->mid % CHAN_SLOTS] = r;
		r->state = REQ_SENT;
		r->sent_ns = now;
		put_le(h + SMB2_HDR_CHARGE, r->charge, 2);
		put_le(h + SMB2_HDR_CREDITS, chan_credit_request(c, r->charge), 2);
		put_le(h + SMB2_HDR_MID, r->mid, 8);
		if (c->sess != NULL)
			put_le(h + SMB2_HDR_SESSION_ID, c->sess->id, 8);
		c->stats.n_cmd[r->cmd]++;
	}
}

static struct buf *chan_out(struct chan *c, struct buf *b, bool owned)
{
	int err = frame_seal(&c->prot, b);

	if (err != 0) {
		/* Requests are completed by chan_fail(): this may be inside a submit. */
		if (owned)
			buf_free(b);
		c->err = err;
		return NULL;
	}
	c->out = b;
	c->out_owned = owned;
	c->stats.frames_out++;
	c->stats.bytes_out += b->len;
	return b;
}

struct buf *chan_output(struct chan *c)
{
	struct req *head;

	if (c->out != NULL)
		return c->out;
	if (c->cancels != NULL && c->err == 0) {
		struct buf *b = c->cancels;

		c->cancels = b->next;
		return chan_out(c, b, true);
	}
	while ((head = c->waiting.first) != NULL) {
		if (c->err == 0 && !chan_has_room(c, head))
			return NULL;
		q_pop(&c->waiting);
		c->n_waiting--;
		if (c->err == 0) {
			chan_assign(c, head);
			return chan_out(c, head->tx, false);
		}
		chan_complete_all(c, head, c->err);
	}
	return NULL;
}

void chan_sent(struct chan *c)
{
	if (c->out_owned)
		buf_free(c->out);
	c->out = NULL;
}

void chan_cancel(struct chan *c, struct req *r)
{
	struct buf *b, **end;
	struct wr w;

	if (r->state == REQ_IDLE || r->cancelled || c->err != 0)
		return;
	r->cancelled = true;
	if (r->state == REQ_QUEUED)
		return;
	/*
	 * 2.2.30: the id of its target and no credit.  One at most: under GMAC a
	 * second CANCEL would repeat a nonce.
	 */
	b = buf_new(c->pool, BUF_HEADROOM + SMB2_HDR_LEN + 4);
	b->off = BUF_HEADROOM;
	w = wr_to(buf_data(b), SMB2_HDR_LEN + 4);
	wr_u32(&w, SMB2_MAGIC);
	wr_u16(&w, SMB2_HDR_LEN);
	wr_u16(&w, 0); /* CreditCharge */
	wr_u32(&w, 0);
	wr_u16(&w, SMB2_CANCEL);
	wr_u16(&w, 0); /* CreditRequest */
	wr_u32(&w, r->state == REQ_PENDING ? SMB2_FLAGS_ASYNC_COMMAND : 0);
	wr_u32(&w, 0); /* NextCommand */
	wr_u64(&w, r->mid);
	wr_u64(&w, r->state == REQ_PENDING ? r->async_id : 0);
	wr_u64(&w, c->sess != NULL ? c->sess->id : 0);
	wr_zero(&w, 16); /* Signature */
	wr_u16(&w, 4);
	wr_u16(&w, 0);
	b->len = (uint32_t)wr_len(&w);
	for (end = &c->cancels; *end != NULL; end = &(*end)->next)
		;
	*end = b;
	c->stats.n_cmd[SMB2_CANCEL]++;
	c->kick(c->arg);
}

struct hdr {
	uint32_t status, flags;
	uint16_t cmd, credits;
	uint64_t mid, async_id, session_id;
};

/* 2.2.1; frame_next() has looked at the fields before Status. */
static int hdr_decode(struct slice pdu, struct hdr *h)
{
	struct rd r = rd_at(pdu, SMB2_HDR_STATUS);

	h->status = rd_u32(&r);
	h->cmd = rd_u16(&r);
	h->credits = rd_u16(&r);
	h->flags = rd_u32(&r);
	rd_u32(&r); /* NextCommand */
	h->mid = rd_u64(&r);
	h->async_id = rd_u64(&r);
	h->session_id = rd_u64(&r);
	return rd_ok(&r) ? 0 : -EBADMSG;
}

static void chan_forget(struct chan *c, struct req *r)
{
	c->slot[r->mid % CHAN_SLOTS] = NULL;
	c->n_in_flight--;
	c->n_bulk -= req_is_bulk(r);
	c->charged -= r->charge;
	if (r->mid != c->mid_oldest)
		return;
	while (c->mid_oldest < c->mid_next && c->slot[c->mid_oldest % CHAN_SLOTS] == NULL)
		c->mid_oldest++;
}

static int chan_element(struct chan *c, struct slice pdu, const char **why)
{
	struct hdr h;
	struct req *r;
	bool async;

	if (hdr_decode(pdu, &h) != 0 || !(h.flags & SMB2_FLAGS_SERVER_TO_REDIR)) {
		*why = "a message that is not a response";
		return -EBADMSG;
	}
	if (c->sess != NULL && h.session_id != c->sess->id) {
		*why = "a message for another session";
		return -EBADMSG;
	}
	if (h.mid == SMB2_MID_UNSOLICITED) {
		/* We hold no oplock and no lease, so a break has nothing to say. */
		if (c->sess != NULL && h.cmd == SMB2_OPLOCK_BREAK)
			return 0;
		*why = "an unsolicited message";
		return -EBADMSG;
	}
	r = c->slot[h.mid % CHAN_SLOTS];
	if (r == NULL || r->mid != h.mid) {
		*why = "a reply to a request that was not sent or was answered before";
		return -EBADMSG;
	}
	if (r->cmd != h.cmd) {
		*why = "a reply with the command of another request";
		return -EBADMSG;
	}
	async = (h.flags & SMB2_FLAGS_ASYNC_COMMAND) != 0;
	if (r->state == REQ_PENDING && (!async || h.async_id != r->async_id)) {
		*why = "a reply with another asynchronous id than announced";
		return -EBADMSG;
	}
	if (c->credits + h.credits + c->charged > CHAN_MAX_CREDITS) {
		*why = "more credits than there can be";
		return -EBADMSG;
	}
	c->credits += h.credits;
	if (h.status == STATUS_PENDING) {
		if (!async || r->state == REQ_PENDING) {
			*why = "a second or a synchronous interim reply";
			return -EBADMSG;
		}
		r->state = REQ_PENDING;
		r->async_id = h.async_id;
		return 0;
	}
	chan_forget(c, r);
	chan_complete(c, r, 0, h.status, pdu);
	return 0;
}

int chan_input(struct chan *c, struct buf *frame, const char **why)
{
	struct slice msg, el;
	int err;

	c->stats.frames_in++;
	c->stats.bytes_in += frame->len + SMB2_NBT_LEN;
	err = frame_open(&c->prot, frame, &msg, why);
	while (err == 0 && msg.n > 0) {
		err = frame_next(&msg, &el);
		if (err != 0)
			*why = "a malformed message header";
		else
			err = chan_element(c, el, why);
	}
	buf_free(frame);
	if (err == 0 && c->waiting.first != NULL) {
		/* Everything is answered and the credits still do not suffice: they never will. */
		if (c->n_in_flight == 0 && !chan_has_room(c, c->waiting.first)) {
			*why = "too few credits to go on";
			return -EBADMSG;
		}
		c->kick(c->arg);
	}
	return err;
}

uint32_t chan_frame_limit(const struct chan *c)
{
	return c->sess == NULL ? CHAN_CLEAR_LIMIT : BUF_LARGE - SMB2_NBT_LEN;
}

void chan_fail(struct chan *c, int err)
{
	struct reqq dead;
	struct req *r, *head;

	if (c->err == 0)
		c->err = err;
	q_init(&dead);
	while ((head = q_pop(&c->waiting)) != NULL) {
		for (r = head; r != NULL; r = r->chain)
			q_push(&dead, r);
	}
	for (size_t i = 0; i < CHAN_SLOTS; i++) {
		if (c->slot[i] != NULL)
			q_push(&dead, c->slot[i]);
		c->slot[i] = NULL;
	}
	while (c->cancels != NULL) {
		struct buf *b = c->cancels;

		c->cancels = b->next;
		buf_free(b);
	}
	if (c->out_owned)
		buf_free(c->out);
	c->out = NULL;
	c->out_owned = false;
	c->credits = c->charged = c->n_in_flight = c->n_bulk = c->n_waiting = 0;

	while ((r = q_pop(&dead)) != NULL)
		chan_complete(c, r, c->err, 0, (struct slice){ 0 });
}

int chan_error(const struct chan *c)
{
	return c->err;
}

const struct chan_stats *chan_stats(struct chan *c)
{
	c->stats.credits = c->credits;
	c->stats.in_flight = c->n_in_flight;
	c->stats.queued = c->n_waiting;
	return &c->stats;
}

struct sess *chan_sess(struct chan *c)
{
	return c->sess;
}

uint32_t chan_in_flight(const struct chan *c)
{
	return c->n_in_flight;
}

uint32_t chan_expected(const struct chan *c)
{
	if (c->n_bulk < 2 || c->n_bulk != c->n_in_flight)
		return 0;
	return (c->prot.mode == FRAME_SEALED ? SMB2_TF_LEN : 0) + SMB2_HDR_LEN + 16 + BUF_MAX_IO;
}

bool chan_starved(const struct chan *c)
{
	return c->waiting.first != NULL;
}
