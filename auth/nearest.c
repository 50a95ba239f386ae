/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nearest.h"

#include <ctype.h>
#include <string.h>

/* Longer words are nobody's typing mistake. */
#define NEAREST_MAX_LEN 32u

/* Levenshtein's distance; both words are at most NEAREST_MAX_LEN long. */
static size_t nearest_distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX_LEN + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);
			size_t best = diagonal + (ca != cb);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

const char *nearest(const char *word, const char *const *known, size_t n)
{
	size_t len = strlen(word);
	/* Two letters swapped count as two; a short word is near to everything. */
	size_t limit = len <= 3 ? 1 : len <= 8 ? 2 : 3;
	const char *best = NULL;

	if (len == 0 || len > NEAREST_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (strlen(known[i]) > NEAREST_MAX_LEN)
			continue;
		d = nearest_distance(word, known[i]);
		if (d < limit || (d == limit && best == NULL)) {
			best = known[i];
			limit = d;
		}
	}
	return best;
}
