#include "store/keyspace.h"

#include "base/mem.h"
#include "data/tree.h"
#include "store/edit.h"
#include "store/reclaim.h"

#include <assert.h>

struct keyspace {
    struct table *table;
    struct tree *expiry; /* Values that expire, by when. */
    struct tree *fields; /* Hashes of which fields expire, by when the first does. */
    const struct value_limits *limits;
    struct value *last; /* The value last found, while it is bound; or NULL. */
};

static struct bytes key_of(const void *item)
{
    return value_key(item);
}

static const struct table_type value_table = {.key = key_of};
static const struct tree_type by_address = {.compare = NULL};

struct keyspace *keyspace_new(const struct value_limits *limits)
{
    struct keyspace *keys = mem_alloc(sizeof *keys);

    keys->table = table_new(&value_table);
    keys->expiry = tree_new(&by_address);
    keys->fields = tree_new(&by_address);
    keys->limits = limits;
    keys->last = NULL;
    return keys;
}

static void free_value(void *item)
{
    value_free(item);
}

void keyspace_free(struct keyspace *keys)
{
    if (keys == NULL) {
        return;
    }
    tree_free(keys->expiry, NULL);
    tree_free(keys->fields, NULL);
    reclaim_table(keys->table, free_value, true);
    mem_free(keys);
}

/* Most keys are asked for several times in a row: by the checks of a command and
 * then by its changes, or by the turns of a script's loop. Comparing one key costs
 * less than hashing it. */
static struct value *look_up(const struct keyspace *keys, struct bytes key)
{
    struct value *v = keys->last;

    if (v != NULL && bytes_equal(value_key(v), key)) {
        return v;
    }
    v = table_find(keys->table, key);
    if (v != NULL) {
        ((struct keyspace *)keys)->last = v;
    }
    return v;
}

const struct value *keyspace_find_any(const struct keyspace *keys, struct bytes key)
{
    return look_up(keys, key);
}

const struct value *keyspace_find(const struct keyspace *keys, struct bytes key, int64_t now_ms)
{
    const struct value *v = look_up(keys, key);

    return v == NULL || value_has_expired(v, now_ms) ? NULL : v;
}

void keyspace_prefetch(const struct keyspace *keys, const struct bytes *wanted, size_t count)
{
    table_prefetch(keys->table, wanted, count);
}

/* When a value was last read is not part of the data: no change is made of it. */
void keyspace_touch(const struct value *v, uint32_t accessed)
{
    edit_value_touch((struct value *)v, accessed);
}

size_t keyspace_count(const struct keyspace *keys)
{
    return table_count(keys->table);
}

size_t keyspace_count_expiring(const struct keyspace *keys)
{
    return tree_count(keys->expiry);
}

/* Times may be negative: a bias makes them sort as the unsigned numbers that the
 * tree is ordered by. */
static uint64_t order_of(int64_t expires_ms)
{
    return (uint64_t)expires_ms ^ (UINT64_C(1) << 63);
}

static int64_t time_of(uint64_t order)
{
    return (int64_t)(order ^ (UINT64_C(1) << 63));
}

const struct value *keyspace_first_expired(const struct keyspace *keys, int64_t now_ms)
{
    struct tree_at first = tree_first(keys->expiry);

    if (tree_at_end(first) || time_of(tree_order(first)) > now_ms) {
        return NULL;
    }
    return tree_item(first);
}

const struct value *keyspace_first_expired_field(const struct keyspace *keys, int64_t now_ms,
                                                 struct bytes *field)
{
    struct tree_at first = tree_first(keys->fields);
    int64_t expires_ms;

    if (tree_at_end(first) || time_of(tree_order(first)) > now_ms) {
        return NULL;
    }
    value_hash_first_to_expire(tree_item(first), field, &expires_ms);
    return tree_item(first);
}

int64_t keyspace_mean_ttl_ms(const struct keyspace *keys, int64_t now_ms)
{
    enum { SAMPLES = 16 };
    size_t count = tree_count(keys->expiry);
    double sum = 0;

    if (count == 0) {
        return 0;
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        struct tree_at at = tree_select(keys->expiry, (2 * i + 1) * count / (2 * SAMPLES));
        int64_t ttl_ms = time_of(tree_order(at)) - now_ms;
        sum += ttl_ms > 0 ? (double)ttl_ms : 0;
    }
    return (int64_t)(sum / SAMPLES);
}

const struct value *keyspace_random(const struct keyspace *keys, struct random *r)
{
    return table_random(keys->table, r);
}

const struct value *keyspace_random_expiring(const struct keyspace *keys, struct random *r)
{
    size_t count = tree_count(keys->expiry);

    return count == 0 ? NULL : tree_item(tree_select(keys->expiry, random_below(r, count)));
}

struct scan {
    void (*visit)(const struct value *v, void *context);
    void *context;
};

static void scan_value(void *item, void *context)
{
    struct scan *s = context;

    s->visit(item, s->context);
}

uint64_t keyspace_scan(const struct keyspace *keys, uint64_t cursor,
                       void (*visit)(const struct value *v, void *context), void *context)
{
    struct scan scan = {visit, context};

    return table_scan(keys->table, cursor, scan_value, &scan);
}

const struct value *keyspace_next(const struct keyspace *keys, struct table_walk *walk)
{
    return table_next(keys->table, walk);
}

size_t keyspace_memory(const struct keyspace *keys)
{
    return table_memory(keys->table) + tree_memory(keys->expiry) + tree_memory(keys->fields);
}

void keyspace_check(const struct keyspace *keys)
{
    struct table_walk walk = {0};
    const struct value *v;
    struct bytes field;
    size_t expiring = 0;
    size_t hashes = 0;

    table_check(keys->table);
    tree_check(keys->expiry);
    tree_check(keys->fields);
    while ((v = table_next(keys->table, &walk)) != NULL) {
        int64_t expires_ms = value_expires_ms(v);

        value_check(v);
        assert(!value_is_over(v));
        if (expires_ms != EXPIRES_NEVER) {
            struct tree_at at = tree_seek(keys->expiry, order_of(expires_ms), v);
            assert(!tree_at_end(at));
            assert(tree_item(at) == v);
            expiring++;
        }
        if (value_hash_first_to_expire(v, &field, &expires_ms)) {
            struct tree_at at = tree_seek(keys->fields, order_of(expires_ms), v);
            assert(!tree_at_end(at));
            assert(tree_item(at) == v);
            hashes++;
        }
    }
    assert(tree_count(keys->expiry) == expiring);
    assert(tree_count(keys->fields) == hashes);
}

static void index_add(struct keyspace *keys, struct value *v)
{
    int64_t expires_ms = value_expires_ms(v);
    struct bytes field;

    if (expires_ms != EXPIRES_NEVER) {
        tree_add(keys->expiry, order_of(expires_ms), v);
    }
    if (value_hash_first_to_expire(v, &field, &expires_ms)) {
        tree_add(keys->fields, order_of(expires_ms), v);
    }
}

static void index_remove(struct keyspace *keys, struct value *v)
{
    int64_t expires_ms = value_expires_ms(v);
    struct bytes field;

    if (expires_ms != EXPIRES_NEVER) {
        tree_remove(keys->expiry, order_of(expires_ms), v);
    }
    if (value_hash_first_to_expire(v, &field, &expires_ms)) {
        tree_remove(keys->fields, order_of(expires_ms), v);
    }
}

void edit_reindex_fields(struct keyspace *keys, struct value *v, int64_t before_ms)
{
    int64_t after_ms = EXPIRES_NEVER;
    struct bytes field;

    value_hash_first_to_expire(v, &field, &after_ms);
    if (after_ms == before_ms) {
        return;
    }
    if (before_ms != EXPIRES_NEVER) {
        tree_remove(keys->fields, order_of(before_ms), v);
    }
    if (after_ms != EXPIRES_NEVER) {
        tree_add(keys->fields, order_of(after_ms), v);
    }
}

struct value *edit_bind(struct keyspace *keys, struct value *value)
{
    struct value *old = table_put(keys->table, value);

    keys->last = value;
    if (old != NULL) {
        index_remove(keys, old);
    }
    index_add(keys, value);
    return old;
}

struct value *edit_unbind(struct keyspace *keys, struct bytes key)
{
    struct value *v = table_remove(keys->table, key);

    assert(v != NULL);
    keys->last = NULL;
    index_remove(keys, v);
    return v;
}

void edit_rekey(struct keyspace *from, struct bytes key, struct keyspace *to, struct bytes to_key)
{
    struct value *v = edit_unbind(from, key);
    struct value *displaced = edit_bind(to, edit_value_rekey(v, to_key));

    assert(displaced == NULL);
    mem_free(v);
}

struct value *edit_find(struct keyspace *keys, struct bytes key, enum value_type type)
{
    struct value *v = look_up(keys, key);

    assert(v != NULL);
    assert(value_type(v) == type);
    return v;
}

/* Puts what an edit returned in the place of the value it was made from. */
static void put_moved(struct keyspace *keys, struct value *v, struct value *moved)
{
    struct value *old;

    if (moved != v) {
        old = table_put(keys->table, moved);
        assert(old == v);
        keys->last = moved;
        mem_free(old);
    }
}

void edit_retime(struct keyspace *keys, struct bytes key, int64_t expires_ms)
{
    struct value *v = look_up(keys, key);
    struct value *moved;

    assert(v != NULL);
    index_remove(keys, v);
    moved = edit_value_retime(v, expires_ms);
    put_moved(keys, v, moved);
    index_add(keys, moved);
}

void edit_splice(struct keyspace *keys, struct value *v, size_t offset, size_t removed,
                 struct bytes inserted, bool raw)
{
    struct value *moved = edit_value_splice(v, offset, removed, inserted, raw);

    if (moved != v) {
        index_remove(keys, v);
        put_moved(keys, v, moved);
        index_add(keys, moved);
    }
}

const struct value_limits *edit_limits(const struct keyspace *keys)
{
    return keys->limits;
}
