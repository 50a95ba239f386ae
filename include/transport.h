/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A byte stream to a server, never blocking.  The only table of functions in
 * the program: TCP, QUIC, and the tests' fault injector implement it.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "diag.h"

struct sockaddr;
struct transport;

struct transport_ops {
	const char *name; /* "tcp" */
	/* Bytes moved, 0 = end of stream (read only), or negative errno, -EAGAIN included. */
	ssize_t (*readv)(struct transport *t, const struct iovec *iov, int n);
	ssize_t (*writev)(struct transport *t, const struct iovec *iov, int n);
	/* Wakes the owner only when `n` bytes can be read at once; 0 or 1 = any. */
	void (*want)(struct transport *t, uint32_t n);
	void (*free)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
	int fd; /* to poll */
	char peer[64]; /* "192.0.2.1:445", for people */
};

/*
 * Connects to the addresses of `host` (or of `ip`, if not NULL: where to
 * connect never changes whom we trust) in their order, blocking the caller for
 * `timeout_ms` at most in all.  Control thread only.
 */
int tcp_connect(const char *host, const char *ip, uint16_t port, unsigned int timeout_ms,
		struct transport **out, struct diag *d);

#endif
