#include "store/bench.h"

#include "store/list.h"
#include "store/zset.h"

#include <math.h>

enum { MEMBERS = 9 };

/* So low that collections often outgrow their containers. */
static const struct value_limits low_limits = {
    .hash_max_packed_entries = 4,
    .hash_max_packed_value = 8,
    .set_max_intset_entries = 4,
    .set_max_packed_entries = 4,
    .set_max_packed_value = 8,
    .list_max_chunk = 3,
    .zset_max_packed_entries = 4,
    .zset_max_packed_value = 8,
    .stream_max_entries = 4,
};

const char *const bench_keys[BENCH_KEYS] = {"", "a", "b", "key",
                                            "a key that is longer than the others"};

/* Numbers, words and what is too long for a packed array. */
static const char *const members[MEMBERS] = {
    "1", "-2", "70000", "9223372036854775807", "one", "two", "", "eight by", "ninebytes"};

void bench_open(struct bench *b, uint64_t seed)
{
    *b = (struct bench){.data = dataset_new(BENCH_DATABASES),
                        .follower = dataset_new(BENCH_DATABASES)};
    b->data->limits = low_limits;
    b->journal = (struct journal){.data = b->data, .keeps_undo = true, .keeps_redo = true};
    random_seed(&b->random, seed);
}

void bench_close(struct bench *b)
{
    journal_clear(&b->journal);
    dataset_free(b->data);
    dataset_free(b->follower);
}

bool bench_one_in(struct bench *b, uint64_t n)
{
    return random_below(&b->random, n) == 0;
}

static struct bytes some_key(struct bench *b)
{
    return bytes_of(bench_keys[random_below(&b->random, BENCH_KEYS)]);
}

static struct bytes some_member(struct bench *b)
{
    return bytes_of(members[random_below(&b->random, MEMBERS)]);
}

/* Up to just more than an embedded string; now and then more than a block of an
 * arena. */
static struct bytes some_content(struct bench *b)
{
    static char content[70000];
    size_t len = bench_one_in(b, 100) ? sizeof content
                                      : random_below(&b->random, bench_one_in(b, 4) ? 210 : 12);

    memset(content, 'a' + (int)random_below(&b->random, 26), len);
    return (struct bytes){len > 0 ? content : NULL, len};
}

/* Few, so that many members have the same. */
static double some_score(struct bench *b)
{
    static const double scores[] = {-INFINITY, -1.5, -0.0, 0.0, 1e-300, 3, 1e300, INFINITY};

    return scores[random_below(&b->random, sizeof scores / sizeof *scores)];
}

static int64_t some_expiry(struct bench *b)
{
    return bench_one_in(b, 2) ? EXPIRES_NEVER : (int64_t)random_below(&b->random, 2 * BENCH_NOW_MS);
}

/* Changes, each of which is possible where the data is. */

static struct value *some_value(struct bench *b)
{
    struct value *v;
    size_t count = 1 + random_below(&b->random, 6);

    switch (random_below(&b->random, 6)) {
    case 0:
        return value_new_string(some_key(b), some_content(b), some_expiry(b));
    case 1:
        v = value_new(VALUE_SET, some_key(b), some_expiry(b));
        for (size_t i = 0; i < count; i++) {
            value_fill_member(v, some_member(b), &b->data->limits);
        }
        return v;
    case 2:
        v = value_new(VALUE_LIST, some_key(b), some_expiry(b));
        for (size_t i = 0; i < 4 * count; i++) {
            value_fill_element(v, some_member(b), &b->data->limits);
        }
        return v;
    case 3:
        v = value_new(VALUE_ZSET, some_key(b), some_expiry(b));
        for (size_t i = 0; i < count; i++) {
            value_fill_scored(v, some_member(b), some_score(b), &b->data->limits);
        }
        return v;
    case 4:
        v = value_new(VALUE_STREAM, some_key(b), some_expiry(b));
        for (size_t i = 0; i < count; i++) {
            value_fill_entry(v, (struct stream_id){i, 1}, BYTES("\1\1f\2aa"), &b->data->limits);
        }
        return v;
    default:
        v = value_new(VALUE_HASH, some_key(b), some_expiry(b));
        for (size_t i = 0; i < count; i++) {
            value_fill_field(v, some_member(b), some_member(b), &b->data->limits);
        }
        return v;
    }
}

static void change_string(struct bench *b, unsigned db, const struct value *v)
{
    struct bytes key = some_key(b);
    size_t len = value_string(v).len;
    size_t offset = random_below(&b->random, len + 1);
    size_t removed = random_below(&b->random, len - offset + 1);

    key = value_key(v);
    if (bench_one_in(b, 3)) {
        journal_make(&b->journal, change_assign(db, key, len, some_content(b)));
    } else {
        journal_make(&b->journal, change_splice(db, key, offset, removed, some_content(b)));
    }
}

/* The key goes away with its last element. */
static void change_set(struct bench *b, unsigned db, const struct value *v)
{
    struct bytes member = some_member(b);

    if (!value_set_has(v, member)) {
        journal_make(&b->journal, change_set_add(db, value_key(v), member));
        return;
    }
    journal_make(&b->journal, change_set_remove(db, value_key(v), member));
    if (value_set_count(v) == 0) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    }
}

static void change_hash(struct bench *b, unsigned db, const struct value *v)
{
    struct bytes field = some_member(b);
    struct bytes content;

    if (!value_hash_get(v, field, 0, &content) || bench_one_in(b, 2)) {
        journal_make(&b->journal, change_field_set(db, value_key(v), field, some_content(b)));
        return;
    }
    if (bench_one_in(b, 4)) {
        journal_make(&b->journal, change_field_retime(db, value_key(v), field, some_expiry(b)));
        return;
    }
    journal_make(&b->journal, change_field_remove(db, value_key(v), field));
    if (value_hash_count(v, 0) == 0) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    }
}

/* An index of an element, or of the place behind the last, from either end. */
static int64_t some_index(struct bench *b, size_t count, bool may_end)
{
    size_t index = random_below(&b->random, bench_one_in(b, 2) ? 1 : count + may_end);

    return bench_one_in(b, 2) ? (int64_t)index : -(int64_t)index - 1;
}

static void remove_elements(struct bench *b, unsigned db, const struct value *v)
{
    size_t count = value_list_count(v);
    int64_t index = some_index(b, count, false);
    size_t most = index >= 0 ? count - (size_t)index : count + (size_t)index + 1;
    size_t removed = bench_one_in(b, 2) ? 1 : 1 + random_below(&b->random, most);

    journal_make(&b->journal, change_list_remove(db, value_key(v), index, removed));
    if (value_list_count(v) == 0) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    }
}

static void change_list(struct bench *b, unsigned db, const struct value *v)
{
    size_t count = value_list_count(v);
    struct bytes key = value_key(v);
    struct bytes element = bench_one_in(b, 3) ? some_content(b) : some_member(b);

    if (bench_one_in(b, 3)) {
        remove_elements(b, db, v);
    } else if (bench_one_in(b, 4)) {
        journal_make(&b->journal,
                     change_list_replace(db, key, some_index(b, count, false), element));
    } else {
        journal_make(&b->journal, change_list_insert(db, key, some_index(b, count, true), element));
    }
}

static void change_zset(struct bench *b, unsigned db, const struct value *v)
{
    struct bytes member = some_member(b);
    double score;

    if (!value_zset_score(v, member, &score) || bench_one_in(b, 2)) {
        journal_make(&b->journal, change_score_set(db, value_key(v), member, some_score(b)));
        return;
    }
    journal_make(&b->journal, change_score_remove(db, value_key(v), member));
    if (value_zset_count(v) == 0) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    }
}

/* A stream may be empty. Its groups and consumers have the names of members. */
static void change_group(struct bench *b, unsigned db, const struct value *v, struct buf *scratch)
{
    struct delivery d = {some_member(b), some_member(b), stream_meta(v).last, BENCH_NOW_MS, 1};
    const struct stream_group *g = stream_group(v, d.group);
    struct bytes key = value_key(v);

    d.id.seq = random_below(&b->random, 4);
    if (g == NULL || bench_one_in(b, 8)) {
        journal_make(&b->journal, change_group_set(db, key, d.group, d.id, -1, scratch));
    } else if (bench_one_in(b, 8)) {
        journal_make(&b->journal, change_group_remove(db, key, d.group, scratch));
    } else if (group_pending(g, d.id) != NULL && bench_one_in(b, 2)) {
        journal_make(&b->journal, change_pending_remove(db, key, d.group, d.id, scratch));
    } else if (group_consumer(g, d.consumer) == NULL || bench_one_in(b, 8)) {
        journal_make(&b->journal,
                     change_consumer_set(db, key, d.group, d.consumer, BENCH_NOW_MS, scratch));
    } else if (bench_one_in(b, 4)) {
        journal_make(&b->journal, change_consumer_remove(db, key, d.group, d.consumer, scratch));
    } else {
        journal_make(&b->journal, change_pending_set(db, key, &d, scratch));
    }
}

static void add_entry(struct bench *b, unsigned db, const struct value *v, struct buf *scratch)
{
    struct bytes field[] = {some_member(b), some_content(b)};
    struct stream_id id = stream_meta(v).last;

    id.ms += random_below(&b->random, 3);
    id.seq++;
    scratch->len = 0;
    stream_put_fields(scratch, field, 1);
    journal_make(&b->journal, change_entry_add(db, value_key(v), id, buf_bytes(scratch)));
}

static void change_stream(struct bench *b, unsigned db, const struct value *v)
{
    struct stream_trim trim = {.count = random_below(&b->random, 8)};
    struct stream_meta meta = stream_meta(v);
    struct stream_range range = {stream_first_id(v), stream_first_id(v)};
    BUF_LOCAL(scratch);

    if (bench_one_in(b, 4)) {
        change_group(b, db, v, &scratch);
    } else if (bench_one_in(b, 20)) {
        meta.added += 3;
        journal_make(&b->journal, change_stream_meta(db, value_key(v), &meta, &scratch));
    } else if ((bench_one_in(b, 6) && stream_count(v) > 0) ||
               (bench_one_in(b, 6) && stream_plan_trim(v, &trim, &range) > 0)) {
        journal_make(&b->journal, change_entry_remove(db, value_key(v), range));
    } else {
        add_entry(b, db, v, &scratch);
    }
}

static void (*const change_content[])(struct bench *b, unsigned db, const struct value *v) = {
    [VALUE_STRING] = change_string, [VALUE_SET] = change_set,   [VALUE_HASH] = change_hash,
    [VALUE_LIST] = change_list,     [VALUE_ZSET] = change_zset, [VALUE_STREAM] = change_stream,
};

/* A database that is to take the place of another. */
static struct keyspace *some_keyspace(struct bench *b)
{
    struct keyspace *other = keyspace_new(&b->data->limits);
    struct dataset own = {.count = 1, .db = &other, .limits = b->data->limits};

    for (size_t i = random_below(&b->random, 5); i > 0; i--) {
        struct change bind = change_bind(0, some_value(b));
        change_make(&own, &bind, NULL, NULL);
    }
    return other;
}

static void change_database(struct bench *b, unsigned db)
{
    struct change flush = change_flush(db);

    if (bench_one_in(b, 2)) {
        flush.keyspace = some_keyspace(b);
    }
    journal_make(&b->journal, flush);
}

static void change_text(struct bench *b)
{
    enum text_kind kind = (enum text_kind)random_below(&b->random, TEXT_KIND_END);
    struct bytes name = some_key(b);

    if (texts_find(b->data->texts[kind], name) == NULL || bench_one_in(b, 2)) {
        journal_make(&b->journal, change_text_put(kind, text_new(name, some_content(b))));
    } else {
        journal_make(&b->journal, change_text_remove(kind, name));
    }
}

void bench_change(struct bench *b)
{
    unsigned db = (unsigned)random_below(&b->random, BENCH_DATABASES);
    const struct value *v = keyspace_find_any(b->data->db[db], some_key(b));

    if (bench_one_in(b, 60)) {
        change_database(b, db);
    } else if (bench_one_in(b, 60)) {
        journal_make(&b->journal, change_swap(db, (db + 1) % BENCH_DATABASES));
    } else if (bench_one_in(b, 30)) {
        change_text(b);
    } else if (v == NULL || bench_one_in(b, 20)) {
        journal_make(&b->journal, change_bind(db, some_value(b)));
    } else if (bench_one_in(b, 20)) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    } else if (bench_one_in(b, 6)) {
        journal_make(&b->journal, change_retime(db, value_key(v), some_expiry(b)));
    } else {
        change_content[value_type(v)](b, db, v);
    }
}
