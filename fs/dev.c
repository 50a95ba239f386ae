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
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"

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

static void dev_ready(struct watch *w, uint32_t revents)
{
	struct shard *sh = container_of(w, struct shard, dev);
	struct fuse_buf fb = { 0 };
	ssize_t n;

	(void)revents;
	if (sh->cur_buf == NULL)
		sh->cur_buf = buf_new(sh->pool, BUF_LARGE);
	fb.mem = sh->cur_buf->mem + BUF_FUSE_OFF;
	n = read(w->fd, fb.mem, sh->cur_buf->cap - BUF_FUSE_OFF);
	if (n < 0) {
		/* ENOENT: the request was interrupted before it was read. */
		if (errno == EAGAIN || errno == EINTR || errno == ENOENT)
			return;
		if (errno != ENODEV)
			log_err("/dev/fuse: %s", strerror(errno));
		dev_gone(sh);
		return;
	}
	fb.size = (size_t)n;
	fuse_session_process_buf(sh->fs->se, &fb);
	if (fuse_session_exited(sh->fs->se)) {
		dev_gone(sh);
		return;
	}
	if (!sh->fs->ready) {
		sh->fs->ready = true;
		fs_tell_control(sh->fs, sh->fs->on_ready, sh->fs->arg);
	}
}

int dev_start(struct shard *sh)
{
	int fd = fuse_session_fd(sh->fs->se), flags, err;

	sh->dev = (struct watch){ .fd = -1, .events = EPOLLIN, .ready = dev_ready };
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	sh->dev.fd = fd;
	err = loop_add(sh->loop, &sh->dev);
	if (err != 0)
		sh->dev.fd = -1;
	return err;
}
