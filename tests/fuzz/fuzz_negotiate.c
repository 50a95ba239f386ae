/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NEGOTIATE responses: what a stranger sends first. */
#include "../../proto/negotiate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct negotiate_resp nr;
	volatile uint8_t sum = 0;

	if (negotiate_resp_decode(slice_of(data, n), &nr) != 0)
		return 0;
	for (size_t i = 0; i < nr.token.n; i++)
		sum ^= nr.token.p[i];
	if (nr.dialect == 0x0311 && nr.token.n > n)
		abort();
	return 0;
}
