#include "base/histogram.h"

/* Returns the longest time in a bucket. */
static uint64_t longest(size_t bucket)
{
    int shift = (int)(bucket >> HISTOGRAM_FINE_BITS) - 1;

    if (shift <= 0) {
        return bucket;
    }
    return (((bucket - ((size_t)shift << HISTOGRAM_FINE_BITS)) + 1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    double wanted = percent / 100 * (double)h->total;
    uint64_t met = 0;

    if (h->total == 0) {
        return 0;
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        met += h->count[i];
        if (met > 0 && (double)met >= wanted) {
            return longest(i);
        }
    }
    return HISTOGRAM_MAX_NS;
}

uint64_t histogram_below(const struct histogram *h, int exponent)
{
    uint64_t limit = exponent < HISTOGRAM_RANGE_BITS ? UINT64_C(1) << exponent : UINT64_MAX;
    uint64_t met = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS && longest(i) < limit; i++) {
        met += h->count[i];
    }
    return met;
}
