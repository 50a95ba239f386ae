/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names: UTF-8 on our side, UTF-16LE on the wire, and characters that POSIX
 * allows and Windows does not, moved to the private use area in the way of
 * Services for Mac (cifs calls it mapposix, macOS does the same).
 */
#include <errno.h>

#include "smb.h"
#include "utf8.h"

#define UTF16_COMPONENT_MAX 255u /* units; NTFS and Samba agree */
#define UTF16_SFM_BASE 0xf000u	 /* + 1 to 0x1f: the control character itself */
#define UTF16_SFM_FIRST 0xf020u	 /* + index in utf16_reserved */
#define UTF16_SFM_SPACE 0xf028u	 /* at the end of a name */
#define UTF16_SFM_PERIOD 0xf029u /* likewise */

static const char utf16_reserved[8] = { '"', '*', ':', '<', '>', '?', '\\', '|' };

/* What stands for the reserved character `c`, 0 if it is not one. */
static uint32_t utf16_map_out(uint32_t c)
{
	if (c < 0x20)
		return UTF16_SFM_BASE + c;
	for (size_t i = 0; i < sizeof(utf16_reserved); i++)
		if (c == (uint32_t)utf16_reserved[i])
			return UTF16_SFM_FIRST + (uint32_t)i;
	return 0;
}

static uint32_t utf16_map_in(uint32_t c, bool last)
{
	if (c > UTF16_SFM_BASE && c < UTF16_SFM_FIRST)
		return c - UTF16_SFM_BASE;
	if (c >= UTF16_SFM_FIRST && c < UTF16_SFM_FIRST + sizeof(utf16_reserved))
		return (uint32_t)utf16_reserved[c - UTF16_SFM_FIRST];
	/* Elsewhere we would not write them, so the way back would miss the file. */
	if (last && c == UTF16_SFM_SPACE)
		return ' ';
	if (last && c == UTF16_SFM_PERIOD)
		return '.';
	return c;
}

int utf16_from_path(const char *path, size_t n, bool map, uint8_t *out, size_t cap)
{
	const uint8_t *s = (const uint8_t *)path;
	size_t at = 0, units = 0; /* of this component */

	while (n > 0) {
		uint32_t c, sub;
		size_t took = utf8_next(s, n, &c);
		size_t width = took == 4 ? 2 : 1;

		if (took == 0 || c == 0)
			return -EILSEQ;
		s += took;
		n -= took;
		if (c == '/') {
			c = '\\';
			units = 0;
		} else {
			sub = utf16_map_out(c);
			if (sub != 0 && !map)
				return -EILSEQ;
			if (sub != 0)
				c = sub;
			else if (map && (c == ' ' || c == '.') && (n == 0 || *s == '/'))
				c = c == ' ' ? UTF16_SFM_SPACE : UTF16_SFM_PERIOD;
			units += width;
		}
		if (units > UTF16_COMPONENT_MAX || 2 * width > cap - at)
			return -ENAMETOOLONG;
		if (width == 2) {
			put_le(out + at, 0xd800 + ((c - 0x10000) >> 10), 2);
			put_le(out + at + 2, 0xdc00 + ((c - 0x10000) & 0x3ff), 2);
		} else {
			put_le(out + at, c, 2);
		}
		at += 2 * width;
	}
	return (int)at;
}

static size_t utf8_put(char out[4], uint32_t c)
{
	static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = len; i > 1; i--) {
		out[i - 1] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)(lead[len] | c);
	return len;
}

int utf16_to_name(struct slice name, bool map, char *out, size_t cap)
{
	struct rd r = rd_at(name, 0);
	size_t at = 0;

	/* What could be listed but not be asked for. */
	if (name.n > 2 * UTF16_COMPONENT_MAX)
		return -EILSEQ;
	while (rd_left(&r) > 0) {
		uint32_t c = rd_u16(&r);
		char text[4];
		size_t len;

		if (c >= 0xd800 && c <= 0xdfff) {
			uint32_t low = rd_u16(&r);

			if (c > 0xdbff || low < 0xdc00 || low > 0xdfff)
				return -EILSEQ;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
		/* Raw ones only: a mapped backslash is an ordinary character here. */
		if (!rd_ok(&r) || c == 0 || c == '/' || c == '\\')
			return -EILSEQ;
		if (map)
			c = utf16_map_in(c, rd_left(&r) == 0);
		len = utf8_put(text, c);
		if (len >= cap - at)
			return -EILSEQ;
		memcpy(out + at, text, len);
		at += len;
	}
	/* After mapping: U+F029 must not become the "." that "." itself may not be. */
	if (!rd_ok(&r) || at == 0 || (at == 1 && out[0] == '.') ||
	    (at == 2 && out[0] == '.' && out[1] == '.'))
		return -EILSEQ;
	out[at] = '\0';
	return (int)at;
}
