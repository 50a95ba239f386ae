/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reauth.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "session.h"

/* How long before the end the first attempt is made, and how often it is repeated after it. */
#define REAUTH_AHEAD_S 600
#define REAUTH_RETRY_S 10

struct reauth {
	struct timer timer;
	struct loop *control;
	struct shard *shard;
	struct auth_params params;
	const struct policy *pol;
	char principal[256], name[256];
	int64_t expires;
	bool told; /* of the failure: once per ticket */
};

static void reauth_wait(struct reauth *r, int64_t seconds)
{
	loop_timer_set(r->control, &r->timer,
		       loop_now_ns() + (uint64_t)(seconds > 0 ? seconds : 1) * NS_PER_S);
}

/* Short tickets leave less time: a third of what is left, but never none. */
static int64_t reauth_ahead(int64_t left)
{
	return left / 3 < REAUTH_AHEAD_S ? left / 3 : REAUTH_AHEAD_S;
}

/*
 * Whether trying again may help and can do no harm.  A password that was
 * refused once is never sent again: that is how accounts get locked.
 */
static bool reauth_may_retry(const struct diag *d)
{
	static const char *const final[] = {
		"auth.wrong-password", "auth.account", "auth.password-expired", "session.refused",
		"session.guest",
	};
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
		if (d->id != NULL && strcmp(d->id, final[i]) == 0)
			return false;
	}
	return true;
}

static void reauth_failed(struct reauth *r, const struct diag *d)
{
	int64_t left = r->expires - time(NULL);

	if (!r->told || !reauth_may_retry(d))
		log_warn("the log-on for %s could not be renewed: %s; %s", r->name, d->what,
			 left > 0 ? "the session ends with its ticket" : "the session has ended");
	r->told = true;
	if (reauth_may_retry(d))
		reauth_wait(r, left > 0 ? reauth_ahead(left) : REAUTH_RETRY_S);
}

static void reauth_fire(struct timer *t)
{
	struct reauth *r = (struct reauth *)((char *)t - offsetof(struct reauth, timer));
	struct diag d = { 0 };
	struct auth *a = NULL;
	int64_t expires = 0, left = r->expires - time(NULL);
	int err = auth_new(r, &r->params, r->pol, &a, &d);

	if (err == 0)
		err = session_reauth(shard_loop(r->shard), shard_io(r->shard), a, &d);
	if (err == 0)
		expires = auth_info(a)->expires;
	talloc_free(a);
	if (err != 0) {
		reauth_failed(r, &d);
		return;
	}
	if (expires > r->expires) {
		if (r->told)
			log_info("the log-on for %s was renewed", r->name);
		r->told = false;
		r->expires = expires;
		left = expires - time(NULL);
		reauth_wait(r, left - reauth_ahead(left));
		return;
	}
	/* The same old ticket: the user has to get a new one. */
	diag_set(&d, -EKEYEXPIRED, "auth.ticket-expired", "there is no newer Kerberos ticket");
	reauth_failed(r, &d);
}

static int reauth_destroy(struct reauth *r)
{
	loop_timer_del(r->control, &r->timer);
	return 0;
}

struct reauth *reauth_new(TALLOC_CTX *mem, struct loop *control, struct shard *shard,
			  const struct auth_params *p, const struct policy *pol,
			  const struct sess *s, const char *name)
{
	struct reauth *r = talloc_zero(mem, struct reauth);
	int64_t left = s->who.expires - time(NULL);

	r->timer.fire = reauth_fire;
	r->control = control;
	r->shard = shard;
	r->pol = pol;
	r->expires = s->who.expires;
	memcpy(r->principal, s->who.principal, sizeof(r->principal));
	strncpy(r->name, name, sizeof(r->name) - 1);
	/* Whatever the cache holds by then: the session stays the same user's. */
	r->params = *p;
	if (p->mech == AUTH_KRB5)
		r->params.principal = r->principal;
	talloc_set_destructor(r, reauth_destroy);
	if (r->expires != 0)
		reauth_wait(r, left - reauth_ahead(left));
	return r;
}

int64_t reauth_expires(const struct reauth *r)
{
	return r->expires;
}
