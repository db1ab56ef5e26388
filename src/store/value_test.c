#include "store/value.h"

#include "base/mem.h"
#include "store/change.h"
#include "store/reclaim.h"
#include "test/lib/check.h"

/* Without what is about to be freed. */
static size_t memory_used(void)
{
    reclaim_all();
    return mem_used();
}

static const struct value_limits low_limits = {
    .hash_max_packed_entries = 4,
    .hash_max_packed_value = 8,
    .set_max_intset_entries = 4,
    .set_max_packed_entries = 4,
    .set_max_packed_value = 8,
};

/* `len` bytes, the same until the next call. */
static struct bytes letters(size_t len)
{
    static char text[4 * 1024 * 1024];

    CHECK(len <= sizeof text);
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)('a' + i % 26);
    }
    return (struct bytes){text, len};
}

static struct value *string_of(size_t len)
{
    return value_new_string(BYTES("key"), letters(len), EXPIRES_NEVER);
}

static bool has_encoding(const struct value *v, const char *name)
{
    return strcmp(value_encoding_name(v), name) == 0;
}

/* Strings. */

/* A bound string, and a buffer that it must be like. */
struct bound {
    struct dataset *data;
    struct buf model;
    int64_t expires_ms;
};

static const struct value *bound_value(const struct bound *b)
{
    return keyspace_find_any(b->data->db[0], BYTES("key"));
}

static void bound_check(const struct bound *b)
{
    const struct value *v = bound_value(b);

    dataset_check(b->data);
    CHECK(bytes_equal(value_string(v), buf_bytes(&b->model)));
    CHECK(bytes_equal(value_key(v), BYTES("key")));
    CHECK(value_expires_ms(v) == b->expires_ms);
    CHECK(value_memory(v, 0) >= b->model.len);
    CHECK(value_memory(v, 0) <= 4 * b->model.len + 256);
}

static void bound_splice(struct bound *b, size_t offset, size_t removed, struct bytes inserted)
{
    struct change c = change_splice(0, BYTES("key"), offset, removed, inserted);
    BUF_LOCAL(spliced);

    change_make(b->data, &c, NULL, NULL);
    buf_reserve(&spliced, 1); /* So that there is an address, even of no bytes. */
    buf_add(&spliced, (struct bytes){b->model.at, offset});
    buf_add(&spliced, inserted);
    buf_add(&spliced,
            (struct bytes){b->model.at + offset + removed, b->model.len - offset - removed});
    buf_clear(&b->model);
    b->model = spliced;
    spliced = (struct buf){0};
    bound_check(b);
}

static void bound_retime(struct bound *b, int64_t expires_ms)
{
    struct change c = change_retime(0, BYTES("key"), expires_ms);

    change_make(b->data, &c, NULL, NULL);
    b->expires_ms = expires_ms;
    bound_check(b);
}

static void bound_open(struct bound *b, size_t len)
{
    struct change c = change_bind(0, string_of(len));

    *b = (struct bound){.data = dataset_new(1), .expires_ms = EXPIRES_NEVER};
    change_make(b->data, &c, NULL, NULL);
    buf_reserve(&b->model, 1);
    buf_add(&b->model, letters(len));
    bound_check(b);
}

static void bound_close(struct bound *b)
{
    dataset_free(b->data);
    buf_clear(&b->model);
}

TEST(strings_of_all_lengths_become_all_others)
{
    static const size_t lengths[] = {0, 1, 44, 95, 96, 97, 191, 192, 193, 194, 400, 5000};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    size_t used = memory_used();

    for (size_t from = 0; from < COUNT; from++) {
        for (size_t to = 0; to < COUNT; to++) {
            struct bound b;
            bound_open(&b, lengths[from]);
            bound_splice(&b, 0, lengths[from], letters(lengths[to]));
            bound_retime(&b, 5);
            bound_splice(&b, lengths[to] / 2, lengths[to] - lengths[to] / 2,
                         letters(lengths[from]));
            bound_retime(&b, EXPIRES_NEVER);
            bound_splice(&b, 0, b.model.len, (struct bytes){0});
            bound_close(&b);
        }
    }
    CHECK(memory_used() == used);
}

TEST(splices_are_like_those_of_a_buffer)
{
    struct bound b;
    struct random r;
    size_t used = memory_used();

    random_seed(&r, check_seed());
    bound_open(&b, 0);
    for (size_t i = 0; i < check_rounds(5000); i++) {
        size_t offset = random_below(&r, b.model.len + 1);
        size_t removed = random_below(&r, b.model.len - offset + 1);
        size_t most = random_below(&r, 8) == 0 ? 300 : 40;

        if (random_below(&r, 2) == 0) {
            removed = removed < 20 ? removed : 20;
        }
        bound_splice(&b, offset, removed, letters(random_below(&r, most)));
        if (random_below(&r, 10) == 0) {
            bound_retime(&b, random_below(&r, 2) == 0 ? EXPIRES_NEVER : (int64_t)i);
        }
    }
    bound_close(&b);
    CHECK(memory_used() == used);
}

TEST(appending_does_not_copy_each_time)
{
    struct bound b;
    const char *before;
    size_t moved = 0;

    bound_open(&b, 200);
    for (int i = 0; i < 2000; i++) {
        before = value_string(bound_value(&b)).at;
        bound_splice(&b, b.model.len, 0, BYTES("x"));
        moved += value_string(bound_value(&b)).at != before;
    }
    CHECK(moved <= 8);
    bound_close(&b);
}

TEST(a_string_is_called_by_its_content)
{
    static const struct {
        const char *content;
        const char *encoding;
    } of[] = {
        {"", "embstr"},
        {"0", "int"},
        {"-1", "int"},
        {"01", "embstr"},
        {"9223372036854775807", "int"},
        {"9223372036854775808", "embstr"},
        {"12345678901234567890123456789012345678901234", "embstr"},
        {"123456789012345678901234567890123456789012345", "raw"},
    };

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct value *v = value_new_string(BYTES("k"), bytes_of(of[i].content), EXPIRES_NEVER);
        CHECK(has_encoding(v, of[i].encoding));
        value_check(v);
        value_free(v);
    }
}

TEST(a_string_modified_in_place_is_raw_until_it_is_assigned)
{
    struct bound b;
    struct value *copy;
    struct change assign;

    bound_open(&b, 0);
    bound_splice(&b, 0, 0, BYTES("12"));
    CHECK(value_raw(bound_value(&b)));
    CHECK(has_encoding(bound_value(&b), "raw"));
    bound_retime(&b, 5);
    CHECK(value_raw(bound_value(&b)));
    copy = value_copy(bound_value(&b), BYTES("copy"), EXPIRES_NEVER);
    CHECK(value_raw(copy));
    value_free(copy);
    assign = change_assign(0, BYTES("key"), 2, BYTES("34"));
    change_make(b.data, &assign, NULL, NULL);
    CHECK(!value_raw(bound_value(&b)));
    CHECK(has_encoding(bound_value(&b), "int"));
    bound_close(&b);
}

TEST(a_value_that_moves_remembers_when_it_was_asked_for)
{
    struct bound b;

    bound_open(&b, 10);
    keyspace_touch(bound_value(&b), 5);
    bound_splice(&b, 0, 0, letters(300));
    CHECK(value_accessed(bound_value(&b)) == 5);
    bound_retime(&b, 5);
    CHECK(value_accessed(bound_value(&b)) == 5);
    bound_close(&b);
}

TEST(a_value_expires_at_its_time)
{
    struct value *v = value_new_string(BYTES("k"), BYTES("v"), 100);
    struct value *never = value_copy(v, BYTES("k"), EXPIRES_NEVER);

    CHECK(!value_has_expired(v, 99));
    CHECK(value_has_expired(v, 100));
    CHECK(!value_has_expired(never, INT64_MAX));
    value_free(v);
    value_free(never);
}

/* Collections. */

static void add(struct value *v, const char *text)
{
    if (value_type(v) == VALUE_SET) {
        value_fill_member(v, bytes_of(text), &low_limits);
    } else {
        value_fill_field(v, bytes_of(text), bytes_of(text), &low_limits);
    }
    value_check(v);
}

static struct value *set_of(const char *first, ...)
{
    struct value *v = value_new(VALUE_SET, BYTES("key"), 7);
    va_list args;

    va_start(args, first);
    for (const char *text = first; text != NULL; text = va_arg(args, const char *)) {
        add(v, text);
    }
    va_end(args);
    return v;
}

static struct value *hash_of(const char *first, ...)
{
    struct value *v = value_new(VALUE_HASH, BYTES("key"), 7);
    va_list args;

    va_start(args, first);
    for (const char *text = first; text != NULL; text = va_arg(args, const char *)) {
        add(v, text);
    }
    va_end(args);
    return v;
}

static size_t count_of(const struct value *v)
{
    return value_type(v) == VALUE_SET ? value_set_count(v) : value_hash_count(v, 0);
}

static struct value *of_numbers(enum value_type type, size_t count)
{
    struct value *v = type == VALUE_SET ? set_of(NULL) : hash_of(NULL);
    char text[24];

    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%zu", i);
        add(v, text);
    }
    return v;
}

/* A sum over the first walk that is wrong if an element is missed or comes twice. */
static bool walk_meets_numbers(const struct value *v, size_t count)
{
    struct value_walk walk = {0};
    struct bytes element, content;
    bool met[1000] = {0};
    size_t walked = 0;
    int64_t number;

    while (value_type(v) == VALUE_SET ? value_set_next(v, &walk, &element)
                                      : value_hash_next(v, &walk, &element, &content)) {
        CHECK(number_parse_int(element, &number));
        CHECK(number >= 0 && (size_t)number < count);
        CHECK(!met[number]);
        met[number] = true;
        walked++;
    }
    return walked == count;
}

struct scanned {
    unsigned met[1000];
    bool has_content;
};

static void visit(struct bytes element, struct bytes content, void *context)
{
    struct scanned *scanned = context;
    int64_t number;

    CHECK(number_parse_int(element, &number));
    CHECK(bytes_equal(content, scanned->has_content ? element : (struct bytes){0}));
    scanned->met[number]++;
}

static bool scan_meets_numbers(const struct value *v, size_t count)
{
    struct scanned scanned = {.has_content = value_type(v) == VALUE_HASH};
    uint64_t cursor = 0;

    do {
        cursor = value_scan(v, cursor, 0, visit, &scanned);
        CHECK(cursor == 0 || count > 4);
    } while (cursor != 0);
    for (size_t i = 0; i < 1000; i++) {
        CHECK(scanned.met[i] == (i < count));
    }
    return true;
}

TEST(a_walk_and_a_scan_meet_each_element_once)
{
    static const size_t counts[] = {0, 1, 4, 5, 100, 1000};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (enum value_type type = VALUE_SET; type <= VALUE_HASH; type++) {
            struct value *v = of_numbers(type, counts[i]);
            CHECK(count_of(v) == counts[i]);
            CHECK(walk_meets_numbers(v, counts[i]));
            CHECK(scan_meets_numbers(v, counts[i]));
            value_free(v);
        }
    }
}

TEST(collections_outgrow_their_containers)
{
    struct value *numbers = set_of("1", "2", "3", "4", NULL);
    struct value *words = set_of("a", "b", "c", "d", NULL);
    struct value *hash = hash_of("a", "b", "c", "d", NULL);

    CHECK(has_encoding(numbers, "intset"));
    add(numbers, "5");
    CHECK(has_encoding(numbers, "hashtable"));
    CHECK(has_encoding(words, "hashtable"));
    add(words, "e");
    CHECK(value_set_count(words) == 5);
    CHECK(has_encoding(hash, "listpack"));
    add(hash, "d");
    CHECK(has_encoding(hash, "listpack"));
    add(hash, "e");
    CHECK(has_encoding(hash, "hashtable"));
    value_free(numbers);
    value_free(words);
    value_free(hash);
}

TEST(long_elements_are_not_packed)
{
    struct value *field = hash_of("eight by", NULL);
    struct value *content = hash_of("a", NULL);
    struct value *set = set_of("1", "ninebytes", "eight by", NULL);

    CHECK(has_encoding(field, "listpack"));
    add(field, "ninebytes");
    CHECK(has_encoding(field, "hashtable"));
    CHECK(!value_fill_field(content, BYTES("a"), BYTES("ninebytes"), &low_limits));
    CHECK(has_encoding(content, "hashtable"));
    CHECK(value_set_has(set, BYTES("1")) && value_set_has(set, BYTES("ninebytes")));
    value_free(field);
    value_free(content);
    value_free(set);
}

TEST(a_long_number_in_a_set_is_one_of_its_members)
{
    struct value *v = set_of("1", "9223372036854775807", "-9223372036854775808", NULL);

    CHECK(has_encoding(v, "intset"));
    CHECK(value_set_has(v, BYTES("9223372036854775807")));
    CHECK(!value_set_has(v, BYTES("01")));
    CHECK(!value_set_has(v, BYTES("9223372036854775808")));
    add(v, "one"); /* Some members are longer than a packed array may hold. */
    CHECK(value_set_count(v) == 4);
    CHECK(value_set_has(v, BYTES("-9223372036854775808")));
    CHECK(value_set_has(v, BYTES("one")));
    value_free(v);
}

TEST(filling_tells_what_was_there)
{
    struct value *set = value_new(VALUE_SET, BYTES("s"), EXPIRES_NEVER);
    struct value *hash = value_new(VALUE_HASH, BYTES("h"), EXPIRES_NEVER);
    struct bytes content;

    CHECK(value_fill_member(set, BYTES("a"), &low_limits));
    CHECK(!value_fill_member(set, BYTES("a"), &low_limits));
    CHECK(value_fill_field(hash, BYTES("a"), BYTES("1"), &low_limits));
    CHECK(!value_fill_field(hash, BYTES("a"), BYTES("2"), &low_limits));
    CHECK(value_hash_get(hash, BYTES("a"), 0, &content));
    CHECK(bytes_equal(content, BYTES("2")));
    CHECK(!value_hash_get(hash, BYTES("2"), 0, &content));
    value_free(set);
    value_free(hash);
}

TEST(a_packed_collection_keeps_the_order_of_its_elements)
{
    struct value *v = hash_of("b", "a", "", "c", NULL);
    struct value_walk walk = {0};
    struct bytes field, content;
    BUF_LOCAL(order);

    while (value_hash_next(v, &walk, &field, &content)) {
        buf_addf(&order, "%.*s,", (int)field.len, field.at);
    }
    CHECK(bytes_equal(buf_bytes(&order), BYTES("b,a,,c,")));
    value_free(v);
}

/* A value of every kind and container. */
enum { KINDS = 9 };

static struct value *of_kind(size_t kind)
{
    switch (kind) {
    case 0:
        return string_of(0);
    case 1:
        return string_of(192);
    case 2:
        return string_of(193);
    case 3:
        return set_of("1", "-70000", NULL);
    case 4:
        return set_of("1", "word", NULL);
    case 5:
        return of_numbers(VALUE_SET, 1000);
    case 6:
        return hash_of("a", "b", NULL);
    case 7:
        return of_numbers(VALUE_HASH, 1000);
    default:
        return value_new(VALUE_SET, BYTES("key"), EXPIRES_NEVER);
    }
}

TEST(a_copy_is_equal_and_has_a_life_of_its_own)
{
    size_t used = memory_used();

    for (size_t kind = 0; kind < KINDS; kind++) {
        struct value *v = of_kind(kind);
        struct value *copy = value_copy(v, BYTES("another key"), value_expires_ms(v));
        struct digest before = digest_value(v);

        value_check(copy);
        CHECK(bytes_equal(value_key(copy), BYTES("another key")));
        CHECK(value_type(copy) == value_type(v));
        CHECK(has_encoding(copy, value_encoding_name(v)));
        CHECK(digest_equal(digest_value(copy), before));
        if (value_type(copy) != VALUE_STRING) {
            add(copy, "more");
            CHECK(count_of(copy) == count_of(v) + 1);
        }
        value_free(copy);
        CHECK(digest_equal(digest_value(v), before));
        value_free(v);
    }
    CHECK(memory_used() == used);
}

TEST(memory_is_what_the_allocator_gave)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t before = mem_used();
        struct value *v = of_kind(kind);
        size_t taken = mem_used() - before;

        CHECK(value_memory(v, 0) == taken);
        CHECK(value_memory(v, 5) >= taken * 9 / 10 && value_memory(v, 5) <= taken * 11 / 10);
        value_free(v);
    }
}

/* Draws often enough that an unequal chance is seen: 1000 times for each of the
 * elements, whose standard deviation is below 32. */
TEST(random_elements_are_equally_likely)
{
    static const size_t counts[] = {1, 4, 7, 50};
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (enum value_type type = VALUE_SET; type <= VALUE_HASH; type++) {
            struct value *v = of_numbers(type, counts[i]);
            size_t drawn[50] = {0};

            for (size_t draw = 0; draw < 1000 * counts[i]; draw++) {
                char text[NUMBER_INT_MAX];
                struct bytes element, content;
                int64_t number;

                if (type == VALUE_SET) {
                    element = value_set_random(v, &r, text);
                } else {
                    value_hash_random(v, &r, 0, &element, &content);
                    CHECK(bytes_equal(element, content));
                }
                CHECK(number_parse_int(element, &number));
                drawn[number]++;
            }
            for (size_t number = 0; number < counts[i]; number++) {
                CHECK(drawn[number] > 780 && drawn[number] < 1220);
            }
            value_free(v);
        }
    }
}

TEST(types_have_names)
{
    CHECK(strcmp(value_type_name(VALUE_STRING), "string") == 0);
    CHECK(strcmp(value_type_name(VALUE_SET), "set") == 0);
    CHECK(strcmp(value_type_name(VALUE_HASH), "hash") == 0);
}

TEST(freeing_nothing_does_nothing)
{
    value_free(NULL);
}

int main(void)
{
    return RUN(strings_of_all_lengths_become_all_others, splices_are_like_those_of_a_buffer,
               appending_does_not_copy_each_time, a_string_is_called_by_its_content,
               a_string_modified_in_place_is_raw_until_it_is_assigned,
               a_value_that_moves_remembers_when_it_was_asked_for, a_value_expires_at_its_time,
               a_walk_and_a_scan_meet_each_element_once, collections_outgrow_their_containers,
               long_elements_are_not_packed, a_long_number_in_a_set_is_one_of_its_members,
               filling_tells_what_was_there, a_packed_collection_keeps_the_order_of_its_elements,
               a_copy_is_equal_and_has_a_life_of_its_own, memory_is_what_the_allocator_gave,
               random_elements_are_equally_likely, types_have_names, freeing_nothing_does_nothing);
}
