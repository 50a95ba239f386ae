/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A channel with requests in flight against any sequence of frames: input is a
 * list of (16-bit length, frame).  Whatever comes, each request completes
 * exactly once.
 */
#include "chan.h"
#include "smb.h"
#include "touch.h"

#include <stdlib.h>

#define N_REQUESTS 8

static int n_done[N_REQUESTS];

static void done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	(void)err;
	(void)status;
	touch(pdu);
	n_done[(size_t)r->ctx]++;
}

static void kick(void *arg)
{
	(void)arg;
}

static void send_all(struct chan *c)
{
	while (chan_output(c) != NULL)
		chan_sent(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bufpool *pool = bufpool_new();
	struct chan *c = chan_new(pool, 0, 512, kick, NULL);
	struct req r[N_REQUESTS];
	struct rd in = rd_at(slice_of(data, n), 0);
	int err = 0;

	memset(r, 0, sizeof(r));
	memset(n_done, 0, sizeof(n_done));
	for (size_t i = 0; i < N_REQUESTS; i++) {
		static const struct smb_fid fid = { 1, 2 };
		struct pkt p;

		pkt_init(&p, pool, 1, 0);
		if (i % 2 == 0)
			smb_echo(&p, &r[i]);
		else
			smb_read(&p, &r[i], &fid, 0, 100000);
		r[i].done = done;
		r[i].ctx = (void *)i;
		chan_submit(c, p.head);
	}
	send_all(c);
	while (err == 0 && rd_left(&in) >= 2) {
		uint16_t len = rd_u16(&in);
		struct slice s = rd_bytes(&in, len < rd_left(&in) ? len : rd_left(&in));
		struct buf *b = buf_new(pool, s.n + 1);
		const char *why = NULL;

		if (s.n != 0)
			memcpy(b->mem, s.p, s.n);
		b->len = (uint32_t)s.n;
		err = chan_input(c, b, &why);
		if (err != 0 && why == NULL)
			abort();
		chan_cancel(c, &r[1]);
		send_all(c);
	}
	chan_fail(c, -5);
	for (size_t i = 0; i < N_REQUESTS; i++) {
		if (n_done[i] != 1)
			abort();
	}
	chan_free(c);
	bufpool_free(pool);
	return 0;
}
