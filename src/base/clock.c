#include "base/clock.h"

#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { CALIBRATION_NS = 4 * 1000 * 1000 };

bool clock_has_counter;
uint64_t clock_ns_per_ticks = UINT64_C(1) << 32;

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Whether the processor's counter goes at one pace, whatever the processor does. */
static bool has_steady_counter(void)
{
#if defined(__x86_64__)
    enum { POWER_MANAGEMENT = 0x80000007, INVARIANT_TSC = 1 << 8 };
    unsigned a, b, c, d;

    return __get_cpuid(POWER_MANAGEMENT, &a, &b, &c, &d) != 0 && (d & INVARIANT_TSC);
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

void clock_calibrate(void)
{
    uint64_t start_ns, passed_ns, ticks;

    if (clock_has_counter || !has_steady_counter()) {
        return;
    }
    clock_has_counter = true;
    start_ns = clock_monotonic_ns();
    ticks = clock_ticks();
    do {
        passed_ns = clock_monotonic_ns() - start_ns;
    } while (passed_ns < CALIBRATION_NS);
    ticks = clock_ticks() - ticks;
    clock_ns_per_ticks = (uint64_t)(((unsigned __int128)passed_ns << 32) / ticks);
}

const char *clock_name(void)
{
#if defined(__x86_64__)
    return clock_has_counter ? "X86 TSC" : "POSIX clock_gettime";
#elif defined(__aarch64__)
    return clock_has_counter ? "ARM CNTVCT" : "POSIX clock_gettime";
#else
    return "POSIX clock_gettime";
#endif
}
