/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The kernel writes blanks and backslashes as \ooo.  In place. */
static void mountinfo_unescape(char *s)
{
	char *out = s;

	while (*s != '\0') {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] != '\0' && s[3] != '\0') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 /root /target opts tags - type source super-options", proc(5). */
static bool mountinfo_parse(TALLOC_CTX *mem, char *line, struct mountinfo *out)
{
	unsigned int major, minor;
	char *field[6] = { 0 }, *tail = strstr(line, " - "), *save, *p;
	size_t n = 0;

	if (tail == NULL)
		return false;
	*tail = '\0';
	for (p = strtok_r(line, " ", &save); p != NULL && n < 6; p = strtok_r(NULL, " ", &save))
		field[n++] = p;
	if (n < 5 || sscanf(field[2], "%u:%u", &major, &minor) != 2)
		return false;
	*out = (struct mountinfo){ .id = atoi(field[0]), .dev = makedev(major, minor) };
	out->target = talloc_strdup(mem, field[4]);
	p = strtok_r(tail + 3, " ", &save);
	out->type = talloc_strdup(mem, p != NULL ? p : "");
	p = strtok_r(NULL, " ", &save);
	out->source = talloc_strdup(mem, p != NULL ? p : "");
	p = strtok_r(NULL, "\n", &save);
	p = p != NULL ? strstr(p, "user_id=") : NULL;
	if (p != NULL)
		out->owner = (uid_t)strtoul(p + strlen("user_id="), NULL, 10);
	mountinfo_unescape(out->target);
	mountinfo_unescape(out->source);
	return true;
}

int mountinfo_read(TALLOC_CTX *mem, struct mounts **out)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mounts *m;
	char *line = NULL;
	size_t cap = 0;

	if (f == NULL)
		return -errno;
	m = talloc_zero(mem, struct mounts);
	while (getline(&line, &cap, f) > 0) {
		m->list = talloc_realloc(m, m->list, struct mountinfo, m->n + 1);
		if (mountinfo_parse(m->list, line, &m->list[m->n]))
			m->n++;
	}
	free(line);
	fclose(f);
	*out = m;
	return 0;
}

const struct mountinfo *mountinfo_at(const struct mounts *m, const char *target)
{
	for (size_t i = m->n; i > 0; i--)
		if (strcmp(m->list[i - 1].target, target) == 0)
			return &m->list[i - 1];
	return NULL;
}

bool mountinfo_is_ours(const struct mountinfo *m)
{
	return strcmp(m->type, MOUNTINFO_TYPE) == 0;
}
