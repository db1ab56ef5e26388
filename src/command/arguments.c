#include "command/arguments.h"

bool arguments_limit(struct call *c, size_t arg, size_t *limit)
{
    *limit = 0;
    for (; arg < c->argc; arg += 2) {
        if (!call_is(c, arg, "limit") || arg + 1 == c->argc) {
            call_fail_syntax(c);
            return false;
        }
        if (!call_size(c, arg + 1, 0, "LIMIT can't be negative", limit)) {
            return false;
        }
    }
    return true;
}

bool arguments_sample(struct call *c, size_t arg, const char *word, int64_t *count, bool *with)
{
    *with = arg + 1 < c->argc;
    if (!call_int_between(c, arg, -INT64_MAX, INT64_MAX, count)) {
        return false;
    }
    if (arg + 2 < c->argc || (*with && !call_is(c, arg + 1, word))) {
        call_fail_syntax(c);
        return false;
    }
    if (*with && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2)) {
        call_fail(c, "ERR value is out of range");
        return false;
    }
    return true;
}
