/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a user and his password come from: credentials files, the environment,
 * systemd, a terminal.  Control thread, before the mount: files are read.
 */
#ifndef CRED_H
#define CRED_H

#include <talloc.h>

#include "auth.h"
#include "diag.h"
#include "secret.h"
#include "wire.h"

#define CRED_MAX_FILE 32768u   /* bytes of a credentials file */
#define CRED_MAX_LINE 4096u    /* as mount.cifs has it */
#define CRED_MAX_PASSWORD 1024u

/* NULL where not given.  A talloc chunk; freeing it wipes the password. */
struct cred {
	char *user, *domain, *realm, *principal, *ccache, *keytab;
	struct secret *password; /* the bytes and a NUL */
};

/*
 * The grammar of credentials files, shared with mount.cifs and smbclient:
 * key=value or key = value in lines, # begins a comment line, blanks next to
 * "=" belong to the value unless there is one before it.  What is unknown is
 * logged by its line number; nothing from the text is ever shown.  `name` is
 * the file, for messages.  -EINVAL, cred.file-syntax for a NUL byte, an overlong
 * line or an overlong password.
 */
int cred_parse(TALLOC_CTX *mem, struct slice text, const char *name, struct cred **out,
	       struct diag *d);

/* Also refuses, by cred.file-permissions, a file that others may read or own. */
int cred_read_file(TALLOC_CTX *mem, const char *path, struct cred **out, struct diag *d);

/*
 * The password in $PASSWD, on the descriptor $PASSWD_FD, or in the file
 * $PASSWD_FILE, without one newline at its end; NULL when none of them is set.
 * Removes all three from the environment, and the value from where it stood.
 */
int cred_from_env(struct secret **out, struct diag *d);

/*
 * The file "smbsecure.<server>" or else "smbsecure" in $CREDENTIALS_DIRECTORY
 * (systemd's LoadCredential=), in the grammar above; NULL without one.
 */
int cred_from_systemd(TALLOC_CTX *mem, const char *server, struct cred **out, struct diag *d);

/*
 * Asks "Password for USER@SHARE: " on the terminal, if there is one and we are
 * in its foreground; otherwise `*out` is NULL.  Whatever signal arrives, the
 * terminal is as it was before the signal acts; -EINTR if we survive it.
 */
int cred_prompt(const char *user, const char *share, struct secret **out, struct diag *d);

/*
 * Completes what options gave in `p`, from the credentials file `file` (or
 * NULL), the environment, systemd, and at last the prompt, for which `share`
 * is "//srv/share".  Each is asked only when the ones before had no password.
 * There is a prompt only for NTLM, and for Kerberos when a user was named who
 * has no ticket.  The strings in `p` then belong to `*out`, a child of `mem`.
 */
int cred_pick(TALLOC_CTX *mem, const char *file, const char *share, struct auth_params *p,
	      struct cred **out, struct diag *d);

#endif
