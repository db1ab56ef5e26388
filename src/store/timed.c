#include "store/timed.h"

#include "data/tree.h"
#include "store/body.h"
#include "store/field.h"
#include "store/reclaim.h"

struct timed {
    struct table *fields;
    struct tree *times; /* Fields that expire. */
};

static const struct tree_type by_address = {.compare = NULL};

struct timed *timed_new(void)
{
    struct timed *t = mem_alloc(sizeof *t);

    t->fields = table_new(&field_type);
    t->times = tree_new(&by_address);
    return t;
}

void timed_free(struct timed *t)
{
    tree_free(t->times, NULL);
    reclaim_table(t->fields, mem_free, false);
    mem_free(t);
}

int64_t timed_expires_ms(const struct field *f)
{
    int64_t expires_ms;

    memcpy(&expires_ms, f->at + f->name_len + f->content_len, sizeof expires_ms);
    return expires_ms;
}

static void write_expiry(struct field *f, int64_t expires_ms)
{
    memcpy(f->at + f->name_len + f->content_len, &expires_ms, sizeof expires_ms);
}

static struct field *timed_field_new(struct bytes name, struct bytes content, int64_t expires_ms)
{
    struct field *f = field_new(name, content, sizeof expires_ms);

    write_expiry(f, expires_ms);
    return f;
}

static void index_add(struct timed *t, struct field *f)
{
    if (timed_expires_ms(f) != EXPIRES_NEVER) {
        tree_add(t->times, (uint64_t)timed_expires_ms(f), f);
    }
}

static void index_remove(struct timed *t, struct field *f)
{
    if (timed_expires_ms(f) != EXPIRES_NEVER) {
        tree_remove(t->times, (uint64_t)timed_expires_ms(f), f);
    }
}

struct timed *timed_copy(const struct timed *t)
{
    struct timed *copy = timed_new();
    struct table_walk walk = {0};
    const struct field *f;

    while ((f = table_next(t->fields, &walk)) != NULL) {
        timed_put(copy, timed_field_new(field_name(f), field_content(f), timed_expires_ms(f)));
    }
    return copy;
}

static bool is_live(const struct field *f, int64_t now_ms)
{
    int64_t expires_ms = timed_expires_ms(f);

    return expires_ms == EXPIRES_NEVER || expires_ms > now_ms;
}

size_t timed_count(const struct timed *t, int64_t now_ms)
{
    return table_count(t->fields) - tree_rank(t->times, (uint64_t)now_ms + 1, NULL);
}

const struct field *timed_find(const struct timed *t, struct bytes name, int64_t now_ms)
{
    const struct field *f = table_find(t->fields, name);

    return f != NULL && is_live(f, now_ms) ? f : NULL;
}

const struct field *timed_next(const struct timed *t, struct table_walk *walk, int64_t now_ms)
{
    const struct field *f;

    do {
        f = table_next(t->fields, walk);
    } while (f != NULL && !is_live(f, now_ms));
    return f;
}

/* Expired fields do not stay for long, so a few tries find one that has not; but they
 * may stay while a script runs. */
const struct field *timed_random(const struct timed *t, struct random *r, int64_t now_ms)
{
    enum { TRIES = 64 };
    struct table_walk walk = {0};
    const struct field *f;
    uint64_t skip;

    for (int i = 0; i < TRIES; i++) {
        f = table_random(t->fields, r);
        if (is_live(f, now_ms)) {
            return f;
        }
    }
    skip = random_below(r, timed_count(t, now_ms));
    do {
        f = timed_next(t, &walk, now_ms);
    } while (skip-- > 0);
    return f;
}

struct live_scan {
    int64_t now_ms;
    void (*visit)(const struct field *f, void *context);
    void *context;
};

static void scan_live(void *item, void *context)
{
    struct live_scan *s = context;

    if (is_live(item, s->now_ms)) {
        s->visit(item, s->context);
    }
}

uint64_t timed_scan(const struct timed *t, uint64_t cursor, int64_t now_ms,
                    void (*visit)(const struct field *f, void *context), void *context)
{
    struct live_scan scan = {now_ms, visit, context};

    return table_scan(t->fields, cursor, scan_live, &scan);
}

const struct field *timed_first(const struct timed *t)
{
    return tree_count(t->times) == 0 ? NULL : tree_item(tree_first(t->times));
}

void timed_set(struct timed *t, struct bytes name, struct bytes content)
{
    struct field *old = table_find(t->fields, name);
    int64_t expires_ms = old == NULL ? EXPIRES_NEVER : timed_expires_ms(old);

    if (old != NULL) {
        index_remove(t, old);
    }
    timed_put(t, timed_field_new(name, content, expires_ms));
}

void timed_retime(struct timed *t, struct bytes name, int64_t expires_ms)
{
    struct field *f = table_find(t->fields, name);

    assert(f != NULL);
    index_remove(t, f);
    write_expiry(f, expires_ms);
    index_add(t, f);
}

struct field *timed_take(struct timed *t, struct bytes name)
{
    struct field *f = table_remove(t->fields, name);

    assert(f != NULL);
    index_remove(t, f);
    return f;
}

/* Whoever was in its place has left the index already. */
void timed_put(struct timed *t, struct field *f)
{
    mem_free(table_put(t->fields, f));
    index_add(t, f);
}

size_t timed_memory(const struct timed *t, size_t samples)
{
    return mem_size(t) + table_memory(t->fields) + tree_memory(t->times) +
           items_memory(t->fields, samples);
}

void timed_check(const struct timed *t)
{
    struct table_walk walk = {0};
    const struct field *f;
    size_t timed = 0;

    table_check(t->fields);
    tree_check(t->times);
    while ((f = table_next(t->fields, &walk)) != NULL) {
        if (timed_expires_ms(f) != EXPIRES_NEVER) {
            struct tree_at at = tree_seek(t->times, (uint64_t)timed_expires_ms(f), f);
            assert(!tree_at_end(at));
            assert(tree_item(at) == f);
            timed++;
        }
    }
    assert(tree_count(t->times) == timed);
}
