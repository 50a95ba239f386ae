/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const size_t sizes[] = { 1, 16, 4064, 4096, 4097, 65535, 65536 };

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* Whether /proc/self/smaps gives the mapping that holds `p` the flag `flag`. */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[1024];
	bool inside = false, found = false;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned long from, to;
		char perms[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, perms) == 3)
			inside = (unsigned long)p >= from && (unsigned long)p < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static void starts_as_zeros_and_holds_every_byte(void)
{
	for (size_t i = 0; i < N_SIZES; i++) {
		struct secret *s = secret_new(sizes[i]);
		uint8_t any = 0;

		CHECK(s->n == sizes[i]);
		CHECK((uintptr_t)s->p % 16 == 0);
		for (size_t k = 0; k < s->n; k++)
			any |= s->p[k];
		CHECK(any == 0);
		memset(s->p, 0xa5, s->n);
		CHECK(s->p[0] == 0xa5 && s->p[sizes[i] - 1] == 0xa5 && s->n == sizes[i]);
		secret_free(s);
	}
}

static void is_locked_and_never_dumped(void)
{
	for (size_t i = 0; i < N_SIZES; i++) {
		struct secret *s = secret_new(sizes[i]);

		CHECK(has_flag(s->p, " dd"));
		CHECK(has_flag(s->p + sizes[i] - 1, " dd"));
		CHECK(has_flag(s->p, " lo"));
		CHECK(has_flag(s->p + sizes[i] - 1, " lo"));
		secret_free(s);
	}
}

static void is_gone_when_freed(void)
{
	struct secret *s = secret_new(64);
	void *page = (void *)((uintptr_t)s->p & ~(uintptr_t)4095);
	unsigned char in_core;

	CHECK(mincore(page, 4096, &in_core) == 0);
	secret_free(s);
	errno = 0;
	CHECK(mincore(page, 4096, &in_core) == -1 && errno == ENOMEM);
	secret_free(NULL);
}

static int status_of_child(void (*act)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		act();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void use_without_the_right_to_lock(void)
{
	struct rlimit none = { 0, 0 };
	struct secret *s;

	/* Root may lock whatever the limit says. */
	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
	    (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0))
		_exit(2);
	s = secret_new(32);
	memset(s->p, 1, 32);
	secret_free(s);
}

static void works_where_nothing_can_be_locked(void)
{
	CHECK(status_of_child(use_without_the_right_to_lock) == 0);
}

static void ask_for_nothing(void)
{
	fclose(stderr); /* the assertion is expected */
	secret_new(0);
}

static void ask_for_too_much(void)
{
	fclose(stderr);
	secret_new(65537);
}

static void aborts_on_a_size_out_of_bounds(void)
{
	int status = status_of_child(ask_for_nothing);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	status = status_of_child(ask_for_too_much);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
	RUN(starts_as_zeros_and_holds_every_byte);
	RUN(is_locked_and_never_dumped);
	RUN(is_gone_when_freed);
	RUN(works_where_nothing_can_be_locked);
	RUN(aborts_on_a_size_out_of_bounds);
	return DONE();
}
