/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a fuzz target over files, without libFuzzer: each argument is a file,
 * or a directory whose files are meant.  TAP, one point per file; what a
 * target finds ends the program, which TAP counts as failure too.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "touch.h"

static int points, bad_points;

static void report(const char *path, const char *why)
{
	points++;
	bad_points += why != NULL;
	printf("%sok %d - %s%s%s\n", why != NULL ? "not " : "", points, path,
	       why != NULL ? ": " : "", why != NULL ? why : "");
	fflush(stdout);
}

static void replay_file(const char *path, size_t n)
{
	/* No larger than the file, so that a sanitizer sees the first byte beyond it. */
	uint8_t *data = malloc(n);
	FILE *f = fopen(path, "re");

	if (f == NULL || (n != 0 && data == NULL)) {
		report(path, strerror(errno));
	} else if (fread(data, 1, n, f) != n) {
		report(path, "short read");
	} else {
		LLVMFuzzerTestOneInput(data, n);
		report(path, NULL);
	}
	if (f != NULL)
		fclose(f);
	free(data);
}

static void replay(const char *path);

static void replay_dir(const char *path)
{
	struct dirent **entry;
	int n = scandir(path, &entry, NULL, alphasort), files = 0;

	for (int i = 0; i < n; i++) {
		char sub[PATH_MAX];

		if (entry[i]->d_name[0] != '.') {
			snprintf(sub, sizeof(sub), "%s/%s", path, entry[i]->d_name);
			replay(sub);
			files++;
		}
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	if (files == 0)
		report(path, "no files");
}

static void replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		report(path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		replay_dir(path);
	else
		replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc < 2)
		report("arguments", "no files");
	printf("1..%d\n", points);
	return bad_points != 0;
}
