/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A server's SPNEGO token, and what is inside of it. */
#include "auth/spnego.h"
#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = slice_of(data, n), error;
	struct spnego_offer offer;
	struct spnego_resp resp;
	struct ntlm_challenge c;

	if (spnego_offer_decode(in, &offer) == 0) {
		touch_within(offer.mechs, in);
		spnego_offer_has(&offer, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 9);
	}
	if (spnego_resp_decode(in, &resp) != 0)
		return 0;
	touch_within(resp.mech, in);
	touch_within(resp.token, in);
	touch_within(resp.mic, in);
	if (krb_error_token_decode(resp.token, &error) == 0)
		touch_within(error, resp.token);
	if (ntlm_challenge_decode(resp.token, &c) == 0 && c.has_timestamp)
		touch(in);
	return 0;
}
