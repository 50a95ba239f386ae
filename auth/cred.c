/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cred.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "kcred.h"
#include "log.h"
#include "nearest.h"

/* systemd hands credentials to User= by an access list, which shows as group rights. */
#define CRED_MODE_SYSTEMD 0037u
#define CRED_MODE_FILE 0077u

enum cred_key {
	CRED_USER,
	CRED_PASSWORD,
	CRED_DOMAIN,
	CRED_REALM,
	CRED_PRINCIPAL,
	CRED_CCACHE,
	CRED_KEYTAB,
};

static const struct cred_word {
	const char *word;
	enum cred_key key;
} cred_words[] = {
	{ "username", CRED_USER },    { "user", CRED_USER },
	{ "password", CRED_PASSWORD }, { "pass", CRED_PASSWORD },
	{ "passwd", CRED_PASSWORD },  { "domain", CRED_DOMAIN },
	{ "dom", CRED_DOMAIN },	      { "workgroup", CRED_DOMAIN },
	{ "realm", CRED_REALM },      { "principal", CRED_PRINCIPAL },
	{ "ccache", CRED_CCACHE },    { "keytab", CRED_KEYTAB },
};

#define CRED_N_WORDS (sizeof(cred_words) / sizeof(cred_words[0]))

static int cred_destroy(struct cred *c)
{
	secret_free(c->password);
	return 0;
}

static struct cred *cred_new(TALLOC_CTX *mem)
{
	struct cred *c = talloc_zero(mem, struct cred);

	if (c == NULL)
		abort();
	talloc_set_destructor(c, cred_destroy);
	return c;
}

/* The bytes and a NUL. */
static struct secret *cred_secret(struct slice bytes)
{
	struct secret *s = secret_new(bytes.n + 1);

	if (bytes.n != 0)
		memcpy(s->p, bytes.p, bytes.n);
	return s;
}

/* A misspelt key is told by what it resembles: the line may be a password. */
static void cred_warn_unknown(struct slice key, const char *name, size_t line)
{
	const char *words[CRED_N_WORDS], *near = NULL;
	char typed[32];

	for (size_t i = 0; i < CRED_N_WORDS; i++)
		words[i] = cred_words[i].word;
	if (key.n != 0 && key.n < sizeof(typed)) {
		memcpy(typed, key.p, key.n);
		typed[key.n] = '\0';
		near = nearest(typed, words, CRED_N_WORDS);
		explicit_bzero(typed, sizeof(typed));
	}
	log_warn("%s:%zu: not a known key, ignored%s%s%s", name, line,
		 near == NULL ? "" : " (did you mean ", near == NULL ? "" : near,
		 near == NULL ? "" : "?)");
}

static int cred_take(struct cred *c, enum cred_key key, struct slice value, const char *name,
		     size_t line, struct diag *d)
{
	char **field = NULL;

	switch (key) {
	case CRED_PASSWORD:
		if (value.n > CRED_MAX_PASSWORD)
			return diag_set(d, -EINVAL, "cred.file-syntax",
					"%s:%zu: the password is longer than %u bytes", name, line,
					CRED_MAX_PASSWORD);
		secret_free(c->password);
		c->password = cred_secret(value);
		return 0;
	case CRED_USER:
		field = &c->user;
		break;
	case CRED_DOMAIN:
		field = &c->domain;
		break;
	case CRED_REALM:
		field = &c->realm;
		break;
	case CRED_PRINCIPAL:
		field = &c->principal;
		break;
	case CRED_CCACHE:
		field = &c->ccache;
		break;
	case CRED_KEYTAB:
		field = &c->keytab;
		break;
	}
	talloc_free(*field);
	*field = value.n == 0 ? NULL : talloc_strndup(c, (const char *)value.p, value.n);
	return 0;
}

static bool cred_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static int cred_take_line(struct cred *c, struct slice line, const char *name, size_t number,
			  struct diag *d)
{
	const uint8_t *equals;
	struct slice key, value;

	while (line.n > 0 && cred_is_blank(line.p[0]))
		line = slice_of(line.p + 1, line.n - 1);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	equals = memchr(line.p, '=', line.n);
	if (equals == NULL) {
		cred_warn_unknown((struct slice){ 0 }, name, number);
		return 0;
	}
	key = slice_of(line.p, (size_t)(equals - line.p));
	value = slice_of(equals + 1, line.n - key.n - 1);
	if (key.n > 0 && cred_is_blank(key.p[key.n - 1])) {
		while (key.n > 0 && cred_is_blank(key.p[key.n - 1]))
			key.n--;
		while (value.n > 0 && cred_is_blank(value.p[0]))
			value = slice_of(value.p + 1, value.n - 1);
		while (value.n > 0 && cred_is_blank(value.p[value.n - 1]))
			value.n--;
	}
	for (size_t i = 0; i < CRED_N_WORDS; i++)
		if (strlen(cred_words[i].word) == key.n &&
		    strncasecmp(cred_words[i].word, (const char *)key.p, key.n) == 0)
			return cred_take(c, cred_words[i].key, value, name, number, d);
	cred_warn_unknown(key, name, number);
	return 0;
}

int cred_parse(TALLOC_CTX *mem, struct slice text, const char *name, struct cred **out,
	       struct diag *d)
{
	struct cred *c = cred_new(mem);
	size_t at = 0, number = 0;
	int err = 0;

	while (err == 0 && at < text.n) {
		const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
		size_t len = end == NULL ? text.n - at : (size_t)(end - (text.p + at));
		struct slice line = slice_of(text.p + at, len);

		number++;
		if (len > CRED_MAX_LINE || memchr(line.p, '\0', len) != NULL)
			err = diag_set(d, -EINVAL, "cred.file-syntax",
				       "%s:%zu: a NUL byte, or more than %u bytes", name, number,
				       CRED_MAX_LINE);
		else
			err = cred_take_line(c, line, name, number, d);
		at += len + 1;
	}
	if (err != 0)
		talloc_free(c);
	else
		*out = c;
	return err;
}

/* At most `max` bytes of `fd`, to its end or to a newline if `one_line`; closes nothing. */
static int cred_read_fd(int fd, size_t max, bool one_line, struct secret **out)
{
	struct secret *s = secret_new(max + 1);
	size_t n = 0;
	ssize_t got;

	do {
		got = read(fd, s->p + n, max + 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		n += got > 0 ? (size_t)got : 0;
	} while (got != 0 && (got > 0 || errno == EINTR) && n <= max &&
		 !(one_line && memchr(s->p, '\n', n) != NULL));
	if (got < 0 || n > max) {
		int err = got < 0 ? -errno : -EFBIG;

		secret_free(s);
		return err;
	}
	s->n = n;
	*out = s;
	return 0;
}

/* Opens a file that only its owner can read, and the owner is root or ourselves. */
static int cred_open(const char *path, unsigned int closed, int *out, struct diag *d)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	/* A symbolic link may lead there: what counts is the file that was opened. */
	if (fd < 0 || fstat(fd, &st) != 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return diag_set(d, err, "cred.file-missing", "%s: %s", path, strerror(-err));
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & closed) == 0 &&
	    (st.st_uid == 0 || st.st_uid == geteuid())) {
		*out = fd;
		return 0;
	}
	close(fd);
	diag_detail(d, "mode %04o, owner %u", st.st_mode & 07777u, st.st_uid);
	diag_hint(d, "chown %u %s && chmod 0600 %s", geteuid(), path, path);
	return diag_set(d, -EPERM, "cred.file-permissions",
			"%s must belong to you and be readable by nobody else", path);
}

static int cred_read(const char *path, unsigned int closed, size_t max, struct secret **out,
		     struct diag *d)
{
	int fd = -1, err;

	err = cred_open(path, closed, &fd, d);
	if (err != 0)
		return err;
	err = cred_read_fd(fd, max, false, out);
	close(fd);
	if (err != 0)
		diag_set(d, err, "cred.file-syntax", "%s: %s", path, strerror(-err));
	return err;
}

static int cred_read_checked(TALLOC_CTX *mem, const char *path, unsigned int closed,
			     struct cred **out, struct diag *d)
{
	struct secret *text;
	int err;

	err = cred_read(path, closed, CRED_MAX_FILE, &text, d);
	if (err != 0)
		return err;
	err = cred_parse(mem, slice_of(text->p, text->n), path, out, d);
	secret_free(text);
	return err;
}

int cred_read_file(TALLOC_CTX *mem, const char *path, struct cred **out, struct diag *d)
{
	return cred_read_checked(mem, path, CRED_MODE_FILE, out, d);
}

/* A password as somebody stored it: the newline at the end is not part of it. */
static int cred_chop(struct secret *raw, const char *from, struct secret **out, struct diag *d)
{
	size_t n = raw->n;
	int err = 0;

	if (n > 0 && raw->p[n - 1] == '\n')
		n--;
	if (n > 0 && raw->p[n - 1] == '\r')
		n--;
	if (n > CRED_MAX_PASSWORD || memchr(raw->p, '\0', n) != NULL)
		err = diag_set(d, -EINVAL, "cred.password",
			       "the password in %s has a NUL byte or more than %u bytes", from,
			       CRED_MAX_PASSWORD);
	else
		*out = cred_secret(slice_of(raw->p, n));
	secret_free(raw);
	return err;
}

static int cred_from_fd(const char *text, struct secret **out, struct diag *d)
{
	struct secret *raw;
	uint8_t *end_of_line;
	char *end;
	long fd;
	int err;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || fd < 0 || fd > INT_MAX)
		return diag_set(d, -EINVAL, "cred.password", "PASSWD_FD is no descriptor");
	err = cred_read_fd((int)fd, CRED_MAX_PASSWORD + 2, true, &raw);
	if (err != 0)
		return diag_set(d, err, "cred.password", "PASSWD_FD: %s", strerror(-err));
	if (fd > STDERR_FILENO)
		close((int)fd);
	end_of_line = memchr(raw->p, '\n', raw->n);
	if (end_of_line != NULL)
		raw->n = (size_t)(end_of_line - raw->p) + 1;
	return cred_chop(raw, "PASSWD_FD", out, d);
}

int cred_from_env(struct secret **out, struct diag *d)
{
	char *value = getenv("PASSWD");
	const char *fd = getenv("PASSWD_FD"), *path = getenv("PASSWD_FILE");
	struct secret *raw;
	int err = 0;

	*out = NULL;
	if (value != NULL) {
		size_t n = strlen(value), max = CRED_MAX_PASSWORD + 3; /* too long is enough */

		raw = cred_secret(slice_of(value, n < max ? n : max));
		raw->n--;
		explicit_bzero(value, n);
		err = cred_chop(raw, "PASSWD", out, d);
	} else if (fd != NULL) {
		err = cred_from_fd(fd, out, d);
	} else if (path != NULL) {
		err = cred_read(path, CRED_MODE_FILE, CRED_MAX_PASSWORD + 2, &raw, d);
		if (err == 0)
			err = cred_chop(raw, "PASSWD_FILE", out, d);
	}
	if (unsetenv("PASSWD") != 0 || unsetenv("PASSWD_FD") != 0 || unsetenv("PASSWD_FILE") != 0)
		abort();
	return err;
}

int cred_from_systemd(TALLOC_CTX *mem, const char *server, struct cred **out, struct diag *d)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	*out = NULL;
	if (dir == NULL)
		return 0;
	for (int general = 0; general < 2; general++) {
		int n = snprintf(path, sizeof(path), general ? "%s/smbsecure" : "%s/smbsecure.%s",
				 dir, server);

		if (n > 0 && n < (int)sizeof(path) && access(path, F_OK) == 0)
			return cred_read_checked(mem, path, CRED_MODE_SYSTEMD, out, d);
	}
	return 0;
}

/* The terminal, if the one who could answer is looking at us. */
static int cred_open_tty(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0 && tcgetpgrp(fd) != getpgrp()) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * One line of the terminal; -EINTR once a signal of `signals`, all blocked, is
 * pending, which then acts when the caller unblocks it.
 */
static int cred_ask(int tty, const char *question, const sigset_t *signals, struct secret **out)
{
	struct pollfd p[2] = { { .fd = tty, .events = POLLIN }, { .events = POLLIN } };
	struct termios now, quiet;
	int err = 0;

	p[1].fd = signalfd(-1, signals, SFD_CLOEXEC);
	if (p[1].fd < 0 || tcgetattr(tty, &now) != 0) {
		err = -errno;
		if (p[1].fd >= 0)
			close(p[1].fd);
		return err;
	}
	quiet = now;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	quiet.c_lflag |= ICANON | ISIG;
	/* What was typed before the question is not meant for it. */
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		err = -errno;
	if (err == 0 && dprintf(tty, "%s", question) < 0)
		err = -errno;
	while (err == 0 && poll(p, 2, -1) < 0)
		if (errno != EINTR)
			err = -errno;
	if (err == 0)
		err = p[1].revents != 0 ? -EINTR
					: cred_read_fd(tty, CRED_MAX_PASSWORD + 1, true, out);
	/* Not TCSAFLUSH: keys typed ahead belong to whoever reads next. */
	tcsetattr(tty, TCSADRAIN, &now);
	dprintf(tty, "\n");
	close(p[1].fd);
	return err;
}

int cred_prompt(const char *user, const char *share, struct secret **out, struct diag *d)
{
	static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGALRM };
	char question[512], shown_user[128], shown_share[256];
	sigset_t signals, before, pending;
	struct secret *raw = NULL;
	bool again;
	int tty, err;

	*out = NULL;
	tty = cred_open_tty();
	if (tty < 0)
		return 0;
	snprintf(question, sizeof(question), "Password for %s@%s: ",
		 log_escape(shown_user, sizeof(shown_user), user, strlen(user)),
		 log_escape(shown_share, sizeof(shown_share), share, strlen(share)));
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaddset(&signals, deadly[i]);
	do {
		pthread_sigmask(SIG_BLOCK, &signals, &before);
		err = cred_ask(tty, question, &signals, &raw);
		sigemptyset(&pending);
		sigpending(&pending);
		/* Stopped and continued: the question has scrolled away. */
		again = err == -EINTR && sigismember(&pending, SIGTSTP) == 1;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	} while (again);
	close(tty);
	if (err == 0 && raw->n == 0) { /* end of file, not an empty line */
		secret_free(raw);
		err = -ECANCELED;
	}
	if (err != 0)
		return diag_set(d, err, "cred.password", "no password was entered");
	return cred_chop(raw, "the answer", out, d);
}

/* The password that the environment, or systemd, has for us. */
static int cred_pick_stored(struct cred **c, TALLOC_CTX *mem, const char *file, const char *server,
			    struct diag *d)
{
	struct cred *found = NULL;
	struct secret *password;
	int err;

	/* In any case, because it has to leave the environment. */
	err = cred_from_env(&password, d);
	if (err != 0)
		return err;
	if ((*c)->password == NULL)
		(*c)->password = password;
	else
		secret_free(password);
	if (file != NULL || (*c)->password != NULL)
		return 0;
	err = cred_from_systemd(mem, server, &found, d);
	if (found != NULL) {
		talloc_free(*c);
		*c = found;
	}
	return err;
}

static void cred_complete(const char **option, const char *found)
{
	if (*option == NULL)
		*option = found;
}

int cred_pick(TALLOC_CTX *mem, const char *file, const char *share, struct auth_params *p,
	      struct cred **out, struct diag *d)
{
	struct auth_params full = *p;
	struct cred *c = NULL;
	const char *who;
	int err = 0;

	if (file != NULL)
		err = cred_read_file(mem, file, &c, d);
	else
		c = cred_new(mem);
	if (err == 0)
		err = cred_pick_stored(&c, mem, file, p->server, d);
	if (err != 0) {
		talloc_free(c);
		return err;
	}
	cred_complete(&full.user, c->user);
	if (p->mech == AUTH_KRB5)
		cred_complete(&full.domain, c->realm);
	cred_complete(&full.domain, c->domain);
	cred_complete(&full.principal, c->principal);
	cred_complete(&full.ccache, c->ccache);
	cred_complete(&full.keytab, c->keytab);
	who = full.principal != NULL ? full.principal : full.user;
	if (c->password == NULL && p->password == NULL && who != NULL && full.ccache == NULL &&
	    full.keytab == NULL && (p->mech == AUTH_NTLMSSP || !kcred_exists(&full)))
		err = cred_prompt(who, share, &c->password, d);
	if (err != 0) {
		talloc_free(c);
		return err;
	}
	if (p->password == NULL)
		full.password = c->password;
	*p = full;
	*out = c;
	return 0;
}
