/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"

#include "fs/opts.h"

#include <string.h>

struct row {
	const char *text;
	const char *server, *share, *subdir, *user, *domain;
	unsigned int port;
	const char *fsname;
};

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void good(void)
{
	static const struct row rows[] = {
		{ "//srv/share", "srv", "share", "", NULL, NULL, 0, "//srv/share" },
		{ "//SRV.Example.TEST./Share/", "srv.example.test", "Share", "", NULL, NULL, 0,
		  "//srv.example.test/Share" },
		{ "//srv/share/a//b/", "srv", "share", "a/b", NULL, NULL, 0, "//srv/share/a/b" },
		{ "\\\\srv\\share\\a b", "srv", "share", "a b", NULL, NULL, 0, "//srv/share/a b" },
		{ "//srv\\share\\dir", "srv", "share", "dir", NULL, NULL, 0, "//srv/share/dir" },
		{ "//srv/my\\040share/a\\040b", "srv", "my share", "a b", NULL, NULL, 0,
		  "//srv/my share/a b" },
		{ "\\\\srv\\share\\040", "srv", "share", "040", NULL, NULL, 0, "//srv/share/040" },
		{ "//srv/a,b/c,user=x", "srv", "a,b", "c,user=x", NULL, NULL, 0,
		  "//srv/a,b/c,user=x" },
		{ "//srv/100%25/x", "srv", "100%25", "x", NULL, NULL, 0, "//srv/100%25/x" },
		{ "//srv/gr\xc3\xbc\xc3\x9f", "srv", "gr\xc3\xbc\xc3\x9f", "", NULL, NULL, 0,
		  "//srv/gr\xc3\xbc\xc3\x9f" },
		{ "//srv/c$", "srv", "c$", "", NULL, NULL, 0, "//srv/c$" },
		{ "//srv/share/...", "srv", "share", "...", NULL, NULL, 0, "//srv/share/..." },
		{ "//[fe80::1%3]/share", "[fe80::1%3]", "share", "", NULL, NULL, 0,
		  "//[fe80::1%3]/share" },
		{ "smb://srv/share", "srv", "share", "", NULL, NULL, 0, "//srv/share" },
		{ "SMB://Srv:8445/my%20share/a%2cb", "srv", "my share", "a,b", NULL, NULL, 8445,
		  "//srv/my share/a,b" },
		{ "smb://EX;al%40ice@srv/share/", "srv", "share", "", "al@ice", "EX", 0,
		  "//srv/share" },
		{ "smb://alice@EXAMPLE.TEST@srv/share", "srv", "share", "",
		  "alice@EXAMPLE.TEST", NULL, 0, "//srv/share" },
		{ "smb://[2001:db8::1]:445/share", "[2001:db8::1]", "share", "", NULL, NULL, 445,
		  "//[2001:db8::1]/share" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct source *s = NULL;
		struct diag d = { 0 };

		CHECK(source_parse(NULL, r->text, &s, &d) == 0);
		if (s == NULL) {
			printf("# %s\n", r->text);
			continue;
		}
		CHECK(same(s->server, r->server));
		CHECK(same(s->share, r->share));
		CHECK(same(s->subdir, r->subdir));
		CHECK(same(s->user, r->user));
		CHECK(same(s->domain, r->domain));
		CHECK(same(s->fsname, r->fsname));
		CHECK(s->port == r->port);
		CHECK(d.err == 0);
		talloc_free(s);
	}
}

static void refused(void)
{
	static const char *const rows[][2] = {
		{ "", "source.syntax" },
		{ "srv/share", "source.syntax" },
		{ "/srv/share", "source.syntax" },
		{ "\\srv\\share", "source.syntax" },
		{ "srv:/share", "source.syntax" },
		{ "//", "source.syntax" },
		{ "///share", "source.syntax" },
		{ "//srv", "source.syntax" },
		{ "//srv/", "source.syntax" },
		{ "//s rv/share", "source.syntax" },
		{ "//./share", "source.syntax" },
		{ "smb:///share", "source.syntax" },
		{ "smb://srv", "source.syntax" },
		{ "smb://srv?x/share", "source.syntax" },
		{ "smb://srv:0/share", "source.syntax" },
		{ "smb://srv:65536/share", "source.syntax" },
		{ "smb://srv:44x/share", "source.syntax" },
		{ "smb://srv:/share", "source.syntax" },
		{ "smb://@srv/share", "source.syntax" },
		{ "smb://srv/sh%2", "source.syntax" },
		{ "smb://srv/sh%zz", "source.syntax" },
		{ "smb://srv/sh%00x", "source.syntax" },
		{ "smb://srv/share/a%2Fb", "source.syntax" },
		{ "smb://alice:Hush-1234@srv/share", "source.password" },
		{ "smb://EX;alice:Hush-1234@srv/share", "source.password" },
		{ "//srv/share/..", "source.path" },
		{ "//srv/../share", "source.path" },
		{ "//srv/share/a/../b", "source.path" },
		{ "//srv/share/./b", "source.path" },
		{ "\\\\srv\\share\\..", "source.path" },
		{ "smb://srv/share/%2e%2e/x", "source.path" },
		{ "smb://srv/share/a%5cb", "source.path" },
		{ "//srv/share/a\\134b", "source.path" },
		{ "//srv/share/a\\012b", "source.path" },
		{ "//srv/share/a\nb", "source.path" },
		{ "//srv/\xff\xfe", "source.path" },
		{ "//srv/share/\xed\xa0\x80", "source.path" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct source *s = NULL;
		struct diag d = { 0 };

		CHECK(source_parse(NULL, rows[i][0], &s, &d) < 0);
		CHECK(s == NULL && d.id != NULL);
		if (d.id == NULL || strcmp(d.id, rows[i][1]) != 0) {
			CHECK(!"the right code");
			printf("# %s: %s\n", rows[i][0], d.id != NULL ? d.id : "accepted");
		}
		CHECK(strstr(d.what, "Hush") == NULL && strstr(d.detail, "Hush") == NULL &&
		      strstr(d.hint, "Hush") == NULL);
		talloc_free(s);
	}
}

static void long_names(void)
{
	char text[400] = "//srv/share/";
	struct source *s = NULL;
	struct diag d = { 0 };

	memset(text + 12, 'n', 255);
	CHECK(source_parse(NULL, text, &s, &d) == 0);
	talloc_free(s);
	text[12 + 255] = 'n';
	CHECK(source_parse(NULL, text, &s, &d) < 0);
	CHECK(d.id != NULL && strcmp(d.id, "source.path") == 0);
}

int main(void)
{
	RUN(good);
	RUN(refused);
	RUN(long_names);
	return DONE();
}
