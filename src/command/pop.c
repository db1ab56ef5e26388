#include "command/pop.h"

static bool parse_end(struct call *c, size_t arg, const char *const ends[2], bool *last)
{
    *last = call_is(c, arg, ends[1]);
    if (!*last && !call_is(c, arg, ends[0])) {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

/* Reads COUNT from argument `arg` on, if it is there. */
static bool parse_count(struct call *c, size_t arg, size_t *count)
{
    *count = 1;
    if (arg == c->argc) {
        return true;
    }
    if (!call_is(c, arg, "count") || arg + 1 == c->argc) {
        call_fail_syntax(c);
        return false;
    }
    if (!call_size(c, arg + 1, 1, "count should be greater than 0", count)) {
        return false;
    }
    if (arg + 2 < c->argc) {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

bool pop_parse(struct call *c, size_t arg, const char *const ends[2], struct popping *p)
{
    size_t end;

    p->first = arg + 1;
    if (!call_size(c, arg, 1, "numkeys should be greater than 0", &p->keys)) {
        return false;
    }
    if (p->keys >= c->argc - p->first) {
        call_fail_syntax(c);
        return false;
    }
    end = p->first + p->keys;
    return parse_end(c, end, ends, &p->from_last) && parse_count(c, end + 1, &p->count);
}

bool pop_find(struct call *c, size_t first, size_t count, enum value_type type, struct bytes *key,
              const struct value **v)
{
    for (size_t i = first; i < first + count; i++) {
        const struct value *found = call_find_any(c, c->argv[i]);
        if (found != NULL && value_type(found) == type) {
            *key = c->argv[i];
            *v = found;
            return true;
        }
        if (found != NULL && !call_has_waited(c)) {
            call_fail_wrong_type(c);
            return false;
        }
    }
    *v = NULL;
    return true;
}
