#include "engine/commit.h"

#include "base/clock.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/observe.h"
#include "resp/writer.h"

#include <assert.h>

/* Relaxed entries gather for longer, since nobody waits for them. */
enum {
    GATHER_BYTES = 1024 * 1024,
    GATHER_US = 50 * 1000,
};

static struct commit_entry *entry_of(struct commit *c, uint64_t seq)
{
    return &c->entry[seq % COMMIT_PLACES];
}

static uint64_t under_way(const struct commit *c)
{
    return c->sealed - c->committed;
}

/* Of a script that holds the loop, what it has changed so far does not count. */
static bool has_gathered(const struct engine *e)
{
    size_t redo =
        e->running.is_script ? journal_redo_until(&e->journal, e->batch).len : e->journal.redo.len;

    return redo > 0 || e->commit.wants_barrier;
}

/* The entry that all that has been executed is in. */
static uint64_t newest(const struct engine *e)
{
    return e->commit.sealed + has_gathered(e);
}

bool commit_is_pending(const struct engine *e)
{
    return newest(e) > e->commit.committed;
}

/* Sealing. */

/* Whether what has gathered is to go now. */
static bool is_time(struct engine *e)
{
    struct commit *c = &e->commit;
    int64_t now_us;

    if (c->durability == DURABILITY_STRICT || c->wants_barrier ||
        e->journal.redo.len >= GATHER_BYTES) {
        return true;
    }
    now_us = clock_monotonic_us();
    if (c->opened_us == 0) {
        c->opened_us = now_us;
    }
    return now_us - c->opened_us >= GATHER_US;
}

static void append(struct engine *e, struct bytes redo)
{
    struct commit *c = &e->commit;

    c->sealed++;
    c->entries++;
    c->bytes += redo.len;
    c->wants_barrier = false;
    c->opened_us = 0;
    entry_of(c, c->sealed)->appended_us = clock_monotonic_us();
    c->ops->append(c->context, c->sealed, e->time.now_us, redo);
}

/* A script holds the loop: what came before it need not wait for it. */
static void seal_before_script(struct engine *e)
{
    struct commit *c = &e->commit;
    struct bytes redo;

    if (under_way(c) == COMMIT_ENTRIES) {
        return;
    }
    redo = journal_redo_until(&e->journal, e->batch);
    if (redo.len == 0) {
        return;
    }
    append(e, redo);
    journal_cut_before(&e->journal, e->batch, &entry_of(c, c->sealed)->part);
    e->batch.newest = NULL; /* Nothing is before it any more. */
}

void commit_seal(struct engine *e)
{
    struct commit *c = &e->commit;

    if (c->ops == NULL) {
        return;
    }
    if (e->running.is_script) {
        seal_before_script(e);
        return;
    }
    if (!has_gathered(e)) {
        if (e->journal.newest != NULL) { /* Notes, which have been told. */
            journal_commit(&e->journal);
            e->batch = journal_mark(&e->journal);
        }
        return;
    }
    if (under_way(c) == COMMIT_ENTRIES || c->refusal != NULL || !is_time(e)) {
        return;
    }
    append(e, buf_bytes(&e->journal.redo));
    journal_cut(&e->journal, &entry_of(c, c->sealed)->part);
    e->batch = journal_mark(&e->journal);
}

/* Holding back. */

/* Has the session told when its oldest hold ends. */
static void await(struct session *s)
{
    struct waiters *w = &entry_of(&s->engine->commit, s->hold.hold[0].seq)->waiters;

    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 16 : 2 * w->cap;
        w->session = mem_realloc(w->session, w->cap * sizeof(struct session *));
    }
    w->session[w->count++] = s;
}

static void hold_back(struct session *s, uint64_t seq)
{
    struct output_hold *h = &s->hold;
    struct hold *last = h->count > 0 ? &h->hold[h->count - 1] : NULL;

    if (last != NULL && (last->seq == seq || h->count == COMMIT_HOLDS)) {
        last->seq = seq;
        last->requests += h->requests;
        return;
    }
    h->hold[h->count++] = (struct hold){seq, h->marked, h->requests};
    if (h->count == 1) {
        await(s);
    }
}

static uint64_t written(const struct session *s)
{
    return s->hold.dropped + s->out.len;
}

/* Whether what was written since the last mark may have to wait. */
static bool waits(const struct session *s)
{
    const struct output_hold *h = &s->hold;

    return h->touched && (h->is_strict || s->engine->commit.durability == DURABILITY_STRICT);
}

void commit_mark(struct session *s)
{
    struct engine *e = s->engine;
    struct output_hold *h = &s->hold;

    if (waits(s) && written(s) > h->marked && commit_is_pending(e)) {
        hold_back(s, newest(e));
    } else if (h->count > 0) { /* It waits its turn. */
        h->hold[h->count - 1].requests += h->requests;
    }
    h->marked = written(s);
    h->requests = 0;
    h->touched = false;
    h->is_strict = false;
}

size_t commit_released(const struct session *s)
{
    const struct output_hold *h = &s->hold;

    if (h->count > 0) {
        return h->hold[0].start - h->dropped;
    }
    return waits(s) ? h->marked - h->dropped : s->out.len;
}

void commit_dropped(struct session *s, size_t len)
{
    struct output_hold *h = &s->hold;

    h->dropped += len;
    if (h->marked < h->dropped) {
        h->marked = h->dropped;
    }
}

static void forget_waiter(struct waiters *w, const struct session *s)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->session[i] == s) {
            w->session[i] = w->session[--w->count];
            return;
        }
    }
}

void commit_forget(struct session *s)
{
    struct output_hold *h = &s->hold;

    if (h->count > 0) {
        forget_waiter(&entry_of(&s->engine->commit, h->hold[0].seq)->waiters, s);
        h->count = 0;
    }
}

void commit_cut(struct session *s, size_t len)
{
    commit_forget(s);
    buf_cut(&s->out, len);
    s->hold.requests = 0;
    s->hold.touched = false;
    s->hold.marked = written(s);
}

/* What becomes of entries. */

static void release(struct session *s)
{
    struct output_hold *h = &s->hold;

    h->count--;
    memmove(h->hold, h->hold + 1, h->count * sizeof *h->hold);
    if (h->count > 0) {
        await(s);
    }
    session_wrote(s);
}

static void note_latency(struct commit *c, int64_t us)
{
    if (c->latency == NULL) {
        c->latency = mem_zalloc(sizeof *c->latency);
    }
    histogram_add(c->latency, us > 0 ? (uint64_t)us * 1000 : 0, 1);
}

void commit_reached(struct engine *e, uint64_t seq)
{
    struct commit *c = &e->commit;

    assert(seq <= c->sealed);
    while (c->committed < seq) {
        struct commit_entry *entry = entry_of(c, ++c->committed);

        note_latency(c, clock_monotonic_us() - entry->appended_us);
        journal_part_commit(&e->journal, &entry->part);
        for (size_t i = 0; i < entry->waiters.count; i++) {
            assert(entry->waiters.session[i]->hold.hold[0].seq == c->committed);
            release(entry->waiters.session[i]);
        }
        entry->waiters.count = 0;
    }
}

/* A session whose replies are lost gets as many errors, and ends: it cannot know what has
 * become of the rest that it has asked for. What it was merely told of others has not
 * happened. */
static void fail(struct session *s, const char *error)
{
    struct output_hold *h = &s->hold;
    unsigned requests = h->requests;
    uint64_t start = h->count > 0 ? h->hold[0].start : h->marked;

    for (unsigned i = 0; i < h->count; i++) {
        requests += h->hold[i].requests;
    }
    buf_cut(&s->out, start - h->dropped);
    for (unsigned i = 0; i < requests; i++) {
        resp_write_error(&s->out, bytes_of(error));
    }
    h->count = 0;
    h->requests = 0;
    h->touched = false;
    h->marked = written(s);
    s->closing |= requests > 0;
    session_wrote(s);
}

static void fail_sessions(struct engine *e, const char *error)
{
    for (struct session *s = e->sessions; s != NULL; s = s->next) {
        if (s->hold.count > 0 || s->hold.touched) {
            fail(s, error);
        }
    }
}

void commit_rewind(struct engine *e)
{
    struct commit *c = &e->commit;
    struct journal_part gathered;

    journal_cut(&e->journal, &gathered);
    journal_part_rollback(&e->journal, &gathered);
    entry_of(c, c->sealed + 1)->waiters.count = 0;
    while (c->sealed > c->committed) {
        struct commit_entry *entry = entry_of(c, c->sealed--);
        journal_part_rollback(&e->journal, &entry->part);
        entry->waiters.count = 0;
    }
    e->batch = journal_mark(&e->journal);
    c->wants_barrier = false;
}

void commit_lost(struct engine *e, const char *error)
{
    assert(e->client == NULL);
    commit_rewind(e);
    fail_sessions(e, error);
}

bool commit_follow(struct engine *e, struct bytes redo)
{
    struct journal *j = &e->journal;
    struct change change;

    assert(!commit_is_pending(e));
    j->keeps_redo = false;
    j->keeps_undo = observe_wanted(e);
    e->batch = journal_mark(j);
    while (redo.len > 0) {
        if (!change_decode(&redo, e->data, &change)) {
            return false;
        }
        journal_record(j, &change);
    }
    observe_batch(e);
    journal_commit(j);
    e->batch = journal_mark(j);
    block_serve(e);
    return true;
}

void commit_clear(struct commit *c)
{
    for (size_t i = 0; i < COMMIT_PLACES; i++) {
        mem_free(c->entry[i].waiters.session);
    }
    mem_free(c->latency);
}
