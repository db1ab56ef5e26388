#include "data/packed.h"

#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

/* The model: an array of copies. */
enum { MODEL_MAX = 60 };

struct model {
    struct packed *packed;
    struct bytes element[MODEL_MAX];
    size_t count;
    struct random random;
};

/* Mostly short lengths, and those where the prefix gets longer. */
static size_t some_length(struct random *r)
{
    static const size_t edges[] = {0, 1, 7, 8, 9, 126, 127, 128, 129, 300, 16383, 16384, 70000};

    if (random_below(r, 4) > 0) {
        return random_below(r, 12);
    }
    return edges[random_below(r, random_below(r, 16) == 0 ? 13 : 10)];
}

/* Content of few different letters, so that elements are often equal or nearly. */
static struct bytes some_content(struct random *r)
{
    size_t len = some_length(r);
    char *at = mem_alloc(len);

    memset(at, (int)random_below(r, 3), len);
    if (len > 0 && random_below(r, 2) == 0) {
        at[random_below(r, len)] = (char)random_next(r);
    }
    return (struct bytes){at, len};
}

static void model_insert(struct model *m)
{
    size_t index = random_below(&m->random, m->count + 1);
    size_t count = 1 + random_below(&m->random, 3);
    packed_at at = packed_select(m->packed, index);
    struct bytes *element = m->element + index;

    if (m->count + count > MODEL_MAX) {
        return;
    }
    memmove(element + count, element, (m->count - index) * sizeof(*element));
    for (size_t i = 0; i < count; i++) {
        element[i] = some_content(&m->random);
    }
    m->count += count;
    packed_insert(&m->packed, at, element, count);
}

static void model_remove(struct model *m)
{
    size_t index = random_below(&m->random, m->count);
    size_t count = 1 + random_below(&m->random, m->count - index < 4 ? m->count - index : 4);
    struct bytes *element = m->element + index;

    packed_remove(&m->packed, packed_select(m->packed, index), count);
    for (size_t i = 0; i < count; i++) {
        mem_free((void *)element[i].at);
    }
    m->count -= count;
    memmove(element, element + count, (m->count - index) * sizeof(*element));
}

static void model_replace(struct model *m)
{
    size_t index = random_below(&m->random, m->count);

    mem_free((void *)m->element[index].at);
    m->element[index] = some_content(&m->random);
    packed_replace(&m->packed, packed_select(m->packed, index), m->element[index]);
}

static void check_like(const struct packed *p, const struct model *m)
{
    packed_at at = packed_first(p);
    packed_at before = PACKED_NONE;

    packed_check(p);
    CHECK(packed_count(p) == m->count);
    CHECK((p == NULL) == (m->count == 0));
    for (size_t i = 0; i < m->count; i++) {
        CHECK(packed_select(p, i) == at);
        CHECK(packed_previous(p, at) == before);
        CHECK(bytes_equal(packed_get(p, at), m->element[i]));
        before = at;
        at = packed_next(p, at);
    }
    CHECK(at == PACKED_NONE);
    CHECK(packed_last(p) == before);
    CHECK(packed_select(p, m->count) == PACKED_NONE);
}

static packed_at model_find(const struct model *m, struct bytes element, size_t stride)
{
    for (size_t i = 0; i < m->count; i += stride) {
        if (bytes_equal(m->element[i], element)) {
            return packed_select(m->packed, i);
        }
    }
    return PACKED_NONE;
}

static void check_find(struct model *m)
{
    struct bytes other = some_content(&m->random);

    for (size_t stride = 1; stride <= 3; stride++) {
        CHECK(packed_find(m->packed, other, stride) == model_find(m, other, stride));
        if (m->count > 0) {
            struct bytes known = m->element[random_below(&m->random, m->count)];
            CHECK(packed_find(m->packed, known, stride) == model_find(m, known, stride));
        }
    }
    mem_free((void *)other.at);
}

static void check_copy(const struct model *m)
{
    struct packed *copy = packed_copy(m->packed);

    check_like(copy, m);
    CHECK(packed_size(copy) == packed_size(m->packed));
    packed_free(copy);
}

TEST(an_array_is_like_a_list_of_strings)
{
    struct model m = {0};
    size_t used = mem_used();

    random_seed(&m.random, check_seed());
    for (size_t i = 0; i < check_rounds(20000); i++) {
        uint64_t inserts_of_8 = i / 400 % 2 == 0 ? 4 : 1;
        uint64_t dice = random_below(&m.random, 8);
        if (dice < inserts_of_8) {
            model_insert(&m);
        } else if (m.count > 0 && dice < 6) {
            model_remove(&m);
        } else if (m.count > 0) {
            model_replace(&m);
        }
        check_like(m.packed, &m);
        check_find(&m);
        if (i % 16 == 0) {
            check_copy(&m);
        }
    }
    while (m.count > 0) {
        model_remove(&m);
        check_like(m.packed, &m);
    }
    CHECK(mem_used() == used);
}

TEST(an_empty_array_is_null)
{
    struct packed *p = NULL;

    CHECK(packed_count(p) == 0);
    CHECK(packed_size(p) == 0);
    CHECK(packed_memory(p) == 0);
    CHECK(packed_first(p) == PACKED_NONE);
    CHECK(packed_last(p) == PACKED_NONE);
    CHECK(packed_find(p, BYTES(""), 1) == PACKED_NONE);
    CHECK(packed_copy(p) == NULL);
    packed_insert(&p, PACKED_NONE, NULL, 0);
    CHECK(p == NULL);
    packed_insert(&p, PACKED_NONE, &BYTES("a"), 1);
    CHECK(p != NULL);
    packed_remove(&p, packed_first(p), 1);
    CHECK(p == NULL);
    packed_free(p);
}

TEST(a_short_element_costs_two_bytes_more)
{
    struct packed *p = NULL;

    packed_insert(&p, PACKED_NONE, &BYTES(""), 1);
    CHECK(packed_size(p) == 2);
    packed_insert(&p, PACKED_NONE, &BYTES("abc"), 1);
    CHECK(packed_size(p) == 7);
    packed_free(p);
}

TEST(a_value_is_not_mistaken_for_a_field)
{
    static const struct bytes pairs[] = {BYTES("a"), BYTES("b"), BYTES("b"), BYTES("c")};
    struct packed *p = NULL;

    packed_insert(&p, PACKED_NONE, pairs, 4);
    CHECK(packed_find(p, BYTES("b"), 1) == packed_select(p, 1));
    CHECK(packed_find(p, BYTES("b"), 2) == packed_select(p, 2));
    CHECK(packed_find(p, BYTES("c"), 2) == PACKED_NONE);
    packed_free(p);
}

/* Lengths take up one byte more with every seventh bit. */
TEST(lengths_of_many_sizes_are_read_from_both_ends)
{
    enum { LARGE = 1 << 21 };
    char *content = mem_zalloc(LARGE);
    struct packed *p = NULL;
    size_t count = 0;

    for (size_t len = 1; len <= LARGE; len <<= 7) {
        struct bytes around[] = {{content, len - 1}, {content, len}};
        packed_insert(&p, packed_first(p), around, 2);
        packed_check(p);
        CHECK(packed_get(p, packed_first(p)).len == len - 1);
        CHECK(packed_get(p, packed_next(p, packed_first(p))).len == len);
        count += 2;
    }
    CHECK(packed_count(p) == count);
    CHECK(packed_get(p, packed_last(p)).len == 1);
    packed_free(p);
    mem_free(content);
}

TEST(memory_follows_the_content)
{
    struct bytes large = {mem_zalloc(5000), 5000};
    struct packed *p = NULL;

    packed_insert(&p, PACKED_NONE, &BYTES("small"), 1);
    packed_insert(&p, PACKED_NONE, &large, 1);
    CHECK(packed_memory(p) >= 5000);
    packed_replace(&p, packed_last(p), BYTES("small too"));
    CHECK(packed_memory(p) < 100);
    packed_check(p);
    packed_free(p);
    mem_free((void *)large.at);
}

int main(void)
{
    return RUN(an_array_is_like_a_list_of_strings, an_empty_array_is_null,
               a_short_element_costs_two_bytes_more, a_value_is_not_mistaken_for_a_field,
               lengths_of_many_sizes_are_read_from_both_ends, memory_follows_the_content);
}
