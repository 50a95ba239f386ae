/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include "smb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct smb_create_resp out;

	if (smb_create_decode(slice_of(data, n), &out) != 0)
		return 0;
	if (out.attr.size > INT64_MAX || out.attr.alloc > INT64_MAX)
		__builtin_trap();
	return 0;
}
