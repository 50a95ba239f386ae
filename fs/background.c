/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diag.h"
#include "kernel.h"
#include "log.h"
#include "loop.h"

/* How long a daemon may take to end after SIGTERM. */
#define GRACE_NS (10 * NS_PER_S)

/* What the daemon writes. */
#define WORD_BEGIN 'b'
#define WORD_REACHED 'c'
#define WORD_READY 'r'

/* The waiting process. */
struct waiter {
	const struct background *b;
	int pipe, signals;
	pid_t daemon, probe;
	uint64_t deadline_ns; /* 0 = none */
	int probe_err;	      /* positive errno with which the probe failed */
	bool reached, ready, interrupted, timed_out;
};

void background_fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* Asks the mount's root for its attributes, in a process that can be given up. */
static void waiter_probe(struct waiter *w)
{
	struct stat st;

	w->probe = fork();
	if (w->probe == 0)
		_exit(stat(w->b->target, &st) == 0 ? 0 : errno);
}

static void waiter_end(struct waiter *w)
{
	if (w->daemon > 0)
		kill(w->daemon, SIGTERM);
	w->deadline_ns = loop_now_ns() + GRACE_NS;
}

static void waiter_hear(struct waiter *w)
{
	char word = 0;

	if (read(w->pipe, &word, 1) != 1) {
		close(w->pipe);
		w->pipe = -1;
		return;
	}
	if (word == WORD_BEGIN && !w->interrupted)
		w->deadline_ns = loop_now_ns() + w->b->timeout_s * NS_PER_S;
	if (word == WORD_REACHED)
		w->reached = true;
	if (word == WORD_READY && !w->interrupted)
		waiter_probe(w);
}

static int waiter_say(const struct waiter *w, const struct diag *d, int code)
{
	diag_print(stderr, w->b->what_for, d);
	return code;
}

/* The daemon ended with the wait status `st`. */
static int waiter_exit(struct waiter *w, int st)
{
	static const char known[] = { EXIT_OK, EXIT_USAGE, EXIT_SYSTEM, EXIT_SOFTWARE, EXIT_USER,
				      EXIT_FAIL };
	struct diag d = { 0 };

	kernel_detach_dead(w->b->target);
	if (w->timed_out) {
		diag_hint(&d, "mount_timeout= changes the limit");
		diag_set(&d, -ETIMEDOUT, "mount.timeout", "no result after %u s", w->b->timeout_s);
		return waiter_say(w, &d, w->b->nofail && !w->reached ? EXIT_OK : EXIT_FAIL);
	}
	if (w->interrupted && !w->ready)
		return EXIT_USER;
	if (w->probe_err != 0 && !w->interrupted) {
		diag_set(&d, -w->probe_err, "mount.no-answer",
			 "the share's directory cannot be looked at: %s", strerror(w->probe_err));
		return waiter_say(w, &d, EXIT_FAIL);
	}
	if (WIFEXITED(st) && memchr(known, WEXITSTATUS(st), sizeof(known)) != NULL)
		return WEXITSTATUS(st);
	diag_hint(&d, "this is a defect of the program");
	diag_set(&d, -EIO, "mount.died", "its process ended without a word (%s %d)",
		 WIFSIGNALED(st) ? "signal" : "exit code",
		 WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
	return waiter_say(w, &d, EXIT_SOFTWARE);
}

/* The exit code, or -1 to go on. */
static int waiter_reap(struct waiter *w)
{
	int st, code = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
		if (pid == w->daemon) {
			w->daemon = 0;
			if (w->probe > 0)
				kill(w->probe, SIGKILL);
			code = waiter_exit(w, st);
		}
		if (pid != w->probe)
			continue;
		w->probe = 0;
		if (!WIFEXITED(st) || WEXITSTATUS(st) != 0 || w->interrupted) {
			w->probe_err = WIFEXITED(st) ? WEXITSTATUS(st) : EINTR;
			waiter_end(w);
			continue;
		}
		w->ready = true;
		w->deadline_ns = 0;
		if (!w->b->foreground)
			code = EXIT_OK;
	}
	return code;
}

static void waiter_signal(struct waiter *w)
{
	struct signalfd_siginfo si;

	if (read(w->signals, &si, sizeof(si)) != sizeof(si) || si.ssi_signo == SIGCHLD)
		return;
	w->interrupted = true;
	waiter_end(w);
}

static int waiter_run(struct waiter *w)
{
	int code = -1;

	while (code < 0) {
		struct pollfd p[] = { { .fd = w->signals, .events = POLLIN },
				      { .fd = w->pipe, .events = POLLIN } };
		uint64_t now = loop_now_ns();
		int wait_ms = -1;

		if (w->deadline_ns != 0)
			wait_ms = w->deadline_ns <= now ?
				0 : (int)((w->deadline_ns - now) / NS_PER_MS) + 1;
		if (poll(p, 2, wait_ms) == 0) {
			if (w->interrupted || w->timed_out)
				kill(w->daemon, SIGKILL);
			else
				w->timed_out = true;
			waiter_end(w);
		}
		if (p[0].revents != 0)
			waiter_signal(w);
		if (p[1].revents != 0)
			waiter_hear(w);
		code = waiter_reap(w);
	}
	return code;
}

int background_start(struct background *b)
{
	struct waiter w = { .b = b };
	struct diag d = { 0 };
	sigset_t set, old;
	pid_t self = getpid();
	int fd[2];

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	w.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w.signals < 0 || pipe2(fd, O_CLOEXEC) != 0 || (w.daemon = fork()) < 0) {
		diag_set(&d, -errno, "mount.process", "no process: %s", strerror(errno));
		return waiter_say(&w, &d, EXIT_SYSTEM);
	}
	if (w.daemon != 0) {
		close(fd[1]);
		w.pipe = fd[0];
		return waiter_run(&w);
	}
	close(fd[0]);
	close(w.signals);
	b->fd = fd[1];
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* Nothing may be mounted for somebody who has given up; who died before this is seen here. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != self)
		_exit(EXIT_SYSTEM);
	return -1;
}

static void background_tell(struct background *b, char word)
{
	/* Without a reader nobody waits: the signals that ended it came here, too. */
	while (write(b->fd, &word, 1) < 0 && errno == EINTR)
		;
}

void background_begin(struct background *b)
{
	if (!b->foreground)
		setsid();
	background_tell(b, WORD_BEGIN);
}

void background_reached(struct background *b)
{
	background_tell(b, WORD_REACHED);
}

void background_ready(struct background *b)
{
	if (!b->foreground) {
		for (int fd = 0; fd <= 2; fd++)
			close(fd);
		background_fill_stdio();
		log_open(true);
		prctl(PR_SET_PDEATHSIG, 0);
	}
	background_tell(b, WORD_READY);
	close(b->fd);
	b->fd = -1;
}
