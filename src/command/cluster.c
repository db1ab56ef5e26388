/* What clients ask of a cluster, to find out whether there is one. There is not. */
#include "command/families.h"
#include "engine/call.h"

static void refuse(struct call *c)
{
    call_fail(c, "ERR This instance has cluster support disabled");
}

/* clang-format off */
#define TELLS .run = refuse, .group = "cluster", .complexity = "O(1)"

enum { STALE = COMMAND_STALE };

static const struct command subcommands[] = {
    {.name = "countkeysinslot", .arity = 3, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Counts the keys in a slot", .syntax = "slot"},
    {.name = "getkeysinslot",   .arity = 4, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Returns keys in a slot", .syntax = "slot count"},
    {.name = "help",            .arity = 2, .flags = COMMAND_LOADING | STALE, .run = reply_help, .group = "cluster", .complexity = "O(1)", .since = "5.0.0", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "info",            .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Describes the state of the cluster", .syntax = ""},
    {.name = "keyslot",         .arity = 3, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Returns the slot of a key", .syntax = "key"},
    {.name = "links",           .arity = 2, .flags = STALE, TELLS, .since = "7.0.0", .summary = "Lists the connections between nodes", .syntax = ""},
    {.name = "myid",            .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Returns the name of this node", .syntax = ""},
    {.name = "nodes",           .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Describes the nodes as text", .syntax = ""},
    {.name = "shards",          .arity = 2, .flags = STALE, TELLS, .since = "7.0.0", .summary = "Tells which nodes serve which slots", .syntax = ""},
    {.name = "slots",           .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Tells which nodes serve which slots, in an older form", .syntax = ""},
    {0},
};

const struct command cluster_commands[] = {
    {.name = "asking",    .arity = 1,  .flags = COMMAND_FAST, TELLS, .since = "3.0.0", .summary = "Allows one request to a slot that is moving here", .syntax = ""},
    {.name = "cluster",   .arity = -2, .subcommands = subcommands, .group = "cluster", .since = "3.0.0", .complexity = "Depends on the subcommand", .summary = "Describes the cluster, if there is one", .syntax = ""},
    {.name = "readonly",  .arity = 1,  .flags = COMMAND_FAST | COMMAND_LOADING | STALE, TELLS, .since = "3.0.0", .summary = "Allows reads of a replica", .syntax = ""},
    {.name = "readwrite", .arity = 1,  .flags = COMMAND_FAST | COMMAND_LOADING | STALE, TELLS, .since = "3.0.0", .summary = "Ends what READONLY has begun", .syntax = ""},
    {0},
};
/* clang-format on */
