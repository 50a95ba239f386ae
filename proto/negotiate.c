/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include "call.h"
#include "crypt.h"
#include "pkt.h"
#include "setup.h"

#include <errno.h>

#define NEGOTIATE_SALT_LEN 32
/* Fixed part and contexts, the netname (at most 253 characters) apart. */
#define NEGOTIATE_ROOM 512u

static const uint8_t posix_guid[16] = {
	0x93, 0xad, 0x25, 0x50, 0x9c, 0xb4, 0x11, 0xe7,
	0xb4, 0x23, 0x83, 0xde, 0x96, 0x8b, 0xcd, 0x7c,
};

/* The context just before: one list of algorithms. */
static bool negotiate_choice_decode(struct slice data, bool has_salt, struct negotiate_choice *c)
{
	struct rd r = rd_at(data, 0);
	uint16_t salt_len;

	c->n_contexts++;
	c->n_values = rd_u16(&r);
	salt_len = has_salt ? rd_u16(&r) : 0;
	c->value = c->n_values == 0 ? 0 : rd_u16(&r);
	rd_bytes(&r, salt_len); /* of no use to us, but it has to be there */
	return rd_ok(&r);
}

int negotiate_resp_decode(struct slice pdu, struct negotiate_resp *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	struct slice guid;
	uint16_t size, n, token_off, token_len;
	uint32_t off;

	*out = (struct negotiate_resp){ 0 };
	size = rd_u16(&r);
	rd_u16(&r); /* SecurityMode: whatever it says, we sign and seal */
	out->dialect = rd_u16(&r);
	n = rd_u16(&r);
	guid = rd_bytes(&r, 16);
	out->caps = rd_u32(&r);
	out->max_transact = rd_u32(&r);
	out->max_read = rd_u32(&r);
	out->max_write = rd_u32(&r);
	rd_u64(&r); /* SystemTime: proves nothing, used for nothing */
	rd_u64(&r); /* ServerStartTime */
	token_off = rd_u16(&r);
	token_len = rd_u16(&r);
	off = rd_u32(&r);
	out->token = rd_window(&r, pdu, token_off, token_len);
	if (!rd_ok(&r) || size != 65)
		return -EBADMSG;
	memcpy(out->guid, guid.p, 16);
	if (out->dialect != SMB2_DIALECT_311)
		return 0; /* no contexts before 3.1.1: the caller refuses anyway */

	if (n > NEGOTIATE_MAX_CONTEXTS || off % 8 != 0 ||
	    off < (size_t)(r.p - pdu.p) + token_len)
		return -EBADMSG;
	r = rd_at(pdu, off);
	while (rd_ok(&r) && n-- > 0) {
		uint16_t type = rd_u16(&r);
		uint16_t len = rd_u16(&r);
		struct slice data;
		bool good = true;

		rd_u32(&r);
		data = rd_bytes(&r, len);
		if (!rd_ok(&r))
			break;
		if (type == SMB2_PREAUTH_INTEGRITY_CAPABILITIES)
			good = negotiate_choice_decode(data, true, &out->preauth);
		else if (type == SMB2_ENCRYPTION_CAPABILITIES)
			good = negotiate_choice_decode(data, false, &out->cipher);
		else if (type == SMB2_SIGNING_CAPABILITIES)
			good = negotiate_choice_decode(data, false, &out->signing);
		if (!good)
			return -EBADMSG;
		/* The next one starts 8-aligned; the last may or may not be padded. */
		if (n > 0)
			rd_bytes(&r, -(size_t)(r.p - pdu.p) & 7);
	}
	return rd_ok(&r) ? 0 : -EBADMSG;
}

static uint8_t *context_begin(struct wr *w, uint16_t type, uint16_t *n)
{
	uint8_t *len;

	wr_align(w, 8);
	wr_u16(w, type);
	len = wr_room(w, 2);
	wr_u32(w, 0);
	(*n)++;
	return len;
}

static void context_end(struct wr *w, uint8_t *len)
{
	put_le(len, (uint64_t)(w->p - len) - 6, 2);
}

static void wr_algorithms(struct wr *w, const uint16_t *list, size_t n)
{
	wr_u16(w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		wr_u16(w, list[i]);
}

/* NEGOTIATE request, 2.2.3: 3.1.1 and nothing else. */
static void negotiate_encode(struct pkt *p, struct req *r, const struct policy *pol,
			     struct slice netname, const uint8_t guid[16],
			     const uint8_t salt[NEGOTIATE_SALT_LEN])
{
	struct wr *w = &p->w;
	uint8_t *where, *len;
	uint16_t n = 0;

	pkt_add(p, r, SMB2_NEGOTIATE, false);
	wr_u16(w, 36);
	wr_u16(w, 1); /* DialectCount */
	wr_u16(w, SMB2_NEGOTIATE_SIGNING_REQUIRED);
	wr_u16(w, 0);
	/* Samba answers without a cipher unless the bit of 3.0 is set as well. */
	wr_u32(w, SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_ENCRYPTION);
	wr_bytes(w, guid, 16);
	where = wr_room(w, 8);
	wr_u16(w, SMB2_DIALECT_311);
	wr_align(w, 8);
	put_le(where, wr_len(w), 8); /* NegotiateContextOffset; the count follows below */

	len = context_begin(w, SMB2_PREAUTH_INTEGRITY_CAPABILITIES, &n);
	wr_u16(w, 1);
	wr_u16(w, NEGOTIATE_SALT_LEN);
	wr_u16(w, SMB2_PREAUTH_SHA512);
	wr_bytes(w, salt, NEGOTIATE_SALT_LEN);
	context_end(w, len);

	len = context_begin(w, SMB2_ENCRYPTION_CAPABILITIES, &n);
	wr_algorithms(w, pol->cipher, pol->n_ciphers);
	context_end(w, len);

	len = context_begin(w, SMB2_SIGNING_CAPABILITIES, &n);
	wr_algorithms(w, pol->signing, pol->n_signing);
	context_end(w, len);

	len = context_begin(w, SMB2_NETNAME_NEGOTIATE_CONTEXT_ID, &n);
	wr_slice(w, netname);
	context_end(w, len);

	len = context_begin(w, SMB2_POSIX_EXTENSIONS_AVAILABLE, &n);
	wr_bytes(w, posix_guid, sizeof(posix_guid));
	context_end(w, len);

	put_le(where + 4, n, 2);
	pkt_end(p);
}

static bool in_list(uint16_t value, const uint16_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == value)
			return true;
	}
	return false;
}

/* The rules of 3.2.5.2, and ours. */
static int negotiate_check(const struct negotiate_resp *nr, const struct policy *pol,
			   struct diag *d)
{
	bool no_cipher;

	if (nr->dialect != SMB2_DIALECT_311) {
		diag_detail(d, "NEGOTIATE answered dialect 0x%04x; only 0x0311 was offered",
			    nr->dialect);
		diag_hint(d, "the server, or something on the way to it, is too old or tampers with "
			     "the negotiation; enable SMB 3.1.1 on the server");
		return diag_set(d, -EPROTONOSUPPORT, "negotiate.dialect",
				"the server does not speak SMB 3.1.1");
	}
	if (nr->preauth.n_contexts != 1 || nr->preauth.n_values != 1 ||
	    nr->preauth.value != SMB2_PREAUTH_SHA512) {
		diag_detail(d, "NEGOTIATE answered with %u pre-authentication contexts, %u "
			       "algorithms, first 0x%04x",
			    nr->preauth.n_contexts, nr->preauth.n_values, nr->preauth.value);
		return diag_set(d, -EPROTO, "negotiate.preauth",
				"the server did not agree to pre-authentication integrity");
	}
	no_cipher = nr->cipher.n_contexts == 0 ||
		    (nr->cipher.n_contexts == 1 && nr->cipher.n_values <= 1 &&
		     nr->cipher.value == SMB2_ENCRYPTION_NONE);
	if (no_cipher && pol->privacy) {
		diag_detail(d, "NEGOTIATE answered dialect 0x%04x without a cipher", nr->dialect);
		diag_hint(d, "turn on SMB encryption on the server (Samba: server smb encrypt = "
			     "desired) with a cipher of the policy; this client never falls back "
			     "to cleartext");
		return diag_set(d, -EPROTONOSUPPORT, "policy.no-cipher",
				"the server offers no encryption");
	}
	if (!no_cipher &&
	    (nr->cipher.n_contexts != 1 || nr->cipher.n_values != 1 ||
	     !in_list(nr->cipher.value, pol->cipher, pol->n_ciphers))) {
		diag_detail(d, "NEGOTIATE answered with %u encryption contexts, %u ciphers, first "
			       "0x%04x",
			    nr->cipher.n_contexts, nr->cipher.n_values, nr->cipher.value);
		return diag_set(d, -EPROTO, "negotiate.cipher-not-offered",
				"the server chose a cipher that was not offered");
	}
	/* No signing context means AES-CMAC, the algorithm of 3.0. */
	if (nr->signing.n_contexts == 0 &&
	    !in_list(SMB2_SIGNING_AES_CMAC, pol->signing, pol->n_signing)) {
		diag_detail(d, "NEGOTIATE answered without a signing algorithm, which means "
			       "AES-CMAC");
		return diag_set(d, -EPROTONOSUPPORT, "negotiate.signing-not-offered",
				"the server signs with an algorithm that was not offered");
	}
	if (nr->signing.n_contexts > 1 ||
	    (nr->signing.n_contexts == 1 &&
	     (nr->signing.n_values != 1 ||
	      !in_list(nr->signing.value, pol->signing, pol->n_signing)))) {
		diag_detail(d, "NEGOTIATE answered with %u signing contexts, %u algorithms, first "
			       "0x%04x",
			    nr->signing.n_contexts, nr->signing.n_values, nr->signing.value);
		return diag_set(d, -EPROTO, "negotiate.signing-not-offered",
				"the server signs with an algorithm that was not offered");
	}
	if (nr->max_transact < 65536 || nr->max_read < 65536 || nr->max_write < 65536) {
		diag_detail(d, "NEGOTIATE answered MaxTransactSize %u, MaxReadSize %u, "
			       "MaxWriteSize %u",
			    nr->max_transact, nr->max_read, nr->max_write);
		return diag_set(d, -EPROTO, "negotiate.limits",
				"the server's limits are below what the protocol demands");
	}
	return 0;
}

static int negotiate_refused(uint32_t status, struct diag *d)
{
	call_explain(d, "NEGOTIATE", status);
	diag_hint(d, "enable SMB 3.1.1, with AES for signing, on the server; nothing older is tried");
	return diag_set(d, -EPROTONOSUPPORT, "negotiate.refused",
			"the server refused SMB 3.1.1");
}

int negotiate(struct chan_io *io, const struct policy *pol, const char *server,
	      const uint8_t client_guid[16], struct negotiated *out, struct diag *d)
{
	uint8_t name[512], salt[NEGOTIATE_SALT_LEN];
	struct negotiate_resp nr;
	struct call c = { 0 };
	struct pkt p;
	int err, name_len = utf16_from_path(server, strlen(server), false, name, sizeof(name));

	if (name_len < 0 || crypt_random(salt, sizeof(salt)) != 0)
		return diag_set(d, -EIO, "internal", "cannot encode the server's name");
	pkt_init(&p, chan_io_pool(io), 0, NEGOTIATE_ROOM + (size_t)name_len);
	negotiate_encode(&p, &c.r, pol, slice_of(name, (size_t)name_len), client_guid, salt);
	err = call_run(io, &p, &c, SESSION_TIMEOUT_MS, d);
	if (err == -ECONNRESET) {
		/* What Samba does when 3.1.1 is above its "server max protocol". */
		diag_clear(d);
		diag_detail(d, "%s closed the connection when asked for SMB 3.1.1",
			    chan_io_peer(io));
		diag_hint(d, "enable SMB 3.1.1 on the server, and check that this host may connect; "
			     "older versions are never tried");
		diag_set(d, -EPROTONOSUPPORT, "negotiate.closed",
			 "the server hung up instead of negotiating SMB 3.1.1");
	}
	if (err == 0 && c.status != 0)
		err = negotiate_refused(c.status, d);
	if (err == 0 && negotiate_resp_decode(c.pdu, &nr) != 0)
		err = diag_set(d, -EPROTO, "negotiate.malformed",
			       "the server's answer to NEGOTIATE is malformed");
	if (err == 0)
		err = negotiate_check(&nr, pol, d);
	if (err == 0) {
		*out = (struct negotiated){
			.dialect = nr.dialect,
			.cipher = nr.cipher.value,
			.signing = nr.signing.n_contexts == 0 ? SMB2_SIGNING_AES_CMAC :
				   nr.signing.value,
			.caps = nr.caps,
			.max_transact = nr.max_transact,
			.max_read = nr.max_read,
			.max_write = nr.max_write,
		};
		memcpy(out->server_guid, nr.guid, 16);
		if (nr.token.n != 0 && nr.token.n <= sizeof(out->offer)) {
			memcpy(out->offer, nr.token.p, nr.token.n);
			out->offer_len = nr.token.n;
		}
		if (preauth_update(out->preauth, c.sent) != 0 ||
		    preauth_update(out->preauth, c.pdu) != 0)
			err = diag_set(d, -EIO, "internal", "SHA-512 failed");
	}
	call_fini(&c);
	return err != 0 && d->err != 0 ? d->err : err;
}
