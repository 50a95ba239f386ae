/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SMB2 operations as the file system uses them: encoders that append one
 * element to a packet, decoders that turn a verified element into host
 * integers and borrowed slices.  No function here blocks or allocates beyond
 * the packet's own buffer.
 *
 *	struct pkt p;
 *	pkt_init(&p, pool, tree_id, 0);
 *	smb_create(&p, &op->create, &args);
 *	smb_close(&p, &op->close, NULL, 0);	(related: the file just opened)
 *	chan_submit(chan, p.head);
 *
 * Decoders return 0 or -EBADMSG and leave `out` undefined on failure.
 */
#ifndef SMB_H
#define SMB_H

#include <stdbool.h>
#include <stdint.h>

#include "chan.h"
#include "req.h"
#include "smb2.h"
#include "wire.h"

/* NT time: 100 ns units since 1601-01-01 UTC. */
#define NT_TIME_UNIX_EPOCH 116444736000000000ull

struct smb_fid {
	uint64_t persistent, volatile_;
};

struct smb_attr {
	uint64_t btime, atime, mtime, ctime; /* NT time; 0 = server does not know */
	uint64_t size, alloc;		     /* bytes */
	uint32_t attributes;		     /* FILE_ATTRIBUTE_* */
	uint32_t nlink;			     /* 0 = the reply does not carry it */
	uint64_t file_id;		     /* 0 = the reply does not carry it */
	bool delete_pending;
};

struct pkt {
	struct bufpool *pool;
	uint32_t tree_id;
	struct buf *b;
	struct wr w;
	struct req *head, *tail;
};

/*
 * An empty packet with room for `payload` bytes of variable data (paths,
 * SET_INFO data) besides the fixed parts of up to six elements.
 */
void pkt_init(struct pkt *p, struct bufpool *pool, uint32_t tree_id, size_t payload);

/*
 * Starts the next element: pads the one before, writes the header, links `r`.
 * `related` carries on with the file of the element before; a packet whose
 * second element is related has related ones only behind it ([MS-SMB2]
 * 3.2.4.1.4).  The body is then written through p->w, and pkt_end() closes
 * the element; the encoders below do all three.
 */
void pkt_add(struct pkt *p, struct req *r, uint16_t cmd, bool related);
void pkt_end(struct pkt *p);

/*
 * CREATE, [MS-SMB2] 2.2.13.  `path` is relative to the share, UTF-16LE, with
 * backslashes, none leading; empty for the root.
 */
struct smb_create {
	struct slice path;
	uint32_t access, attributes, share, disposition, options;
};
void smb_create(struct pkt *p, struct req *r, const struct smb_create *a);

struct smb_create_resp {
	struct smb_fid fid;
	uint32_t action;
	struct smb_attr attr; /* without nlink and file_id */
};
int smb_create_decode(struct slice pdu, struct smb_create_resp *out)
	__attribute__((warn_unused_result));

/* For the functions below a NULL fid means: related to the element before. */
void smb_close(struct pkt *p, struct req *r, const struct smb_fid *fid, uint16_t flags);
void smb_flush(struct pkt *p, struct req *r, const struct smb_fid *fid);
void smb_read(struct pkt *p, struct req *r, const struct smb_fid *fid, uint64_t off, uint32_t len);

/* `asked` is the length requested: more than that is a lie. */
int smb_read_decode(struct slice pdu, uint32_t asked, struct slice *out)
	__attribute__((warn_unused_result));

/*
 * WRITE of the bytes in `b`, which becomes the packet: the headers go in front
 * of the payload, for which it needs BUF_HEADROOM + 112 bytes of headroom.
 */
#define SMB_WRITE_HEADROOM (BUF_HEADROOM + SMB2_HDR_LEN + 48u)
void smb_write(struct req *r, struct buf *b, uint32_t tree_id, const struct smb_fid *fid,
	       uint64_t off);
int smb_write_decode(struct slice pdu, uint32_t asked, uint32_t *out)
	__attribute__((warn_unused_result));

/* QUERY_INFO, 2.2.37: `type` is SMB2_0_INFO_*, `out_len` the largest answer. */
void smb_query_info(struct pkt *p, struct req *r, const struct smb_fid *fid, uint8_t type,
		    uint8_t info_class, uint32_t out_len);
int smb_query_info_decode(struct slice pdu, uint32_t asked, struct slice *out)
	__attribute__((warn_unused_result));

/* FileAllInformation, [MS-FSCC] 2.4.2; the name at its end is not looked at. */
int smb_all_info_decode(struct slice info, struct smb_attr *out)
	__attribute__((warn_unused_result));
/* The two in one: the reply to QUERY_INFO of FILE_ALL_INFORMATION. */
#define SMB_ALL_INFO_MAX 4096u
int smb_query_all_decode(struct slice pdu, struct smb_attr *out)
	__attribute__((warn_unused_result));

struct smb_fs_size {
	uint64_t total, avail, free; /* allocation units; avail is the caller's */
	uint32_t unit;		     /* bytes per allocation unit, not 0 */
};
/* The reply to QUERY_INFO of FS_FULL_SIZE_INFORMATION, asked for with this length. */
#define SMB_FS_SIZE_LEN 32u
int smb_fs_size_decode(struct slice pdu, struct smb_fs_size *out)
	__attribute__((warn_unused_result));

/* SET_INFO, 2.2.39, for SMB2_0_INFO_FILE. */
struct smb_basic { /* NT times; 0 = leave alone */
	uint64_t btime, atime, mtime, ctime;
	uint32_t attributes; /* 0 = leave alone */
};
void smb_set_basic(struct pkt *p, struct req *r, const struct smb_fid *fid,
		   const struct smb_basic *b);
void smb_set_eof(struct pkt *p, struct req *r, const struct smb_fid *fid, uint64_t size);
void smb_set_disposition(struct pkt *p, struct req *r, const struct smb_fid *fid, bool remove);
/* `path` as in smb_create: the new name, relative to the share. */
void smb_set_rename(struct pkt *p, struct req *r, const struct smb_fid *fid, struct slice path,
		    bool replace);

/*
 * QUERY_DIRECTORY, 2.2.33, of FileIdFullDirectoryInformation and "*";
 * `flags`: SMB2_RESTART_SCANS or 0.
 */
void smb_query_dir(struct pkt *p, struct req *r, const struct smb_fid *fid, uint8_t flags,
		   uint32_t out_len);

struct smb_dirent {
	struct smb_attr attr; /* without nlink */
	struct slice name;    /* UTF-16LE, as the server sent it */
};
struct smb_dir_iter {
	struct slice page;
	size_t next;
	bool last, bad;
};
/* The page of a reply; asked as in smb_query_info_decode. */
int smb_query_dir_decode(struct slice pdu, uint32_t asked, struct slice *page)
	__attribute__((warn_unused_result));
/* `page` outlives the iterator.  False at the end, or when the page is malformed (it->bad). */
void smb_dir_iter_init(struct smb_dir_iter *it, struct slice page);
bool smb_dir_iter_next(struct smb_dir_iter *it, struct smb_dirent *out);

void smb_echo(struct pkt *p, struct req *r);
void smb_logoff(struct pkt *p, struct req *r);

/*
 * A path of our side ("a/b/c", UTF-8, no leading slash) as UTF-16LE with
 * backslashes into `out`; reserved characters as Services for Mac does when
 * `map` (U+F001...).  Bytes written; -EILSEQ for invalid UTF-8 or, unmapped, a
 * reserved character; -ENAMETOOLONG when a component has more than 255 units
 * or `cap` is too small.
 */
int utf16_from_path(const char *path, size_t n, bool map, uint8_t *out, size_t cap);
/*
 * A file name from the server as UTF-8, NUL-terminated.  Length without the
 * NUL; -EILSEQ when it is empty, has an odd length, an unpaired surrogate, a
 * NUL, '/' or '\', is "." or "..", has more than 255 units or does not fit.
 */
int utf16_to_name(struct slice name, bool map, char *out, size_t cap);

#endif
