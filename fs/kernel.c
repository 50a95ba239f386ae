/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "mountinfo.h"

/* The kernel reads ahead 128 KiB otherwise, and FUSE cannot ask for more. */
#define KERNEL_READ_AHEAD_KB "8192"

extern char **environ;

static bool kernel_is_root(void)
{
	return geteuid() == 0;
}

static void kernel_detach(const char *path)
{
	char *argv[] = { (char *)"fusermount3", (char *)"-u", (char *)"-z", (char *)"-q",
			 (char *)"--", (char *)path, NULL };
	pid_t pid;
	int err;

	if (kernel_is_root()) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
			log_warn("cannot unmount: %s", strerror(errno));
		return;
	}
	err = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (err != 0) {
		log_warn("cannot run fusermount3: %s", strerror(err));
		return;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void kernel_unmount(const char *path, dev_t dev)
{
	const struct mountinfo *at;
	struct mounts *m;

	if (mountinfo_read(NULL, &m) != 0)
		return;
	at = mountinfo_at(m, path);
	if (at != NULL && at->dev == dev && mountinfo_is_ours(at))
		kernel_detach(path);
	talloc_free(m);
}

static int target_destroy(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	return 0;
}

static int target_open(struct target *t, const char *path, struct diag *d)
{
	char link[32], real[PATH_MAX];
	ssize_t n;

	target_destroy(t);
	t->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0 && errno == ENOENT)
		diag_hint(d, "create it: mkdir -p");
	if (t->fd < 0)
		return diag_set(d, -errno, "target.open", "the mount point: %s", strerror(errno));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", t->fd);
	n = readlink(link, real, sizeof(real));
	if (n < 0 || n == sizeof(real))
		return diag_set(d, -ENAMETOOLONG, "target.open", "/proc is not there");
	talloc_free(t->path);
	t->path = talloc_strndup(t, real, (size_t)n);
	return 0;
}

/*
 * -1: nothing of ours is mounted at `path`; else whether that lost its daemon,
 * which only statfs() tells: the kernel may still know the root's attributes.
 */
static int kernel_is_dead(const char *path, const char *source, bool *same)
{
	const struct mountinfo *at;
	struct mounts *m;
	struct statfs st;
	int dead = -1;

	if (mountinfo_read(NULL, &m) != 0)
		return -1;
	at = mountinfo_at(m, path);
	if (at != NULL && mountinfo_is_ours(at)) {
		dead = statfs(path, &st) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
		*same = source != NULL && strcmp(at->source, source) == 0;
	}
	talloc_free(m);
	return dead;
}

void kernel_detach_dead(const char *path)
{
	bool same;

	if (kernel_is_dead(path, NULL, &same) == 1)
		kernel_detach(path);
}

int kernel_target(TALLOC_CTX *mem, const char *path, const char *source, struct target **out,
		  struct diag *d)
{
	struct target *t = talloc_zero(mem, struct target);
	bool same = false;
	int err, dead;

	t->fd = -1;
	talloc_set_destructor(t, target_destroy);
	err = target_open(t, path, d);
	dead = err == 0 ? kernel_is_dead(t->path, source, &same) : -1;
	if (dead == 1) {
		log_info("detaching a mount whose daemon is gone");
		kernel_detach(t->path);
		err = target_open(t, path, d);
		dead = err == 0 ? kernel_is_dead(t->path, source, &same) : -1;
		if (dead == 1) {
			diag_hint(d, "as root: umount -l");
			err = diag_set(d, -ENOTCONN, "target.dead",
				       "a mount whose daemon is gone is in the way");
		}
	}
	if (dead == 0 && same)
		err = diag_set(d, -EBUSY, "target.busy", "it is already mounted there");
	if (err != 0) {
		talloc_free(t);
		return err;
	}
	*out = t;
	return 0;
}

/* Words for libfuse's own -o, which takes a backslash in front of a comma. */
static void kernel_add(char **list, bool wanted, const char *word)
{
	if (wanted && fuse_opt_add_opt_escaped(list, word) != 0)
		abort();
}

void kernel_args(const struct opts *o, const struct source *src, struct fuse_args *out)
{
	char *list = NULL, *fsname = talloc_asprintf(NULL, "fsname=%s", src->fsname);

	*out = (struct fuse_args)FUSE_ARGS_INIT(0, NULL);
	if (fuse_opt_add_arg(out, "smbsecure") != 0)
		abort();
	kernel_add(&list, true, fsname);
	kernel_add(&list, true, "subtype=smbsecure");
	kernel_add(&list, o->perm, "default_permissions");
	kernel_add(&list, o->allow_other, "allow_other");
	kernel_add(&list, o->read_only, "ro");
	kernel_add(&list, o->noexec, "noexec");
	kernel_add(&list, o->noatime, "noatime");
	kernel_add(&list, o->sync, "sync");
	kernel_add(&list, o->dirsync, "dirsync");
	if (fuse_opt_add_arg(out, "-o") != 0 || fuse_opt_add_arg(out, list) != 0)
		abort();
	free(list);
	talloc_free(fsname);
}

static unsigned long kernel_flags(const struct opts *o)
{
	return (o->nosuid ? MS_NOSUID : 0) | (o->nodev ? MS_NODEV : 0) |
	       (o->noexec ? MS_NOEXEC : 0) | (o->noatime ? MS_NOATIME : 0) |
	       (o->sync ? MS_SYNCHRONOUS : 0) | (o->dirsync ? MS_DIRSYNC : 0) |
	       (o->read_only ? MS_RDONLY : 0);
}

static int kernel_no_dev(int err, struct diag *d)
{
	diag_hint(d, "is the kernel module loaded (modprobe fuse), and may this user or container "
		     "use /dev/fuse?");
	return diag_set(d, -err, "mount.dev-fuse", "/dev/fuse: %s", strerror(err));
}

/* mount(2) itself, on the directory that was opened, whatever its path leads to by now. */
static int kernel_mount_root(struct fuse_session *se, const struct opts *o,
			     const struct source *src, const struct target *t, struct diag *d)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), err = 0;
	char on[32], dev[32], *data;

	if (fd < 0)
		return kernel_no_dev(errno, d);
	data = talloc_asprintf(NULL, "fd=%d,rootmode=40000,user_id=%u,group_id=%u%s%s%s%s",
			       fd, geteuid(), getegid(),
			       o->perm ? ",default_permissions" : "",
			       o->allow_other ? ",allow_other" : "",
			       o->selinux != NULL ? "," : "", o->selinux != NULL ? o->selinux : "");
	snprintf(on, sizeof(on), "/proc/self/fd/%d", t->fd);
	if (mount(src->fsname, on, MOUNTINFO_TYPE, kernel_flags(o), data) != 0) {
		if (errno == EPERM)
			diag_hint(d, "mounting needs CAP_SYS_ADMIN in this namespace");
		err = diag_set(d, -errno, "mount.kernel", "mount(2): %s", strerror(errno));
	}
	talloc_free(data);
	snprintf(dev, sizeof(dev), "/dev/fd/%d", fd);
	if (err == 0 && fuse_session_mount(se, dev) != 0)
		abort();
	if (err != 0)
		close(fd);
	return err;
}

static int kernel_mount_user(struct fuse_session *se, const struct target *t, struct diag *d)
{
	if (access("/dev/fuse", R_OK | W_OK) != 0)
		return kernel_no_dev(errno, d);
	if (fuse_session_mount(se, t->path) == 0)
		return 0;
	diag_hint(d, "fusermount3 said why; it must be installed (package fuse3), the mount point must "
		     "belong to the caller, allow_other must be allowed in /etc/fuse.conf, and "
		     "AppArmor may restrict it to the home directory, /mnt, /media and /tmp");
	return diag_set(d, -EPERM, "mount.fusermount", "fusermount3 did not mount");
}

void kernel_raise_read_ahead(dev_t dev)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(dev), minor(dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, KERNEL_READ_AHEAD_KB, strlen(KERNEL_READ_AHEAD_KB)) < 0)
		log_dbg("read_ahead_kb stays as it is: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

int kernel_mount(struct fuse_session *se, const struct opts *o, const struct source *src,
		 const struct target *t, dev_t *dev, struct diag *d)
{
	const struct mountinfo *at;
	struct mounts *m = NULL;
	int err;

	err = kernel_is_root() ? kernel_mount_root(se, o, src, t, d) : kernel_mount_user(se, t, d);
	if (err != 0)
		return err;
	err = mountinfo_read(NULL, &m);
	at = err == 0 ? mountinfo_at(m, t->path) : NULL;
	if (at == NULL || !mountinfo_is_ours(at)) {
		talloc_free(m);
		return diag_set(d, -EIO, "mount.lost", "the mount vanished at once");
	}
	*dev = at->dev;
	talloc_free(m);
	return 0;
}

int kernel_remount(const char *path, const struct opts *o, struct diag *d)
{
	if (mount("none", path, MOUNTINFO_TYPE, MS_REMOUNT | kernel_flags(o), NULL) == 0)
		return 0;
	return diag_set(d, -errno, "mount.kernel", "remount: %s", strerror(errno));
}
