/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each decoder: a recorded reply of a real server, every truncation of it, the
 * little extras that honest servers send, and one lie per row.
 */
#include "ops.h"

#include <errno.h>

#include "recorded.h"
#include "smb.h"

typedef int (*decoder)(struct slice pdu);

static int decode_create(struct slice pdu)
{
	struct smb_create_resp out;

	return smb_create_decode(pdu, &out);
}

static int decode_read(struct slice pdu)
{
	struct slice out;

	return smb_read_decode(pdu, 64, &out);
}

static int decode_write(struct slice pdu)
{
	uint32_t out;

	return smb_write_decode(pdu, 12, &out);
}

static int decode_info(struct slice pdu)
{
	struct slice out;

	return smb_query_info_decode(pdu, 120, &out);
}

static int decode_all(struct slice pdu)
{
	struct smb_attr out;

	return smb_query_all_decode(pdu, &out);
}

static int decode_fs_size(struct slice pdu)
{
	struct smb_fs_size out;

	return smb_fs_size_decode(pdu, &out);
}

static int decode_dir(struct slice pdu)
{
	struct slice out;

	return smb_query_dir_decode(pdu, 65536, &out);
}

static int decode_exact(decoder decode, const struct msg *m, size_t n)
{
	struct slice pdu = msg_exact(m->b, n);
	int err = decode(pdu);

	msg_free(pdu);
	return err;
}

static void check_truncations(decoder decode, const char *hex)
{
	struct msg m = msg_hex(hex);

	CHECK(decode_exact(decode, &m, m.n) == 0);
	for (size_t n = 0; n < m.n; n++)
		CHECK(decode_exact(decode, &m, n) == -EBADMSG);
}

/* An implied byte of buffer, padding to 8, both, 3 stray bytes: never more. */
static void check_padding(decoder decode, const char *hex)
{
	struct msg m = msg_hex(hex);

	for (size_t extra = 0; extra <= 8; extra++)
		CHECK(decode_exact(decode, &m, m.n + extra) == 0);
	CHECK(decode_exact(decode, &m, m.n + 9) == -EBADMSG);
	CHECK(decode_exact(decode, &m, m.n + 1000) == -EBADMSG);
}

struct lie {
	const char *what;
	struct {
		size_t off;
		uint64_t value;
		size_t width;
	} set[2];
};

static void check_lies(decoder decode, const char *hex, const struct lie *lies,
		       size_t n_lies)
{
	for (size_t i = 0; i < n_lies; i++) {
		struct msg m = msg_hex(hex);
		int err;

		for (size_t k = 0; k < 2; k++)
			put_le(m.b + lies[i].set[k].off, lies[i].set[k].value,
			       lies[i].set[k].width);
		err = decode_exact(decode, &m, m.n);
		if (err != -EBADMSG)
			printf("# %s: %d\n", lies[i].what, err);
		CHECK(err == -EBADMSG);
	}
}
#define CHECK_LIES(decode, hex, lies) \
	check_lies(decode, hex, lies, sizeof(lies) / sizeof((lies)[0]))

static void create_is_read_as_the_server_meant_it(void)
{
	struct msg m = msg_hex(REC_CREATE_FIRST);
	struct smb_create_resp out;

	CHECK(smb_create_decode(slice_of(m.b, m.n), &out) == 0);
	CHECK(out.fid.persistent == 0x71976039 && out.fid.volatile_ == 0x7b459b1e);
	CHECK(out.action == 1);
	CHECK(out.attr.btime == 0x01dd795e2089e7d6);
	CHECK(out.attr.atime == 0x01dd795e208a2291);
	CHECK(out.attr.mtime == 133000000000000000);
	CHECK(out.attr.ctime == 133000000000000000);
	CHECK(out.attr.size == 5 && out.attr.alloc == 4096);
	CHECK(out.attr.attributes == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE));
	CHECK(out.attr.nlink == 0 && out.attr.file_id == 0 && !out.attr.delete_pending);
}

/* Built by hand from 2.2.14: the recorded reply with 24 bytes of contexts. */
#define CREATE_WITH_CONTEXTS \
	REC_CREATE "00000000 1000 0400 0000 1800 00000000 4d784163 00000000"

static struct msg create_with_contexts(void)
{
	struct msg m = msg_hex(CREATE_WITH_CONTEXTS);

	put_le(m.b + 144, 152, 4);
	put_le(m.b + 148, m.n - 152, 4);
	return m;
}

static void create_contexts_are_inside_the_message(void)
{
	struct msg m = create_with_contexts();

	CHECK(decode_exact(decode_create, &m, m.n) == 0);
	for (size_t n = 0; n < m.n; n++)
		CHECK(decode_exact(decode_create, &m, n) == -EBADMSG);
}

static void create_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 88, 2 } } },
		{ "structure size of an error", { { 64, 9, 2 } } },
		{ "size beyond off_t", { { 112, 1ull << 63, 8 } } },
		{ "allocation beyond off_t", { { 104, UINT64_MAX, 8 } } },
		{ "contexts behind the end", { { 144, 152, 4 }, { 148, 1, 4 } } },
		{ "contexts in the fixed part", { { 144, 144, 4 }, { 148, 8, 4 } } },
		{ "contexts in the header", { { 144, 0, 4 }, { 148, 8, 4 } } },
		{ "offset and length wrap", { { 144, 0xfffffff8, 4 }, { 148, 16, 4 } } },
		{ "length wraps", { { 144, 152, 4 }, { 148, 0xffffffff, 4 } } },
	};

	check_truncations(decode_create, REC_CREATE);
	check_truncations(decode_create, REC_CREATE_FIRST);
	check_padding(decode_create, REC_CREATE);
	CHECK_LIES(decode_create, REC_CREATE, lies);
}

static void read_gives_the_bytes_in_place(void)
{
	struct msg m = msg_hex(REC_READ);
	struct slice out;

	CHECK(smb_read_decode(slice_of(m.b, m.n), 12, &out) == 0);
	CHECK(out.p == m.b + 80 && out.n == 12);
	CHECK(memcmp(out.p, "hello, world", 12) == 0);

	m = msg_hex(REC_READ_MIDDLE);
	CHECK(smb_read_decode(slice_of(m.b, m.n), 64, &out) == 0);
	CHECK(out.n == 5 && memcmp(out.p, "hello", 5) == 0);
}

static void read_of_nothing_is_empty(void)
{
	struct msg m = msg_hex(REC_READ);
	struct slice out;

	put_le(m.b + 68, 0, 4);
	CHECK(smb_read_decode(slice_of(m.b, 80), 64, &out) == 0 && out.n == 0);
	m.b[66] = 0;
	CHECK(smb_read_decode(slice_of(m.b, 81), 64, &out) == 0 && out.n == 0);
}

static void read_never_gives_more_than_asked(void)
{
	struct msg m = msg_hex(REC_READ);
	struct slice out;

	CHECK(smb_read_decode(slice_of(m.b, m.n), 11, &out) == -EBADMSG);
	CHECK(smb_read_decode(slice_of(m.b, m.n), 0, &out) == -EBADMSG);
}

static void read_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 16, 2 } } },
		{ "data in the fixed part", { { 66, 79, 1 } } },
		{ "data in the header", { { 66, 0, 1 } } },
		{ "data one byte late", { { 66, 81, 1 } } },
		{ "data behind the end", { { 66, 255, 1 } } },
		{ "one byte too long", { { 68, 13, 4 } } },
		{ "length wraps", { { 68, 0xffffffff, 4 } } },
		{ "length with its top bit", { { 68, 0x8000000c, 4 } } },
		{ "nothing, yet twelve bytes of it", { { 68, 0, 4 } } },
	};

	check_truncations(decode_read, REC_READ);
	check_padding(decode_read, REC_READ);
	CHECK_LIES(decode_read, REC_READ, lies);
}

static void write_tells_how_much(void)
{
	struct msg m = msg_hex(REC_WRITE);
	uint32_t n;

	CHECK(smb_write_decode(slice_of(m.b, m.n), 12, &n) == 0 && n == 12);
	CHECK(smb_write_decode(slice_of(m.b, m.n), 11, &n) == -EBADMSG);
	put_le(m.b + 68, 0, 4);
	CHECK(smb_write_decode(slice_of(m.b, m.n), 12, &n) == 0 && n == 0);
}

static void write_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 16, 2 } } },
		{ "more than was sent", { { 68, 13, 4 } } },
		{ "negative", { { 68, 0xffffffff, 4 } } },
	};

	check_truncations(decode_write, REC_WRITE);
	check_padding(decode_write, REC_WRITE);
	CHECK_LIES(decode_write, REC_WRITE, lies);
}

static void all_information_is_read_as_the_server_meant_it(void)
{
	struct msg m = msg_hex(REC_ALL);
	struct slice info;
	struct smb_attr a;

	CHECK(smb_query_info_decode(slice_of(m.b, m.n), 120, &info) == 0);
	CHECK(info.p == m.b + 72 && info.n == 120);
	CHECK(smb_query_all_decode(slice_of(m.b, m.n), &a) == 0);
	CHECK(a.btime == 0x01dd795e2089e7d6 && a.atime == 0x01dd795e208a2291);
	CHECK(a.mtime == 0x01dd795e2089e7d6 && a.ctime == 0x01dd795e2089e7d6);
	CHECK(a.size == 12 && a.alloc == 4096);
	CHECK(a.attributes == FILE_ATTRIBUTE_ARCHIVE);
	CHECK(a.nlink == 1 && !a.delete_pending);
	CHECK(a.file_id == 0x00a88842);
}

static void all_information_without_an_id_has_none(void)
{
	struct msg m = msg_hex(REC_ALL);
	struct smb_attr a;

	put_le(m.b + 72 + 64, UINT64_MAX, 8);
	m.b[72 + 60] = 1;
	CHECK(smb_query_all_decode(slice_of(m.b, m.n), &a) == 0);
	CHECK(a.file_id == 0 && a.delete_pending);
}

/* As STATUS_BUFFER_OVERFLOW leaves it: the name is cut, or not there at all. */
static void all_information_needs_no_whole_name(void)
{
	struct msg m = msg_hex(REC_ALL);
	struct smb_attr a;

	for (size_t n = 0; n < 120; n++) {
		struct slice info = msg_exact(m.b + 72, n);

		CHECK(smb_all_info_decode(info, &a) == (n < 100 ? -EBADMSG : 0));
		msg_free(info);
	}
}

static void info_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 8, 2 } } },
		{ "answer in the fixed part", { { 66, 71, 2 } } },
		{ "answer in the header", { { 66, 0, 2 } } },
		{ "answer one byte late", { { 66, 73, 2 } } },
		{ "answer behind the end", { { 66, 0xffff, 2 } } },
		{ "one byte too long", { { 68, 121, 4 } } },
		{ "length wraps", { { 68, 0xffffffff, 4 } } },
		{ "nothing, yet many bytes of it", { { 68, 0, 4 } } },
	};
	struct msg m = msg_hex(REC_ALL);
	struct slice out;

	check_truncations(decode_info, REC_ALL);
	check_padding(decode_info, REC_ALL);
	CHECK_LIES(decode_info, REC_ALL, lies);
	CHECK(smb_query_info_decode(slice_of(m.b, m.n), 119, &out) == -EBADMSG);
}

static void all_information_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 8, 2 } } },
		{ "size beyond off_t", { { 72 + 48, 1ull << 63, 8 } } },
		{ "allocation beyond off_t", { { 72 + 40, 1ull << 63, 8 } } },
		{ "shorter than it is", { { 66, 72 + 112, 2 }, { 68, 8, 4 } } },
	};

	check_truncations(decode_all, REC_ALL);
	check_padding(decode_all, REC_ALL);
	CHECK_LIES(decode_all, REC_ALL, lies);
}

static void fs_size_is_read_as_the_server_meant_it(void)
{
	struct msg m = msg_hex(REC_FS_SIZE);
	struct smb_fs_size s;

	CHECK(smb_fs_size_decode(slice_of(m.b, m.n), &s) == 0);
	CHECK(s.total == 0x0fbf8e74 && s.avail == 0x04df83d4 && s.free == 0x04df83d4);
	CHECK(s.unit == 1024);
}

static void fs_size_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 8, 2 } } },
		{ "no sectors in a unit", { { 96, 0, 4 } } },
		{ "no bytes in a sector", { { 100, 0, 4 } } },
		{ "a unit of 4 GiB", { { 96, 0x10000, 4 }, { 100, 0x10000, 4 } } },
		{ "a unit that wraps", { { 96, 0xffffffff, 4 }, { 100, 0xffffffff, 4 } } },
		{ "shorter than it is", { { 66, 80, 2 }, { 68, 24, 4 } } },
		{ "longer than it is", { { 68, 33, 4 } } },
	};

	check_truncations(decode_fs_size, REC_FS_SIZE);
	check_padding(decode_fs_size, REC_FS_SIZE);
	CHECK_LIES(decode_fs_size, REC_FS_SIZE, lies);
}

static void dir_lies_are_refused(void)
{
	static const struct lie lies[] = {
		{ "structure size", { { 64, 10, 2 } } },
		{ "page in the fixed part", { { 66, 64, 2 } } },
		{ "page behind the end", { { 66, 0xffff, 2 } } },
		{ "one byte too long", { { 68, 539, 4 } } },
		{ "length wraps", { { 68, 0xffffffff, 4 } } },
	};
	struct msg m = msg_hex(REC_DIR);
	struct slice out;

	check_truncations(decode_dir, REC_DIR);
	check_padding(decode_dir, REC_DIR);
	CHECK_LIES(decode_dir, REC_DIR, lies);
	CHECK(smb_query_dir_decode(slice_of(m.b, m.n), 537, &out) == -EBADMSG);
}

int main(void)
{
	RUN(create_is_read_as_the_server_meant_it);
	RUN(create_contexts_are_inside_the_message);
	RUN(create_lies_are_refused);
	RUN(read_gives_the_bytes_in_place);
	RUN(read_of_nothing_is_empty);
	RUN(read_never_gives_more_than_asked);
	RUN(read_lies_are_refused);
	RUN(write_tells_how_much);
	RUN(write_lies_are_refused);
	RUN(all_information_is_read_as_the_server_meant_it);
	RUN(all_information_without_an_id_has_none);
	RUN(all_information_needs_no_whole_name);
	RUN(info_lies_are_refused);
	RUN(all_information_lies_are_refused);
	RUN(fs_size_is_read_as_the_server_meant_it);
	RUN(fs_size_lies_are_refused);
	RUN(dir_lies_are_refused);
	return DONE();
}
