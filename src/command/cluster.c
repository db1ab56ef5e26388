/* What clients ask of a cluster, to find out whether there is one, and what its own
 * programs would tell it to do. There is none. */
#include "command/families.h"
#include "engine/call.h"

static void refuse(struct call *c)
{
    call_fail(c, "ERR This instance has cluster support disabled");
}

/* clang-format off */
#define TELLS .run = refuse, .group = "cluster", .complexity = "O(1)"

enum {
    STALE = COMMAND_STALE,
    ADMIN = COMMAND_ADMIN | STALE,
    SYNCED = COMMAND_NO_ASYNC_LOADING,
};

static const struct command subcommands[] = {
    {.name = "addslots", .arity = -3, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Assigns slots to this node", .syntax = "slot [slot ...]"},
    {.name = "addslotsrange", .arity = -4, .flags = ADMIN | SYNCED, TELLS, .since = "7.0.0", .summary = "Assigns ranges of slots to this node", .syntax = "start-slot end-slot [start-slot end-slot ...]"},
    {.name = "bumpepoch", .arity = 2, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Begins a new epoch", .syntax = ""},
    {.name = "count-failure-reports", .arity = 3, .flags = ADMIN, TELLS, .since = "3.0.0", .summary = "Counts the reports that a node has failed", .syntax = "node-id"},
    {.name = "countkeysinslot", .arity = 3, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Counts the keys in a slot", .syntax = "slot"},
    {.name = "delslots", .arity = -3, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Takes slots from this node", .syntax = "slot [slot ...]"},
    {.name = "delslotsrange", .arity = -4, .flags = ADMIN | SYNCED, TELLS, .since = "7.0.0", .summary = "Takes ranges of slots from this node", .syntax = "start-slot end-slot [start-slot end-slot ...]"},
    {.name = "failover", .arity = -2, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Has a replica take the place of its master", .syntax = "[FORCE | TAKEOVER]"},
    {.name = "flushslots", .arity = 2, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Takes all slots from this node", .syntax = ""},
    {.name = "forget", .arity = 3, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Removes a node from the table of nodes", .syntax = "node-id"},
    {.name = "getkeysinslot", .arity = 4, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Returns keys in a slot", .syntax = "slot count"},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | STALE, .run = reply_help, .group = "cluster", .complexity = "O(1)", .since = "5.0.0", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "info", .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Describes the state of the cluster", .syntax = ""},
    {.name = "keyslot", .arity = 3, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Returns the slot of a key", .syntax = "key"},
    {.name = "links", .arity = 2, .flags = STALE, TELLS, .since = "7.0.0", .summary = "Lists the connections between nodes", .syntax = ""},
    {.name = "meet", .arity = -4, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Makes this node known to another", .syntax = "ip port [cluster-bus-port]"},
    {.name = "myid", .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Returns the name of this node", .syntax = ""},
    {.name = "nodes", .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Describes the nodes as text", .syntax = ""},
    {.name = "replicas", .arity = 3, .flags = ADMIN, TELLS, .since = "5.0.0", .summary = "Lists the replicas of a node", .syntax = "node-id"},
    {.name = "replicate", .arity = 3, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Makes this node a replica of another", .syntax = "node-id"},
    {.name = "reset", .arity = -2, .flags = ADMIN | COMMAND_NOSCRIPT, TELLS, .since = "3.0.0", .summary = "Forgets the cluster", .syntax = "[HARD | SOFT]"},
    {.name = "saveconfig", .arity = 2, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Writes the table of nodes to its file", .syntax = ""},
    {.name = "set-config-epoch", .arity = 3, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Sets the epoch of a new node", .syntax = "config-epoch"},
    {.name = "setslot", .arity = -4, .flags = ADMIN | SYNCED, TELLS, .since = "3.0.0", .summary = "Says whose a slot is", .syntax = "slot IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE"},
    {.name = "shards", .arity = 2, .flags = STALE, TELLS, .since = "7.0.0", .summary = "Tells which nodes serve which slots", .syntax = ""},
    {.name = "slaves", .arity = 3, .flags = ADMIN, TELLS, .since = "3.0.0", .summary = "Lists the replicas of a node, by an older name", .syntax = "node-id"},
    {.name = "slots", .arity = 2, .flags = STALE, TELLS, .since = "3.0.0", .summary = "Tells which nodes serve which slots, in an older form", .syntax = ""},
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
