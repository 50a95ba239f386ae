/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ntstatus.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "check.h"

static const struct {
	uint32_t status;
	const char *name;
} named[] = {
#define X(name, value) { value, "STATUS_" #name },
	NT_STATUS_LIST(X)
#undef X
};

#define N_NAMED (sizeof(named) / sizeof(named[0]))

static void every_named_status_has_its_row(void)
{
	char buf[20];

	for (size_t i = 0; i < N_NAMED; i++)
		CHECK(strcmp(nt_name(named[i].status, buf, sizeof(buf)), named[i].name) == 0);
}

static void no_status_disturbs_the_kernel(void)
{
	for (size_t i = 0; i < N_NAMED; i++) {
		int err = nt_errno(named[i].status);

		CHECK(err <= 0 && err > -4096);
		CHECK(err != -ENOSYS && err != -ENOTCONN);
	}
}

static void no_error_counts_as_success(void)
{
	for (size_t i = 0; i < N_NAMED; i++) {
		if (named[i].status >= 0xc0000000)
			CHECK(nt_errno(named[i].status) < 0);
	}
}

static void the_unknown_is_an_error_with_a_number(void)
{
	static const uint32_t unknown[] = { 1, 0x104, 0x40000000, 0x80000001, 0xc000abcd,
					    0xffffffff };
	char buf[20];

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CHECK(nt_errno(unknown[i]) == -EIO);
		CHECK(nt_hint(unknown[i]) == NULL);
	}
	CHECK(strcmp(nt_name(0xc000abcd, buf, sizeof(buf)), "STATUS_0xc000abcd") == 0);
	CHECK(strcmp(nt_name(1, buf, sizeof(buf)), "STATUS_0x00000001") == 0);
}

static const struct {
	uint32_t status;
	int err;
} expected[] = {
	{ STATUS_SUCCESS, 0 },
	{ STATUS_PENDING, EIO },
	{ STATUS_BUFFER_OVERFLOW, 0 },
	{ STATUS_NO_MORE_FILES, ENODATA },
	{ STATUS_END_OF_FILE, ENODATA },
	{ STATUS_NONEXISTENT_EA_ENTRY, ENODATA },
	{ STATUS_OBJECT_NAME_NOT_FOUND, ENOENT },
	{ STATUS_OBJECT_PATH_NOT_FOUND, ENOENT },
	{ STATUS_NO_SUCH_FILE, ENOENT },
	{ STATUS_DELETE_PENDING, ENOENT },
	{ STATUS_OBJECT_NAME_INVALID, EINVAL },
	{ STATUS_INVALID_PARAMETER, EINVAL },
	{ STATUS_OBJECT_NAME_COLLISION, EEXIST },
	{ STATUS_DIRECTORY_NOT_EMPTY, ENOTEMPTY },
	{ STATUS_NOT_A_DIRECTORY, ENOTDIR },
	{ STATUS_OBJECT_PATH_INVALID, ENOTDIR },
	{ STATUS_FILE_IS_A_DIRECTORY, EISDIR },
	{ STATUS_SHARING_VIOLATION, EBUSY },
	{ STATUS_FILE_LOCK_CONFLICT, EBUSY },
	{ STATUS_LOCK_NOT_GRANTED, EAGAIN },
	{ STATUS_DISK_FULL, ENOSPC },
	{ STATUS_QUOTA_EXCEEDED, EDQUOT },
	{ STATUS_MEDIA_WRITE_PROTECTED, EROFS },
	{ STATUS_NOT_SAME_DEVICE, EXDEV },
	{ STATUS_ACCESS_DENIED, EACCES },
	{ STATUS_CANNOT_DELETE, EACCES },
	{ STATUS_PRIVILEGE_NOT_HELD, EPERM },
	{ STATUS_LOGON_FAILURE, EACCES },
	{ STATUS_WRONG_PASSWORD, EACCES },
	{ STATUS_NO_SUCH_USER, EACCES },
	{ STATUS_ACCOUNT_DISABLED, EACCES },
	{ STATUS_ACCOUNT_LOCKED_OUT, EACCES },
	{ STATUS_ACCOUNT_RESTRICTION, EACCES },
	{ STATUS_ACCOUNT_EXPIRED, EACCES },
	{ STATUS_LOGON_TYPE_NOT_GRANTED, EACCES },
	{ STATUS_PASSWORD_EXPIRED, EKEYEXPIRED },
	{ STATUS_PASSWORD_MUST_CHANGE, EKEYEXPIRED },
	{ STATUS_NETWORK_SESSION_EXPIRED, EKEYEXPIRED },
	{ STATUS_INSUFFICIENT_RESOURCES, ENOBUFS },
	{ STATUS_INSUFF_SERVER_RESOURCES, ENOBUFS },
	{ STATUS_NO_MEMORY, ENOBUFS },
	{ STATUS_TOO_MANY_OPENED_FILES, EMFILE },
	{ STATUS_BAD_NETWORK_NAME, ENODEV },
	{ STATUS_FILE_CLOSED, ESTALE },
	{ STATUS_INVALID_HANDLE, ESTALE },
	{ STATUS_USER_SESSION_DELETED, EIO },
	{ STATUS_NETWORK_NAME_DELETED, EIO },
	{ STATUS_NOT_SUPPORTED, EOPNOTSUPP },
	{ STATUS_CANCELLED, EINTR },
	{ STATUS_PATH_NOT_COVERED, EREMOTE },
};

static void gives_the_errno_programs_expect(void)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		CHECK(nt_errno(expected[i].status) == -expected[i].err);
}

/* A lost server, share or session must never read as "the file is gone". */
static void only_missing_files_are_enoent(void)
{
	for (size_t i = 0; i < N_NAMED; i++) {
		uint32_t s = named[i].status;

		if (nt_errno(s) == -ENOENT)
			CHECK(s == STATUS_OBJECT_NAME_NOT_FOUND ||
			      s == STATUS_OBJECT_PATH_NOT_FOUND || s == STATUS_NO_SUCH_FILE ||
			      s == STATUS_DELETE_PENDING || s == STATUS_NOT_FOUND);
	}
}

static void hints_are_there_for_people(void)
{
	CHECK(nt_hint(STATUS_SUCCESS) == NULL);
	CHECK(nt_hint(STATUS_OBJECT_NAME_NOT_FOUND) == NULL);
	CHECK(strstr(nt_hint(STATUS_BAD_NETWORK_NAME), "share") != NULL);
	CHECK(strstr(nt_hint(STATUS_LOGON_FAILURE), "password") != NULL);
	CHECK(strstr(nt_hint(STATUS_PASSWORD_EXPIRED), "kpasswd") != NULL);
	CHECK(strstr(nt_hint(STATUS_TIME_DIFFERENCE_AT_DC), "clock") != NULL);
	for (size_t i = 0; i < N_NAMED; i++) {
		const char *hint = nt_hint(named[i].status);

		if (hint != NULL)
			CHECK(strlen(hint) < 400 && strchr(hint, '\n') == NULL);
	}
}

int main(void)
{
	RUN(every_named_status_has_its_row);
	RUN(no_status_disturbs_the_kernel);
	RUN(no_error_counts_as_success);
	RUN(the_unknown_is_an_error_with_a_number);
	RUN(gives_the_errno_programs_expect);
	RUN(only_missing_files_are_enoent);
	RUN(hints_are_there_for_people);
	return DONE();
}
