/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Events taken from the kernel at once; loop_del() strikes out what it deletes. */
#define LOOP_BATCH 16

struct loop {
	int epfd;
	struct watch bell; /* eventfd: the inbox is not empty, or stop */
	atomic_bool stop;

	struct epoll_event batch[LOOP_BATCH];
	int n_batch, at;

	struct timer **heap; /* heap[0] is the earliest */
	size_t n_timers, cap_timers;

	pthread_mutex_t lock;
	struct msg *inbox, **inbox_tail; /* under lock */
};

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void loop_ring(struct loop *l)
{
	uint64_t one = 1;
	/* Only EAGAIN is possible, and then the bell rings already. */
	ssize_t n = write(l->bell.fd, &one, sizeof(one));

	(void)n;
}

static void loop_bell_ready(struct watch *w, uint32_t revents)
{
	struct loop *l = (struct loop *)((char *)w - offsetof(struct loop, bell));
	struct msg *m, *next;
	uint64_t n;
	ssize_t got = read(w->fd, &n, sizeof(n));

	(void)got;
	(void)revents;
	pthread_mutex_lock(&l->lock);
	m = l->inbox;
	l->inbox = NULL;
	l->inbox_tail = &l->inbox;
	pthread_mutex_unlock(&l->lock);
	for (; m != NULL; m = next) {
		next = m->next;
		m->run(m);
	}
}

int loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->inbox_tail = &l->inbox;
	l->bell = (struct watch){ .fd = -1, .events = EPOLLIN, .ready = loop_bell_ready };
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd >= 0)
		l->bell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = l->bell.fd < 0 ? -errno : loop_add(l, &l->bell);
	if (err != 0) {
		loop_free(l);
		return err;
	}
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->inbox != NULL)
		abort();
	if (l->bell.fd >= 0)
		close(l->bell.fd);
	if (l->epfd >= 0)
		close(l->epfd);
	pthread_mutex_destroy(&l->lock);
	free(l->heap);
	free(l);
}

/* Binary heap by at_ns; each timer knows its place. */

static void heap_put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->pos = i + 1;
}

static void heap_up(struct loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	while (i > 0 && l->heap[(i - 1) / 2]->at_ns > t->at_ns) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < l->n_timers && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
			child++;
		if (child >= l->n_timers || l->heap[child]->at_ns >= t->at_ns)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

void loop_timer_del(struct loop *l, struct timer *t)
{
	size_t i = t->pos - 1;
	struct timer *last;

	if (t->pos == 0)
		return;
	t->pos = 0;
	last = l->heap[--l->n_timers];
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->pos - 1);
}

void loop_timer_set(struct loop *l, struct timer *t, uint64_t at_ns)
{
	loop_timer_del(l, t);
	if (l->n_timers == l->cap_timers) {
		size_t cap = l->cap_timers == 0 ? 16 : 2 * l->cap_timers;
		struct timer **heap = realloc(l->heap, cap * sizeof(*heap));

		if (heap == NULL)
			abort();
		l->heap = heap;
		l->cap_timers = cap;
	}
	t->at_ns = at_ns;
	l->heap[l->n_timers++] = t;
	t->pos = l->n_timers;
	heap_up(l, t->pos - 1);
}

static void loop_fire(struct loop *l)
{
	uint64_t now;

	if (l->n_timers == 0)
		return;
	now = loop_now_ns();
	while (l->n_timers > 0 && l->heap[0]->at_ns <= now) {
		struct timer *t = l->heap[0];

		loop_timer_del(l, t);
		t->fire(t);
	}
}

/* Milliseconds for epoll_wait(), rounded up so that a timer is never early. */
static int loop_wait_ms(const struct loop *l, uint64_t deadline_ns)
{
	uint64_t now;

	if (deadline_ns == 0)
		return 0;
	if (l->n_timers > 0 && l->heap[0]->at_ns < deadline_ns)
		deadline_ns = l->heap[0]->at_ns;
	if (deadline_ns == UINT64_MAX)
		return -1;
	now = loop_now_ns();
	if (deadline_ns <= now)
		return 0;
	deadline_ns = (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return deadline_ns > 3600000 ? 3600000 : (int)deadline_ns;
}

void loop_turn(struct loop *l, uint64_t deadline_ns)
{
	int n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, loop_wait_ms(l, deadline_ns));

	l->n_batch = n > 0 ? n : 0;
	for (l->at = 0; l->at < l->n_batch; l->at++) {
		struct watch *w = l->batch[l->at].data.ptr;

		if (w != NULL)
			w->ready(w, l->batch[l->at].events);
	}
	l->n_batch = 0;
	loop_fire(l);
}

void loop_run(struct loop *l)
{
	while (!atomic_load(&l->stop))
		loop_turn(l, UINT64_MAX);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	loop_ring(l);
}

int loop_add(struct loop *l, struct watch *w)
{
	struct epoll_event ev = { .events = w->events, .data.ptr = w };

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, w->fd, &ev) == 0 ? 0 : -errno;
}

void loop_mod(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->events == events)
		return;
	/* Fails only for a descriptor that is not in the set: our bug. */
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev) != 0)
		abort();
	w->events = events;
}

void loop_del(struct loop *l, struct watch *w)
{
	struct epoll_event ev = { 0 };

	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, &ev);
	for (int i = l->at + 1; i < l->n_batch; i++) {
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
	}
}

void loop_post(struct loop *l, struct msg *m)
{
	bool was_empty;

	m->next = NULL;
	pthread_mutex_lock(&l->lock);
	was_empty = l->inbox == NULL;
	*l->inbox_tail = m;
	l->inbox_tail = &m->next;
	pthread_mutex_unlock(&l->lock);
	if (was_empty)
		loop_ring(l);
}
