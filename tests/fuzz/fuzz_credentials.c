/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A credentials file. */
#include "cred.h"
#include "log.h"
#include "touch.h"

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* A value is a piece of a line, so it has no newline and no NUL. */
static void check_text(const char *text)
{
	if (text == NULL)
		return;
	require(text[0] != '\0' && strlen(text) <= CRED_MAX_LINE);
	require(strchr(text, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cred *c = NULL;
	struct diag d = { 0 };
	int err;

	log_level = LOG_LVL_ERR; /* unknown keys are warned of */
	err = cred_parse(NULL, slice_of(data, n), "fuzz", &c, &d);
	require(err == d.err && (err == 0) == (c != NULL));
	if (c == NULL)
		return 0;
	check_text(c->user);
	check_text(c->domain);
	check_text(c->realm);
	check_text(c->principal);
	check_text(c->ccache);
	check_text(c->keytab);
	if (c->password != NULL) {
		require(c->password->n <= CRED_MAX_PASSWORD + 1);
		require(memchr(c->password->p, '\0', c->password->n) ==
			c->password->p + c->password->n - 1);
		touch(slice_of(c->password->p, c->password->n));
	}
	talloc_free(c);
	return 0;
}
