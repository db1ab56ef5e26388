/* The world that is simulated: virtual time, chance, and what is to happen when.
 *
 * Everything happens in events, one at a time, in the order of their times. An event
 * belongs to a thread of a server, and is put off while that stands still, or to none. An
 * event of a server that has crashed since is dropped. All chance is drawn from here, so
 * that a seed makes the same run every time. There is one world in a process. */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

struct server;

enum { MS = 1000, SECOND = 1000 * MS };

enum thread {
    EXECUTOR,
    LOG_THREAD,
    THREADS,
};

/* What a run comes to. */
struct totals {
    uint64_t virtual_us;
    uint64_t operations, acknowledged, failed, uncertain, reads;
    uint64_t entries;
    uint64_t crashes, stops, pauses, partitions, breaks, full_disks, clock_jumps, leaps;
    uint64_t tenures, transfers, joins, removals;
    uint64_t saves, saves_with_pending, installs, reopened;
    uint64_t digests, scripts;
};
enum { TOTALS = sizeof(struct totals) / sizeof(uint64_t) };

struct world {
    int64_t now_us;
    uint64_t seed;
    struct random random;
    bool verbose;
    bool traces_raft;
    int nested; /* Depth of world_run_until(). */
    struct totals totals;
};
extern struct world world;

/* Begins anew. */
void world_begin(uint64_t seed, bool verbose);

/* Returns a number from 0 to `bound` - 1; whether one time in `bound`; and a number, small
 * ones being more likely: a time to think. */
uint64_t chance(uint64_t bound);
bool one_in(uint64_t bound);
int64_t around(int64_t mean_us);

/* An event: `run` is called with the context, in so many microseconds; or `drop`, unless
 * that is NULL, if the server has crashed by then. Without a server it is of no thread. */
void world_post(int64_t delay_us, struct server *server, enum thread thread,
                void (*run)(void *context), void (*drop)(void *context), void *context);

/* No thread stands still any more: what was put off is to happen now. */
void world_wake(void);

/* Lets time pass until `done` says so, at most to a time. Returns whether it did. */
bool world_run_until(bool (*done)(void *context), void *context, int64_t until_us);

/* Tells what happens, in a verbose run. */
__attribute__((format(printf, 2, 3))) void trace(const struct server *server, const char *format,
                                                 ...);

/* Ends the run: something has happened that must not. */
__attribute__((noreturn, format(printf, 1, 2))) void violation(const char *format, ...);

#endif
