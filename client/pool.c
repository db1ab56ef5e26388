#include "client/pool.h"

#include "client/reply.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    IDLE_MOST = 2,  /* Connections that are kept while nobody waits. */
    VIGIL_PART = 4, /* Of the time for a request: until the next look. */
};

/* A link is used again, and freed with the session only: it may be at work when it is given
 * back. */
static size_t count_idle(const moonlatch *s)
{
    const struct link *l;
    size_t count = 0;

    TAILQ_FOREACH(l, &s->waits, entry)
    {
        count += !l->is_taken && l->state != LINK_DOWN;
    }
    return count;
}

struct link *pool_take(moonlatch *s)
{
    struct link *l, *free_one = NULL;

    TAILQ_FOREACH(l, &s->waits, entry)
    {
        if (!l->is_taken && (free_one == NULL || l->state == LINK_UP)) {
            free_one = l;
        }
    }
    if (free_one == NULL) {
        free_one = malloc(sizeof *free_one);
        if (free_one == NULL) {
            return NULL;
        }
        link_init(free_one, s);
        TAILQ_INSERT_TAIL(&s->waits, free_one, entry);
    }
    free_one->is_taken = true;
    return free_one;
}

void pool_give_back(struct link *l)
{
    l->is_taken = false;
    if (l->is_hanging_up || l->state != LINK_UP || count_idle(l->session) > IDLE_MOST) {
        link_clear(l);
    }
}

void pool_clear(moonlatch *s)
{
    struct link *l;

    while ((l = TAILQ_FIRST(&s->waits)) != NULL) {
        TAILQ_REMOVE(&s->waits, l, entry);
        free(l);
    }
}

/* Time. */

static void ask_probe(struct link *l, struct request *r, void (*done)(struct request *r))
{
    r->script = NULL;
    r->count = LINK_PROBE;
    r->words = link_probe;
    r->lens = NULL;
    r->done = done;
    session_prepare(l->session, r);
    link_submit(l, r);
}

static void on_time(struct request *r)
{
    struct link *l = r->owner;

    l->clock.asked_us = r->sent_us;
    l->clock.server_us = r->status == MOONLATCH_OK ? reply_number(r->reply, 0) : 0;
}

void pool_ask_time(struct link *l)
{
    if (l->state == LINK_UP && l->time.link == NULL) {
        l->time.owner = l;
        ask_probe(l, &l->time, on_time);
    }
}

/* The vigil. */

static void lose_waits(moonlatch *s, bool everywhere, const char *why)
{
    struct link *l;

    TAILQ_FOREACH(l, &s->waits, entry)
    {
        if (l->state == LINK_UP && (everywhere || !address_equal(&l->address, &s->calls.address))) {
            link_lose(l, why);
        }
    }
}

static void on_answered(struct request *r)
{
    if (r->status == MOONLATCH_UNREACHABLE) {
        lose_waits(r->owner, true, "does not answer any more");
    }
}

static bool is_anybody_waiting(const moonlatch *s)
{
    const struct link *l;

    TAILQ_FOREACH(l, &s->waits, entry)
    {
        if (l->is_taken) {
            return true;
        }
    }
    return false;
}

static void on_vigil(struct timer *t)
{
    moonlatch *s = (moonlatch *)((char *)t - offsetof(moonlatch, vigil));

    if (!is_anybody_waiting(s)) {
        return;
    }
    if (s->question.link == NULL) {
        s->question.owner = s;
        ask_probe(&s->calls, &s->question, on_answered);
    }
    pool_watch(s);
}

void pool_init(moonlatch *s)
{
    s->vigil.fire = on_vigil;
}

void pool_watch(moonlatch *s)
{
    if (!s->vigil.is_set) {
        timers_set(&s->timers, &s->vigil, clock_now_us() + s->request_us / VIGIL_PART);
    }
}

void pool_follow(moonlatch *s)
{
    lose_waits(s, false, "leads no more");
}
