/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Requests are read into a large pooled buffer at BUF_FUSE_OFF, so that the
 * payload of a WRITE has room for SMB's headers in front of it and goes out
 * from where it came in.  The buffer serves for the next request unless the
 * operation kept it.
 */
#include "shard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"

/* Requests per turn at most; turns after which it is tried whether there are several. */
#define DEV_BURST_MAX 16u
#define DEV_PROBE 64u

/*
 * No file here has a set-uid bit or capabilities that a write would have to
 * take away.  Unless it is told so by this flag, which libfuse 3.14 does not
 * know, the kernel asks for security.capability before every single write.
 */
static void dev_init_out(const struct shard *sh, const struct iovec *iov, int n)
{
	const struct fuse_in_header *in = (const void *)(sh->cur_buf->mem + BUF_FUSE_OFF);
	const struct fuse_init_in *init = (const void *)(in + 1);
	struct fuse_init_out *out;

	if (in->opcode != FUSE_INIT || n != 2 ||
	    iov[1].iov_len < offsetof(struct fuse_init_out, flags) + sizeof(out->flags))
		return;
	out = iov[1].iov_base;
	out->flags |= init->flags & FUSE_HANDLE_KILLPRIV_V2;
}

static ssize_t dev_writev(int fd, struct iovec *iov, int n, void *userdata)
{
	const struct fs *f = userdata;
	ssize_t done;

	if (!f->ready)
		dev_init_out(shard_self(), iov, n);
	do
		done = writev(fd, iov, n);
	while (done < 0 && errno == EINTR);
	return done;
}

/* libfuse insists on one; dev_ready() reads instead. */
static ssize_t dev_read(int fd, void *buf, size_t n, void *userdata)
{
	(void)userdata;
	return read(fd, buf, n);
}

void dev_stop(struct shard *sh)
{
	if (sh->dev.fd >= 0)
		loop_del(sh->loop, &sh->dev);
	sh->dev.fd = -1;
	buf_free(sh->cur_buf);
	sh->cur_buf = NULL;
}

static void dev_gone(struct shard *sh)
{
	dev_stop(sh);
	fs_tell_control(sh->fs, sh->fs->on_gone, sh->fs->arg);
}

/* One request; false when there is none, or no more will come. */
static bool dev_take(struct shard *sh)
{
	struct fuse_buf fb = { 0 };
	ssize_t n;

	if (sh->cur_buf == NULL)
		sh->cur_buf = buf_new(sh->pool, BUF_LARGE);
	fb.mem = sh->cur_buf->mem + BUF_FUSE_OFF;
	n = read(sh->dev.fd, fb.mem, sh->cur_buf->cap - BUF_FUSE_OFF);
	if (n < 0) {
		/* ENOENT: the request was interrupted before it was read. */
		if (errno == EAGAIN || errno == EINTR || errno == ENOENT)
			return false;
		if (errno != ENODEV)
			log_err("/dev/fuse: %s", strerror(errno));
		dev_gone(sh);
		return false;
	}
	fb.size = (size_t)n;
	fuse_session_process_buf(sh->fs->se, &fb);
	if (fuse_session_exited(sh->fs->se)) {
		dev_gone(sh);
		return false;
	}
	if (!sh->fs->ready) {
		sh->fs->ready = true;
		fs_tell_control(sh->fs, sh->fs->on_ready, sh->fs->arg);
	}
	return true;
}

/*
 * Where several requests come at once, as with read-ahead, a turn of the loop
 * and a packet serve them all.  Where they come one by one, the look for
 * another would cost a system call each, and is taken only now and then.
 */
static void dev_ready(struct watch *w, uint32_t revents)
{
	struct shard *sh = container_of(w, struct shard, dev);
	unsigned int n = 0, max = sh->dev_eager ? DEV_BURST_MAX : 1;

	(void)revents;
	while (n < max && dev_take(sh))
		n++;
	sh->dev_eager = n > 1 || ++sh->dev_turns % DEV_PROBE == 0;
}

int dev_start(struct shard *sh)
{
	static const struct fuse_custom_io io = { .writev = dev_writev, .read = dev_read };
	int fd = fuse_session_fd(sh->fs->se), flags, err;

	sh->dev = (struct watch){ .fd = -1, .events = EPOLLIN, .ready = dev_ready };
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	err = fuse_session_custom_io(sh->fs->se, &io, fd);
	if (err != 0)
		return err;
	sh->dev.fd = fd;
	err = loop_add(sh->loop, &sh->dev);
	if (err != 0)
		sh->dev.fd = -1;
	return err;
}
