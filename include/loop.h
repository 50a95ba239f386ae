/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One thread's event loop: descriptors, timers, and an inbox for messages from
 * other threads.  Everything but loop_post() and loop_stop() is called on the
 * loop's own thread only (or before that thread runs).
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* Embedded in its owner; must be deleted before its memory goes away. */
struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLEXCLUSIVE; level-triggered */
	void (*ready)(struct watch *w, uint32_t revents);
};

struct timer {
	uint64_t at_ns;
	size_t pos; /* 1 + index in the heap; 0 while not set */
	void (*fire)(struct timer *t);
};

/* Freed, if at all, by run(). */
struct msg {
	struct msg *next;
	void (*run)(struct msg *m);
};

int loop_new(struct loop **out);
void loop_free(struct loop *l); /* NULL is fine; the inbox must be empty */

/* Runs until loop_stop(). */
void loop_run(struct loop *l);

/*
 * One turn: waits at most until `deadline_ns` (loop clock, 0 = poll), handles
 * what is ready.  The control thread's blocking calls are loops over this.
 */
void loop_turn(struct loop *l, uint64_t deadline_ns);

/* Any thread, and signal handlers. */
void loop_stop(struct loop *l);

/* 0 or negative errno.  The watch may delete itself and others from ready(). */
int loop_add(struct loop *l, struct watch *w);
/* Changes w->events to `events`; nothing is done when they are the same. */
void loop_mod(struct loop *l, struct watch *w, uint32_t events);
void loop_del(struct loop *l, struct watch *w); /* fine when not added */

/* (Re)arms `t` to fire once, at the loop clock's `at_ns`. */
void loop_timer_set(struct loop *l, struct timer *t, uint64_t at_ns);
void loop_timer_del(struct loop *l, struct timer *t); /* fine when not set */

/* Hands `m` over: m->run(m) is called on the loop's thread.  Any thread. */
void loop_post(struct loop *l, struct msg *m);

/* CLOCK_MONOTONIC. */
uint64_t loop_now_ns(void);

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

#endif
