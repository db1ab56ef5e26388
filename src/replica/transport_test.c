/* libraft itself, three times in one loop, over our transport. */
#include "replica/transport.h"

#include "base/log.h"
#include "test/lib/check.h"
#include "test/lib/loopback.h"

#include <ftw.h>
#include <signal.h>

enum { NODES = 3, ENTRIES = 1000, IN_FLIGHT = 16 };

struct node {
    uint64_t id;
    const char *secret;
    char address[ADDRESS_TEXT_MAX + 1];
    char dir[64];
    struct transport *transport;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft raft;
    uint64_t applied; /* Entries, */
    uint64_t sum;     /* and what they were, in order. */
    bool runs;
    bool closed;
    int others; /* Callers that were none of libraft's. */
};

static uv_loop_t loop;
static struct node nodes[NODES];

/* The state machine. */

static int on_apply(struct raft_fsm *fsm, const struct raft_buffer *entry, void **result)
{
    struct node *n = fsm->data;

    for (size_t i = 0; i < entry->len; i++) {
        n->sum = n->sum * 1099511628211U + ((unsigned char *)entry->base)[i];
    }
    n->applied++;
    *result = NULL;
    return 0;
}

static int on_snapshot(struct raft_fsm *fsm, struct raft_buffer **bufs, unsigned *count)
{
    (void)fsm;
    (void)bufs;
    (void)count;
    return RAFT_BUSY;
}

static int on_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    (void)fsm;
    (void)buf;
    return RAFT_INVALID;
}

/* Nodes. */

static void on_other(void *context, const struct peer_caller *caller, uv_stream_t *stream)
{
    struct node *n = context;

    n->others++;
    peer_reply(transport_peer(n->transport), stream, caller->request);
}

static void bootstrap(struct node *n)
{
    struct raft_configuration members;

    raft_configuration_init(&members);
    for (int i = 0; i < NODES; i++) {
        CHECK(raft_configuration_add(&members, nodes[i].id, nodes[i].address, RAFT_VOTER) == 0);
    }
    CHECK(raft_bootstrap(&n->raft, &members) == 0);
    raft_configuration_close(&members);
}

static void start(struct node *n, const char *secret, bool first)
{
    struct transport_settings settings = {.self = {.id = n->id,
                                                   .group = 7,
                                                   .address = bytes_of(n->address),
                                                   .secret = bytes_of(secret)},
                                          .other = on_other,
                                          .context = n};

    n->transport = transport_new(&loop, &settings);
    CHECK(raft_uv_init(&n->io, &loop, n->dir, transport_for_raft(n->transport)) == 0);
    raft_uv_set_connect_retry_delay(&n->io, 50);
    n->fsm = (struct raft_fsm){
        .version = 1, .data = n, .apply = on_apply, .snapshot = on_snapshot, .restore = on_restore};
    CHECK(raft_init(&n->raft, &n->io, &n->fsm, n->id, n->address) == 0);
    n->raft.data = n;
    raft_set_pre_vote(&n->raft, true);
    raft_set_snapshot_threshold(&n->raft, 1000000);
    raft_set_election_timeout(&n->raft, 300);
    raft_set_heartbeat_timeout(&n->raft, 50);
    if (first) {
        bootstrap(n);
    }
    n->applied = 0;
    n->sum = 0;
    CHECK(raft_start(&n->raft) == 0);
    n->runs = true;
}

static void on_closed(struct raft *raft)
{
    struct node *n = raft->data;

    n->closed = true;
}

static void stop(struct node *n)
{
    n->closed = false;
    raft_close(&n->raft, on_closed);
    CHECK(loopback_run(&loop, &n->closed, 10000));
    raft_uv_close(&n->io);
    transport_free(n->transport);
    n->runs = false;
}

static void begin(void)
{
    uv_loop_init(&loop);
    for (int i = 0; i < NODES; i++) {
        struct node *n = &nodes[i];

        *n = (struct node){.id = (uint64_t)(10 + i)};
        snprintf(n->address, sizeof n->address, "127.0.0.1:1@%d", loopback_port());
        strcpy(n->dir, "/tmp/transport_test_XXXXXX");
        CHECK(mkdtemp(n->dir) != NULL);
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(void)
{
    for (int i = 0; i < NODES; i++) {
        if (nodes[i].runs) {
            stop(&nodes[i]);
        }
        nftw(nodes[i].dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
}

/* Waiting. */

static bool never;

static struct node *find_leader(void)
{
    for (int i = 0; i < NODES; i++) {
        if (nodes[i].runs && raft_state(&nodes[i].raft) == RAFT_LEADER) {
            return &nodes[i];
        }
    }
    return NULL;
}

static struct node *wait_for_leader(void)
{
    for (int i = 0; i < 1000 && find_leader() == NULL; i++) {
        loopback_run(&loop, &never, 10);
    }
    CHECK(find_leader() != NULL);
    return find_leader();
}

static bool comes_to(struct node *n, uint64_t applied, int limit_ms)
{
    for (; limit_ms > 0 && n->applied < applied; limit_ms -= 10) {
        loopback_run(&loop, &never, 10);
    }
    return n->applied == applied;
}

/* Writing. */

static int in_flight;

static void on_applied(struct raft_apply *request, int status, void *result)
{
    (void)result;
    CHECK(status == 0);
    in_flight--;
    free(request);
}

static void write_one(struct node *leader, uint64_t number)
{
    struct raft_apply *request = calloc(1, sizeof *request);
    struct raft_buffer entry = {.len = 64 + number % 8 * 512};

    entry.base = raft_malloc(entry.len);
    memset(entry.base, (int)number, entry.len);
    in_flight++;
    CHECK(raft_apply(&leader->raft, request, &entry, 1, on_applied) == 0);
}

static void write_entries(struct node *leader, int count)
{
    for (int i = 0; i < count; i++) {
        write_one(leader, (uint64_t)i);
        while (in_flight >= IN_FLIGHT) {
            uv_run(&loop, UV_RUN_ONCE);
        }
    }
    while (in_flight > 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static struct node *other_than(struct node *n)
{
    return n == &nodes[0] ? &nodes[1] : &nodes[0];
}

static void start_group(void)
{
    begin();
    for (int i = 0; i < NODES; i++) {
        start(&nodes[i], "secret", true);
    }
}

TEST(three_servers_share_a_log)
{
    struct node *leader;

    start_group();
    leader = wait_for_leader();
    write_entries(leader, ENTRIES);
    for (int i = 0; i < NODES; i++) {
        CHECK(comes_to(&nodes[i], ENTRIES, 2000));
        CHECK(nodes[i].sum == leader->sum);
    }
    end();
}

TEST(one_that_was_away_comes_up_to_date)
{
    struct node *leader, *away;

    start_group();
    leader = wait_for_leader();
    write_entries(leader, 100);
    away = other_than(leader);
    stop(away);
    write_entries(leader, 100);
    start(away, "secret", false);
    CHECK(comes_to(away, 200, 5000));
    CHECK(away->sum == leader->sum);
    CHECK(find_leader() == leader);
    end();
}

TEST(another_leader_is_found)
{
    struct node *old, *leader;

    start_group();
    old = wait_for_leader();
    write_entries(old, 50);
    stop(old);
    leader = wait_for_leader();
    write_entries(leader, 50);
    start(old, "secret", false);
    CHECK(comes_to(old, 100, 5000));
    CHECK(old->sum == leader->sum);
    end();
}

TEST(without_the_secret_a_server_takes_no_part)
{
    struct node *leader, *out;

    start_group();
    leader = wait_for_leader();
    write_entries(leader, 20);
    out = other_than(leader);
    stop(out);
    start(out, "guess", false);
    write_entries(leader, 20);
    CHECK(!comes_to(out, 40, 1500));
    CHECK(out->applied == 0);
    CHECK(find_leader() == leader);
    stop(out);
    start(out, "secret", false);
    CHECK(comes_to(out, 40, 5000));
    end();
}

static void on_replied(void *context, struct bytes reply, const char *error)
{
    bool *done = context;

    CHECK(error == NULL);
    CHECK(bytes_equal(reply, BYTES("hello")));
    *done = true;
}

TEST(others_use_the_same_port)
{
    struct node *leader, *other;
    bool done = false;

    start_group();
    leader = wait_for_leader();
    other = other_than(leader);
    peer_call(transport_peer(other->transport), bytes_of(leader->address), PEER_ADMIN,
              BYTES("hello"), on_replied, &done);
    CHECK(loopback_run(&loop, &done, 3000));
    CHECK(leader->others == 1);
    end();
}

/* Also of a connection that has been closed since. */
TEST(bytes_are_counted_by_peer)
{
    struct node *leader, *other;
    struct traffic_bytes before, after;

    start_group();
    leader = wait_for_leader();
    other = other_than(leader);
    write_entries(leader, 100);
    CHECK(comes_to(other, 100, 2000));
    before = transport_traffic(leader->transport, other->id);
    CHECK(before.sent > 100 * 64);
    CHECK(before.received > 0);
    /* The kernel counts what begins a connection as a byte that is sent. */
    CHECK(transport_traffic(other->transport, leader->id).received + 2 >= before.sent);
    stop(other);
    start(other, "secret", false);
    CHECK(comes_to(other, 100, 5000));
    after = transport_traffic(leader->transport, other->id);
    CHECK(after.sent > before.sent);
    CHECK(after.received > before.received);
    CHECK(transport_traffic(leader->transport, 99).sent == 0);
    end();
}

static void on_transport_closed(void *context)
{
    bool *closed = context;

    *closed = true;
}

/* If libraft could not be started. */
TEST(a_transport_can_be_closed_without_libraft)
{
    struct transport_settings settings = {
        .self = {.id = 1, .group = 1, .address = BYTES("127.0.0.1:1"), .secret = BYTES("secret")}};
    struct transport *t;
    bool closed = false;

    uv_loop_init(&loop);
    t = transport_new(&loop, &settings);
    transport_close(t, on_transport_closed, &closed);
    CHECK(loopback_run(&loop, &closed, 1000));
    transport_free(t);
    CHECK(uv_loop_close(&loop) == 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    log_set_file("/dev/null");
    return RUN(three_servers_share_a_log, one_that_was_away_comes_up_to_date,
               another_leader_is_found, without_the_secret_a_server_takes_no_part,
               others_use_the_same_port, bytes_are_counted_by_peer,
               a_transport_can_be_closed_without_libraft);
}
