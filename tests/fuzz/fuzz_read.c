/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include "smb.h"

#define ASKED 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice pdu = slice_of(data, n), out;

	if (smb_read_decode(pdu, ASKED, &out) != 0)
		return 0;
	if (out.n > ASKED)
		__builtin_trap();
	touch_within(out, slice_of(data + SMB2_HDR_LEN + 16, n - SMB2_HDR_LEN - 16));
	return 0;
}
