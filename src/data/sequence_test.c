#include "data/sequence.h"

#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

/* The model: an array of copies. */
enum { MODEL_MAX = 300 };

struct model {
    struct sequence *sequence;
    struct bytes element[MODEL_MAX];
    size_t count;
    struct chunk_limit limit;
    struct random random;
};

static size_t below(struct model *m, size_t n)
{
    return (size_t)random_below(&m->random, n);
}

static struct bytes copied(const char *at, size_t len)
{
    char *copy = mem_alloc(len + 1);

    memcpy(copy, at, len);
    return (struct bytes){copy, len};
}

/* A number of any size, or what is nearly one. */
static struct bytes some_number(struct model *m)
{
    static const char *const odd[] = {"-0",
                                      "007",
                                      "1 ",
                                      "9223372036854775808",
                                      "+1",
                                      "-9223372036854775808",
                                      "123456789012345678901"};
    char text[NUMBER_INT_MAX];
    size_t len;

    if (below(m, 8) == 0) {
        struct bytes b = bytes_of(odd[below(m, sizeof odd / sizeof *odd)]);
        return copied(b.at, b.len);
    }
    len = number_format_int(text, (int64_t)random_next(&m->random) >> below(m, 64));
    return copied(text, len);
}

/* Mostly short words of few different letters, so that many are equal; and lengths
 * where the coding changes. */
static struct bytes some_content(struct model *m)
{
    static const size_t edges[] = {0, 1, 126, 127, 128, 300, 4095, 4096, 70000};
    static char content[70000];
    size_t len = below(m, 30) > 0 ? below(m, 12) : edges[below(m, 9)];

    if (below(m, 3) == 0) {
        return some_number(m);
    }
    memset(content, 'a' + (int)below(m, 3), len);
    if (len > 0) {
        content[below(m, len)] = 'z';
    }
    return copied(content, len);
}

/* The ends are as frequent as all the rest. */
static size_t some_index(struct model *m, size_t count)
{
    switch (below(m, 4)) {
    case 0:
        return 0;
    case 1:
        return count;
    default:
        return below(m, count + 1);
    }
}

static void model_open_gap(struct model *m, size_t index, size_t count)
{
    memmove(m->element + index + count, m->element + index,
            (m->count - index) * sizeof *m->element);
    m->count += count;
}

static void model_insert(struct model *m)
{
    size_t index = some_index(m, m->count);

    if (m->count == MODEL_MAX) {
        return;
    }
    model_open_gap(m, index, 1);
    m->element[index] = some_content(m);
    sequence_insert(&m->sequence, index, m->element[index], m->limit);
}

static void check_equal(const struct sequence *s, const struct bytes *element, size_t count)
{
    char text[NUMBER_INT_MAX];
    struct sequence_at at = sequence_seek(s, 0);

    sequence_check(s);
    CHECK(sequence_count(s) == count);
    CHECK((s == NULL) == (count == 0));
    for (size_t i = 0; i < count; i++, sequence_next(&at)) {
        CHECK(at.index == i);
        CHECK(bytes_equal(sequence_get(&at, text), element[i]));
    }
    CHECK(at.chunk == NULL);
    at = sequence_seek(s, count - 1);
    for (size_t i = count; i > 0; i--, sequence_previous(&at)) {
        CHECK(at.index == i - 1);
        CHECK(bytes_equal(sequence_get(&at, text), element[i - 1]));
    }
    CHECK(at.chunk == NULL);
}

/* Removes some; keeps what was removed and puts it back elsewhere, sometimes. */
static void model_remove(struct model *m)
{
    size_t index = some_index(m, m->count - 1);
    size_t most = m->count - index;
    size_t count = below(m, 3) > 0 ? 1 : 1 + below(m, below(m, 3) > 0 && most > 9 ? 9 : most);
    struct bytes gone[MODEL_MAX];
    struct sequence *removed = NULL;
    bool keep = below(m, 2) == 0;

    memcpy(gone, m->element + index, count * sizeof *gone);
    m->count -= count;
    memmove(m->element + index, m->element + index + count,
            (m->count - index) * sizeof *m->element);
    sequence_remove(&m->sequence, index, count, keep ? &removed : NULL);
    if (!keep) {
        for (size_t i = 0; i < count; i++) {
            mem_free((void *)gone[i].at);
        }
        return;
    }
    check_equal(removed, gone, count);
    index = some_index(m, m->count);
    model_open_gap(m, index, count);
    memcpy(m->element + index, gone, count * sizeof *gone);
    sequence_insert_all(&m->sequence, index, removed);
}

static void model_replace(struct model *m)
{
    size_t index = some_index(m, m->count - 1);

    mem_free((void *)m->element[index].at);
    m->element[index] = some_content(m);
    sequence_replace(&m->sequence, index, m->element[index], m->limit);
}

static void check_seek(struct model *m)
{
    size_t index = below(m, m->count);
    char text[NUMBER_INT_MAX];
    struct sequence_at at = sequence_seek(m->sequence, index);

    CHECK(at.index == index);
    CHECK(bytes_equal(sequence_get(&at, text), m->element[index]));
    CHECK(sequence_seek(m->sequence, m->count).chunk == NULL);
}

static void check_find(struct model *m)
{
    size_t index = below(m, m->count);
    size_t most = below(m, m->count + 2);
    struct bytes wanted = m->element[below(m, m->count)];
    struct element e = element_of(wanted);
    struct sequence_at at = sequence_seek(m->sequence, index);
    bool backwards = below(m, 2) == 0;
    size_t steps = 0;
    size_t i = index;

    while (steps < most && i < m->count && !bytes_equal(m->element[i], wanted)) {
        i += backwards ? -(size_t)1 : 1; /* Past the front is far behind the end. */
        steps++;
    }
    if (steps < most && i < m->count) {
        CHECK(sequence_find(&at, backwards, &e, most));
        CHECK(at.index == i);
    } else {
        CHECK(!sequence_find(&at, backwards, &e, most));
    }
}

static void model_clear(struct model *m)
{
    sequence_free(m->sequence);
    m->sequence = NULL;
    for (size_t i = 0; i < m->count; i++) {
        mem_free((void *)m->element[i].at);
    }
    m->count = 0;
}

static void model_step(struct model *m, bool growing)
{
    size_t dice = below(m, 12);

    if (m->count == 0 || dice < (growing ? 7 : 4)) {
        model_insert(m);
    } else if (dice < 9) {
        model_remove(m);
    } else if (dice < 10) {
        model_replace(m);
    } else {
        check_seek(m);
        check_find(m);
    }
}

TEST(a_sequence_is_like_an_array)
{
    static const struct chunk_limit limits[] = {{64, SIZE_MAX}, {100, SIZE_MAX}, {8192, 1},
                                                {8192, 3},      {8192, 8},       {200, SIZE_MAX}};
    struct model m = {0};
    size_t used = mem_used();

    random_seed(&m.random, check_seed());
    for (size_t round = 0; round < check_rounds(200); round++) {
        bool growing = below(&m, 3) > 0;
        m.limit = limits[below(&m, 6)];
        for (size_t i = 0; i < 200; i++) {
            model_step(&m, growing);
            check_equal(m.sequence, m.element, m.count);
        }
        if (below(&m, 20) == 0) {
            model_clear(&m);
        }
    }
    model_clear(&m);
    CHECK(mem_used() == used);
}

TEST(a_copy_is_equal_and_apart)
{
    struct model m = {.limit = {64, SIZE_MAX}};
    struct sequence *copy;

    random_seed(&m.random, check_seed());
    for (size_t i = 0; i < MODEL_MAX; i++) {
        model_insert(&m);
    }
    copy = sequence_copy(m.sequence);
    sequence_free(TAKE(m.sequence));
    check_equal(copy, m.element, m.count);
    sequence_free(copy);
    CHECK(sequence_copy(NULL) == NULL);
    model_clear(&m);
}

/* Elements that come at one end and go at the other leave nothing behind. */
TEST(a_queue_does_not_grow)
{
    struct chunk_limit limit = {200, SIZE_MAX};
    struct sequence *s = NULL;
    size_t most = 0;

    for (int i = 0; i < 10; i++) {
        sequence_insert(&s, sequence_count(s), BYTES("element"), limit);
    }
    for (int i = 0; i < 10000; i++) {
        sequence_insert(&s, i % 2 == 0 ? 10 : 0, BYTES("element"), limit);
        sequence_remove(&s, i % 2 == 0 ? 0 : 10, 1, NULL);
        most = sequence_memory(s) > most ? sequence_memory(s) : most;
        sequence_check(s);
    }
    CHECK(most < 1000);
    sequence_free(s);
}

TEST(what_is_left_of_a_long_sequence_is_small)
{
    struct chunk_limit limit = {64, SIZE_MAX};
    struct sequence *s = NULL;
    size_t full;

    for (int i = 0; i < 10000; i++) {
        sequence_insert(&s, sequence_count(s), BYTES("element"), limit);
    }
    full = sequence_memory(s);
    for (size_t at = 0; at + 64 < sequence_count(s);) {
        sequence_remove(&s, at++, 63, NULL);
    }
    sequence_check(s);
    CHECK(sequence_memory(s) < full / 6);
    sequence_remove(&s, 1, sequence_count(s) - 1, NULL);
    CHECK(sequence_memory(s) <= 128);
    sequence_free(s);
}

/* As scripts that fail do it. */
TEST(taking_out_and_putting_back_leaves_no_crumbs)
{
    struct chunk_limit limit = {64, SIZE_MAX};
    struct sequence *s = NULL;
    size_t full;

    for (int i = 0; i < 200; i++) {
        sequence_insert(&s, sequence_count(s), BYTES("element"), limit);
    }
    full = sequence_memory(s);
    for (size_t count = 1; count < 200; count++) {
        struct sequence *removed = NULL;
        sequence_remove(&s, 0, count, &removed);
        sequence_insert_all(&s, 0, removed);
        sequence_check(s);
    }
    CHECK(sequence_memory(s) < full * 5 / 2);
    sequence_free(s);
}

int main(void)
{
    return RUN(a_sequence_is_like_an_array, a_copy_is_equal_and_apart, a_queue_does_not_grow,
               what_is_left_of_a_long_sequence_is_small,
               taking_out_and_putting_back_leaves_no_crumbs);
}
