#include "client/timer.h"

#include "test/lib/check.h"

enum { COUNT = 200 };

struct alarm {
    struct timer timer;
    int fired;
};

static int64_t last_us;

static void note(struct timer *t)
{
    CHECK(t->due_us >= last_us);
    last_us = t->due_us;
    ((struct alarm *)t)->fired++;
}

TEST(no_timer_is_never_due)
{
    struct timers all = {0};

    CHECK(timers_next_us(&all) == NEVER_US);
    timers_fire(&all, 1000);
    CHECK(timer_wait_ms(NEVER_US, 5) == -1);
}

TEST(a_wait_is_rounded_up)
{
    CHECK(timer_wait_ms(1001, 0) == 2);
    CHECK(timer_wait_ms(1000, 0) == 1);
    CHECK(timer_wait_ms(1000, 1000) == 0);
    CHECK(timer_wait_ms(INT64_MAX - 1, 0) > 1000000);
}

/* Against a list that is searched. */
TEST(timers_fire_in_order_whatever_is_set_and_cleared)
{
    struct timers all = {0};
    struct alarm alarms[COUNT] = {0};
    int expected[COUNT] = {0};
    int64_t now_us = 0;

    srand48((long)check_seed());
    for (size_t step = 0; step < check_rounds(20000); step++) {
        size_t i = (size_t)(drand48() * COUNT);
        double dice = drand48();

        alarms[i].timer.fire = note;
        if (dice < 0.6) {
            timers_set(&all, &alarms[i].timer, now_us + (int64_t)(drand48() * 1000));
        } else if (dice < 0.8) {
            timers_clear(&all, &alarms[i].timer);
        } else {
            int64_t next_us = NEVER_US;

            now_us += (int64_t)(drand48() * 30);
            for (size_t k = 0; k < COUNT; k++) {
                if (alarms[k].timer.is_set && alarms[k].timer.due_us < next_us) {
                    next_us = alarms[k].timer.due_us;
                }
                expected[k] += alarms[k].timer.is_set && alarms[k].timer.due_us <= now_us;
            }
            CHECK(timers_next_us(&all) == next_us);
            last_us = 0;
            timers_fire(&all, now_us);
        }
        for (size_t k = 0; k < COUNT; k++) {
            CHECK(alarms[k].fired == expected[k]);
        }
    }
}

int main(void)
{
    return RUN(no_timer_is_never_due, a_wait_is_rounded_up,
               timers_fire_in_order_whatever_is_set_and_cleared);
}
