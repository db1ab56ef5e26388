#include "replica/replica.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/leadership.h"
#include "engine/operation.h"
#include "replica/manifest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where in the log own turns are, up to one. */
struct mark {
    uint64_t seq;
    uint64_t index;
};

enum { MARKS = 512 };

struct replica {
    struct engine *engine;
    struct replica_hooks hooks;
    struct node *node;
    struct queue in;
    struct message *first; /* Taken from the queue, and not handled yet. */
    struct message **last;

    uint64_t epoch;     /* Of the tenure, while the engine leads. */
    bool knows_time;    /* Log time is that of a leader that was at work while we were. */
    uint64_t had_index; /* The last entry that was here at the start, about. */
    struct message *view;
    struct mark marks[MARKS]; /* The last ones, in turn, */
    uint64_t marked;          /* of so many. */
    char dir[PATH_MAX];
    char saving[PATH_MAX + MANIFEST_NAME + 2]; /* The file that is being saved, */
    struct position saving_at;                 /* and what is in it. */
};

static const char UNCERTAIN[] =
    "UNCERTAIN This server stopped leading before the request was committed: whether it takes "
    "effect is not known";
static const char DISK_FULL[] =
    "MISCONF The log cannot be written: no space left on the device. Commands that may modify the "
    "data set are refused until there is.";

/* What the engine asks for. */

static void append(void *context, uint64_t seq, int64_t time_us, struct bytes redo)
{
    struct replica *r = context;
    struct message *m = message_new(MESSAGE_APPEND, 0);

    m->data = malloc(entry_size(redo.len));
    if (m->data == NULL) {
        abort();
    }
    if (redo.len > 0) {
        memcpy((char *)m->data + ENTRY_HEADER, redo.at, redo.len);
    }
    m->len = redo.len;
    m->seq = seq;
    m->epoch = r->epoch;
    m->at.time_us = time_us;
    node_send(r->node, m);
}

/* Messages. */

static void die(const char *problem)
{
    log_write(LOG_WARNING, "The log has failed: %s", problem);
    _exit(EXIT_FAILURE);
}

static void on_committed(struct replica *r, const struct message *m)
{
    r->engine->group.applied_index = m->at.index;
    r->marks[++r->marked % MARKS] = (struct mark){m->seq, m->at.index};
    commit_reached(r->engine, m->seq);
}

/* The changes of an entry were made at its time. */
static void on_follow(struct replica *r, const struct message *m)
{
    struct engine *e = r->engine;

    logtime_start(&e->time, m->at.time_us, clock_monotonic_us());
    if (!commit_follow(e, (struct bytes){m->data, m->len})) {
        die("an entry has changes that cannot be read");
    }
    e->group.applied_index = m->at.index;
    r->knows_time |= r->view != NULL && m->at.index > r->had_index;
}

/* Nothing is known of the time in which no leader was at work but what the wall clock
 * says. */
static void on_lead(struct replica *r, const struct message *m)
{
    struct engine *e = r->engine;
    int64_t wall_us = clock_wall_us();

    if (!r->knows_time && wall_us > e->time.now_us) {
        logtime_start(&e->time, wall_us, clock_monotonic_us());
    }
    r->epoch = m->epoch;
    r->knows_time = true;
    e->commit.refusal = NULL;
    e->group.role = GROUP_LEADER;
    e->group.leader = e->group.self;
    e->group.elections++;
    group_leader_changed(e);
    r->hooks.lead(r->hooks.context);
}

static void on_lost(struct replica *r, const struct message *m)
{
    struct engine *e = r->engine;

    if (m->status == LOST_DISK_FULL) {
        log_write(LOG_WARNING, "The log's disk is full: writes are refused until there is room");
        e->commit.refusal = DISK_FULL;
        commit_lost(e, DISK_FULL);
        return;
    }
    log_write(LOG_NOTICE, "This server leads no more");
    commit_lost(e, UNCERTAIN);
    e->commit.refusal = NULL;
    e->group.role = GROUP_CANDIDATE;
    e->group.leader = 0;
    group_leader_changed(e);
}

static void path_of(const struct replica *r, const struct message *m, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", r->dir, (const char *)m->data);
}

static void on_restore(struct replica *r, const struct message *m)
{
    struct engine *e = r->engine;
    char path[PATH_MAX + MANIFEST_NAME + 2];
    BUF_LOCAL(error);

    assert(!commit_is_pending(e));
    e->group.role = GROUP_LOADING;
    path_of(r, m, path, sizeof path);
    if (!r->hooks.load(r->hooks.context, m->len > 0 ? path : NULL, &error)) {
        log_write(LOG_WARNING, "Cannot load '%s': %.*s", path, (int)error.len, error.at);
        die("its snapshot cannot be loaded. If the group has other servers, "
            "have this one join again with an empty directory; else put a backup in its place");
    }
    if (m->len > 0) {
        logtime_start(&e->time, m->at.time_us, clock_monotonic_us());
        e->group.applied_index = m->at.index;
    }
}

void replica_saved(struct replica *r, int err)
{
    struct message *m = message_new(MESSAGE_SNAPSHOT_DONE, sizeof(struct manifest));
    struct manifest *manifest = m->data;

    *manifest = (struct manifest){.at = r->saving_at};
    m->status = err != 0 ? err : manifest_of_file(r->saving, manifest);
    node_send(r->node, m);
}

static void on_save(struct replica *r, const struct message *m)
{
    int err;

    path_of(r, m, r->saving, sizeof r->saving);
    r->saving_at = m->at;
    err = r->hooks.save(r->hooks.context, r->saving);
    if (err != 0) {
        replica_saved(r, err);
    }
}

/* The view. */

/* Returns up to which own turn a server has stored that has so much of the log. */
static uint64_t stored_seq(const struct replica *r, uint64_t index)
{
    for (uint64_t i = r->marked; i > 0 && i + MARKS > r->marked; i--) {
        if (r->marks[i % MARKS].index <= index) {
            return r->marks[i % MARKS].seq;
        }
    }
    return 0;
}

static void see_member(struct replica *r, const struct view_member *from, struct member *m)
{
    int64_t now_ms = logtime_ms(&r->engine->time);
    struct address address = {0};

    *m = (struct member){.id = from->id, .role = (enum member_role)from->role};
    if (address_parse(bytes_of(from->address), &address)) {
        memcpy(m->host, address.host, sizeof m->host);
        m->port = address.port;
        m->peer_port = address.peer_port;
    }
    m->stored_index = from->stored_index;
    m->stored_seq = stored_seq(r, from->stored_index);
    m->heard_ms = from->silent_ms < 0 ? 0 : now_ms - from->silent_ms;
}

static bool is_alone(const struct view *v)
{
    return v->count == 1 && v->members[0].id == v->self;
}

/* A leader becomes one by MESSAGE_LEAD, and is one until MESSAGE_LOST. A server alone has
 * nobody else to wait for; one of several knows what it lacks when it hears a leader. */
static void see_role(struct replica *r, const struct view *v)
{
    struct group *g = &r->engine->group;

    if (g->role == GROUP_LEADER || v->role == GROUP_LEADER) {
        return;
    }
    if (g->role == GROUP_LOADING && (is_alone(v) || g->applied_index < v->applied_index)) {
        return;
    }
    g->role = (enum group_role)v->role;
    g->elections += g->leader != v->leader && v->leader != 0;
    g->leader = v->leader;
    group_leader_changed(r->engine);
}

static void on_view(struct replica *r, struct message *m)
{
    struct group *g = &r->engine->group;
    const struct view *v = m->data;
    struct member *members = mem_alloc(v->count * sizeof *members);

    for (size_t i = 0; i < v->count; i++) {
        see_member(r, &v->members[i], &members[i]);
    }
    group_set_members(g, members, v->count);
    g->self = v->self;
    g->term = v->term;
    g->last_index = v->last_index;
    g->stored_index = v->stored_index;
    g->commit_index = v->commit_index;
    g->snapshot_index = v->snapshot_index;
    g->writes = v->writes;
    g->stored_seq = stored_seq(r, v->stored_index);
    snprintf(g->id, sizeof g->id, "%040" PRIx64, v->group);
    see_role(r, v);
    group_progress(r->engine);
    if (r->view == NULL) {
        r->had_index = v->last_index;
    }
    free(r->view);
    r->view = m;
}

static void on_ended(struct replica *r, const struct message *m)
{
    if (m->seq == r->engine->group.joining) {
        r->engine->group.joining = 0;
    }
    operation_end(r->engine, m->seq, m->data);
}

static void handle(struct replica *r, struct message *m)
{
    switch (m->kind) {
    case MESSAGE_COMMITTED:
        on_committed(r, m);
        break;
    case MESSAGE_FOLLOW:
        on_follow(r, m);
        break;
    case MESSAGE_LEAD:
        on_lead(r, m);
        break;
    case MESSAGE_LOST:
        on_lost(r, m);
        break;
    case MESSAGE_RESTORE:
        on_restore(r, m);
        break;
    case MESSAGE_SAVE:
        on_save(r, m);
        break;
    case MESSAGE_VIEW:
        on_view(r, m);
        return; /* It is kept. */
    case MESSAGE_ENDED:
        on_ended(r, m);
        break;
    case MESSAGE_FATAL:
        die(m->data);
        break;
    default:
        abort();
    }
    free(m);
}

static void take(struct replica *r)
{
    struct message *m = queue_take(&r->in);

    while (m != NULL) {
        *r->last = m;
        r->last = &m->next;
        m = m->next;
    }
}

static struct message *next(struct replica *r)
{
    struct message *m = r->first;

    if (m != NULL) {
        r->first = m->next;
        if (r->first == NULL) {
            r->last = &r->first;
        }
    }
    return m;
}

void replica_serve(struct replica *r)
{
    struct message *m;

    take(r);
    while ((m = next(r)) != NULL) {
        handle(r, m);
    }
}

/* While a script holds the loop, what it stands on may become committed. All else waits
 * for its end. */
static void serve(void *context)
{
    struct replica *r = context;

    take(r);
    while (r->first != NULL && r->first->kind == MESSAGE_COMMITTED) {
        handle(r, next(r));
    }
}

static void on_wake(void *context)
{
    struct replica *r = context;

    engine_tick(r->engine);
    replica_serve(r);
}

const struct view *replica_view(const struct replica *r)
{
    return r->view == NULL ? NULL : r->view->data;
}

void replica_want_snapshot(struct replica *r)
{
    node_send(r->node, message_new(MESSAGE_SNAPSHOT_WANTED, 0));
}

void replica_operate(struct replica *r, const struct operation *o)
{
    struct message *m = message_new(MESSAGE_OPERATION, sizeof(struct node_operation));
    struct node_operation *to = m->data;
    struct address address;

    *to = (struct node_operation){.kind = o->kind, .number = o->number, .id = o->id};
    if (address_parse(o->address, &address)) {
        address_format(&address, to->address);
    }
    node_send(r->node, m);
}

/* Who joins leaves behind what it has: there must be nothing, and nothing must come. */
static const char *begin_to_join(struct engine *e, const struct operation *o)
{
    if (e->group.joining != 0) {
        return "ERR This server is joining a group already";
    }
    if (dataset_count(e->data) > 0) {
        return "ERR This server has data, which it would lose. FLUSHALL removes them";
    }
    if (e->group.count > 1) {
        return "ERR This server is a member of a group already";
    }
    e->group.joining = o->number;
    return NULL;
}

/* What an operator asks for. Where others must not be asked, it is refused here. */
static const char *begin(void *context, const struct operation *o)
{
    struct replica *r = context;
    struct engine *e = r->engine;
    const char *problem = NULL;

    if (e->group.role == GROUP_LOADING) {
        return "LOADING Redis is loading the dataset in memory";
    }
    if (o->kind == OPERATION_JOIN) {
        problem = begin_to_join(e, o);
    }
    if (problem != NULL) {
        return problem;
    }
    replica_operate(r, o);
    return NULL;
}

static const struct group_ops group_ops = {begin};

static const struct log_ops ops = {append, serve};

struct replica *replica_open(struct engine *e, uv_loop_t *loop,
                             const struct node_settings *settings,
                             const struct replica_hooks *hooks)
{
    struct replica *r = mem_zalloc(sizeof *r);
    char error[NODE_ERROR_MAX];

    r->engine = e;
    r->hooks = *hooks;
    r->last = &r->first;
    snprintf(r->dir, sizeof r->dir, "%s", settings->dir);
    queue_init(&r->in);
    r->node = node_start(settings, &r->in, error);
    if (r->node == NULL) {
        log_write(LOG_WARNING, "Cannot open the log in '%s': %s", settings->dir, error);
        queue_clear(&r->in);
        mem_free(r);
        return NULL;
    }
    e->group.exists = true;
    e->group.role = GROUP_LOADING;
    e->commit.ops = &ops;
    e->commit.context = r;
    e->group.ops = &group_ops;
    e->group.ops_context = r;
    queue_watch(&r->in, loop, on_wake, r);
    return r;
}

void replica_close(struct replica *r)
{
    node_stop(r->node);
    queue_unwatch(&r->in);
    r->engine->commit.ops = NULL;
}

void replica_free(struct replica *r)
{
    struct message *m;

    if (r == NULL) {
        return;
    }
    take(r);
    while ((m = next(r)) != NULL) {
        free(m);
    }
    free(r->view);
    queue_clear(&r->in);
    mem_free(r);
}
