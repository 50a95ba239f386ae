/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spnego.h"

#include <errno.h>

#define DER_OCTET_STRING 0x04
#define DER_OID 0x06
#define DER_ENUMERATED 0x0a
#define DER_SEQUENCE 0x30
#define DER_APPLICATION_0 0x60
#define DER_CONTEXT(n) (0xa0 | (n))

#define KRB_ERROR_TOKEN 0x0003 /* RFC 4121 4.1: 03 00 */

#define NTLM_CHALLENGE 2u
#define NTLM_AV_EOL 0
#define NTLM_AV_TIMESTAMP 7
#define NTLM_FLAGS_OFF 20u
#define NTLM_TARGET_INFO_OFF 40u

/* The body of the next element, which must have this tag. */
static struct slice der_take(struct rd *r, uint8_t tag)
{
	size_t n;

	if (rd_u8(r) != tag)
		r->bad = true;
	n = rd_u8(r);
	if (n >= 0x80) {
		size_t n_len = n & 0x7f;

		/* A token is at most 65535 bytes; lengths of unknown end are not DER. */
		if (n_len < 1 || n_len > 3)
			r->bad = true;
		for (n = 0; rd_ok(r) && n_len > 0; n_len--)
			n = n << 8 | rd_u8(r);
	}
	return rd_bytes(r, n);
}

/* The optional element [n], which holds one of `tag`. */
static struct slice der_take_optional(struct rd *r, uint8_t n, uint8_t tag)
{
	struct slice body;
	struct rd inner;

	if (rd_left(r) == 0 || r->p[0] != DER_CONTEXT(n))
		return (struct slice){ 0 };
	inner = rd_at(der_take(r, DER_CONTEXT(n)), 0);
	body = der_take(&inner, tag);
	if (!rd_ok(&inner) || rd_left(&inner) != 0)
		r->bad = true;
	return body;
}

int spnego_offer_decode(struct slice in, struct spnego_offer *out)
{
	struct rd outer = rd_at(in, 0), token, choice, seq, list, walk;
	struct slice mechs;

	token = rd_at(der_take(&outer, DER_APPLICATION_0), 0);
	der_take(&token, DER_OID);
	choice = rd_at(der_take(&token, DER_CONTEXT(0)), 0);
	seq = rd_at(der_take(&choice, DER_SEQUENCE), 0);
	list = rd_at(der_take(&seq, DER_CONTEXT(0)), 0);
	mechs = der_take(&list, DER_SEQUENCE);
	walk = rd_at(mechs, 0);
	while (rd_ok(&walk) && rd_left(&walk) > 0)
		der_take(&walk, DER_OID);
	if (!rd_ok(&outer) || !rd_ok(&token) || !rd_ok(&choice) || !rd_ok(&seq) ||
	    !rd_ok(&list) || !rd_ok(&walk))
		return -EBADMSG;
	out->mechs = mechs;
	return 0;
}

bool spnego_offer_has(const struct spnego_offer *offer, const void *oid, size_t oid_len)
{
	struct rd r = rd_at(offer->mechs, 0);

	while (rd_ok(&r) && rd_left(&r) > 0) {
		struct slice mech = der_take(&r, DER_OID);

		if (mech.n == oid_len && memcmp(mech.p, oid, oid_len) == 0)
			return true;
	}
	return false;
}

int spnego_resp_decode(struct slice in, struct spnego_resp *out)
{
	struct rd outer = rd_at(in, 0), choice, seq;
	struct spnego_resp resp;

	choice = rd_at(der_take(&outer, DER_CONTEXT(1)), 0);
	seq = rd_at(der_take(&choice, DER_SEQUENCE), 0);
	der_take_optional(&seq, 0, DER_ENUMERATED); /* negState: the GSSAPI's to judge */
	resp.mech = der_take_optional(&seq, 1, DER_OID);
	resp.token = der_take_optional(&seq, 2, DER_OCTET_STRING);
	resp.mic = der_take_optional(&seq, 3, DER_OCTET_STRING);
	if (!rd_ok(&outer) || !rd_ok(&choice) || !rd_ok(&seq) || rd_left(&seq) != 0)
		return -EBADMSG;
	*out = resp;
	return 0;
}

int krb_error_token_decode(struct slice in, struct slice *out)
{
	struct rd outer = rd_at(in, 0), token;
	uint16_t id;

	token = rd_at(der_take(&outer, DER_APPLICATION_0), 0);
	der_take(&token, DER_OID);
	id = rd_u16(&token);
	if (!rd_ok(&outer) || !rd_ok(&token) || id != KRB_ERROR_TOKEN)
		return -EBADMSG;
	*out = rd_bytes(&token, rd_left(&token));
	return 0;
}

int ntlm_challenge_decode(struct slice in, struct ntlm_challenge *out)
{
	static const uint8_t magic[8] = "NTLMSSP";
	struct rd r = rd_at(in, 0), info;
	struct slice head = rd_bytes(&r, sizeof(magic));
	struct ntlm_challenge c = { 0 };
	uint32_t type = rd_u32(&r), off;
	uint16_t len, id;

	rd_bytes(&r, NTLM_FLAGS_OFF - sizeof(magic) - 4); /* TargetName */
	c.flags = rd_u32(&r);
	rd_bytes(&r, NTLM_TARGET_INFO_OFF - NTLM_FLAGS_OFF - 4); /* challenge, reserved */
	len = rd_u16(&r);
	rd_u16(&r); /* TargetInfoMaxLen */
	off = rd_u32(&r);
	info = rd_at(rd_window(&r, in, off, len), 0);
	if (!rd_ok(&r) || memcmp(head.p, magic, sizeof(magic)) != 0 || type != NTLM_CHALLENGE)
		return -EBADMSG;
	while (rd_ok(&info) && rd_left(&info) > 0) {
		id = rd_u16(&info);
		len = rd_u16(&info);
		if (id == NTLM_AV_TIMESTAMP && len == 8)
			c.has_timestamp = true;
		if (id == NTLM_AV_EOL)
			break;
		rd_bytes(&info, len);
	}
	if (!rd_ok(&info))
		return -EBADMSG;
	*out = c;
	return 0;
}
