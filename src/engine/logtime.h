/* Log time: the only time that the data depends on.
 *
 * It starts at the wall clock, then goes by the monotonic clock, slewed towards
 * the wall clock by at most one part in a thousand; it never goes back. So a wall
 * clock that is set does not end or prolong a lease. */
#ifndef ENGINE_LOGTIME_H
#define ENGINE_LOGTIME_H

#include <stdint.h>

struct logtime {
    int64_t now_us;       /* Unix time in microseconds, as of the last update. */
    int64_t monotonic_us; /* clock_monotonic_us() then. */
    int64_t unslewed_us;  /* Time passed that no slew has made use of yet. */
};

/* Starts at the given reading of the two clocks. */
void logtime_start(struct logtime *t, int64_t wall_us, int64_t monotonic_us);

/* Moves on to the given reading of the two clocks. */
void logtime_update(struct logtime *t, int64_t wall_us, int64_t monotonic_us);

static inline int64_t logtime_ms(const struct logtime *t)
{
    return t->now_us / 1000;
}

#endif
