#include "data/hyperloglog.h"

#include "base/buf.h"
#include "base/random.h"
#include "test/lib/check.h"

/* A string under test, and what its registers should be. */
struct model {
    struct buf hll;
    uint8_t registers[HLL_REGISTERS];
};

static struct model model_new(void)
{
    struct model m = {0};

    m.hll.len = 0;
    hll_write_empty(buf_reserve(&m.hll, HLL_EMPTY_LEN));
    m.hll.len = HLL_EMPTY_LEN;
    return m;
}

static void apply(struct buf *b, const struct hll_edit *e)
{
    size_t end = e->offset + e->removed;

    CHECK(end <= b->len);
    CHECK(e->len <= HLL_EDIT_MAX);
    buf_reserve(b, e->len);
    memmove(b->at + e->offset + e->len, b->at + end, b->len - end);
    memcpy(b->at + e->offset, e->at, e->len);
    b->len = b->len - e->removed + e->len;
}

static void make_dense(struct model *m)
{
    char dense[HLL_DENSE_LEN];

    CHECK(hll_write_dense(buf_bytes(&m->hll), dense));
    m->hll.len = 0;
    buf_add(&m->hll, (struct bytes){dense, sizeof dense});
}

static void set(struct model *m, unsigned index, unsigned rank, size_t sparse_max)
{
    struct hll_edit edit;
    enum hll_outcome outcome = hll_set(buf_bytes(&m->hll), index, rank, sparse_max, &edit);

    if (outcome == HLL_FULL) {
        CHECK(!hll_is_dense(buf_bytes(&m->hll)));
        make_dense(m);
        outcome = hll_set(buf_bytes(&m->hll), index, rank, sparse_max, &edit);
    }
    CHECK((outcome == HLL_EDITED) == (rank > m->registers[index]));
    if (outcome == HLL_EDITED) {
        apply(&m->hll, &edit);
        m->registers[index] = (uint8_t)rank;
    }
}

static void check(const struct model *m)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    uint64_t count;

    CHECK(hll_is_valid(buf_bytes(&m->hll)));
    CHECK(hll_merge(registers, buf_bytes(&m->hll)));
    CHECK(memcmp(registers, m->registers, sizeof registers) == 0);
    CHECK(hll_count(buf_bytes(&m->hll), &count));
    CHECK(count == hll_count_registers(registers));
}

TEST(an_empty_one_counts_0_and_says_so)
{
    struct model m = model_new();

    check(&m);
    CHECK(!hll_is_dense(buf_bytes(&m.hll)));
    CHECK(hll_estimate_is_fresh(buf_bytes(&m.hll)));
    CHECK(hll_estimate(buf_bytes(&m.hll)) == 0);
    buf_clear(&m.hll);
}

/* Near registers, so that runs meet; few ranks, so that they are merged. */
TEST(registers_hold_the_highest_rank_in_both_encodings)
{
    size_t rounds = check_rounds(20);
    struct random r;

    random_seed(&r, check_seed());
    for (size_t round = 0; round < rounds; round++) {
        struct model m = model_new();
        unsigned ranks = 1 + (unsigned)random_below(&r, 40);
        unsigned span = 1u << (3 + random_below(&r, 12));
        size_t sparse_max = random_below(&r, 4000);

        for (unsigned i = 0; i < 2000; i++) {
            unsigned index = (unsigned)random_below(&r, span);
            bool at_end = random_below(&r, 4) == 0;
            set(&m, at_end ? HLL_REGISTERS - 1 - index : index,
                1 + (unsigned)random_below(&r, ranks), sparse_max);
            if (i % 50 == 0) {
                check(&m);
            }
        }
        check(&m);
        if (!hll_is_dense(buf_bytes(&m.hll))) {
            make_dense(&m);
            check(&m);
        }
        buf_clear(&m.hll);
    }
}

TEST(the_estimate_is_kept_in_the_header)
{
    struct model m = model_new();
    struct hll_edit edit;

    hll_edit_estimate(UINT64_C(0x0102030405060708), &edit);
    apply(&m.hll, &edit);
    CHECK(hll_estimate_is_fresh(buf_bytes(&m.hll)));
    CHECK(hll_estimate(buf_bytes(&m.hll)) == UINT64_C(0x0102030405060708));
    hll_edit_stale(buf_bytes(&m.hll), &edit);
    apply(&m.hll, &edit);
    CHECK(!hll_estimate_is_fresh(buf_bytes(&m.hll)));
    check(&m);
    buf_clear(&m.hll);
}

/* Whatever is in the string: nothing may be read or written that is not in it. */
TEST(damaged_strings_are_corrupt_or_valid_and_never_more)
{
    size_t rounds = check_rounds(20000);
    struct random r;
    struct model m = model_new();

    random_seed(&r, check_seed());
    for (unsigned i = 0; i < 100; i++) {
        set(&m, (unsigned)random_below(&r, HLL_REGISTERS), 1 + (unsigned)random_below(&r, 5), 3000);
    }
    for (size_t round = 0; round < rounds; round++) {
        struct buf b = {0};
        struct hll_edit edit;
        uint8_t registers[HLL_REGISTERS] = {0};
        char dense[HLL_DENSE_LEN];
        uint64_t count;

        buf_add(&b, buf_bytes(&m.hll));
        b.at[random_below(&r, b.len)] = (char)random_next(&r);
        buf_cut(&b, random_below(&r, 2) ? b.len : random_below(&r, b.len));
        if (hll_is_valid(buf_bytes(&b))) {
            bool good = hll_merge(registers, buf_bytes(&b));
            CHECK(hll_count(buf_bytes(&b), &count) == good);
            CHECK(hll_write_dense(buf_bytes(&b), dense) == good);
            if (hll_set(buf_bytes(&b), (unsigned)random_below(&r, HLL_REGISTERS), 30, 3000,
                        &edit) == HLL_EDITED) {
                apply(&b, &edit);
            }
        }
        buf_clear(&b);
    }
    buf_clear(&m.hll);
}

int main(void)
{
    return RUN(an_empty_one_counts_0_and_says_so, registers_hold_the_highest_rank_in_both_encodings,
               the_estimate_is_kept_in_the_header,
               damaged_strings_are_corrupt_or_valid_and_never_more);
}
