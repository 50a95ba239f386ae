/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag.h"

#include <assert.h>
#include <stdarg.h>

int diag_set(struct diag *d, int err, const char *id, const char *what, ...)
{
	va_list ap;

	assert(err < 0);
	if (d->err != 0)
		return d->err;
	d->err = err;
	d->id = id;
	va_start(ap, what);
	vsnprintf(d->what, sizeof(d->what), what, ap);
	va_end(ap);
	return err;
}

void diag_detail(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (d->err != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(d->detail, sizeof(d->detail), fmt, ap);
	va_end(ap);
}

void diag_hint(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	if (d->err != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(d->hint, sizeof(d->hint), fmt, ap);
	va_end(ap);
}

void diag_clear(struct diag *d)
{
	*d = (struct diag){ 0 };
}

void diag_print(FILE *f, const char *what_for, const struct diag *d)
{
	fprintf(f, "smbsecure: %s: %s\n", what_for, d->what);
	if (d->detail[0] != '\0')
		fprintf(f, "  detail: %s\n", d->detail);
	if (d->hint[0] != '\0')
		fprintf(f, "  hint:   %s\n", d->hint);
	if (d->id != NULL)
		fprintf(f, "  code:   %s\n", d->id);
}
