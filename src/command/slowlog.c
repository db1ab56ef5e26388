/* SLOWLOG. */
#include "command/families.h"
#include "engine/call.h"

static void reply_entry(struct call *c, const struct slowlog_entry *entry)
{
    reply_array(c, 6);
    reply_int(c, (int64_t)entry->id);
    reply_int(c, entry->time_s);
    reply_int(c, (int64_t)entry->us);
    reply_array(c, entry->argc);
    for (size_t i = 0; i < entry->argc; i++) {
        reply_bytes(c, buf_bytes(&entry->argv[i]));
    }
    reply_bytes(c, buf_bytes(&entry->address));
    reply_bytes(c, buf_bytes(&entry->name));
}

static bool read_count(struct call *c, size_t *count)
{
    int64_t number = 10;

    if (c->argc > 3) {
        call_fail_usage(c);
        return false;
    }
    if (c->argc == 3 && (!number_parse_int(c->argv[2], &number) || number < -1)) {
        call_fail(c, "ERR count should be greater than or equal to -1");
        return false;
    }
    *count = number < 0 ? SIZE_MAX : (size_t)number;
    return true;
}

static void slowlog_get(struct call *c)
{
    const struct slowlog *log = &c->engine->slowlog;
    const struct slowlog_entry *entry = log->newest;
    size_t count;

    if (!read_count(c, &count)) {
        return;
    }
    count = count < log->len ? count : log->len;
    reply_array(c, count);
    for (size_t i = 0; i < count; i++) {
        reply_entry(c, entry);
        entry = entry->older;
    }
}

static void slowlog_len(struct call *c)
{
    reply_int(c, (int64_t)c->engine->slowlog.len);
}

static void slowlog_reset(struct call *c)
{
    slowlog_trim(&c->engine->slowlog, 0);
    reply_ok(c);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    ADMIN    = ANY_TIME | COMMAND_ADMIN,
};

static const struct command subcommands[] = {
    {.name = "get",   .arity = -2, .flags = ADMIN,    .run = slowlog_get,   .group = "server", .since = "2.2.12", .complexity = "O(N) with N entries", .summary = "Returns the newest entries: number, time, microseconds, arguments, address and name of the client; a script's arguments end in what it did", .syntax = "[count]"},
    {.name = "help",  .arity = 2,  .flags = ANY_TIME, .run = reply_help,    .group = "server", .since = "6.2.0",  .complexity = "O(1)",                .summary = "Returns this text", .syntax = ""},
    {.name = "len",   .arity = 2,  .flags = ADMIN,    .run = slowlog_len,   .group = "server", .since = "2.2.12", .complexity = "O(1)",                .summary = "Returns how many entries there are", .syntax = ""},
    {.name = "reset", .arity = 2,  .flags = ADMIN,    .run = slowlog_reset, .group = "server", .since = "2.2.12", .complexity = "O(N) with N entries", .summary = "Forgets all entries", .syntax = ""},
    {0},
};

const struct command slowlog_commands[] = {
    {.name = "slowlog", .arity = -2, .subcommands = subcommands, .group = "server", .since = "2.2.12", .complexity = "Depends on the subcommand", .summary = "Tells which requests took long", .syntax = ""},
    {0},
};
/* clang-format on */
