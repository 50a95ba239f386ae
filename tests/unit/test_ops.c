/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The encoders against the layouts of [MS-SMB2] 2.2 and [MS-FSCC], byte by byte. */
#include "ops.h"

#include "smb.h"

#define TREE 0x44332211u
#define FID_HEX "0807060504030201 100f0e0d0c0b0a09"
#define NO_FID_HEX "ffffffffffffffff ffffffffffffffff"
/* 2.2.1, before the channel has filled in its part */
#define HDR(cmd, flags, next)                                                         \
	"fe534d42 4000 0000 00000000" cmd "0000" flags next "0000000000000000"        \
	"00000000 11223344 0000000000000000 00000000000000000000000000000000"
#define ALONE "00000000"
#define RELATED "04000000"
#define LAST "00000000"

static const struct smb_fid fid = { 0x0102030405060708, 0x090a0b0c0d0e0f10 };
static struct bufpool *pool;

static struct slice utf16(const char *hex)
{
	static struct msg m;

	m = msg_hex(hex);
	return slice_of(m.b, m.n);
}

static bool same(struct slice got, const char *hex)
{
	struct msg want = msg_hex(hex);

	for (size_t i = 0; i < got.n && i < want.n; i++) {
		if (got.p[i] != want.b[i]) {
			printf("# byte %zu: %02x, not %02x\n", i, got.p[i], want.b[i]);
			return false;
		}
	}
	if (got.n != want.n)
		printf("# %zu bytes, not %zu\n", got.n, want.n);
	return got.n == want.n;
}

/* The one element of a packet. */
#define CHECK_ENCODED(call, hex)                                                      \
	do {                                                                          \
		struct req r;                                                         \
		struct pkt p;                                                         \
                                                                                      \
		pkt_init(&p, pool, TREE, 64);                                         \
		(call);                                                               \
		CHECK(same(buf_slice(p.b), hex));                                     \
		buf_free(p.b);                                                        \
	} while (0)

static void create_asks_for_a_path(void)
{
	struct smb_create a = {
		.path = utf16("6100 5c00 6200"),
		.access = 0x00120089,
		.attributes = FILE_ATTRIBUTE_NORMAL,
		.share = FILE_SHARE_ALL,
		.disposition = FILE_OPEN_IF,
		.options = FILE_NON_DIRECTORY_FILE,
	};

	CHECK_ENCODED(smb_create(&p, &r, &a),
		      HDR("0500", ALONE, LAST)
		      "3900 00 00 02000000 0000000000000000 0000000000000000"
		      "89001200 80000000 07000000 03000000 40000000"
		      "7800 0600 00000000 00000000 6100 5c00 6200");
}

static void create_of_the_root_still_has_a_buffer(void)
{
	struct smb_create a = { .access = 0x81, .share = 7, .disposition = 1, .options = 1 };

	CHECK_ENCODED(smb_create(&p, &r, &a),
		      HDR("0500", ALONE, LAST)
		      "3900 00 00 02000000 0000000000000000 0000000000000000"
		      "81000000 00000000 07000000 01000000 01000000"
		      "7800 0000 00000000 00000000 00");
}

static void small_commands_have_their_layout(void)
{
	CHECK_ENCODED(smb_close(&p, &r, &fid, SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB),
		      HDR("0600", ALONE, LAST) "1800 0100 00000000" FID_HEX);
	CHECK_ENCODED(smb_flush(&p, &r, &fid),
		      HDR("0700", ALONE, LAST) "1800 0000 00000000" FID_HEX);
	CHECK_ENCODED(smb_echo(&p, &r), HDR("0d00", ALONE, LAST) "0400 0000");
	CHECK_ENCODED(smb_logoff(&p, &r), HDR("0200", ALONE, LAST) "0400 0000");
}

static void read_has_its_layout(void)
{
	CHECK_ENCODED(smb_read(&p, &r, &fid, 0x1122334455667788, 0x00100000),
		      HDR("0800", ALONE, LAST)
		      "3100 50 00 00001000 8877665544332211" FID_HEX
		      "00000000 00000000 00000000 0000 0000 00");
}

static void queries_have_their_layout(void)
{
	CHECK_ENCODED(smb_query_info(&p, &r, &fid, SMB2_0_INFO_FILE, FILE_ALL_INFORMATION, 4096),
		      HDR("1000", ALONE, LAST)
		      "2900 01 12 00100000 0000 0000 00000000 00000000 00000000" FID_HEX "00");
	CHECK_ENCODED(smb_query_info(&p, &r, &fid, SMB2_0_INFO_FILESYSTEM,
				     FS_FULL_SIZE_INFORMATION, 32),
		      HDR("1000", ALONE, LAST)
		      "2900 02 07 20000000 0000 0000 00000000 00000000 00000000" FID_HEX "00");
	CHECK_ENCODED(smb_query_dir(&p, &r, &fid, SMB2_RESTART_SCANS, 65536),
		      HDR("0e00", ALONE, LAST)
		      "2100 26 01 00000000" FID_HEX "6000 0200 00000100 2a00");
}

static void set_info_has_its_layout(void)
{
	struct smb_basic b = {
		.btime = 0x0101010101010101,
		.atime = 0x0202020202020202,
		.mtime = 0x0303030303030303,
		.ctime = 0x0404040404040404,
		.attributes = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_ARCHIVE,
	};

	CHECK_ENCODED(smb_set_basic(&p, &r, &fid, &b),
		      HDR("1100", ALONE, LAST)
		      "2100 01 04 28000000 6000 0000 00000000" FID_HEX
		      "0101010101010101 0202020202020202 0303030303030303 0404040404040404"
		      "21000000 00000000");
	CHECK_ENCODED(smb_set_eof(&p, &r, &fid, 0x0000000180000000),
		      HDR("1100", ALONE, LAST)
		      "2100 01 14 08000000 6000 0000 00000000" FID_HEX "0000008001000000");
	CHECK_ENCODED(smb_set_disposition(&p, &r, &fid, true),
		      HDR("1100", ALONE, LAST)
		      "2100 01 0d 01000000 6000 0000 00000000" FID_HEX "01");
	CHECK_ENCODED(smb_set_disposition(&p, &r, &fid, false),
		      HDR("1100", ALONE, LAST)
		      "2100 01 0d 01000000 6000 0000 00000000" FID_HEX "00");
}

static void rename_has_its_layout(void)
{
	CHECK_ENCODED(smb_set_rename(&p, &r, &fid, utf16("6100 5c00 6200"), true),
		      HDR("1100", ALONE, LAST)
		      "2100 01 0a 1a000000 6000 0000 00000000" FID_HEX
		      "01 00000000000000 0000000000000000 06000000 6100 5c00 6200");
}

static void rename_to_one_character_is_padded(void)
{
	CHECK_ENCODED(smb_set_rename(&p, &r, &fid, utf16("6200"), false),
		      HDR("1100", ALONE, LAST)
		      "2100 01 0a 18000000 6000 0000 00000000" FID_HEX
		      "00 00000000000000 0000000000000000 02000000 6200 0000");
}

/* 3.1.5.2 */
static void charge_covers_the_larger_payload(void)
{
	static const struct {
		uint32_t bytes;
		uint16_t charge;
	} rows[] = {
		{ 0, 1 }, { 1, 1 }, { 65536, 1 }, { 65537, 2 }, { 131072, 2 },
		{ 1048576, 16 }, { 1048577, 17 }, { 8388608, 128 },
	};
	struct req read, info, dir, other;
	struct pkt p;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pkt_init(&p, pool, TREE, 0);
		smb_read(&p, &read, &fid, 0, rows[i].bytes);
		smb_query_info(&p, &info, &fid, SMB2_0_INFO_FILE, 18, rows[i].bytes);
		smb_query_dir(&p, &dir, &fid, 0, rows[i].bytes);
		smb_flush(&p, &other, &fid);
		CHECK(read.charge == rows[i].charge);
		CHECK(info.charge == rows[i].charge);
		CHECK(dir.charge == rows[i].charge);
		CHECK(other.charge == 1);
		buf_free(p.b);
	}
}

static void compound_is_linked_and_padded(void)
{
	struct smb_create a = { .path = utf16("6100"), .disposition = FILE_OPEN };
	struct req create, query, close;
	struct pkt p;
	uint32_t len;

	pkt_init(&p, pool, TREE, a.path.n);
	CHECK(p.b->off == BUF_HEADROOM && p.b->len == 0);
	smb_create(&p, &create, &a);
	CHECK(p.b->len == 64 + 56 + 2);
	len = 64 + 56 + 8;
	smb_query_info(&p, &query, NULL, SMB2_0_INFO_FILE, FILE_ALL_INFORMATION, 4096);
	CHECK(p.b->len == len + 64 + 41);
	len += 64 + 48;
	smb_close(&p, &close, NULL, 0);
	CHECK(p.b->len == len + 64 + 24);
	CHECK(p.b->off == BUF_HEADROOM);

	CHECK(same(buf_slice(p.b),
		   HDR("0500", ALONE, "80000000")
		   "3900 00 00 02000000 0000000000000000 0000000000000000"
		   "00000000 00000000 00000000 01000000 00000000"
		   "7800 0200 00000000 00000000 6100 000000000000"
		   HDR("1000", RELATED, "70000000")
		   "2900 01 12 00100000 0000 0000 00000000 00000000 00000000" NO_FID_HEX "00"
		   "00000000000000"
		   HDR("0600", RELATED, LAST) "1800 0000 00000000" NO_FID_HEX));

	CHECK(p.head == &create && p.tail == &close);
	CHECK(create.chain == &query && query.chain == &close && close.chain == NULL);
	CHECK(create.head == &create && query.head == &create && close.head == &create);
	CHECK(create.n_open == 3);
	CHECK(create.tx == p.b && query.tx == NULL && close.tx == NULL);
	CHECK(create.hdr_off == BUF_HEADROOM);
	CHECK(query.hdr_off == BUF_HEADROOM + 128);
	CHECK(close.hdr_off == BUF_HEADROOM + 128 + 112);
	CHECK(create.cmd == SMB2_CREATE && query.cmd == SMB2_QUERY_INFO);
	CHECK(close.cmd == SMB2_CLOSE);
	buf_free(p.b);
}

static void unrelated_elements_name_their_files(void)
{
	struct req flush, close;
	struct pkt p;

	pkt_init(&p, pool, TREE, 0);
	smb_flush(&p, &flush, &fid);
	smb_close(&p, &close, &fid, 0);
	CHECK(same(buf_slice(p.b),
		   HDR("0700", ALONE, "58000000") "1800 0000 00000000" FID_HEX
		   HDR("0600", ALONE, LAST) "1800 0000 00000000" FID_HEX));
	buf_free(p.b);
}

static void done_nothing(struct req *r, int err, uint32_t status, struct slice pdu)
{
	(void)r;
	(void)err;
	(void)status;
	(void)pdu;
}

static bool is_fresh(const struct req *r)
{
	return r->next == NULL && r->chain == NULL && r->state == REQ_IDLE && r->mid == 0 &&
	       r->async_id == 0 && !r->cancelled && r->sent_ns == 0;
}

/* A request is used again and again; what its last use left must not show. */
static void used_request_becomes_fresh(void)
{
	struct req one, two;
	struct buf *b;
	struct pkt p;

	memset(&one, 0xff, sizeof(one));
	one.cancelled = true;
	one.done = done_nothing;
	one.ctx = &p;
	two = one;

	pkt_init(&p, pool, TREE, 0);
	smb_read(&p, &one, &fid, 0, 1);
	smb_flush(&p, &two, &fid);
	CHECK(is_fresh(&two));
	CHECK(one.n_open == 2);
	one.chain = NULL;
	CHECK(is_fresh(&one));
	CHECK(one.done == done_nothing && one.ctx == &p);
	CHECK(two.done == done_nothing && two.ctx == &p);
	buf_free(p.b);

	two.cancelled = true;
	two.mid = 7;
	b = buf_new(pool, SMB_WRITE_HEADROOM);
	b->off = SMB_WRITE_HEADROOM;
	b->len = 0;
	smb_write(&two, b, TREE, &fid, 0);
	CHECK(is_fresh(&two));
	CHECK(two.head == &two && two.n_open == 1 && two.charge == 1);
	CHECK(two.done == done_nothing && two.ctx == &p);
	buf_free(b);
}

/*
 * As after reading /dev/fuse: the payload stays where it is, and length prefix
 * and transform header still fit in front of what was written.
 */
static void write_goes_in_front_of_its_payload(void)
{
	const uint32_t at = BUF_FUSE_OFF + BUF_FUSE_HDRS;
	struct buf *b = buf_new(pool, BUF_LARGE);
	struct req r;

	memset(b->mem, 0x5a, at);
	memcpy(b->mem + at, "payload!", 8);
	b->off = at;
	b->len = 65537;
	smb_write(&r, b, TREE, &fid, 0x1122334455667788);

	CHECK(b->off == at - 112 && b->off >= BUF_HEADROOM);
	CHECK(b->len == 112 + 65537);
	CHECK(memcmp(b->mem + at, "payload!", 8) == 0);
	CHECK(b->mem[b->off - 1] == 0x5a);
	CHECK(same(slice_of(buf_data(b), 120),
		   HDR("0900", ALONE, LAST)
		   "3100 7000 01000100 8877665544332211" FID_HEX
		   "00000000 00000000 0000 0000 00000000 7061796c6f616421"));
	CHECK(r.cmd == SMB2_WRITE && r.charge == 2 && r.hdr_off == b->off);
	CHECK(r.tx == b && r.head == &r && r.chain == NULL && r.n_open == 1);
	buf_free(b);
}

static void write_needs_no_more_headroom_than_promised(void)
{
	struct buf *b = buf_new(pool, SMB_WRITE_HEADROOM + 4);
	struct req r;

	b->off = SMB_WRITE_HEADROOM;
	b->len = 4;
	smb_write(&r, b, TREE, &fid, 0);
	CHECK(b->off == BUF_HEADROOM && b->len == 116 && r.charge == 1);
	buf_free(b);
}

/* The writer traps if pkt_init() reckoned too little. */
static void six_of_the_largest_elements_fit(void)
{
	static uint8_t path[4097];
	struct smb_create a = { .path = slice_of(path, sizeof(path)) };
	struct smb_basic basic = { 0 };
	struct req r[6];
	struct pkt p;

	pkt_init(&p, pool, TREE, 0);
	for (int i = 0; i < 6; i++)
		smb_set_basic(&p, &r[i], i == 0 ? &fid : NULL, &basic);
	CHECK(p.b->len == 6 * 136 && r[0].n_open == 6);
	buf_free(p.b);

	pkt_init(&p, pool, TREE, 3 * sizeof(path));
	for (int i = 0; i < 6; i += 2) {
		smb_create(&p, &r[i], &a);
		smb_query_dir(&p, &r[i + 1], &fid, 0, 1);
	}
	buf_free(p.b);

	pkt_init(&p, pool, TREE, 6 * sizeof(path));
	for (int i = 0; i < 6; i++)
		smb_set_rename(&p, &r[i], &fid, a.path, false);
	CHECK(BUF_HEADROOM + p.b->len <= p.b->cap);
	buf_free(p.b);
}

int main(void)
{
	pool = bufpool_new();
	RUN(create_asks_for_a_path);
	RUN(create_of_the_root_still_has_a_buffer);
	RUN(small_commands_have_their_layout);
	RUN(read_has_its_layout);
	RUN(queries_have_their_layout);
	RUN(set_info_has_its_layout);
	RUN(rename_has_its_layout);
	RUN(rename_to_one_character_is_padded);
	RUN(charge_covers_the_larger_payload);
	RUN(compound_is_linked_and_padded);
	RUN(unrelated_elements_name_their_files);
	RUN(used_request_becomes_fresh);
	RUN(write_goes_in_front_of_its_payload);
	RUN(write_needs_no_more_headroom_than_promised);
	RUN(six_of_the_largest_elements_fit);
	bufpool_free(pool);
	return DONE();
}
