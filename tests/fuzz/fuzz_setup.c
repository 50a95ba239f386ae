/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The replies of the set-up dialogue: what a stranger sends before anything is proven. */
#include "../../proto/setup.h"

#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice pdu = slice_of(data, n);
	struct negotiate_resp nr;
	struct session_setup_resp sr;
	struct tree t;

	if (negotiate_resp_decode(pdu, &nr) == 0)
		touch(nr.token);
	if (session_setup_decode(pdu, &sr) == 0)
		touch(sr.token);
	if (tree_connect_decode(pdu, &t) == 0)
		touch(slice_of(&t, sizeof(t)));
	return 0;
}
