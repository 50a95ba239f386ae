/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "policy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "nearest.h"

static char dir[] = "/tmp/test_policy.XXXXXX";
static char path[64];
static bool really_root;

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) != 0)
		abort();
}

/*
 * The file must be root's.  Whoever runs this as somebody else is root in a
 * user namespace of his own, and his files are root's there.
 */
static void become_root(void)
{
	char map[32];

	really_root = geteuid() == 0;
	if (really_root)
		return;
	snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
	if (unshare(CLONE_NEWUSER) != 0) {
		perror("unshare");
		exit(1);
	}
	put("/proc/self/uid_map", map);
}

/* Loads `text` for fs1.example.com. */
static int load(const char *text, struct policy *out, struct diag *d)
{
	struct policy *p;
	int err;

	put(path, text);
	*d = (struct diag){ 0 };
	err = policy_load(NULL, path, "fs1.example.com", "share", &p, d);
	if (err != 0)
		return err;
	*out = *p;
	talloc_free(p);
	return 0;
}

static void is_strict_without_a_file(void)
{
	struct policy *p;
	struct diag d = { 0 };

	CHECK(policy_load(NULL, "/nonexistent/smbsecure.conf", "fs1", "share", &p, &d) == 0);
	CHECK(p->privacy && !p->ntlm && p->min_key_len == 16);
	CHECK(p->n_ciphers == 4 && p->cipher[0] == SMB2_ENCRYPTION_AES256_GCM);
	CHECK(p->cipher[1] == SMB2_ENCRYPTION_AES128_GCM);
	CHECK(p->cipher[2] == SMB2_ENCRYPTION_AES256_CCM);
	CHECK(p->cipher[3] == SMB2_ENCRYPTION_AES128_CCM);
	CHECK(p->n_signing == 2 && p->signing[0] == SMB2_SIGNING_AES_GMAC);
	CHECK(p->signing[1] == SMB2_SIGNING_AES_CMAC);
	talloc_free(p);
}

static void takes_every_key(void)
{
	struct policy p;
	struct diag d;

	CHECK(load("# comment\n"
		   "; another\n"
		   "\n"
		   "[global]\n"
		   "ciphers = AES-256-GCM, aes128ccm\n"
		   "\tsigning=cmac\r\n"
		   "  min_key_length = 32\n"
		   "require = privacy\n"
		   "[ FS1.example.com. ]\n"
		   "NTLM = allow\n"
		   "  require = integrity",
		   &p, &d) == 0);
	CHECK(!p.privacy && p.ntlm && p.min_key_len == 32);
	CHECK(p.n_ciphers == 2 && p.cipher[0] == SMB2_ENCRYPTION_AES256_GCM &&
	      p.cipher[1] == SMB2_ENCRYPTION_AES128_CCM);
	CHECK(p.n_signing == 1 && p.signing[0] == SMB2_SIGNING_AES_CMAC);
}

static void applies_to_the_named_server_only(void)
{
	struct policy p;
	struct diag d;

	CHECK(load("[fs2.example.com]\nntlm = allow\nrequire = integrity\nciphers = aes128ccm\n",
		   &p, &d) == 0);
	CHECK(p.privacy && !p.ntlm && p.n_ciphers == 4);
	CHECK(load("[fs1.example]\nntlm = allow\n[fs1]\nntlm = allow\n"
		   "[xfs1.example.com]\nntlm = allow\n", &p, &d) == 0);
	CHECK(!p.ntlm);
}

static void lets_the_server_win_over_global_in_any_order(void)
{
	struct policy p;
	struct diag d;

	CHECK(load("[fs1.example.com]\nciphers = aes128gcm\n[global]\nciphers = aes256gcm\n"
		   "min_key_length = 32\n", &p, &d) == 0);
	CHECK(p.n_ciphers == 1 && p.cipher[0] == SMB2_ENCRYPTION_AES128_GCM);
	CHECK(p.min_key_len == 32);
}

static void takes_long_host_names(void)
{
	char text[400], name[200];
	struct policy *p;
	struct diag d = { 0 };

	memset(name, 'a', sizeof(name));
	for (size_t i = 40; i < sizeof(name); i += 41)
		name[i] = '.';
	strcpy(name + 160, "b.example.com");
	snprintf(text, sizeof(text), "[%s]\nmin_key_length = 32\n", name);
	put(path, text);
	CHECK(policy_load(NULL, path, name, "share", &p, &d) == 0);
	CHECK(d.err == 0 && p->min_key_len == 32);
	talloc_free(p);
}

static void refuses_every_mistake_by_its_line(void)
{
	static const struct {
		const char *text;
		int line;
		const char *says; /* in sentence or hint */
	} rows[] = {
		{ "ntlm = allow\n", 1, "before the first" },
		{ "[global]\n\nntlm = allow\n", 3, "all servers" },
		{ "[global]\nrequire = integrity\n", 2, "all servers" },
		{ "[global]\nrequire = nothing\n", 2, "privacy or integrity" },
		{ "[fs1.example.com]\nntlm = deny\n", 2, "allow" },
		{ "[fs1.example.com]\nntml = allow\n", 2, "did you mean ntlm?" },
		{ "[fs2.example.com]\nzzz = 1\n", 2, "unknown key" },
		{ "[global]\nciphers = aes256gmc\n", 2, "did you mean aes256gcm?" },
		{ "[global]\nciphers = aes256gcm:\n", 2, "unknown encryption" },
		{ "[global]\nciphers =\n", 2, "unknown encryption" },
		{ "[global]\nsigning = hmac-sha256\n", 2, "unknown signing" },
		{ "[global]\nmin_key_length = 8\n", 2, "16 or 32" },
		{ "[global]\nmin_key_length = 16 \nmin_key_length = 32\n", 3, "second time" },
		{ "[global]\n[global]\n", 2, "second time" },
		{ "[fs1.example.com]\n[a]\n[FS1.EXAMPLE.COM.]\n", 3, "second time" },
		{ "[192.0.2.1]\n", 1, "address" },
		{ "[*.example.com]\n", 1, "no host name" },
		{ "[]\n", 1, "no host name" },
		{ "[fs1.example.com\n", 1, "ends in ]" },
		{ "[global]\njust words\n", 2, "neither" },
		{ "[global]\nciphers = aes256gcm ; comment\n", 2, "unknown encryption" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy p;
		struct diag d;
		char where[96];

		CHECK(load(rows[i].text, &p, &d) == -EINVAL);
		CHECK(d.id != NULL && strcmp(d.id, "policy.file-syntax") == 0);
		snprintf(where, sizeof(where), "%s:%d: ", path, rows[i].line);
		CHECK(strncmp(d.what, where, strlen(where)) == 0);
		CHECK(strstr(d.what, rows[i].says) != NULL || strstr(d.hint, rows[i].says) != NULL);
	}
}

static void refuses_a_nul_byte_and_a_huge_file(void)
{
	static char big[70000];
	struct policy *p;
	struct diag d = { 0 };
	int fd;

	fd = open(path, O_WRONLY | O_TRUNC);
	CHECK(write(fd, "[global]\nciphers = aes256gcm\0\n", 30) == 30);
	close(fd);
	CHECK(policy_load(NULL, path, "fs1", "s", &p, &d) == -EINVAL);
	CHECK(strstr(d.what, ":2: ") != NULL);
	memset(big, '\n', sizeof(big) - 1);
	put(path, big);
	diag_clear(&d);
	CHECK(policy_load(NULL, path, "fs1", "s", &p, &d) == -EFBIG);
}

static int load_denied(void)
{
	struct policy *p = NULL;
	struct diag d = { 0 };
	int err = policy_load(NULL, path, "fs1", "s", &p, &d);

	talloc_free(p);
	return err == -EPERM && strcmp(d.id, "policy.file-permissions") == 0 &&
	       strstr(d.hint, "chmod") != NULL;
}

static void refuses_a_file_that_others_could_change(void)
{
	struct policy p;
	struct diag d;

	CHECK(load("", &p, &d) == 0);
	CHECK(chmod(path, 0664) == 0 && load_denied());
	CHECK(chmod(path, 0646) == 0 && load_denied());
	CHECK(chmod(path, 0644) == 0 && chmod(dir, 0777) == 0 && load_denied());
	CHECK(chmod(dir, 01777) == 0 && load_denied());
	CHECK(chmod(dir, 0755) == 0 && !load_denied());
	if (really_root) {
		CHECK(chown(path, 12345, 0) == 0 && load_denied());
		CHECK(chown(path, 0, 0) == 0 && chown(dir, 12345, 0) == 0 && load_denied());
		CHECK(chown(dir, 0, 0) == 0 && !load_denied());
	}
}

static void refuses_a_symbolic_link(void)
{
	char link[80];
	struct policy *p;
	struct diag d = { 0 };

	put(path, "");
	snprintf(link, sizeof(link), "%s.link", path);
	CHECK(symlink(path, link) == 0);
	CHECK(policy_load(NULL, link, "fs1", "s", &p, &d) == -ELOOP);
	CHECK(strcmp(d.id, "policy.file-permissions") == 0);
	unlink(link);
}

static void options_only_take_away(void)
{
	struct policy p;
	struct diag d;

	CHECK(load("[global]\nciphers = aes256gcm:aes128gcm:aes128ccm\n", &p, &d) == 0);
	CHECK(policy_keep_ciphers(&p, "AES-128-CCM,aes256gcm", &d) == 0);
	CHECK(p.n_ciphers == 2 && p.cipher[0] == SMB2_ENCRYPTION_AES128_CCM &&
	      p.cipher[1] == SMB2_ENCRYPTION_AES256_GCM);
	CHECK(policy_keep_ciphers(&p, "aes256gcm:aes128gcm", &d) == -EPERM);
	CHECK(strcmp(d.id, "policy.cipher") == 0 && p.n_ciphers == 2);
	diag_clear(&d);
	CHECK(policy_keep_ciphers(&p, "aes256gmc", &d) == -EINVAL);
	CHECK(strcmp(d.id, "policy.cipher") == 0 && strstr(d.hint, "aes256gcm") != NULL);
	diag_clear(&d);
	CHECK(policy_keep_ciphers(&p, "", &d) == -EINVAL && p.n_ciphers == 2);
	diag_clear(&d);
	CHECK(policy_keep_ciphers(&p, "aes256gcm:aes256gcm:aes256gcm:aes256gcm:AES256-GCM", &d) ==
	      0);
	CHECK(p.n_ciphers == 1);
	CHECK(policy_keep_signing(&p, "cmac", &d) == 0 && p.n_signing == 1);
	CHECK(policy_keep_signing(&p, "gmac", &d) == -EPERM);
	CHECK(strcmp(d.id, "policy.signing") == 0);
}

static void names_the_algorithms(void)
{
	CHECK(strcmp(policy_cipher_name(SMB2_ENCRYPTION_AES256_GCM), "AES-256-GCM") == 0);
	CHECK(strcmp(policy_cipher_name(SMB2_ENCRYPTION_AES128_CCM), "AES-128-CCM") == 0);
	CHECK(strcmp(policy_cipher_name(SMB2_ENCRYPTION_NONE), "unknown") == 0);
	CHECK(strcmp(policy_signing_name(SMB2_SIGNING_AES_GMAC), "AES-GMAC") == 0);
	CHECK(strcmp(policy_signing_name(SMB2_SIGNING_HMAC_SHA256), "unknown") == 0);
	CHECK(policy_cipher_key_len(SMB2_ENCRYPTION_AES256_CCM) == 32);
	CHECK(policy_cipher_key_len(SMB2_ENCRYPTION_AES128_GCM) == 16);
	CHECK(policy_cipher_key_len(77) == 0);
}

static void finds_the_nearest_word(void)
{
	static const char *const words[] = { "username", "domain", "ro", "rsize", "wsize" };

	CHECK(strcmp(nearest("usrename", words, 5), "username") == 0);
	CHECK(strcmp(nearest("DOMIAN", words, 5), "domain") == 0);
	CHECK(strcmp(nearest("wsise", words, 5), "wsize") == 0);
	CHECK(strcmp(nearest("xsize", words, 5), "rsize") == 0);
	CHECK(nearest("colour", words, 5) == NULL);
	CHECK(nearest("", words, 5) == NULL);
	CHECK(nearest("username-that-goes-on-and-on-for-ever", words, 5) == NULL);
}

int main(void)
{
	become_root();
	talloc_disable_null_tracking();
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0)
		return 1;
	snprintf(path, sizeof(path), "%s/conf", dir);
	RUN(is_strict_without_a_file);
	RUN(takes_every_key);
	RUN(applies_to_the_named_server_only);
	RUN(lets_the_server_win_over_global_in_any_order);
	RUN(takes_long_host_names);
	RUN(refuses_every_mistake_by_its_line);
	RUN(refuses_a_nul_byte_and_a_huge_file);
	RUN(refuses_a_file_that_others_could_change);
	RUN(refuses_a_symbolic_link);
	RUN(options_only_take_away);
	RUN(names_the_algorithms);
	RUN(finds_the_nearest_word);
	unlink(path);
	rmdir(dir);
	return DONE();
}
