#include "command/scan.h"

#include "base/glob.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct scan {
    uint64_t cursor;
    size_t count; /* About how many elements to look at. */
    bool has_pattern;
    struct bytes pattern;
    bool has_type; /* SCAN only. */
    struct bytes type;
};

/* What strtoull() takes for a number is a cursor, an empty string too. */
static bool parse_cursor(struct call *c, size_t arg, uint64_t *cursor)
{
    char text[64];
    char *end;

    bytes_to_string(c->argv[arg], text, sizeof text);
    errno = 0;
    *cursor = strtoull(text, &end, 10);
    if (isspace((unsigned char)text[0]) || *end != '\0' || errno == ERANGE ||
        c->argv[arg].len >= sizeof text) {
        call_fail(c, "ERR invalid cursor");
        return false;
    }
    return true;
}

static bool parse_count(struct call *c, size_t arg, size_t *count)
{
    int64_t number;

    if (!call_int(c, arg, &number)) {
        return false;
    }
    if (number < 1) {
        call_fail_syntax(c);
        return false;
    }
    *count = (size_t)number;
    return true;
}

/* Reads the options from argument `arg` on. `typed` says whether TYPE is one. */
static bool parse_options(struct call *c, size_t arg, bool typed, struct scan *s)
{
    s->count = 10;
    for (; arg < c->argc; arg += 2) {
        if (arg + 1 == c->argc) {
            call_fail_syntax(c);
            return false;
        }
        if (call_is(c, arg, "count")) {
            if (!parse_count(c, arg + 1, &s->count)) {
                return false;
            }
        } else if (call_is(c, arg, "match")) {
            s->has_pattern = true;
            s->pattern = c->argv[arg + 1];
        } else if (typed && call_is(c, arg, "type")) {
            s->has_type = true;
            s->type = c->argv[arg + 1];
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

/* The cursor to go on with is replied before the elements, but known behind them.
 * So every walk is made twice: to find where it ends, and to reply. Nothing needs
 * to be kept meanwhile, and the first time costs little. */
struct walk {
    struct call *call;
    const struct scan *scan;
    const struct value *value; /* NULL: the keys of the database are walked. */
    bool replies;
    size_t seen;
    size_t replied;
};

static bool matches(const struct walk *w, struct bytes element)
{
    return !w->scan->has_pattern || glob_match(w->scan->pattern, element);
}

static void see_key(const struct value *v, void *context)
{
    struct walk *w = context;

    w->seen++;
    if (w->replies && matches(w, value_key(v)) && !value_has_expired(v, w->call->now_ms) &&
        (!w->scan->has_type || bytes_is(w->scan->type, value_type_name(value_type(v))))) {
        reply_bytes(w->call, value_key(v));
        w->replied++;
    }
}

static void see_element(struct bytes element, struct bytes content, void *context)
{
    struct walk *w = context;

    w->seen++;
    if (!w->replies || !matches(w, element)) {
        return;
    }
    reply_bytes(w->call, element);
    w->replied++;
    if (value_type(w->value) != VALUE_SET) {
        reply_bytes(w->call, content);
        w->replied++;
    }
}

static uint64_t walk_on(struct walk *w, uint64_t cursor)
{
    return w->value == NULL ? keyspace_scan(w->call->keys, cursor, see_key, w)
                            : value_scan(w->value, cursor, w->call->now_ms, see_element, w);
}

static void reply_walk(struct walk *w)
{
    uint64_t end = w->scan->cursor;
    uint64_t cursor = w->scan->cursor;
    size_t place;

    do {
        end = walk_on(w, end);
    } while (end != 0 && w->seen < w->scan->count);

    reply_array(w->call, 2);
    reply_format(w->call, "%" PRIu64, end);
    place = reply_late(w->call);
    w->replies = true;
    do {
        cursor = walk_on(w, cursor);
    } while (cursor != end);
    reply_late_end(w->call, place, RESP_ARRAY, w->replied);
}

void scan_keys(struct call *c)
{
    struct scan s = {0};

    if (parse_cursor(c, 1, &s.cursor) && parse_options(c, 2, true, &s)) {
        reply_walk(&(struct walk){.call = c, .scan = &s});
    }
}

void scan_collection(struct call *c, enum value_type type)
{
    struct scan s = {0};
    const struct value *v;

    if (!parse_cursor(c, 2, &s.cursor) || !call_find(c, 1, type, &v)) {
        return;
    }
    if (v == NULL) {
        reply_array(c, 2);
        reply_string(c, "0");
        reply_array(c, 0);
    } else if (parse_options(c, 3, false, &s)) {
        reply_walk(&(struct walk){.call = c, .scan = &s, .value = v});
    }
}
