/* Commands on when keys expire. */
#include "command/condition.h"
#include "command/families.h"
#include "engine/call.h"

enum { MILLISECOND = 1, SECOND = 1000 };

static bool parse_conditions(struct call *c, unsigned *conditions)
{
    enum { SHOWN = 128 };

    *conditions = 0;
    for (size_t i = 3; i < c->argc; i++) {
        struct bytes word = c->argv[i];
        if (condition_at(c, i) == 0) {
            call_fail(c, "ERR Unsupported option %.*s", word.len < SHOWN ? (int)word.len : SHOWN,
                      word.at);
            return false;
        }
        *conditions |= condition_at(c, i);
    }
    if ((*conditions & NX) && (*conditions & (XX | GT | LT))) {
        call_fail(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*conditions & GT) && (*conditions & LT)) {
        call_fail(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* Reads argument 2: a time in the given unit, counted from `base_ms`. */
static bool parse_time(struct call *c, int64_t base_ms, int64_t unit_ms, int64_t *expires_ms)
{
    int64_t time_ms;

    if (!call_int(c, 2, &time_ms)) {
        return false;
    }
    if (__builtin_mul_overflow(time_ms, unit_ms, &time_ms) ||
        __builtin_add_overflow(time_ms, base_ms, &time_ms)) {
        call_fail(c, "ERR invalid expire time in '%s' command", c->command->name);
        return false;
    }
    *expires_ms = time_ms;
    return true;
}

static void set_expiry(struct call *c, int64_t base_ms, int64_t unit_ms)
{
    const struct value *v;
    int64_t expires_ms;
    unsigned conditions;

    if (!parse_conditions(c, &conditions) || !parse_time(c, base_ms, unit_ms, &expires_ms)) {
        return;
    }
    v = call_find_any(c, c->argv[1]);
    if (v == NULL || !conditions_hold(conditions, value_expires_ms(v), expires_ms)) {
        reply_int(c, 0);
        return;
    }
    if (expires_ms <= c->now_ms) {
        call_make(c, change_unbind(c->db, c->argv[1]));
        call_event(c, EVENT_GENERIC, "del", c->argv[1]);
    } else {
        call_make(c, change_retime(c->db, c->argv[1], expires_ms));
        call_event(c, EVENT_GENERIC, "expire", c->argv[1]);
    }
    reply_int(c, 1);
}

static void expire(struct call *c)
{
    set_expiry(c, c->now_ms, SECOND);
}

static void pexpire(struct call *c)
{
    set_expiry(c, c->now_ms, MILLISECOND);
}

static void expireat(struct call *c)
{
    set_expiry(c, 0, SECOND);
}

static void pexpireat(struct call *c)
{
    set_expiry(c, 0, MILLISECOND);
}

/* Replies with the expiry, counted from `base_ms`, rounded to the given unit. */
static void reply_expiry(struct call *c, int64_t base_ms, int64_t unit_ms)
{
    const struct value *v = keyspace_find(c->keys, c->argv[1], c->now_ms);
    int64_t time_ms;

    if (v == NULL) {
        reply_int(c, -2);
    } else if (value_expires_ms(v) == EXPIRES_NEVER) {
        reply_int(c, -1);
    } else {
        time_ms = value_expires_ms(v) - base_ms;
        reply_int(c, time_ms / unit_ms + (time_ms % unit_ms >= (unit_ms + 1) / 2));
    }
}

static void ttl(struct call *c)
{
    reply_expiry(c, c->now_ms, SECOND);
}

static void pttl(struct call *c)
{
    reply_expiry(c, c->now_ms, MILLISECOND);
}

static void expiretime(struct call *c)
{
    reply_expiry(c, 0, SECOND);
}

static void pexpiretime(struct call *c)
{
    reply_expiry(c, 0, MILLISECOND);
}

static void persist(struct call *c)
{
    const struct value *v = call_find_any(c, c->argv[1]);
    bool expires = v != NULL && value_expires_ms(v) != EXPIRES_NEVER;

    if (expires) {
        call_make(c, change_retime(c->db, c->argv[1], EXPIRES_NEVER));
        call_event(c, EVENT_GENERIC, "persist", c->argv[1]);
    }
    reply_int(c, expires);
}

/* clang-format off */
enum {
    READ_FAST = COMMAND_READONLY | COMMAND_FAST,
    FREE_FAST = COMMAND_WRITE | COMMAND_DIRECT | COMMAND_FAST, /* Takes no memory. */
};

const struct command expire_commands[] = {
    {.name = "expire",      .arity = -3, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = expire,      .group = "generic", .since = "1.0.0", .complexity = "O(1)", .summary = "Sets in how many seconds a key expires",                   .syntax = "key seconds [NX | XX | GT | LT]"},
    {.name = "expireat",    .arity = -3, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = expireat,    .group = "generic", .since = "1.2.0", .complexity = "O(1)", .summary = "Sets when a key expires, in seconds of Unix time",         .syntax = "key unix-time-seconds [NX | XX | GT | LT]"},
    {.name = "expiretime",  .arity = 2,  .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = expiretime,  .group = "generic", .since = "7.0.0", .complexity = "O(1)", .summary = "Returns when a key expires, in seconds of Unix time",      .syntax = "key"},
    {.name = "persist",     .arity = 2,  .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = persist,     .group = "generic", .since = "2.2.0", .complexity = "O(1)", .summary = "Makes a key stay that was to expire",                      .syntax = "key"},
    {.name = "pexpire",     .arity = -3, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = pexpire,     .group = "generic", .since = "2.6.0", .complexity = "O(1)", .summary = "Sets in how many milliseconds a key expires",              .syntax = "key milliseconds [NX | XX | GT | LT]"},
    {.name = "pexpireat",   .arity = -3, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = pexpireat,   .group = "generic", .since = "2.6.0", .complexity = "O(1)", .summary = "Sets when a key expires, in milliseconds of Unix time",    .syntax = "key unix-time-milliseconds [NX | XX | GT | LT]"},
    {.name = "pexpiretime", .arity = 2,  .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = pexpiretime, .group = "generic", .since = "7.0.0", .complexity = "O(1)", .summary = "Returns when a key expires, in milliseconds of Unix time", .syntax = "key"},
    {.name = "pttl",        .arity = 2,  .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = pttl,        .group = "generic", .since = "2.6.0", .complexity = "O(1)", .summary = "Returns in how many milliseconds a key expires",           .syntax = "key"},
    {.name = "ttl",         .arity = 2,  .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = ttl,         .group = "generic", .since = "1.0.0", .complexity = "O(1)", .summary = "Returns in how many seconds a key expires",                .syntax = "key"},
    {0},
};
/* clang-format on */
