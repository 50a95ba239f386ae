/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The choices that are not obvious:
 *
 * - Only what the table says is success.  A status of success severity that
 *   nobody here knows is not, and neither is PENDING where an answer should be.
 * - Nothing that concerns the server, the share or the session may look like
 *   ENOENT: rsync --delete and their like would believe that files are gone.
 * - FILE_LOCK_CONFLICT is EBUSY, not EAGAIN: Python's read() takes EAGAIN for
 *   "nothing more yet" and returns a short file without an error, event loops
 *   spin on it.  LOCK_NOT_GRANTED is EAGAIN, which callers of F_SETLK wait for.
 * - A server short of memory is ENOBUFS: ENOMEM would accuse this machine.
 * - OBJECT_NAME_INVALID is EINVAL: "no such file" would make no sense to
 *   someone who is creating it, and rm -f takes both for "not there".
 */
#include "ntstatus.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

struct nt_row {
	int err; /* negative errno */
	const char *name, *hint;
};

static const char nt_hint_ticket[] =
	"run klist: there must be a valid ticket, for the right user; get one with kinit";
static const char nt_hint_password[] =
	"check user name, domain and password; no second try is made, lest the account be locked";
static const char nt_hint_expired[] = "change the password (kpasswd), then mount again";
static const char nt_hint_account[] = "ask the administrator of the domain about the account";
static const char nt_hint_domain[] =
	"the server cannot reach or trust its domain controller: its administrator can help";
static const char nt_hint_busy[] = "the server is short of resources; try again later";
static const char nt_hint_gone[] =
	"the server ended the session or the share; it is usable again after a new mount";
static const char nt_hint_link[] =
	"the server keeps a link here that only it can follow; mount the link's target instead";
static const char nt_hint_dfs[] =
	"this is a DFS path; mount the server and share where the data is";

/* A switch, because the compiler then finds the status that has no row (-Wswitch). */
static struct nt_row nt_row(uint32_t status)
{
	switch ((enum nt_status)status) {
#define ROW(status, err, hint)  \
	case STATUS_##status:   \
		return (struct nt_row){ -(err), "STATUS_" #status, hint }
	ROW(SUCCESS, 0, NULL);
	ROW(PENDING, EIO, NULL);
	ROW(NOTIFY_CLEANUP, 0, NULL);
	ROW(NOTIFY_ENUM_DIR, 0, NULL);
	ROW(BUFFER_OVERFLOW, 0, NULL);
	ROW(NO_MORE_FILES, ENODATA, NULL);
	ROW(STOPPED_ON_SYMLINK, EOPNOTSUPP, nt_hint_link);
	ROW(UNSUCCESSFUL, EIO, "the server gives no reason; its log may");
	ROW(NOT_IMPLEMENTED, EOPNOTSUPP, NULL);
	ROW(INVALID_INFO_CLASS, EOPNOTSUPP, NULL);
	ROW(INFO_LENGTH_MISMATCH, EIO, NULL);
	ROW(INVALID_HANDLE, ESTALE, NULL);
	ROW(INVALID_PARAMETER, EINVAL, NULL);
	ROW(NO_SUCH_DEVICE, ENODEV, NULL);
	ROW(NO_SUCH_FILE, ENOENT, NULL);
	ROW(INVALID_DEVICE_REQUEST, EOPNOTSUPP, NULL);
	ROW(END_OF_FILE, ENODATA, NULL);
	ROW(MORE_PROCESSING_REQUIRED, EPROTO, NULL);
	ROW(NO_MEMORY, ENOBUFS, nt_hint_busy);
	ROW(ACCESS_DENIED, EACCES,
	    "the user may not do this: check permissions of the share and of the file "
	    "on the server");
	ROW(BUFFER_TOO_SMALL, ERANGE, NULL);
	ROW(OBJECT_TYPE_MISMATCH, EINVAL, NULL);
	ROW(OBJECT_NAME_INVALID, EINVAL,
	    "the server does not accept this name; mapposix lets it hold reserved characters");
	ROW(OBJECT_NAME_NOT_FOUND, ENOENT, NULL);
	ROW(OBJECT_NAME_COLLISION, EEXIST, NULL);
	ROW(OBJECT_PATH_INVALID, ENOTDIR, NULL);
	ROW(OBJECT_PATH_NOT_FOUND, ENOENT, NULL);
	ROW(OBJECT_PATH_SYNTAX_BAD, EINVAL, NULL);
	ROW(DATA_ERROR, EIO, "the server's disk reports damaged data");
	ROW(SHARING_VIOLATION, EBUSY, "another client has the file open and does not share it");
	ROW(QUOTA_EXCEEDED, EDQUOT, "the user's quota on the server is used up");
	ROW(EA_TOO_LARGE, E2BIG, NULL);
	ROW(NONEXISTENT_EA_ENTRY, ENODATA, NULL);
	ROW(FILE_LOCK_CONFLICT, EBUSY, "another client holds a lock on this part of the file");
	ROW(LOCK_NOT_GRANTED, EAGAIN, NULL);
	ROW(DELETE_PENDING, ENOENT, NULL);
	ROW(PRIVILEGE_NOT_HELD, EPERM, "the user lacks a privilege on the server");
	ROW(LOGON_FAILURE, EACCES, nt_hint_password);
	ROW(ACCOUNT_RESTRICTION, EACCES, nt_hint_account);
	ROW(PASSWORD_EXPIRED, EKEYEXPIRED, nt_hint_expired);
	ROW(ACCOUNT_DISABLED, EACCES, nt_hint_account);
	ROW(RANGE_NOT_LOCKED, ENOLCK, NULL);
	ROW(DISK_FULL, ENOSPC, NULL);
	ROW(INSUFFICIENT_RESOURCES, ENOBUFS, nt_hint_busy);
	ROW(MEDIA_WRITE_PROTECTED, EROFS, NULL);
	ROW(BAD_TOKEN_TYPE, EACCES, nt_hint_ticket);
	ROW(IO_TIMEOUT, ETIMEDOUT, "the server's storage did not answer the server in time");
	ROW(FILE_IS_A_DIRECTORY, EISDIR, NULL);
	ROW(NOT_SUPPORTED, EOPNOTSUPP, NULL);
	ROW(NETWORK_NAME_DELETED, EIO, nt_hint_gone);
	ROW(NETWORK_ACCESS_DENIED, EACCES,
	    "the server does not let this user in over the network; its administrator can help");
	ROW(BAD_DEVICE_TYPE, ENODEV,
	    "the share is a printer or a pipe; only disk shares can be mounted");
	ROW(BAD_NETWORK_NAME, ENODEV,
	    "there is no share of that name; smbclient -L //SERVER lists those there are");
	ROW(REQUEST_NOT_ACCEPTED, EUSERS,
	    "the server's limit of connections is reached; try again later or raise it there");
	ROW(NOT_SAME_DEVICE, EXDEV, NULL);
	ROW(FILE_RENAMED, ESTALE, NULL);
	ROW(INTERNAL_ERROR, EIO, "the server has an internal problem; its log may say which");
	ROW(UNEXPECTED_IO_ERROR, EIO, "the server's storage fails; its log may say why");
	ROW(DIRECTORY_NOT_EMPTY, ENOTEMPTY, NULL);
	ROW(NOT_A_DIRECTORY, ENOTDIR, NULL);
	ROW(TOO_MANY_OPENED_FILES, EMFILE, "the server's limit of open files is reached");
	ROW(CANCELLED, EINTR, NULL);
	ROW(CANNOT_DELETE, EACCES, "the file is read-only or in use on the server");
	ROW(FILE_DELETED, ESTALE, NULL);
	ROW(FILE_CLOSED, ESTALE, NULL);
	ROW(INVALID_LEVEL, EOPNOTSUPP, NULL);
	ROW(LOGON_TYPE_NOT_GRANTED, EACCES,
	    "the server does not let this user log on from the network; "
	    "its administrator can help");
	ROW(TRUSTED_RELATIONSHIP_FAILURE, EACCES, nt_hint_domain);
	ROW(NETWORK_SESSION_EXPIRED, EKEYEXPIRED, nt_hint_ticket);
	ROW(NETLOGON_NOT_STARTED, EHOSTUNREACH, nt_hint_domain);
	ROW(ACCOUNT_EXPIRED, EACCES, nt_hint_account);
	ROW(FS_DRIVER_REQUIRED, EOPNOTSUPP, nt_hint_dfs);
	ROW(USER_SESSION_DELETED, EIO, nt_hint_gone);
	ROW(INSUFF_SERVER_RESOURCES, ENOBUFS, nt_hint_busy);
	ROW(PASSWORD_MUST_CHANGE, EKEYEXPIRED, nt_hint_expired);
	ROW(NOT_FOUND, ENOENT, NULL);
	ROW(ACCOUNT_LOCKED_OUT, EACCES, nt_hint_account);
	ROW(CONNECTION_DISCONNECTED, EIO, nt_hint_gone);
	ROW(PATH_NOT_COVERED, EREMOTE, nt_hint_dfs);
	ROW(IO_REPARSE_TAG_NOT_HANDLED, EOPNOTSUPP, nt_hint_link);
	ROW(REPARSE_POINT_ENCOUNTERED, EOPNOTSUPP, nt_hint_link);
	ROW(DFS_UNAVAILABLE, EREMOTE, nt_hint_dfs);
	ROW(NTLM_BLOCKED, EACCES, "the server forbids NTLM: use Kerberos (sec=krb5)");
	ROW(NO_LOGON_SERVERS, EHOSTUNREACH, nt_hint_domain);
	ROW(WRONG_PASSWORD, EACCES, nt_hint_password);
	ROW(TIME_DIFFERENCE_AT_DC, EACCES,
	    "the clocks of this machine and of the domain differ too much: set them right (NTP)");
	ROW(USER_EXISTS, EEXIST, NULL);
	ROW(NO_SUCH_USER, EACCES, nt_hint_password);
	ROW(FILE_NOT_AVAILABLE, EIO, "the server moved or lost the file for the moment; try again");
	ROW(SERVER_UNAVAILABLE, EHOSTDOWN, "the server is not ready; try again later");
	ROW(SMB_BAD_CLUSTER_DIALECT, EPROTONOSUPPORT,
	    "the cluster wants a dialect older than SMB 3.1.1, which this client never speaks");
	ROW(NO_PREAUTH_INTEGRITY_HASH_OVERLAP, EPROTONOSUPPORT,
	    "the server does not know SHA-512 pre-authentication integrity; update it");
#undef ROW
	}
	return (struct nt_row){ -EIO, NULL, NULL };
}

int nt_errno(uint32_t status)
{
	return nt_row(status).err;
}

const char *nt_name(uint32_t status, char *buf, unsigned int buf_len)
{
	const char *name = nt_row(status).name;

	if (name != NULL)
		return name;
	snprintf(buf, buf_len, "STATUS_0x%08x", status);
	return buf;
}

const char *nt_hint(uint32_t status)
{
	return nt_row(status).hint;
}
