/* On what condition a key, or a field of a hash, is told when to expire. Not to expire
 * is the latest time. */
#ifndef COMMAND_CONDITION_H
#define COMMAND_CONDITION_H

#include "engine/call.h"

enum condition {
    NX = 1 << 0, /* It does not expire yet. */
    XX = 1 << 1, /* It does. */
    GT = 1 << 2, /* It will expire later than before. */
    LT = 1 << 3, /* It will expire earlier. */
};

/* Returns the condition that argument `arg` is the word for, or 0. */
unsigned condition_at(const struct call *c, size_t arg);

/* Whether a set of conditions holds for what expires at `old_ms`, or EXPIRES_NEVER, and
 * is to expire at `new_ms`. */
bool conditions_hold(unsigned conditions, int64_t old_ms, int64_t new_ms);

#endif
