/* SENTINEL: how clients of Redis Sentinel find the leader.
 *
 * Each server of the group answers as a Sentinel that watches the group under one name. What
 * a Sentinel would find out by asking, it knows by the log: if a leader is known, it is
 * up, and the group has agreed on it. */
#include "base/glob.h"
#include "command/families.h"
#include "command/nodes.h"
#include "engine/operation.h"

#include <inttypes.h>

enum { DOWN_AFTER_MS = 5000, FAILOVER_TIMEOUT_MS = 180000 }; /* Told because clients read them. */

static bool is_name(struct call *c, struct bytes name)
{
    c->session->is_sentinel_client = true;
    return bytes_equal(name, buf_bytes(&c->engine->settings.sentinel_name));
}

/* Reads argument 2 as the name of the group. Returns false, having failed the call, if it
 * is another one. */
static bool read_name(struct call *c)
{
    if (!is_name(c, c->argv[2])) {
        call_fail(c, "ERR No such master with that name");
        return false;
    }
    return true;
}

/* Descriptions. */

/* A map whose fields are counted as they come. */
struct description {
    struct call *call;
    size_t place;
    size_t fields;
};

static struct description describe(struct call *c)
{
    return (struct description){c, reply_late(c), 0};
}

static void end_description(struct description *d)
{
    reply_late_end(d->call, d->place, RESP_MAP, d->fields);
}

static void add_text(struct description *d, const char *name, const char *text)
{
    reply_string(d->call, name);
    reply_string(d->call, text);
    d->fields++;
}

static void add_number(struct description *d, const char *name, int64_t number)
{
    reply_string(d->call, name);
    reply_format(d->call, "%" PRId64, number);
    d->fields++;
}

/* What descriptions of all three kinds have. */
static void add_common(struct description *d, const struct node *n, const char *flags)
{
    add_text(d, "ip", n->host);
    add_number(d, "port", n->port);
    add_text(d, "runid", n->name);
    add_text(d, "flags", flags);
    add_number(d, "link-pending-commands", 0);
    add_number(d, "link-refcount", 1);
    add_number(d, "last-ping-sent", 0);
    add_number(d, "last-ok-ping-reply", n->silent_ms);
    add_number(d, "last-ping-reply", n->silent_ms);
    if (!n->is_up) {
        add_number(d, "s-down-time", n->silent_ms);
    }
    add_number(d, "down-after-milliseconds", DOWN_AFTER_MS);
}

/* The leader; while none is known, the last one. */
static struct node master_of(const struct call *c, const struct nodes *n)
{
    const struct group *g = &c->engine->group;
    struct node master = {.silent_ms = g->alone_ms > 0 ? c->now_ms - g->alone_ms : 0};

    if (n->leader != NULL) {
        return *n->leader;
    }
    memcpy(master.host, g->told.host, sizeof master.host);
    master.port = g->told.port;
    return master;
}

static void describe_master(struct call *c, const struct nodes *n)
{
    struct description d = describe(c);
    struct node master = master_of(c, n);

    reply_string(c, "name");
    reply_bytes(c, buf_bytes(&c->engine->settings.sentinel_name));
    d.fields++;
    add_common(&d, &master, n->leader != NULL ? "master" : "s_down,o_down,master");
    add_number(&d, "info-refresh", master.silent_ms);
    add_text(&d, "role-reported", "master");
    add_number(&d, "role-reported-time", master.silent_ms);
    add_number(&d, "config-epoch", (int64_t)c->engine->group.term);
    add_number(&d, "num-slaves", (int64_t)nodes_replicas(n));
    add_number(&d, "num-other-sentinels", (int64_t)n->count - (n->self != NULL));
    add_number(&d, "quorum", (int64_t)n->voters / 2 + 1);
    add_number(&d, "failover-timeout", FAILOVER_TIMEOUT_MS);
    add_number(&d, "parallel-syncs", 1);
    end_description(&d);
}

static void describe_replica(struct call *c, const struct nodes *n, const struct node *replica)
{
    struct description d = describe(c);
    struct node master = master_of(c, n);

    reply_string(c, "name");
    reply_format(c, "%s:%d", replica->host, replica->port);
    d.fields++;
    add_common(&d, replica, replica->is_up ? "slave" : "s_down,slave,disconnected");
    add_number(&d, "info-refresh", replica->silent_ms);
    add_text(&d, "role-reported", "slave");
    add_number(&d, "role-reported-time", replica->silent_ms);
    add_number(&d, "master-link-down-time", n->leader != NULL ? 0 : master.silent_ms);
    add_text(&d, "master-link-status", n->leader != NULL ? "ok" : "err");
    add_text(&d, "master-host", master.host);
    add_number(&d, "master-port", master.port);
    add_number(&d, "slave-priority", 100);
    add_number(&d, "slave-repl-offset", (int64_t)replica->offset);
    add_number(&d, "replica-announced", 1);
    end_description(&d);
}

static void describe_sentinel(struct call *c, const struct node *n)
{
    struct description d = describe(c);

    add_text(&d, "name", n->name);
    add_common(&d, n, n->is_up ? "sentinel" : "s_down,sentinel,disconnected");
    add_number(&d, "last-hello-message", n->silent_ms);
    add_text(&d, "voted-leader", "?");
    add_number(&d, "voted-leader-epoch", 0);
    end_description(&d);
}

/* Questions. */

static void sentinel_masters(struct call *c)
{
    NODES_LOCAL(nodes, c);

    c->session->is_sentinel_client = true;
    reply_array(c, 1);
    describe_master(c, &nodes);
}

static void sentinel_master(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (read_name(c)) {
        describe_master(c, &nodes);
    }
}

static void sentinel_replicas(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (!read_name(c)) {
        return;
    }
    reply_array(c, nodes_replicas(&nodes));
    for (size_t i = 0; i < nodes.count; i++) {
        if (!nodes.node[i].leads) {
            describe_replica(c, &nodes, &nodes.node[i]);
        }
    }
}

static void sentinel_sentinels(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (!read_name(c)) {
        return;
    }
    reply_array(c, nodes.count - (nodes.self != NULL));
    for (size_t i = 0; i < nodes.count; i++) {
        if (!nodes.node[i].is_self) {
            describe_sentinel(c, &nodes.node[i]);
        }
    }
}

/* Of a leader that is known no more, nobody is told the address: there is nothing to be
 * had from it. */
static void sentinel_get_master_addr(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (!is_name(c, c->argv[2]) || nodes.leader == NULL) {
        reply_nil_array(c);
        return;
    }
    reply_array(c, 2);
    reply_string(c, nodes.leader->host);
    reply_format(c, "%d", nodes.leader->port);
}

static void sentinel_ckquorum(struct call *c)
{
    NODES_LOCAL(nodes, c);
    BUF_LOCAL(text);

    if (!read_name(c)) {
        return;
    }
    if (nodes.leader == NULL || !nodes_have_quorum(&nodes)) {
        call_fail(c, "NOQUORUM A majority of the group's %zu servers that vote cannot be reached",
                  nodes.voters);
        return;
    }
    buf_addf(&text, "OK %zu usable Sentinels. ", nodes.voters_up);
    buf_addf(&text, "Quorum and failover authorization can be reached");
    c->reply->ops->status(c->reply, buf_bytes(&text));
}

/* What Sentinels ask each other. Nobody votes here: that is the log's affair. */
static void sentinel_is_master_down(struct call *c)
{
    const struct group *g = &c->engine->group;
    int64_t port, epoch;
    bool is_known;

    if (!call_int(c, 3, &port) || !call_int(c, 4, &epoch)) {
        return;
    }
    is_known = g->told.port != 0 && port == g->told.port &&
               bytes_equal(c->argv[2], bytes_of(g->told.host));
    reply_array(c, 3);
    reply_int(c, is_known && g->alone_ms > 0);
    reply_string(c, "*");
    reply_int(c, 0);
}

static void sentinel_myid(struct call *c)
{
    char name[MEMBER_NAME + 1];

    c->session->is_sentinel_client = true;
    group_name(c->engine->group.self, name);
    reply_string(c, name);
}

static void sentinel_pending_scripts(struct call *c)
{
    reply_array(c, 0);
}

/* Nothing that others tell of themselves is kept. */
static void sentinel_info_cache(struct call *c)
{
    bool is_asked = false;

    for (size_t i = 2; i < c->argc; i++) {
        is_asked |= is_name(c, c->argv[i]);
    }
    reply_array(c, is_asked ? 2 : 0);
    if (is_asked) {
        reply_bytes(c, buf_bytes(&c->engine->settings.sentinel_name));
        reply_array(c, 1);
        reply_array(c, 2);
        reply_int(c, 0);
        reply_nil(c);
    }
}

/* There is nothing to forget. */
static void sentinel_reset(struct call *c)
{
    struct bytes name = buf_bytes(&c->engine->settings.sentinel_name);

    reply_int(c, glob_match(c->argv[2], name));
}

static void sentinel_failover(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (!read_name(c)) {
        return;
    }
    if (nodes.voters < 2 && !call_has_waited(c)) {
        call_fail(c, "NOGOODSLAVE No suitable replica to promote");
        return;
    }
    call_operate(c, (struct operation){.kind = OPERATION_TRANSFER});
}

/* clang-format off */
#define IS .group = "sentinel"

enum { ASKED = COMMAND_ADMIN };

static const struct command subcommands[] = {
    {.name = "ckquorum",                .arity = 3,  .flags = ASKED, .run = sentinel_ckquorum, IS, .since = "2.8.4", .complexity = "O(N) with N servers", .summary = "Tells whether a majority of the group can be reached", .syntax = "master-name"},
    {.name = "failover",                .arity = 3,  .flags = ASKED | COMMAND_NOSCRIPT | COMMAND_NO_MULTI, .run = sentinel_failover, IS, .since = "2.8.4", .complexity = "O(1)", .summary = "Makes another server the leader, as RAFT TRANSFER does", .syntax = "master-name"},
    {.name = "get-master-addr-by-name", .arity = 3,  .flags = ASKED, .run = sentinel_get_master_addr, IS, .since = "2.8.4", .complexity = "O(N) with N servers", .summary = "Returns where the leader is", .syntax = "master-name"},
    {.name = "help",                    .arity = 2,  .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, IS, .since = "6.2.0", .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "info-cache",              .arity = -3, .flags = ASKED, .run = sentinel_info_cache, IS, .since = "3.2.0", .complexity = "O(1)", .summary = "Would return what the servers have last told of themselves, which is not kept", .syntax = "master-name [master-name ...]"},
    {.name = "is-master-down-by-addr",  .arity = 6,  .flags = ASKED, .run = sentinel_is_master_down, IS, .since = "2.8.4", .complexity = "O(1)", .summary = "Tells whether the last leader at this address is known no more", .syntax = "ip port current-epoch runid"},
    {.name = "master",                  .arity = 3,  .flags = ASKED, .run = sentinel_master, IS, .since = "2.8.4", .complexity = "O(N) with N servers", .summary = "Describes the leader", .syntax = "master-name"},
    {.name = "masters",                 .arity = 2,  .flags = ASKED, .run = sentinel_masters, IS, .since = "2.8.4", .complexity = "O(N) with N servers", .summary = "Describes the leader, in a list", .syntax = ""},
    {.name = "myid",                    .arity = 2,  .flags = ASKED, .run = sentinel_myid, IS, .since = "6.2.0", .complexity = "O(1)", .summary = "Returns the name of this server as a Sentinel", .syntax = ""},
    {.name = "pending-scripts",         .arity = 2,  .flags = ASKED, .run = sentinel_pending_scripts, IS, .since = "2.8.4", .complexity = "O(1)", .summary = "Returns an empty list: no scripts are told of a failover", .syntax = ""},
    {.name = "replicas",                .arity = 3,  .flags = ASKED, .run = sentinel_replicas, IS, .since = "5.0.0", .complexity = "O(N) with N servers", .summary = "Describes the servers that follow", .syntax = "master-name"},
    {.name = "reset",                   .arity = 3,  .flags = ASKED, .run = sentinel_reset, IS, .since = "2.8.4", .complexity = "O(1)", .summary = "Tells whether the group's name matches: there is nothing to forget", .syntax = "pattern"},
    {.name = "sentinels",               .arity = 3,  .flags = ASKED, .run = sentinel_sentinels, IS, .since = "2.8.4", .complexity = "O(N) with N servers", .summary = "Describes the other servers, as Sentinels", .syntax = "master-name"},
    {.name = "slaves",                  .arity = 3,  .flags = ASKED, .run = sentinel_replicas, IS, .since = "2.8.0", .complexity = "O(N) with N servers", .summary = "Describes the servers that follow, by an older name", .syntax = "master-name"},
    {0},
};

const struct command sentinel_commands[] = {
    {.name = "sentinel", .arity = -2, .flags = COMMAND_ADMIN, .subcommands = subcommands, IS, .since = "2.8.4", .complexity = "Depends on the subcommand", .summary = "Tells clients of Sentinels where the leader is", .syntax = ""},
    {0},
};
/* clang-format on */
