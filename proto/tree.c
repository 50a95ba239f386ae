/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "call.h"
#include "ntstatus.h"
#include "pkt.h"
#include "session.h"
#include "setup.h"

#include <errno.h>
#include <stdio.h>

/* One request of BUF_MAX_IO, and one to spare for everything else. */
#define TREE_MIN_CREDITS (BUF_MAX_IO / SMB2_PAYLOAD_PER_CREDIT + 1)
#define TREE_MAX_ECHOES 16

int tree_connect_decode(struct slice pdu, struct tree *out)
{
	struct rd r = rd_at(pdu, SMB2_HDR_LEN);
	uint16_t size = rd_u16(&r);

	out->type = rd_u8(&r);
	rd_u8(&r);
	out->share_flags = rd_u32(&r);
	out->caps = rd_u32(&r);
	out->max_access = rd_u32(&r);
	if (!rd_ok(&r) || size != 16)
		return -EBADMSG;
	r = rd_at(pdu, SMB2_HDR_TREE_ID);
	out->id = rd_u32(&r);
	return 0;
}

static int tree_refused(uint32_t status, const char *share, struct diag *d)
{
	call_explain(d, "TREE_CONNECT", status);
	if (status == STATUS_BAD_NETWORK_NAME) {
		diag_hint(d, "check the spelling of the share's name; the server knows it as shown by "
			     "its administrator");
		return diag_set(d, -ENODEV, "tree.no-share", "the server has no share \"%s\"", share);
	}
	if (status == STATUS_ACCESS_DENIED) {
		diag_hint(d, "the log-on succeeded, but this user may not use the share; its "
			     "permissions are set on the server");
		return diag_set(d, -EACCES, "tree.denied", "no permission for the share \"%s\"",
				share);
	}
	return diag_set(d, nt_errno(status) != 0 ? nt_errno(status) : -EPROTO, "tree.refused",
			"the server refused the share \"%s\"", share);
}

/*
 * A server grants credits as they are asked for, a few at a time.  With fewer
 * than a full-sized request needs, that request could never be sent.
 */
static int tree_gather_credits(struct chan_io *io, struct diag *d)
{
	struct chan *c = chan_io_chan(io);
	uint32_t have = chan_stats(c)->credits;

	for (int i = 0; have < TREE_MIN_CREDITS && i < TREE_MAX_ECHOES; i++) {
		struct call call = { 0 };
		struct pkt p;
		int err;

		pkt_init(&p, chan_io_pool(io), 0, 0);
		smb_echo(&p, &call.r);
		err = call_run(io, &p, &call, SESSION_TIMEOUT_MS, d);
		call_fini(&call);
		if (err != 0)
			return err;
		have = chan_stats(c)->credits;
	}
	if (have >= TREE_MIN_CREDITS)
		return 0;
	diag_detail(d, "the server granted %u credits; a request of %u KiB needs %u", have,
		    BUF_MAX_IO / 1024, TREE_MIN_CREDITS - 1);
	diag_hint(d, "raise the server's limit (Samba: smb2 max credits; Windows: "
		     "Smb2CreditsMin)");
	return diag_set(d, -EBUSY, "tree.credits", "the server grants too few credits to work with");
}

int tree_connect(struct chan_io *io, const char *server, const char *share, struct tree *out,
		 struct diag *d)
{
	struct call c = { 0 };
	char path[512];
	uint8_t name[1024];
	struct sess *s = chan_sess(chan_io_chan(io));
	struct pkt p;
	int err, n;

	n = snprintf(path, sizeof(path), "%s/%s", server, share);
	n = n >= (int)sizeof(path) ? -ENAMETOOLONG :
	    utf16_from_path(path, (size_t)n, false, name, sizeof(name));
	if (n < 0) {
		diag_hint(d, "share names are plain words; whatever follows the share's name is a "
			     "directory in it");
		return diag_set(d, -EINVAL, "tree.name", "\"%s\" is not a share's name", share);
	}
	pkt_init(&p, chan_io_pool(io), 0, 4 + (size_t)n);
	pkt_add(&p, &c.r, SMB2_TREE_CONNECT, false);
	wr_u16(&p.w, 9);
	wr_u16(&p.w, 0); /* Flags */
	wr_u16(&p.w, SMB2_HDR_LEN + 8);
	wr_u16(&p.w, (uint16_t)(4 + n));
	wr_u16(&p.w, '\\');
	wr_u16(&p.w, '\\');
	wr_bytes(&p.w, name, (size_t)n);
	pkt_end(&p);

	err = call_run(io, &p, &c, SESSION_TIMEOUT_MS, d);
	if (err == 0 && c.status != 0)
		err = tree_refused(c.status, share, d);
	if (err == 0 && tree_connect_decode(c.pdu, out) != 0)
		err = diag_set(d, -EPROTO, "tree.malformed",
			       "the server's answer to TREE_CONNECT is malformed");
	call_fini(&c);
	if (err != 0)
		return err;
	if (out->type != SMB2_SHARE_TYPE_DISK) {
		diag_detail(d, "TREE_CONNECT answered share type 0x%02x", out->type);
		return diag_set(d, -ENODEV, "tree.not-disk", "\"%s\" is not a file share", share);
	}
	if (!s->sealed && (out->share_flags & SMB2_SHAREFLAG_ENCRYPT_DATA)) {
		/* The share asks for more than the policy does; the session is not shared yet. */
		s->sealed = true;
		err = session_protect(io, s, d);
		if (err != 0)
			return err;
	}
	return tree_gather_credits(io, d);
}
