#include "store/stream.h"

#include "base/mem.h"
#include "store/journal.h"
#include "test/lib/check.h"

enum { ENTRIES = 400 };

/* A bound stream, and a model of it: the ids that were ever added, in order, which of
 * them are still there, and what their one field says. */
struct bound {
    struct dataset *data;
    struct journal journal;
    struct random random;
    struct buf scratch;
    struct stream_id id[ENTRIES];
    unsigned content[ENTRIES];
    bool gone[ENTRIES];
    size_t added;
};

static const struct value *stream(const struct bound *b)
{
    return keyspace_find_any(b->data->db[0], BYTES("key"));
}

static void bound_open(struct bound *b, uint64_t seed)
{
    *b = (struct bound){.data = dataset_new(1)};
    b->journal = (struct journal){.data = b->data, .keeps_undo = true};
    b->data->limits.stream_max_entries = 4;
    random_seed(&b->random, seed);
    journal_make(&b->journal, change_bind(0, value_new(VALUE_STREAM, BYTES("key"), EXPIRES_NEVER)));
}

static void bound_close(struct bound *b)
{
    journal_commit(&b->journal);
    journal_clear(&b->journal);
    dataset_free(b->data);
    buf_clear(&b->scratch);
}

static void add(struct bound *b, struct stream_id id, const struct bytes *fields, size_t pairs)
{
    b->scratch.len = 0;
    stream_put_fields(&b->scratch, fields, pairs);
    journal_make(&b->journal, change_entry_add(0, BYTES("key"), id, buf_bytes(&b->scratch)));
}

/* Adds an entry, whose first field says its number. Some have other names. */
static void bound_add(struct bound *b)
{
    static const char *const names[] = {"name", "name", "name", "other"};
    struct stream_id id = stream_meta(stream(b)).last;
    unsigned content = (unsigned)random_below(&b->random, 1000000);
    struct bytes field[4] = {bytes_of(names[random_below(&b->random, 4)])};
    char text[16];

    snprintf(text, sizeof text, "%u", content);
    field[1] = bytes_of(text);
    field[2] = BYTES("second");
    field[3] = BYTES("");
    if (random_below(&b->random, 2) == 0) {
        id.ms += random_below(&b->random, 3) == 0 ? UINT32_MAX : 1;
        id.seq = random_below(&b->random, 2);
    } else {
        id.seq += 1 + random_below(&b->random, 300);
    }
    add(b, id, field, 1 + random_below(&b->random, 2));
    b->id[b->added] = id;
    b->content[b->added] = content;
    b->gone[b->added++] = false;
}

/* An id near those that there are. */
static struct stream_id some_id(struct bound *b)
{
    struct stream_id id = STREAM_ID_MIN;

    if (b->added > 0 && random_below(&b->random, 20) > 0) {
        id = b->id[random_below(&b->random, b->added)];
    }
    switch (random_below(&b->random, 4)) {
    case 0:
        stream_id_next(&id);
        break;
    case 1:
        stream_id_previous(&id);
        break;
    default:
        break;
    }
    return id;
}

static void bound_remove(struct bound *b, struct stream_range range)
{
    bool any = false;

    for (size_t i = 0; i < b->added; i++) {
        if (!b->gone[i] && stream_id_compare(b->id[i], range.from) >= 0 &&
            stream_id_compare(b->id[i], range.to) <= 0) {
            b->gone[i] = true;
            any = true;
        }
    }
    if (any) {
        journal_make(&b->journal, change_entry_remove(0, BYTES("key"), range));
    }
}

/* Steps to the next entry of the model that is there. */
static bool model_step(const struct bound *b, size_t *i, bool backwards)
{
    do {
        *i += backwards ? (size_t)-1 : 1;
    } while (*i < b->added && b->gone[*i]);
    return *i < b->added;
}

static void check_entry(const struct bound *b, struct stream_entry *entry, size_t i)
{
    struct bytes content;
    int64_t number;

    CHECK(stream_id_compare(entry->id, b->id[i]) == 0);
    stream_field(entry, &content);
    CHECK(number_parse_int(content, &number));
    CHECK(number == b->content[i]);
    if (entry->count > 0) {
        CHECK(bytes_equal(stream_field(entry, &content), BYTES("second")));
        CHECK(content.len == 0);
    }
    CHECK(entry->count == 0);
}

static void check_walks(struct bound *b)
{
    struct stream_id from = some_id(b);
    struct stream_walk walk = stream_from(stream(b), from);
    struct stream_entry entry;
    size_t i = 0;

    while (i < b->added && stream_id_compare(b->id[i], from) < 0) {
        i++;
    }
    i--;
    while (model_step(b, &i, false)) {
        CHECK(stream_next(&walk, &entry));
        check_entry(b, &entry, i);
    }
    CHECK(!stream_next(&walk, &entry));

    walk = stream_back_from(stream(b), from);
    while (i-- > 0 && stream_id_compare(b->id[i], from) > 0) {
    }
    i++;
    while (model_step(b, &i, true)) {
        CHECK(stream_next(&walk, &entry));
        check_entry(b, &entry, i);
    }
    CHECK(!stream_next(&walk, &entry));
}

static void bound_check(struct bound *b)
{
    struct stream_id from = some_id(b);
    size_t first = SIZE_MAX;
    size_t count = 0;
    bool there = false;

    dataset_check(b->data);
    for (size_t i = 0; i < b->added; i++) {
        count += !b->gone[i];
        there = there || (!b->gone[i] && stream_id_compare(b->id[i], from) == 0);
    }
    CHECK(stream_count(stream(b)) == count);
    CHECK(stream_has(stream(b), from) == there);
    CHECK(stream_id_compare(stream_first_id(stream(b)),
                            model_step(b, &first, false) ? b->id[first] : STREAM_ID_MIN) == 0);
    check_walks(b);
}

/* Trims; what the plan says is compared with a count of the model. */
static void bound_trim(struct bound *b)
{
    size_t before = stream_count(stream(b));
    struct stream_trim trim = {
        .by = random_below(&b->random, 2) ? TRIM_TO_COUNT : TRIM_BELOW_ID,
        .count = before - random_below(&b->random, before < 12 ? before + 1 : 12),
        .id = some_id(b),
        .whole_pages = random_below(&b->random, 2),
        .limit = random_below(&b->random, 4) == 0 ? 5 : 0,
    };
    struct stream_range range;
    size_t gone = stream_plan_trim(stream(b), &trim, &range);
    size_t exact = trim.by == TRIM_TO_COUNT ? before - trim.count : 0;

    for (size_t i = 0; trim.by == TRIM_BELOW_ID && i < b->added; i++) {
        exact += !b->gone[i] && stream_id_compare(b->id[i], trim.id) < 0;
    }
    CHECK(gone <= exact);
    CHECK(trim.limit > 0 ? gone <= trim.limit + 3 : trim.whole_pages || gone == exact);
    if (gone > 0) {
        bound_remove(b, range);
    }
    CHECK(stream_count(stream(b)) == before - gone);
}

TEST(a_stream_is_like_its_model_also_after_rollbacks)
{
    struct bound b, before = {0};
    size_t used = mem_used();
    uint64_t seed = check_seed();

    for (size_t round = 0; round < check_rounds(30); round++) {
        struct journal_mark mark;
        struct digest digest = {{0}};
        bool marked = false;

        bound_open(&b, seed + round);
        while (b.added < ENTRIES) {
            switch (random_below(&b.random, 12)) {
            case 0:
                bound_trim(&b);
                break;
            case 1:
            case 2: {
                struct stream_id id = some_id(&b);
                bound_remove(&b, (struct stream_range){id, id});
                break;
            }
            case 3:
                if (!marked) {
                    before = b;
                    mark = journal_mark(&b.journal);
                    digest = dataset_digest(b.data);
                } else {
                    journal_rollback(&b.journal, mark);
                    memcpy(b.gone, before.gone, sizeof b.gone);
                    b.added = before.added;
                    CHECK(digest_equal(dataset_digest(b.data), digest));
                }
                marked = !marked;
                break;
            default:
                bound_add(&b);
            }
            bound_check(&b);
        }
        bound_close(&b);
    }
    CHECK(mem_used() == used);
}

TEST(pages_end_where_the_limits_say)
{
    static char content[1000];
    struct bytes field[] = {BYTES("f"), {content, sizeof content}};
    struct bound b;

    bound_open(&b, 1);
    for (uint64_t i = 1; i <= 9; i++) {
        add(&b, (struct stream_id){1, i}, field, 1);
    }
    CHECK(stream_pages(stream(&b)) == 3);
    b.data->limits.stream_max_bytes = 2000;
    for (uint64_t i = 10; i <= 13; i++) {
        add(&b, (struct stream_id){1, i}, field, 1);
    }
    CHECK(stream_pages(stream(&b)) == 7);
    b.data->limits.stream_max_bytes = 0;
    b.data->limits.stream_max_entries = 0;
    for (uint64_t i = 14; i <= 300; i++) {
        add(&b, (struct stream_id){1, i}, field, 1);
    }
    CHECK(stream_pages(stream(&b)) == 7);
    bound_close(&b);
}

/* The last id may be set back, to before where entries have been removed. */
TEST(an_id_may_come_again_after_its_entry_was_removed)
{
    struct bytes field[] = {BYTES("f"), BYTES("v")};
    struct stream_meta meta = {.last = {1, 2}};
    struct stream_id id = {1, 3};
    struct journal_mark mark;
    struct digest before;
    struct bound b;

    bound_open(&b, 1);
    for (uint64_t i = 1; i <= 4; i++) {
        add(&b, (struct stream_id){1, i}, field, 1);
    }
    journal_make(&b.journal,
                 change_entry_remove(0, BYTES("key"), (struct stream_range){{1, 3}, {1, 4}}));
    journal_make(&b.journal, change_stream_meta(0, BYTES("key"), &meta, &b.scratch));
    mark = journal_mark(&b.journal);
    before = dataset_digest(b.data);
    add(&b, id, field, 1);
    dataset_check(b.data);
    CHECK(stream_has(stream(&b), id));
    CHECK(stream_pages(stream(&b)) == 2);
    journal_make(&b.journal, change_entry_remove(0, BYTES("key"), (struct stream_range){id, id}));
    CHECK(!stream_has(stream(&b), id));
    CHECK(stream_count(stream(&b)) == 2);
    journal_rollback(&b.journal, mark);
    dataset_check(b.data);
    CHECK(digest_equal(dataset_digest(b.data), before));
    bound_close(&b);
}

TEST(small_entries_take_up_little)
{
    struct bytes field[] = {BYTES("temperature"), BYTES("12345"), BYTES("humidity"), BYTES("42")};
    struct bound b;

    bound_open(&b, 1);
    b.data->limits = value_limits_default;
    for (uint64_t i = 0; i < 10000; i++) {
        add(&b, (struct stream_id){1700000000000 + i, 0}, field, 2);
    }
    CHECK(value_memory(stream(&b), 0) < 10000 * 17);
    CHECK(value_memory(stream(&b), 5) < 10000 * 17);
    bound_close(&b);
}

TEST(ids_have_neighbours_but_for_the_first_and_the_last)
{
    struct stream_id id = {1, UINT64_MAX};

    CHECK(stream_id_next(&id));
    CHECK(id.ms == 2 && id.seq == 0);
    CHECK(stream_id_previous(&id));
    CHECK(id.ms == 1 && id.seq == UINT64_MAX);
    id = STREAM_ID_MAX;
    CHECK(!stream_id_next(&id));
    id = STREAM_ID_MIN;
    CHECK(!stream_id_previous(&id));
}

TEST(what_makes_no_sense_is_not_filled_in)
{
    const struct value_limits *limits = &value_limits_default;
    struct value *v = value_new(VALUE_STREAM, BYTES("key"), EXPIRES_NEVER);
    struct bytes fields = BYTES("\1\1a\1b");
    struct delivery d = {BYTES("g"), BYTES("c"), {1, 1}, 5, 1};

    CHECK(!value_fill_entry(v, (struct stream_id){0, 0}, fields, limits));
    CHECK(!value_fill_entry(v, (struct stream_id){1, 1}, BYTES("\0"), limits));
    CHECK(!value_fill_entry(v, (struct stream_id){1, 1}, BYTES("\2\1a\1b"), limits));
    CHECK(!value_fill_entry(v, (struct stream_id){1, 1}, BYTES("\1\1a\1bc"), limits));
    CHECK(value_fill_entry(v, (struct stream_id){1, 1}, fields, limits));
    CHECK(!value_fill_entry(v, (struct stream_id){1, 1}, fields, limits));
    CHECK(!value_fill_meta(v, &(struct stream_meta){.last = {1, 0}}));
    CHECK(value_fill_meta(v, &(struct stream_meta){.last = {1, 1}, .added = 7}));
    CHECK(!value_fill_consumer(v, d.group, d.consumer, 1));
    CHECK(value_fill_group(v, d.group, STREAM_ID_MIN, STREAM_READ_UNKNOWN));
    CHECK(!value_fill_group(v, d.group, STREAM_ID_MIN, STREAM_READ_UNKNOWN));
    CHECK(!value_fill_pending(v, &d));
    CHECK(value_fill_consumer(v, d.group, d.consumer, 1));
    CHECK(!value_fill_consumer(v, d.group, d.consumer, 1));
    CHECK(value_fill_pending(v, &d));
    CHECK(!value_fill_pending(v, &d));
    value_check(v);
    value_free(v);
}

/* All that a copy, the log's form of it and a follower must have. */
TEST(copies_have_groups_and_what_is_pending)
{
    struct value *v = value_new(VALUE_STREAM, BYTES("key"), EXPIRES_NEVER);
    struct value *copy, *decoded;
    BUF_LOCAL(coded);
    struct bytes in;

    for (uint64_t i = 1; i < 500; i++) {
        value_fill_entry(v, (struct stream_id){i, 0}, BYTES("\1\1a\1b"), &value_limits_default);
    }
    value_fill_group(v, BYTES("g"), (struct stream_id){3, 0}, 3);
    value_fill_group(v, BYTES("a longer name"), (struct stream_id){3, 0}, 3);
    value_fill_consumer(v, BYTES("g"), BYTES("one"), 1000);
    value_fill_consumer(v, BYTES("g"), BYTES("another consumer"), 1000);
    for (uint64_t i = 1; i < 300; i++) {
        struct bytes consumer = i % 3 == 0 ? BYTES("one") : BYTES("another consumer");
        value_fill_pending(v,
                           &(struct delivery){BYTES("g"), consumer, {i, 0}, 1000 + (int64_t)i, i});
    }
    value_check(v);
    copy = value_copy(v, BYTES("copy"), EXPIRES_NEVER);
    value_check(copy);
    CHECK(digest_equal(digest_value(v), digest_value(copy)));

    value_encode(v, &coded);
    in = buf_bytes(&coded);
    decoded = value_decode(&in, BYTES("key"), &value_limits_default);
    CHECK(decoded != NULL && in.len == 0);
    value_check(decoded);
    CHECK(digest_equal(digest_value(v), digest_value(decoded)));
    CHECK(value_memory(v, 0) > 300 * 48);
    value_free(v);
    value_free(copy);
    value_free(decoded);
}

int main(void)
{
    return RUN(a_stream_is_like_its_model_also_after_rollbacks, pages_end_where_the_limits_say,
               an_id_may_come_again_after_its_entry_was_removed, small_entries_take_up_little,
               ids_have_neighbours_but_for_the_first_and_the_last,
               what_makes_no_sense_is_not_filled_in, copies_have_groups_and_what_is_pending);
}
