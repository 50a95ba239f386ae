/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which names of servers are taken at all.  The name typed decides whom we
 * trust, so it has to be a host name and nothing that some resolver turns into
 * an address or into another name.  No I/O.
 */
#ifndef NAME_H
#define NAME_H

#include <stddef.h>

#include "diag.h"

/* The longest host name and its NUL. */
#define NAME_SIZE 254u

/*
 * Writes `typed` to `out` (`cap` bytes), lower-case and without one trailing
 * dot.  0; or -EINVAL, name.address for whatever is an address in some
 * notation, name.grammar for everything else that is no host name.  Any thread.
 */
int name_normalise(const char *typed, char *out, size_t cap, struct diag *d);

#endif
