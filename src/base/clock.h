/* Clocks. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970, as the wall clock has it. May jump. */
int64_t clock_wall_us(void);

/* Microseconds on a clock that never goes back and knows no date. */
int64_t clock_monotonic_us(void);

/* The same clock, as of the last tick of the kernel: some milliseconds old, and
 * cheaper. To see whether time has passed. */
int64_t clock_coarse_us(void);

#endif
