/* What clients ask of a server that has replicas, or is one. */
#include "base/number.h"
#include "command/families.h"
#include "engine/call.h"

#include <inttypes.h>

static void reply_replica(struct call *c, const struct member *m)
{
    reply_array(c, 3);
    reply_string(c, m->host);
    reply_format(c, "%d", m->port);
    reply_format(c, "%" PRIu64, m->stored_index);
}

static void reply_master_role(struct call *c)
{
    const struct group *g = &c->engine->group;
    size_t count = 0;
    size_t place;

    reply_array(c, 3);
    reply_string(c, "master");
    reply_int(c, (int64_t)group_offset(g));
    place = reply_late(c);
    for (size_t i = 0; i < g->count; i++) {
        const struct member *m = &g->members[i];
        if (group_is_online(g, m, c->now_ms)) {
            reply_replica(c, m);
            count++;
        }
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void role(struct call *c)
{
    const struct group *g = &c->engine->group;
    const struct member *leader = group_leader(g);

    if (group_leads(g)) {
        reply_master_role(c);
        return;
    }
    reply_array(c, 5);
    reply_string(c, "slave");
    reply_string(c, leader != NULL ? leader->host : g->told.host);
    reply_int(c, leader != NULL ? leader->port : g->told.port);
    reply_string(c, leader != NULL ? "connected" : "connect");
    reply_int(c, (int64_t)group_offset(g));
}

/* Waiting for others to have what was written. */

static bool read_timeout(struct call *c, size_t arg, int64_t *timeout_ms)
{
    if (!number_parse_int(c->argv[arg], timeout_ms)) {
        call_fail(c, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (*timeout_ms < 0 || *timeout_ms > INT64_MAX - c->now_ms) {
        call_fail(c, "ERR timeout is %s", *timeout_ms < 0 ? "negative" : "out of range");
        return false;
    }
    return true;
}

/* Waits for progress. Returns false if the call may not wait any longer. What the session
 * has written need not gather for the log any further. */
static bool waits_on(struct call *c, int64_t timeout_ms)
{
    struct commit *commit = &c->engine->commit;

    if (!call_block(c, &(struct block){.progress = true, .timeout_ms = timeout_ms})) {
        return false;
    }
    commit->wants_barrier |= commit->ops != NULL && c->session->last_write_seq > commit->sealed;
    return true;
}

static void wait_for_replicas(struct call *c)
{
    int64_t replicas, timeout_ms;
    int64_t have;

    if (!group_leads(&c->engine->group)) {
        call_fail(c, "ERR WAIT cannot be used with replica instances. Please also note that since "
                     "Redis 4.0 if a replica is configured to be writable (which is not the "
                     "default) writes to replicas are just local and are not propagated.");
        return;
    }
    if (!call_int(c, 1, &replicas) || !read_timeout(c, 2, &timeout_ms)) {
        return;
    }
    have = (int64_t)group_stored_by(c->engine, c->session->last_write_seq, false);
    if (have >= replicas || !waits_on(c, timeout_ms)) {
        reply_int(c, have);
    }
}

static bool read_waitaof(struct call *c, int64_t *local, int64_t *replicas, int64_t *timeout_ms)
{
    if (!call_int_between(c, 1, 0, 1, local) || !call_int(c, 2, replicas)) {
        return false;
    }
    if (*replicas < 0) {
        call_fail(c, "ERR value is out of range, must be positive");
        return false;
    }
    return read_timeout(c, 3, timeout_ms);
}

static void wait_for_disks(struct call *c)
{
    const struct group *g = &c->engine->group;
    int64_t local, replicas, timeout_ms;
    int64_t have_local, have;

    if (!read_waitaof(c, &local, &replicas, &timeout_ms)) {
        return;
    }
    if (!group_leads(g)) {
        call_fail(c, "ERR WAITAOF cannot be used with replica instances. Please also note that "
                     "writes to replicas are just local and are not propagated.");
        return;
    }
    if (local > 0 && !g->exists) {
        call_fail(c, "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
        return;
    }
    have = (int64_t)group_stored_by(c->engine, c->session->last_write_seq, false);
    have_local = g->exists && g->stored_seq >= c->session->last_write_seq;
    if ((have >= replicas && have_local >= local) || !waits_on(c, timeout_ms)) {
        reply_array(c, 2);
        reply_int(c, have_local);
        reply_int(c, have);
    }
}

/* clang-format off */
enum { ANY_TIME = COMMAND_LOADING | COMMAND_STALE };

const struct command replication_commands[] = {
    {.name = "role",    .arity = 1, .flags = ANY_TIME | COMMAND_NOSCRIPT | COMMAND_FAST, .run = role, .group = "server", .since = "2.8.12", .complexity = "O(N) with N servers", .summary = "Tells whether this server leads its group, and who else is there", .syntax = ""},
    {.name = "wait",    .arity = 3, .flags = COMMAND_NOSCRIPT, .run = wait_for_replicas, .group = "generic", .since = "3.0.0", .complexity = "O(N) with N servers", .summary = "Waits until so many other servers have on disk what this connection has written, or for a time, and returns how many have", .syntax = "numreplicas timeout"},
    {.name = "waitaof", .arity = 4, .flags = COMMAND_NOSCRIPT, .run = wait_for_disks, .group = "generic", .since = "7.2.0", .complexity = "O(N) with N servers", .summary = "Waits until this server and so many others have on disk what this connection has written, or for a time, and returns whether this one and how many of the others have", .syntax = "numlocal numreplicas timeout"},
    {0},
};
/* clang-format on */
