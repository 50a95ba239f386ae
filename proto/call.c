/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "call.h"

#include "ntstatus.h"

#include <stdlib.h>

static void call_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct call *c = r->ctx;
	const struct buf *tx = r->tx;
	size_t sent = tx->off + tx->len - r->hdr_off;

	c->err = err;
	c->status = status;
	c->mem = malloc(pdu.n + sent);
	if (c->mem == NULL)
		abort();
	if (pdu.n != 0)
		memcpy(c->mem, pdu.p, pdu.n);
	memcpy(c->mem + pdu.n, tx->mem + r->hdr_off, sent);
	c->pdu = slice_of(c->mem, pdu.n);
	c->sent = slice_of(c->mem + pdu.n, sent);
}

int call_run(struct chan_io *io, struct pkt *p, struct call *c, unsigned int timeout_ms,
	     struct diag *d)
{
	int err;

	c->r.done = call_done;
	c->r.ctx = c;
	err = chan_call(io, p->head, timeout_ms, d);
	return err != 0 ? err : c->err;
}

void call_fini(struct call *c)
{
	free(c->mem);
	*c = (struct call){ 0 };
}

void call_explain(struct diag *d, const char *command, uint32_t status)
{
	char name[24];
	const char *hint = nt_hint(status);

	diag_detail(d, "%s answered %s (0x%08x)", command, nt_name(status, name, sizeof(name)),
		    status);
	if (hint != NULL)
		diag_hint(d, "%s", hint);
}
