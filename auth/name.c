/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "log.h"

#define NAME_MAX_LABEL 63u

static bool name_has_tail(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n >= t && strcmp(name + n - t, tail) == 0 && (n == t || name[n - t - 1] == '.');
}

/*
 * Every notation of an IPv4 address ends in a label that is a number, and no
 * top-level domain is one: resolvers that do not take "127.0.0.1." or
 * "1.2.3.4.5" for an address ask the DNS for it, where anybody may answer.
 */
static bool name_ends_in_number(const char *name)
{
	const char *label = strrchr(name, '.');

	label = label == NULL ? name : label + 1;
	if (label[0] == '0' && label[1] == 'x')
		return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
	return label[0] != '\0' && label[strspn(label, "0123456789")] == '\0';
}

static bool name_is_address(const char *name)
{
	struct in_addr in;

	return strpbrk(name, ":[]") != NULL || name_ends_in_number(name) ||
	       inet_aton(name, &in) != 0 || name_has_tail(name, "ipv6-literal.net") ||
	       name_has_tail(name, "in-addr.arpa") || name_has_tail(name, "ip6.arpa");
}

/* Letters, digits, hyphens; underscores too, which Active Directory has. */
static const char *name_fault(const char *name)
{
	size_t label = 0;

	if (name[0] == '\0')
		return "it is empty";
	for (const char *c = name;; c++) {
		if (*c == '.' || *c == '\0') {
			if (label == 0)
				return "it has an empty label";
			if (label > NAME_MAX_LABEL)
				return "a label is longer than 63 characters";
			if (!isalnum((unsigned char)c[-1]))
				return "a label ends in a hyphen or an underscore";
			if (*c == '\0')
				break;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return "only letters, digits, hyphens and dots make a host name";
		if (label++ == 0 && !isalnum((unsigned char)*c))
			return "a label begins with a hyphen or an underscore";
	}
	/*
	 * What follows this mark is a marshalled target: Windows cuts it off when
	 * it asks for a ticket, the DNS does not (CVE-2025-33073).
	 */
	if (strstr(name, "1uwhrc") != NULL)
		return "it carries a marshalled target";
	return NULL;
}

int name_normalise(const char *typed, char *out, size_t cap, struct diag *d)
{
	char name[NAME_SIZE + 1], shown[80];
	size_t n = strlen(typed);
	const char *fault = NULL;

	log_escape(shown, sizeof(shown), typed, n);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)typed[i] >= 0x80) {
			diag_hint(d, "write an international name in its xn-- form");
			return diag_set(d, -EINVAL, "name.grammar",
					"%s is no host name: it is not ASCII", shown);
		}
	}
	if (n >= sizeof(name)) {
		fault = "it is longer than 253 characters";
	} else {
		for (size_t i = 0; i < n; i++)
			name[i] = (char)tolower((unsigned char)typed[i]);
		if (n > 1 && name[n - 1] == '.')
			n--;
		name[n] = '\0';
		if (name_is_address(name)) {
			diag_hint(d, "use the server's full name, such as fs1.example.com; "
				     "ip=ADDRESS says where to connect without changing whom to "
				     "trust");
			return diag_set(d, -EINVAL, "name.address",
					"%s is an address, and nothing proves who is behind an "
					"address", shown);
		}
		fault = n >= NAME_SIZE ? "it is longer than 253 characters" : name_fault(name);
		if (fault == NULL && n >= cap)
			fault = "it is too long";
	}
	if (fault != NULL)
		return diag_set(d, -EINVAL, "name.grammar", "%s is no host name: %s", shown, fault);
	memcpy(out, name, n + 1);
	return 0;
}
