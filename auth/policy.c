/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The administrator's file.  Its lines are read here and not by libinih, which
 * cuts the name of a section at 49 characters, takes an indented line for more
 * of the value above it, and does not tell which line a key stands in: each of
 * them could drop a demand without a word.
 */
#include "policy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "name.h"
#include "nearest.h"

#define POLICY_FILE "/etc/smbsecure/smbsecure.conf"
#define POLICY_MAX_FILE 65536u /* bytes; a thousand servers with all their keys */
#define POLICY_OVERFLOW_UID 65534u /* what an owner outside of the user namespace looks like */

struct policy_alg {
	const char *word, *name;
	uint16_t id;
	size_t key_len;
};

/* In the order preferred unless the file says otherwise. */
static const struct policy_alg policy_ciphers[POLICY_MAX_CIPHERS] = {
	{ "aes256gcm", "AES-256-GCM", SMB2_ENCRYPTION_AES256_GCM, 32 },
	{ "aes128gcm", "AES-128-GCM", SMB2_ENCRYPTION_AES128_GCM, 16 },
	{ "aes256ccm", "AES-256-CCM", SMB2_ENCRYPTION_AES256_CCM, 32 },
	{ "aes128ccm", "AES-128-CCM", SMB2_ENCRYPTION_AES128_CCM, 16 },
};
static const struct policy_alg policy_signings[POLICY_MAX_SIGNING] = {
	{ "gmac", "AES-GMAC", SMB2_SIGNING_AES_GMAC, 16 },
	{ "cmac", "AES-CMAC", SMB2_SIGNING_AES_CMAC, 16 },
};

enum policy_key { KEY_CIPHERS, KEY_MIN_KEY_LENGTH, KEY_NTLM, KEY_REQUIRE, KEY_SIGNING, N_KEYS };

static const char *const policy_keys[N_KEYS] = {
	[KEY_CIPHERS] = "ciphers",
	[KEY_MIN_KEY_LENGTH] = "min_key_length",
	[KEY_NTLM] = "ntlm",
	[KEY_REQUIRE] = "require",
	[KEY_SIGNING] = "signing",
};

/* Where the reader of the file is, and what it knows so far. */
struct policy_file {
	const char *path, *server;
	size_t line;
	bool in_global, seen_global, seen_own;
	bool seen_key[N_KEYS]; /* in this section */
	/*
	 * The server's own section wins over [global], whichever comes first; the
	 * other servers' are checked and dropped.  Numbers are 0 while not set.
	 */
	struct policy global, own, other;
	struct policy *section; /* one of them; NULL before the first one */
};

static const struct policy_alg *policy_alg_find(const struct policy_alg *algs, size_t n,
						uint16_t id)
{
	for (size_t i = 0; i < n; i++)
		if (algs[i].id == id)
			return &algs[i];
	return NULL;
}

const char *policy_cipher_name(uint16_t cipher)
{
	const struct policy_alg *a = policy_alg_find(policy_ciphers, POLICY_MAX_CIPHERS, cipher);

	return a == NULL ? "unknown" : a->name;
}

const char *policy_signing_name(uint16_t signing)
{
	const struct policy_alg *a = policy_alg_find(policy_signings, POLICY_MAX_SIGNING, signing);

	return a == NULL ? "unknown" : a->name;
}

size_t policy_cipher_key_len(uint16_t cipher)
{
	const struct policy_alg *a = policy_alg_find(policy_ciphers, POLICY_MAX_CIPHERS, cipher);

	return a == NULL ? 0 : a->key_len;
}

/* "AES-256-GCM" is the same word as "aes256gcm". */
static const struct policy_alg *policy_alg_named(const struct policy_alg *algs, size_t n,
						 const char *typed, size_t len)
{
	char word[16];
	size_t k = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr("-_ \t", typed[i]) != NULL)
			continue;
		if (k == sizeof(word) - 1)
			return NULL;
		word[k++] = typed[i];
	}
	word[k] = '\0';
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(word, algs[i].word) == 0)
			return &algs[i];
	return NULL;
}

/*
 * The algorithms of a list, separated by commas or colons, in its order.  A
 * word that names none of them is left in `*bad`, escaped.
 */
static int policy_list(const struct policy_alg *algs, size_t n_algs, const char *list,
		       uint16_t *out, size_t *n_out, char *bad, size_t bad_len)
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(list, ",:");
		const struct policy_alg *a = policy_alg_named(algs, n_algs, list, len);
		bool twice = false;

		if (a == NULL) {
			log_escape(bad, bad_len, list, len);
			return -EINVAL;
		}
		for (size_t i = 0; i < n; i++)
			twice = twice || out[i] == a->id;
		if (!twice)
			out[n++] = a->id;
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	*n_out = n;
	return 0;
}

static const char *policy_nearest_alg(const struct policy_alg *algs, size_t n, const char *bad)
{
	const char *words[POLICY_MAX_CIPHERS];

	for (size_t i = 0; i < n; i++)
		words[i] = algs[i].word;
	return nearest(bad, words, n);
}

static int policy_fault(const struct policy_file *f, struct diag *d, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int policy_fault(const struct policy_file *f, struct diag *d, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return diag_set(d, -EINVAL, "policy.file-syntax", "%s:%zu: %s", f->path, f->line, what);
}

static int policy_take_section(struct policy_file *f, const char *name, struct diag *d)
{
	char host[NAME_SIZE];
	struct diag why = { 0 };
	bool *seen = NULL;

	memset(f->seen_key, 0, sizeof(f->seen_key));
	f->in_global = strcasecmp(name, "global") == 0;
	if (f->in_global) {
		f->section = &f->global;
		seen = &f->seen_global;
	} else if (name_normalise(name, host, sizeof(host), &why) != 0) {
		diag_hint(d, "a section is [global] or the full name of one server; patterns "
			     "and addresses are not taken");
		return policy_fault(f, d, "%s", why.what);
	} else if (strcmp(host, f->server) == 0) {
		f->section = &f->own;
		seen = &f->seen_own;
	} else {
		f->section = &f->other;
		f->other = (struct policy){ 0 };
	}
	if (seen != NULL && *seen)
		return policy_fault(f, d, "[%s] a second time", f->in_global ? "global" : host);
	if (seen != NULL)
		*seen = true;
	return 0;
}

static int policy_take_algs(const struct policy_file *f, enum policy_key key, const char *value,
			    struct diag *d)
{
	struct policy *p = f->section;
	bool ciphers = key == KEY_CIPHERS;
	const struct policy_alg *algs = ciphers ? policy_ciphers : policy_signings;
	size_t n_algs = ciphers ? POLICY_MAX_CIPHERS : POLICY_MAX_SIGNING;
	const char *near;
	char bad[40];

	if (policy_list(algs, n_algs, value, ciphers ? p->cipher : p->signing,
			ciphers ? &p->n_ciphers : &p->n_signing, bad, sizeof(bad)) == 0)
		return 0;
	near = policy_nearest_alg(algs, n_algs, bad);
	if (near != NULL)
		diag_hint(d, "did you mean %s?", near);
	else
		diag_hint(d, "%s", ciphers ? "known are aes256gcm, aes128gcm, aes256ccm, aes128ccm"
					   : "known are gmac, cmac");
	return policy_fault(f, d, "unknown %s algorithm \"%s\"",
			    ciphers ? "encryption" : "signing", bad);
}

static int policy_take_value(const struct policy_file *f, enum policy_key key, const char *value,
			     struct diag *d)
{
	struct policy *p = f->section;

	switch (key) {
	case KEY_CIPHERS:
	case KEY_SIGNING:
		return policy_take_algs(f, key, value, d);
	case KEY_MIN_KEY_LENGTH:
		if (strcmp(value, "16") != 0 && strcmp(value, "32") != 0)
			return policy_fault(f, d, "min_key_length is 16 or 32 (bytes)");
		p->min_key_len = value[0] == '1' ? 16 : 32;
		return 0;
	case KEY_NTLM:
		if (f->in_global) {
			diag_hint(d, "put it into a section of its own for each server that "
				     "cannot do Kerberos");
			return policy_fault(f, d, "ntlm cannot be allowed for all servers");
		}
		if (strcasecmp(value, "allow") != 0)
			return policy_fault(f, d, "ntlm has one value: allow");
		p->ntlm = true;
		return 0;
	case KEY_REQUIRE:
		if (strcasecmp(value, "privacy") == 0) {
			p->privacy = true;
			return 0;
		}
		if (strcasecmp(value, "integrity") != 0)
			return policy_fault(f, d, "require is privacy or integrity");
		if (f->in_global)
			return policy_fault(f, d, "integrity is not enough for all servers");
		p->privacy = false;
		return 0;
	case N_KEYS:
		break;
	}
	abort();
}

static int policy_take_key(struct policy_file *f, const char *name, const char *value,
			   struct diag *d)
{
	char shown[40];
	const char *near;
	size_t key = 0;

	while (key < N_KEYS && strcasecmp(name, policy_keys[key]) != 0)
		key++;
	if (key == N_KEYS) {
		near = nearest(name, policy_keys, N_KEYS);
		if (near != NULL)
			diag_hint(d, "did you mean %s?", near);
		log_escape(shown, sizeof(shown), name, strlen(name));
		return policy_fault(f, d, "unknown key \"%s\"", shown);
	}
	if (f->section == NULL)
		return policy_fault(f, d, "%s stands before the first [section]", policy_keys[key]);
	if (f->seen_key[key])
		return policy_fault(f, d, "%s a second time in its section", policy_keys[key]);
	f->seen_key[key] = true;
	return policy_take_value(f, (enum policy_key)key, value, d);
}

/* Cuts blanks off both ends, in place. */
static char *policy_trim(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s + strspn(s, " \t");
}

static int policy_take_line(struct policy_file *f, char *line, struct diag *d)
{
	char *equals;
	size_t n;

	line = policy_trim(line);
	n = strlen(line);
	if (n == 0 || line[0] == '#' || line[0] == ';')
		return 0;
	if (line[0] == '[') {
		if (line[n - 1] != ']')
			return policy_fault(f, d, "a section's name ends in ]");
		line[n - 1] = '\0';
		return policy_take_section(f, policy_trim(line + 1), d);
	}
	equals = strchr(line, '=');
	if (equals == NULL)
		return policy_fault(f, d, "neither a [section] nor key = value");
	*equals = '\0';
	return policy_take_key(f, policy_trim(line), policy_trim(equals + 1), d);
}

/* `text` has a NUL behind its `n` bytes, and is taken apart. */
static int policy_take_text(struct policy_file *f, char *text, size_t n, struct diag *d)
{
	char *next;
	int err = 0;

	for (char *line = text; err == 0 && line < text + n; line = next) {
		next = strchrnul(line, '\n');
		f->line++;
		if (*next == '\0' && next != text + n)
			return policy_fault(f, d, "a NUL byte");
		*next++ = '\0';
		err = policy_take_line(f, line, d);
	}
	return err;
}

/*
 * Root's files have the overflow owner in a user namespace that the machine's
 * root is not part of.
 */
static bool policy_is_roots(uid_t uid)
{
	unsigned long outside = 0;
	bool all_read;
	FILE *map;

	if (uid != POLICY_OVERFLOW_UID)
		return uid == 0;
	map = fopen("/proc/self/uid_map", "re");
	if (map == NULL)
		return false;
	while (fscanf(map, "%*u %lu %*u", &outside) == 1 && outside != 0)
		;
	all_read = feof(map) != 0;
	fclose(map);
	return all_read;
}

static int policy_check_owner(int fd, const char *path, const char *mode, struct diag *d)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return diag_set(d, -errno, "policy.file-permissions", "%s: %m", path);
	if (policy_is_roots(st.st_uid) && (st.st_mode & 022) == 0)
		return 0;
	diag_hint(d, "chown root %s && chmod %s %s", path, mode, path);
	return diag_set(d, -EPERM, "policy.file-permissions",
			"%s could be changed by somebody other than root", path);
}

/* `*out` is -1 where there is no file. */
static int policy_open(const char *path, int *out, struct diag *d)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int dir_fd, fd, err;

	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else if (snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path) + 1, path) >= PATH_MAX)
		return diag_set(d, -ENAMETOOLONG, "policy.file-permissions", "the policy file's "
				"path is too long");
	*out = -1;
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 && errno == ENOENT)
		return 0;
	if (dir_fd < 0)
		return diag_set(d, -errno, "policy.file-permissions", "%s: %m", dir);
	err = policy_check_owner(dir_fd, dir, "0755", d);
	fd = err != 0 ? -1 : openat(dir_fd, slash == NULL ? path : slash + 1,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (err == 0 && fd < 0 && errno != ENOENT) {
		diag_hint(d, "it has to be a plain file, not a symbolic link, that everybody can "
			     "read");
		err = diag_set(d, -errno, "policy.file-permissions", "%s: %m", path);
	}
	close(dir_fd);
	if (fd >= 0)
		err = policy_check_owner(fd, path, "0644", d);
	if (err != 0 && fd >= 0)
		close(fd);
	else
		*out = fd;
	return err;
}

static int policy_read(struct policy_file *f, struct diag *d)
{
	char *text;
	size_t n = 0;
	ssize_t got;
	int fd, err;

	err = policy_open(f->path, &fd, d);
	if (err != 0 || fd < 0)
		return err;
	text = malloc(POLICY_MAX_FILE + 1);
	if (text == NULL)
		abort();
	do {
		got = read(fd, text + n, POLICY_MAX_FILE - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < POLICY_MAX_FILE);
	text[n] = '\0';
	if (got < 0)
		err = diag_set(d, -errno, "policy.file-permissions", "%s: %m", f->path);
	else if (n == POLICY_MAX_FILE)
		err = diag_set(d, -EFBIG, "policy.file-syntax", "%s is larger than %u bytes",
			       f->path, POLICY_MAX_FILE - 1);
	else
		err = policy_take_text(f, text, n, d);
	close(fd);
	free(text);
	return err;
}

/* What stays open in `p` comes from `from`. */
static void policy_complete(struct policy *p, const struct policy *from)
{
	if (p->n_ciphers == 0) {
		memcpy(p->cipher, from->cipher, sizeof(p->cipher));
		p->n_ciphers = from->n_ciphers;
	}
	if (p->n_signing == 0) {
		memcpy(p->signing, from->signing, sizeof(p->signing));
		p->n_signing = from->n_signing;
	}
	if (p->min_key_len == 0)
		p->min_key_len = from->min_key_len;
}

int policy_load(TALLOC_CTX *mem, const char *path, const char *server, const char *share,
		struct policy **out, struct diag *d)
{
	struct policy_file f = {
		.path = path == NULL ? POLICY_FILE : path,
		.server = server,
		.own = { .privacy = true },
	};
	struct policy floor = { .min_key_len = 16 };
	struct policy *p;
	int err;

	(void)share; /* no key differs by share */
	for (size_t i = 0; i < POLICY_MAX_CIPHERS; i++)
		floor.cipher[floor.n_ciphers++] = policy_ciphers[i].id;
	for (size_t i = 0; i < POLICY_MAX_SIGNING; i++)
		floor.signing[floor.n_signing++] = policy_signings[i].id;
	err = policy_read(&f, d);
	if (err != 0)
		return err;
	policy_complete(&f.own, &f.global);
	policy_complete(&f.own, &floor);
	p = talloc_memdup(mem, &f.own, sizeof(f.own));
	if (p == NULL)
		abort();
	*out = p;
	return 0;
}

/* Replaces the `*n` algorithms of `have` by those of `list`, a subset. */
static int policy_keep(const struct policy_alg *algs, size_t n_algs, uint16_t *have, size_t *n,
		       const char *list, const char *option, const char *id, struct diag *d)
{
	uint16_t want[POLICY_MAX_CIPHERS] = { 0 };
	size_t n_want;
	const char *near;
	char bad[40];

	if (policy_list(algs, n_algs, list, want, &n_want, bad, sizeof(bad)) != 0) {
		near = policy_nearest_alg(algs, n_algs, bad);
		if (near != NULL)
			diag_hint(d, "did you mean %s?", near);
		return diag_set(d, -EINVAL, id, "%s names an unknown algorithm, \"%s\"", option,
				bad);
	}
	for (size_t i = 0; i < n_want; i++) {
		bool allowed = false;

		for (size_t j = 0; j < *n; j++)
			allowed = allowed || have[j] == want[i];
		if (!allowed) {
			diag_hint(d, "an option can only tighten what " POLICY_FILE " says");
			return diag_set(d, -EPERM, id, "the policy does not allow %s",
					policy_alg_find(algs, n_algs, want[i])->name);
		}
	}
	memcpy(have, want, n_want * sizeof(want[0]));
	*n = n_want;
	return 0;
}

int policy_keep_ciphers(struct policy *p, const char *list, struct diag *d)
{
	return policy_keep(policy_ciphers, POLICY_MAX_CIPHERS, p->cipher, &p->n_ciphers, list,
			   "ciphers=", "policy.cipher", d);
}

int policy_keep_signing(struct policy *p, const char *list, struct diag *d)
{
	return policy_keep(policy_signings, POLICY_MAX_SIGNING, p->signing, &p->n_signing, list,
			   "signing=", "policy.signing", d);
}
