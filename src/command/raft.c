/* RAFT: what operators ask of the group. */
#include "base/number.h"
#include "command/families.h"
#include "engine/call.h"
#include "engine/group_info.h"
#include "engine/operation.h"

static void raft_info(struct call *c)
{
    BUF_LOCAL(text);

    group_add_raft(c->engine, &text);
    reply_verbatim(c, "txt", buf_bytes(&text));
}

static bool read_id(struct call *c, size_t arg, uint64_t *id)
{
    int64_t number;

    if (!number_parse_int(c->argv[arg], &number) || number <= 0) {
        call_fail(c, "ERR The id of a server is a number above 0");
        return false;
    }
    *id = (uint64_t)number;
    return true;
}

/* Reads the id of a member. */
static bool read_member(struct call *c, size_t arg, uint64_t *id)
{
    if (!read_id(c, arg, id)) {
        return false;
    }
    if (group_find(&c->engine->group, *id) == NULL && !call_has_waited(c)) {
        call_fail(c, "ERR There is no server with that id in the group");
        return false;
    }
    return true;
}

static void operate_on_member(struct call *c, enum operation_kind kind)
{
    struct operation o = {.kind = kind};

    if (read_member(c, 2, &o.id)) {
        call_operate(c, o);
    }
}

static void raft_bootstrap(struct call *c)
{
    call_operate(c, (struct operation){.kind = OPERATION_BOOTSTRAP});
}

static void raft_join(struct call *c)
{
    call_operate(c, (struct operation){.kind = OPERATION_JOIN, .address = c->argv[2]});
}

static void raft_add(struct call *c)
{
    struct operation o = {.kind = OPERATION_ADD, .address = c->argv[3]};

    if (read_id(c, 2, &o.id)) {
        call_operate(c, o);
    }
}

static void raft_remove(struct call *c)
{
    operate_on_member(c, OPERATION_REMOVE);
}

static void raft_promote(struct call *c)
{
    operate_on_member(c, OPERATION_PROMOTE);
}

static void raft_demote(struct call *c)
{
    operate_on_member(c, OPERATION_DEMOTE);
}

static void raft_transfer(struct call *c)
{
    if (c->argc > 3) {
        call_fail_arity(c);
    } else if (c->argc == 3) {
        operate_on_member(c, OPERATION_TRANSFER);
    } else {
        call_operate(c, (struct operation){.kind = OPERATION_TRANSFER});
    }
}

static void raft_snapshot(struct call *c)
{
    call_operate(c, (struct operation){.kind = OPERATION_SNAPSHOT});
}

/* clang-format off */
enum { OPERATORS = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_MULTI | COMMAND_STALE |
                 COMMAND_LOADING};

#define IS .group = "server", .since = "7.0.0"

static const struct command subcommands[] = {
    {.name = "add",       .arity = 4,  .flags = OPERATORS, .run = raft_add, IS, .complexity = "O(1), and what it takes to reach a majority", .summary = "Makes a server a member of the group that does not vote yet", .syntax = "id host:port[@peerport]"},
    {.name = "bootstrap", .arity = 2,  .flags = OPERATORS, .run = raft_bootstrap, IS, .complexity = "O(1)", .summary = "Makes this server a group of its own", .syntax = ""},
    {.name = "demote",    .arity = 3,  .flags = OPERATORS, .run = raft_demote, IS, .complexity = "O(1), and what it takes to reach a majority", .summary = "Has a server vote no more", .syntax = "id"},
    {.name = "help",      .arity = 2,  .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, IS, .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "info",      .arity = 2,  .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE, .run = raft_info, IS, .complexity = "O(N) with N servers", .summary = "Tells of the group and its log, as INFO raft does", .syntax = ""},
    {.name = "join",      .arity = 3,  .flags = OPERATORS, .run = raft_join, IS, .complexity = "O(1), and a copy of the data", .summary = "Makes this server a member of the group that another one is in", .syntax = "host:port"},
    {.name = "promote",   .arity = 3,  .flags = OPERATORS, .run = raft_promote, IS, .complexity = "O(1), and what the server lacks", .summary = "Has a server vote, once it has caught up", .syntax = "id"},
    {.name = "remove",    .arity = 3,  .flags = OPERATORS, .run = raft_remove, IS, .complexity = "O(1), and what it takes to reach a majority", .summary = "Ends a server's membership", .syntax = "id"},
    {.name = "snapshot",  .arity = 2,  .flags = OPERATORS, .run = raft_snapshot, IS, .complexity = "O(1), and a fork", .summary = "Writes a snapshot, which the log may begin behind", .syntax = ""},
    {.name = "transfer",  .arity = -2, .flags = OPERATORS, .run = raft_transfer, IS, .complexity = "O(1)", .summary = "Makes another server the leader", .syntax = "[id]"},
    {0},
};

const struct command raft_commands[] = {
    {.name = "raft", .arity = -2, .subcommands = subcommands, IS, .complexity = "Depends on the subcommand", .summary = "Tells of the group, and changes it", .syntax = ""},
    {0},
};
/* clang-format on */
