#include "engine/expiry.h"

#include "base/clock.h"
#include "engine/batch.h"
#include "engine/engine.h"

#include <assert.h>

static void expire(struct engine *e, unsigned db, struct bytes key)
{
    batch_remove_key(e, db, EVENT_EXPIRED, "expired", key);
    e->stats.expired_keys++;
}

static void expire_field(struct engine *e, unsigned db, const struct value *hash,
                         struct bytes field)
{
    struct bytes key = value_key(hash);

    batch_begin(e, false);
    engine_event(e, db, EVENT_HASH, "hexpired", key);
    journal_make(&e->journal, change_field_remove(db, key, field));
    if (value_is_over(hash)) {
        engine_event(e, db, EVENT_GENERIC, "del", key);
        journal_make(&e->journal, change_unbind(db, key));
    }
    batch_end(e);
    e->stats.expired_fields++;
    block_serve(e);
}

void expiry_remove(struct engine *e, unsigned db, struct bytes key)
{
    const struct value *v = keyspace_find_any(e->data->db[db], key);

    if (v == NULL || !engine_may_change(e) || e->running.is_script || batch_has_records(e) ||
        pause_stops_writes(e) ||
        keyspace_find(e->data->db[db], key, logtime_ms(&e->time)) != NULL) {
        return;
    }
    expire(e, db, key);
}

/* Removes one key or field of a database that has expired. Returns false if there was
 * none. */
static bool expire_one(struct engine *e, unsigned db, int64_t now_ms)
{
    const struct value *v = keyspace_first_expired(e->data->db[db], now_ms);
    struct bytes field;

    if (v != NULL) {
        expire(e, db, value_key(v));
        return true;
    }
    v = keyspace_first_expired_field(e->data->db[db], now_ms, &field);
    if (v != NULL) {
        expire_field(e, db, v, field);
    }
    return v != NULL;
}

/* What is in engine->stale, in front of each key. */
struct stale {
    unsigned db;
    size_t len;
};

void expiry_note_stale(struct engine *e, unsigned db, struct bytes key)
{
    enum { STALE_MAX = 64 * 1024 }; /* More will be removed without being asked for. */
    struct stale stale = {db, key.len};

    if (engine_may_change(e) && e->stale.len < STALE_MAX) {
        buf_add(&e->stale, (struct bytes){(const char *)&stale, sizeof stale});
        buf_add(&e->stale, key);
    }
}

void expiry_remove_stale(struct engine *e)
{
    struct buf all = e->stale;
    size_t at = 0;

    e->stale = (struct buf){0};
    while (at < all.len) {
        struct stale stale;
        memcpy(&stale, all.at + at, sizeof stale);
        at += sizeof stale;
        expiry_remove(e, stale.db, (struct bytes){all.at + at, stale.len});
        at += stale.len;
    }
    buf_clear(&all);
}

static bool expire_until(struct engine *e, int64_t end_us)
{
    enum { PACE = 32 }; /* Removals between two looks at the clock. */
    int64_t now_ms = logtime_ms(&e->time);

    assert(!e->running.is_script);
    for (unsigned db = 0; e->settings.active_expire && db < e->data->count; db++) {
        unsigned done = 0;
        while (expire_one(e, db, now_ms)) {
            if (++done % PACE == 0 && clock_monotonic_us() >= end_us) {
                return true;
            }
        }
    }
    return false;
}

bool expiry_run(struct engine *e, int64_t budget_us)
{
    int64_t start_us = clock_monotonic_us();
    bool more =
        engine_may_change(e) && !pause_stops_writes(e) && expire_until(e, start_us + budget_us);
    int64_t spent_us = clock_monotonic_us() - start_us;

    e->stats.expire_us += (uint64_t)spent_us;
    e->stats.expire_capped += more;
    latency_note(e, LATENCY_EXPIRE_CYCLE, (uint64_t)spent_us / 1000);
    return more;
}
