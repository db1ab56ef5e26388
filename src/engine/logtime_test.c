#include "engine/logtime.h"

#include "base/random.h"
#include "test/lib/check.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

/* Some Unix time, and some time since the machine was started. */
#define WALL      (INT64_C(1767225600) * SECOND)
#define MONOTONIC (INT64_C(12345) * SECOND)

TEST(it_starts_at_the_wall_clock)
{
    struct logtime t;

    logtime_start(&t, WALL + 1999, MONOTONIC);
    CHECK(t.now_us == WALL + 1999);
    CHECK(logtime_ms(&t) == WALL / 1000 + 1);
}

TEST(it_goes_by_the_monotonic_clock)
{
    struct logtime t;

    logtime_start(&t, WALL, MONOTONIC);
    for (int64_t i = 1; i <= 1000; i++) {
        logtime_update(&t, WALL + i * 1234, MONOTONIC + i * 1234);
        CHECK(t.now_us == WALL + i * 1234);
    }
}

TEST(it_stands_while_the_monotonic_clock_stands)
{
    struct logtime t;

    logtime_start(&t, WALL, MONOTONIC);
    logtime_update(&t, WALL + HOUR, MONOTONIC);
    CHECK(t.now_us == WALL);
    logtime_update(&t, WALL + HOUR, MONOTONIC - HOUR);
    CHECK(t.now_us == WALL);
    logtime_update(&t, WALL + HOUR, MONOTONIC + 999);
    CHECK(t.now_us == WALL + 999);
}

/* Ten seconds after the jump a lease has lost or won ten milliseconds at the most. */
static void check_jump(int64_t jump_us)
{
    struct logtime t;

    logtime_start(&t, WALL, MONOTONIC);
    for (int64_t elapsed_us = 10000; elapsed_us <= 10 * SECOND; elapsed_us += 10000) {
        int64_t before_us = t.now_us;
        int64_t off_us;

        logtime_update(&t, WALL + jump_us + elapsed_us, MONOTONIC + elapsed_us);
        CHECK(t.now_us > before_us);
        off_us = t.now_us - (WALL + elapsed_us);
        CHECK(off_us == elapsed_us / 1000 * (jump_us > 0 ? 1 : -1));
    }
}

TEST(a_wall_clock_that_jumps_moves_it_by_a_thousandth)
{
    check_jump(HOUR);
    check_jump(-HOUR);
    check_jump(20000);
    check_jump(-20000);
}

TEST(it_comes_to_agree_with_the_wall_clock)
{
    struct logtime t;
    int64_t elapsed_us;

    logtime_start(&t, WALL, MONOTONIC);
    for (elapsed_us = 0; elapsed_us <= 10 * SECOND; elapsed_us += 10000) {
        logtime_update(&t, WALL + 5000 + elapsed_us, MONOTONIC + elapsed_us);
    }
    elapsed_us += 1;
    logtime_update(&t, WALL + 5000 + elapsed_us, MONOTONIC + elapsed_us);
    CHECK(t.now_us == WALL + 5000 + elapsed_us);
}

/* What one update is too short for must not be lost, nor be saved up while the clocks
 * agree. */
TEST(the_slew_does_not_depend_on_how_often_it_is_updated)
{
    struct logtime t;

    logtime_start(&t, WALL, MONOTONIC);
    for (int64_t elapsed_us = 1; elapsed_us <= SECOND; elapsed_us++) {
        logtime_update(&t, WALL + HOUR + elapsed_us, MONOTONIC + elapsed_us);
    }
    CHECK(t.now_us == WALL + SECOND + SECOND / 1000);

    logtime_start(&t, WALL, MONOTONIC);
    logtime_update(&t, WALL + HOUR, MONOTONIC + HOUR);
    logtime_update(&t, WALL + 2 * HOUR + 1000, MONOTONIC + HOUR + 1000);
    CHECK(t.now_us == WALL + HOUR + 1001);
}

TEST(it_never_goes_back_whatever_the_clocks_do)
{
    struct logtime t;
    struct random r;
    int64_t monotonic_us = MONOTONIC;
    int64_t wall_us = WALL;

    random_seed(&r, check_seed());
    logtime_start(&t, wall_us, monotonic_us);
    for (size_t i = 0; i < check_rounds(100000); i++) {
        int64_t before_us = t.now_us;
        int64_t step_us = (int64_t)random_below(&r, random_below(&r, 8) == 0 ? 50000 : 100) - 10;
        int64_t most_us = step_us > 0 ? step_us + step_us / 1000 + 1 : 0;

        monotonic_us += step_us;
        wall_us += (int64_t)random_below(&r, 2 * HOUR) - HOUR;
        logtime_update(&t, wall_us, monotonic_us);
        CHECK(t.now_us >= before_us);
        CHECK(t.now_us <= before_us + most_us);
    }
}

int main(void)
{
    return RUN(it_starts_at_the_wall_clock, it_goes_by_the_monotonic_clock,
               it_stands_while_the_monotonic_clock_stands,
               a_wall_clock_that_jumps_moves_it_by_a_thousandth,
               it_comes_to_agree_with_the_wall_clock,
               the_slew_does_not_depend_on_how_often_it_is_updated,
               it_never_goes_back_whatever_the_clocks_do);
}
