#include "engine/evict.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/batch.h"
#include "engine/engine.h"

#include <assert.h>

enum {
    COUNTER_NEW = 5, /* So that a new value is not the next to go. */
    COUNTER_MAX = 255,
    COUNTER_BITS = 8,
    MINUTE_MASK = 0xffffff,
    BUDGET_US = 500, /* Of one request. */
};

const char *const evict_policy_names[] = {
    [EVICT_VOLATILE_LRU] = "volatile-lru",
    [EVICT_VOLATILE_LFU] = "volatile-lfu",
    [EVICT_VOLATILE_RANDOM] = "volatile-random",
    [EVICT_VOLATILE_TTL] = "volatile-ttl",
    [EVICT_ALLKEYS_LRU] = "allkeys-lru",
    [EVICT_ALLKEYS_LFU] = "allkeys-lfu",
    [EVICT_ALLKEYS_RANDOM] = "allkeys-random",
    [EVICT_NONE] = "noeviction",
    NULL,
};

/* Uses. */

bool evict_counts_uses(const struct engine *e)
{
    return e->settings.maxmemory_policy == EVICT_VOLATILE_LFU ||
           e->settings.maxmemory_policy == EVICT_ALLKEYS_LFU;
}

static uint32_t now_s(const struct engine *e)
{
    return (uint32_t)(logtime_ms(&e->time) / 1000);
}

static uint32_t now_minute(const struct engine *e)
{
    return (uint32_t)(logtime_ms(&e->time) / 60000) & MINUTE_MASK;
}

static void set_counter(struct engine *e, const struct value *v, unsigned counter)
{
    keyspace_touch(v, now_minute(e) << COUNTER_BITS | counter);
}

unsigned evict_frequency(const struct engine *e, const struct value *v)
{
    unsigned counter = value_accessed(v) & COUNTER_MAX;
    uint32_t minutes = (now_minute(e) - (value_accessed(v) >> COUNTER_BITS)) & MINUTE_MASK;
    int decay = e->settings.lfu_decay_time;
    uint32_t lost = decay > 0 ? minutes / (uint32_t)decay : 0;

    return lost > counter ? 0 : counter - lost;
}

/* The higher a counter is, the less likely a use is to raise it. */
static bool is_raised(struct engine *e, unsigned counter)
{
    double above = counter > COUNTER_NEW ? counter - COUNTER_NEW : 0;
    double chance = 1 / (above * e->settings.lfu_log_factor + 1);

    return counter < COUNTER_MAX && (double)(random_next(&e->random) >> 11) * 0x1p-53 < chance;
}

void evict_note_new(struct engine *e, const struct value *v)
{
    if (evict_counts_uses(e)) {
        set_counter(e, v, COUNTER_NEW);
    } else {
        keyspace_touch(v, now_s(e));
    }
}

void evict_note_use(struct engine *e, const struct value *v)
{
    unsigned counter;

    if (evict_counts_uses(e)) {
        counter = evict_frequency(e, v);
        set_counter(e, v, counter + is_raised(e, counter));
    } else {
        keyspace_touch(v, now_s(e));
    }
}

void evict_set_idle(struct engine *e, const struct value *v, int64_t idle_s)
{
    if (!evict_counts_uses(e)) {
        keyspace_touch(v, (uint32_t)(now_s(e) - (uint64_t)idle_s));
    }
}

void evict_set_frequency(struct engine *e, const struct value *v, unsigned frequency)
{
    assert(frequency <= COUNTER_MAX);
    if (evict_counts_uses(e)) {
        set_counter(e, v, frequency);
    }
}

int64_t evict_idle_s(const struct engine *e, const struct value *v)
{
    return (uint32_t)(now_s(e) - value_accessed(v));
}

/* Choosing. */

static bool is_volatile(enum evict_policy policy)
{
    return policy <= EVICT_VOLATILE_TTL;
}

/* Returns how much a value deserves to go. */
static int64_t worth_evicting(const struct engine *e, const struct value *v)
{
    switch (e->settings.maxmemory_policy) {
    case EVICT_VOLATILE_LRU:
    case EVICT_ALLKEYS_LRU:
        return evict_idle_s(e, v);
    case EVICT_VOLATILE_LFU:
    case EVICT_ALLKEYS_LFU:
        return COUNTER_MAX - (int64_t)evict_frequency(e, v);
    case EVICT_VOLATILE_TTL:
        return INT64_MAX - value_expires_ms(v);
    default:
        return 0;
    }
}

/* What is to go. */
struct victim {
    const struct value *value;
    unsigned db;
    int64_t worth;
};

static void consider(const struct engine *e, const struct value *v, unsigned db,
                     struct victim *victim)
{
    int64_t worth;

    if (v == NULL) {
        return;
    }
    worth = worth_evicting(e, v);
    if (victim->value == NULL || worth > victim->worth) {
        *victim = (struct victim){v, db, worth};
    }
}

/* What maxmemory-samples is taken for at the most: more find hardly a better value, and
 * nobody is served while they are looked for. */
enum { SAMPLES_MAX = 100 };

/* Which value expires first is known; of the others, the best of a few samples of each
 * database is taken. */
static void consider_database(struct engine *e, unsigned db, struct victim *victim)
{
    const struct keyspace *keys = e->data->db[db];
    enum evict_policy policy = (enum evict_policy)e->settings.maxmemory_policy;

    if (policy == EVICT_VOLATILE_TTL) {
        consider(e, keyspace_first_expired(keys, INT64_MAX), db, victim);
        return;
    }
    for (int i = 0; i < e->settings.maxmemory_samples && i < SAMPLES_MAX; i++) {
        consider(e,
                 is_volatile(policy) ? keyspace_random_expiring(keys, &e->random)
                                     : keyspace_random(keys, &e->random),
                 db, victim);
    }
}

/* The databases are looked at from another one on each time: where all values deserve
 * the same, the first one goes. */
static struct victim choose(struct engine *e)
{
    struct victim victim = {0};
    unsigned first = (unsigned)random_below(&e->random, e->data->count);

    for (unsigned i = 0; i < e->data->count; i++) {
        consider_database(e, (first + i) % e->data->count, &victim);
    }
    return victim;
}

bool evict(struct engine *e)
{
    int64_t end_us = clock_monotonic_us() + BUDGET_US;
    bool any = false;

    assert(!e->running.is_script);
    assert(!batch_has_records(e));
    while (engine_may_change(e) && e->settings.maxmemory_policy != EVICT_NONE &&
           engine_is_over_limit(e)) {
        struct victim victim = choose(e);
        if (victim.value == NULL) {
            return false;
        }
        batch_remove_key(e, victim.db, EVENT_EVICTED, "evicted", value_key(victim.value));
        e->stats.evicted_keys++;
        any = true;
        if (clock_monotonic_us() >= end_us) {
            break;
        }
    }
    return any;
}
