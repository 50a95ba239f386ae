/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/spnego.h"

#include <errno.h>
#include <string.h>

#include "check.h"

/* From an smbd 4.17 without Kerberos, one with it, and their log-ons. */
static const char offer_ntlm[] =
	"604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b246e6f745f64"
	"6566696e65645f696e5f5246433431373840706c656173655f69676e6f7265";
static const char offer_krb5[] =
	"605e06062b0601050502a0543052a024302206092a864882f71201020206092a864886f712010202060a2b06"
	"010401823702020aa32a3028a0261b246e6f745f646566696e65645f696e5f5246433431373840706c656173"
	"655f69676e6f7265";
static const char resp_challenge[] =
	"a18188308185a0030a0101a10c060a2b06010401823702020aa270046e4e544c4d53535000020000000600"
	"06003800000015828ae2a3010832792ce5760000000000000000300030003e000000060100000000000f5300"
	"520056000200060053005200560001000600530052005600040000000300040076006d000700080026ff4350"
	"6179dd0100000000";
static const char resp_final[] = "a11b3019a0030a0100a3120410010000003490629f430e02f000000000";
static const char resp_krb_error[] =
	"a18195308192a0030a0101a10b06092a864886f712010202a27e047c607a06092a864886f71201020203007e"
	"6b3069a003020105a10302011ea411180f32303236313132313033333735355aa50502030d325ba603020125"
	"a90e1b0c4558414d504c452e54455354aa233021a003020100a11a30181b04636966731b107372762e657861"
	"6d706c652e74657374ac0904073005a103020102";

static const uint8_t krb5_oid[] = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
static const uint8_t ntlm_oid[] = "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";

/* Where the flags of resp_challenge and the number of its timestamp are. */
#define FLAGS_AT 49
#define TIMESTAMP_AT 123
#define INFO_LEN_AT 69

static struct slice bytes(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;
	unsigned int v;

	for (size_t i = 0; i < n; i++) {
		sscanf(hex + 2 * i, "%2x", &v);
		out[i] = (uint8_t)v;
	}
	return slice_of(out, n);
}

static void reads_the_mechanisms_offered(void)
{
	struct spnego_offer offer;
	uint8_t mem[256];

	CHECK(spnego_offer_decode(bytes(offer_krb5, mem), &offer) == 0);
	CHECK(spnego_offer_has(&offer, krb5_oid, sizeof(krb5_oid) - 1));
	CHECK(spnego_offer_has(&offer, ntlm_oid, sizeof(ntlm_oid) - 1));
	CHECK(!spnego_offer_has(&offer, krb5_oid, sizeof(krb5_oid) - 2));
	CHECK(spnego_offer_decode(bytes(offer_ntlm, mem), &offer) == 0);
	CHECK(!spnego_offer_has(&offer, krb5_oid, sizeof(krb5_oid) - 1));
	CHECK(spnego_offer_has(&offer, ntlm_oid, sizeof(ntlm_oid) - 1));
}

static void reads_the_parts_of_a_response(void)
{
	struct spnego_resp resp;
	struct ntlm_challenge c;
	struct slice error;
	uint8_t mem[256];

	CHECK(spnego_resp_decode(bytes(resp_challenge, mem), &resp) == 0);
	CHECK(resp.mech.n == 10 && memcmp(resp.mech.p, ntlm_oid, 10) == 0);
	CHECK(resp.token.n == 110 && resp.mic.n == 0);
	CHECK(ntlm_challenge_decode(resp.token, &c) == 0);
	CHECK(c.flags == 0xe28a8215 && c.has_timestamp);
	CHECK(krb_error_token_decode(resp.token, &error) == -EBADMSG);

	CHECK(spnego_resp_decode(bytes(resp_final, mem), &resp) == 0);
	CHECK(resp.mech.n == 0 && resp.token.n == 0 && resp.mic.n == 16);

	CHECK(spnego_resp_decode(bytes(resp_krb_error, mem), &resp) == 0);
	CHECK(krb_error_token_decode(resp.token, &error) == 0);
	CHECK(error.n == 109 && error.p[0] == 0x7e);
}

static void refuses_every_truncation(void)
{
	static const char *const rows[] = { offer_krb5, resp_challenge, resp_final,
					    resp_krb_error };
	struct spnego_offer offer;
	struct spnego_resp resp;
	uint8_t mem[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice whole = bytes(rows[i], mem);

		for (size_t n = 0; n < whole.n; n++) {
			CHECK(spnego_resp_decode(slice_of(mem, n), &resp) == -EBADMSG);
			CHECK(spnego_offer_decode(slice_of(mem, n), &offer) == -EBADMSG);
		}
	}
}

/* A challenge is as long as its fixed part and what the offsets in it say. */
static void refuses_every_truncated_challenge(void)
{
	struct spnego_resp resp;
	struct ntlm_challenge c;
	struct slice error;
	uint8_t mem[256];

	CHECK(spnego_resp_decode(bytes(resp_challenge, mem), &resp) == 0);
	for (size_t n = 0; n < resp.token.n; n++)
		CHECK(ntlm_challenge_decode(slice_of(resp.token.p, n), &c) == -EBADMSG);
	CHECK(spnego_resp_decode(bytes(resp_krb_error, mem), &resp) == 0);
	for (size_t n = 0; n < resp.token.n; n++)
		CHECK(krb_error_token_decode(slice_of(resp.token.p, n), &error) == -EBADMSG);
}

static int challenge_with(size_t at, uint8_t value, struct ntlm_challenge *out)
{
	struct spnego_resp resp;
	uint8_t mem[256];

	bytes(resp_challenge, mem);
	mem[at] = value;
	if (spnego_resp_decode(slice_of(mem, strlen(resp_challenge) / 2), &resp) != 0)
		return 1;
	return ntlm_challenge_decode(resp.token, out);
}

static void sees_what_a_weak_challenge_lacks(void)
{
	struct ntlm_challenge c;

	CHECK(challenge_with(FLAGS_AT + 3, 0, &c) == 0);
	CHECK((c.flags & (NTLMSSP_NEGOTIATE_128 | NTLMSSP_NEGOTIATE_KEY_EXCH)) == 0);
	CHECK(challenge_with(TIMESTAMP_AT, 8, &c) == 0 && !c.has_timestamp);
	CHECK(challenge_with(TIMESTAMP_AT + 2, 7, &c) == -EBADMSG); /* then all is out of step */
}

static void refuses_lies(void)
{
	static const struct {
		size_t at;
		uint8_t value;
	} spnego_rows[] = {
		{ 0, 0xa0 },  /* not a NegTokenResp */
		{ 1, 0x80 },  /* of unknown length */
		{ 1, 0x84 },  /* a length of four bytes */
		{ 2, 0x89 },  /* longer than it is */
		{ 3, 0x31 },  /* a set instead of a sequence */
		{ 5, 0x86 },  /* the sequence is longer than its holder */
		{ 6, 0xa4 },  /* an element of no meaning */
		{ 7, 0x04 },  /* an element with something behind its value */
		{ 11, 0xa0 }, /* out of order */
		{ 14, 0x0b }, /* the identifier is longer than its holder */
	};
	static const struct {
		size_t at;
		uint8_t value;
	} ntlm_rows[] = {
		{ FLAGS_AT - 20, 'n' },	   /* signature */
		{ FLAGS_AT - 12, 3 },	   /* an AUTHENTICATE message */
		{ INFO_LEN_AT, 0x31 },	   /* information behind the end */
		{ INFO_LEN_AT + 4, 0x10 }, /* information inside of the fixed part */
		{ INFO_LEN_AT + 7, 0xff }, /* far away */
	};
	struct ntlm_challenge c;

	for (size_t i = 0; i < sizeof(spnego_rows) / sizeof(spnego_rows[0]); i++)
		CHECK(challenge_with(spnego_rows[i].at, spnego_rows[i].value, &c) == 1);
	for (size_t i = 0; i < sizeof(ntlm_rows) / sizeof(ntlm_rows[0]); i++)
		CHECK(challenge_with(ntlm_rows[i].at, ntlm_rows[i].value, &c) == -EBADMSG);
}

int main(void)
{
	RUN(reads_the_mechanisms_offered);
	RUN(reads_the_parts_of_a_response);
	RUN(refuses_every_truncation);
	RUN(refuses_every_truncated_challenge);
	RUN(sees_what_a_weak_challenge_lacks);
	RUN(refuses_lies);
	return DONE();
}
