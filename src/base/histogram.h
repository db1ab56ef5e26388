/* A histogram of times, in nanoseconds: how many there were of about which length.
 *
 * A bucket is a 32nd of a power of two, so that what is read from it is less than 4 %
 * off, over all of the range. Longer times than HISTOGRAM_MAX_NS count as that. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_FINE_BITS = 5,   /* 2^5 buckets for each power of two, */
    HISTOGRAM_RANGE_BITS = 37, /* up to two minutes. */
    HISTOGRAM_BUCKETS = (HISTOGRAM_RANGE_BITS - HISTOGRAM_FINE_BITS + 1) << HISTOGRAM_FINE_BITS,
};
#define HISTOGRAM_MAX_NS ((UINT64_C(1) << HISTOGRAM_RANGE_BITS) - 1)

struct histogram {
    uint64_t total;
    uint64_t count[HISTOGRAM_BUCKETS];
};

/* Returns the bucket of a time. Times below 2^HISTOGRAM_FINE_BITS have one each. */
static inline size_t histogram_bucket(uint64_t ns)
{
    int shift;

    if (ns < 1 << HISTOGRAM_FINE_BITS) {
        return (size_t)ns;
    }
    if (ns > HISTOGRAM_MAX_NS) {
        ns = HISTOGRAM_MAX_NS;
    }
    shift = 63 - __builtin_clzll(ns) - HISTOGRAM_FINE_BITS;
    return ((size_t)shift << HISTOGRAM_FINE_BITS) + (size_t)(ns >> shift);
}

/* Counts a time `weight` times. */
static inline void histogram_add(struct histogram *h, uint64_t ns, uint64_t weight)
{
    h->total += weight;
    h->count[histogram_bucket(ns)] += weight;
}

/* Returns the time that `percent` of all times do not exceed; 0 if there are none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* Returns how many times were less than 2^exponent. */
uint64_t histogram_below(const struct histogram *h, int exponent);

#endif
