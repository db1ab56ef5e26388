#include "store/zset.h"

#include "base/mem.h"
#include "store/change.h"
#include "test/lib/check.h"

#include <math.h>

enum { MEMBERS = 200 };

/* A bound sorted set, and what must be in it: the score of each of some members, NaN
 * for those that are not there. */
struct bound {
    struct dataset *data;
    struct random random;
    double score[MEMBERS];
    size_t count;
};

/* In another order than the numbers are. */
static struct bytes name_of(size_t number, char text[16])
{
    snprintf(text, 16, "m%zu", number * 7919 % 100003);
    return bytes_of(text);
}

static double some_score(struct random *r)
{
    static const double special[] = {-INFINITY, INFINITY, -0.0, 0.0, 5e-324, -5e-324, 1e308};

    if (random_below(r, 6) == 0) {
        return special[random_below(r, sizeof special / sizeof *special)];
    }
    return ((double)random_below(r, 41) - 20) / 4;
}

static const struct value *zset_of(const struct bound *b)
{
    return keyspace_find_any(b->data->db[0], BYTES("key"));
}

static void make(struct bound *b, struct change c)
{
    change_make(b->data, &c, NULL, NULL);
}

static void bound_open(struct bound *b, uint64_t seed, size_t most_packed)
{
    *b = (struct bound){.data = dataset_new(1)};
    b->data->limits.zset_max_packed_entries = most_packed;
    random_seed(&b->random, seed);
    for (size_t i = 0; i < MEMBERS; i++) {
        b->score[i] = NAN;
    }
    make(b, change_bind(0, value_new(VALUE_ZSET, BYTES("key"), EXPIRES_NEVER)));
}

static void bound_set(struct bound *b, size_t number, double score)
{
    char text[16];

    b->count += isnan(b->score[number]);
    b->score[number] = score;
    make(b, change_score_set(0, BYTES("key"), name_of(number, text), score));
}

static void bound_remove(struct bound *b, size_t number)
{
    char text[16];

    b->count--;
    b->score[number] = NAN;
    make(b, change_score_remove(0, BYTES("key"), name_of(number, text)));
}

static void bound_change(struct bound *b)
{
    size_t number = random_below(&b->random, MEMBERS);

    if (isnan(b->score[number]) || random_below(&b->random, 3) == 0) {
        bound_set(b, number, some_score(&b->random));
    } else {
        bound_remove(b, number);
    }
}

/* How many members of the model come before this score, or are in its place. */
static size_t model_rank(const struct bound *b, double score, bool or_equal)
{
    size_t rank = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        rank += b->score[i] < score || (or_equal && b->score[i] == score);
    }
    return rank;
}

static void check_member(const struct bound *b, size_t number)
{
    const struct value *v = zset_of(b);
    double score, again;
    size_t rank;
    struct zset_walk walk;
    struct bytes member;
    char text[16];

    CHECK(value_zset_score(v, name_of(number, text), &score) == !isnan(b->score[number]));
    CHECK(value_zset_rank(v, name_of(number, text), &rank, &again) == !isnan(b->score[number]));
    if (isnan(b->score[number])) {
        return;
    }
    CHECK(score == b->score[number] && again == score);
    CHECK(score != 0 || !signbit(score));
    CHECK(rank >= value_zset_rank_of_score(v, score, false));
    CHECK(rank < value_zset_rank_of_score(v, score, true));
    walk = zset_walk_from(v, rank, false);
    CHECK(zset_walk_next(&walk, &member, &score));
    CHECK(bytes_equal(member, name_of(number, text)));
}

static void check_ranks(struct bound *b)
{
    const struct value *v = zset_of(b);
    double score = some_score(&b->random);

    value_check(v);
    CHECK(value_zset_count(v) == b->count);
    CHECK(value_zset_rank_of_score(v, score, false) == model_rank(b, score, false));
    CHECK(value_zset_rank_of_score(v, score, true) == model_rank(b, score, true));
    check_member(b, random_below(&b->random, MEMBERS));
}

/* Both ways give the same members, which ascend one way. */
static void check_walks(const struct bound *b)
{
    const struct value *v = zset_of(b);
    struct zset_walk forward = zset_walk_from(v, 0, false);
    struct bytes member, previous = {0};
    double score, before = -INFINITY;
    size_t walked = 0;

    for (; zset_walk_next(&forward, &member, &score); walked++) {
        struct zset_walk backward = zset_walk_from(v, walked, true);
        struct bytes same;
        double same_score;
        CHECK(before < score || (before == score && bytes_compare(previous, member) < 0));
        CHECK(zset_walk_next(&backward, &same, &same_score));
        CHECK(bytes_equal(same, member) && same_score == score);
        CHECK(zset_walk_next(&backward, &same, &same_score) == (walked > 0));
        CHECK(walked == 0 || bytes_equal(same, previous));
        previous = member;
        before = score;
    }
    CHECK(walked == b->count);
}

static void test_model(size_t most_packed)
{
    struct bound b;
    size_t used = mem_used();

    bound_open(&b, check_seed(), most_packed);
    for (size_t i = 0; i < check_rounds(4000); i++) {
        bound_change(&b);
        check_ranks(&b);
        if (random_below(&b.random, 50) == 0) {
            check_walks(&b);
        }
    }
    dataset_free(b.data);
    CHECK(mem_used() == used);
}

TEST(a_packed_one_is_like_its_model)
{
    test_model(MEMBERS);
}

TEST(a_big_one_is_like_its_model)
{
    test_model(4);
}

static struct value *letters(size_t most_packed)
{
    struct value_limits limits = {.zset_max_packed_entries = most_packed,
                                  .zset_max_packed_value = 64};
    struct value *v = value_new(VALUE_ZSET, BYTES("key"), EXPIRES_NEVER);

    for (char c = 'y'; c >= 'a'; c = (char)(c - 2)) {
        CHECK(value_fill_scored(v, (struct bytes){&c, 1}, 7, &limits));
    }
    return v;
}

TEST(members_of_one_score_are_found_by_their_bytes)
{
    static const size_t most_packed[] = {4, 100};

    for (size_t i = 0; i < 2; i++) {
        struct value *v = letters(most_packed[i]);
        CHECK(value_zset_rank_of_lex(v, BYTES(""), false) == 0);
        CHECK(value_zset_rank_of_lex(v, BYTES("a"), false) == 0);
        CHECK(value_zset_rank_of_lex(v, BYTES("a"), true) == 1);
        CHECK(value_zset_rank_of_lex(v, BYTES("b"), false) == 1);
        CHECK(value_zset_rank_of_lex(v, BYTES("b"), true) == 1);
        CHECK(value_zset_rank_of_lex(v, BYTES("c"), true) == 2);
        CHECK(value_zset_rank_of_lex(v, BYTES("ca"), false) == 2);
        CHECK(value_zset_rank_of_lex(v, BYTES("y"), true) == 13);
        CHECK(value_zset_rank_of_lex(v, BYTES("z"), false) == 13);
        value_free(v);
    }
}

TEST(an_empty_one_has_no_ranks)
{
    struct value *v = value_new(VALUE_ZSET, BYTES("key"), EXPIRES_NEVER);
    struct zset_walk walk = zset_walk_from(v, 0, true);
    struct bytes member;
    double score;
    size_t rank;

    CHECK(!zset_walk_next(&walk, &member, &score));
    CHECK(value_zset_rank_of_score(v, INFINITY, true) == 0);
    CHECK(value_zset_rank_of_lex(v, BYTES("a"), true) == 0);
    CHECK(!value_zset_rank(v, BYTES("a"), &rank, &score));
    value_free(v);
}

static bool has_encoding(const struct value *v, const char *name)
{
    return strcmp(value_encoding_name(v), name) == 0;
}

TEST(a_member_that_moves_does_not_outgrow_anything)
{
    struct value_limits limits = value_limits_default;
    struct value *v = letters(100);

    limits.zset_max_packed_entries = value_zset_count(v);
    CHECK(!value_fill_scored(v, BYTES("a"), 8, &limits));
    CHECK(has_encoding(v, "listpack"));
    CHECK(value_fill_scored(v, BYTES("b"), 8, &limits));
    CHECK(has_encoding(v, "skiplist"));
    value_free(v);
}

TEST(a_copy_is_equal_and_has_a_life_of_its_own)
{
    static const size_t most_packed[] = {4, 100};

    for (size_t i = 0; i < 2; i++) {
        struct value *v = letters(most_packed[i]);
        struct digest before = digest_value(v);
        struct value *copy = value_copy(v, BYTES("other"), EXPIRES_NEVER);
        CHECK(value_fill_scored(v, BYTES("b"), 8, &value_limits_default));
        CHECK(!digest_equal(digest_value(v), before));
        CHECK(digest_equal(digest_value(copy), before));
        CHECK(has_encoding(copy, value_encoding_name(v)));
        value_check(copy);
        value_free(v);
        value_free(copy);
    }
}

static void count_visit(struct bytes element, struct bytes content, void *context)
{
    size_t *met = context;

    CHECK(bytes_equal(content, BYTES("7")));
    met[element.at[0] - 'a']++;
}

TEST(a_scan_meets_each_member_once_with_its_score)
{
    static const size_t most_packed[] = {4, 100};

    for (size_t i = 0; i < 2; i++) {
        struct value *v = letters(most_packed[i]);
        size_t met[26] = {0};
        uint64_t cursor = 0;

        do {
            cursor = value_scan(v, cursor, 0, count_visit, met);
        } while (cursor != 0);
        for (size_t letter = 0; letter < 26; letter++) {
            CHECK(met[letter] == (letter % 2 == 0));
        }
        value_free(v);
    }
}

TEST(random_members_are_equally_likely)
{
    static const size_t most_packed[] = {4, 100};
    struct random r;

    random_seed(&r, 1);
    for (size_t i = 0; i < 2; i++) {
        struct value *v = letters(most_packed[i]);
        size_t drawn[26] = {0};
        struct bytes member;
        double score;

        for (size_t draw = 0; draw < 13000; draw++) {
            value_zset_random(v, &r, &member, &score);
            CHECK(score == 7);
            drawn[member.at[0] - 'a']++;
        }
        for (size_t letter = 0; letter < 26; letter += 2) {
            CHECK(drawn[letter] > 780 && drawn[letter] < 1220);
        }
        value_free(v);
    }
}

TEST(memory_is_what_the_allocator_gave)
{
    static const size_t most_packed[] = {4, 100};

    for (size_t i = 0; i < 2; i++) {
        size_t before = mem_used();
        struct value *v = letters(most_packed[i]);
        CHECK(value_memory(v, 0) == mem_used() - before);
        value_free(v);
        CHECK(mem_used() == before);
    }
}

int main(void)
{
    return RUN(a_packed_one_is_like_its_model, a_big_one_is_like_its_model,
               members_of_one_score_are_found_by_their_bytes, an_empty_one_has_no_ranks,
               a_member_that_moves_does_not_outgrow_anything,
               a_copy_is_equal_and_has_a_life_of_its_own,
               a_scan_meets_each_member_once_with_its_score, random_members_are_equally_likely,
               memory_is_what_the_allocator_gave);
}
