#include "client/acquire.h"

#include "client/channel.h"
#include "client/pool.h"
#include "client/random.h"
#include "client/renewal.h"
#include "client/reply.h"
#include "client/turn.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECK_MS = 500, /* A hint may be lost, so one asks at least so often. */
    UNDO_PART = 4,  /* Of the time for a request: for the server to hear that it is given up. */
    DRIFT_PART = 100,
};

static void try_now(moonlatch_lock *lock, bool asks_to_wait);

static struct timers *timers_of(moonlatch_lock *lock)
{
    return &lock->session->timers;
}

/* The end. */

static void finish(moonlatch_lock *lock, moonlatch_status status)
{
    struct acquire *a = &lock->acquire;

    timers_clear(timers_of(lock), &a->timer);
    channel_leave(lock);
    a->phase = PHASE_IDLE;
    lock->result = status;
    if (a->done != NULL && !lock->is_freed) {
        lock->end.lock = lock;
        session_add_end(lock->session, &lock->end);
    }
}

static void finish_by(moonlatch_lock *lock, const struct request *r)
{
    session_fail_by(lock->session, r);
    finish(lock, r->status);
}

/* Ends it when the server has been told, or when it seems that it cannot be told soon. */
static void undo(moonlatch_lock *lock, moonlatch_status status)
{
    moonlatch *s = lock->session;
    struct acquire *a = &lock->acquire;

    channel_leave(lock);
    a->phase = PHASE_UNDOING;
    a->end = status;
    lock_send_errand(lock, "cancel", lock->rid);
    timers_set(timers_of(lock), &a->timer, clock_now_us() + s->request_us / UNDO_PART);
}

/* Ends without the lock. */
static void end_without(moonlatch_lock *lock, moonlatch_status status)
{
    if (lock->acquire.is_queued) {
        undo(lock, status);
    } else {
        finish(lock, status);
    }
}

void acquire_on_errand(moonlatch_lock *lock, moonlatch_status status)
{
    struct acquire *a = &lock->acquire;

    if (a->phase == PHASE_UNDOING) {
        finish(lock, a->end);
    } else if (a->phase == PHASE_CLEARING) {
        if (status == MOONLATCH_OK) {
            timers_clear(timers_of(lock), &a->timer);
            try_now(lock, false);
        } else {
            finish_by(lock, &lock->errand);
        }
    }
}

/* Answers. */

static bool says(const redisReply *reply, const char *word)
{
    return strcmp(reply_word(reply, 0), word) == 0;
}

/* In how long such an answer may be another one. */
static int64_t check_ms(const redisReply *reply)
{
    return reply_number(reply, says(reply, "DELAY") ? 1 : says(reply, "BUSY") ? 2 : 3);
}

static void note_holder(moonlatch_lock *lock, const redisReply *reply)
{
    const char *holder = says(reply, "BUSY") ? reply_word(reply, 3) : "";

    snprintf(lock->holder, sizeof lock->holder, "%s", holder);
    lock->holder_until_us = clock_now_us() + check_ms(reply) * US_PER_MS;
}

/* Which key is in the way; of a lock of several, the server says so. */
static size_t blocking_key(const moonlatch_lock *lock, const redisReply *reply)
{
    for (size_t i = 0; i < lock->key_count && lock->kind == MOONLATCH_MULTI; i++) {
        if (strcmp(reply_word(reply, 4), lock->keys[i]) == 0) {
            return i;
        }
    }
    return 0;
}

/* When the answer that was granted at a time of the server's clock can have been sent at the
 * earliest: not before the request was, nor before the server's clock had gone so far. */
static int64_t granted_us(const struct request *r, const struct calibration *clock,
                          int64_t server_us)
{
    int64_t since_us = server_us - clock->server_us;
    int64_t us = clock->asked_us + since_us - since_us / DRIFT_PART;

    if (clock->server_us <= 0 || us < r->sent_us) {
        return r->sent_us;
    }
    return us < clock_now_us() ? us : clock_now_us();
}

static void on_confirmed(struct request *r)
{
    moonlatch_lock *lock = r->owner;
    bool is_lost = r->status == MOONLATCH_OK && lock_verdict(r->reply) == MOONLATCH_LOST;

    if (lock->acquire.is_given_up) {
        if (lock->is_held) {
            lock_let_go(lock);
        }
        undo(lock, lock->acquire.end);
    } else if (!is_lost && r->status == MOONLATCH_OK && lock->is_held) {
        lock_extend(lock, r->sent_us);
        finish(lock, MOONLATCH_OK);
    } else {
        if (lock->is_held && (is_lost || lock_is_over(lock))) {
            lock_let_go(lock);
            lock->is_unsettled = !is_lost;
        }
        finish(lock, lock->is_held ? MOONLATCH_OK : MOONLATCH_LOST);
    }
    lock_settle(lock);
}

/* The wait may have been so long that what is known of the lease is too little. */
static void confirm(moonlatch_lock *lock)
{
    const char *const words[] = {
        "renew",
        lock->owner,
        lock_number(lock, 0, atomic_load(&lock->token)),
        lock_number(lock, 1, lock->ttl_ms),
    };

    lock->acquire.phase = PHASE_CONFIRMING;
    lock->ask.done = on_confirmed;
    lock->ask.keeps_reply = false;
    lock_submit(lock, &lock->session->calls, 4, words);
}

static void take_grant(moonlatch_lock *lock, const struct request *r, int64_t sent_us)
{
    int64_t half_us = (int64_t)lock->ttl_ms * US_PER_MS / 2;

    if (lock->acquire.is_given_up) {
        undo(lock, lock->acquire.end);
        return;
    }
    lock->taken_over = (uint64_t)reply_number(r->reply, 4);
    lock_hold(lock, (uint64_t)reply_number(r->reply, 1), sent_us);
    if (clock_now_us() - sent_us > half_us) {
        confirm(lock);
    } else {
        finish(lock, MOONLATCH_OK);
    }
}

/* Asks again when it may be another answer. */
static void rest(moonlatch_lock *lock, int64_t check_ms)
{
    struct acquire *a = &lock->acquire;
    int64_t due_us;

    check_ms = check_ms < 1 ? 1 : check_ms < CHECK_MS ? check_ms : CHECK_MS;
    due_us = clock_now_us() + check_ms * (900 + (int64_t)random_below(100));
    a->phase = PHASE_RESTING;
    timers_set(timers_of(lock), &a->timer, due_us < a->until_us ? due_us : a->until_us);
    if (!lock->session->is_native) {
        channel_join(lock);
    }
}

static void wait_inside(moonlatch_lock *lock);

static void take_busy(moonlatch_lock *lock, const struct request *r, bool has_waited)
{
    struct acquire *a = &lock->acquire;
    bool is_queued = says(r->reply, "WAIT");
    int64_t left_us = a->until_us - clock_now_us();

    if (is_queued) {
        a->is_queued = true;
    } else {
        note_holder(lock, r->reply);
        a->key = blocking_key(lock, r->reply);
    }
    if (a->is_given_up) {
        end_without(lock, a->end);
    } else if (left_us <= 0) {
        session_fail(lock->session, MOONLATCH_BUSY, "%s is held by %s", lock->keys[a->key],
                     lock->holder[0] != '\0' ? lock->holder : "another");
        end_without(lock, MOONLATCH_BUSY);
    } else if (lock->session->is_native && !has_waited && !is_queued) {
        wait_inside(lock);
    } else if (!a->asks_to_wait) {
        try_now(lock, true);
    } else {
        rest(lock, check_ms(r->reply));
    }
}

/* The lock is refused. */
static void take_refusal(moonlatch_lock *lock, const struct request *r, moonlatch_status status)
{
    struct acquire *a = &lock->acquire;

    if (status == MOONLATCH_STALE && !a->was_stale && !a->is_given_up) {
        a->was_stale = true; /* It was granted, and that is over: it is asked for anew. */
        lock->rid++;
        try_now(lock, a->asks_to_wait && !lock->session->is_native);
        return;
    }
    if (status == MOONLATCH_DEADLOCK) {
        session_fail(lock->session, status, "%s", reply_word(r->reply, 1));
    } else {
        session_fail(lock->session, status, "%s", moonlatch_status_text(status));
    }
    end_without(lock, a->is_given_up ? a->end : status);
}

static void take_reply(moonlatch_lock *lock, const struct request *r, int64_t sent_us,
                       bool has_waited)
{
    moonlatch_status status = lock_verdict(r->reply);

    if (status == MOONLATCH_OK) {
        take_grant(lock, r, sent_us);
    } else if (status == MOONLATCH_BUSY) {
        take_busy(lock, r, has_waited);
    } else {
        take_refusal(lock, r, status);
    }
}

/* There is no answer, or one that is an error. */
static void take_failure(moonlatch_lock *lock, const struct request *r)
{
    struct acquire *a = &lock->acquire;
    moonlatch_status status = a->is_given_up ? a->end : r->status;
    bool is_unknown =
        r->first_us != 0 && r->status != MOONLATCH_ERROR && r->status != MOONLATCH_DENIED;

    session_fail_by(lock->session, r);
    if (is_unknown) {
        status = status == MOONLATCH_UNCERTAIN ? MOONLATCH_UNREACHABLE : status;
        undo(lock, status);
    } else {
        end_without(lock, status);
    }
}

static void on_tried(struct request *r)
{
    moonlatch_lock *lock = r->owner;

    if (r->status == MOONLATCH_OK) {
        take_reply(lock, r, r->sent_us, false);
    } else {
        take_failure(lock, r);
    }
    lock_settle(lock);
}

static void on_waited(struct request *r)
{
    moonlatch_lock *lock = r->owner;
    struct link *l = lock->acquire.link;
    int64_t sent_us = r->sent_us;

    if (r->status == MOONLATCH_OK) {
        sent_us = granted_us(r, &l->clock, reply_number(r->reply, 3));
    }
    lock->acquire.link = NULL;
    pool_give_back(l);
    if (r->status == MOONLATCH_OK) {
        take_reply(lock, r, sent_us, true);
    } else {
        take_failure(lock, r);
    }
    lock_settle(lock);
}

/* Questions. */

/* What stands behind MAX_COUNT. The handle counts itself how often it has the lock, so that is 1.
 */
static size_t add_more(moonlatch_lock *lock, const char **words, size_t count)
{
    switch (lock->kind) {
    case MOONLATCH_FAIR:
        words[count++] = lock_number(lock, 4, lock->max_waiters);
        break;
    case MOONLATCH_READ:
    case MOONLATCH_WRITE:
        words[count++] = lock->kind == MOONLATCH_READ ? "read" : "write";
        words[count++] = lock_number(lock, 4, lock->max_waiters);
        break;
    case MOONLATCH_SEMAPHORE:
        words[count++] = lock_number(lock, 4, lock->permits);
        words[count++] = lock_number(lock, 5, lock->capacity);
        words[count++] = lock_number(lock, 6, lock->max_waiters);
        break;
    case MOONLATCH_ELECTION:
        words[count++] = lock_number(lock, 4, lock->max_waiters);
        words[count++] = lock->value;
        break;
    default:
        break;
    }
    return count;
}

static void ask(moonlatch_lock *lock, struct link *l, bool asks_to_wait,
                void (*done)(struct request *r))
{
    struct acquire *a = &lock->acquire;
    int64_t left_us = a->until_us - clock_now_us();
    int64_t wait_ms = left_us > 0 ? (left_us + US_PER_MS - 1) / US_PER_MS : 0;
    const char *words[EXTRA_WORDS] = {
        "acquire",
        lock->owner,
        lock_number(lock, 0, lock->rid),
        lock_number(lock, 1, lock->ttl_ms),
        !asks_to_wait             ? "0"
        : a->until_us == NEVER_US ? "-1"
                                  : lock_number(lock, 2, (uint64_t)wait_ms),
        lock_number(lock, 3, lock->delay_ms),
        "1",
    };

    a->asks_to_wait = asks_to_wait;
    lock->ask.done = done;
    lock->ask.keeps_reply = false;
    lock_submit(lock, l, add_more(lock, words, 7), words);
}

static void try_now(moonlatch_lock *lock, bool asks_to_wait)
{
    lock->acquire.phase = PHASE_TRYING;
    ask(lock, &lock->session->calls, asks_to_wait, on_tried);
}

static void wait_inside(moonlatch_lock *lock)
{
    struct acquire *a = &lock->acquire;
    struct link *l = pool_take(lock->session);

    if (l == NULL) {
        session_fail(lock->session, MOONLATCH_MEMORY, "out of memory");
        end_without(lock, MOONLATCH_MEMORY);
        return;
    }
    a->phase = PHASE_WAITING;
    a->link = l;
    pool_ask_time(l);
    ask(lock, l, true, on_waited);
    link_expect_late(&lock->ask,
                     a->until_us == NEVER_US ? NEVER_US : a->until_us + lock->session->request_us);
    pool_watch(lock->session);
}

static void on_timer(struct timer *t)
{
    moonlatch_lock *lock = (moonlatch_lock *)((char *)t - offsetof(moonlatch_lock, acquire.timer));
    struct acquire *a = &lock->acquire;
    moonlatch *s = lock->session;

    switch (a->phase) {
    case PHASE_RESTING:
        if (s->is_native && !a->is_queued && clock_now_us() < a->until_us) {
            wait_inside(lock);
        } else {
            try_now(lock, !s->is_native && clock_now_us() < a->until_us);
        }
        break;
    case PHASE_UNDOING:
        finish(lock, a->end);
        lock_settle(lock);
        break;
    case PHASE_CLEARING:
        finish(lock, session_fail(s, MOONLATCH_UNREACHABLE, "%s", s->trouble));
        lock_settle(lock);
        break;
    default:
        break;
    }
}

/* Beginning. */

void acquire_init(moonlatch_lock *lock)
{
    lock->acquire.timer.fire = on_timer;
}

/* Held already: what the handle counts, the server need not know. */
static void take_again(moonlatch_lock *lock)
{
    if (lock->count >= lock->max_count) {
        finish(lock, session_fail(lock->session, MOONLATCH_LIMIT, "it is held %" PRIu32 " times",
                                  lock->count));
        return;
    }
    lock->count++;
    finish(lock, MOONLATCH_OK);
}

static bool prepare_loss(moonlatch_lock *lock)
{
    if (lock->loss == NULL && lock->on_loss != NULL) {
        lock->loss = malloc(sizeof *lock->loss);
    }
    return lock->loss != NULL || lock->on_loss == NULL;
}

void acquire_begin(moonlatch_lock *lock, int64_t wait_ms)
{
    moonlatch *s = lock->session;
    struct acquire *a = &lock->acquire;
    int64_t now_us = clock_now_us();

    a->until_us = wait_ms < 0 || wait_ms > INT64_MAX / (2 * US_PER_MS)
                      ? NEVER_US
                      : now_us + wait_ms * US_PER_MS;
    a->limit_us = now_us + s->request_us;
    a->is_given_up = false;
    a->is_queued = false;
    a->was_stale = false;
    a->key = 0;
    lock->holder[0] = '\0';
    lock->holder_until_us = 0;
    if (lock->is_held && lock_is_over(lock)) {
        lock_lose(lock, false);
    }
    if (lock->is_held) {
        take_again(lock);
        return;
    }
    if (!prepare_loss(lock)) {
        finish(lock, session_fail(s, MOONLATCH_MEMORY, "out of memory"));
        return;
    }
    lock->rid++;
    if (lock->is_unsettled) {
        lock_send_errand(lock, "release", atomic_load(&lock->token));
    }
    if (lock->errand.link != NULL) {
        a->phase = PHASE_CLEARING;
        timers_set(timers_of(lock), &a->timer, a->limit_us);
    } else {
        try_now(lock, !s->is_native && s->knows_server && wait_ms != 0);
    }
}

/* Ending early. */

/* What has not been sent is not asked for any more. */
static void withdraw(moonlatch_lock *lock)
{
    struct acquire *a = &lock->acquire;
    bool may_have_it = lock->ask.first_us != 0;

    link_withdraw(&lock->ask);
    if (a->link != NULL) {
        pool_give_back(a->link);
        a->link = NULL;
    }
    if (may_have_it) {
        undo(lock, a->end);
    } else {
        end_without(lock, a->end);
    }
}

/* A server in which it waits has to notice that it does not any more, before it is told to undo
 * what it may have granted. */
static void stop_asking(moonlatch_lock *lock)
{
    struct request *r = &lock->ask;

    if (!r->is_sent) {
        withdraw(lock);
        return;
    }
    if (lock->acquire.phase == PHASE_WAITING) {
        r->is_repeatable = false;
        link_hang_up(lock->acquire.link);
    }
    link_hurry(r, clock_now_us() + lock->session->request_us / UNDO_PART);
}

void acquire_give_up(moonlatch_lock *lock, moonlatch_status status)
{
    struct acquire *a = &lock->acquire;

    if (a->phase == PHASE_IDLE || a->is_given_up) {
        return;
    }
    a->is_given_up = true;
    a->end = status;
    session_fail(lock->session, status, "%s", moonlatch_status_text(status));
    switch (a->phase) {
    case PHASE_CLEARING:
        finish(lock, status);
        break;
    case PHASE_RESTING:
        end_without(lock, status);
        break;
    case PHASE_TRYING:
    case PHASE_WAITING:
        stop_asking(lock);
        break;
    case PHASE_CONFIRMING:
        link_hurry(&lock->ask, clock_now_us() + lock->session->request_us / UNDO_PART);
        break;
    default:
        break;
    }
}

/* Hints. */

void acquire_on_hint(moonlatch *s, const char *key, const char *turn)
{
    moonlatch_lock *lock;
    char name[OWNER_MAX + DIGITS];

    TAILQ_FOREACH(lock, &s->locks, entry)
    {
        if (lock->acquire.phase != PHASE_RESTING ||
            strcmp(lock->keys[lock->acquire.key], key) != 0) {
            continue;
        }
        snprintf(name, sizeof name, "%s %" PRIu64, lock->owner, lock->rid);
        if (turn == NULL || strcmp(turn, name) == 0) {
            timers_set(&s->timers, &lock->acquire.timer, clock_now_us());
        }
    }
}

/* The callers' functions. */

static const char *judge(const moonlatch_lock *lock, int64_t wait_ms)
{
    if (lock->acquire.phase != PHASE_IDLE || lock->acquire.done != NULL) {
        return "an acquire of this lock is under way";
    } else if (wait_ms < MOONLATCH_FOREVER) {
        return "the time to wait is 0 or more, or MOONLATCH_FOREVER";
    }
    return NULL;
}

static moonlatch_status acquire_and_wait(moonlatch_lock *lock, int64_t wait_ms)
{
    moonlatch *s = lock->session;

    lock->acquire.done = NULL;
    acquire_begin(lock, wait_ms);
    while (lock->acquire.phase != PHASE_IDLE) {
        if (atomic_exchange(&s->is_interrupted, false)) {
            acquire_give_up(lock, MOONLATCH_CANCELLED);
        } else {
            session_turn(s, NEVER_US);
        }
    }
    return lock->result;
}

moonlatch_status moonlatch_acquire(moonlatch_lock *lock, int64_t wait_ms)
{
    moonlatch *s = lock->session;
    moonlatch_status status;
    const char *wrong;

    if (!session_enter(s)) {
        return MOONLATCH_FORKED;
    }
    wrong = judge(lock, wait_ms);
    if (wrong != NULL) {
        status = session_fail(s, MOONLATCH_ARGUMENT, "%s", wrong);
    } else {
        status = acquire_and_wait(lock, wait_ms);
    }
    session_leave(s);
    return status;
}

moonlatch_status moonlatch_acquire_async(moonlatch_lock *lock, int64_t wait_ms,
                                         moonlatch_on_acquire *done, void *context)
{
    moonlatch *s = lock->session;
    moonlatch_status status = MOONLATCH_OK;
    const char *wrong;

    if (!session_enter(s)) {
        return MOONLATCH_FORKED;
    }
    wrong = done == NULL ? "there is nobody to tell" : judge(lock, wait_ms);
    if (wrong != NULL) {
        status = session_fail(s, MOONLATCH_ARGUMENT, "%s", wrong);
    } else {
        lock->acquire.done = done;
        lock->acquire.context = context;
        acquire_begin(lock, wait_ms);
    }
    session_leave(s);
    return status;
}

void moonlatch_acquire_cancel(moonlatch_lock *lock)
{
    if (session_enter(lock->session)) {
        acquire_give_up(lock, MOONLATCH_CANCELLED);
        session_leave(lock->session);
    }
}
