/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cred.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"
#include "log.h"

#define DEADLINE_MS 20000

static char dir[] = "/tmp/test_cred.XXXXXX";
static char path[64];

static bool same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool holds(const struct secret *s, const char *text)
{
	return s != NULL && s->n == strlen(text) + 1 && memcmp(s->p, text, s->n) == 0;
}

static struct cred *parse(const char *text)
{
	struct cred *c = NULL;
	struct diag d = { 0 };

	CHECK(cred_parse(NULL, slice_of(text, strlen(text)), "file", &c, &d) == 0);
	return c;
}

static void put(const char *text, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode) != 0 || close(fd) != 0)
		abort();
}

static void reads_files_of_mount_cifs(void)
{
	struct cred *c = parse("username=alice\npassword=p,=# \"q\n  DOMAIN=EXAMPLE\n");

	CHECK(same(c->user, "alice") && same(c->domain, "EXAMPLE"));
	CHECK(holds(c->password, "p,=# \"q"));
	CHECK(c->realm == NULL && c->principal == NULL && c->keytab == NULL && c->ccache == NULL);
	talloc_free(c);
	c = parse("user=bob\npass= leading\ndom=D");
	CHECK(same(c->user, "bob") && holds(c->password, " leading") && same(c->domain, "D"));
	talloc_free(c);
}

static void reads_files_of_smbclient(void)
{
	struct cred *c = parse("# comment\n\nusername = alice\r\npassword\t= se cret \r\n"
			       "domain = EXAMPLE\r\n");

	CHECK(same(c->user, "alice") && holds(c->password, "se cret"));
	CHECK(same(c->domain, "EXAMPLE"));
	talloc_free(c);
}

static void reads_the_keys_of_kerberos(void)
{
	struct cred *c = parse("principal=host/a@B\nkeytab=FILE:/k\nccache=KCM:\nrealm=R\n");

	CHECK(same(c->principal, "host/a@B") && same(c->keytab, "FILE:/k"));
	CHECK(same(c->ccache, "KCM:") && same(c->realm, "R") && c->password == NULL);
	talloc_free(c);
}

static void lets_the_last_line_win(void)
{
	struct cred *c = parse("user=a\nuser=b\npass=1\npass=2\nuser=\n");

	CHECK(c->user == NULL && holds(c->password, "2"));
	talloc_free(c);
}

static void keeps_every_byte_of_a_password(void)
{
	for (int byte = 1; byte < 256; byte++) {
		char text[32], want[8];
		struct cred *c;

		snprintf(want, sizeof(want), "x%cy", byte);
		snprintf(text, sizeof(text), "password=%s\nuser=u\n", want);
		if (byte == '\n')
			continue;
		c = parse(text);
		CHECK(holds(c->password, want) && same(c->user, "u"));
		talloc_free(c);
	}
}

static void refuses_what_cannot_be_a_password(void)
{
	static char text[CRED_MAX_LINE + 64];
	struct cred *c;
	struct diag d = { 0 };

	CHECK(cred_parse(NULL, slice_of("user=a\npass=x\0y\n", 16), "f", &c, &d) == -EINVAL);
	CHECK(same(d.id, "cred.file-syntax") && strstr(d.what, "f:2:") != NULL);
	CHECK(strchr(d.what, 'x') == NULL);

	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "pass=", 5);
	diag_clear(&d);
	CHECK(cred_parse(NULL, slice_of(text, strlen(text)), "f", &c, &d) == -EINVAL);
	diag_clear(&d);
	CHECK(cred_parse(NULL, slice_of(text, 5 + CRED_MAX_PASSWORD + 1), "f", &c, &d) == -EINVAL);
	diag_clear(&d);
	CHECK(cred_parse(NULL, slice_of(text, 5 + CRED_MAX_PASSWORD), "f", &c, &d) == 0);
	CHECK(c->password->n == CRED_MAX_PASSWORD + 1);
	talloc_free(c);
}

/* Parses `text` with standard error in a pipe, whose contents go to `said`. */
static void overhear(const char *text, char *said, size_t said_len)
{
	int p[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	if (saved < 0 || pipe2(p, O_NONBLOCK) != 0 || dup2(p[1], STDERR_FILENO) < 0)
		abort();
	talloc_free(parse(text));
	dup2(saved, STDERR_FILENO);
	n = read(p[0], said, said_len - 1);
	said[n > 0 ? n : 0] = '\0';
	close(saved);
	close(p[0]);
	close(p[1]);
}

static void warns_of_unknown_lines_without_showing_them(void)
{
	char said[1024];

	overhear("user=a\npasword=hunter2\nhunter3\nhunter4=hunter5\n", said, sizeof(said));
	CHECK(strstr(said, "file:2:") != NULL && strstr(said, "mean password?") != NULL);
	CHECK(strstr(said, "file:3:") != NULL && strstr(said, "file:4:") != NULL);
	CHECK(strstr(said, "hunter") == NULL && strstr(said, "pasword") == NULL);
	overhear("user=a\n#x\n\n", said, sizeof(said));
	CHECK(said[0] == '\0');
}

static int read_denied(void)
{
	struct cred *c = NULL;
	struct diag d = { 0 };
	int err = cred_read_file(NULL, path, &c, &d);

	talloc_free(c);
	return err == -EPERM && same(d.id, "cred.file-permissions") &&
	       strstr(d.hint, "chmod 0600") != NULL && strstr(d.what, path) != NULL;
}

static void refuses_files_that_others_can_read(void)
{
	struct cred *c;
	struct diag d = { 0 };
	char link[80];

	put("user=a\npassword=b\n", 0600);
	CHECK(cred_read_file(NULL, path, &c, &d) == 0);
	CHECK(same(c->user, "a") && holds(c->password, "b"));
	talloc_free(c);
	snprintf(link, sizeof(link), "%s.link", path);
	CHECK(symlink(path, link) == 0);
	CHECK(cred_read_file(NULL, link, &c, &d) == 0);
	talloc_free(c);
	unlink(link);
	CHECK(chmod(path, 0400) == 0 && !read_denied());
	CHECK(chmod(path, 0640) == 0 && read_denied());
	CHECK(chmod(path, 0604) == 0 && read_denied());
	CHECK(chmod(path, 0620) == 0 && read_denied());
	if (geteuid() == 0)
		CHECK(chmod(path, 0600) == 0 && chown(path, 12345, 0) == 0 && read_denied());
	CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0 && read_denied());
	unlink(path);
	CHECK(cred_read_file(NULL, path, &c, &d) == -ENOENT && same(d.id, "cred.file-missing"));
}

static void refuses_a_huge_file(void)
{
	static char big[CRED_MAX_FILE + 2];
	struct cred *c;
	struct diag d = { 0 };

	memset(big, '\n', sizeof(big) - 1);
	put(big, 0600);
	CHECK(cred_read_file(NULL, path, &c, &d) == -EFBIG);
	big[CRED_MAX_FILE] = '\0';
	put(big, 0600);
	diag_clear(&d);
	CHECK(cred_read_file(NULL, path, &c, &d) == 0);
	talloc_free(c);
}

static void wipes_the_environment(void)
{
	struct secret *s;
	struct diag d = { 0 };
	char *where;

	setenv("PASSWD", "hunter2\n", 1);
	setenv("PASSWD_FD", "99", 1);
	setenv("PASSWD_FILE", "/nonexistent", 1);
	where = getenv("PASSWD");
	CHECK(cred_from_env(&s, &d) == 0 && holds(s, "hunter2"));
	CHECK(getenv("PASSWD") == NULL && getenv("PASSWD_FD") == NULL);
	CHECK(getenv("PASSWD_FILE") == NULL);
	for (size_t i = 0; i < strlen("hunter2\n"); i++)
		CHECK(where[i] == '\0');
	secret_free(s);
	CHECK(cred_from_env(&s, &d) == 0 && s == NULL);
}

static void strips_one_newline_only(void)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "a", "a" }, { "a\n", "a" }, { "a\r\n", "a" }, { "a\n\n", "a\n" },
		{ " a ", " a " }, { "", "" }, { "\n", "" },
	};
	struct diag d = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret *s;

		setenv("PASSWD", rows[i].value, 1);
		CHECK(cred_from_env(&s, &d) == 0 && holds(s, rows[i].want));
		secret_free(s);
		put(rows[i].value, 0600);
		setenv("PASSWD_FILE", path, 1);
		CHECK(cred_from_env(&s, &d) == 0 && holds(s, rows[i].want));
		secret_free(s);
	}
}

static void reads_one_line_of_a_descriptor(void)
{
	struct secret *s;
	struct diag d = { 0 };
	char number[16];
	int p[2];

	CHECK(pipe(p) == 0 && write(p[1], "hunter2\nmore", 12) == 12);
	snprintf(number, sizeof(number), "%d", p[0]);
	setenv("PASSWD_FD", number, 1);
	/* The writer stays open: nobody waits for its end. */
	CHECK(cred_from_env(&s, &d) == 0 && holds(s, "hunter2"));
	CHECK(fcntl(p[0], F_GETFD) < 0); /* it must not reach the daemon */
	secret_free(s);
	close(p[1]);
	setenv("PASSWD_FD", "1x", 1);
	CHECK(cred_from_env(&s, &d) == -EINVAL && same(d.id, "cred.password"));
	setenv("PASSWD_FD", "12345", 1);
	diag_clear(&d);
	CHECK(cred_from_env(&s, &d) == -EBADF);
}

static void refuses_a_password_file_that_others_can_read(void)
{
	struct secret *s;
	struct diag d = { 0 };

	put("hunter2", 0644);
	setenv("PASSWD_FILE", path, 1);
	CHECK(cred_from_env(&s, &d) == -EPERM && same(d.id, "cred.file-permissions"));
	CHECK(getenv("PASSWD_FILE") == NULL);
}

static void takes_systemd_credentials(void)
{
	char general[80], own[80];
	struct cred *c;
	struct diag d = { 0 };

	snprintf(general, sizeof(general), "%s/smbsecure", dir);
	snprintf(own, sizeof(own), "%s/smbsecure.fs1", dir);
	CHECK(cred_from_systemd(NULL, "fs1", &c, &d) == 0 && c == NULL);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	CHECK(cred_from_systemd(NULL, "fs1", &c, &d) == 0 && c == NULL);
	put("user=general\n", 0440);
	CHECK(rename(path, general) == 0);
	CHECK(cred_from_systemd(NULL, "fs1", &c, &d) == 0 && same(c->user, "general"));
	talloc_free(c);
	put("user=own\n", 0400);
	CHECK(rename(path, own) == 0);
	CHECK(cred_from_systemd(NULL, "fs1", &c, &d) == 0 && same(c->user, "own"));
	talloc_free(c);
	CHECK(cred_from_systemd(NULL, "fs2", &c, &d) == 0 && same(c->user, "general"));
	talloc_free(c);
	CHECK(chmod(own, 0404) == 0);
	CHECK(cred_from_systemd(NULL, "fs1", &c, &d) == -EPERM);
	unlink(general);
	unlink(own);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void options_win_over_the_file(void)
{
	struct auth_params p = { .mech = AUTH_NTLMSSP, .server = "fs1", .user = "option" };
	struct cred *c;
	struct diag d = { 0 };

	put("user=file\npassword=filepw\ndomain=D\nrealm=R\n", 0600);
	setenv("PASSWD", "envpw", 1);
	CHECK(cred_pick(NULL, path, "//fs1/s", &p, &c, &d) == 0);
	CHECK(same(p.user, "option") && same(p.domain, "D") && holds(p.password, "filepw"));
	CHECK(getenv("PASSWD") == NULL);
	talloc_free(c);
	p = (struct auth_params){ .mech = AUTH_KRB5, .server = "fs1" };
	CHECK(cred_pick(NULL, path, "//fs1/s", &p, &c, &d) == 0);
	CHECK(same(p.user, "file") && same(p.domain, "R"));
	talloc_free(c);
}

static void prefers_the_environment_to_systemd(void)
{
	struct auth_params p = { .mech = AUTH_NTLMSSP, .server = "fs1", .user = "u" };
	struct cred *c;
	struct diag d = { 0 };
	char general[80];

	snprintf(general, sizeof(general), "%s/smbsecure", dir);
	put("password=unitpw\n", 0400);
	CHECK(rename(path, general) == 0);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	setenv("PASSWD", "envpw", 1);
	CHECK(cred_pick(NULL, NULL, "//fs1/s", &p, &c, &d) == 0 && holds(p.password, "envpw"));
	talloc_free(c);
	p.password = NULL;
	CHECK(cred_pick(NULL, NULL, "//fs1/s", &p, &c, &d) == 0 && holds(p.password, "unitpw"));
	talloc_free(c);
	unlink(general);
	unsetenv("CREDENTIALS_DIRECTORY");
}

/* Reads from the terminal's master until `text` was seen. */
static bool wait_for(int master, const char *text)
{
	char seen[1024] = "";
	size_t n = 0;

	while (strstr(seen, text) == NULL && n < sizeof(seen) - 1) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, DEADLINE_MS) != 1)
			return false;
		got = read(master, seen + n, sizeof(seen) - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		seen[n] = '\0';
	}
	return strstr(seen, text) != NULL;
}

static bool echoes(int master)
{
	struct termios t;

	return tcgetattr(master, &t) == 0 && (t.c_lflag & ECHO) != 0;
}

/* A child that asks; its exit status is 0 when it was told "hunter2". */
static pid_t start_asking(int *master)
{
	pid_t pid = forkpty(master, NULL, NULL, NULL);

	if (pid == 0) {
		struct secret *s = NULL;
		struct diag d = { 0 };
		int err = cred_prompt("alice", "//fs1/s", &s, &d);
		bool told = err == 0 && holds(s, "hunter2");

		secret_free(s);
		_exit(told ? 0 : 1);
	}
	if (pid < 0) {
		/* Callers signal the child, and -1 would be everybody. */
		puts("Bail out! no pseudo-terminal to be had");
		exit(1);
	}
	CHECK(wait_for(*master, "Password for alice@//fs1/s: "));
	CHECK(!echoes(*master));
	return pid;
}

static void asks_without_echo(void)
{
	int master, status;
	pid_t pid = start_asking(&master);

	CHECK(write(master, "hunter2\n", 8) == 8);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(echoes(master));
	CHECK(!wait_for(master, "hunter2"));
	close(master);
}

static void gives_the_terminal_back_when_killed(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		int master, status;
		pid_t pid = start_asking(&master);

		CHECK(kill(pid, signals[i]) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
		CHECK(echoes(master));
		close(master);
	}
}

static void asks_again_after_a_stop(void)
{
	int master, status;
	pid_t pid = start_asking(&master);

	/* The child leads its session, where the kernel ignores a stop from the terminal. */
	CHECK(kill(pid, SIGTSTP) == 0);
	CHECK(wait_for(master, "Password for alice@//fs1/s: "));
	CHECK(write(master, "hunter2\n", 8) == 8);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(master);
}

static void takes_the_end_of_input_for_no_answer(void)
{
	int master, status;
	pid_t pid = start_asking(&master);

	CHECK(write(master, "\4", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK(echoes(master));
	close(master);
}

static void asks_nobody_without_a_terminal(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct auth_params p = { .mech = AUTH_NTLMSSP, .server = "fs1", .user = "u" };
		struct cred *c;
		struct diag d = { 0 };
		int err;

		setsid();
		err = cred_pick(NULL, NULL, "//fs1/s", &p, &c, &d);
		_exit(err == 0 && p.password == NULL ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	talloc_disable_null_tracking();
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("PASSWD");
	unsetenv("PASSWD_FD");
	unsetenv("PASSWD_FILE");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/file", dir);
	RUN(reads_files_of_mount_cifs);
	RUN(reads_files_of_smbclient);
	RUN(reads_the_keys_of_kerberos);
	RUN(lets_the_last_line_win);
	RUN(keeps_every_byte_of_a_password);
	RUN(refuses_what_cannot_be_a_password);
	RUN(warns_of_unknown_lines_without_showing_them);
	RUN(refuses_files_that_others_can_read);
	RUN(refuses_a_huge_file);
	RUN(wipes_the_environment);
	RUN(strips_one_newline_only);
	RUN(reads_one_line_of_a_descriptor);
	RUN(refuses_a_password_file_that_others_can_read);
	RUN(takes_systemd_credentials);
	RUN(options_win_over_the_file);
	RUN(prefers_the_environment_to_systemd);
	RUN(asks_without_echo);
	RUN(gives_the_terminal_back_when_killed);
	RUN(asks_again_after_a_stop);
	RUN(takes_the_end_of_input_for_no_answer);
	RUN(asks_nobody_without_a_terminal);
	unlink(path);
	rmdir(dir);
	return DONE();
}
