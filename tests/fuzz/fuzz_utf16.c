/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names in both directions.  First byte: bit 0 = map, bit 1 = the rest is a
 * path of ours rather than a name of the server's.
 */
#include "smb.h"
#include "touch.h"

#define NAME_CAP 1024
#define PATH_CAP 4096

static void require(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* What the kernel may see as a name. */
static void check_name(const char *name, int n)
{
	require(n > 0 && strlen(name) == (size_t)n);
	require(memchr(name, '/', (size_t)n) == NULL);
	require(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

static void name_from_server(struct slice in, bool map)
{
	char name[NAME_CAP], again[NAME_CAP];
	uint8_t wire[PATH_CAP];
	int n = utf16_to_name(in, map, name, sizeof(name)), back, n2;

	if (n < 0)
		return;
	check_name(name, n);
	back = utf16_from_path(name, (size_t)n, map, wire, sizeof(wire));
	if (back < 0)
		return; /* too long, or reserved characters in the raw */
	if (!map)
		require((size_t)back == in.n && memcmp(wire, in.p, in.n) == 0);
	/* What we write for a name, we read as that name. */
	n2 = utf16_to_name(slice_of(wire, (size_t)back), map, again, sizeof(again));
	require(n2 == n && strcmp(again, name) == 0);
}

static void path_of_ours(struct slice in, bool map)
{
	const char *path = (const char *)in.p;
	uint8_t wire[PATH_CAP];
	int n = utf16_from_path(path, in.n, map, wire, sizeof(wire));
	size_t slashes = 0, backslashes = 0;

	if (n < 0)
		return;
	require(n % 2 == 0 && (size_t)n <= sizeof(wire));
	/* A component cannot grow a separator. */
	for (size_t i = 0; i < in.n; i++)
		slashes += path[i] == '/';
	for (int i = 0; i < n; i += 2) {
		uint32_t u = wire[i] | (uint32_t)wire[i + 1] << 8;

		require(u != 0 && u != '/' && u != ':' && u != '*' && u != '?');
		backslashes += u == '\\';
	}
	require(slashes == backslashes);
	if (slashes == 0)
		name_from_server(slice_of(wire, (size_t)n), map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice rest;

	if (n == 0)
		return 0;
	rest = slice_of(data + 1, n - 1);
	if (data[0] & 2)
		path_of_ours(rest, data[0] & 1);
	else
		name_from_server(rest, data[0] & 1);
	return 0;
}
