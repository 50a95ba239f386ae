/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The statuses that we know by name, and the one table that gives each its
 * errno, its name and a hint for people.  Sources: [MS-ERREF] 2.3, [MS-SMB2].
 */
#ifndef NTSTATUS_H
#define NTSTATUS_H

#include <stdint.h>

#define NT_STATUS_LIST(X)                                  \
	X(SUCCESS, 0x00000000)                             \
	X(PENDING, 0x00000103)                             \
	X(NOTIFY_CLEANUP, 0x0000010b)                      \
	X(NOTIFY_ENUM_DIR, 0x0000010c)                     \
	X(BUFFER_OVERFLOW, 0x80000005)                     \
	X(NO_MORE_FILES, 0x80000006)                       \
	X(STOPPED_ON_SYMLINK, 0x8000002d)                  \
	X(UNSUCCESSFUL, 0xc0000001)                        \
	X(NOT_IMPLEMENTED, 0xc0000002)                     \
	X(INVALID_INFO_CLASS, 0xc0000003)                  \
	X(INFO_LENGTH_MISMATCH, 0xc0000004)                \
	X(INVALID_HANDLE, 0xc0000008)                      \
	X(INVALID_PARAMETER, 0xc000000d)                   \
	X(NO_SUCH_DEVICE, 0xc000000e)                      \
	X(NO_SUCH_FILE, 0xc000000f)                        \
	X(INVALID_DEVICE_REQUEST, 0xc0000010)              \
	X(END_OF_FILE, 0xc0000011)                         \
	X(MORE_PROCESSING_REQUIRED, 0xc0000016)            \
	X(NO_MEMORY, 0xc0000017)                           \
	X(ACCESS_DENIED, 0xc0000022)                       \
	X(BUFFER_TOO_SMALL, 0xc0000023)                    \
	X(OBJECT_TYPE_MISMATCH, 0xc0000024)                \
	X(OBJECT_NAME_INVALID, 0xc0000033)                 \
	X(OBJECT_NAME_NOT_FOUND, 0xc0000034)               \
	X(OBJECT_NAME_COLLISION, 0xc0000035)               \
	X(OBJECT_PATH_INVALID, 0xc0000039)                 \
	X(OBJECT_PATH_NOT_FOUND, 0xc000003a)               \
	X(OBJECT_PATH_SYNTAX_BAD, 0xc000003b)              \
	X(DATA_ERROR, 0xc000003e)                          \
	X(SHARING_VIOLATION, 0xc0000043)                   \
	X(QUOTA_EXCEEDED, 0xc0000044)                      \
	X(EA_TOO_LARGE, 0xc0000050)                        \
	X(NONEXISTENT_EA_ENTRY, 0xc0000051)                \
	X(FILE_LOCK_CONFLICT, 0xc0000054)                  \
	X(LOCK_NOT_GRANTED, 0xc0000055)                    \
	X(DELETE_PENDING, 0xc0000056)                      \
	X(PRIVILEGE_NOT_HELD, 0xc0000061)                  \
	X(LOGON_FAILURE, 0xc000006d)                       \
	X(ACCOUNT_RESTRICTION, 0xc000006e)                 \
	X(PASSWORD_EXPIRED, 0xc0000071)                    \
	X(ACCOUNT_DISABLED, 0xc0000072)                    \
	X(RANGE_NOT_LOCKED, 0xc000007e)                    \
	X(DISK_FULL, 0xc000007f)                           \
	X(INSUFFICIENT_RESOURCES, 0xc000009a)              \
	X(MEDIA_WRITE_PROTECTED, 0xc00000a2)               \
	X(BAD_TOKEN_TYPE, 0xc00000a8)                      \
	X(IO_TIMEOUT, 0xc00000b5)                          \
	X(FILE_IS_A_DIRECTORY, 0xc00000ba)                 \
	X(NOT_SUPPORTED, 0xc00000bb)                       \
	X(NETWORK_NAME_DELETED, 0xc00000c9)                \
	X(NETWORK_ACCESS_DENIED, 0xc00000ca)               \
	X(BAD_DEVICE_TYPE, 0xc00000cb)                     \
	X(BAD_NETWORK_NAME, 0xc00000cc)                    \
	X(REQUEST_NOT_ACCEPTED, 0xc00000d0)                \
	X(NOT_SAME_DEVICE, 0xc00000d4)                     \
	X(FILE_RENAMED, 0xc00000d5)                        \
	X(INTERNAL_ERROR, 0xc00000e5)                      \
	X(UNEXPECTED_IO_ERROR, 0xc00000e9)                 \
	X(DIRECTORY_NOT_EMPTY, 0xc0000101)                 \
	X(NOT_A_DIRECTORY, 0xc0000103)                     \
	X(TOO_MANY_OPENED_FILES, 0xc000011f)               \
	X(CANCELLED, 0xc0000120)                           \
	X(CANNOT_DELETE, 0xc0000121)                       \
	X(FILE_DELETED, 0xc0000123)                        \
	X(FILE_CLOSED, 0xc0000128)                         \
	X(INVALID_LEVEL, 0xc0000148)                       \
	X(LOGON_TYPE_NOT_GRANTED, 0xc000015b)              \
	X(TRUSTED_RELATIONSHIP_FAILURE, 0xc000018d)        \
	X(NETWORK_SESSION_EXPIRED, 0xc000035c)             \
	X(NETLOGON_NOT_STARTED, 0xc0000192)                \
	X(ACCOUNT_EXPIRED, 0xc0000193)                     \
	X(FS_DRIVER_REQUIRED, 0xc000019c)                  \
	X(USER_SESSION_DELETED, 0xc0000203)                \
	X(INSUFF_SERVER_RESOURCES, 0xc0000205)             \
	X(PASSWORD_MUST_CHANGE, 0xc0000224)                \
	X(NOT_FOUND, 0xc0000225)                           \
	X(ACCOUNT_LOCKED_OUT, 0xc0000234)                  \
	X(CONNECTION_DISCONNECTED, 0xc000020c)             \
	X(PATH_NOT_COVERED, 0xc0000257)                    \
	X(IO_REPARSE_TAG_NOT_HANDLED, 0xc0000279)          \
	X(REPARSE_POINT_ENCOUNTERED, 0xc000050b)           \
	X(DFS_UNAVAILABLE, 0xc000026d)                     \
	X(NTLM_BLOCKED, 0xc0000418)                        \
	X(NO_LOGON_SERVERS, 0xc000005e)                    \
	X(WRONG_PASSWORD, 0xc000006a)                      \
	X(TIME_DIFFERENCE_AT_DC, 0xc0000133)               \
	X(USER_EXISTS, 0xc0000063)                         \
	X(NO_SUCH_USER, 0xc0000064)                        \
	X(FILE_NOT_AVAILABLE, 0xc0000467)                  \
	X(SERVER_UNAVAILABLE, 0xc0000466)                  \
	X(SMB_BAD_CLUSTER_DIALECT, 0xc05d0001)             \
	X(NO_PREAUTH_INTEGRITY_HASH_OVERLAP, 0xc05d0000)

enum nt_status {
#define X(name, value) STATUS_##name = value,
	NT_STATUS_LIST(X)
#undef X
};

/*
 * Negative errno of a status; 0 for success and for the warnings that carry
 * data (BUFFER_OVERFLOW is the caller's to handle: it maps to 0 as well).
 * NO_MORE_FILES and END_OF_FILE give -ENODATA.  Unknown errors give -EIO.
 * Never -ENOSYS or -ENOTCONN: the kernel would draw conclusions from those.
 */
int nt_errno(uint32_t status);

/* "STATUS_ACCESS_DENIED", or "STATUS_0xc000abcd" in `buf` (>= 20 bytes) if unknown. */
const char *nt_name(uint32_t status, char *buf, unsigned int buf_len);

/* What a person can do about it, or NULL. */
const char *nt_hint(uint32_t status);

#endif
