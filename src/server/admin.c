/* The commands of the server itself: their table, and the short ones. */
#include "base/log.h"
#include "engine/call.h"
#include "server/commands.h"
#include "server/memory.h"
#include "server/server.h"

struct shutdown_options {
    bool save, nosave, now, force, abort;
};

static bool read_shutdown(struct call *c, struct shutdown_options *o)
{
    for (size_t i = 1; i < c->argc; i++) {
        if (call_is(c, i, "save")) {
            o->save = true;
        } else if (call_is(c, i, "nosave")) {
            o->nosave = true;
        } else if (call_is(c, i, "now")) {
            o->now = true;
        } else if (call_is(c, i, "force")) {
            o->force = true;
        } else if (call_is(c, i, "abort")) {
            o->abort = true;
        } else {
            return false;
        }
    }
    return !(o->save && o->nosave) && !(o->abort && c->argc > 2);
}

/* Ends the server after this turn; a script that runs is undone. Who succeeds gets
 * no reply, but sees the connection end. */
static void shut_down(struct call *c)
{
    struct shutdown_options o = {0};

    if (!read_shutdown(c, &o)) {
        call_fail_syntax(c);
        return;
    }
    if (o.abort) {
        call_fail(c, "ERR No shutdown in progress.");
        return;
    }
    if (o.save && !o.force) {
        log_write(LOG_WARNING, "SHUTDOWN SAVE is refused: the data cannot be saved");
        call_fail(c, "ERR Errors trying to SHUTDOWN. Check logs.");
        return;
    }
    log_write(LOG_WARNING, "A client asks for shutdown");
    c->engine->stop = true;
    c->session->closing = true;
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    ADMIN    = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
};

const struct command server_commands[] = {
    {.name = "config",   .arity = -2, .subcommands = config_subcommands, .group = "server", .since = "2.0.0", .complexity = "Depends on the subcommand", .summary = "Reads and sets the server's options", .syntax = ""},
    {.name = "debug",    .arity = -2, .flags = ADMIN | COMMAND_DIRECT, .run = debug, .group = "server", .since = "1.0.0", .complexity = "Depends on the subcommand", .summary = "What tests need to see and do", .syntax = "subcommand [argument ...]"},
    {.name = "info",     .arity = -1, .flags = ANY_TIME, .run = info, .group = "server", .since = "1.0.0", .complexity = "O(1)", .summary = "Tells about the server and its statistics", .syntax = "[section [section ...]]"},
    {.name = "memory",   .arity = -2, .subcommands = memory_subcommands, .group = "server", .since = "4.0.0", .complexity = "Depends on the subcommand", .summary = "Tells about the use of memory", .syntax = ""},
    {.name = "shutdown", .arity = -1, .flags = ADMIN | COMMAND_NO_MULTI | COMMAND_ALLOW_BUSY, .run = shut_down, .group = "server", .since = "1.0.0", .complexity = "O(1)", .summary = "Ends the server", .syntax = "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]"},
    {0},
};
/* clang-format on */
