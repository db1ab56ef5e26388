#include "base/histogram.h"

#include "base/clock.h"
#include "base/random.h"
#include "test/lib/check.h"

#include <string.h>

TEST(a_bucket_is_close_to_what_is_in_it)
{
    static struct histogram h;

    for (uint64_t ns = 0; ns < HISTOGRAM_MAX_NS; ns += 1 + ns / 70) {
        uint64_t read;

        memset(&h, 0, sizeof h);
        histogram_add(&h, ns, 1);
        read = histogram_percentile(&h, 50);
        CHECK(read >= ns);
        CHECK(read - ns <= ns / 30);
    }
}

TEST(buckets_are_in_the_order_of_time)
{
    size_t last = 0;

    for (uint64_t ns = 0; ns < UINT64_C(1) << 40; ns += 1 + ns / 100) {
        size_t bucket = histogram_bucket(ns);

        CHECK(bucket >= last);
        CHECK(bucket < HISTOGRAM_BUCKETS);
        last = bucket;
    }
    CHECK(last == HISTOGRAM_BUCKETS - 1);
    CHECK(histogram_bucket(UINT64_MAX) == HISTOGRAM_BUCKETS - 1);
}

TEST(percentiles_follow_the_order)
{
    static struct histogram h;

    CHECK(histogram_percentile(&h, 50) == 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        histogram_add(&h, i * 1000, 1);
    }
    CHECK(histogram_percentile(&h, 0) >= 1000 && histogram_percentile(&h, 0) < 1040);
    CHECK(histogram_percentile(&h, 50) >= 500000 && histogram_percentile(&h, 50) < 520000);
    CHECK(histogram_percentile(&h, 99) >= 990000 && histogram_percentile(&h, 99) < 1030000);
    CHECK(histogram_percentile(&h, 100) >= 1000000);
    histogram_add(&h, 5, 3000);
    CHECK(h.total == 4000);
    CHECK(histogram_percentile(&h, 50) == 5);
}

TEST(what_is_below_a_power_of_two_can_be_counted)
{
    static struct histogram h;

    histogram_add(&h, 1023, 1);
    histogram_add(&h, 1024, 1);
    histogram_add(&h, 2047, 1);
    histogram_add(&h, UINT64_MAX, 1);
    CHECK(histogram_below(&h, 9) == 0);
    CHECK(histogram_below(&h, 10) == 1);
    CHECK(histogram_below(&h, 11) == 3);
    CHECK(histogram_below(&h, 36) == 3);
    CHECK(histogram_below(&h, 37) == 4);
}

TEST(ticks_measure_time)
{
    uint64_t ticks, passed_ns, start_ns;

    clock_calibrate();
    start_ns = clock_monotonic_ns();
    ticks = clock_ticks();
    do {
        passed_ns = clock_monotonic_ns() - start_ns;
    } while (passed_ns < 20 * 1000 * 1000);
    ticks = clock_ticks_to_ns(clock_ticks() - ticks);
    CHECK(ticks > passed_ns / 100 * 90);
    CHECK(ticks < passed_ns / 100 * 300); /* Somebody else may have had the processor. */
}

int main(void)
{
    return RUN(a_bucket_is_close_to_what_is_in_it, buckets_are_in_the_order_of_time,
               percentiles_follow_the_order, what_is_below_a_power_of_two_can_be_counted,
               ticks_measure_time);
}
