#include "client/renewal.h"

#include "client/reply.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AGAIN_PART = 10, /* Of the TTL: until it is tried again. */
    EARLY_PART = 6,  /* What is due so soon comes along. */
    PATIENCE_PART = 4,
    PATIENCE_LEAST_US = 20 * US_PER_MS,
    BATCH_MOST = 100,
    WORDS_OF_ONE = 4, /* KIND OWNER TOKEN TTL_MS */
};

/* A lock, which is not freed meanwhile, and its token when the request was made. */
struct renewed {
    moonlatch_lock *lock;
    uint64_t token;
    char token_text[DIGITS], ttl_text[DIGITS];
};

struct batch {
    TAILQ_ENTRY(batch) entry;
    moonlatch *session;
    struct request request;
    const char **words;
    bool is_single; /* By the script of its kind. */
    size_t count;
    struct renewed renewed[];
};

/* How renew.lua knows the kinds, and which of the lock's keys it needs of each. */
static const struct {
    const char *name;
    size_t count;
    size_t keys[3];
} kinds[] = {
    [MOONLATCH_MUTEX] = {"mutex", 1, {0}},
    [MOONLATCH_FAIR] = {"fair", 1, {0}},
    [MOONLATCH_READ] = {"read", 3, {0, 1, 2}},
    [MOONLATCH_WRITE] = {"rw", 1, {0}},
    [MOONLATCH_SEMAPHORE] = {"permits", 3, {0, 1, 2}},
    [MOONLATCH_MULTI] = {"mutex", 1, {0}},
    [MOONLATCH_ELECTION] = {"leader", 2, {0, 2}},
};

static void free_batch(struct batch *b)
{
    TAILQ_REMOVE(&b->session->batches, b, entry);
    free(b->words);
    free(b);
}

static void drop(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        b->renewed[i].lock->renewals--;
        lock_settle(b->renewed[i].lock);
    }
    free_batch(b);
}

void renewal_clear(moonlatch *s)
{
    struct batch *b;

    while ((b = TAILQ_FIRST(&s->batches)) != NULL) {
        free_batch(b);
    }
}

/* Answers. */

static int64_t ttl_us(const moonlatch_lock *lock)
{
    return (int64_t)lock->ttl_ms * US_PER_MS;
}

static void again_at(moonlatch_lock *lock, int64_t due_us)
{
    timers_set(&lock->session->timers, &lock->renewal, due_us);
}

/* Whether it is still the hold that was to be renewed. */
static bool is_meant(const struct renewed *r)
{
    return r->lock->is_held && atomic_load(&r->lock->token) == r->token;
}

/* Reads the answers of one lock, of which there may be several, and what they amount to: LOST, if
 * one is; ERROR, if one is. */
static moonlatch_status read_answers(const redisReply *reply, size_t at, size_t count)
{
    moonlatch_status status = MOONLATCH_OK;

    for (size_t i = at; i < at + count; i++) {
        const char *word = reply_word(reply, i);

        if (strcmp(word, "LOST") == 0) {
            return MOONLATCH_LOST;
        } else if (strcmp(word, "OK") != 0) {
            status = MOONLATCH_ERROR;
        }
    }
    return status;
}

static void take_answer(struct renewed *r, moonlatch_status status, int64_t sent_us)
{
    if (!is_meant(r)) {
        return;
    }
    if (status == MOONLATCH_OK) {
        lock_extend(r->lock, sent_us);
    } else if (status == MOONLATCH_LOST) {
        lock_lose(r->lock, true);
    }
}

static void take_answers(struct batch *b)
{
    const struct request *r = &b->request;
    size_t at = 1;

    if (b->is_single) {
        take_answer(&b->renewed[0], read_answers(r->reply, 0, 1), r->sent_us);
        return;
    }
    for (size_t i = 0; i < b->count; i++) {
        size_t names = b->renewed[i].lock->name_count;

        take_answer(&b->renewed[i], read_answers(r->reply, at, names), r->sent_us);
        at += names;
    }
}

/* One of them is the fault of all: the others are not to suffer. */
static void part_ways(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (is_meant(&b->renewed[i])) {
            b->renewed[i].lock->renews_alone = true;
            again_at(b->renewed[i].lock, clock_now_us());
        }
    }
}

static void on_renewed(struct request *r)
{
    struct batch *b = r->owner;

    if (r->status == MOONLATCH_OK) {
        take_answers(b);
    } else if (r->status == MOONLATCH_ERROR && !b->is_single) {
        part_ways(b);
    }
    drop(b);
}

/* Requests. */

static void add_keys(const moonlatch_lock *lock, const char **words, size_t *count)
{
    for (size_t name = 0; name < lock->name_count; name++) {
        for (size_t i = 0; i < kinds[lock->kind].count; i++) {
            words[(*count)++] = lock->keys[name + kinds[lock->kind].keys[i]];
        }
    }
}

static void add_hold(struct renewed *r, const char **words, size_t *count)
{
    for (size_t name = 0; name < r->lock->name_count; name++) {
        words[(*count)++] = kinds[r->lock->kind].name;
        words[(*count)++] = r->lock->owner;
        words[(*count)++] = r->token_text;
        words[(*count)++] = r->ttl_text;
    }
}

static void write_together(struct batch *b, const char **words)
{
    struct request *r = &b->request;

    r->script = script_find("renew");
    for (size_t i = 0; i < b->count; i++) {
        add_keys(b->renewed[i].lock, words, &r->count);
    }
    r->key_count = r->count;
    words[r->count++] = "renew";
    for (size_t i = 0; i < b->count; i++) {
        add_hold(&b->renewed[i], words, &r->count);
    }
}

static void write_single(struct batch *b, const char **words)
{
    struct request *r = &b->request;
    moonlatch_lock *lock = b->renewed[0].lock;
    const char *const more[] = {
        "renew",
        lock->owner,
        b->renewed[0].token_text,
        b->renewed[0].ttl_text,
    };

    r->script = lock->script;
    r->key_count = lock->key_count;
    memcpy(words, lock->keys, lock->key_count * sizeof *words);
    memcpy(words + lock->key_count, more, sizeof more);
    r->count = lock->key_count + 4;
}

/* Enough for either way to ask. */
static size_t count_words(const struct batch *b)
{
    size_t count = 1;

    for (size_t i = 0; i < b->count; i++) {
        const moonlatch_lock *lock = b->renewed[i].lock;

        count += lock->key_count + lock->name_count * WORDS_OF_ONE;
    }
    return count;
}

static int64_t patience_of(const struct batch *b)
{
    int64_t least_us = b->session->request_us;

    for (size_t i = 0; i < b->count; i++) {
        int64_t us = ttl_us(b->renewed[i].lock) / PATIENCE_PART;

        least_us = us < least_us ? us : least_us;
    }
    return least_us > PATIENCE_LEAST_US ? least_us : PATIENCE_LEAST_US;
}

/* The link is up, so that it is sent at once. Should memory be so short that it is not, it ends
 * without an answer. */
static void send_batch(struct batch *b)
{
    struct request *r = &b->request;

    b->words = malloc(count_words(b) * sizeof *b->words);
    if (b->words == NULL) {
        drop(b);
        return;
    }
    if (b->is_single) {
        write_single(b, b->words);
    } else {
        write_together(b, b->words);
    }
    r->words = b->words;
    r->done = on_renewed;
    r->owner = b;
    session_prepare(b->session, r);
    r->is_brief = true;
    r->patience_us = patience_of(b);
    link_submit(&b->session->calls, r);
    if (!r->is_sent) {
        link_withdraw(r);
        drop(b);
    }
}

/* What is under way is tried again in its own time. */
static bool is_due(const moonlatch_lock *lock, int64_t now_us)
{
    return lock->is_held && lock->renewal.is_set && lock->renewals == 0 &&
           lock->renewal.due_us <= now_us + ttl_us(lock) / EARLY_PART && !lock_is_over(lock);
}

static void add_to_batch(struct batch *b, moonlatch_lock *lock, int64_t now_us)
{
    struct renewed *r = &b->renewed[b->count++];

    r->lock = lock;
    lock->renewals++;
    r->token = atomic_load(&lock->token);
    snprintf(r->token_text, DIGITS, "%" PRIu64, r->token);
    snprintf(r->ttl_text, DIGITS, "%" PRIu32, lock->ttl_ms);
    again_at(lock, now_us + ttl_us(lock) / AGAIN_PART);
}

static struct batch *new_batch(moonlatch *s)
{
    struct batch *b = calloc(1, sizeof *b + BATCH_MOST * sizeof *b->renewed);

    if (b != NULL) {
        b->session = s;
        TAILQ_INSERT_TAIL(&s->batches, b, entry);
    }
    return b;
}

static void gather(struct batch *b, moonlatch_lock *first, int64_t now_us)
{
    moonlatch_lock *lock;

    add_to_batch(b, first, now_us);
    b->is_single = first->renews_alone;
    if (b->is_single) {
        return;
    }
    TAILQ_FOREACH(lock, &b->session->locks, entry)
    {
        if (b->count == BATCH_MOST) {
            return;
        }
        if (lock != first && !lock->renews_alone && is_due(lock, now_us)) {
            add_to_batch(b, lock, now_us);
        }
    }
}

static void on_due(struct timer *t)
{
    moonlatch_lock *lock = (moonlatch_lock *)((char *)t - offsetof(moonlatch_lock, renewal));
    moonlatch *s = lock->session;
    int64_t now_us = clock_now_us();
    struct batch *b;

    if (lock_is_over(lock)) {
        return; /* Its expiry is due as well. */
    }
    again_at(lock, now_us + ttl_us(lock) / AGAIN_PART);
    link_wake(&s->calls);
    if (s->calls.state != LINK_UP) {
        return;
    }
    b = new_batch(s);
    if (b != NULL) {
        gather(b, lock, now_us);
        send_batch(b);
    }
}

void renewal_init(moonlatch_lock *lock)
{
    lock->renewal.fire = on_due;
}

/* What was under way when the connection broke is tried again later, unless there is one now. */
void renewal_catch_up(moonlatch *s)
{
    int64_t now_us = clock_now_us();
    moonlatch_lock *lock;

    TAILQ_FOREACH(lock, &s->locks, entry)
    {
        if (lock->is_held && lock->renewal.is_set &&
            now_us - lock->confirmed_us > ttl_us(lock) / 3) {
            again_at(lock, now_us);
        }
    }
}
