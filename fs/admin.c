/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "admin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* An answer has about 80 lines; it must fit into a socket's buffer. */
#define ADMIN_MAX_ANSWER 65536u
/* A daemon answers from memory; one that was stopped does not. */
#define ADMIN_PATIENCE_S 5

struct admin {
	struct watch watch;
	struct loop *loop;
	struct sockaddr_un addr;
	ino_t ino; /* of our socket's name */
	void (*fill)(struct answer *a, void *arg);
	void *arg;
};

/*
 * The uid that the rest of the computer knows `uid` by: every user is root in a
 * user namespace of his own, and /tmp belongs to all.
 */
static unsigned int admin_outer_uid(uid_t uid)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned int inner, outer, n, found = uid;

	while (f != NULL && fscanf(f, "%u %u %u", &inner, &outer, &n) == 3)
		if (uid >= inner && uid - inner < n)
			found = outer + (uid - inner);
	if (f != NULL)
		fclose(f);
	return found;
}

/* Where the sockets of `owner` may be, in order of preference; false after the last place. */
static bool admin_dir(unsigned int i, uid_t owner, char *out, size_t cap)
{
	const char *runtime = owner == geteuid() ? getenv("XDG_RUNTIME_DIR") : NULL;
	int n = 0;

	*out = '\0';
	if (i == 0 && owner == 0)
		n = snprintf(out, cap, "/run/smbsecure");
	else if (i == 1 && runtime != NULL && *runtime == '/')
		n = snprintf(out, cap, "%s/smbsecure", runtime);
	else if (i == 2)
		n = snprintf(out, cap, "/run/user/%u/smbsecure", owner);
	else if (i == 3)
		n = snprintf(out, cap, "/tmp/smbsecure-%u", admin_outer_uid(owner));
	if (n < 0 || (size_t)n >= cap)
		*out = '\0';
	return i <= 3;
}

static bool admin_address(struct sockaddr_un *addr, const char *dir, dev_t dev)
{
	int n;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%u:%u", dir, major(dev),
		     minor(dev));
	return n > 0 && (size_t)n < sizeof(addr->sun_path);
}

/* The directory is ours alone, whoever made it. */
static bool admin_make_dir(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return false;
	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 077) == 0;
}

void answer_text(struct answer *a, const char *key, const char *value)
{
	char safe[512];

	log_escape(safe, sizeof(safe), value, strlen(value));
	a->text = talloc_asprintf_append(a->text, "%s \"", key);
	for (const char *p = safe; *p != '\0'; p++)
		a->text = talloc_asprintf_append_buffer(a->text, "%s%c",
							*p == '"' || *p == '\\' ? "\\" : "", *p);
	a->text = talloc_strdup_append_buffer(a->text, "\"\n");
}

void answer_number(struct answer *a, const char *key, int64_t value)
{
	a->text = talloc_asprintf_append(a->text, "%s %lld\n", key, (long long)value);
}

/*
 * One answer, into the buffer of a fresh connection: it fits or is lost, so a
 * slow reader costs nothing.
 */
static void admin_ready(struct watch *w, uint32_t revents)
{
	struct admin *ad = (struct admin *)((char *)w - offsetof(struct admin, watch));
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	struct answer a;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid())) {
		a.text = talloc_strdup(ad, "");
		ad->fill(&a, ad->arg);
		if (send(fd, a.text, strlen(a.text), MSG_NOSIGNAL) < 0)
			log_dbg("a status was not delivered: %s", strerror(errno));
		talloc_free(a.text);
	}
	close(fd);
}

static int admin_destroy(struct admin *ad)
{
	struct stat st;

	loop_del(ad->loop, &ad->watch);
	/* Once our mount is gone the next one gets its device number, and with it the name. */
	if (lstat(ad->addr.sun_path, &st) == 0 && st.st_ino == ad->ino)
		unlink(ad->addr.sun_path);
	close(ad->watch.fd);
	*strrchr(ad->addr.sun_path, '/') = '\0';
	rmdir(ad->addr.sun_path); /* if this was the last one */
	return 0;
}

int admin_new(TALLOC_CTX *mem, struct loop *l, dev_t dev,
	      void (*fill)(struct answer *a, void *arg), void *arg, struct admin **out,
	      struct diag *d)
{
	struct admin *ad = talloc_zero(mem, struct admin);
	char dir[sizeof(ad->addr.sun_path)];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool bound = false;
	struct stat st;

	ad->loop = l;
	ad->fill = fill;
	ad->arg = arg;
	for (unsigned int i = 0; fd >= 0 && !bound && admin_dir(i, geteuid(), dir, sizeof(dir)); i++) {
		if (*dir == '\0' || !admin_address(&ad->addr, dir, dev) || !admin_make_dir(dir))
			continue;
		unlink(ad->addr.sun_path);
		bound = bind(fd, (struct sockaddr *)&ad->addr, sizeof(ad->addr)) == 0 &&
			listen(fd, 8) == 0 && lstat(ad->addr.sun_path, &st) == 0;
	}
	ad->ino = bound ? st.st_ino : 0;
	ad->watch = (struct watch){ .fd = fd, .events = EPOLLIN, .ready = admin_ready };
	if (!bound || loop_add(l, &ad->watch) != 0) {
		if (fd >= 0)
			close(fd);
		talloc_free(ad);
		return diag_set(d, -EIO, "control.socket", "no place for the control socket");
	}
	talloc_set_destructor(ad, admin_destroy);
	*out = ad;
	return 0;
}

/* The whole answer, NUL-terminated. */
static int admin_read(TALLOC_CTX *mem, int fd, char **out)
{
	char *text = talloc_size(mem, ADMIN_MAX_ANSWER);
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, text + have, ADMIN_MAX_ANSWER - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = '\0';
	if (n == 0 && have != 0) {
		*out = text;
		return 0;
	}
	talloc_free(text);
	return n < 0 ? -ETIMEDOUT : -EACCES;
}

int admin_ask(TALLOC_CTX *mem, dev_t dev, uid_t owner, char **out)
{
	struct timeval patience = { .tv_sec = ADMIN_PATIENCE_S };
	struct sockaddr_un addr;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	char dir[sizeof(addr.sun_path)];
	int err = -ENOENT;

	for (unsigned int i = 0; admin_dir(i, owner, dir, sizeof(dir)); i++) {
		int fd;

		if (*dir == '\0' || !admin_address(&addr, dir, dev))
			continue;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
			if (errno != ENOENT)
				err = -errno;
		} else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
			   peer.uid != owner) {
			err = -EACCES;
		} else {
			err = admin_read(mem, fd, out);
		}
		close(fd);
		if (err == 0)
			return 0;
	}
	return err;
}
