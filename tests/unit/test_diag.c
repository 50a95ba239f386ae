/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void first_cause_wins(void)
{
	struct diag d = { 0 };

	CHECK(diag_set(&d, -EACCES, "a.first", "port %d is closed", 445) == -EACCES);
	CHECK(diag_set(&d, -EIO, "b.second", "something else") == -EACCES);
	CHECK(d.err == -EACCES);
	CHECK(strcmp(d.id, "a.first") == 0);
	CHECK(strcmp(d.what, "port 445 is closed") == 0);
}

static void detail_and_hint_belong_to_the_next_cause(void)
{
	struct diag d = { 0 };

	diag_detail(&d, "dialect 0x%04x", 0x311);
	diag_hint(&d, "try %s", "this");
	diag_set(&d, -EPROTO, "x.y", "the server lies");
	diag_detail(&d, "too late");
	diag_hint(&d, "too late");
	CHECK(strcmp(d.detail, "dialect 0x0311") == 0);
	CHECK(strcmp(d.hint, "try this") == 0);
}

static void clear_forgets(void)
{
	struct diag d = { 0 };

	diag_hint(&d, "old");
	diag_set(&d, -EIO, "old.id", "old");
	diag_clear(&d);
	CHECK(d.err == 0 && d.id == NULL && d.hint[0] == '\0' && d.what[0] == '\0');
	CHECK(diag_set(&d, -ENOENT, "new.id", "new") == -ENOENT);
}

static void long_texts_are_cut(void)
{
	struct diag d = { 0 };
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	diag_detail(&d, "%s", text);
	diag_hint(&d, "%s", text);
	diag_set(&d, -EIO, "long", "%s", text);
	CHECK(strlen(d.what) == sizeof(d.what) - 1);
	CHECK(strlen(d.detail) == sizeof(d.detail) - 1);
	CHECK(strlen(d.hint) == sizeof(d.hint) - 1);
}

static bool prints(const struct diag *d, const char *want)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	bool same;

	diag_print(f, "cannot mount //srv/share", d);
	fclose(f);
	same = strcmp(text, want) == 0;
	if (!same)
		printf("# printed:\n# %s\n", text);
	free(text);
	return same;
}

static void prints_what_is_set(void)
{
	struct diag d = { 0 };

	diag_set(&d, -EIO, NULL, "the network is down");
	CHECK(prints(&d, "smbsecure: cannot mount //srv/share: the network is down\n"));
	diag_clear(&d);
	diag_detail(&d, "NEGOTIATE answered dialect 0x0311 without an AEAD cipher");
	diag_hint(&d, "turn on SMB encryption on the server");
	diag_set(&d, -EPROTONOSUPPORT, "policy.no-cipher", "the server offers no encryption");
	CHECK(prints(&d,
		     "smbsecure: cannot mount //srv/share: the server offers no encryption\n"
		     "  detail: NEGOTIATE answered dialect 0x0311 without an AEAD cipher\n"
		     "  hint:   turn on SMB encryption on the server\n"
		     "  code:   policy.no-cipher\n"));
}

int main(void)
{
	RUN(first_cause_wins);
	RUN(detail_and_hint_belong_to_the_next_cause);
	RUN(clear_forgets);
	RUN(long_texts_are_cut);
	RUN(prints_what_is_set);
	return DONE();
}
