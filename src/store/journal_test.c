#include "store/journal.h"

#include "base/mem.h"
#include "store/bench.h"
#include "store/list.h"
#include "store/reclaim.h"
#include "store/zset.h"
#include "test/lib/check.h"

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
        for (size_t i = 0; i < BENCH_KEYS; i++) {
            v = keyspace_find_any(data->db[db], bytes_of(bench_keys[i]));
            if (v != NULL) {
                buf_addf(out, "%u %s: ", db, bench_keys[i]);
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
    const struct value *first = keyspace_first_expired(keyspace, BENCH_NOW_MS);
    struct table_walk walk = {0};
    const struct value *v;
    struct bytes field;

    CHECK(first == NULL || value_has_expired(first, BENCH_NOW_MS));
    while ((v = keyspace_next(keyspace, &walk)) != NULL) {
        int64_t expires_ms = value_expires_ms(v);
        bool is_due = expires_ms != EXPIRES_NEVER && expires_ms <= BENCH_NOW_MS;

        CHECK(!is_due || value_expires_ms(first) <= expires_ms);
        if (value_has_expired(v, BENCH_NOW_MS)) {
            CHECK(is_due || keyspace_first_expired_field(keyspace, BENCH_NOW_MS, &field) != NULL);
            CHECK(keyspace_find(keyspace, value_key(v), BENCH_NOW_MS) == NULL);
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
    CHECK(b->journal.redo.len == p->mark.redo_end);
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
        if (bench_one_in(&b, 8) && points < POINTS) {
            point_take(&point[points++], &b);
        } else if (bench_one_in(&b, 16) && points > 0) {
            points = random_below(&b.random, points);
            point_return(&point[points], &b);
        } else if (bench_one_in(&b, 100)) {
            commit(&b);
            points = 0;
        } else {
            bench_change(&b);
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
        bench_change(&kept);
        bench_change(&bare);
        CHECK(digest_equal(dataset_digest(kept.data), dataset_digest(bare.data)));
        if (bench_one_in(&kept, 50) + bench_one_in(&bare, 50) > 0) {
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
    journal_each(&b.journal, (struct journal_mark){0},
                 &(struct journal_visitor){.change = see, .context = &seen});

    CHECK(seen.count == 5);
    CHECK(seen.at[0].kind == CHANGE_UNBIND && seen.at[0].db == 0 && seen.at[0].key == 'a');
    CHECK(seen.at[1].kind == CHANGE_UNBIND && seen.at[1].db == 2 && seen.at[1].key == 'c');
    CHECK(seen.at[2].kind == CHANGE_SET_REMOVE && seen.at[2].key == 'c');
    CHECK(seen.at[3].kind == CHANGE_BODY && seen.at[3].db == 2 && seen.at[3].key == 'c');
    CHECK(seen.at[4].kind == CHANGE_SWAP && seen.at[4].db == 1);

    commit(&b);
    seen.count = 0;
    journal_each(&b.journal, (struct journal_mark){0},
                 &(struct journal_visitor){.change = see, .context = &seen});
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
    journal_each(&b.journal, (struct journal_mark){0},
                 &(struct journal_visitor){.note = see_note, .context = &told});
    CHECK(bytes_equal(buf_bytes(&told), BYTES("a 1.c 3.")));

    commit(&b);
    told.len = 0;
    journal_each(&b.journal, (struct journal_mark){0},
                 &(struct journal_visitor){.note = see_note, .context = &told});
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
    journal_make(&b->journal, change_field_retime(0, BYTES("k"), BYTES("1000000"), BENCH_NOW_MS));
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
        a_long_redo_is_not_kept, digests_tell_contents_apart, what_undo_holds_is_counted);
}
