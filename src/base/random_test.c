#include "base/random.h"

#include "test/lib/check.h"

#include <stdbool.h>
#include <string.h>

/* From the authors' own program: the state 1, 2, 3, 4. */
TEST(the_sequence_is_that_of_xoshiro256_star_star)
{
    struct random r = {{1, 2, 3, 4}};

    CHECK(random_next(&r) == 11520u);
    CHECK(random_next(&r) == 0u);
    CHECK(random_next(&r) == 1509978240u);
    CHECK(random_next(&r) == 1215971899390074240u);
    CHECK(random_next(&r) == 1216172134540287360u);
    CHECK(random_next(&r) == 607988272756665600u);
}

TEST(a_seed_is_spread_by_splitmix64)
{
    struct random r;

    random_seed(&r, 1234567);
    CHECK(r.state[0] == 6457827717110365317u);
    CHECK(r.state[1] == 3203168211198807973u);
    CHECK(r.state[2] == 9817491932198370423u);
    CHECK(r.state[3] == 4593380528125082431u);
}

TEST(the_same_seed_gives_the_same_numbers)
{
    struct random a;
    struct random b;
    struct random other;

    random_seed(&a, 0);
    random_seed(&b, 0);
    random_seed(&other, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t number = random_next(&a);
        CHECK(number == random_next(&b));
        CHECK(number != random_next(&other));
    }
}

TEST(a_number_below_a_bound_is_below_it)
{
    struct random r;

    random_seed(&r, check_seed());
    for (uint64_t bound = 1; bound < 1000; bound++) {
        CHECK(random_below(&r, bound) < bound);
    }
    for (int i = 0; i < 1000; i++) {
        CHECK(random_below(&r, 1) == 0);
        CHECK(random_below(&r, UINT64_MAX) < UINT64_MAX);
        CHECK(random_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

/* Each should come 10000 times; 500 off is more than five standard deviations.
 * The seed is fixed, so that the test cannot fail by chance. */
TEST(each_number_below_a_bound_is_equally_likely)
{
    struct random r;
    int count[6] = {0};

    random_seed(&r, 6);
    for (int i = 0; i < 60000; i++) {
        count[random_below(&r, 6)]++;
    }
    for (int i = 0; i < 6; i++) {
        CHECK(count[i] > 9500);
        CHECK(count[i] < 10500);
    }
}

/* By a plain remainder a third of all numbers would come twice as often. */
TEST(a_bound_that_does_not_divide_the_range_is_fair_too)
{
    struct random r;
    const uint64_t third = UINT64_MAX / 3;
    int lowest = 0;

    random_seed(&r, 3);
    for (int i = 0; i < 10000; i++) {
        lowest += random_below(&r, 2 * third) < third ? 1 : 0;
    }
    CHECK(lowest > 4750);
    CHECK(lowest < 5250);
}

TEST(secrets_fill_the_buffer_and_nothing_else)
{
    enum { LEN = 100000 };
    static unsigned char secret[LEN + 1];
    static unsigned char other[LEN];
    bool seen[256] = {false};

    secret[LEN] = 'x';
    random_secret(secret, LEN);
    random_secret(other, LEN);
    random_secret(other, 0);
    CHECK(secret[LEN] == 'x');
    CHECK(memcmp(secret, other, LEN) != 0);
    CHECK(memcmp(secret + LEN - 16, other + LEN - 16, 16) != 0);
    for (size_t i = 0; i < LEN; i++) {
        seen[secret[i]] = true;
    }
    for (int i = 0; i < 256; i++) {
        CHECK(seen[i]);
    }
}

int main(void)
{
    return RUN(the_sequence_is_that_of_xoshiro256_star_star, a_seed_is_spread_by_splitmix64,
               the_same_seed_gives_the_same_numbers, a_number_below_a_bound_is_below_it,
               each_number_below_a_bound_is_equally_likely,
               a_bound_that_does_not_divide_the_range_is_fair_too,
               secrets_fill_the_buffer_and_nothing_else);
}
