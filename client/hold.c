#include "client/hold.h"

#include "client/reply.h"
#include "client/turn.h"

#include <stdlib.h>
#include <string.h>

/* Asks. Returns what the answer's first word stands for, or why there is none. The reply is in the
 * lock, until the call ends. */
static moonlatch_status ask(moonlatch_lock *lock, size_t count, const char *const *words)
{
    moonlatch *s = lock->session;
    moonlatch_status status = lock_ask(lock, count, words);

    if (status != MOONLATCH_OK) {
        return session_fail_by(s, &lock->ask);
    }
    status = lock_verdict(lock->ask.reply);
    if (status != MOONLATCH_OK) {
        session_fail(s, status, "%s", moonlatch_status_text(status));
    }
    return status;
}

static const char *token_text(moonlatch_lock *lock)
{
    return lock_number(lock, 0, atomic_load(&lock->token));
}

static moonlatch_status say_lost(moonlatch_lock *lock)
{
    return session_fail(lock->session, MOONLATCH_LOST, "%s", moonlatch_status_text(MOONLATCH_LOST));
}

/* Releasing. */

/* The release had to be sent again, and the second one is told that it is lost. If the lease cannot
 * have been over by then, the first one has been done, and somebody else has the lock by now. */
static moonlatch_status judge_repeated(moonlatch_lock *lock, int64_t deadline_us)
{
    if (clock_now_us() < deadline_us) {
        return MOONLATCH_OK;
    }
    return session_fail(lock->session, MOONLATCH_UNCERTAIN,
                        "it was released, or the lease was over before");
}

static moonlatch_status give_back(moonlatch_lock *lock)
{
    const char *const words[] = {"release", lock->owner, token_text(lock)};
    int64_t deadline_us = atomic_load(&lock->deadline_us);
    moonlatch_status status;

    lock_let_go(lock);
    status = ask(lock, 3, words);
    if (status == MOONLATCH_LOST && lock->ask.is_in_doubt) {
        return judge_repeated(lock, deadline_us);
    }
    if (status != MOONLATCH_OK && status != MOONLATCH_LOST) {
        lock_send_errand(lock, "release", atomic_load(&lock->token));
    }
    return status;
}

moonlatch_status lock_release(moonlatch_lock *lock)
{
    if (!lock->is_held) {
        if (lock->is_unsettled) {
            lock_send_errand(lock, "release", atomic_load(&lock->token));
        }
        return say_lost(lock);
    }
    if (lock->count > 1) {
        lock->count--;
        return MOONLATCH_OK;
    }
    return give_back(lock);
}

/* Most calls begin so. Returns whether the lock may be asked for something; if not, *status says
 * why. */
static bool begin(moonlatch_lock *lock, moonlatch_status *status)
{
    moonlatch *s = lock->session;

    if (!session_enter(s)) {
        *status = MOONLATCH_FORKED;
        return false;
    }
    if (lock->acquire.phase != PHASE_IDLE || lock->ask.link != NULL) {
        *status = session_fail(s, MOONLATCH_ARGUMENT, "an acquire of this lock is under way");
        session_leave(s);
        return false;
    }
    return true;
}

static moonlatch_status end(moonlatch_lock *lock, moonlatch_status status)
{
    lock_forget_reply(lock);
    session_leave(lock->session);
    return status;
}

moonlatch_status moonlatch_release(moonlatch_lock *lock)
{
    moonlatch_status status;

    return begin(lock, &status) ? end(lock, lock_release(lock)) : status;
}

/* Renewing. */

/* Whether it is held, by what is known here. */
static bool still_has(moonlatch_lock *lock)
{
    if (lock->is_held && lock_is_over(lock)) {
        lock_lose(lock, false);
    }
    return lock->is_held;
}

static moonlatch_status renew(moonlatch_lock *lock)
{
    const char *const words[] = {
        "renew",
        lock->owner,
        token_text(lock),
        lock_number(lock, 1, lock->ttl_ms),
    };
    moonlatch_status status;

    if (!still_has(lock)) {
        return say_lost(lock);
    }
    status = ask(lock, 4, words);
    if (status == MOONLATCH_LOST && lock->is_held) {
        lock_lose(lock, true);
    } else if (!lock->is_held) {
        status = say_lost(lock);
    } else if (status == MOONLATCH_OK) {
        lock_extend(lock, lock->ask.sent_us);
    }
    return status;
}

moonlatch_status moonlatch_renew(moonlatch_lock *lock)
{
    moonlatch_status status;

    return begin(lock, &status) ? end(lock, renew(lock)) : status;
}

/* Read-write locks. */

/* Nobody knows which of both it has now; so it has none, and the server is told. */
static void give_up_upgrade(moonlatch_lock *lock)
{
    if (lock->is_held) {
        lock_lose(lock, false);
    }
    lock_send_errand(lock, "cancel", lock->rid);
}

static void take_upgrade(moonlatch_lock *lock, uint64_t token)
{
    uint32_t count = lock->count;

    if (lock->is_held) {
        lock_let_go(lock);
    }
    lock->kind = MOONLATCH_WRITE;
    lock_hold(lock, token, lock->ask.first_us);
    lock->count = count > 0 ? count : 1;
}

static moonlatch_status upgrade(moonlatch_lock *lock)
{
    const char *const words[] = {
        "upgrade",
        lock->owner,
        lock_number(lock, 2, ++lock->rid),
        token_text(lock),
        lock_number(lock, 1, lock->ttl_ms),
    };
    moonlatch_status status = ask(lock, 5, words);

    if (status == MOONLATCH_OK) {
        take_upgrade(lock, (uint64_t)reply_number(lock->ask.reply, 1));
    } else if (status == MOONLATCH_LOST && lock->is_held) {
        lock_lose(lock, true);
    } else if (lock->ask.reply == NULL && lock->ask.first_us != 0) {
        give_up_upgrade(lock);
    }
    return status;
}

static moonlatch_status downgrade(moonlatch_lock *lock)
{
    const char *const words[] = {"downgrade", lock->owner, token_text(lock)};
    moonlatch_status status = ask(lock, 3, words);

    if (status == MOONLATCH_OK) {
        lock->kind = MOONLATCH_READ;
    } else if (status == MOONLATCH_LOST && lock->is_held) {
        lock_lose(lock, true);
    } else {
        lock->renews_alone = true; /* The script of its kind renews whichever it is. */
    }
    return status;
}

static moonlatch_status change(moonlatch_lock *lock, moonlatch_kind from,
                               moonlatch_status (*how)(moonlatch_lock *lock))
{
    if (lock->kind != from) {
        return session_fail(lock->session, MOONLATCH_ARGUMENT, "it is no %s",
                            from == MOONLATCH_READ ? "reader" : "writer");
    }
    return still_has(lock) ? how(lock) : say_lost(lock);
}

moonlatch_status moonlatch_upgrade(moonlatch_lock *lock)
{
    moonlatch_status status;

    return begin(lock, &status) ? end(lock, change(lock, MOONLATCH_READ, upgrade)) : status;
}

moonlatch_status moonlatch_downgrade(moonlatch_lock *lock)
{
    moonlatch_status status;

    return begin(lock, &status) ? end(lock, change(lock, MOONLATCH_WRITE, downgrade)) : status;
}

/* Elections. */

static moonlatch_status say_no_election(moonlatch_lock *lock)
{
    return session_fail(lock->session, MOONLATCH_ARGUMENT, "it is no election");
}

static moonlatch_status proclaim(moonlatch_lock *lock, const char *value)
{
    const char *const words[] = {"proclaim", lock->owner, token_text(lock), value};
    moonlatch_status status;

    if (lock->kind != MOONLATCH_ELECTION) {
        return say_no_election(lock);
    } else if (!still_has(lock)) {
        return say_lost(lock);
    }
    status = ask(lock, 4, words);
    if (status == MOONLATCH_LOST && lock->is_held) {
        lock_lose(lock, true);
    }
    return status;
}

moonlatch_status moonlatch_proclaim(moonlatch_lock *lock, const char *value)
{
    moonlatch_status status;

    return begin(lock, &status) ? end(lock, proclaim(lock, value)) : status;
}

static bool keep_observed(moonlatch_lock *lock, const redisReply *reply, uint64_t *token)
{
    bool has_leader = strcmp(reply_word(reply, 0), "OK") == 0;
    char *value = strdup(has_leader ? reply_word(reply, 3) : "");

    if (value == NULL) {
        return false;
    }
    free(lock->observed);
    lock->observed = value;
    *token = has_leader ? (uint64_t)reply_number(reply, 1) : 0;
    return true;
}

static moonlatch_status observe(moonlatch_lock *lock, uint64_t *token)
{
    const char *const words[] = {"observe"};
    moonlatch_status status;

    if (lock->kind != MOONLATCH_ELECTION) {
        return say_no_election(lock);
    }
    status = ask(lock, 1, words);
    if (status == MOONLATCH_OK && !keep_observed(lock, lock->ask.reply, token)) {
        status = session_fail(lock->session, MOONLATCH_MEMORY, "out of memory");
    }
    return status;
}

moonlatch_status moonlatch_observe(moonlatch_lock *lock, uint64_t *token, const char **value)
{
    moonlatch_status status;

    if (!begin(lock, &status)) {
        return status;
    }
    status = observe(lock, token);
    if (status == MOONLATCH_OK) {
        *value = lock->observed;
    }
    return end(lock, status);
}
