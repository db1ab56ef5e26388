/* How scripts and functions have ended, and what they have cost. */
#ifndef SCRIPT_TALLY_H
#define SCRIPT_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a script was undone. */
enum rollback_reason {
    ROLLBACK_ERROR, /* An error that it did not catch. */
    ROLLBACK_ASKED, /* redis.rollback() */
    ROLLBACK_KILL,
    ROLLBACK_TIME,
    ROLLBACK_MEMORY,
    ROLLBACK_UNDO, /* script-undo-limit */
    ROLLBACK_STACK,
    ROLLBACK_SHUTDOWN,
    ROLLBACK_REASONS,
};
extern const char *const rollback_reason_names[ROLLBACK_REASONS];

struct outcomes {
    uint64_t calls;
    uint64_t errors; /* Replied with as a value: nothing was undone. */
    uint64_t rollbacks[ROLLBACK_REASONS];
};

uint64_t outcomes_rollbacks(const struct outcomes *o); /* For all reasons. */

/* Of one script or function. */
struct tally {
    struct outcomes outcomes;
    uint64_t ticks, max_ticks; /* clock_ticks() of all calls, and of the longest. */
    uint64_t commands;         /* That it has called. */
    uint64_t changes;          /* That it has made, */
    uint64_t undone;           /* and others, which were rolled back with it. */
    size_t max_memory;         /* Bytes by which the Lua heap grew in a call, at the most. */
};

/* Counts what a call has cost, but for the changes. */
static inline void tally_add(struct tally *t, uint64_t ticks, uint64_t commands, size_t memory)
{
    t->ticks += ticks;
    if (ticks > t->max_ticks) {
        t->max_ticks = ticks;
    }
    t->commands += commands;
    if (memory > t->max_memory) {
        t->max_memory = memory;
    }
}

uint64_t tally_us(const struct tally *t);
uint64_t tally_max_us(const struct tally *t);

#endif
