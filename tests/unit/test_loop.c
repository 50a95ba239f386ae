/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"
#include "loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define N_TIMERS 200

static struct timer timers[N_TIMERS];
static uint64_t fired_at[N_TIMERS];
static int n_fired;

static void note_fire(struct timer *t)
{
	fired_at[n_fired++] = t->at_ns;
}

static void timers_fire_in_order(void)
{
	struct loop *l;
	uint64_t base = loop_now_ns();
	unsigned int seed = 7;

	n_fired = 0;
	CHECK(loop_new(&l) == 0);
	for (int i = 0; i < N_TIMERS; i++) {
		timers[i].fire = note_fire;
		loop_timer_set(l, &timers[i], base + (uint64_t)(rand_r(&seed) % 5000));
	}
	for (int i = 0; i < N_TIMERS; i += 3)
		loop_timer_del(l, &timers[i]);
	for (int i = 1; i < N_TIMERS; i += 3)
		loop_timer_set(l, &timers[i], base + (uint64_t)(rand_r(&seed) % 5000));
	while (n_fired < N_TIMERS - (N_TIMERS + 2) / 3)
		loop_turn(l, base + NS_PER_S);
	for (int i = 1; i < n_fired; i++)
		CHECK(fired_at[i - 1] <= fired_at[i]);
	for (int i = 0; i < N_TIMERS; i++)
		CHECK(timers[i].pos == 0);
	loop_free(l);
}

static void a_turn_ends_at_its_deadline(void)
{
	struct loop *l;
	uint64_t start = loop_now_ns();

	CHECK(loop_new(&l) == 0);
	loop_turn(l, start + 5 * NS_PER_MS);
	CHECK(loop_now_ns() >= start + 5 * NS_PER_MS);
	loop_free(l);
}

struct pair {
	struct watch a, b;
	struct loop *l;
	int n;
};
static struct pair pair;

static void kill_the_other(struct watch *w, uint32_t revents)
{
	(void)revents;
	pair.n++;
	loop_del(pair.l, w == &pair.a ? &pair.b : &pair.a);
	loop_del(pair.l, w);
}

static void a_handler_may_delete_a_ready_watch(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
	CHECK(loop_new(&pair.l) == 0);
	pair.a = (struct watch){ .fd = fds[0], .events = EPOLLIN, .ready = kill_the_other };
	pair.b = (struct watch){ .fd = fds[1], .events = EPOLLOUT, .ready = kill_the_other };
	CHECK(loop_add(pair.l, &pair.a) == 0 && loop_add(pair.l, &pair.b) == 0);
	for (int i = 0; i < 3; i++)
		loop_turn(pair.l, 0);
	CHECK(pair.n == 1);
	loop_free(pair.l);
	close(fds[0]);
	close(fds[1]);
}

struct note {
	struct msg msg;
	int thread, seq;
};
#define N_THREADS 4
#define N_NOTES 2000
static struct note notes[N_THREADS][N_NOTES];
static int last_seq[N_THREADS], n_notes, out_of_order;
static struct loop *inbox_loop;

static void take_note(struct msg *m)
{
	struct note *n = (struct note *)m;

	out_of_order += n->seq != last_seq[n->thread]++;
	if (++n_notes == N_THREADS * N_NOTES)
		loop_stop(inbox_loop);
}

static void *post_notes(void *arg)
{
	struct note *mine = arg;

	for (int i = 0; i < N_NOTES; i++) {
		mine[i].msg.run = take_note;
		mine[i].thread = (int)((struct note(*)[N_NOTES])arg - notes);
		mine[i].seq = i;
		loop_post(inbox_loop, &mine[i].msg);
	}
	return NULL;
}

static void every_message_arrives_once_and_in_order(void)
{
	pthread_t t[N_THREADS];

	CHECK(loop_new(&inbox_loop) == 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, post_notes, notes[i]) == 0);
	loop_run(inbox_loop);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK(n_notes == N_THREADS * N_NOTES);
	CHECK(out_of_order == 0);
	loop_free(inbox_loop);
}

int main(void)
{
	RUN(timers_fire_in_order);
	RUN(a_turn_ends_at_its_deadline);
	RUN(a_handler_may_delete_a_ready_watch);
	RUN(every_message_arrives_once_and_in_order);
	return DONE();
}
