/* MONITOR. */
#include "command/families.h"
#include "engine/call.h"

/* Whoever is shown commands already gets no reply: it could not be told from them. */
static void monitor(struct call *c)
{
    if (c->session->in_multi) {
        call_fail(c, "ERR MONITOR isn't allowed for DENY BLOCKING client");
    } else if (!c->session->monitors) {
        monitor_start(c->session);
        reply_ok(c);
    }
}

/* clang-format off */
const struct command monitor_commands[] = {
    {.name = "monitor", .arity = 1, .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run = monitor, .group = "server", .since = "1.0.0", .complexity = "O(1)", .summary = "Shows this connection every command that runs", .syntax = ""},
    {0},
};
/* clang-format on */
