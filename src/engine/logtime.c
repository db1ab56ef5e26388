#include "engine/logtime.h"

enum { SLEW = 1000 }; /* One part in this many. */

void logtime_start(struct logtime *t, int64_t wall_us, int64_t monotonic_us)
{
    *t = (struct logtime){.now_us = wall_us, .monotonic_us = monotonic_us};
}

void logtime_update(struct logtime *t, int64_t wall_us, int64_t monotonic_us)
{
    int64_t elapsed_us = monotonic_us - t->monotonic_us;
    int64_t most_us;
    int64_t off_us;

    if (elapsed_us <= 0) {
        return;
    }
    t->monotonic_us = monotonic_us;
    t->now_us += elapsed_us;

    t->unslewed_us += elapsed_us;
    most_us = t->unslewed_us / SLEW;
    t->unslewed_us %= SLEW;
    off_us = wall_us - t->now_us;
    if (off_us > most_us) {
        off_us = most_us;
    } else if (off_us < -most_us) {
        off_us = -most_us;
    }
    t->now_us += off_us;
}
