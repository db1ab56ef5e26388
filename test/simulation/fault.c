#include "test/simulation/fault.h"

#include "test/simulation/server.h"
#include "test/simulation/wire.h"

struct fault {
    const char *name;
    unsigned weight;
    void (*happen)(void);
};

static int64_t mean_us; /* Between two of them. */
static bool are_over;

static struct server *any(void)
{
    return &servers[chance(server_count)];
}

/* Trouble is where the leader is. */
static struct server *leader_or_any(void)
{
    for (unsigned i = 0; i < server_count && !one_in(3); i++) {
        if (server_leads(&servers[i])) {
            return &servers[i];
        }
    }
    return any();
}

/* Processes. */

static void start(void *context)
{
    struct server *s = context;

    if (!s->is_up) {
        server_start(s);
    }
}

static void start_in(struct server *s, int64_t mean_down_us)
{
    world_post(around(mean_down_us), NULL, EXECUTOR, start, NULL, s);
}

static void crash(void *context)
{
    struct server *s = context;

    if (s->is_up && !are_over) {
        server_crash(s);
        start_in(s, one_in(3) ? 3 * SECOND : 200 * MS);
    }
}

static void crash_one(void)
{
    crash(leader_or_any());
}

static void crash_all(void)
{
    for (unsigned i = 0; i < server_count; i++) {
        world_post((int64_t)chance(one_in(2) ? 1 : 50 * MS), NULL, EXECUTOR, crash, NULL,
                   &servers[i]);
    }
}

/* A leader that has told some, and not others, and then nobody. */
static void crash_cut_off(void)
{
    struct server *s = leader_or_any();

    for (unsigned i = 1; i <= server_count; i++) {
        if (i != s->number && one_in(2)) {
            wire_cut(s->number, i);
        }
    }
    world_post((int64_t)chance(400 * MS), NULL, EXECUTOR, crash, NULL, s);
}

static void stop_one(void)
{
    struct server *s = leader_or_any();

    server_stop(s);
    if (!s->is_up) {
        start_in(s, SECOND);
    }
}

static void pause_process(void)
{
    struct server *s = leader_or_any();
    int64_t us = around(one_in(2) ? 100 * MS : 2 * SECOND);

    world.totals.pauses++;
    trace(s, "is paused for %lld ms", (long long)us / MS);
    server_stand(s, EXECUTOR, us);
    server_stand(s, LOG_THREAD, us);
}

/* A script that takes its time. */
static void pause_executor(void)
{
    struct server *s = leader_or_any();

    world.totals.pauses++;
    server_stand(s, EXECUTOR, around(one_in(4) ? 10 * SECOND : 500 * MS));
}

static void pause_log_thread(void)
{
    world.totals.pauses++;
    server_stand(leader_or_any(), LOG_THREAD, around(300 * MS));
}

/* The network. */

static void cut_one_way(void)
{
    world.totals.partitions++;
    wire_cut(leader_or_any()->number, any()->number);
}

static void isolate(void)
{
    struct server *s = leader_or_any();
    bool both = !one_in(4);

    trace(s, "is cut off");
    world.totals.partitions++;
    for (unsigned i = 1; i <= server_count; i++) {
        wire_cut(s->number, i);
        if (both) {
            wire_cut(i, s->number);
        }
    }
}

static void split(void)
{
    uint64_t side = chance(UINT64_C(1) << server_count);

    world.totals.partitions++;
    trace(NULL, "the network is split");
    for (unsigned i = 0; i < server_count; i++) {
        for (unsigned j = 0; j < server_count; j++) {
            if (((side >> i) ^ (side >> j)) & 1) {
                wire_cut(i + 1, j + 1);
            }
        }
    }
}

/* Everyone reaches its neighbours only. */
static void ring(void)
{
    world.totals.partitions++;
    for (unsigned i = 0; i < server_count; i++) {
        for (unsigned j = 0; j < server_count; j++) {
            unsigned apart = (i + server_count - j) % server_count;
            if (apart > 1 && apart < server_count - 1) {
                wire_cut(i + 1, j + 1);
            }
        }
    }
}

static void heal(void)
{
    trace(NULL, "the network is whole");
    wire_heal();
}

static void break_connection(void)
{
    world.totals.breaks++;
    wire_break(any()->number, any()->number);
}

static void lose(void)
{
    wire_lose(one_in(2) ? 0 : (unsigned)chance(50));
}

static void slow_network(void)
{
    wire_set(any()->number, 1 + (int64_t)chance(one_in(3) ? 200 * MS : 20 * MS));
}

static void fail_fetches(void)
{
    wire_fail_fetches(one_in(2) ? 0 : (unsigned)chance(90));
}

/* Disks. */

static void slow_disk(void)
{
    leader_or_any()->disk.latency_us = 1 + (int64_t)chance(one_in(3) ? 500 * MS : 10 * MS);
}

static void empty_disk(void *context)
{
    struct server *s = context;

    trace(s, "has room on its disk");
    s->disk.is_full = false;
}

static void fill_disk(void)
{
    struct server *s = leader_or_any();

    world.totals.full_disks++;
    trace(s, "has no room on its disk");
    s->disk.is_full = true;
    s->disk.room = (unsigned)chance(10);
    world_post(around(2 * SECOND), NULL, EXECUTOR, empty_disk, NULL, s);
}

static void fill_disks(void)
{
    for (unsigned i = 0; i < server_count; i++) {
        fill_disk();
    }
}

/* What operators do. */

static void operate(struct server *s, struct operation o)
{
    const char *problem;

    if (s->is_up && !s->is_leaving) {
        problem = server_operate(s, o);
        trace(s, "operation %d: %s", o.kind, problem != NULL ? problem : "begins");
    }
}

static void transfer(void)
{
    world.totals.transfers++;
    operate(leader_or_any(), (struct operation){.kind = OPERATION_TRANSFER});
}

static void want_snapshot(void)
{
    operate(any(), (struct operation){.kind = OPERATION_SNAPSHOT});
}

/* Members come and go. */

/* Returns a server that is up, and a member or not; or NULL, if some tries find none. */
static struct server *any_up(bool member)
{
    for (unsigned tries = 0; tries < 2 * server_count; tries++) {
        struct server *s = any();
        if (s->is_up && server_is_member(s) == member) {
            return s;
        }
    }
    return NULL;
}

static void join(void)
{
    struct server *s = any_up(false), *to = any_up(true);

    if (s != NULL && to != NULL) {
        operate(s, (struct operation){.kind = OPERATION_JOIN, .address = bytes_of(to->address)});
    }
}

static unsigned voters(void)
{
    const struct raft_configuration *all = servers_configuration();
    unsigned count = 0;

    for (unsigned i = 0; all != NULL && i < all->n; i++) {
        count += all->servers[i].role == RAFT_VOTER;
    }
    return count;
}

static bool may_go(const struct server *s)
{
    return setting.servers > setting.founders && s->is_up &&
           (server_role(s) != RAFT_VOTER || voters() > 2);
}

static void change_member(enum operation_kind kind)
{
    struct server *s = any_up(true);

    if (s != NULL && may_go(s)) {
        operate(leader_or_any(), (struct operation){.kind = kind, .id = s->node->identity.id});
    }
}

static void remove_member(void)
{
    change_member(OPERATION_REMOVE);
}

static void demote(void)
{
    change_member(OPERATION_DEMOTE);
}

static void promote(void)
{
    struct server *s = any();

    if (server_role(s) == RAFT_STANDBY || server_role(s) == RAFT_SPARE) {
        operate(leader_or_any(),
                (struct operation){.kind = OPERATION_PROMOTE, .id = s->node->identity.id});
    }
}

/* Whether the leader knows for certain that it can do without a server. */
static bool is_out(const struct server *s)
{
    for (unsigned i = 0; i < server_count; i++) {
        if (server_leads(&servers[i])) {
            return servers[i].node->raft.configuration_uncommitted_index == 0 && server_role(s) < 0;
        }
    }
    return false;
}

/* Whoever has been removed may come again, as another. */
static void replace(void)
{
    struct server *s = any();

    if (server_is_member(s) && !s->is_leaving && is_out(s)) {
        world.totals.removals++;
        server_crash(s);
        server_wipe(s);
        server_start(s);
    }
}

static const struct fault faults[] = {
    {"crash one", 8, crash_one},
    {"crash all", 1, crash_all},
    {"crash cut off", 6, crash_cut_off},
    {"stop one", 3, stop_one},
    {"pause process", 5, pause_process},
    {"pause executor", 4, pause_executor},
    {"pause log thread", 3, pause_log_thread},
    {"cut one way", 4, cut_one_way},
    {"isolate", 6, isolate},
    {"split", 3, split},
    {"ring", 1, ring},
    {"heal", 24, heal},
    {"break", 4, break_connection},
    {"lose", 3, lose},
    {"slow network", 4, slow_network},
    {"fail fetches", 2, fail_fetches},
    {"slow disk", 4, slow_disk},
    {"fill disk", 3, fill_disk},
    {"fill disks", 1, fill_disks},
    {"transfer", 4, transfer},
    {"snapshot", 2, want_snapshot},
    {"join", 8, join},
    {"remove", 4, remove_member},
    {"demote", 2, demote},
    {"promote", 4, promote},
    {"replace", 6, replace},
};
enum { FAULTS = sizeof faults / sizeof *faults };

static void on_fault(void *context)
{
    unsigned sum = 0;
    uint64_t drawn;
    size_t i;

    if (are_over) {
        return;
    }
    for (i = 0; i < FAULTS; i++) {
        sum += faults[i].weight;
    }
    drawn = chance(sum);
    for (i = 0; drawn >= faults[i].weight; i++) {
        drawn -= faults[i].weight;
    }
    world_post(around(mean_us), NULL, EXECUTOR, on_fault, NULL, context);
    trace(NULL, "fault: %s", faults[i].name);
    faults[i].happen();
}

void faults_begin(void)
{
    mean_us = one_in(3) ? SECOND : 250 * MS;
    world_post(around(SECOND), NULL, EXECUTOR, on_fault, NULL, NULL);
}

void faults_end(void)
{
    are_over = true;
    wire_heal();
    wire_lose(0);
    wire_fail_fetches(0);
    for (unsigned i = 0; i < server_count; i++) {
        struct server *s = &servers[i];
        wire_set(s->number, MS);
        s->disk.latency_us = MS;
        s->disk.is_full = false;
        s->loop[EXECUTOR].until_us = 0;
        s->loop[LOG_THREAD].until_us = 0;
        start(s);
    }
    world_wake();
}
