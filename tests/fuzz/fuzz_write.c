/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include "smb.h"

#define ASKED 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint32_t out;

	if (smb_write_decode(slice_of(data, n), ASKED, &out) == 0 && out > ASKED)
		__builtin_trap();
	return 0;
}
