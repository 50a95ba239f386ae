/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of files that are deleted, or about to be replaced, and still open:
 * ".smbsecure." and 16 hexadecimal digits.  Listings do not show those that
 * this mount knows of.
 */
#ifndef NAMEI_H
#define NAMEI_H

#include <stdbool.h>

bool silly_is(const char *name);

#endif
