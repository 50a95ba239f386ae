/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Spelling help for whoever mistyped an option or a key. */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/*
 * The word of known[0..n-1] that `word` was probably meant to be, the first one
 * of equally near ones, letter case ignored; NULL when none is near.  Any thread.
 */
const char *nearest(const char *word, const char *const *known, size_t n);

#endif
