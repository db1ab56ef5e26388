#include "engine/observe.h"

#include "engine/engine.h"

/* One that listens. */
struct observer {
    bool (*listens)(const struct engine *e);
    void (*change)(struct engine *e, const struct change *inverse);
    void (*end)(struct engine *e); /* Of the batch; or NULL. */
};

static bool watch_listens(const struct engine *e)
{
    return watch_any(&e->watchers);
}

static void watch_change(struct engine *e, const struct change *inverse)
{
    bool alone = e->journal.changes - e->batch.changes == 1;

    watch_see(&e->watchers, e->data, inverse, alone, logtime_ms(&e->time));
}

static bool block_listens(const struct engine *e)
{
    return block_any(&e->waiting);
}

static bool tracking_listens(const struct engine *e)
{
    return e->tracking.sessions > 0;
}

static const struct observer observers[] = {
    {watch_listens, watch_change, NULL},
    {block_listens, block_see, NULL},
    {tracking_listens, tracking_see, tracking_see_end},
};

enum { OBSERVERS = sizeof observers / sizeof *observers };

bool observe_wanted(const struct engine *e)
{
    for (size_t i = 0; i < OBSERVERS; i++) {
        if (observers[i].listens(e)) {
            return true;
        }
    }
    return false;
}

static void tell_change(struct engine *e, const struct change *inverse)
{
    for (size_t i = 0; i < OBSERVERS; i++) {
        if (observers[i].listens(e)) {
            observers[i].change(e, inverse);
        }
    }
}

/* A value that has moved concerns two keys. */
static void see_change(const struct change *inverse, void *context)
{
    struct engine *e = context;
    struct change other;

    if (!change_is_of_keys(inverse)) {
        return;
    }
    tell_change(e, inverse);
    if (inverse->kind == CHANGE_REKEY) {
        other = change_rekey(inverse->to_db, inverse->to_key, inverse->db, inverse->key);
        tell_change(e, &other);
    }
}

/* Who is told of notes, by their kind. */
static void (*const tell[])(struct engine *e, const struct note *n) = {
    [NOTE_EVENT] = event_see_note,          [NOTE_MESSAGE] = pubsub_see_note,
    [NOTE_SHARD_MESSAGE] = pubsub_see_note, [NOTE_FLUSH] = tracking_see_flush,
    [NOTE_READ] = tracking_see_read,
};

static void see_note(const struct note *n, void *context)
{
    tell[n->kind](context, n);
}

void observe_batch(struct engine *e)
{
    struct journal_visitor visitor = {NULL, see_note, e};

    if (observe_wanted(e)) {
        visitor.change = see_change;
    }
    journal_each(&e->journal, e->batch, &visitor);
    for (size_t i = 0; i < OBSERVERS; i++) {
        if (observers[i].end != NULL && observers[i].listens(e)) {
            observers[i].end(e);
        }
    }
}
