#include "engine/group_info.h"

#include "base/histogram.h"
#include "engine/engine.h"

#include <inttypes.h>

/* Replication, as Redis would tell of it. */

static void add_replicas(const struct engine *e, struct buf *out)
{
    const struct group *g = &e->group;
    int64_t now_ms = logtime_ms(&e->time);
    BUF_LOCAL(lines);
    unsigned count = 0;

    for (size_t i = 0; i < g->count; i++) {
        const struct member *m = &g->members[i];
        if (group_is_online(g, m, now_ms)) {
            buf_addf(&lines,
                     "slave%u:ip=%s,port=%d,state=online,offset=%" PRIu64 ",lag=%" PRId64 "\r\n",
                     count++, m->host, m->port, m->stored_index, (now_ms - m->heard_ms) / 1000);
        }
    }
    buf_addf(out, "connected_slaves:%u\r\n", count);
    if (group_leads(g) && e->settings.min_replicas > 0 && e->settings.min_replicas_lag_s > 0) {
        buf_addf(out, "min_slaves_good_slaves:%zu\r\n",
                 group_good_replicas(g, now_ms, e->settings.min_replicas_lag_s));
    }
    buf_add(out, buf_bytes(&lines));
}

/* Seconds since the leader spoke; the one that is known counts as speaking. */
static int64_t silence_s(const struct engine *e, const struct member *leader)
{
    if (leader == NULL) {
        return -1;
    }
    return leader->heard_ms > 0 ? (logtime_ms(&e->time) - leader->heard_ms) / 1000 : 0;
}

static void add_master(const struct engine *e, struct buf *out)
{
    const struct group *g = &e->group;
    const struct member *leader = group_leader(g);

    buf_addf(out, "master_host:%s\r\nmaster_port:%d\r\nmaster_link_status:%s\r\n",
             leader != NULL ? leader->host : g->told.host,
             leader != NULL ? leader->port : g->told.port, leader != NULL ? "up" : "down");
    buf_addf(out,
             "master_last_io_seconds_ago:%" PRId64 "\r\nmaster_sync_in_progress:0\r\n"
             "slave_read_repl_offset:%" PRIu64 "\r\nslave_repl_offset:%" PRIu64 "\r\n",
             silence_s(e, leader), g->stored_index, g->stored_index);
    if (leader == NULL) {
        buf_addf(out, "master_link_down_since_seconds:%" PRId64 "\r\n",
                 g->alone_ms > 0 ? (logtime_ms(&e->time) - g->alone_ms) / 1000 : -1);
    }
    buf_addf(out, "slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n");
}

void group_add_replication(const struct engine *e, const char *own_id, struct buf *out)
{
    const struct group *g = &e->group;
    uint64_t offset = group_offset(g);

    buf_addf(out, "role:%s\r\n", group_leads(g) ? "master" : "slave");
    if (!group_leads(g)) {
        add_master(e, out);
    }
    add_replicas(e, out);
    buf_addf(out, "master_failover_state:no-failover\r\nmaster_replid:%s\r\n",
             g->id[0] != '\0' ? g->id : own_id);
    buf_addf(out, "master_replid2:%040d\r\nmaster_repl_offset:%" PRIu64 "\r\n", 0, offset);
    buf_addf(out, "second_repl_offset:-1\r\nrepl_backlog_active:%d\r\nrepl_backlog_size:0\r\n",
             g->exists);
    buf_addf(out, "repl_backlog_first_byte_offset:%" PRIu64 "\r\n",
             g->exists ? g->snapshot_index + 1 : 0);
    buf_addf(out, "repl_backlog_histlen:%" PRIu64 "\r\n",
             g->last_index > g->snapshot_index ? g->last_index - g->snapshot_index : 0);
}

/* The group as it is. */

static const char *const group_roles[] = {
    [GROUP_LEADER] = "leader",
    [GROUP_FOLLOWER] = "follower",
    [GROUP_CANDIDATE] = "candidate",
    [GROUP_LOADING] = "loading",
};

static const char *const member_roles[] = {
    [MEMBER_VOTER] = "voter",
    [MEMBER_STANDBY] = "standby",
    [MEMBER_SPARE] = "spare",
};

static void add_indexes(const struct group *g, struct buf *out)
{
    buf_addf(out, "raft_last_index:%" PRIu64 "\r\nraft_stored_index:%" PRIu64 "\r\n", g->last_index,
             g->stored_index);
    buf_addf(out, "raft_commit_index:%" PRIu64 "\r\nraft_applied_index:%" PRIu64 "\r\n",
             g->commit_index, g->applied_index);
    buf_addf(out, "raft_snapshot_index:%" PRIu64 "\r\n", g->snapshot_index);
}

/* The log as it is written. */

static void add_disk_writes(const struct log_writes *w, struct buf *out)
{
    uint64_t total = 0;

    for (size_t i = 0; i < LOG_WRITE_BUCKETS; i++) {
        total += w->count[i];
    }
    buf_addf(out, "raft_disk_writes:%" PRIu64 "\r\nraft_disk_write_us:%" PRIu64 "\r\n", total,
             w->us);
    buf_addf(out, "raft_disk_write_histogram_us:");
    for (size_t i = 0; i < LOG_WRITE_BUCKETS - 1; i++) {
        buf_addf(out, "%u=%" PRIu64 ",", log_write_limits_us[i], w->count[i]);
    }
    buf_addf(out, "more=%" PRIu64 "\r\n", w->count[LOG_WRITE_BUCKETS - 1]);
}

static double percentile_us(const struct commit *c, double percent)
{
    return c->latency != NULL ? (double)histogram_percentile(c->latency, percent) / 1000 : 0;
}

static void add_entries(const struct commit *c, struct buf *out)
{
    buf_addf(out, "raft_entries:%" PRIu64 "\r\nraft_entry_bytes:%" PRIu64 "\r\n", c->entries,
             c->bytes);
    buf_addf(out, "raft_entry_bytes_mean:%" PRIu64 "\r\n",
             c->entries > 0 ? c->bytes / c->entries : 0);
    buf_addf(out, "raft_entry_requests:%" PRIu64 "\r\nraft_entry_requests_mean:%.2f\r\n",
             c->requests, c->entries > 0 ? (double)c->requests / (double)c->entries : 0);
    buf_addf(out, "raft_commit_latency_us:p50=%.0f,p99=%.0f,p99.9=%.0f,max=%.0f\r\n",
             percentile_us(c, 50), percentile_us(c, 99), percentile_us(c, 99.9),
             percentile_us(c, 100));
}

/* Replies that wait for an entry. */
static void add_held(const struct engine *e, struct buf *out)
{
    size_t clients = 0, bytes = 0;

    for (const struct session *s = e->sessions; s != NULL; s = s->next) {
        size_t held = s->out.len - commit_released(s);

        clients += held > 0;
        bytes += held;
    }
    buf_addf(out, "raft_held_clients:%zu\r\nraft_held_bytes:%zu\r\n", clients, bytes);
}

/* How many entries a member lacks, and how long ago it answered: -1 where this server
 * cannot know. */
static void add_peer(const struct engine *e, const struct member *m, unsigned number,
                     struct buf *out)
{
    const struct group *g = &e->group;
    bool knows = group_leads(g) && m->role != MEMBER_SPARE && m->heard_ms > 0;
    uint64_t behind = g->last_index > m->stored_index ? g->last_index - m->stored_index : 0;

    buf_addf(out, "raft_peer%u:id=%" PRIu64 ",addr=", number, m->id);
    member_add_address(m, out);
    buf_addf(out, ",peer_port=%d,role=%s,", m->peer_port, member_roles[m->role]);
    buf_addf(out, "stored=%" PRIu64 ",lag=%" PRId64 ",heard_ms=%" PRId64 "\r\n", m->stored_index,
             knows ? (int64_t)behind : -1, knows ? logtime_ms(&e->time) - m->heard_ms : -1);
}

void group_add_raft(const struct engine *e, struct buf *out)
{
    const struct group *g = &e->group;
    const struct member *leader = group_leader(g);
    unsigned peers = 0;

    buf_addf(out, "raft_enabled:%d\r\n", g->exists);
    if (!g->exists) {
        return;
    }
    buf_addf(out, "raft_role:%s\r\nraft_term:%" PRIu64 "\r\nraft_node_id:%" PRIu64 "\r\n",
             group_roles[g->role], g->term, g->self);
    buf_addf(out, "raft_leader_id:%" PRIu64 "\r\nraft_leader:", g->leader);
    if (leader != NULL) {
        member_add_address(leader, out);
    }
    buf_addf(out, "\r\n");
    add_indexes(g, out);
    buf_addf(out, "raft_voters:%zu\r\nraft_elections:%" PRIu64 "\r\n", group_voters(g),
             g->elections);
    for (size_t i = 0; i < g->count; i++) {
        if (g->members[i].id != g->self) {
            add_peer(e, &g->members[i], peers++, out);
        }
    }
}

void group_add_log(const struct engine *e, struct buf *out)
{
    if (e->group.exists) {
        add_entries(&e->commit, out);
        add_disk_writes(&e->group.writes, out);
        add_held(e, out);
    }
}
