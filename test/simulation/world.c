#include "test/simulation/world.h"

#include "test/simulation/report.h"
#include "test/simulation/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

struct event {
    int64_t at_us;
    uint64_t order; /* Of those at one time. */
    struct server *server;
    unsigned life;
    enum thread thread;
    bool is_put_off;
    void (*run)(void *context);
    void (*drop)(void *context);
    void *context;
};

/* The events to come, as a heap. */
static struct {
    struct event *event;
    size_t count, cap;
    uint64_t orders;
} heap;

void world_begin(uint64_t seed, bool verbose)
{
    world = (struct world){.seed = seed, .verbose = verbose, .now_us = SECOND};
    random_seed(&world.random, seed);
}

uint64_t chance(uint64_t bound)
{
    return random_below(&world.random, bound);
}

bool one_in(uint64_t bound)
{
    return chance(bound) == 0;
}

int64_t around(int64_t mean_us)
{
    int64_t sum = 0;

    for (int64_t part = mean_us; part > 0 && sum < 20 * mean_us; part = one_in(2) ? mean_us : 0) {
        sum += (int64_t)chance((uint64_t)part + 1);
    }
    return sum;
}

/* The heap. */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void push(const struct event *e)
{
    size_t at = heap.count++;

    if (heap.count > heap.cap) {
        heap.cap = heap.cap == 0 ? 1024 : 2 * heap.cap;
        heap.event = realloc(heap.event, heap.cap * sizeof *heap.event);
        if (heap.event == NULL) {
            abort();
        }
    }
    while (at > 0 && is_before(e, &heap.event[(at - 1) / 2])) {
        heap.event[at] = heap.event[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap.event[at] = *e;
}

static struct event pop(void)
{
    struct event first = heap.event[0];
    struct event last = heap.event[--heap.count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap.count && is_before(&heap.event[child + 1], &heap.event[child])) {
            child++;
        }
        if (child >= heap.count || !is_before(&heap.event[child], &last)) {
            break;
        }
        heap.event[at] = heap.event[child];
        at = child;
    }
    heap.event[at] = last;
    return first;
}

void world_post(int64_t delay_us, struct server *server, enum thread thread,
                void (*run)(void *context), void (*drop)(void *context), void *context)
{
    struct event e = {.at_us = world.now_us + delay_us,
                      .order = heap.orders++,
                      .server = server,
                      .life = server != NULL ? server->life : 0,
                      .thread = thread,
                      .run = run,
                      .drop = drop,
                      .context = context};

    push(&e);
}

/* Returns false if the event was put off. */
static bool is_due(struct event *e)
{
    int64_t until_us;

    if (e->server == NULL || e->server->life != e->life) {
        return true;
    }
    until_us = server_stands_until(e->server, e->thread);
    if (until_us <= e->at_us) {
        return true;
    }
    e->at_us = until_us;
    e->is_put_off = true;
    push(e);
    return false;
}

void world_wake(void)
{
    size_t count = heap.count;

    heap.count = 0;
    for (size_t i = 0; i < count; i++) { /* A heap grows in place. */
        struct event e = heap.event[i];
        if (e.is_put_off && e.at_us < INT64_MAX) {
            e.at_us = world.now_us;
        }
        push(&e);
    }
}

static void step(void)
{
    struct server *outer = server_current;
    struct event e = pop();

    if (!is_due(&e)) {
        return;
    }
    if (e.at_us > world.now_us) {
        world.now_us = e.at_us;
    }
    server_current = e.server;
    if (e.server == NULL) {
        e.run(e.context);
    } else if (e.server->life != e.life) {
        if (e.drop != NULL) {
            e.drop(e.context);
        }
    } else {
        e.run(e.context);
        server_after(e.server, e.life, e.thread);
    }
    server_current = outer;
}

bool world_run_until(bool (*done)(void *context), void *context, int64_t until_us)
{
    world.nested++;
    while (!done(context) && heap.count > 0 && heap.event[0].at_us <= until_us) {
        step();
    }
    if (!done(context) && world.now_us < until_us) {
        world.now_us = until_us;
    }
    world.nested--;
    return done(context);
}

void trace(const struct server *server, const char *format, ...)
{
    va_list args;

    if (!world.verbose) {
        return;
    }
    printf("%10.6f ", (double)world.now_us / SECOND);
    printf(server != NULL ? "%u: " : "   ", server != NULL ? server->number : 0);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void violation(const char *format, ...)
{
    char text[REPORT_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    trace(NULL, "VIOLATION: %s", text);
    report_end(text);
}
