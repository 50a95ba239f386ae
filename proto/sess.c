/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sess.h"

#include <stdlib.h>

struct sess *sess_get(struct sess *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void sess_put(struct sess *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	secret_free(s->keys);
	free(s);
}
