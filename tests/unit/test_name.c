/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "name.h"

#include <errno.h>
#include <string.h>

#include "check.h"

static void takes_host_names(void)
{
	static const struct {
		const char *typed, *out;
	} rows[] = {
		{ "fs1.example.com", "fs1.example.com" },
		{ "FS1.Example.COM", "fs1.example.com" },
		{ "fs1.example.com.", "fs1.example.com" },
		{ "fs1", "fs1" },
		{ "my_server.corp-net.example", "my_server.corp-net.example" },
		{ "127.0.0.1.corp.test", "127.0.0.1.corp.test" },
		{ "1and1.example", "1and1.example" },
		{ "fs1.0xg", "fs1.0xg" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "ipv6-literal.net.example", "ipv6-literal.net.example" },
		{ "myipv6-literal.net", "myipv6-literal.net" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[NAME_SIZE] = "";
		struct diag d = { 0 };

		CHECK(name_normalise(rows[i].typed, out, sizeof(out), &d) == 0);
		CHECK(strcmp(out, rows[i].out) == 0);
	}
}

static int refused(const char *typed, const char *id)
{
	char out[NAME_SIZE] = "untouched";
	struct diag d = { 0 };
	int ok = name_normalise(typed, out, sizeof(out), &d) == -EINVAL && d.err == -EINVAL &&
		 strcmp(d.id, id) == 0 && strcmp(out, "untouched") == 0;

	if (!ok)
		printf("# %s: %s\n", typed, d.id == NULL ? "taken" : d.id);
	return ok;
}

static void refuses_addresses_in_every_notation(void)
{
	static const char *const rows[] = {
		"192.0.2.1", "192.0.2.1.", "127.1", "0", "2130706433", "0x7f000001", "0X7F.1",
		"0177.0.0.1", "1.2.3.4.5", "host.123", "host.0x1f", "fe80::1", "[::1]", "::",
		"fe80::1%eth0", "::ffff:192.0.2.1", "fe80--1.ipv6-literal.net",
		"FE80--1.IPv6-Literal.NET.", "1.2.0.192.in-addr.arpa", "in-addr.arpa",
		"1.0.ip6.arpa",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK(refused(rows[i], "name.address"));
}

static void refuses_what_is_no_host_name(void)
{
	static const char *const rows[] = {
		"", ".", "..", "a..b", ".a", "a..", "-a.example", "a-.example", "_a.example",
		"a_.example", "a b", " a", "a ", "a\n", "a/b", "a\\b", "a@b", "a%41", "a*",
		"fs1.example.com/share",
		"srv1UWhRCAAAAAAAAAAAAAAAAAAAAAAAAAAAAwbEAYBAAAA.example.com",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK(refused(rows[i], "name.grammar"));
}

static void asks_for_the_ascii_form_of_other_scripts(void)
{
	char out[NAME_SIZE];
	struct diag d = { 0 };

	CHECK(name_normalise("b\xc3\xbc" "cher.example", out, sizeof(out), &d) == -EINVAL);
	CHECK(strcmp(d.id, "name.grammar") == 0);
	CHECK(strstr(d.hint, "xn--") != NULL);
	/* Full-width digits and dots, which an IDNA library turns into 127.0.0.1. */
	CHECK(refused("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97\xe3\x80\x82" "0.0.1", "name.grammar"));
}

static void holds_the_limits_of_length(void)
{
	char name[300], out[NAME_SIZE], small[8];
	struct diag d = { 0 };

	memset(name, 'a', sizeof(name));
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	name[253] = '\0';
	CHECK(name_normalise(name, out, sizeof(out), &d) == 0);
	CHECK(strlen(out) == 253);
	strcpy(name + 253, "."); /* the dot at the end does not count */
	CHECK(name_normalise(name, out, sizeof(out), &d) == 0);
	strcpy(name + 253, "a");
	CHECK(refused(name, "name.grammar"));
	strcpy(name + 253, "a.");
	CHECK(refused(name, "name.grammar"));
	memset(name, 'a', sizeof(name));
	strcpy(name + 63, ".example");
	CHECK(name_normalise(name, out, sizeof(out), &d) == 0);
	strcpy(name + 63, "a.example");
	CHECK(refused(name, "name.grammar"));
	name[299] = '\0';
	memset(name, 'a', 299);
	CHECK(refused(name, "name.grammar"));
	CHECK(name_normalise("12345678.x", small, sizeof(small), &d) == -EINVAL);
	diag_clear(&d);
	CHECK(name_normalise("fs1.exa", small, sizeof(small), &d) == 0);
}

int main(void)
{
	RUN(takes_host_names);
	RUN(refuses_addresses_in_every_notation);
	RUN(refuses_what_is_no_host_name);
	RUN(asks_for_the_ascii_form_of_other_scripts);
	RUN(holds_the_limits_of_length);
	return DONE();
}
