/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The channel against a server made of bytes, in clear: sealing has its own test. */
#include "check.h"
#include "chan.h"
#include "ntstatus.h"
#include "smb.h"

#include <errno.h>
#include <stdlib.h>

static struct bufpool *pool;
static int n_kicks;

static void kick(void *arg)
{
	(void)arg;
	n_kicks++;
}

struct probe {
	struct req r;
	int n_done, err;
	uint32_t status;
	size_t pdu_len;
	bool submitting;
	struct chan *resubmit_to;
};

static struct probe probes[32];

static void probe_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct probe *p = r->ctx;

	CHECK(!p->submitting);
	p->n_done++;
	p->err = err;
	p->status = status;
	p->pdu_len = pdu.n;
	if (p->resubmit_to != NULL) {
		struct pkt k;

		pkt_init(&k, pool, 1, 0);
		smb_echo(&k, &p->r);
		p->r.done = probe_done;
		p->r.ctx = p;
		chan_submit(p->resubmit_to, &p->r);
		p->resubmit_to = NULL;
	}
}

static void probes_reset(void)
{
	memset(probes, 0, sizeof(probes));
	n_kicks = 0;
}

/* An ECHO, or a READ of `kib` whose charge is kib / 64. */
static void submit(struct chan *c, int i, uint32_t kib)
{
	static const struct smb_fid fid = { 1, 2 };
	struct probe *p = &probes[i];
	struct pkt k;

	pkt_init(&k, pool, 1, 0);
	if (kib == 0)
		smb_echo(&k, &p->r);
	else
		smb_read(&k, &p->r, &fid, 0, kib * 1024);
	p->r.done = probe_done;
	p->r.ctx = p;
	p->submitting = true;
	chan_submit(c, k.head);
	p->submitting = false;
}

/* A compound of three ECHOs, probes i to i + 2. */
static void submit_compound(struct chan *c, int i)
{
	struct pkt k;

	pkt_init(&k, pool, 1, 0);
	for (int j = 0; j < 3; j++) {
		smb_echo(&k, &probes[i + j].r);
		probes[i + j].r.done = probe_done;
		probes[i + j].r.ctx = &probes[i + j];
	}
	chan_submit(c, k.head);
}

/* Frames the channel has for the wire now; they are all sent. */
static int send_all(struct chan *c)
{
	int n = 0;

	while (chan_output(c) != NULL) {
		n++;
		chan_sent(c);
	}
	return n;
}

struct answer {
	uint64_t mid, async_id;
	uint32_t status, flags;
	uint16_t cmd, credits;
};

static struct buf *frame_of(const struct answer *a, int n)
{
	struct buf *b = buf_new(pool, 2048 - 64);
	struct wr w = wr_to(b->mem, 1900);

	for (int i = 0; i < n; i++) {
		wr_u32(&w, SMB2_MAGIC);
		wr_u16(&w, SMB2_HDR_LEN);
		wr_u16(&w, 1);
		wr_u32(&w, a[i].status);
		wr_u16(&w, a[i].cmd);
		wr_u16(&w, a[i].credits);
		wr_u32(&w, a[i].flags | SMB2_FLAGS_SERVER_TO_REDIR);
		wr_u32(&w, i + 1 < n ? 72 : 0);
		wr_u64(&w, a[i].mid);
		wr_u64(&w, a[i].async_id);
		wr_u64(&w, 0);
		wr_zero(&w, 16);
		wr_u32(&w, 4);
		wr_u32(&w, 0);
	}
	b->len = (uint32_t)wr_len(&w);
	return b;
}

static int answer(struct chan *c, struct answer a)
{
	const char *why = NULL;
	int err;

	if (a.cmd == 0)
		a.cmd = SMB2_ECHO;
	err = chan_input(c, frame_of(&a, 1), &why);
	CHECK(err == 0 || why != NULL);
	return err;
}

static struct chan *fresh(void)
{
	probes_reset();
	return chan_new(pool, 0, 64, kick, NULL);
}

/* A channel with many credits, all ids below `*mid` used. */
static struct chan *rich(uint64_t *mid)
{
	struct chan *c = fresh();

	submit(c, 31, 0);
	CHECK(send_all(c) == 1);
	CHECK(answer(c, (struct answer){ .mid = 0, .credits = 64 }) == 0);
	*mid = 1;
	return c;
}

static void waits_for_credits(void)
{
	struct chan *c = fresh();

	submit(c, 0, 0);
	submit(c, 1, 0);
	CHECK(n_kicks == 2);
	CHECK(send_all(c) == 1);
	CHECK(chan_starved(c) && chan_in_flight(c) == 1);
	CHECK(answer(c, (struct answer){ .mid = 0, .credits = 2 }) == 0);
	CHECK(probes[0].n_done == 1 && probes[0].err == 0 && probes[0].pdu_len == 72);
	CHECK(send_all(c) == 1);
	CHECK(answer(c, (struct answer){ .mid = 1, .credits = 1, .status = 5 }) == 0);
	CHECK(probes[1].n_done == 1 && probes[1].status == 5);
	chan_free(c);
}

static void a_large_request_takes_an_id_per_64_kib(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);

	submit(c, 0, 1024);
	submit(c, 1, 0);
	CHECK(send_all(c) == 2);
	CHECK(probes[0].r.mid == mid && probes[0].r.charge == 16);
	CHECK(probes[1].r.mid == mid + 16);
	CHECK(chan_stats(c)->credits == 64 - 17);
	chan_free(c);
}

static void no_credits_left_is_the_end(void)
{
	struct chan *c = fresh();

	submit(c, 0, 0);
	submit(c, 1, 0);
	CHECK(send_all(c) == 1);
	CHECK(answer(c, (struct answer){ .mid = 0, .credits = 0 }) == -EBADMSG);
	chan_free(c);
	CHECK(probes[1].n_done == 1 && probes[1].err < 0);
}

static void interim_reply_keeps_request(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);
	struct answer a = { .mid = mid, .async_id = 99, .credits = 1, .status = STATUS_PENDING,
			    .flags = SMB2_FLAGS_ASYNC_COMMAND };

	submit(c, 0, 0);
	CHECK(send_all(c) == 1);
	CHECK(answer(c, a) == 0);
	CHECK(probes[0].n_done == 0 && probes[0].r.state == REQ_PENDING);
	a.status = 0;
	CHECK(answer(c, a) == 0);
	CHECK(probes[0].n_done == 1);
	chan_free(c);
}

static void one_cancel_at_most(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);

	submit(c, 0, 0);
	CHECK(send_all(c) == 1);
	chan_cancel(c, &probes[0].r);
	chan_cancel(c, &probes[0].r);
	CHECK(send_all(c) == 1);
	CHECK(chan_stats(c)->n_cmd[SMB2_CANCEL] == 1);
	CHECK(probes[0].n_done == 0);
	CHECK(answer(c, (struct answer){ .mid = mid, .status = STATUS_CANCELLED }) == 0);
	CHECK(probes[0].n_done == 1 && probes[0].status == STATUS_CANCELLED);
	chan_cancel(c, &probes[0].r);
	CHECK(send_all(c) == 0);
	chan_free(c);
}

static void compound_replies_may_come_apart(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);
	struct answer both[2] = { { .mid = mid, .cmd = SMB2_ECHO, .credits = 1 },
				  { .mid = mid + 1, .cmd = SMB2_ECHO, .credits = 1 } };
	const char *why;

	submit_compound(c, 0);
	CHECK(send_all(c) == 1);
	CHECK(chan_input(c, frame_of(both, 2), &why) == 0);
	CHECK(probes[0].n_done == 1 && probes[1].n_done == 1 && probes[2].n_done == 0);
	CHECK(answer(c, (struct answer){ .mid = mid + 2, .credits = 1 }) == 0);
	CHECK(probes[2].n_done == 1);
	CHECK(chan_stats(c)->frames_out == 2);
	chan_free(c);
}

/* Each row is one lie about request `mid`, an ECHO in flight. */
static void every_lie_about_a_reply_is_fatal(void)
{
	static const struct answer lies[] = {
		{ .mid = 500 },			  /* never sent */
		{ .mid = 0 },			  /* answered before */
		{ .mid = 1, .cmd = SMB2_READ },	  /* another command */
		{ .mid = 1, .credits = 65535 },	  /* more credits than there can be */
		{ .mid = 1, .status = STATUS_PENDING },	/* interim but synchronous */
		{ .mid = SMB2_MID_UNSOLICITED },
		{ .mid = SMB2_MID_UNSOLICITED, .cmd = SMB2_OPLOCK_BREAK }, /* before log-on */
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint64_t mid;
		struct chan *c = rich(&mid);

		submit(c, 0, 0);
		CHECK(send_all(c) == 1);
		CHECK(answer(c, lies[i]) == -EBADMSG);
		CHECK(probes[0].n_done == 0);
		chan_fail(c, -EBADMSG);
		CHECK(probes[0].n_done == 1 && probes[0].err == -EBADMSG);
		chan_free(c);
		CHECK(probes[0].n_done == 1);
	}
}

static void a_second_interim_or_another_async_id_is_fatal(void)
{
	for (int i = 0; i < 3; i++) {
		uint64_t mid;
		struct chan *c = rich(&mid);
		struct answer a = { .mid = mid, .async_id = 99, .status = STATUS_PENDING,
				    .flags = SMB2_FLAGS_ASYNC_COMMAND, .credits = 1 };

		submit(c, 0, 0);
		CHECK(send_all(c) == 1);
		CHECK(answer(c, a) == 0);
		if (i > 0)
			a.status = 0;
		if (i == 1)
			a.async_id = 98;
		if (i == 2)
			a.flags = 0;
		CHECK(answer(c, a) == -EBADMSG);
		chan_free(c);
		CHECK(probes[0].n_done == 1);
	}
}

static void a_request_is_not_a_response(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);
	struct answer a = { .mid = mid, .cmd = SMB2_ECHO };
	struct buf *b = frame_of(&a, 1);
	const char *why;

	submit(c, 0, 0);
	CHECK(send_all(c) == 1);
	b->mem[SMB2_HDR_FLAGS] = 0;
	CHECK(chan_input(c, b, &why) == -EBADMSG);
	chan_free(c);
}

/* Failure before anything is sent, after n frames are sent, after n are answered. */
static void fail_completes_each_once(void)
{
	for (int sent = 0; sent <= 8; sent++) {
		for (int answered = 0; answered <= sent; answered++) {
			uint64_t mid;
			struct chan *c = rich(&mid);

			for (int i = 0; i < 5; i++)
				submit(c, i, 0);
			submit_compound(c, 5);
			for (int i = 0; i < sent && chan_output(c) != NULL; i++)
				chan_sent(c);
			for (int i = 0; i < answered && i < 8; i++) {
				if (i > 5 && sent < 6)
					break;
				CHECK(answer(c, (struct answer){ .mid = mid + (unsigned)i }) == 0);
			}
			chan_fail(c, -EIO);
			for (int i = 0; i < 8; i++)
				CHECK(probes[i].n_done == 1);
			chan_free(c);
			for (int i = 0; i < 8; i++)
				CHECK(probes[i].n_done == 1);
		}
	}
}

static void a_request_submitted_from_done_of_a_dead_channel_fails_later(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);

	submit(c, 0, 0);
	CHECK(send_all(c) == 1);
	probes[0].resubmit_to = c;
	chan_fail(c, -EIO);
	CHECK(probes[0].n_done == 1);
	CHECK(chan_output(c) == NULL);
	CHECK(probes[0].n_done == 2 && probes[0].err == -EIO);
	chan_free(c);
}

static void an_answer_before_the_last_byte_left_keeps_the_buffer(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);
	struct buf *out;

	submit(c, 0, 0);
	out = chan_output(c);
	CHECK(out != NULL);
	CHECK(answer(c, (struct answer){ .mid = mid, .credits = 1 }) == 0);
	CHECK(probes[0].n_done == 1);
	CHECK(chan_output(c) == out && out->len > SMB2_HDR_LEN);
	chan_sent(c);
	CHECK(chan_output(c) == NULL);
	chan_free(c);
}

static void ids_in_use_stay_within_the_table(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);
	uint64_t straggler = mid;
	int sent = 0;

	submit(c, 0, 0);
	CHECK(send_all(c) == 1);
	/* Everything but the straggler is answered at once, with credits galore. */
	for (;;) {
		submit(c, 1, 1024);
		if (send_all(c) == 0)
			break;
		sent++;
		CHECK(sent < 10000);
		CHECK(answer(c, (struct answer){ .mid = probes[1].r.mid, .cmd = SMB2_READ,
						 .credits = 16 }) == 0);
	}
	CHECK(probes[1].r.state == REQ_QUEUED);
	CHECK(answer(c, (struct answer){ .mid = straggler, .credits = 1 }) == 0);
	CHECK(send_all(c) == 1);
	chan_free(c);
}

static void expects_a_full_frame_while_only_full_reads_are_in_flight(void)
{
	uint64_t mid;
	struct chan *c = rich(&mid);
	const uint32_t full = SMB2_HDR_LEN + 16 + BUF_MAX_IO;

	CHECK(chan_expected(c) == 0);
	submit(c, 0, 1024);
	CHECK(send_all(c) == 1 && chan_expected(c) == 0);
	submit(c, 1, 1024);
	CHECK(send_all(c) == 1 && chan_expected(c) == full);
	submit(c, 2, 0);
	CHECK(send_all(c) == 1 && chan_expected(c) == 0);
	CHECK(answer(c, (struct answer){ .mid = probes[2].r.mid, .credits = 1 }) == 0);
	CHECK(chan_expected(c) == full);
	CHECK(answer(c, (struct answer){ .mid = mid, .cmd = SMB2_READ, .credits = 1 }) == 0);
	CHECK(chan_expected(c) == 0);
	chan_free(c);
}

int main(void)
{
	pool = bufpool_new();
	RUN(waits_for_credits);
	RUN(a_large_request_takes_an_id_per_64_kib);
	RUN(no_credits_left_is_the_end);
	RUN(interim_reply_keeps_request);
	RUN(one_cancel_at_most);
	RUN(compound_replies_may_come_apart);
	RUN(every_lie_about_a_reply_is_fatal);
	RUN(a_second_interim_or_another_async_id_is_fatal);
	RUN(a_request_is_not_a_response);
	RUN(fail_completes_each_once);
	RUN(a_request_submitted_from_done_of_a_dead_channel_fails_later);
	RUN(an_answer_before_the_last_byte_left_keeps_the_buffer);
	RUN(ids_in_use_stay_within_the_table);
	RUN(expects_a_full_frame_while_only_full_reads_are_in_flight);
	bufpool_free(pool);
	return DONE();
}
