#include "script/tally.h"

#include "base/clock.h"

const char *const rollback_reason_names[ROLLBACK_REASONS] = {
    [ROLLBACK_ERROR] = "error",         [ROLLBACK_ASKED] = "rollback",
    [ROLLBACK_KILL] = "kill",           [ROLLBACK_TIME] = "time_limit",
    [ROLLBACK_MEMORY] = "memory_limit", [ROLLBACK_UNDO] = "undo_limit",
    [ROLLBACK_STACK] = "stack",         [ROLLBACK_SHUTDOWN] = "shutdown",
};

uint64_t outcomes_rollbacks(const struct outcomes *o)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ROLLBACK_REASONS; i++) {
        sum += o->rollbacks[i];
    }
    return sum;
}

uint64_t tally_us(const struct tally *t)
{
    return clock_ticks_to_ns(t->ticks) / 1000;
}

uint64_t tally_max_us(const struct tally *t)
{
    return clock_ticks_to_ns(t->max_ticks) / 1000;
}
