/* CLUSTER: the group as a cluster of one shard, which has all slots. The leader is its
 * master, the others are replicas. Without cluster-enabled, all say that there is none. */
#include "base/number.h"
#include "command/families.h"
#include "command/nodes.h"
#include "engine/slot.h"

#include <inttypes.h>

/* Returns false, having failed the call, if there is no cluster. */
static bool is_enabled(struct call *c)
{
    if (!c->engine->settings.cluster_enabled) {
        call_fail(c, "ERR This instance has cluster support disabled");
        return false;
    }
    return true;
}

/* What belongs to clusters of several shards, or of servers that vote by themselves. */
static void refuse(struct call *c)
{
    if (is_enabled(c)) {
        call_fail(c, "ERR This cluster is a group of servers with one log: see RAFT");
    }
}

/* Descriptions. */

static void reply_node_of_slots(struct call *c, const struct node *n)
{
    reply_array(c, 4);
    reply_string(c, n->host);
    reply_int(c, n->port);
    reply_string(c, n->name);
    reply_array(c, 0);
}

static void cluster_slots(struct call *c)
{
    NODES_LOCAL(nodes, c);
    size_t place;
    size_t count = 3;

    if (!is_enabled(c)) {
        return;
    }
    if (nodes.leader == NULL) {
        reply_array(c, 0);
        return;
    }
    reply_array(c, 1);
    place = reply_late(c);
    reply_int(c, 0);
    reply_int(c, SLOTS - 1);
    reply_node_of_slots(c, nodes.leader);
    for (size_t i = 0; i < nodes.count; i++) {
        if (!nodes.node[i].leads && nodes.node[i].is_up) {
            reply_node_of_slots(c, &nodes.node[i]);
            count++;
        }
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void reply_node_of_shard(struct call *c, const struct node *n)
{
    reply_map(c, 7);
    reply_string(c, "id");
    reply_string(c, n->name);
    reply_string(c, "port");
    reply_int(c, n->port);
    reply_string(c, "ip");
    reply_string(c, n->host);
    reply_string(c, "endpoint");
    reply_string(c, n->host);
    reply_string(c, "role");
    reply_string(c, n->leads ? "master" : "replica");
    reply_string(c, "replication-offset");
    reply_int(c, (int64_t)n->offset);
    reply_string(c, "health");
    reply_string(c, n->is_up ? "online" : "fail");
}

static void cluster_shards(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (!is_enabled(c)) {
        return;
    }
    reply_array(c, 1);
    reply_map(c, 2);
    reply_string(c, "slots");
    reply_array(c, 2);
    reply_int(c, 0);
    reply_int(c, SLOTS - 1);
    reply_string(c, "nodes");
    reply_array(c, nodes.count);
    for (size_t i = 0; i < nodes.count; i++) {
        reply_node_of_shard(c, &nodes.node[i]);
    }
}

/* Appends the line of CLUSTER NODES, without a line feed. */
static void add_node(const struct call *c, const struct nodes *nodes, const struct node *n,
                     struct buf *out)
{
    const char *master = nodes->leader != NULL ? nodes->leader->name : "-";

    buf_addf(out, "%s %s:%d@%d %s%s%s %s 0 %" PRId64 " %" PRIu64 " %s%s", n->name, n->host, n->port,
             n->peer_port, n->is_self ? "myself," : "", n->leads ? "master" : "slave",
             n->is_up ? "" : ",fail", n->leads ? "-" : master,
             n->is_self ? 0 : c->now_ms - n->silent_ms, c->engine->group.term,
             n->is_up ? "connected" : "disconnected", n->leads ? " 0-16383" : "");
}

static void cluster_nodes(struct call *c)
{
    NODES_LOCAL(nodes, c);
    BUF_LOCAL(text);

    if (!is_enabled(c)) {
        return;
    }
    for (size_t i = 0; i < nodes.count; i++) {
        add_node(c, &nodes, &nodes.node[i], &text);
        buf_add_byte(&text, '\n');
    }
    reply_verbatim(c, "txt", buf_bytes(&text));
}

/* Finds the node that argument 2 names. Returns NULL, having failed the call, if there is
 * none. */
static const struct node *find_node(struct call *c, const struct nodes *nodes)
{
    struct bytes name = c->argv[2];

    for (size_t i = 0; i < nodes->count; i++) {
        if (bytes_equal(name, bytes_of(nodes->node[i].name))) {
            return &nodes->node[i];
        }
    }
    call_fail(c, "ERR Unknown node %.*s", name.len < 128 ? (int)name.len : 128, name.at);
    return NULL;
}

static void cluster_replicas(struct call *c)
{
    NODES_LOCAL(nodes, c);
    const struct node *master;
    BUF_LOCAL(line);

    if (!is_enabled(c) || (master = find_node(c, &nodes)) == NULL) {
        return;
    }
    if (!master->leads) {
        call_fail(c, "ERR The specified node is not a master");
        return;
    }
    reply_array(c, nodes_replicas(&nodes));
    for (size_t i = 0; i < nodes.count; i++) {
        if (!nodes.node[i].leads) {
            line.len = 0;
            add_node(c, &nodes, &nodes.node[i], &line);
            reply_bytes(c, buf_bytes(&line));
        }
    }
}

static void cluster_count_failure_reports(struct call *c)
{
    NODES_LOCAL(nodes, c);

    if (is_enabled(c) && find_node(c, &nodes) != NULL) {
        reply_int(c, 0);
    }
}

static void cluster_info(struct call *c)
{
    NODES_LOCAL(nodes, c);
    unsigned served = nodes.leader != NULL ? SLOTS : 0;
    uint64_t epoch = c->engine->group.term;
    BUF_LOCAL(text);

    if (!is_enabled(c)) {
        return;
    }
    buf_addf(&text, "cluster_state:%s\r\ncluster_slots_assigned:%d\r\ncluster_slots_ok:%u\r\n",
             served > 0 ? "ok" : "fail", SLOTS, served);
    buf_addf(&text, "cluster_slots_pfail:0\r\ncluster_slots_fail:%u\r\n", SLOTS - served);
    buf_addf(&text, "cluster_known_nodes:%zu\r\ncluster_size:1\r\n", nodes.count);
    buf_addf(&text, "cluster_current_epoch:%" PRIu64 "\r\ncluster_my_epoch:%" PRIu64 "\r\n", epoch,
             epoch);
    buf_addf(&text, "cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
                    "total_cluster_links_buffer_limit_exceeded:0\r\n");
    reply_verbatim(c, "txt", buf_bytes(&text));
}

static void cluster_myid(struct call *c)
{
    char name[MEMBER_NAME + 1];

    if (is_enabled(c)) {
        group_name(c->engine->group.self, name);
        reply_string(c, name);
    }
}

/* Servers speak to each other by the log only. */
static void cluster_links(struct call *c)
{
    if (is_enabled(c)) {
        reply_array(c, 0);
    }
}

/* Slots. */

static void cluster_keyslot(struct call *c)
{
    if (is_enabled(c)) {
        reply_int(c, slot_of(c->argv[2]));
    }
}

/* Reads argument 2 as a slot. */
static bool read_slot(struct call *c, unsigned *slot)
{
    int64_t number;

    if (!is_enabled(c) || !call_int(c, 2, &number)) {
        return false;
    }
    if (number < 0 || number >= SLOTS) {
        call_fail(c, "ERR Invalid slot");
        return false;
    }
    *slot = (unsigned)number;
    return true;
}

/* Returns the next value whose key is in a slot. */
static const struct value *next_in_slot(const struct keyspace *keys, struct table_walk *walk,
                                        unsigned slot)
{
    const struct value *v;

    do {
        v = keyspace_next(keys, walk);
    } while (v != NULL && slot_of(value_key(v)) != slot);
    return v;
}

static void cluster_countkeysinslot(struct call *c)
{
    struct table_walk walk = {0};
    int64_t count = 0;
    unsigned slot;

    if (!read_slot(c, &slot)) {
        return;
    }
    while (next_in_slot(c->keys, &walk, slot) != NULL) {
        count++;
    }
    reply_int(c, count);
}

static void cluster_getkeysinslot(struct call *c)
{
    struct table_walk walk = {0};
    const struct value *v;
    int64_t most;
    size_t count = 0;
    size_t place;
    unsigned slot;

    if (!is_enabled(c) || !call_int(c, 3, &most) || !read_slot(c, &slot)) {
        return;
    }
    if (most < 0) {
        call_fail(c, "ERR Invalid slot or number of keys");
        return;
    }
    place = reply_late(c);
    while ((int64_t)count < most && (v = next_in_slot(c->keys, &walk, slot)) != NULL) {
        reply_bytes(c, value_key(v));
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

/* What a connection says of its reads. A server of a group can be told so without a
 * cluster as well. */

static void set_consistency(struct call *c, enum consistency consistency)
{
    if (c->engine->group.exists || is_enabled(c)) {
        c->session->consistency = consistency;
        reply_ok(c);
    }
}

static void read_only(struct call *c)
{
    set_consistency(c, CONSISTENCY_ANY);
}

static void read_write(struct call *c)
{
    set_consistency(c, CONSISTENCY_DEFAULT);
}

/* No slot ever moves. */
static void asking(struct call *c)
{
    if (is_enabled(c)) {
        reply_ok(c);
    }
}

/* clang-format off */
#define RUNS(handler) .run = (handler), .group = "cluster"

enum {
    STALE = COMMAND_STALE,
    ADMIN = COMMAND_ADMIN | STALE,
    SYNCED = COMMAND_NO_ASYNC_LOADING,
};

static const struct command subcommands[] = {
    {.name = "addslots", .arity = -3, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Assigns slots to this node", .syntax = "slot [slot ...]"},
    {.name = "addslotsrange", .arity = -4, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "7.0.0", .summary = "Assigns ranges of slots to this node", .syntax = "start-slot end-slot [start-slot end-slot ...]"},
    {.name = "bumpepoch", .arity = 2, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Begins a new epoch", .syntax = ""},
    {.name = "count-failure-reports", .arity = 3, .flags = ADMIN, RUNS(cluster_count_failure_reports), .complexity = "O(N) with N servers", .since = "3.0.0", .summary = "Counts the reports that a node has failed", .syntax = "node-id"},
    {.name = "countkeysinslot", .arity = 3, .flags = STALE, RUNS(cluster_countkeysinslot), .complexity = "O(N) with N keys", .since = "3.0.0", .summary = "Counts the keys in a slot", .syntax = "slot"},
    {.name = "delslots", .arity = -3, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Takes slots from this node", .syntax = "slot [slot ...]"},
    {.name = "delslotsrange", .arity = -4, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "7.0.0", .summary = "Takes ranges of slots from this node", .syntax = "start-slot end-slot [start-slot end-slot ...]"},
    {.name = "failover", .arity = -2, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Has a replica take the place of its master", .syntax = "[FORCE | TAKEOVER]"},
    {.name = "flushslots", .arity = 2, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Takes all slots from this node", .syntax = ""},
    {.name = "forget", .arity = 3, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Removes a node from the table of nodes", .syntax = "node-id"},
    {.name = "getkeysinslot", .arity = 4, .flags = STALE, RUNS(cluster_getkeysinslot), .complexity = "O(N) with N keys", .since = "3.0.0", .summary = "Returns keys in a slot", .syntax = "slot count"},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | STALE, .run = reply_help, .group = "cluster", .complexity = "O(1)", .since = "5.0.0", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "info", .arity = 2, .flags = STALE, RUNS(cluster_info), .complexity = "O(N) with N servers", .since = "3.0.0", .summary = "Describes the state of the cluster", .syntax = ""},
    {.name = "keyslot", .arity = 3, .flags = STALE, RUNS(cluster_keyslot), .complexity = "O(1)", .since = "3.0.0", .summary = "Returns the slot of a key", .syntax = "key"},
    {.name = "links", .arity = 2, .flags = STALE, RUNS(cluster_links), .complexity = "O(1)", .since = "7.0.0", .summary = "Lists the connections between nodes", .syntax = ""},
    {.name = "meet", .arity = -4, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Makes this node known to another", .syntax = "ip port [cluster-bus-port]"},
    {.name = "myid", .arity = 2, .flags = STALE, RUNS(cluster_myid), .complexity = "O(1)", .since = "3.0.0", .summary = "Returns the name of this node", .syntax = ""},
    {.name = "nodes", .arity = 2, .flags = STALE, RUNS(cluster_nodes), .complexity = "O(N) with N servers", .since = "3.0.0", .summary = "Describes the nodes as text", .syntax = ""},
    {.name = "replicas", .arity = 3, .flags = ADMIN, RUNS(cluster_replicas), .complexity = "O(N) with N servers", .since = "5.0.0", .summary = "Lists the replicas of a node", .syntax = "node-id"},
    {.name = "replicate", .arity = 3, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Makes this node a replica of another", .syntax = "node-id"},
    {.name = "reset", .arity = -2, .flags = ADMIN | COMMAND_NOSCRIPT, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Forgets the cluster", .syntax = "[HARD | SOFT]"},
    {.name = "saveconfig", .arity = 2, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Writes the table of nodes to its file", .syntax = ""},
    {.name = "set-config-epoch", .arity = 3, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Sets the epoch of a new node", .syntax = "config-epoch"},
    {.name = "setslot", .arity = -4, .flags = ADMIN | SYNCED, RUNS(refuse), .complexity = "O(1)", .since = "3.0.0", .summary = "Says whose a slot is", .syntax = "slot IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE"},
    {.name = "shards", .arity = 2, .flags = STALE, RUNS(cluster_shards), .complexity = "O(N) with N servers", .since = "7.0.0", .summary = "Tells which nodes serve which slots", .syntax = ""},
    {.name = "slaves", .arity = 3, .flags = ADMIN, RUNS(cluster_replicas), .complexity = "O(N) with N servers", .since = "3.0.0", .summary = "Lists the replicas of a node, by an older name", .syntax = "node-id"},
    {.name = "slots", .arity = 2, .flags = STALE, RUNS(cluster_slots), .complexity = "O(N) with N servers", .since = "3.0.0", .summary = "Tells which nodes serve which slots, in an older form", .syntax = ""},
    {0},
};

const struct command cluster_commands[] = {
    {.name = "asking",    .arity = 1,  .flags = COMMAND_FAST, RUNS(asking), .complexity = "O(1)", .since = "3.0.0", .summary = "Allows one request to a slot that is moving here", .syntax = ""},
    {.name = "cluster",   .arity = -2, .subcommands = subcommands, .group = "cluster", .since = "3.0.0", .complexity = "Depends on the subcommand", .summary = "Describes the cluster, if there is one", .syntax = ""},
    {.name = "readonly",  .arity = 1,  .flags = COMMAND_FAST | COMMAND_LOADING | STALE, RUNS(read_only), .complexity = "O(1)", .since = "3.0.0", .summary = "Allows reads of a replica", .syntax = ""},
    {.name = "readwrite", .arity = 1,  .flags = COMMAND_FAST | COMMAND_LOADING | STALE, RUNS(read_write), .complexity = "O(1)", .since = "3.0.0", .summary = "Ends what READONLY has begun", .syntax = ""},
    {0},
};
/* clang-format on */
