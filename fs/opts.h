/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mount options: one table for the parser, the help text and the checks of the
 * man page.  The names are mount.cifs's wherever it has one.
 */
#ifndef OPTS_H
#define OPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <talloc.h>

#include "auth.h"
#include "diag.h"

/* Where to mount from; the strings are children of the struct. */
struct source {
	char *server; /* as typed, lower case, one trailing dot removed */
	char *share;
	char *subdir; /* "a/b" or "" */
	char *user, *domain; /* from smb://domain;user@..., or NULL */
	uint16_t port;	     /* from smb://...:port, or 0 */
	char *fsname; /* "//server/share/a/b": what /proc/mounts shows */
};

/*
 * "//srv/share[/sub/dir]", "\\srv\share" or
 * "smb://[dom;][user@]srv[:port]/share[/path]" (percent-encoded); a password
 * in it is refused.  Whether the name may be mounted is name.c's to say.
 */
int source_parse(TALLOC_CTX *mem, const char *text, struct source **out, struct diag *d);

/* Strings are children of the struct, NULL where not given. */
struct opts {
	enum auth_mech mech;
	char *user, *domain, *principal, *ccache, *keytab, *credentials, *ip;
	char *ciphers, *signing, *config;
	bool have_cruid;
	uid_t cruid;
	bool have_uid, have_gid, forceuid, forcegid;
	uid_t uid;
	gid_t gid;
	mode_t file_mode, dir_mode;
	uint16_t port; /* 0 = not given */
	uint32_t rsize, wsize, echo_s;
	uint16_t max_credits;
	uint64_t attr_timeout_ns;
	unsigned int mount_timeout_s;
	bool perm, map, read_only, nofail, foreground, sloppy, allow_other, remount;
	bool nosuid, nodev, noexec, noatime, sync, dirsync; /* mount(2) flags */
	char *selinux; /* "context=...", handed to the kernel as given; or NULL */
	int loglevel;
};

/*
 * `text` is the value of -o (comma-separated; `as_root` chooses the defaults of
 * a root mount).  An unknown option is an error that names the nearest known
 * one, a refused one an error with its reason.  What is accepted without
 * effect gets one line in the log.
 */
int opts_parse(TALLOC_CTX *mem, const char *text, bool as_root, struct opts **out,
	       struct diag *d);

/* `text` as it may be shown: what looks like a password is starred.  A child of `mem`. */
char *opts_describe(TALLOC_CTX *mem, const char *text);

/* The table as text for --help. */
void opts_print(FILE *f);

#endif
