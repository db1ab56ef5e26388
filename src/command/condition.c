#include "command/condition.h"

unsigned condition_at(const struct call *c, size_t arg)
{
    return call_is(c, arg, "nx")   ? NX
           : call_is(c, arg, "xx") ? XX
           : call_is(c, arg, "gt") ? GT
           : call_is(c, arg, "lt") ? LT
                                   : 0;
}

bool conditions_hold(unsigned conditions, int64_t old_ms, int64_t new_ms)
{
    bool stays = old_ms == EXPIRES_NEVER;

    return !((conditions & NX) && !stays) && !((conditions & XX) && stays) &&
           !((conditions & GT) && (stays || new_ms <= old_ms)) &&
           !((conditions & LT) && !stays && new_ms >= old_ms);
}
