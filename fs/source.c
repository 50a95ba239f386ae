/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "opts.h"

#include "smb.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHARE_MAX 80u	/* characters, [MS-FSCC] 2.1.6 */
#define PATH_MAX_UNITS 32767u /* UTF-16 units of a path on a server */

static const char forms[] = "write //server/share, //server/share/directory or "
			    "smb://server/share";

static int source_syntax(struct diag *d, const char *what)
{
	diag_hint(d, "%s", forms);
	return diag_set(d, -EINVAL, "source.syntax", "%s", what);
}

/* In place; false for "%" without two digits and for a NUL. */
static bool source_decode_percent(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		char digits[3] = { 0 };

		if (*s != '%') {
			*out++ = *s;
			continue;
		}
		if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
			return false;
		memcpy(digits, s + 1, 2);
		*out = (char)strtol(digits, NULL, 16);
		if (*out++ == '\0')
			return false;
		s += 2;
	}
	*out = '\0';
	return true;
}

/*
 * fstab writes a blank as \040, and autofs hands that on as it is.  A digit
 * behind the backslash can be nothing else in a source with "/"; what else
 * follows a backslash is the next name.
 */
static void source_decode_octal(char *s)
{
	static const char *const codes[] = { "\\040", "\\011", "\\012", "\\134" };
	char *out = s;

	while (*s != '\0') {
		bool found = false;

		for (size_t i = 0; i < 4 && !found; i++) {
			if (strncmp(s, codes[i], 4) != 0)
				continue;
			*out++ = " \t\n\\"[i];
			s += 4;
			found = true;
		}
		if (!found) {
			*out++ = *s == '\\' ? '/' : *s;
			s++;
		}
	}
	*out = '\0';
}

static bool source_has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* Only what is a name all the way to the server: no "..", nothing invalid. */
static int source_check_names(const struct source *src, struct diag *d)
{
	char *all = talloc_asprintf(NULL, "%s/%s", src->share, src->subdir);
	uint8_t *units = talloc_array(all, uint8_t, 2 * PATH_MAX_UNITS);
	const char *p = all;
	int err = 0;

	if (source_has_control(all) || strchr(all, '\\') != NULL ||
	    utf16_from_path(all, *src->subdir != '\0' ? strlen(all) : strlen(src->share), true,
			    units, 2 * PATH_MAX_UNITS) < 0 || strlen(src->share) > 4 * SHARE_MAX)
		err = diag_set(d, -EINVAL, "source.path",
			       "the share or directory has a name that cannot exist");
	while (err == 0 && *p != '\0') {
		size_t n = strcspn(p, "/");

		if ((n == 1 && *p == '.') || (n == 2 && strncmp(p, "..", 2) == 0)) {
			diag_hint(d, "name the directory itself");
			err = diag_set(d, -EINVAL, "source.path",
				       "\".\" and \"..\" have no place in a source");
		}
		p += n + (p[n] == '/');
	}
	talloc_free(all);
	return err;
}

/* "share/a//b/" into share and subdirectory. */
static int source_split_path(struct source *src, const char *path, struct diag *d)
{
	size_t n;

	src->subdir = talloc_strdup(src, "");
	for (; *path != '\0'; path += n) {
		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			break;
		if (src->share == NULL)
			src->share = talloc_strndup(src, path, n);
		else
			src->subdir = talloc_asprintf_append(src->subdir, "%s%.*s",
							     *src->subdir != '\0' ? "/" : "",
							     (int)n, path);
	}
	if (src->share == NULL)
		return source_syntax(d, "the source names no share");
	return source_check_names(src, d);
}

static int source_set_server(struct source *src, const char *name, size_t n, struct diag *d)
{
	if (n > 0 && name[n - 1] == '.')
		n--;
	src->server = talloc_strndup(src, name, n);
	for (char *p = src->server; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	if (n == 0 || source_has_control(src->server) || strchr(src->server, ' ') != NULL)
		return source_syntax(d, "the source names no server");
	return 0;
}

/* "dom;user" in front of the @ of a URL. */
static int source_set_user(struct source *src, char *who, struct diag *d)
{
	char *semicolon = strchr(who, ';');

	if (strchr(who, ':') != NULL) {
		diag_hint(d, "use Kerberos, credentials=FILE or the environment variable PASSWD_FD");
		return diag_set(d, -EINVAL, "source.password",
				"the source contains a password, which others can see");
	}
	if (semicolon != NULL) {
		*semicolon = '\0';
		src->domain = talloc_strdup(src, who);
		who = semicolon + 1;
	}
	src->user = talloc_strdup(src, who);
	if ((src->domain != NULL && !source_decode_percent(src->domain)) ||
	    !source_decode_percent(src->user) || *src->user == '\0')
		return source_syntax(d, "the user in the source is malformed");
	return 0;
}

static int source_parse_url(struct source *src, char *s, struct diag *d)
{
	char *path = s + strcspn(s, "/?#"), *at, *port, *end;
	unsigned long v;
	int err;

	if (*path != '/')
		return source_syntax(d, "the source names no share");
	*path++ = '\0';
	at = strrchr(s, '@');
	if (at != NULL) {
		*at = '\0';
		err = source_set_user(src, s, d);
		if (err != 0)
			return err;
		s = at + 1;
	}
	port = *s == '[' ? strchr(s, ']') : s;
	port = port != NULL ? strchr(port, ':') : NULL;
	if (port != NULL) {
		*port++ = '\0';
		v = strtoul(port, &end, 10);
		if (*port < '0' || *port > '9' || *end != '\0' || v == 0 || v > 65535)
			return source_syntax(d, "the port in the source is malformed");
		src->port = (uint16_t)v;
	}
	/* A "/" that was written %2f would become a separator. */
	if (strcasestr(path, "%2f") != NULL || !source_decode_percent(path) ||
	    !source_decode_percent(s))
		return source_syntax(d, "the source has a malformed % sequence");
	err = source_set_server(src, s, strlen(s), d);
	return err != 0 ? err : source_split_path(src, path, d);
}

static int source_parse_unc(struct source *src, char *s, struct diag *d)
{
	size_t n;
	int err;

	if (strncmp(s, "\\\\", 2) == 0) {
		for (char *p = s; *p != '\0'; p++)
			if (*p == '\\')
				*p = '/';
	} else {
		source_decode_octal(s);
	}
	if (strncmp(s, "//", 2) != 0)
		return source_syntax(d, "the source is not one of an SMB share");
	s += 2;
	n = strcspn(s, "/");
	err = source_set_server(src, s, n, d);
	return err != 0 ? err : source_split_path(src, s + n, d);
}

int source_parse(TALLOC_CTX *mem, const char *text, struct source **out, struct diag *d)
{
	struct source *src = talloc_zero(mem, struct source);
	char *s = talloc_strdup(src, text);
	int err;

	if (strncasecmp(s, "smb://", 6) == 0)
		err = source_parse_url(src, s + 6, d);
	else
		err = source_parse_unc(src, s, d);
	/* It may hold a password that was refused. */
	explicit_bzero(s, strlen(text));
	talloc_free(s);
	if (err != 0) {
		talloc_free(src);
		return err;
	}
	src->fsname = talloc_asprintf(src, "//%s/%s%s%s", src->server, src->share,
				      *src->subdir != '\0' ? "/" : "", src->subdir);
	*out = src;
	return 0;
}
