/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main of smbsecure: what the daemons say about their mounts.  The mounts
 * themselves are never touched, so that it works when a server is dead.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"
#include "mountinfo.h"

enum { STATUS_USAGE = 1, STATUS_NOT_THERE = 2 };

static const char usage[] = "Usage: smbsecure status [--json] [MOUNTPOINT]\n"
			    "       smbsecure --help | --version\n";

struct line {
	char *key, *value; /* the value as JSON has it */
};

/*
 * Cuts the next line off `*text`.  False at the end.  A daemon is not
 * necessarily one of ours, nor honest to root: what is not a plain value does
 * not get through.
 */
static bool line_next(char **text, struct line *out)
{
	while (**text != '\0') {
		char *p = *text, *end = p + strcspn(p, "\n");
		size_t key_len;
		bool ok = true;

		*text = *end != '\0' ? end + 1 : end;
		*end = '\0';
		key_len = strspn(p, "abcdefghijklmnopqrstuvwxyz_.");
		if (key_len == 0 || p[key_len] != ' ')
			continue;
		p[key_len] = '\0';
		*out = (struct line){ p, p + key_len + 1 };
		p = out->value;
		if (*p == '"' && end - p >= 2 && end[-1] == '"') {
			for (p++; p < end - 1; p++) {
				ok = ok && (unsigned char)*p >= 0x20 && *p != 0x7f && *p != '"';
				if (*p == '\\' && p + 1 < end - 1 && (p[1] == '\\' || p[1] == '"'))
					p++;
				else
					ok = ok && *p != '\\';
			}
		} else {
			p += *p == '-';
			ok = *p != '\0' && strspn(p, "0123456789") == strlen(p);
		}
		if (ok)
			return true;
	}
	return false;
}

/* "ops.lookup 3" and its neighbours become one object in the object. */
static void status_print_json(char *text)
{
	size_t open = 0; /* length of the open object's name */
	const char *name = "", *comma = "";
	struct line l;

	putchar('{');
	while (line_next(&text, &l)) {
		size_t n = strcspn(l.key, ".");

		n = l.key[n] == '.' ? n : 0;
		if (open != 0 && (n != open || strncmp(l.key, name, n) != 0)) {
			putchar('}');
			open = 0;
		}
		if (n != 0 && open == 0) {
			printf("%s\n  \"%.*s\": {", comma, (int)n, l.key);
			open = n;
			name = l.key;
			comma = "";
		}
		printf("%s\n  %s\"%s\": %s", comma, n != 0 ? "  " : "", l.key + (n != 0 ? n + 1 : 0),
		       l.value);
		comma = ",";
	}
	printf("%s\n}", open != 0 ? "}" : "");
}

static void status_print_text(char *text)
{
	const char *group = "";
	size_t group_len = 0, n;
	struct line l;

	while (line_next(&text, &l)) {
		bool is_text = *l.value == '"';
		time_t when;
		char shown[40];
		struct tm tm;

		if (strcmp(l.value, "0") == 0 || strcmp(l.value, "\"\"") == 0)
			continue;
		n = strcspn(l.key, ".");
		if (l.key[n] == '.') {
			if (n != group_len || strncmp(group, l.key, n) != 0)
				printf("%s  %-14.*s", group_len != 0 ? "\n" : "", (int)n, l.key);
			printf(" %s %s", l.key + n + 1, l.value);
			group = l.key;
			group_len = n;
			continue;
		}
		if (group_len != 0)
			putchar('\n');
		group_len = 0;
		if (strcmp(l.key, "since") == 0 || strcmp(l.key, "ticket_end") == 0) {
			when = strtoll(l.value, NULL, 10);
			strftime(shown, sizeof(shown), "%F %T", localtime_r(&when, &tm));
			l.value = shown;
		}
		printf("  %-14s %.*s\n", l.key, (int)strlen(l.value) - 2 * is_text,
		       l.value + is_text);
	}
	if (group_len != 0)
		putchar('\n');
}

static const char *status_reason(int err)
{
	switch (err) {
	case -EACCES:
		return "it belongs to somebody else";
	case -ENOENT:
	case -ECONNREFUSED:
		return "its daemon is gone; umount -l takes it away";
	case -ETIMEDOUT:
		return "its daemon does not answer";
	default:
		return strerror(-err);
	}
}

/*
 * 0 or the exit code; `lead` goes in front of what is printed, if anything is,
 * and `all` passes over those of others.
 */
static int status_show(const struct mountinfo *m, bool json, const char *lead, bool all)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *text, target[PATH_MAX], source[PATH_MAX];
	int err = admin_ask(mem, m->dev, m->owner, &text);

	log_escape(target, sizeof(target), m->target, strlen(m->target));
	log_escape(source, sizeof(source), m->source, strlen(m->source));
	if (err == 0)
		fputs(lead, stdout);
	if (err == 0 && json) {
		status_print_json(text);
	} else if (err == 0) {
		printf("%s on %s\n", source, target);
		status_print_text(text);
	} else if (err != -EACCES || !all) {
		fprintf(stderr, "smbsecure: no status of %s on %s: %s\n", source, target,
			status_reason(err));
	}
	talloc_free(mem);
	return err == 0 ? 0 : STATUS_NOT_THERE;
}

/* The path without links; opening it so asks nothing of a file system mounted there. */
static void status_resolve(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	char link[32];
	ssize_t n = -1;

	if (fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, out, cap - 1);
		close(fd);
	}
	if (n >= 0)
		out[n] = '\0';
	else
		snprintf(out, cap, "%s", path);
}

static int status_one(const struct mounts *all, const char *path, bool json)
{
	const struct mountinfo *m;
	char real[PATH_MAX];
	int code;

	status_resolve(path, real, sizeof(real));
	m = mountinfo_at(all, real);
	if (m == NULL || !mountinfo_is_ours(m)) {
		fprintf(stderr, "smbsecure: %s is not a mount of smbsecure\n", path);
		return STATUS_NOT_THERE;
	}
	code = status_show(m, json, "", false);
	if (code == 0 && json)
		putchar('\n');
	return code;
}

/* Those that the caller may ask about: root all, others their own. */
static int status_all(const struct mounts *all, bool json)
{
	const char *lead = "";
	int code = 0;

	if (json)
		putchar('[');
	for (size_t i = 0; i < all->n; i++) {
		const struct mountinfo *m = &all->list[i];

		if (!mountinfo_is_ours(m) || (geteuid() != 0 && m->owner != geteuid()))
			continue;
		if (status_show(m, json, lead, true) != 0)
			code = STATUS_NOT_THERE;
		else
			lead = json ? ",\n" : "\n";
	}
	if (json)
		puts("]");
	return code;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct mounts *all;
	bool json = false;
	int c, code;

	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		if (c == 'j') {
			json = true;
		} else if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		} else if (c == 'V') {
			puts("smbsecure " SMBSECURE_VERSION);
			return 0;
		} else {
			fputs(usage, stderr);
			return STATUS_USAGE;
		}
	}
	if (argc - optind < 1 || argc - optind > 2 || strcmp(argv[optind], "status") != 0) {
		fputs(usage, stderr);
		return STATUS_USAGE;
	}
	if (mountinfo_read(NULL, &all) != 0) {
		fputs("smbsecure: /proc is not there\n", stderr);
		return STATUS_NOT_THERE;
	}
	code = argc - optind == 2 ? status_one(all, argv[optind + 1], json) : status_all(all, json);
	talloc_free(all);
	return code;
}
