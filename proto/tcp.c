/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport.h"

#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Data that the peer does not acknowledge for so long means a dead path. */
#define TCP_GIVE_UP_MS 15000

static ssize_t tcp_readv(struct transport *t, const struct iovec *iov, int n)
{
	ssize_t got = readv(t->fd, iov, n);

	return got < 0 ? -errno : got;
}

static ssize_t tcp_writev(struct transport *t, const struct iovec *iov, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };
	ssize_t put = sendmsg(t->fd, &m, MSG_NOSIGNAL);

	return put < 0 ? -errno : put;
}

static void tcp_want(struct transport *t, uint32_t n)
{
	int low = n == 0 ? 1 : (int)n;

	/* Only a hint: without it there are more wake-ups. */
	setsockopt(t->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
}

static void tcp_free(struct transport *t)
{
	close(t->fd);
	free(t);
}

static const struct transport_ops tcp_ops = {
	.name = "tcp",
	.readv = tcp_readv,
	.writev = tcp_writev,
	.want = tcp_want,
	.free = tcp_free,
};

static void tcp_set(int fd, int level, int option, int value)
{
	/* Each of them is an improvement, none a condition. */
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* 0 or negative errno; the socket is non-blocking. */
static int tcp_try(int fd, const struct addrinfo *ai, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t n = sizeof(int);
	uint64_t now;
	int err = 0;

	if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	for (;;) {
		now = loop_now_ns();
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1) > 0)
			break;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		return -errno;
	return -err;
}

static int tcp_fail(struct diag *d, int err, const char *host, const char *peer)
{
	diag_detail(d, "connecting to %s: %s", peer, strerror(-err));
	if (err == -ECONNREFUSED)
		diag_hint(d, "is the SMB server running there, and is this its port (port=)?");
	else
		diag_hint(d, "is the server up, and does a firewall let this port through?");
	return diag_set(d, err, "net.connect", "cannot reach %s", host);
}

int tcp_connect(const char *host, const char *ip, uint16_t port, unsigned int timeout_ms,
		struct transport **out, struct diag *d)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	uint64_t deadline_ns = loop_now_ns() + timeout_ms * NS_PER_MS;
	struct addrinfo *all, *ai;
	char service[8], peer[64] = "";
	int err, fd = -1;

	if (ip != NULL)
		hints.ai_flags |= AI_NUMERICHOST;
	snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(ip != NULL ? ip : host, service, &hints, &all);
	if (err != 0) {
		diag_detail(d, "looking up %s: %s", ip != NULL ? ip : host, gai_strerror(err));
		diag_hint(d, "check the spelling and the name servers in /etc/resolv.conf; "
			     "ip= names an address to connect to without changing the name");
		return diag_set(d, -EHOSTUNREACH, "net.name", "the name %s cannot be resolved", host);
	}

	err = -EHOSTUNREACH;
	for (ai = all; ai != NULL && fd < 0; ai = ai->ai_next) {
		char addr[INET6_ADDRSTRLEN] = "?";

		getnameinfo(ai->ai_addr, ai->ai_addrlen, addr, sizeof(addr), NULL, 0,
			    NI_NUMERICHOST);
		snprintf(peer, sizeof(peer), ai->ai_family == AF_INET6 ? "[%s]:%u" : "%s:%u", addr,
			 port);
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			err = -errno;
			continue;
		}
		err = tcp_try(fd, ai, deadline_ns);
		if (err != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	if (fd < 0)
		return tcp_fail(d, err, host, peer);

	tcp_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	tcp_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	tcp_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_GIVE_UP_MS);
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		abort();
	(*out)->ops = &tcp_ops;
	(*out)->fd = fd;
	memcpy((*out)->peer, peer, sizeof(peer));
	return 0;
}
