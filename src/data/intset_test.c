#include "data/intset.h"

#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

#include <string.h>

/* The model: a sorted array. */
enum { MODEL_MAX = 200 };

struct model {
    int64_t member[MODEL_MAX];
    size_t count;
};

static size_t model_rank(const struct model *m, int64_t member)
{
    size_t rank = 0;

    while (rank < m->count && m->member[rank] < member) {
        rank++;
    }
    return rank;
}

static bool model_has(const struct model *m, int64_t member)
{
    size_t rank = model_rank(m, member);

    return rank < m->count && m->member[rank] == member;
}

static void model_add(struct model *m, int64_t member)
{
    size_t rank = model_rank(m, member);

    memmove(m->member + rank + 1, m->member + rank, (m->count - rank) * sizeof(member));
    m->member[rank] = member;
    m->count++;
}

static void model_remove(struct model *m, int64_t member)
{
    size_t rank = model_rank(m, member);

    m->count--;
    memmove(m->member + rank, m->member + rank + 1, (m->count - rank) * sizeof(member));
}

static void check_like(const struct intset *s, const struct model *m)
{
    intset_check(s);
    CHECK(intset_count(s) == m->count);
    CHECK((s == NULL) == (m->count == 0));
    for (size_t i = 0; i < m->count; i++) {
        CHECK(intset_at(s, i) == m->member[i]);
        CHECK(intset_has(s, m->member[i]));
    }
}

/* A number that takes up to `bits` bits, close to zero or to the widths' limits. */
static int64_t some_member(struct random *r, int bits)
{
    int64_t near = (int64_t)random_below(r, 60) - 30;
    int64_t edge = (int64_t)(UINT64_C(1) << (bits - 1));

    switch (random_below(r, 4)) {
    case 0:
        return near;
    case 1:
        return (int64_t)((uint64_t)edge - 1 - (uint64_t)(near + 30));
    case 2:
        return (int64_t)(-(uint64_t)edge + (uint64_t)(near + 30));
    default:
        return (int64_t)random_next(r) >> (64 - bits);
    }
}

static void check_copy(const struct intset *s, const struct model *m)
{
    struct intset *copy = intset_copy(s);

    check_like(copy, m);
    CHECK(intset_memory(copy) <= intset_memory(s));
    intset_free(copy);
}

/* Random additions and removals, with wide members only towards the end. */
static void run_model(struct random *r)
{
    static const int bits[] = {8, 16, 17, 32, 33, 64};
    struct intset *s = NULL;
    struct model m = {0};

    for (size_t i = 0; i < 600; i++) {
        int64_t member = some_member(r, bits[i / 100]);
        CHECK(intset_has(s, member) == model_has(&m, member));
        if (model_has(&m, member)) {
            intset_remove(&s, member);
            model_remove(&m, member);
        } else if (m.count < MODEL_MAX) {
            intset_add(&s, member);
            model_add(&m, member);
        }
        check_like(s, &m);
        check_copy(s, &m);
    }
    while (m.count > 0) {
        int64_t member = m.member[random_below(r, m.count)];
        intset_remove(&s, member);
        model_remove(&m, member);
        check_like(s, &m);
        check_copy(s, &m);
    }
}

TEST(a_set_is_like_a_sorted_array)
{
    size_t used = mem_used();
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = 0; i < check_rounds(50); i++) {
        run_model(&r);
    }
    CHECK(mem_used() == used);
}

TEST(the_edges_of_all_widths_are_members)
{
    static const int64_t edges[] = {
        0,         -1,        INT16_MAX,      INT16_MIN,      INT16_MAX + 1, INT16_MIN - 1,
        INT32_MAX, INT32_MIN, INT32_MAX + 1L, INT32_MIN - 1L, INT64_MAX,     INT64_MIN};
    struct model m = {0};
    struct intset *s = NULL;

    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        CHECK(!intset_has(s, edges[i]));
        intset_add(&s, edges[i]);
        model_add(&m, edges[i]);
        check_like(s, &m);
    }
    intset_free(s);
}

TEST(an_empty_set_is_null)
{
    struct intset *s = NULL;

    CHECK(intset_count(s) == 0);
    CHECK(!intset_has(s, 0));
    CHECK(intset_memory(s) == 0);
    CHECK(intset_copy(s) == NULL);
    intset_add(&s, 5);
    CHECK(s != NULL);
    intset_remove(&s, 5);
    CHECK(s == NULL);
    intset_free(s);
}

TEST(a_copy_is_equal_and_narrow)
{
    struct model m = {0};
    struct intset *s = NULL;
    struct intset *copy;

    for (int64_t i = -50; i < 50; i++) {
        intset_add(&s, i);
        model_add(&m, i);
    }
    intset_add(&s, INT64_MAX);
    intset_remove(&s, INT64_MAX);
    copy = intset_copy(s);
    check_like(copy, &m);
    CHECK(intset_memory(copy) < intset_memory(s) / 2);
    intset_remove(&copy, 7);
    check_like(s, &m);
    intset_free(s);
    intset_free(copy);
}

int main(void)
{
    return RUN(a_set_is_like_a_sorted_array, the_edges_of_all_widths_are_members,
               an_empty_set_is_null, a_copy_is_equal_and_narrow);
}
