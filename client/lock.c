#include "client/lock.h"

#include "client/acquire.h"
#include "client/handle.h"
#include "client/hold.h"
#include "client/renewal.h"
#include "client/renewer.h"
#include "client/reply.h"
#include "client/turn.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DRIFT_PART = 100,          /* Clocks differ by a part of so many. */
    MARGIN_US = 2 * US_PER_MS, /* A server looks at its clock now and then. */
    RENEWAL_PART = 3,
};

/* Asking. */

static void on_told(struct request *r)
{
    moonlatch_lock *lock = r->owner;

    lock->is_answered = true;
}

static void on_errand_done(struct request *r)
{
    moonlatch_lock *lock = r->owner;

    if (r->status == MOONLATCH_OK || r->status == MOONLATCH_ERROR) {
        lock->is_unsettled = false;
    }
    acquire_on_errand(lock, r->status);
    lock_settle(lock);
}

const char *lock_number(moonlatch_lock *lock, size_t place, uint64_t number)
{
    snprintf(lock->numbers[place], DIGITS, "%" PRIu64, number);
    return lock->numbers[place];
}

static void fill(moonlatch_lock *lock, struct request *r, const char **words, size_t count,
                 const char *const *more)
{
    memcpy(words + lock->key_count, more, count * sizeof *words);
    r->script = lock->script;
    r->reads_only = false;
    r->key_count = lock->key_count;
    r->count = lock->key_count + count;
    r->words = words;
    r->owner = lock;
    session_prepare(lock->session, r);
}

void lock_submit(moonlatch_lock *lock, struct link *l, size_t count, const char *const *words)
{
    fill(lock, &lock->ask, lock->ask_words, count, words);
    link_submit(l, &lock->ask);
}

void lock_forget_reply(moonlatch_lock *lock)
{
    if (lock->ask.keeps_reply && lock->ask.reply != NULL) {
        freeReplyObject(lock->ask.reply);
    }
    lock->ask.reply = NULL;
}

moonlatch_status lock_ask(moonlatch_lock *lock, size_t count, const char *const *words)
{
    moonlatch *s = lock->session;
    struct request *r = &lock->ask;

    r->done = on_told;
    r->keeps_reply = true;
    lock->is_answered = false;
    lock_submit(lock, &s->calls, count, words);
    while (!lock->is_answered) {
        session_turn(s, NEVER_US);
    }
    return r->status;
}

static const struct {
    const char *word;
    moonlatch_status status;
} verdicts[] = {
    {"OK", MOONLATCH_OK},      {"BUSY", MOONLATCH_BUSY},         {"LOST", MOONLATCH_LOST},
    {"DELAY", MOONLATCH_BUSY}, {"WAIT", MOONLATCH_BUSY},         {"STALE", MOONLATCH_STALE},
    {"FULL", MOONLATCH_FULL},  {"DEADLOCK", MOONLATCH_DEADLOCK}, {"LIMIT", MOONLATCH_LIMIT},
    {"NONE", MOONLATCH_OK},    {"REFUSED", MOONLATCH_REFUSED},
};

moonlatch_status lock_verdict(const redisReply *reply)
{
    const char *word = reply_word(reply, 0);

    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        if (strcmp(word, verdicts[i].word) == 0) {
            return verdicts[i].status;
        }
    }
    return MOONLATCH_ERROR;
}

/* While the server may still think that the lock is held: a lease, and the time in which a copy of
 * the request may be under way. */
void lock_send_errand(moonlatch_lock *lock, const char *operation, uint64_t number)
{
    const char *const words[] = {operation, lock->owner, lock->errand_number};
    struct request *r = &lock->errand;

    if (r->link != NULL) {
        return;
    }
    snprintf(lock->errand_number, DIGITS, "%" PRIu64, number);
    fill(lock, r, lock->errand_words, 3, words);
    r->give_up_us += (int64_t)lock->ttl_ms * US_PER_MS;
    r->done = on_errand_done;
    link_submit(&lock->session->calls, r);
}

/* Holding. */

static int64_t lease_us(const moonlatch_lock *lock)
{
    int64_t us = (int64_t)lock->ttl_ms * US_PER_MS;

    return us - us / DRIFT_PART - MARGIN_US;
}

bool lock_is_over(const moonlatch_lock *lock)
{
    return clock_now_us() >= atomic_load(&lock->deadline_us);
}

static void count_held(moonlatch *s, int change)
{
    s->held = change > 0 ? s->held + 1 : s->held - 1;
    s->calls.is_kept = s->held > 0;
}

/* Ends the hold here, whatever the server thinks. */
static void end_hold(moonlatch_lock *lock)
{
    moonlatch *s = lock->session;

    atomic_store(&lock->deadline_us, 0);
    lock->is_held = false;
    lock->count = 0;
    timers_clear(&s->timers, &lock->expiry);
    timers_clear(&s->timers, &lock->renewal);
    count_held(s, -1);
}

void lock_extend(moonlatch_lock *lock, int64_t sent_us)
{
    struct timers *timers = &lock->session->timers;
    int64_t deadline_us = sent_us + lease_us(lock);

    if (deadline_us <= atomic_load(&lock->deadline_us)) {
        return;
    }
    lock->confirmed_us = sent_us;
    atomic_store(&lock->deadline_us, deadline_us);
    timers_set(timers, &lock->expiry, deadline_us);
    if (!lock->no_renewal) {
        timers_set(timers, &lock->renewal,
                   sent_us + (int64_t)lock->ttl_ms * US_PER_MS / RENEWAL_PART);
    }
}

void lock_hold(moonlatch_lock *lock, uint64_t token, int64_t sent_us)
{
    atomic_store(&lock->token, token);
    lock->is_held = true;
    lock->is_unsettled = false;
    lock->renews_alone = false;
    lock->count = 1;
    count_held(lock->session, 1);
    lock_extend(lock, sent_us);
}

void lock_let_go(moonlatch_lock *lock)
{
    end_hold(lock);
}

void lock_lose(moonlatch_lock *lock, bool server_knows)
{
    end_hold(lock);
    lock->is_unsettled = !server_knows;
    if (lock->loss != NULL) {
        lock->loss->lock = lock;
        lock->loss->token = atomic_load(&lock->token);
        session_add_loss(lock->session, lock->loss);
        lock->loss = NULL;
    }
}

static void on_expiry(struct timer *t)
{
    lock_lose((moonlatch_lock *)((char *)t - offsetof(moonlatch_lock, expiry)), false);
}

void lock_init(moonlatch_lock *lock)
{
    lock->expiry.fire = on_expiry;
    renewal_init(lock);
    acquire_init(lock);
}

/* Going. */

static void drop_events(struct events *events, const moonlatch_lock *lock, bool is_owned)
{
    struct event *e = TAILQ_FIRST(events);

    while (e != NULL) {
        struct event *next = TAILQ_NEXT(e, entry);

        if (e->lock == lock) {
            TAILQ_REMOVE(events, e, entry);
            if (is_owned) {
                free(e);
            }
        }
        e = next;
    }
}

void lock_settle(moonlatch_lock *lock)
{
    if (lock->is_freed && lock->acquire.phase == PHASE_IDLE && lock->errand.link == NULL &&
        lock->ask.link == NULL && lock->renewals == 0) {
        TAILQ_REMOVE(&lock->session->locks, lock, entry);
        handle_free(lock);
    }
}

void lock_retire(moonlatch_lock *lock)
{
    moonlatch *s = lock->session;

    acquire_give_up(lock, MOONLATCH_CANCELLED);
    if (lock->is_held) {
        lock->count = 1;
        lock_release(lock);
        lock_forget_reply(lock);
    }
    lock->acquire.done = NULL;
    lock->is_freed = true;
    drop_events(&s->losses, lock, true);
    drop_events(&s->ends, lock, false);
    if (s->renewer != NULL) {
        renewer_await(s, lock);
    }
    lock_settle(lock);
}

/* Gives back what is held, all at once, while there is time. */
void locks_release(moonlatch *s)
{
    int64_t limit_us = session_limit_us(s);
    moonlatch_lock *lock, *next;
    bool waits = true;

    for (lock = TAILQ_FIRST(&s->locks); lock != NULL; lock = next) {
        next = TAILQ_NEXT(lock, entry);
        acquire_give_up(lock, MOONLATCH_CANCELLED);
        if (lock->is_held) {
            lock_let_go(lock);
            lock_send_errand(lock, "release", atomic_load(&lock->token));
        }
    }
    while (waits && clock_now_us() < limit_us) {
        waits = false;
        TAILQ_FOREACH(lock, &s->locks, entry)
        {
            waits = waits || lock->errand.link != NULL || lock->acquire.phase != PHASE_IDLE;
        }
        if (waits) {
            session_turn(s, limit_us);
        }
    }
}

void locks_free(moonlatch *s)
{
    moonlatch_lock *lock;
    struct event *e;

    while ((e = TAILQ_FIRST(&s->losses)) != NULL) {
        TAILQ_REMOVE(&s->losses, e, entry);
        free(e);
    }
    while ((lock = TAILQ_FIRST(&s->locks)) != NULL) {
        TAILQ_REMOVE(&s->locks, lock, entry);
        handle_free(lock);
    }
}

/* Telling. */

bool lock_take_loss(moonlatch *s, struct notice *notice)
{
    struct event *e = TAILQ_FIRST(&s->losses);

    if (e == NULL) {
        return false;
    }
    TAILQ_REMOVE(&s->losses, e, entry);
    *notice = (struct notice){
        .lock = e->lock,
        .on_loss = e->lock->on_loss,
        .context = e->lock->context,
        .token = e->token,
    };
    free(e);
    return true;
}

bool lock_take_end(moonlatch *s, struct notice *notice)
{
    struct event *e = TAILQ_FIRST(&s->ends);

    if (e == NULL) {
        return false;
    }
    TAILQ_REMOVE(&s->ends, e, entry);
    *notice = (struct notice){
        .lock = e->lock,
        .on_end = e->lock->acquire.done,
        .context = e->lock->acquire.context,
        .status = e->lock->result,
    };
    e->lock->acquire.done = NULL;
    return true;
}

void lock_tell(const struct notice *notice)
{
    if (notice->on_loss != NULL) {
        notice->on_loss(notice->lock, notice->token, notice->context);
    } else if (notice->on_end != NULL) {
        notice->on_end(notice->lock, notice->status, notice->context);
    }
}

/* What can be read at any time. */

static bool is_forked(const moonlatch_lock *lock)
{
    return lock->session->pid != getpid();
}

int64_t moonlatch_remaining_ms(const moonlatch_lock *lock)
{
    int64_t left_us = atomic_load(&lock->deadline_us) - clock_now_us();

    return left_us > 0 && !is_forked(lock) ? left_us / US_PER_MS : 0;
}

bool moonlatch_is_held(const moonlatch_lock *lock)
{
    return !lock_is_over(lock) && !is_forked(lock);
}

uint64_t moonlatch_token(const moonlatch_lock *lock)
{
    return atomic_load(&lock->token);
}

const char *moonlatch_owner(const moonlatch_lock *lock)
{
    return lock->owner;
}

const char *moonlatch_holder(const moonlatch_lock *lock)
{
    return lock->holder;
}

int64_t moonlatch_holder_remaining_ms(const moonlatch_lock *lock)
{
    int64_t left_us = lock->holder_until_us - clock_now_us();

    return left_us > 0 ? left_us / US_PER_MS : 0;
}

uint64_t moonlatch_taken_over(const moonlatch_lock *lock)
{
    return lock->taken_over;
}
