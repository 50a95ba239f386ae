/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include "smb.h"

#define ASKED 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice pdu = slice_of(data, n), out;
	struct smb_fs_size size;
	struct smb_attr attr;

	if (smb_query_info_decode(pdu, ASKED, &out) == 0) {
		if (out.n > ASKED)
			__builtin_trap();
		touch_within(out, slice_of(data + SMB2_HDR_LEN + 8, n - SMB2_HDR_LEN - 8));
	}
	if (smb_query_all_decode(pdu, &attr) == 0 &&
	    (attr.size > INT64_MAX || attr.alloc > INT64_MAX))
		__builtin_trap();
	if (smb_fs_size_decode(pdu, &size) == 0 && size.unit == 0)
		__builtin_trap();
	return 0;
}
