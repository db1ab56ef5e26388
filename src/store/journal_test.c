#include "store/journal.h"

#include "base/mem.h"
#include "store/list.h"
#include "store/reclaim.h"
#include "store/zset.h"
#include "test/lib/check.h"

#include <math.h>

enum {
    DATABASES = 3,
    KEYS = 5,
    MEMBERS = 9,
    NOW_MS = 1000,
};

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

static const char *const keys[KEYS] = {"", "a", "b", "key", "a key that is longer than the others"};

/* Numbers, words and what is too long for a packed array. */
static const char *const members[MEMBERS] = {
    "1", "-2", "70000", "9223372036854775807", "one", "two", "", "eight by", "ninebytes"};

struct bench {
    struct dataset *data;
    struct dataset *follower; /* Makes the changes that are committed. */
    struct journal journal;
    struct random random;
};

static void bench_open(struct bench *b, uint64_t seed)
{
    *b = (struct bench){.data = dataset_new(DATABASES), .follower = dataset_new(DATABASES)};
    b->data->limits = low_limits;
    b->journal = (struct journal){.data = b->data, .keeps_undo = true, .keeps_redo = true};
    random_seed(&b->random, seed);
}

static void bench_close(struct bench *b)
{
    journal_clear(&b->journal);
    dataset_free(b->data);
    dataset_free(b->follower);
}

static bool one_in(struct bench *b, uint64_t n)
{
    return random_below(&b->random, n) == 0;
}

static struct bytes some_key(struct bench *b)
{
    return bytes_of(keys[random_below(&b->random, KEYS)]);
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
    size_t len =
        one_in(b, 100) ? sizeof content : random_below(&b->random, one_in(b, 4) ? 210 : 12);

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
    return one_in(b, 2) ? EXPIRES_NEVER : (int64_t)random_below(&b->random, 2 * NOW_MS);
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
    if (one_in(b, 3)) {
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

    if (!value_hash_get(v, field, 0, &content) || one_in(b, 2)) {
        journal_make(&b->journal, change_field_set(db, value_key(v), field, some_content(b)));
        return;
    }
    if (one_in(b, 4)) {
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
    size_t index = random_below(&b->random, one_in(b, 2) ? 1 : count + may_end);

    return one_in(b, 2) ? (int64_t)index : -(int64_t)index - 1;
}

static void remove_elements(struct bench *b, unsigned db, const struct value *v)
{
    size_t count = value_list_count(v);
    int64_t index = some_index(b, count, false);
    size_t most = index >= 0 ? count - (size_t)index : count + (size_t)index + 1;
    size_t removed = one_in(b, 2) ? 1 : 1 + random_below(&b->random, most);

    journal_make(&b->journal, change_list_remove(db, value_key(v), index, removed));
    if (value_list_count(v) == 0) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    }
}

static void change_list(struct bench *b, unsigned db, const struct value *v)
{
    size_t count = value_list_count(v);
    struct bytes key = value_key(v);
    struct bytes element = one_in(b, 3) ? some_content(b) : some_member(b);

    if (one_in(b, 3)) {
        remove_elements(b, db, v);
    } else if (one_in(b, 4)) {
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

    if (!value_zset_score(v, member, &score) || one_in(b, 2)) {
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
    struct delivery d = {some_member(b), some_member(b), stream_meta(v).last, NOW_MS, 1};
    const struct stream_group *g = stream_group(v, d.group);
    struct bytes key = value_key(v);

    d.id.seq = random_below(&b->random, 4);
    if (g == NULL || one_in(b, 8)) {
        journal_make(&b->journal, change_group_set(db, key, d.group, d.id, -1, scratch));
    } else if (one_in(b, 8)) {
        journal_make(&b->journal, change_group_remove(db, key, d.group, scratch));
    } else if (group_pending(g, d.id) != NULL && one_in(b, 2)) {
        journal_make(&b->journal, change_pending_remove(db, key, d.group, d.id, scratch));
    } else if (group_consumer(g, d.consumer) == NULL || one_in(b, 8)) {
        journal_make(&b->journal,
                     change_consumer_set(db, key, d.group, d.consumer, NOW_MS, scratch));
    } else if (one_in(b, 4)) {
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

    if (one_in(b, 4)) {
        change_group(b, db, v, &scratch);
    } else if (one_in(b, 20)) {
        meta.added += 3;
        journal_make(&b->journal, change_stream_meta(db, value_key(v), &meta, &scratch));
    } else if ((one_in(b, 6) && stream_count(v) > 0) ||
               (one_in(b, 6) && stream_plan_trim(v, &trim, &range) > 0)) {
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

    if (one_in(b, 2)) {
        flush.keyspace = some_keyspace(b);
    }
    journal_make(&b->journal, flush);
}

static void change_text(struct bench *b)
{
    enum text_kind kind = (enum text_kind)random_below(&b->random, TEXT_KIND_END);
    struct bytes name = some_key(b);

    if (texts_find(b->data->texts[kind], name) == NULL || one_in(b, 2)) {
        journal_make(&b->journal, change_text_put(kind, text_new(name, some_content(b))));
    } else {
        journal_make(&b->journal, change_text_remove(kind, name));
    }
}

static void change_something(struct bench *b)
{
    unsigned db = (unsigned)random_below(&b->random, DATABASES);
    const struct value *v = keyspace_find_any(b->data->db[db], some_key(b));

    if (one_in(b, 60)) {
        change_database(b, db);
    } else if (one_in(b, 60)) {
        journal_make(&b->journal, change_swap(db, (db + 1) % DATABASES));
    } else if (one_in(b, 30)) {
        change_text(b);
    } else if (v == NULL || one_in(b, 20)) {
        journal_make(&b->journal, change_bind(db, some_value(b)));
    } else if (one_in(b, 20)) {
        journal_make(&b->journal, change_unbind(db, value_key(v)));
    } else if (one_in(b, 6)) {
        journal_make(&b->journal, change_retime(db, value_key(v), some_expiry(b)));
    } else {
        change_content[value_type(v)](b, db, v);
    }
}

/* What a digest does not tell, but a client could notice: how values are held, and
 * the order of the elements of small collections. */

static void portray_list(const struct value *v, struct buf *out)
{
    struct list_walk walk;
    struct bytes element;

    value_list_walk(v, 0, false, &walk);
    while (value_list_next(&walk, &element)) {
        buf_addf(out, " %.*s", (int)element.len, element.at);
    }
}

static void portray_zset(const struct value *v, struct buf *out)
{
    struct zset_walk walk = zset_walk_from(v, 0, false);
    struct bytes member;
    double score;

    while (zset_walk_next(&walk, &member, &score)) {
        buf_addf(out, " %.*s=%g", (int)member.len, member.at, score);
    }
}

/* Pages are seen by trims that remove nothing smaller. */
static void portray_stream(const struct value *v, struct buf *out)
{
    struct stream_trim trim = {.whole_pages = true};
    struct stream_range range;

    buf_addf(out, " %zu", stream_pages(v));
    for (; trim.count <= stream_count(v); trim.count++) {
        buf_addf(out, " %zu", stream_plan_trim(v, &trim, &range));
    }
}

static void portray_value(const struct value *v, struct buf *out)
{
    struct value_walk walk = {0};
    struct bytes element, content = {0};

    buf_addf(out, "%s %d", value_encoding_name(v), value_raw(v));
    if (value_type(v) == VALUE_LIST) {
        portray_list(v, out);
        return;
    }
    if (value_type(v) == VALUE_ZSET) {
        portray_zset(v, out);
        return;
    }
    if (value_type(v) == VALUE_STREAM) {
        portray_stream(v, out);
        return;
    }
    while (value_type(v) != VALUE_STRING &&
           (value_type(v) == VALUE_SET ? value_set_next(v, &walk, &element)
                                       : value_hash_next(v, &walk, &element, &content))) {
        if (!walk.begun && walk.index == 0) { /* The order of a table is its own. */
            buf_addf(out, " table");
            return;
        }
        buf_addf(out, " %.*s=", (int)element.len, element.at);
        buf_add(out, content);
    }
}

static void portray(const struct dataset *data, struct buf *out)
{
    const struct value *v;

    for (unsigned db = 0; db < data->count; db++) {
        for (size_t i = 0; i < KEYS; i++) {
            v = keyspace_find_any(data->db[db], bytes_of(keys[i]));
            if (v != NULL) {
                buf_addf(out, "%u %s: ", db, keys[i]);
                portray_value(v, out);
                buf_add_byte(out, '\n');
            }
        }
    }
}

/* The expiry indexes, against a look at all keys: an expired one is found by its own
 * expiry or by its fields'. */
static void check_first_expired(const struct keyspace *keyspace)
{
    const struct value *first = keyspace_first_expired(keyspace, NOW_MS);
    struct table_walk walk = {0};
    const struct value *v;
    struct bytes field;

    CHECK(first == NULL || value_has_expired(first, NOW_MS));
    while ((v = keyspace_next(keyspace, &walk)) != NULL) {
        int64_t expires_ms = value_expires_ms(v);
        bool is_due = expires_ms != EXPIRES_NEVER && expires_ms <= NOW_MS;

        CHECK(!is_due || value_expires_ms(first) <= expires_ms);
        if (value_has_expired(v, NOW_MS)) {
            CHECK(is_due || keyspace_first_expired_field(keyspace, NOW_MS, &field) != NULL);
            CHECK(keyspace_find(keyspace, value_key(v), NOW_MS) == NULL);
        }
    }
}

static void check_data(const struct dataset *data)
{
    dataset_check(data);
    for (unsigned db = 0; db < data->count; db++) {
        check_first_expired(data->db[db]);
    }
}

/* Points that the random test may roll back to. */

enum { POINTS = 6 };

struct point {
    struct journal_mark mark;
    struct digest digest;
    struct buf portrait;
};

static void point_take(struct point *p, const struct bench *b)
{
    p->mark = journal_mark(&b->journal);
    p->digest = dataset_digest(b->data);
    p->portrait.len = 0;
    portray(b->data, &p->portrait);
}

static void point_return(const struct point *p, struct bench *b)
{
    BUF_LOCAL(portrait);

    journal_rollback(&b->journal, p->mark);
    portray(b->data, &portrait);
    CHECK(digest_equal(dataset_digest(b->data), p->digest));
    CHECK(bytes_equal(buf_bytes(&portrait), buf_bytes(&p->portrait)));
    CHECK(b->journal.changes == p->mark.changes);
    CHECK(b->journal.redo.len == p->mark.redo_len);
}

static void commit(struct bench *b)
{
    CHECK(journal_replay(b->follower, buf_bytes(&b->journal.redo)));
    CHECK(digest_equal(dataset_digest(b->data), dataset_digest(b->follower)));
    check_data(b->follower);
    journal_commit(&b->journal);
}

TEST(rollback_restores_what_was_at_any_mark)
{
    struct bench b;
    struct point point[POINTS] = {0};
    size_t points = 0;
    size_t used = mem_used();

    bench_open(&b, check_seed());
    for (size_t i = 0; i < check_rounds(20000); i++) {
        if (one_in(&b, 8) && points < POINTS) {
            point_take(&point[points++], &b);
        } else if (one_in(&b, 16) && points > 0) {
            points = random_below(&b.random, points);
            point_return(&point[points], &b);
        } else if (one_in(&b, 100)) {
            commit(&b);
            points = 0;
        } else {
            change_something(&b);
        }
        check_data(b.data);
    }
    commit(&b);
    bench_close(&b);
    for (size_t i = 0; i < POINTS; i++) {
        buf_clear(&point[i].portrait);
    }
    CHECK(mem_used() == used);
}

TEST(changes_are_the_same_whatever_is_kept_of_them)
{
    struct bench kept, bare;
    uint64_t seed = check_seed();
    size_t used = mem_used();

    bench_open(&kept, seed);
    bench_open(&bare, seed);
    bare.journal.keeps_undo = false;
    bare.journal.keeps_redo = false;
    for (size_t i = 0; i < check_rounds(5000); i++) {
        change_something(&kept);
        change_something(&bare);
        CHECK(digest_equal(dataset_digest(kept.data), dataset_digest(bare.data)));
        if (one_in(&kept, 50) + one_in(&bare, 50) > 0) {
            journal_commit(&kept.journal);
        }
    }
    CHECK(bare.journal.newest == NULL);
    CHECK(journal_memory(&bare.journal) == 0);
    CHECK(bare.journal.changes == kept.journal.changes);
    journal_commit(&kept.journal);
    bench_close(&kept);
    bench_close(&bare);
    CHECK(mem_used() == used);
}

TEST(rollback_keeps_containers_that_could_not_be_made_now)
{
    struct bench b;
    struct journal_mark mark;
    struct value *hash = value_new(VALUE_HASH, BYTES("h"), EXPIRES_NEVER);

    bench_open(&b, 1);
    b.data->limits = value_limits_default;
    for (int i = 0; i < 10; i++) {
        char name = (char)('a' + i);
        value_fill_field(hash, (struct bytes){&name, 1}, BYTES("v"), &b.data->limits);
    }
    journal_make(&b.journal, change_bind(0, hash));
    mark = journal_mark(&b.journal);
    b.data->limits.hash_max_packed_entries = 5;
    journal_make(&b.journal, change_field_remove(0, BYTES("h"), BYTES("c")));
    journal_rollback(&b.journal, mark);
    CHECK(strcmp(value_encoding_name(keyspace_find_any(b.data->db[0], BYTES("h"))), "listpack") ==
          0);
    commit(&b);
    bench_close(&b);
}

TEST(a_flush_gives_back_the_same_database)
{
    struct bench b;
    const struct keyspace *before;
    struct journal_mark mark;

    bench_open(&b, 1);
    journal_make(&b.journal, change_bind(1, value_new_string(BYTES("k"), BYTES("v"), 5)));
    before = b.data->db[1];
    mark = journal_mark(&b.journal);
    journal_make(&b.journal, change_flush(1));
    CHECK(keyspace_count(b.data->db[1]) == 0);
    journal_make(&b.journal, change_swap(0, 1));
    journal_make(&b.journal, change_flush(0));
    CHECK(dataset_count(b.data) == 0);
    journal_rollback(&b.journal, mark);
    CHECK(b.data->db[1] == before);
    CHECK(keyspace_count(b.data->db[1]) == 1);
    CHECK(keyspace_count_expiring(b.data->db[1]) == 1);
    commit(&b);
    bench_close(&b);
}

struct seen {
    size_t count;
    struct {
        uint8_t kind;
        uint16_t db;
        char key;
    } at[8];
};

static void see(const struct change *c, void *context)
{
    struct seen *seen = context;

    seen->at[seen->count].kind = c->kind;
    seen->at[seen->count].db = c->db;
    seen->at[seen->count++].key = c->key.len > 0 ? c->key.at[0] : '-';
}

TEST(what_was_changed_can_be_seen_in_order)
{
    struct bench b;
    struct journal_mark mark;
    struct seen seen = {0};

    bench_open(&b, 1);
    journal_make(&b.journal, change_bind(0, value_new_string(BYTES("a"), BYTES("1"), 5)));
    mark = journal_mark(&b.journal);
    journal_make(&b.journal, change_bind(0, value_new_string(BYTES("b"), BYTES("2"), 5)));
    journal_rollback(&b.journal, mark);
    journal_make(&b.journal, change_bind(2, value_new(VALUE_SET, BYTES("c"), EXPIRES_NEVER)));
    journal_make(&b.journal, change_set_add(2, BYTES("c"), BYTES("1")));
    journal_make(&b.journal, change_set_add(2, BYTES("c"), BYTES("word")));
    journal_make(&b.journal, change_swap(1, 2));
    journal_each(&b.journal, &(struct journal_visitor){.change = see, .context = &seen});

    CHECK(seen.count == 5);
    CHECK(seen.at[0].kind == CHANGE_UNBIND && seen.at[0].db == 0 && seen.at[0].key == 'a');
    CHECK(seen.at[1].kind == CHANGE_UNBIND && seen.at[1].db == 2 && seen.at[1].key == 'c');
    CHECK(seen.at[2].kind == CHANGE_SET_REMOVE && seen.at[2].key == 'c');
    CHECK(seen.at[3].kind == CHANGE_BODY && seen.at[3].db == 2 && seen.at[3].key == 'c');
    CHECK(seen.at[4].kind == CHANGE_SWAP && seen.at[4].db == 1);

    commit(&b);
    seen.count = 0;
    journal_each(&b.journal, &(struct journal_visitor){.change = see, .context = &seen});
    CHECK(seen.count == 0);
    bench_close(&b);
}

static void bind_long(struct bench *b)
{
    static const char content[200000];
    struct bytes all = {content, sizeof content};

    journal_make(&b->journal, change_bind(0, value_new_string(BYTES("k"), all, EXPIRES_NEVER)));
    CHECK(b->journal.redo.cap >= sizeof content);
}

TEST(a_long_redo_is_not_kept)
{
    enum { KEPT = 64 * 1024 };
    struct bench b;
    struct journal_mark start;

    bench_open(&b, 1);
    start = journal_mark(&b.journal);
    bind_long(&b);
    journal_rollback(&b.journal, start);
    CHECK(b.journal.redo.cap <= KEPT);
    bind_long(&b);
    commit(&b);
    CHECK(b.journal.redo.cap <= KEPT);
    bench_close(&b);
}

/* The encoded form. */

/* Encodes many changes, all of which were possible. */
static void make_redo(struct bench *b, struct buf *redo, size_t changes)
{
    for (size_t i = 0; i < changes; i++) {
        change_something(b);
    }
    buf_add(redo, buf_bytes(&b->journal.redo));
    journal_commit(&b->journal);
}

/* Decodes as much as there is, and returns how many changes that was. What is refused
 * must have been left where it was. */
static size_t decode_all(const struct dataset *data, struct bytes in)
{
    size_t count = 0;

    while (in.len > 0) {
        struct bytes before = in;
        struct change c;

        if (!change_decode(&in, data, &c)) {
            CHECK(in.at == before.at && in.len == before.len);
            break;
        }
        CHECK(in.len < before.len);
        CHECK(c.db < data->count);
        change_drop(&c);
        count++;
    }
    return count;
}

TEST(a_decoded_change_encodes_to_the_same_bytes)
{
    struct bench b;
    struct bytes in;
    struct change c;
    BUF_LOCAL(redo);
    BUF_LOCAL(again);

    bench_open(&b, check_seed());
    b.data->limits =
        (struct value_limits){100, 100, 100, 100, 100, 100, 100}; /* Keeps elements in order. */
    make_redo(&b, &redo, 3000);
    in = buf_bytes(&redo);
    while (in.len > 0) {
        CHECK(change_decode(&in, b.data, &c));
        change_encode(&c, &again);
        change_drop(&c);
    }
    CHECK(bytes_equal(buf_bytes(&redo), buf_bytes(&again)));
    bench_close(&b);
}

/* Each in an allocation of its own, so that the sanitizers see a byte too many. */
static size_t decode_copy(const struct dataset *data, struct bytes in)
{
    char *copy = mem_alloc(in.len);
    size_t count;

    memcpy(copy, in.at, in.len);
    count = decode_all(data, (struct bytes){copy, in.len});
    mem_free(copy);
    return count;
}

TEST(a_cut_redo_is_read_up_to_the_cut)
{
    struct bench b;
    size_t before = 0;
    size_t used = mem_used();

    bench_open(&b, check_seed());
    BUF_LOCAL(redo);
    make_redo(&b, &redo, 40);
    if (redo.len > 5000) {
        buf_cut(&redo, 5000);
    }
    for (size_t len = 1; len <= redo.len; len++) {
        size_t count = decode_copy(b.data, (struct bytes){redo.at, len});

        CHECK(count == before || count == before + 1);
        before = count;
    }
    CHECK(before > 0);
    bench_close(&b);
    buf_clear(&redo);
    CHECK(mem_used() == used);
}

TEST(a_damaged_redo_is_refused_or_other_changes)
{
    struct bench b;
    size_t used = mem_used();

    bench_open(&b, check_seed());
    for (size_t i = 0; i < check_rounds(2000); i++) {
        BUF_LOCAL(redo);
        size_t flips = 1 + random_below(&b.random, 4);

        make_redo(&b, &redo, 1 + random_below(&b.random, 8));
        for (size_t flip = 0; flip < flips; flip++) {
            redo.at[random_below(&b.random, redo.len)] ^= (char)(1 << random_below(&b.random, 8));
        }
        decode_copy(b.data, buf_bytes(&redo));
    }
    bench_close(&b);
    CHECK(mem_used() == used);
}

static bool refuses(struct bytes in)
{
    struct dataset *data = dataset_new(2);
    struct change c;
    bool ok = change_decode(&in, data, &c);

    if (ok) {
        change_drop(&c);
    }
    dataset_free(data);
    return !ok;
}

TEST(what_is_no_change_is_refused)
{
    CHECK(!refuses(BYTES("\x09\x01")));                           /* FLUSH of database 1 */
    CHECK(refuses(BYTES("\x09\x02")));                            /* which there is not */
    CHECK(refuses(BYTES("\x08\x01\x02")));                        /* SWAP with such */
    CHECK(refuses(BYTES("\x0a\x00\x01k")));                       /* BODY: never encoded */
    CHECK(refuses(BYTES("\x0b\x00")));                            /* No kind. */
    CHECK(!refuses(BYTES("\x01\x00\x01k")));                      /* UNBIND */
    CHECK(refuses(BYTES("\x01\x00\x02k")));                       /* with too short a key */
    CHECK(!refuses(BYTES("\x00\x00\x01k\x00\x01\x00\x01v")));     /* BIND to a string */
    CHECK(refuses(BYTES("\x00\x00\x01k\x00\x01\x02\x01v")));      /* raw or not or what? */
    CHECK(refuses(BYTES("\x00\x00\x01k\x03\x01\x01v")));          /* of no type */
    CHECK(!refuses(BYTES("\x00\x00\x01k\x01\x01\x01\x01m")));     /* to a set */
    CHECK(refuses(BYTES("\x00\x00\x01k\x01\x01\x02\x01m\x01m"))); /* of two equal members */
    CHECK(refuses(BYTES("\x00\x00\x01k\x02\x01\x02\x01"
                        "f\x01v\x01"
                        "f\x01v"))); /* or fields */
    CHECK(!refuses(
        BYTES("\x00\x00\x01k\x04\x01\x01\x01m\0\0\0\0\0\0\xf0\x7f"))); /* to a sorted set */
    CHECK(refuses(BYTES("\x00\x00\x01k\x04\x01\x01\x01m\0\0\0\0\0\0\xf8\x7f"))); /* by NaN */
    CHECK(refuses(BYTES("\x0e\x00\x01k\x01m\0\0\0\0\0\0\xf8\x7f"))); /* SCORE_SET to NaN */
    CHECK(refuses(BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"))); /* A long number. */
    CHECK(refuses(BYTES("\x03\x00\x01k\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x00")));
}

TEST(digests_tell_contents_apart)
{
    struct bench b;
    char hex[DIGEST_HEX + 1];
    struct digest empty;

    bench_open(&b, 1);
    empty = dataset_digest(b.data);
    digest_hex(empty, hex);
    CHECK(strcmp(hex, "0000000000000000000000000000000000000000") == 0);

    journal_make(&b.journal, change_bind(0, value_new_string(BYTES("a"), BYTES("b"), 5)));
    journal_make(&b.journal, change_bind(1, value_new_string(BYTES("b"), BYTES("a"), 5)));
    struct digest before = dataset_digest(b.data);
    CHECK(!digest_equal(before, empty));
    journal_make(&b.journal, change_swap(0, 1));
    CHECK(!digest_equal(before, dataset_digest(b.data)));
    journal_make(&b.journal, change_swap(1, 0));
    CHECK(digest_equal(before, dataset_digest(b.data)));
    journal_make(&b.journal, change_retime(1, BYTES("b"), 6));
    CHECK(!digest_equal(before, dataset_digest(b.data)));
    journal_make(&b.journal, change_retime(1, BYTES("b"), 5));
    journal_make(&b.journal, change_assign(1, BYTES("b"), 1, BYTES("c")));
    CHECK(!digest_equal(before, dataset_digest(b.data)));
    commit(&b);
    bench_close(&b);
}

static void see_note(const struct note *n, void *context)
{
    struct buf *told = context;

    buf_add(told, n->name);
    buf_add_byte(told, ' ');
    buf_add(told, n->content);
    buf_add_byte(told, n->db == 1 ? '.' : '?');
}

static void tell(struct bench *b, const char *name, const char *content)
{
    journal_note(&b->journal,
                 &(struct note){.db = 1, .name = bytes_of(name), .content = bytes_of(content)});
}

TEST(notes_are_told_in_order_unless_they_are_rolled_back)
{
    struct bench b;
    struct journal_mark mark;
    BUF_LOCAL(told);

    bench_open(&b, 1);
    tell(&b, "a", "1");
    mark = journal_mark(&b.journal);
    journal_make(&b.journal, change_bind(0, value_new_string(BYTES("k"), BYTES("1"), 5)));
    tell(&b, "b", "2");
    journal_rollback(&b.journal, mark);
    tell(&b, "c", "3");
    journal_each(&b.journal, &(struct journal_visitor){.note = see_note, .context = &told});
    CHECK(bytes_equal(buf_bytes(&told), BYTES("a 1.c 3.")));

    commit(&b);
    told.len = 0;
    journal_each(&b.journal, &(struct journal_visitor){.note = see_note, .context = &told});
    CHECK(told.len == 0);
    bench_close(&b);
}

/* What undo holds of the data. Each part leaves about so many bytes to be freed. */

static void hold_string(struct bench *b)
{
    static char content[100000];
    struct bytes all = {content, sizeof content};

    journal_make(&b->journal, change_bind(0, value_new_string(BYTES("k"), all, EXPIRES_NEVER)));
    journal_make(&b->journal, change_bind(0, value_new_string(BYTES("k"), BYTES("1"), 5)));
}

static void bind_big(struct bench *b, enum value_type type)
{
    struct value *v = value_new(type, BYTES("k"), EXPIRES_NEVER);
    char text[NUMBER_INT_MAX];

    for (int64_t i = 0; i < 10000; i++) {
        struct bytes element = {text, number_format_int(text, 1000000 + i)};

        if (type == VALUE_HASH) {
            value_fill_field(v, element, element, &b->data->limits);
        } else {
            value_fill_element(v, element, &value_limits_default);
        }
    }
    journal_make(&b->journal, change_bind(0, v));
}

static void hold_hash(struct bench *b)
{
    bind_big(b, VALUE_HASH);
    journal_make(&b->journal, change_unbind(0, BYTES("k")));
}

static void hold_elements(struct bench *b)
{
    bind_big(b, VALUE_LIST);
    journal_make(&b->journal, change_list_remove(0, BYTES("k"), 0, 9000));
}

static void hold_outgrown(struct bench *b)
{
    bind_big(b, VALUE_HASH);
    journal_make(&b->journal, change_field_retime(0, BYTES("k"), BYTES("1000000"), NOW_MS));
}

static void hold_database(struct bench *b)
{
    bind_big(b, VALUE_HASH);
    journal_make(&b->journal, change_flush(0));
}

static void hold_text(struct bench *b)
{
    static char content[100000];
    struct bytes all = {content, sizeof content};

    journal_make(&b->journal, change_text_put(TEXT_SCRIPT, text_new(BYTES("t"), all)));
    journal_make(&b->journal, change_text_remove(TEXT_SCRIPT, BYTES("t")));
}

TEST(what_undo_holds_is_counted)
{
    static void (*const hold[])(struct bench *) = {hold_string,   hold_hash,     hold_elements,
                                                   hold_outgrown, hold_database, hold_text};

    for (size_t i = 0; i < sizeof hold / sizeof *hold; i++) {
        struct journal_mark mark;
        struct bench b;
        size_t held;
        size_t freed;

        bench_open(&b, 1);
        b.journal.keeps_redo = false;
        mark = journal_mark(&b.journal);
        hold[i](&b);
        CHECK(b.journal.held > 20000);
        journal_rollback(&b.journal, mark);
        CHECK(b.journal.held == 0);
        reclaim_all();

        hold[i](&b);
        held = b.journal.held;
        freed = mem_used();
        journal_commit(&b.journal);
        reclaim_all();
        freed -= mem_used();
        CHECK(held > freed - freed / 5 && held < freed + freed / 5);
        CHECK(b.journal.held == 0);
        bench_close(&b);
    }
}

int main(void)
{
    return RUN(
        rollback_restores_what_was_at_any_mark, changes_are_the_same_whatever_is_kept_of_them,
        rollback_keeps_containers_that_could_not_be_made_now, a_flush_gives_back_the_same_database,
        what_was_changed_can_be_seen_in_order, notes_are_told_in_order_unless_they_are_rolled_back,
        a_long_redo_is_not_kept, a_decoded_change_encodes_to_the_same_bytes,
        a_cut_redo_is_read_up_to_the_cut, a_damaged_redo_is_refused_or_other_changes,
        what_is_no_change_is_refused, digests_tell_contents_apart, what_undo_holds_is_counted);
}
