/* Unit tests: a test is a function, a test program is a list of them.
 *
 *     TEST(empty_buffer_has_no_bytes) { ... CHECK(b.len == 0); }
 *     int main(void) { return RUN(empty_buffer_has_no_bytes, ...); }
 *
 * On cmocka: a failing CHECK prints the condition with its place and ends the
 * test. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST(name)                                                                                 \
    static void name##_run(void **state_);                                                         \
    static const struct CMUnitTest name = {#name, name##_run, NULL, NULL, NULL};                   \
    static void name##_run(void **state_ __attribute__((unused)))

#define CHECK(cond) assert_true(cond)

#define RUN(...) check_run((const struct CMUnitTest[]){__VA_ARGS__, {0}})

static inline int check_run(const struct CMUnitTest *tests)
{
    size_t count = 0;

    while (tests[count].name != NULL) {
        count++;
    }
    return _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
}

/* Returns the seed of a random test: $SEED, or a fresh one. Prints it, so that a
 * failure can be repeated. */
static inline uint64_t check_seed(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)arc4random();

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Returns how often a random test repeats: `rounds`, or more by $SOAK times. */
static inline size_t check_rounds(size_t rounds)
{
    const char *soak = getenv("SOAK");

    return soak != NULL ? rounds * strtoull(soak, NULL, 10) : rounds;
}

#endif
