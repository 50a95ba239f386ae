/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include "call.h"
#include "crypt.h"
#include "ntstatus.h"
#include "pkt.h"
#include "setup.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Kerberos in SPNEGO takes one or two legs, NTLM two or three. */
#define SESSION_MAX_LEGS 6
/* The control thread does nothing else meanwhile, not even end. */
#define REAUTH_TIMEOUT_MS 4000u

int session_setup_decode(struct slice pdu, struct session_setup_resp *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	uint16_t size = rd_u16(&r), off, len;

	out->flags = rd_u16(&r);
	off = rd_u16(&r);
	len = rd_u16(&r);
	out->token = rd_window(&r, pdu, off, len);
	return rd_ok(&r) && size == 9 ? 0 : -EBADMSG;
}

/* SESSION_SETUP request, 2.2.5. */
static void session_setup_encode(struct pkt *p, struct req *r, uint64_t session_id,
				 struct slice token)
{
	struct wr *w = &p->w;

	pkt_add(p, r, SMB2_SESSION_SETUP, false);
	put_le(p->b->mem + r->hdr_off + SMB2_HDR_SESSION_ID, session_id, 8);
	wr_u16(w, 25);
	wr_u8(w, 0); /* Flags */
	wr_u8(w, SMB2_NEGOTIATE_SIGNING_REQUIRED);
	wr_u32(w, 0); /* Capabilities: DFS is none of ours yet */
	wr_u32(w, 0); /* Channel */
	wr_u16(w, SMB2_HDR_LEN + 24);
	wr_u16(w, (uint16_t)token.n);
	wr_u64(w, 0); /* PreviousSessionId */
	wr_slice(w, token);
	pkt_end(p);
}

static uint64_t header_session_id(struct slice pdu)
{
	struct rd r = rd_at(pdu, SMB2_HDR_SESSION_ID);

	return rd_u64(&r);
}

static uint32_t header_flags(struct slice pdu)
{
	struct rd r = rd_at(pdu, SMB2_HDR_FLAGS);

	return rd_u32(&r);
}

static int session_refused(const struct auth *a, uint32_t status, struct diag *d)
{
	int err = nt_errno(status);

	call_explain(d, "SESSION_SETUP", status);
	/* No password was sent that could be wrong. */
	if (status == STATUS_LOGON_FAILURE && auth_mech(a) == AUTH_KRB5) {
		diag_hint(d, "either the server's keytab is older than its key at the KDC (make it "
			     "anew; `klist -k` shows it), or the server does not know the user");
		return diag_set(d, -EACCES, "session.ticket-refused",
				"the server does not accept the Kerberos ticket");
	}
	return diag_set(d, err != 0 ? err : -EPROTO, "session.refused",
			"the server refused the log-on");
}

static int session_incomplete(struct diag *d, const char *detail)
{
	diag_detail(d, "%s", detail);
	diag_hint(d, "either the server is broken or something between here and there answers in "
		     "its place");
	return diag_set(d, -EPROTO, "session.incomplete",
			"the server ended the authentication before it was complete");
}

static struct sess *sess_new(const struct negotiated *neg, uint64_t id, const struct auth_info *who)
{
	struct sess *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	atomic_init(&s->refs, 1);
	s->id = id;
	s->dialect = neg->dialect;
	s->cipher = neg->cipher;
	s->signing = neg->signing;
	s->caps = neg->caps;
	s->max_transact = neg->max_transact;
	s->max_read = neg->max_read;
	s->max_write = neg->max_write;
	memcpy(s->server_guid, neg->server_guid, 16);
	s->keys = secret_new(sizeof(struct sess_keys));
	s->who = *who;
	return s;
}

#define LABEL(text) slice_of(text, sizeof(text)) /* with its NUL, 3.1.4.2 */

/* The key schedule of 3.1.1, 3.2.5.3.1; `hash` ends before the final response. */
static int session_derive(struct sess *s, const struct secret *key, const uint8_t hash[64])
{
	struct sess_keys *k = (struct sess_keys *)(void *)s->keys->p;
	struct slice context = slice_of(hash, 64);
	struct slice key16 = slice_of(key->p, 16);
	size_t n = policy_cipher_key_len(s->cipher);
	/* AES-256 keys come from all of the session key. */
	struct slice cipher_key = n == 32 ? slice_of(key->p, key->n) : key16;
	int err = kdf(key16, LABEL("SMBSigningKey"), context, k->sign, 16);

	if (s->cipher == SMB2_ENCRYPTION_NONE)
		return err;
	if (err == 0)
		err = kdf(cipher_key, LABEL("SMBC2SCipherKey"), context, k->c2s, n);
	if (err == 0)
		err = kdf(cipher_key, LABEL("SMBS2CCipherKey"), context, k->s2c, n);
	return err;
}

/*
 * The check that makes pre-authentication integrity real: the final response
 * must be signed with a key that depends on every byte exchanged so far.
 */
static int session_check_final(const struct sess *s, struct slice pdu, struct diag *d)
{
	struct mac *m;
	int err;

	if (!(header_flags(pdu) & SMB2_FLAGS_SIGNED)) {
		diag_detail(d, "the final SESSION_SETUP response does not carry SMB2_FLAGS_SIGNED");
		diag_hint(d, "somebody may be tampering with the connection");
		return diag_set(d, -EPROTO, "session.unsigned",
				"the server did not sign the end of the log-on");
	}
	m = mac_new(s->signing, sess_keys(s)->sign);
	err = m == NULL ? -EIO : mac_check(m, pdu, true);
	mac_free(m);
	if (err == 0)
		return 0;
	diag_detail(d, "the %s signature of the final SESSION_SETUP response does not match the "
		       "negotiation that we saw",
		    policy_signing_name(s->signing));
	diag_hint(d, "somebody may be tampering with the connection");
	return diag_set(d, -EPROTO, "session.tampered", "the log-on was tampered with");
}

int session_protect(struct chan_io *io, struct sess *s, struct diag *d)
{
	if (s->sealed && s->cipher == SMB2_ENCRYPTION_NONE) {
		diag_detail(d, "NEGOTIATE chose no cipher, yet the session or the share demands "
			       "encryption");
		return diag_set(d, -EPROTO, "session.no-cipher",
				"the server demands encryption but offers none");
	}
	if (chan_protect(chan_io_chan(io), s) != 0)
		return diag_set(d, -EIO, "internal", "the session keys cannot be set up");
	return 0;
}

static int session_finish(struct chan_io *io, const struct policy *pol,
			  const struct negotiated *neg, struct auth *a, uint16_t flags,
			  struct slice pdu, const uint8_t hash[64], struct sess **out,
			  struct diag *d)
{
	struct secret *key;
	struct sess *s;
	int err;

	err = auth_key(a, &key, d);
	if (err != 0)
		return err;
	s = sess_new(neg, header_session_id(pdu), auth_info(a));
	s->sealed = pol->privacy || (flags & SMB2_SESSION_FLAG_ENCRYPT_DATA);
	assert(s->cipher != SMB2_ENCRYPTION_NONE || !pol->privacy);
	err = session_derive(s, key, hash);
	secret_free(key);
	if (err != 0)
		diag_set(d, err, "internal", "the key derivation failed");
	else
		err = session_check_final(s, pdu, d);
	if (err == 0)
		err = session_protect(io, s, d);
	if (err != 0) {
		sess_put(s);
		return err;
	}
	*out = s;
	return 0;
}

static int session_refuse_guest(uint16_t flags, struct diag *d)
{
	diag_detail(d, "SESSION_SETUP answered with session flags 0x%04x (%s)", flags,
		    flags & SMB2_SESSION_FLAG_IS_GUEST ? "guest" : "null session");
	diag_hint(d, "guest sessions cannot be protected; check the account on the server (Samba: "
		     "map to guest = never)");
	return diag_set(d, -EACCES, "session.guest",
			"the server logged us on as a guest instead of the user");
}

int session_setup(struct chan_io *io, const struct policy *pol, const struct negotiated *neg,
		  struct auth *a, struct sess **out, struct diag *d)
{
	struct slice token;
	struct call c = { 0 };
	uint8_t hash[64];
	uint64_t id = 0;
	bool complete = false;
	int err;

	memcpy(hash, neg->preauth, 64);
	/*
	 * Ours was chosen before: a list of mechanisms that nobody has authenticated
	 * can end the log-on, but not change it.
	 */
	err = auth_step(a, slice_of(neg->offer, neg->offer_len), &token, &complete, d);
	for (int leg = 0; err == 0; leg++) {
		struct session_setup_resp sr = { 0 };
		struct pkt p;

		if (token.n == 0 || token.n > UINT16_MAX || leg == SESSION_MAX_LEGS) {
			err = session_incomplete(d, "the exchange of tokens does not come to an end");
			break;
		}
		pkt_init(&p, chan_io_pool(io), 0, token.n);
		call_fini(&c);
		session_setup_encode(&p, &c.r, id, token);
		err = call_run(io, &p, &c, SESSION_TIMEOUT_MS, d);
		if (err != 0)
			break;
		if (c.status != 0 && c.status != STATUS_MORE_PROCESSING_REQUIRED) {
			err = session_refused(a, c.status, d);
			break;
		}
		if (session_setup_decode(c.pdu, &sr) != 0) {
			err = diag_set(d, -EPROTO, "session.malformed",
				       "the server's answer to SESSION_SETUP is malformed");
			break;
		}
		if (header_session_id(c.pdu) == 0 || (leg > 0 && header_session_id(c.pdu) != id)) {
			err = diag_set(d, -EPROTO, "session.id-changed",
				       "the server changed the session's id during the log-on");
			break;
		}
		id = header_session_id(c.pdu);
		err = preauth_update(hash, c.sent);
		if (err == 0 && c.status != 0)
			err = preauth_update(hash, c.pdu); /* the final one is not hashed */
		if (err == 0 && c.status == 0 &&
		    (sr.flags & (SMB2_SESSION_FLAG_IS_GUEST | SMB2_SESSION_FLAG_IS_NULL)))
			err = session_refuse_guest(sr.flags, d);
		if (err != 0)
			break;

		/* Our side has the last word, and may need the server's last token for it. */
		token = (struct slice){ 0 };
		if (sr.token.n != 0 || !complete)
			err = auth_step(a, sr.token, &token, &complete, d);
		if (err != 0 || c.status != 0)
			continue;
		if (!complete || token.n != 0)
			err = session_incomplete(d, "SESSION_SETUP succeeded while a token was "
						    "still expected");
		else
			err = session_finish(io, pol, neg, a, sr.flags, c.pdu, hash, out, d);
		break;
	}
	call_fini(&c);
	if (err != 0 && d->err == 0)
		diag_set(d, err, "internal", "the log-on failed inside this program");
	return err;
}

/*
 * One SESSION_SETUP on a channel that belongs to another thread, which runs
 * leg_run() and leg_done().  We do not wait for ever: whichever side leaves
 * last frees it.
 */
struct leg {
	struct msg msg;
	struct chan_io *io;
	struct req r;
	sem_t done;
	atomic_bool left;
	int err;
	uint32_t status;
	uint8_t *token, *pdu; /* ours, theirs */
	size_t token_len, pdu_len;
};

static void leg_leave(struct leg *g)
{
	if (!atomic_exchange(&g->left, true))
		return;
	sem_destroy(&g->done);
	free(g->token);
	free(g->pdu);
	free(g);
}

static uint8_t *leg_copy(struct slice from)
{
	uint8_t *copy = malloc(from.n + 1);

	if (copy == NULL)
		abort();
	if (from.n != 0)
		memcpy(copy, from.p, from.n);
	return copy;
}

static void leg_done(struct req *r, int err, uint32_t status, struct slice pdu)
{
	struct leg *g = r->ctx;

	g->err = err;
	g->status = status;
	g->pdu = leg_copy(pdu);
	g->pdu_len = pdu.n;
	sem_post(&g->done);
	leg_leave(g);
}

static void leg_run(struct msg *m)
{
	struct leg *g = (struct leg *)m;
	struct pkt p;

	pkt_init(&p, chan_io_pool(g->io), 0, g->token_len);
	session_setup_encode(&p, &g->r, 0, slice_of(g->token, g->token_len));
	g->r.done = leg_done;
	g->r.ctx = g;
	chan_submit(chan_io_chan(g->io), p.head);
}

static int leg_wait(struct leg *g)
{
	uint64_t end_ns = loop_now_ns() + REAUTH_TIMEOUT_MS * NS_PER_MS;
	struct timespec end = { (time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S) };

	while (sem_clockwait(&g->done, CLOCK_MONOTONIC, &end) != 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* The caller leaves `*out`, on success only. */
static int leg_call(struct loop *l, struct chan_io *io, const struct auth *a, struct slice token,
		    struct leg **out, struct diag *d)
{
	struct leg *g = calloc(1, sizeof(*g));
	int err;

	if (g == NULL)
		abort();
	g->msg.run = leg_run;
	g->io = io;
	g->token = leg_copy(token);
	g->token_len = token.n;
	sem_init(&g->done, 0, 0);
	loop_post(l, &g->msg);
	err = leg_wait(g);
	if (err != 0)
		diag_set(d, err, "net.lost", "the server does not answer");
	else if (g->err != 0)
		err = diag_set(d, g->err, "net.lost", "the connection was lost");
	else if (g->status != 0 && g->status != STATUS_MORE_PROCESSING_REQUIRED)
		err = session_refused(a, g->status, d);
	if (err != 0)
		leg_leave(g);
	else
		*out = g;
	return err;
}

int session_reauth(struct loop *l, struct chan_io *io, struct auth *a, struct diag *d)
{
	struct slice token;
	bool complete = false;
	int err = auth_step(a, (struct slice){ 0 }, &token, &complete, d);

	for (int n = 0; err == 0; n++) {
		struct session_setup_resp sr;
		uint32_t status;
		struct leg *g;

		if (token.n == 0 || token.n > UINT16_MAX || n == SESSION_MAX_LEGS)
			return session_incomplete(d, "the exchange of tokens does not come to an end");
		err = leg_call(l, io, a, token, &g, d);
		if (err != 0)
			break;
		if (session_setup_decode(slice_of(g->pdu, g->pdu_len), &sr) != 0)
			err = diag_set(d, -EPROTO, "session.malformed",
				       "the server's answer to SESSION_SETUP is malformed");
		if (err == 0 && (sr.flags & (SMB2_SESSION_FLAG_IS_GUEST | SMB2_SESSION_FLAG_IS_NULL)))
			err = session_refuse_guest(sr.flags, d);
		token = (struct slice){ 0 };
		if (err == 0 && (sr.token.n != 0 || !complete))
			err = auth_step(a, sr.token, &token, &complete, d);
		status = g->status;
		leg_leave(g);
		if (err == 0 && status == 0)
			return complete && token.n == 0 ? 0 :
			       session_incomplete(d, "SESSION_SETUP succeeded while a token was "
						     "still expected");
	}
	return err;
}

void session_logoff(struct chan_io *io, unsigned int timeout_ms)
{
	struct diag d = { 0 };
	struct call c = { 0 };
	struct pkt p;

	if (chan_error(chan_io_chan(io)) != 0 || chan_sess(chan_io_chan(io)) == NULL)
		return;
	pkt_init(&p, chan_io_pool(io), 0, 0);
	smb_logoff(&p, &c.r);
	call_run(io, &p, &c, timeout_ms, &d);
	call_fini(&c);
}
