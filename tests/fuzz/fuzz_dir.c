/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "touch.h"

#include "smb.h"

#define ASKED 4096
#define ENTRY_MIN 80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice pdu = slice_of(data, n), page, rest;
	struct smb_dir_iter it;
	struct smb_dirent e;

	if (smb_query_dir_decode(pdu, ASKED, &page) != 0)
		return 0;
	if (page.n > ASKED)
		__builtin_trap();

	/* Each entry lies wholly behind the name of the one before. */
	rest = page;
	smb_dir_iter_init(&it, page);
	while (smb_dir_iter_next(&it, &e)) {
		if (rest.n < ENTRY_MIN || it.bad)
			__builtin_trap();
		rest = slice_of(rest.p + ENTRY_MIN, rest.n - ENTRY_MIN);
		touch_within(e.name, rest);
		if (e.name.n != 0) {
			rest.n -= (size_t)(e.name.p + e.name.n - rest.p);
			rest.p = e.name.p + e.name.n;
		}
		if (e.attr.size > INT64_MAX || e.attr.alloc > INT64_MAX)
			__builtin_trap();
	}
	if (!it.last && !it.bad)
		__builtin_trap();
	return 0;
}
