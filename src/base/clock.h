/* Clocks. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* Microseconds since 1970, as the wall clock has it. May jump. */
int64_t clock_wall_us(void);

/* Microseconds on a clock that never goes back and knows no date. */
int64_t clock_monotonic_us(void);

/* Ticks: for short times, in a unit of its own, at about 10 ns a reading where the
 * processor has a counter that goes at one pace. What is between two of them becomes
 * a time by clock_ticks_to_ns(). */
extern bool clock_has_counter;
uint64_t clock_monotonic_ns(void);
static inline uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
    if (__builtin_expect(clock_has_counter, 1)) {
        return __rdtsc();
    }
#elif defined(__aarch64__)
    if (__builtin_expect(clock_has_counter, 1)) {
        uint64_t ticks;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
    }
#endif
    return clock_monotonic_ns();
}

/* How many nanoseconds are 2^32 ticks; see clock_calibrate(). */
extern uint64_t clock_ns_per_ticks;
static inline uint64_t clock_ticks_to_ns(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * clock_ns_per_ticks) >> 32);
}

/* Finds out what a tick is, in some milliseconds. To be called before ticks are used;
 * another time, it does nothing. */
void clock_calibrate(void);

/* Tells, for INFO, which clock the ticks are of. */
const char *clock_name(void);

#endif
