/* The latency monitor: when the server was held up, by what, and for how long.
 *
 * Only what took latency-monitor-threshold milliseconds or more is noted. */
#ifndef ENGINE_LATENCY_H
#define ENGINE_LATENCY_H

#include "base/bytes.h"

struct engine;

enum latency_event {
    LATENCY_COMMAND,
    LATENCY_FAST_COMMAND,
    LATENCY_EXPIRE_CYCLE,
    LATENCY_EVICTION_CYCLE,
    LATENCY_FORK,
    LATENCY_EVENTS,
};

enum { LATENCY_SAMPLES = 160 };

/* What happened within one second counts as one sample, the longest of it. */
struct latency_sample {
    int64_t time_s; /* Unix time. */
    uint64_t ms;
};

struct latency_series {
    struct latency_sample sample[LATENCY_SAMPLES]; /* A ring. */
    size_t taken;                                  /* Since the last reset. */
    uint64_t longest_ms;
};

/* All zero, nothing has been noted. */
struct latency {
    struct latency_series series[LATENCY_EVENTS];
};

/* Notes that something has taken so long, if that is long enough. */
void latency_note(struct engine *e, enum latency_event event, uint64_t ms);

/* Returns the event's name, and the event of a name or LATENCY_EVENTS. */
const char *latency_name(enum latency_event event);
enum latency_event latency_find(struct bytes name);

/* The samples that are kept, oldest first: 0 <= i < count. */
size_t latency_count(const struct latency_series *s);
const struct latency_sample *latency_at(const struct latency_series *s, size_t i);

#endif
