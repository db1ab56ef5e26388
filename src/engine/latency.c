#include "engine/latency.h"

#include "base/clock.h"
#include "engine/engine.h"

#include <assert.h>

static const char *const names[LATENCY_EVENTS] = {
    [LATENCY_COMMAND] = "command",
    [LATENCY_FAST_COMMAND] = "fast-command",
    [LATENCY_EXPIRE_CYCLE] = "expire-cycle",
    [LATENCY_EVICTION_CYCLE] = "eviction-cycle",
    [LATENCY_FORK] = "fork",
};

static struct latency_sample *last_sample(struct latency_series *s)
{
    return s->taken > 0 ? &s->sample[(s->taken - 1) % LATENCY_SAMPLES] : NULL;
}

void latency_note(struct engine *e, enum latency_event event, uint64_t ms)
{
    struct latency_series *s = &e->latency.series[event];
    struct latency_sample *last = last_sample(s);
    int64_t now_s;

    if (e->settings.latency_ms == 0 || ms < (uint64_t)e->settings.latency_ms) {
        return;
    }
    now_s = clock_wall_us() / 1000000;
    if (ms > s->longest_ms) {
        s->longest_ms = ms;
    }
    if (last != NULL && last->time_s == now_s) {
        last->ms = ms > last->ms ? ms : last->ms;
        return;
    }
    s->sample[s->taken++ % LATENCY_SAMPLES] = (struct latency_sample){now_s, ms};
}

const char *latency_name(enum latency_event event)
{
    return names[event];
}

enum latency_event latency_find(struct bytes name)
{
    int event = 0;

    while (event < LATENCY_EVENTS && !bytes_is(name, names[event])) {
        event++;
    }
    return (enum latency_event)event;
}

size_t latency_count(const struct latency_series *s)
{
    return s->taken < LATENCY_SAMPLES ? s->taken : LATENCY_SAMPLES;
}

const struct latency_sample *latency_at(const struct latency_series *s, size_t i)
{
    size_t oldest = s->taken - latency_count(s);

    assert(i < latency_count(s));
    return &s->sample[(oldest + i) % LATENCY_SAMPLES];
}
