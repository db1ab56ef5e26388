#include "replica/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "replica/node_state.h"
#include "replica/reserve.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TICK_MS = 20,
    SEGMENT_BYTES = 16 * 1024 * 1024, /* libraft counts free room in 16 bits of KiB: no more. */
    INSTALL_TIMEOUT_MS = 2000,
    CATCH_UP_MS = 600 * 1000, /* For one round of a new voter's. */
    RETRY_MS = 50,
    FAREWELL_US = 1000 * 1000,
    LONG_ENTRY = 128 * 1024, /* To write it takes longer than what the file system adds. */
};

static void put(void *context, struct message *m)
{
    struct node *n = context;

    queue_put(n->out, m);
}

void node_fail(struct node *n, const char *format, ...)
{
    struct message *m = message_new(MESSAGE_FATAL, NODE_ERROR_MAX);
    va_list args;

    va_start(args, format);
    vsnprintf(m->data, m->len, format, args);
    va_end(args);
    put(n, m);
}

/* Snapshots. */

static void stored(void *context, uint64_t index)
{
    struct node *n = context;

    log_write(LOG_NOTICE, "A snapshot up to entry %" PRIu64 " is stored", index);
    node_remove_older(n);
    if (n->snapshot_for != 0) {
        operation_tell(n, n->snapshot_for, NULL);
        n->snapshot_for = 0;
    }
}

void node_snapshot_for(struct node *n, uint64_t operation)
{
    if (n->core.log_entries == 0) {
        operation_tell(n, operation, NULL); /* The last one has everything. */
    } else if (n->snapshot_for != 0) {
        operation_tell(n, operation, "ERR A snapshot is being taken");
    } else {
        n->snapshot_for = operation;
        core_want_snapshot(&n->core);
    }
}

static void on_fetched(void *context, const char *error)
{
    struct node *n = context;

    n->transfer = NULL;
    core_fetched(&n->core, error == NULL ? 0 : -ECANCELED);
}

/* The leader has sent the manifest, so it has the file. */
static void fetch(void *context, const struct manifest *m)
{
    struct node *n = context;
    const char *address;
    raft_id leader;

    raft_leader(&n->raft, &leader, &address);
    if (leader == 0) {
        n->fetch_from = 0; /* fetch_tick() sees to it. */
        return;
    }
    log_write(LOG_NOTICE, "A snapshot up to entry %" PRIu64 ", %" PRIu64 " bytes, is fetched",
              m->at.index, m->size);
    n->fetch_from = leader;
    n->transfer = transfer_fetch(transport_peer(n->transport),
                                 &(struct transfer_settings){.dir = n->settings.dir,
                                                             .file = *m,
                                                             .from = leader,
                                                             .address = bytes_of(address),
                                                             .done = on_fetched,
                                                             .context = n});
}

static const struct core_ops core_ops = {put, fetch, stored};

/* libraft. */

static void note_write(struct node *n)
{
    uint64_t took_us = (uint64_t)clock_monotonic_us() - n->write_began_us;
    size_t i = 0;

    while (i < LOG_WRITE_BUCKETS - 1 && took_us > log_write_limits_us[i]) {
        i++;
    }
    n->writes.count[i]++;
    n->writes.us += took_us;
}

/* libraft tells of what it does in many small messages. Two kinds of them are measured;
 * some of the rest are trouble. */
static void trace(struct raft_tracer *tracer, int type, const void *info)
{
    struct node *n = tracer->impl;
    const struct raft_tracer_info *i = info;

    if (type == RAFT_UV_TRACER_WRITE_SUBMIT) {
        n->write_began_us = (uint64_t)clock_monotonic_us();
    } else if (type == RAFT_UV_TRACER_WRITE_COMPLETE) {
        note_write(n);
    } else if (type == RAFT_TRACER_DIAGNOSTIC) {
        node_hear_trouble(n, i->diagnostic.message);
    }
}

static void settle(struct node *n)
{
    struct raft *r = &n->raft;

    raft_set_election_timeout(r, n->settings.election_ms);
    raft_set_heartbeat_timeout(r, n->settings.heartbeat_ms);
    raft_set_install_snapshot_timeout(r, INSTALL_TIMEOUT_MS);
    raft_set_max_catch_up_round_duration(r, CATCH_UP_MS);
    raft_set_snapshot_threshold(r, UINT_MAX);
    raft_set_pre_vote(r, true);
    r->tracer = NULL; /* It would write each of its messages to see that nobody wants it. */
    raft_uv_set_segment_size(&n->io, SEGMENT_BYTES);
    raft_uv_set_connect_retry_delay(&n->io, RETRY_MS);
    raft_uv_set_disk_retry(&n->io, RETRY_MS);
    raft_uv_set_auto_recovery(&n->io, false);
    n->tracer = (struct raft_tracer){.impl = n, .version = 2, .emit = trace};
    raft_uv_set_tracer(&n->io, &n->tracer);
}

/* A server that did not join a group has begun one, of itself alone; or it waits to join. */
static int begin_group(struct node *n)
{
    struct raft_configuration only;
    int err;

    if (n->identity.has_joined || (n->settings.is_to_join && !n->recovers)) {
        return 0;
    }
    raft_configuration_init(&only);
    err = raft_configuration_add(&only, n->identity.id, n->identity.address, RAFT_VOTER);
    if (err == 0 && n->recovers) {
        err = raft_recover(&n->raft, &only);
    } else if (err == 0) {
        err = raft_bootstrap(&n->raft, &only);
    }
    raft_configuration_close(&only);
    n->recovers = false;
    return err == RAFT_CANTBOOTSTRAP ? 0 : err;
}

/* What is here is to be replaced by what libraft finds. */
static void tell_empty(struct node *n)
{
    put(n, message_new(MESSAGE_RESTORE, 0));
}

static void open_transport(struct node *n)
{
    struct transport_settings settings = {
        .self = {.id = n->identity.id,
                 .group = n->identity.group,
                 .address = bytes_of(n->identity.address),
                 .bind = bytes_of(n->settings.bind),
                 .secret = bytes_of(n->settings.secret)},
        .is_deaf = n->settings.is_deaf,
        .other = operation_serve,
        .context = n,
    };

    n->transport = transport_new(&n->loop, &settings);
}

static int init_raft(struct node *n, char error[NODE_ERROR_MAX])
{
    int err;

    memset(&n->raft, 0, sizeof n->raft);
    memset(&n->io, 0, sizeof n->io);
    open_transport(n);
    err = raft_uv_init(&n->io, &n->loop, n->settings.dir, transport_for_raft(n->transport));
    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "%s", raft_strerror(err));
        return err;
    }
    n->io.version = 2; /* Full disks are told of by RAFT_NOSPACE. */
    core_init(&n->core, &n->raft, &n->io, n->identity.id, &core_ops, n);
    node_watch_votes(n);
    n->core.snapshot_bytes = n->settings.snapshot_bytes;
    err = raft_init(&n->raft, &n->io, &n->core.fsm, n->identity.id, n->identity.address);
    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "%s", raft_errmsg(&n->raft));
    }
    n->has_raft = err == 0;
    return err;
}

bool node_open(struct node *n, char error[NODE_ERROR_MAX])
{
    int err;

    if (init_raft(n, error) != 0) {
        return false;
    }
    settle(n);
    tell_empty(n);
    err = begin_group(n);
    if (err == 0) {
        err = raft_start(&n->raft);
    }
    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "%s: %s", raft_strerror(err), raft_errmsg(&n->raft));
        return false;
    }
    n->waits = !n->identity.has_joined && n->raft.configuration.n == 0;
    if (n->waits) {
        log_write(LOG_NOTICE, "This server is of no group, and waits for RAFT JOIN");
    } else if (!node_open_mark(n, error)) {
        return false;
    }
    n->is_up = true;
    core_watch(&n->core);
    return true;
}

static void on_transport_closed(void *context)
{
    struct node *n = context;

    transport_free(n->transport);
    n->transport = NULL;
    n->then(n);
}

static void on_raft_closed(struct raft *raft)
{
    struct node *n = raft->data;

    raft_uv_close(&n->io);
    core_clear(&n->core);
    transport_close(n->transport, on_transport_closed, n);
}

void node_shut(struct node *n, void (*then)(struct node *n))
{
    core_end(&n->core);
    n->is_up = false;
    node_close_mark(n);
    n->has_raft = false;
    n->then = then;
    n->raft.data = n;
    raft_close(&n->raft, on_raft_closed);
}

/* Other groups. */

static bool identify_as(struct node *n, const struct identity *identity, char error[NODE_ERROR_MAX])
{
    int err = identity_write(n->settings.dir, identity);

    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "'%s/identity': %s", n->settings.dir, strerror(-err));
        return false;
    }
    n->identity = *identity;
    return true;
}

bool node_begin_anew(struct node *n, uint64_t group, char error[NODE_ERROR_MAX])
{
    struct identity identity = n->identity;

    identity.group = group;
    identity.has_joined = true;
    if (!node_leave(n, &identity, error)) {
        return false;
    }
    n->identity = identity;
    return node_open(n, error);
}

bool node_recover(struct node *n, char error[NODE_ERROR_MAX])
{
    struct identity identity = n->identity;

    identity.group = identity_draw();
    identity.has_joined = false;
    n->recovers = !n->waits;
    n->settings.is_to_join = false;
    return identify_as(n, &identity, error) && node_open(n, error);
}

/* libraft cannot be told that a snapshot does not come after all: it begins anew. */
static void open_again(struct node *n)
{
    char error[NODE_ERROR_MAX];

    if (!node_open(n, error)) {
        node_fail(n, "%s", error);
    }
}

/* The leader that a snapshot is fetched from may have gone, with it. */
static void fetch_tick(struct node *n)
{
    const char *address;
    raft_id leader;

    raft_leader(&n->raft, &leader, &address);
    if (!n->core.installing || leader == 0 || leader == n->fetch_from) {
        return;
    }
    log_write(LOG_NOTICE, "Server %" PRIu64 " leads now: its snapshot is fetched instead",
              (uint64_t)leader);
    if (n->transfer != NULL) {
        transfer_cancel(n->transfer);
        n->transfer = NULL;
    }
    node_shut(n, open_again);
}

/* The loop. */

static void close_handles(struct node *n)
{
    queue_unwatch(&n->in);
    uv_close((uv_handle_t *)&n->check, NULL);
    uv_close((uv_handle_t *)&n->tick, NULL);
}

static void end(struct node *n)
{
    if (n->has_raft) {
        node_shut(n, close_handles);
    }
}

/* A leader that ends hands over first, if there is somebody: within a while, since libraft
 * waits for another leader for ever. If one log is just being left for another, the tick ends
 * that when it is there. */
static void on_handed_over(struct raft_transfer *transfer)
{
    end(transfer->data);
}

static void stop(struct node *n)
{
    n->farewell.data = n;
    n->end_us = clock_monotonic_us() + FAREWELL_US;
    if (!n->has_raft || n->change != NULL ||
        raft_transfer(&n->raft, &n->farewell, 0, on_handed_over) != 0) {
        end(n);
    }
}

static void handle(struct node *n, struct message *m)
{
    switch (m->kind) {
    case MESSAGE_APPEND:
        core_append(&n->core, m);
        return;
    case MESSAGE_SNAPSHOT_WANTED:
        core_want_snapshot(&n->core);
        break;
    case MESSAGE_SNAPSHOT_DONE:
        core_saved(&n->core, m->status, m->data);
        break;
    case MESSAGE_OPERATION:
        operation_begin(n, m);
        return;
    case MESSAGE_STOP:
        stop(n);
        break;
    default:
        abort();
    }
    free(m);
}

/* Messages are taken by on_check(), behind all else that the loop has to do. */
static void on_wake(void *context)
{
    (void)context;
}

static void take_messages(struct node *n)
{
    struct message *m = queue_take(&n->in);

    while (m != NULL) {
        struct message *next = m->next;
        handle(n, m);
        m = next;
    }
}

static void on_check(uv_check_t *check)
{
    struct node *n = check->data;

    take_messages(n);
    if (n->is_up) {
        core_watch(&n->core);
    }
    queue_be_patient(&n->in, n->is_up && core_is_busy(&n->core));
}

/* A log that grows has its room prepared, if that helps. */
static void choose_reserve(const struct core *c)
{
    if (c->log_bytes >= SEGMENT_BYTES) {
        reserve_with_zeros(c->log_bytes / c->log_entries < LONG_ENTRY);
    }
}

static void on_tick(uv_timer_t *tick)
{
    struct node *n = tick->data;

    if (n->end_us != 0 && clock_monotonic_us() >= n->end_us) {
        end(n);
    }
    if (n->is_up) {
        operation_tick(n);
        node_tell_view(n);
        fetch_tick(n);
        node_mark(n);
        choose_reserve(&n->core);
    }
}

static bool identify(struct node *n, char error[NODE_ERROR_MAX])
{
    struct identity first = {.id = identity_draw(), .group = identity_draw()};
    int err = identity_read(n->settings.dir, &n->identity);

    if (err == -ENOENT) {
        snprintf(first.address, sizeof first.address, "%s", n->settings.address);
        return identify_as(n, &first, error);
    }
    if (err != 0) {
        snprintf(error, NODE_ERROR_MAX, "'%s/identity': %s", n->settings.dir,
                 err == -EBADMSG ? "it makes no sense" : strerror(-err));
    }
    return err == 0;
}

static void init_loop(struct node *n)
{
    uv_loop_init(&n->loop);
    queue_watch(&n->in, &n->loop, on_wake, n);
    uv_check_init(&n->loop, &n->check);
    uv_timer_init(&n->loop, &n->tick);
    n->check.data = n;
    n->tick.data = n;
    uv_check_start(&n->check, on_check);
    uv_timer_start(&n->tick, on_tick, TICK_MS, TICK_MS);
}

/* Signals are the executor's. */
static void block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

/* What could not be opened is closed as far as it was. */
static void give_up(struct node *n)
{
    if (n->has_raft) {
        node_shut(n, close_handles);
    } else if (n->transport != NULL) {
        n->then = close_handles;
        transport_close(n->transport, on_transport_closed, n);
    } else {
        close_handles(n);
    }
}

static void start_serving(struct node *n)
{
    n->error[0] = '\0';
    uv_sem_post(&n->started);
}

static bool is_alone(const struct node *n)
{
    const struct raft_configuration *all = &n->raft.configuration;

    return all->n == 1 && all->servers[0].id == n->identity.id;
}

static void take_new_address(struct node *n)
{
    struct identity identity = n->identity;

    memcpy(identity.address, n->settings.address, sizeof identity.address);
    if (identify_as(n, &identity, n->error) && node_open(n, n->error)) {
        start_serving(n);
    } else {
        give_up(n);
    }
}

/* A server alone takes its new address; of one of several the others know the old one. */
static void look_at_address(struct node *n)
{
    if (strcmp(n->identity.address, n->settings.address) == 0) {
        start_serving(n);
    } else if (is_alone(n) || n->waits) {
        n->recovers = !n->waits;
        n->identity.has_joined = false;
        node_shut(n, take_new_address);
    } else {
        log_write(LOG_WARNING,
                  "The group knows this server at %s, not at %s: to change that, remove it and "
                  "have it join anew",
                  n->identity.address, n->settings.address);
        start_serving(n);
    }
}

static void run(void *context)
{
    struct node *n = context;

    block_signals();
    init_loop(n);
    n->lock = node_lock_dir(n->settings.dir, n->error);
    if (n->lock >= 0 && node_finish_leaving(n, n->error) && node_inspect(n, n->error) &&
        identify(n, n->error) && node_open(n, n->error)) {
        look_at_address(n);
    } else {
        give_up(n);
    }
    uv_run(&n->loop, UV_RUN_DEFAULT);
    uv_loop_close(&n->loop);
    if (n->error[0] != '\0') {
        uv_sem_post(&n->started);
    }
}

struct node *node_start(const struct node_settings *settings, struct queue *out,
                        char error[NODE_ERROR_MAX])
{
    struct node *n = calloc(1, sizeof *n);

    if (n == NULL) {
        abort();
    }
    n->error[0] = '?';
    n->settings = *settings;
    n->out = out;
    n->lock = -1;
    n->mark_file.file = -1;
    queue_init(&n->in);
    uv_sem_init(&n->started, 0);
    uv_thread_create(&n->thread, run, n);
    uv_sem_wait(&n->started);
    if (n->error[0] == '\0') {
        return n;
    }
    memcpy(error, n->error, NODE_ERROR_MAX);
    node_stop(n);
    return NULL;
}

void node_send(struct node *n, struct message *m)
{
    queue_put(&n->in, m);
}

void node_stop(struct node *n)
{
    if (n == NULL) {
        return;
    }
    if (n->error[0] == '\0') { /* Else it has ended by itself. */
        node_send(n, message_new(MESSAGE_STOP, 0));
    }
    uv_thread_join(&n->thread);
    uv_sem_destroy(&n->started);
    queue_clear(&n->in);
    if (n->lock >= 0) {
        close(n->lock);
    }
    while (n->waiting != NULL) {
        struct message *next = n->waiting->next;
        free(n->waiting);
        n->waiting = next;
    }
    free(n->told);
    free(n);
}
