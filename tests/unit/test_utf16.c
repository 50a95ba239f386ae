/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smb.h"

#include <errno.h>
#include <stdlib.h>
#include <uchar.h>

#include "check.h"

#define CAP 4096

/* A string as UTF-16LE, without its terminator. */
#define U(s) slice_of(u##s, sizeof(u##s) - 2)

static bool sends(const char *path, bool map, struct slice want)
{
	uint8_t *out = malloc(want.n + 1); /* exact, for the sanitizer */
	int n = utf16_from_path(path, strlen(path), map, out, want.n);
	bool same = n >= 0 && (size_t)n == want.n && memcmp(out, want.p, want.n) == 0;

	free(out);
	return same;
}

static int send_error(const char *path, size_t n, bool map)
{
	uint8_t out[CAP];

	return utf16_from_path(path, n, map, out, sizeof(out));
}

static bool receives(struct slice name, bool map, const char *want)
{
	size_t cap = strlen(want) + 1;
	char *out = malloc(cap);
	int n = utf16_to_name(name, map, out, cap);
	bool same = n >= 0 && (size_t)n == cap - 1 && strcmp(out, want) == 0;

	free(out);
	return same;
}

static int receive_error(struct slice name, bool map)
{
	char out[CAP];

	return utf16_to_name(name, map, out, sizeof(out));
}

static const struct {
	const char *text;
	const char16_t *wire;
} scripts[] = {
	{ "readme.txt", u"readme.txt" },
	{ "Gr\u00f6\u00dfe", u"Gr\u00f6\u00dfe" },
	{ "\u0416\u0443\u0440\u043d\u0430\u043b", u"\u0416\u0443\u0440\u043d\u0430\u043b" },
	{ "\u65e5\u672c\u8a9e", u"\u65e5\u672c\u8a9e" },
	{ "\u0e44\u0e17\u0e22", u"\u0e44\u0e17\u0e22" },
	{ "e\u0301", u"e\u0301" }, /* decomposed stays decomposed */
	{ "\U0001f600.png", u"\U0001f600.png" },
	{ "\U00010000\U0010ffff", u"\U00010000\U0010ffff" },
	{ "\u00a0\u07ff\u0800\ud7ff\ue000\uffff", u"\u00a0\u07ff\u0800\ud7ff\ue000\uffff" },
	{ ".hidden", u".hidden" },
	{ "...x", u"...x" },
	{ " lead", u" lead" },
	{ "a;=,[]'~`!@#$%^&()-_+{}", u"a;=,[]'~`!@#$%^&()-_+{}" },
	{ "\x7f", u"\x7f" },
};

static struct slice wire_of(const char16_t *s)
{
	size_t n = 0;

	while (s[n] != 0)
		n++;
	return slice_of(s, 2 * n);
}

static void carries_every_script_both_ways(void)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		for (int map = 0; map < 2; map++) {
			CHECK(sends(scripts[i].text, map, wire_of(scripts[i].wire)));
			CHECK(receives(wire_of(scripts[i].wire), map, scripts[i].text));
		}
	}
}

static void every_character_survives(void)
{
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		char text[8], back[8];
		uint8_t wire[4];
		int n, m;

		if ((c >= 0xd800 && c <= 0xdfff) || c == '/' || c == '.' ||
		    (c > 0xf000 && c < 0xf02a))
			continue;
		/* Through the pair that UTF-16 has for it: to UTF-8 and back. */
		if (c >= 0x10000) {
			put_le(wire, 0xd800 + ((c - 0x10000) >> 10), 2);
			put_le(wire + 2, 0xdc00 + ((c - 0x10000) & 0x3ff), 2);
		} else {
			put_le(wire, c, 2);
		}
		if (c == '\\')
			put_le(wire, 0xf026, 2);
		n = utf16_to_name(slice_of(wire, c < 0x10000 ? 2 : 4), true, text, sizeof(text));
		m = n < 0 ? n : utf16_from_path(text, (size_t)n, true, wire, sizeof(wire));
		if (m > 0)
			m = utf16_to_name(slice_of(wire, (size_t)m), true, back, sizeof(back));
		if (n <= 0 || m != n || strcmp(text, back) != 0)
			printf("# U+%04x\n", c);
		CHECK(n > 0 && m == n && strcmp(text, back) == 0);
	}
}

static void separates_components(void)
{
	for (int map = 0; map < 2; map++) {
		CHECK(sends("", map, U("")));
		CHECK(sends("a", map, U("a")));
		CHECK(sends("dir/sub/file.txt", map, U("dir\\sub\\file.txt")));
	}
}

/* The numbers are those of Services for Mac, as in fs/smb/client/cifs_unicode.h. */
static void maps_reserved_characters(void)
{
	CHECK(sends("\"*:<>?\\|", true, U("\uf020\uf021\uf022\uf023\uf024\uf025\uf026\uf027")));
	CHECK(receives(U("\uf020\uf021\uf022\uf023\uf024\uf025\uf026\uf027"), true,
		       "\"*:<>?\\|"));
	for (uint16_t c = 1; c < 0x20; c++) {
		const char text[2] = { (char)c };
		uint8_t wire[2];

		put_le(wire, 0xf000u + c, 2);
		CHECK(sends(text, true, slice_of(wire, 2)));
		CHECK(receives(slice_of(wire, 2), true, text));
	}
	CHECK(sends("d:/f?", true, U("d\uf022\\f\uf025")));
}

static void maps_space_and_period_at_the_end_only(void)
{
	CHECK(sends("a .b", true, U("a .b")));
	CHECK(sends("a.", true, U("a\uf029")));
	CHECK(sends("a ", true, U("a\uf028")));
	CHECK(sends("a. ", true, U("a.\uf028")));
	CHECK(sends("a..", true, U("a.\uf029")));
	CHECK(sends("d./e /f.", true, U("d\uf029\\e\uf028\\f\uf029")));
	CHECK(receives(U("a.\uf029"), true, "a.."));
	CHECK(receives(U("a\uf028"), true, "a "));
	CHECK(receives(U("a\uf028b"), true, "a\uf028b"));
	CHECK(sends("a\uf028b", true, U("a\uf028b")));
}

static void refuses_reserved_characters_unmapped(void)
{
	static const char reserved[] = "\"*:<>?\\|";

	for (size_t i = 0; i < strlen(reserved); i++) {
		const char name[] = { 'a', reserved[i], 'b' };

		CHECK(send_error(name, 3, false) == -EILSEQ);
		CHECK(send_error(name, 3, true) == 6);
	}
	for (char c = 1; c < 0x20; c++)
		CHECK(send_error(&c, 1, false) == -EILSEQ);
	/* What is legal on the wire and stands for itself. */
	CHECK(sends("a.", false, U("a.")));
	CHECK(receives(U("\uf022\uf029"), false, "\uf022\uf029"));
}

static const struct {
	const char *bytes;
	size_t n;
} bad_utf8[] = {
	{ "\x80", 1 },		   /* continuation alone */
	{ "\xbf", 1 },
	{ "\xc0\xaf", 2 },	   /* overlong '/' */
	{ "\xc1\xbf", 2 },
	{ "\xe0\x80\xaf", 3 },
	{ "\xe0\x9f\xbf", 3 },
	{ "\xf0\x80\x80\xaf", 4 },
	{ "\xf0\x8f\xbf\xbf", 4 },
	{ "\xed\xa0\x80", 3 },	   /* surrogates */
	{ "\xed\xbf\xbf", 3 },
	{ "\xed\xa0\xbd\xed\xb8\x80", 6 },
	{ "\xf4\x90\x80\x80", 4 }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", 4 },
	{ "\xf8\x88\x80\x80\x80", 5 },
	{ "\xfe", 1 },
	{ "\xff", 1 },
	{ "\xc3", 1 },		   /* cut short */
	{ "\xe2\x82", 2 },
	{ "\xf0\x9f\x98", 3 },
	{ "\xe2\x28\xa1", 3 },	   /* no continuation */
	{ "\xc3/", 2 },
	{ "a\0b", 3 },
	{ "\0", 1 },
};

static void refuses_what_is_not_utf8(void)
{
	for (size_t i = 0; i < sizeof(bad_utf8) / sizeof(bad_utf8[0]); i++) {
		char *exact = malloc(bad_utf8[i].n);

		memcpy(exact, bad_utf8[i].bytes, bad_utf8[i].n);
		CHECK(send_error(exact, bad_utf8[i].n, false) == -EILSEQ);
		CHECK(send_error(exact, bad_utf8[i].n, true) == -EILSEQ);
		free(exact);
	}
}

static void limits_a_component_to_255_units(void)
{
	char text[4 * 256 + 2];
	uint8_t wire[2 * 256];

	memset(text, 'x', sizeof(text));
	CHECK(send_error(text, 255, false) == 510);
	CHECK(send_error(text, 256, false) == -ENAMETOOLONG);
	memset(wire, 'a', sizeof(wire));
	CHECK(receive_error(slice_of(wire, 2 * 255), false) == 3 * 255);
	CHECK(receive_error(slice_of(wire, 2 * 256), false) == -EILSEQ);
	/* Units, not bytes: 255 euro signs fit. */
	for (size_t i = 0; i < 256; i++)
		memcpy(text + 3 * i, "\u20ac", 3);
	CHECK(send_error(text, 3 * 255, false) == 510);
	CHECK(send_error(text, 3 * 256, false) == -ENAMETOOLONG);
	/* Not characters either: 127 pairs fit, 128 do not. */
	for (size_t i = 0; i < 128; i++)
		memcpy(text + 4 * i, "\U0001f600", 4);
	CHECK(send_error(text, 4 * 127, false) == 508);
	CHECK(send_error(text, 4 * 128, false) == -ENAMETOOLONG);
	/* Each component has its own 255. */
	memset(text, 'x', sizeof(text));
	text[255] = '/';
	CHECK(send_error(text, 511, false) == 1022);
	CHECK(send_error(text, 512, false) == -ENAMETOOLONG);
}

static void never_writes_beyond_the_room(void)
{
	static const char path[] = "ab/\u20ac/\U0001f600:";

	for (size_t cap = 0; cap <= 16; cap++) {
		uint8_t *out = malloc(cap + 1);
		int n = utf16_from_path(path, strlen(path), true, out, cap);

		CHECK(n == (cap < 16 ? -ENAMETOOLONG : 16));
		free(out);
	}
	for (size_t cap = 0; cap <= 9; cap++) {
		char *out = malloc(cap + 1);
		int n = utf16_to_name(U("a\u20ac\U0001f600"), true, out, cap);

		CHECK(n == (cap < 9 ? -EILSEQ : 8));
		free(out);
	}
}

static void refuses_hostile_names(void)
{
	static const char16_t high[] = { 0xd83d }, low[] = { 0xde00 };
	static const char16_t swapped[] = { 0xde00, 0xd83d }, twice[] = { 0xd83d, 0xd83d };
	static const char16_t high_a[] = { 0xd83d, 'a' }, nul[] = { 'a', 0, 'b' };
	static const char16_t ends_in_nul[] = { 'a', 0 };
	struct slice odd = U("abc");

	odd.n--;
	for (int map = 0; map < 2; map++) {
		CHECK(receive_error(U(""), map) == -EILSEQ);
		CHECK(receive_error((struct slice){ 0 }, map) == -EILSEQ);
		CHECK(receive_error(odd, map) == -EILSEQ);
		CHECK(receive_error(U("."), map) == -EILSEQ);
		CHECK(receive_error(U(".."), map) == -EILSEQ);
		CHECK(receive_error(U("/"), map) == -EILSEQ);
		CHECK(receive_error(U("../etc/passwd"), map) == -EILSEQ);
		CHECK(receive_error(U("..\\x"), map) == -EILSEQ);
		CHECK(receive_error(U("x\\"), map) == -EILSEQ);
		CHECK(receive_error(slice_of(high, sizeof(high)), map) == -EILSEQ);
		CHECK(receive_error(slice_of(low, sizeof(low)), map) == -EILSEQ);
		CHECK(receive_error(slice_of(swapped, sizeof(swapped)), map) == -EILSEQ);
		CHECK(receive_error(slice_of(twice, sizeof(twice)), map) == -EILSEQ);
		CHECK(receive_error(slice_of(high_a, sizeof(high_a)), map) == -EILSEQ);
		CHECK(receive_error(slice_of(nul, sizeof(nul)), map) == -EILSEQ);
		CHECK(receive_error(slice_of(ends_in_nul, sizeof(ends_in_nul)), map) == -EILSEQ);
	}
	CHECK(receives(U("..."), false, "..."));
	CHECK(receives(U("..x"), true, "..x"));
}

static void mapping_makes_no_dot_names(void)
{
	CHECK(receive_error(U("\uf029"), true) == -EILSEQ);
	CHECK(receive_error(U(".\uf029"), true) == -EILSEQ);
	CHECK(receives(U("..\uf029"), true, "..."));
	CHECK(receives(U("\uf029"), false, "\uf029"));
	/* And from our side "." and ".." name files, never directories. */
	CHECK(sends("..", true, U(".\uf029")));
}

int main(void)
{
	RUN(carries_every_script_both_ways);
	RUN(every_character_survives);
	RUN(separates_components);
	RUN(maps_reserved_characters);
	RUN(maps_space_and_period_at_the_end_only);
	RUN(refuses_reserved_characters_unmapped);
	RUN(refuses_what_is_not_utf8);
	RUN(limits_a_component_to_255_units);
	RUN(never_writes_beyond_the_room);
	RUN(refuses_hostile_names);
	RUN(mapping_makes_no_dot_names);
	return DONE();
}
