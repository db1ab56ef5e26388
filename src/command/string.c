/* Commands on strings. */
#include "command/overwrite.h"

#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"

#include <math.h>

static int64_t expiry_of(const struct value *v)
{
    return v == NULL ? EXPIRES_NEVER : value_expires_ms(v);
}

/* Replies with a string, or nil if there is none. */
static void reply_value(struct call *c, const struct value *v)
{
    if (v == NULL) {
        reply_nil(c);
    } else {
        reply_bytes(c, value_string(v));
    }
}

/* Makes `key`, whose value of any type is now `old` or NULL, a string. Where a
 * short one takes the place of another, that is done without an allocation; long
 * ones are replaced, since undo would have to copy what was there. */
static void put(struct call *c, const struct value *old, struct bytes key, struct bytes content,
                int64_t expires_ms)
{
    enum { IN_PLACE_MAX = 64 };

    if (old != NULL && value_type(old) == VALUE_STRING && content.len <= IN_PLACE_MAX &&
        value_string(old).len <= IN_PLACE_MAX && value_expires_ms(old) == expires_ms) {
        call_make(c, change_assign(c->db, key, value_string(old).len, content));
    } else {
        call_make(c, change_bind(c->db, value_new_string(key, content, expires_ms)));
    }
}

/* Returns whether a string of `len` and `more` bytes may be made; fails the call
 * if not. */
static bool length_allowed(struct call *c, size_t len, size_t more)
{
    size_t total;

    if (__builtin_add_overflow(len, more, &total) ||
        total > c->engine->settings.proto_max_bulk_len) {
        call_fail(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return false;
    }
    return true;
}

/* The options of SET and GETEX. */

struct expiry {
    const char *word;
    int64_t unit_ms; /* Of the time behind the word; 0 if there is none. */
    bool from_now;   /* The time counts from now on, and not from 1970. */
};

enum { EX, PX, EXAT, PXAT, KEEPTTL, PERSIST, EXPIRY_COUNT };

/* clang-format off */
static const struct expiry expiries[EXPIRY_COUNT] = {
    [EX]      = {"ex", 1000, true},
    [PX]      = {"px", 1, true},
    [EXAT]    = {"exat", 1000, false},
    [PXAT]    = {"pxat", 1, false},
    [KEEPTTL] = {"keepttl", 0, false},
    [PERSIST] = {"persist", 0, false},
};
/* clang-format on */

struct options {
    bool if_absent;
    bool if_present;
    bool get;
    const struct expiry *expiry; /* NULL: nothing was said about it. */
    size_t time_arg;
};

/* Reads what is said of the expiry from argument `arg` on: a time, or `timeless`,
 * the one word without a time that the command knows. Of several expiries, all
 * must be of the same word, and the last one counts. Returns how many arguments
 * it is; 0 if it makes no sense. */
static size_t read_expiry(const struct call *c, size_t arg, const struct expiry *timeless,
                          struct options *o)
{
    for (size_t i = 0; i < EXPIRY_COUNT; i++) {
        const struct expiry *e = &expiries[i];
        bool timed = e->unit_ms > 0;
        size_t len = timed ? 2 : 1;

        if (call_is(c, arg, e->word) && (timed || e == timeless) &&
            (o->expiry == NULL || o->expiry == e) && arg + len <= c->argc) {
            o->expiry = e;
            o->time_arg = arg + 1;
            return len;
        }
    }
    return 0;
}

static bool read_set_options(struct call *c, struct options *o)
{
    size_t len;

    for (size_t i = 3; i < c->argc; i += len) {
        len = 1;
        if (call_is(c, i, "nx") && !o->if_present) {
            o->if_absent = true;
        } else if (call_is(c, i, "xx") && !o->if_absent) {
            o->if_present = true;
        } else if (call_is(c, i, "get")) {
            o->get = true;
        } else if ((len = read_expiry(c, i, &expiries[KEEPTTL], o)) == 0) {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

static bool read_getex_options(struct call *c, struct options *o)
{
    size_t len;

    for (size_t i = 2; i < c->argc; i += len) {
        len = read_expiry(c, i, &expiries[PERSIST], o);
        if (len == 0) {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

/* Turns the time at argument `arg` into Unix time. */
static bool read_time(struct call *c, const struct expiry *e, size_t arg, int64_t *expires_ms)
{
    int64_t time_ms;

    if (!call_int(c, arg, &time_ms)) {
        return false;
    }
    if (time_ms <= 0 || __builtin_mul_overflow(time_ms, e->unit_ms, &time_ms) ||
        __builtin_add_overflow(time_ms, e->from_now ? c->now_ms : 0, &time_ms)) {
        call_fail(c, "ERR invalid expire time in '%s' command", c->command->name);
        return false;
    }
    *expires_ms = time_ms;
    return true;
}

/* Reading. */

static void get(struct call *c)
{
    const struct value *v;

    if (call_find(c, 1, VALUE_STRING, &v)) {
        reply_value(c, v);
    }
}

static void mget(struct call *c)
{
    reply_array(c, c->argc - 1);
    for (size_t i = 1; i < c->argc; i++) {
        const struct value *v = call_find_any(c, c->argv[i]);

        reply_value(c, v != NULL && value_type(v) == VALUE_STRING ? v : NULL);
    }
}

static void length(struct call *c)
{
    const struct value *v;

    if (call_find(c, 1, VALUE_STRING, &v)) {
        reply_int(c, v == NULL ? 0 : (int64_t)value_string(v).len);
    }
}

/* Turns an index that may count from the end into one from the start. */
static int64_t from_start(int64_t index, int64_t len)
{
    if (index < 0) {
        index += len;
    }
    return index < 0 ? 0 : index;
}

/* Returns the bytes from `start` to `end`, that one included. Where only `end` is
 * before the string, Redis gives its first byte, and so does this. */
static struct bytes range(struct bytes b, int64_t start, int64_t end)
{
    int64_t len = (int64_t)b.len;

    if (start < 0 && end < 0 && start > end) {
        return (struct bytes){0};
    }
    start = from_start(start, len);
    end = from_start(end, len);
    if (end >= len) {
        end = len - 1;
    }
    if (start > end) {
        return (struct bytes){0};
    }
    return (struct bytes){b.at + start, (size_t)(end - start) + 1};
}

static void getrange(struct call *c)
{
    const struct value *v;
    int64_t start, end;

    if (!call_int(c, 2, &start) || !call_int(c, 3, &end) || !call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    reply_bytes(c, v == NULL ? (struct bytes){0} : range(value_string(v), start, end));
}

/* Setting. */

static void set(struct call *c)
{
    struct bytes key = c->argv[1];
    struct options o = {0};
    int64_t expires_ms = EXPIRES_NEVER;
    const struct value *old;
    bool refused;

    if (!read_set_options(c, &o)) {
        return;
    }
    if (o.expiry != NULL && o.expiry->unit_ms > 0 &&
        !read_time(c, o.expiry, o.time_arg, &expires_ms)) {
        return;
    }
    old = keyspace_find(c->keys, key, c->now_ms);
    if (o.get && old != NULL && value_type(old) != VALUE_STRING) {
        call_fail_wrong_type(c);
        return;
    }
    if (o.expiry == &expiries[KEEPTTL]) {
        expires_ms = expiry_of(old);
    }
    refused = old == NULL ? o.if_present : o.if_absent;
    if (o.get) {
        reply_value(c, old);
    } else if (refused) {
        reply_nil(c);
    } else {
        reply_ok(c);
    }
    if (!refused) {
        put(c, old, key, c->argv[2], expires_ms);
        call_event(c, EVENT_STRING, "set", key);
        if (o.expiry != NULL && o.expiry->unit_ms > 0) {
            call_event(c, EVENT_GENERIC, "expire", key);
        }
    }
}

static void setnx(struct call *c)
{
    const struct value *old = keyspace_find(c->keys, c->argv[1], c->now_ms);

    if (old == NULL) {
        put(c, NULL, c->argv[1], c->argv[2], EXPIRES_NEVER);
        call_event(c, EVENT_STRING, "set", c->argv[1]);
    }
    reply_int(c, old == NULL);
}

static void set_for(struct call *c, const struct expiry *e)
{
    struct bytes key = c->argv[1];
    int64_t expires_ms;

    if (read_time(c, e, 2, &expires_ms)) {
        put(c, keyspace_find(c->keys, key, c->now_ms), key, c->argv[3], expires_ms);
        call_event(c, EVENT_STRING, "set", key);
        call_event(c, EVENT_GENERIC, "expire", key);
        reply_ok(c);
    }
}

static void setex(struct call *c)
{
    set_for(c, &expiries[EX]);
}

static void psetex(struct call *c)
{
    set_for(c, &expiries[PX]);
}

/* Sets all pairs of a key and a value. A key may be among them twice. */
static void put_pairs(struct call *c)
{
    for (size_t i = 1; i < c->argc; i += 2) {
        struct bytes key = c->argv[i];

        put(c, keyspace_find(c->keys, key, c->now_ms), key, c->argv[i + 1], EXPIRES_NEVER);
        call_event(c, EVENT_STRING, "set", key);
    }
}

static void mset(struct call *c)
{
    if (c->argc % 2 == 0) {
        call_fail_arity(c);
        return;
    }
    put_pairs(c);
    reply_ok(c);
}

static void msetnx(struct call *c)
{
    if (c->argc % 2 == 0) {
        call_fail_arity(c);
        return;
    }
    for (size_t i = 1; i < c->argc; i += 2) {
        if (keyspace_find(c->keys, c->argv[i], c->now_ms) != NULL) {
            reply_int(c, 0);
            return;
        }
    }
    put_pairs(c);
    reply_int(c, 1);
}

/* Reading what is then changed: the reply comes first, since a change ends the
 * life of what was read. */

static void getset(struct call *c)
{
    const struct value *old;

    if (call_find(c, 1, VALUE_STRING, &old)) {
        reply_value(c, old);
        put(c, old, c->argv[1], c->argv[2], EXPIRES_NEVER);
        call_event(c, EVENT_STRING, "set", c->argv[1]);
    }
}

static void getdel(struct call *c)
{
    const struct value *v;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    reply_value(c, v);
    if (v != NULL) {
        call_make(c, change_unbind(c->db, c->argv[1]));
        call_event(c, EVENT_GENERIC, "del", c->argv[1]);
    }
}

static void getex(struct call *c)
{
    struct bytes key = c->argv[1];
    struct options o = {0};
    int64_t expires_ms = EXPIRES_NEVER;
    const struct value *v;

    if (!read_getex_options(c, &o) || !call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    /* A time that makes no sense is an error only where there is a string. */
    if (v != NULL && o.expiry != NULL && o.expiry->unit_ms > 0 &&
        !read_time(c, o.expiry, o.time_arg, &expires_ms)) {
        return;
    }
    reply_value(c, v);
    if (v == NULL || o.expiry == NULL) {
        return;
    }
    if (expires_ms != EXPIRES_NEVER && expires_ms <= c->now_ms) {
        call_make(c, change_unbind(c->db, key));
        call_event(c, EVENT_GENERIC, "del", key);
        return;
    }
    if (expires_ms != value_expires_ms(v)) {
        call_make(c, change_retime(c->db, key, expires_ms));
        if (expires_ms == EXPIRES_NEVER) {
            call_event(c, EVENT_GENERIC, "persist", key);
        }
    }
    if (expires_ms != EXPIRES_NEVER) {
        call_event(c, EVENT_GENERIC, "expire", key);
    }
}

/* Parts of a string. */

static void append(struct call *c)
{
    struct bytes key = c->argv[1];
    struct bytes more = c->argv[2];
    const struct value *v;
    size_t len;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v == NULL) {
        put(c, NULL, key, more, EXPIRES_NEVER);
        call_event(c, EVENT_STRING, "append", key);
        reply_int(c, (int64_t)more.len);
        return;
    }
    len = value_string(v).len;
    if (length_allowed(c, len, more.len)) {
        call_make(c, change_splice(c->db, key, len, 0, more));
        call_event(c, EVENT_STRING, "append", key);
        reply_int(c, (int64_t)(len + more.len));
    }
}

static void bind_padded(struct call *c, struct bytes key, size_t offset, struct bytes content)
{
    char *at;
    struct value *v = value_new_blank(key, offset + content.len, &at);

    memset(at, 0, offset);
    memcpy(at + offset, content.at, content.len);
    call_make(c, change_bind(c->db, v));
}

void string_overwrite(struct call *c, const struct value *v, struct bytes key, size_t offset,
                      struct bytes content)
{
    BUF_LOCAL(padded);
    size_t len, gap, removed;

    if (v == NULL) {
        bind_padded(c, key, offset, content);
        return;
    }
    len = value_string(v).len;
    if (offset <= len) {
        removed = content.len < len - offset ? content.len : len - offset;
        call_make(c, change_splice(c->db, key, offset, removed, content));
        return;
    }
    gap = offset - len;
    memset(buf_reserve(&padded, gap + content.len), 0, gap);
    padded.len = gap;
    buf_add(&padded, content);
    call_make(c, change_splice(c->db, key, len, 0, buf_bytes(&padded)));
}

static void setrange(struct call *c)
{
    struct bytes key = c->argv[1];
    struct bytes content = c->argv[3];
    const struct value *v;
    int64_t offset;
    size_t len, end;

    if (!call_int(c, 2, &offset)) {
        return;
    }
    if (offset < 0) {
        call_fail(c, "ERR offset is out of range");
        return;
    }
    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    len = v == NULL ? 0 : value_string(v).len;
    if (content.len == 0) {
        reply_int(c, (int64_t)len);
        return;
    }
    if (!length_allowed(c, (size_t)offset, content.len)) {
        return;
    }
    string_overwrite(c, v, key, (size_t)offset, content);
    call_event(c, EVENT_STRING, "setrange", key);
    end = (size_t)offset + content.len;
    reply_int(c, (int64_t)(end > len ? end : len));
}

/* Numbers. */

static void add_int(struct call *c, int64_t by)
{
    const struct value *v;
    int64_t number = 0;
    char text[NUMBER_INT_MAX];
    size_t len;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v != NULL && !number_parse_int(value_string(v), &number)) {
        call_fail(c, "ERR value is not an integer or out of range");
        return;
    }
    if (__builtin_add_overflow(number, by, &number)) {
        call_fail(c, "ERR increment or decrement would overflow");
        return;
    }
    len = number_format_int(text, number);
    put(c, v, c->argv[1], (struct bytes){text, len}, expiry_of(v));
    call_event(c, EVENT_STRING, "incrby", c->argv[1]);
    reply_int(c, number);
}

static void incr(struct call *c)
{
    add_int(c, 1);
}

static void decr(struct call *c)
{
    add_int(c, -1);
}

static void incrby(struct call *c)
{
    int64_t by;

    if (call_int(c, 2, &by)) {
        add_int(c, by);
    }
}

static void decrby(struct call *c)
{
    int64_t by;

    if (!call_int(c, 2, &by)) {
        return;
    }
    if (by == INT64_MIN) {
        call_fail(c, "ERR decrement would overflow");
        return;
    }
    add_int(c, -by);
}

static void incrbyfloat(struct call *c)
{
    const struct value *v;
    long double number = 0;
    long double by;
    char text[NUMBER_HUMAN_MAX];
    struct bytes content;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v != NULL && !number_parse_long_double(value_string(v), &number)) {
        call_fail(c, "ERR value is not a valid float");
        return;
    }
    if (!call_long_double(c, 2, &by)) {
        return;
    }
    number += by;
    if (!isfinite(number)) {
        call_fail(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    content = (struct bytes){text, number_format_human(text, number)};
    put(c, v, c->argv[1], content, expiry_of(v));
    call_event(c, EVENT_STRING, "incrbyfloat", c->argv[1]);
    reply_bytes(c, content);
}

/* Without GET, nothing of what was there is told. */
static unsigned set_key_use(size_t argc, const struct bytes *argv)
{
    for (size_t i = 3; i < argc; i++) {
        if (bytes_is(argv[i], "get")) {
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        }
    }
    return KEY_OW | KEY_UPDATE;
}

/* clang-format off */
const struct command string_commands[] = {
    {.name = "append",      .arity = 3,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_INSERT)},                                      .run = append,      .group = "string", .since = "2.0.0", .complexity = "O(1)",                                     .summary = "Appends to a string",                                  .syntax = "key value"},
    {.name = "decr",        .arity = 2,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = decr,        .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Subtracts one from an integer",                        .syntax = "key"},
    {.name = "decrby",      .arity = 3,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = decrby,      .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Subtracts a number from an integer",                   .syntax = "key decrement"},
    {.name = "get",         .arity = 2,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                      .run = get,         .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Returns the string value of a key",                    .syntax = "key"},
    {.name = "getdel",      .arity = 2,  .flags = FREE_FAST,  .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)},                         .run = getdel,      .group = "string", .since = "6.2.0", .complexity = "O(1)",                                     .summary = "Returns a string and deletes its key",                 .syntax = "key"},
    {.name = "getex",       .arity = -2, .flags = FREE_FAST,  .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = getex,       .group = "string", .since = "6.2.0", .complexity = "O(1)",                                     .summary = "Returns a string and sets or removes its expiry",      .syntax = "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]"},
    {.name = "getrange",    .arity = 4,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                      .run = getrange,    .group = "string", .since = "2.4.0", .complexity = "O(N) in the length of the reply",          .summary = "Returns a part of a string",                           .syntax = "key start end"},
    {.name = "getset",      .arity = 3,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = getset,      .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Sets a key to a string and returns the one before",    .syntax = "key value"},
    {.name = "incr",        .arity = 2,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = incr,        .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Adds one to an integer",                               .syntax = "key"},
    {.name = "incrby",      .arity = 3,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = incrby,      .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Adds a number to an integer",                          .syntax = "key increment"},
    {.name = "incrbyfloat", .arity = 3,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                         .run = incrbyfloat, .group = "string", .since = "2.6.0", .complexity = "O(1)",                                     .summary = "Adds a number to a floating point number",             .syntax = "key increment"},
    {.name = "mget",        .arity = -2, .flags = READ_FAST,  .keys = {ALL_KEYS(KEY_RO | KEY_ACCESS)},                                     .run = mget,        .group = "string", .since = "1.0.0", .complexity = "O(N) in the number of keys",               .summary = "Returns the string values of several keys",            .syntax = "key [key ...]"},
    {.name = "mset",        .arity = -3, .flags = WRITE,      .keys = {{.flags = KEY_OW | KEY_UPDATE, .index = 1, .last = -1, .step = 2}}, .run = mset,        .group = "string", .since = "1.0.1", .complexity = "O(N) in the number of keys",               .summary = "Sets several keys to strings",                         .syntax = "key value [key value ...]"},
    {.name = "msetnx",      .arity = -3, .flags = WRITE,      .keys = {{.flags = KEY_OW | KEY_INSERT, .index = 1, .last = -1, .step = 2}}, .run = msetnx,      .group = "string", .since = "1.0.1", .complexity = "O(N) in the number of keys",               .summary = "Sets several keys to strings if none of them exists",  .syntax = "key value [key value ...]"},
    {.name = "psetex",      .arity = 4,  .flags = WRITE,      .keys = {ONE_KEY(KEY_OW | KEY_UPDATE)},                                      .run = psetex,      .group = "string", .since = "2.6.0", .complexity = "O(1)",                                     .summary = "Sets a key to a string that expires, in milliseconds", .syntax = "key milliseconds value"},
    {.name = "set",         .arity = -3, .flags = WRITE,      .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS)},    .key_use = set_key_use, .run = set,         .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Sets a key to a string, whatever it held before",      .syntax = "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]"},
    {.name = "setex",       .arity = 4,  .flags = WRITE,      .keys = {ONE_KEY(KEY_OW | KEY_UPDATE)},                                      .run = setex,       .group = "string", .since = "2.0.0", .complexity = "O(1)",                                     .summary = "Sets a key to a string that expires, in seconds",      .syntax = "key seconds value"},
    {.name = "setnx",       .arity = 3,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_OW | KEY_INSERT)},                                      .run = setnx,       .group = "string", .since = "1.0.0", .complexity = "O(1)",                                     .summary = "Sets a key to a string if it does not exist",          .syntax = "key value"},
    {.name = "setrange",    .arity = 4,  .flags = WRITE,      .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},                                      .run = setrange,    .group = "string", .since = "2.2.0", .complexity = "O(N) in the length of the value",          .summary = "Overwrites a part of a string",                        .syntax = "key offset value"},
    {.name = "strlen",      .arity = 2,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},                                                   .run = length,      .group = "string", .since = "2.2.0", .complexity = "O(1)",                                     .summary = "Returns the length of a string",                       .syntax = "key"},
    {.name = "substr",      .arity = 4,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                      .run = getrange,    .group = "string", .since = "1.0.0", .complexity = "O(N) in the length of the reply",          .summary = "Returns a part of a string",                           .syntax = "key start end"},
    {0},
};
/* clang-format on */
