#include "test/simulation/server.h"

#include "test/simulation/client.h"
#include "test/simulation/mutant.h"
#include "test/simulation/oracle.h"
#include "test/simulation/wire.h"

#include "base/clock.h"
#include "base/log.h"
#include "command/families.h"
#include "engine/expiry.h"
#include "rdb/load.h"
#include "rdb/save.h"
#include "replica/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CRON_US = 100 * MS };

struct server servers[SERVERS];
unsigned server_count;
struct setting setting;
struct server *server_current, *server_starting, *server_stopping;

static uint64_t group; /* The one whose log is looked at. */

static const struct command *const families[] = {
    connection_commands, expire_commands, key_commands,         list_commands,
    raft_commands,       string_commands, transaction_commands, NULL,
};

uint64_t servers_group(void)
{
    return group;
}

/* Finding. */

bool server_is_member(const struct server *s)
{
    return s->is_up && s->node->identity.group == group;
}

bool server_has_raft(const struct server *s)
{
    return s->is_up && s->node->is_up;
}

bool server_leads(const struct server *s)
{
    return server_has_raft(s) && server_is_member(s) && s->node->core.leads;
}

const struct raft_configuration *servers_configuration(void)
{
    const struct raft *newest = NULL;

    for (unsigned i = 0; i < server_count; i++) {
        const struct server *s = &servers[i];
        if (server_has_raft(s) && server_is_member(s) &&
            (newest == NULL ||
             s->node->raft.configuration_committed_index > newest->configuration_committed_index)) {
            newest = &s->node->raft;
        }
    }
    return newest != NULL ? &newest->configuration_committed : NULL;
}

int server_role(const struct server *s)
{
    const struct raft_configuration *all = servers_configuration();

    for (unsigned i = 0; all != NULL && s->is_up && i < all->n; i++) {
        if (all->servers[i].id == s->node->identity.id) {
            return all->servers[i].role;
        }
    }
    return -1;
}

bool server_is_to_follow(const struct server *s)
{
    int role = server_role(s);

    return server_is_member(s) && (role == RAFT_VOTER || role == RAFT_STANDBY);
}

struct server *server_of_id(uint64_t id)
{
    for (unsigned i = 0; i < server_count; i++) {
        if (servers[i].is_up && servers[i].node->identity.id == id) {
            return &servers[i];
        }
    }
    return NULL;
}

struct server *server_of_address(const char *address)
{
    for (unsigned i = 0; i < server_count; i++) {
        size_t len = strcspn(servers[i].address, "@");
        if (strncmp(servers[i].address, address, len) == 0) {
            return &servers[i];
        }
    }
    return NULL;
}

struct server *server_of_machine(const struct machine *m)
{
    for (unsigned i = 0; i < server_count; i++) {
        if (servers[i].node != NULL && &servers[i].node->core.machine == m) {
            return &servers[i];
        }
    }
    abort();
}

struct server *server_of_engine(const struct engine *e)
{
    for (unsigned i = 0; i < server_count; i++) {
        if (servers[i].engine == e) {
            return &servers[i];
        }
    }
    abort();
}

int64_t server_stands_until(const struct server *s, enum thread thread)
{
    return s->loop[thread].until_us;
}

void server_stand(struct server *s, enum thread thread, int64_t us)
{
    if (s->loop[thread].until_us < world.now_us + us) {
        s->loop[thread].until_us = world.now_us + us;
    }
}

/* What our code calls of the system. */

int64_t __wrap_clock_monotonic_us(void);
int64_t __wrap_clock_monotonic_us(void)
{
    return world.now_us;
}

int64_t __wrap_clock_wall_us(void);
int64_t __wrap_clock_wall_us(void)
{
    static const int64_t START_US = INT64_C(1767225600) * SECOND; /* The beginning of 2026. */

    return START_US + world.now_us + (server_current != NULL ? server_current->wall_offset_us : 0);
}

void __wrap_random_secret(void *out, size_t len);
void __wrap_random_secret(void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((unsigned char *)out)[i] = (unsigned char)chance(256);
    }
}

int __wrap_fsync(int file);
int __wrap_fsync(int file)
{
    (void)file;
    return 0;
}

int __wrap_fdatasync(int file);
int __wrap_fdatasync(int file)
{
    (void)file;
    return 0;
}

/* There are no files of libraft's to look at; what would be refused must not happen. */
bool inspect(const char *dir, const struct inspect_reader *reader, struct inspection *found)
{
    const struct disk *d = &server_starting->disk;

    (void)reader;
    *found = (struct inspection){.dir = dir};
    found->metadata.term = d->term;
    found->metadata.vote = d->vote;
    found->has_mark = true;
    if (mark_read(dir, &found->mark) == 0 &&
        (found->mark.committed > disk_last(d) || found->mark.term > d->term)) {
        violation("server %u had entry %" PRIu64 " committed, in term %" PRIu64
                  ", and has the log up to %llu, in term %llu",
                  server_starting->number, found->mark.committed, found->mark.term, disk_last(d),
                  d->term);
    }
    return true;
}

int inspect_repair(const struct inspection *found)
{
    (void)found;
    return 0;
}

/* All that was in the directory goes, and with it what libraft had there. */
int __real_identity_has_come(const char *dir);
int __wrap_identity_has_come(const char *dir);
int __wrap_identity_has_come(const char *dir)
{
    for (unsigned i = 0; i < server_count; i++) {
        if (strcmp(servers[i].dir, dir) == 0) {
            trace(&servers[i], "leaves what it had behind");
            disk_wipe(&servers[i].disk);
            world.totals.joins++;
        }
    }
    return __real_identity_has_come(dir);
}

/* The simulation's own signals are not the log thread's to block. */
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how;
    (void)set;
    (void)old;
    return 0;
}

static char last_words[256];

void __wrap_log_write(enum log_level level, const char *format, ...);
void __wrap_log_write(enum log_level level, const char *format, ...)
{
    va_list args;

    (void)level;
    va_start(args, format);
    vsnprintf(last_words, sizeof last_words, format, args);
    va_end(args);
    trace(server_current, "\"%s\"", last_words);
}

void __wrap__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status)
{
    violation("server %u ends with %d: %s", server_current != NULL ? server_current->number : 0,
              status, last_words);
}

void __real__exit(int status) __attribute__((noreturn));

/* What the server layer does. */

static void encode_emptying(const struct dataset *data, struct buf *redo)
{
    for (unsigned db = 0; db < data->count; db++) {
        if (keyspace_count(data->db[db]) > 0) {
            struct change flush = change_flush(db);
            change_encode(&flush, redo);
        }
    }
}

static bool take(struct value *v, unsigned db, void *context)
{
    journal_make(context, change_bind(db, v));
    return true;
}

static void stop_saving(struct server *s, int err)
{
    if (s->saving[0] != '\0') {
        unlink(s->saving);
        s->saving[0] = '\0';
        if (err != 0) {
            replica_saved(s->replica, err);
        }
    }
}

static bool load(void *context, const char *path, struct buf *error)
{
    struct server *s = context;
    struct dataset *data = s->engine->data;
    struct journal journal = {.data = data};
    struct rdb_loading loading = {
        .databases = data->count, .limits = &data->limits, .take = take, .context = &journal};
    struct rdb_loaded loaded = {0};
    BUF_LOCAL(redo);
    bool fine;

    trace(s, "loads %s", path != NULL ? path : "nothing");
    stop_saving(s, -ECANCELED);
    encode_emptying(data, &redo);
    commit_follow(s->engine, buf_bytes(&redo));
    fine = path == NULL || rdb_load_file(path, &loading, &loaded, error) == 0;
    journal_clear(&journal);
    s->is_restored = path != NULL;
    world.totals.installs += path != NULL;
    return fine;
}

/* In the child that was forked for it, or here, if the data are as they are to be. */
static int write_file(struct server *s, const char *path)
{
    struct rdb_saving saving = {
        .data = s->engine->data, .time_us = s->engine->time.now_us, .checks = true};

    return rdb_save_file(path, &saving);
}

static int fork_saver(struct server *s, const char *path)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (mutant != MUTANT_SAVES_UNCOMMITTED) {
            commit_rewind(s->engine);
        }
        __real__exit(write_file(s, path) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    waitpid(child, &status, 0);
    world.totals.saves_with_pending++;
    return status == 0 ? 0 : -EIO;
}

struct saved {
    struct server *server;
    char path[PATH_MAX];
};

static void on_saved(void *context)
{
    struct saved *saved = context;
    struct server *s = saved->server;

    if (strcmp(s->saving, saved->path) == 0) {
        s->saving[0] = '\0';
        replica_saved(s->replica, 0);
    }
    free(saved);
}

static int save(void *context, const char *path)
{
    struct server *s = context;
    struct saved *saved;
    int err;

    if (s->saving[0] != '\0' || one_in(20)) {
        return -EBUSY;
    }
    if (s->disk.is_full) {
        return -ENOSPC;
    }
    world.totals.saves++;
    err = commit_is_pending(s->engine) ? fork_saver(s, path) : write_file(s, path);
    if (err != 0) {
        return err;
    }
    saved = calloc(1, sizeof *saved);
    saved->server = s;
    snprintf(saved->path, sizeof saved->path, "%s", path);
    snprintf(s->saving, sizeof s->saving, "%s", path);
    world_post(around(20 * MS), s, EXECUTOR, on_saved, free, saved);
    return 0;
}

/* Log time goes on from the last entry's. A server that has started since that was written
 * may not know how long that is ago, and believe the wall clock: then who has a lock may have
 * lost it. */
static void check_time(struct server *s)
{
    enum { SLEWED_US = 20 * MS }; /* At the most in a run. */
    int64_t leap_us = s->engine->time.now_us - oracle_time_us();

    if (oracle_index() == 0 || leap_us <= SLEWED_US) {
        return;
    }
    world.totals.leaps++;
    clients_forget_leases();
}

static void lead(void *context)
{
    struct server *s = context;

    trace(s, "leads, from entry %" PRIu64 " on", s->node->core.machine.at.index);
    if (server_is_member(s)) {
        world.totals.tenures++;
        check_time(s);
    }
}

/* As durability_tick(). */
static void write_time(struct server *s)
{
    enum { EACH_US = 5 * SECOND };
    struct commit *c = &s->engine->commit;

    if (c->entries != s->entries_then) {
        s->entries_then = c->entries;
        s->entry_us = world.now_us;
    } else if (s->engine->group.count > 1 && group_leads(&s->engine->group) &&
               world.now_us - s->entry_us >= EACH_US) {
        c->wants_barrier = true;
    }
}

static void on_cron(void *context)
{
    struct server *s = context;

    world_post(CRON_US, s, EXECUTOR, on_cron, NULL, s);
    engine_tick(s->engine);
    expiry_run(s->engine, 20 * MS);
    write_time(s);
}

/* Turns. */

void server_flush(struct server *s)
{
    struct engine *e = s->engine;
    struct session *session;

    s->loop[EXECUTOR].is_turn_open = false;
    commit_seal(e);
    while ((session = e->unsent) != NULL) {
        e->unsent = session->next_unsent;
        session->unsent = false;
        commit_mark(session);
        client_take(session);
    }
    commit_seal(e);
}

static void on_turn_ends(void *context)
{
    struct server *s = context;

    if (s->loop[EXECUTOR].is_turn_open) {
        server_flush(s);
    }
}

static void end_executor_turn(struct server *s)
{
    struct loop *l = &s->loop[EXECUTOR];

    if (l->is_turn_open) {
        return;
    }
    if (one_in(4)) {
        l->is_turn_open = true;
        world_post((int64_t)chance(2 * MS), s, EXECUTOR, on_turn_ends, NULL, s);
    } else {
        server_flush(s);
    }
}

void LegacyFireCompletedRequests(struct raft *r);

static void fire(struct server *s)
{
    if (server_has_raft(s)) {
        LegacyFireCompletedRequests(&s->node->raft);
    }
}

/* Which handle libuv calls first is not for us to rely on, nor how much comes in a turn. */
static void end_log_turn(struct server *s)
{
    uv_check_t *check = s->loop[LOG_THREAD].check;
    bool first = one_in(2);

    if (one_in(6) || check == NULL) {
        return;
    }
    if (server_has_raft(s)) {
        s->node->io.capacity = s->disk.is_full ? 0 : 16 * 1024;
    }
    if (first) {
        fire(s);
    }
    check->check_cb(check);
    if (!first) {
        fire(s);
    }
}

bool server_has_settled(const struct server *s)
{
    const struct engine *e = s->engine;

    return server_is_member(s) && e->group.role != GROUP_LOADING && !commit_is_pending(e) &&
           e->journal.newest == NULL;
}

void server_after(struct server *s, unsigned life, enum thread thread)
{
    if (s->life != life) {
        return;
    }
    if (thread == LOG_THREAD) {
        end_log_turn(s);
        return;
    }
    end_executor_turn(s);
    if (server_has_settled(s)) {
        oracle_compare(s, false);
    }
}

/* What libraft tells of itself. */
static void tell_raft(struct raft_tracer *tracer, int type, const void *info)
{
    const struct raft_tracer_info *i = info;

    if (type == RAFT_TRACER_DIAGNOSTIC) {
        trace(tracer->impl, "    %s", i->diagnostic.message);
    }
}

/* Lives. */

void server_start(struct server *s)
{
    struct replica_hooks hooks = {load, save, lead, s};

    trace(s, "starts");
    s->life++;
    s->is_frozen = false;
    s->is_leaving = false;
    s->checked_index = 0;
    s->loop[EXECUTOR] = (struct loop){.server = s, .thread = EXECUTOR};
    s->loop[EXECUTOR].uv.data = &s->loop[EXECUTOR];
    server_current = s;
    server_starting = s;
    s->engine = engine_new(families, 2);
    s->engine->commit.durability = setting.durability;
    s->replica = replica_open(s->engine, &s->loop[EXECUTOR].uv, &s->settings, &hooks);
    server_starting = NULL;
    if (s->replica == NULL) {
        violation("server %u cannot start: %s", s->number, last_words);
    }
    s->is_up = true;
    s->tracer = (struct raft_tracer){.impl = s, .version = 2, .emit = tell_raft};
    s->node->raft.tracer = world.traces_raft ? &s->tracer : NULL;
    world_post((int64_t)chance(CRON_US), s, EXECUTOR, on_cron, NULL, s);
}

/* What is left of a process. */
static void bury(struct server *s)
{
    struct engine *e = s->engine;

    s->is_up = false;
    client_lose_server(s);
    while (e->sessions != NULL) {
        session_free(e->sessions);
    }
    commit_rewind(e);
    journal_commit(&e->journal);
    replica_free(s->replica);
    engine_free(e);
    s->engine = NULL;
    s->replica = NULL;
    s->node = NULL;
    s->life++;
}

static void nothing(struct node *n)
{
    (void)n;
}

void server_crash(struct server *s)
{
    struct node *n = s->node;

    if (!s->is_up || s->is_leaving) {
        return;
    }
    trace(s, "crashes");
    world.totals.crashes++;
    s->life++;
    s->is_frozen = true;
    disk_crash(&s->disk);
    stop_saving(s, 0);
    if (n->is_up) {
        node_shut(n, nothing);
    }
    n->then = nothing;
    disk_close_now(&s->disk);
    server_stopping = s;
    replica_close(s->replica);
    bury(s);
}

void server_stop(struct server *s)
{
    if (!s->is_up || s->is_leaving || world.nested > 1) {
        return;
    }
    trace(s, "stops");
    world.totals.stops++;
    s->is_leaving = true;
    s->loop[EXECUTOR].until_us = INT64_MAX;
    server_stopping = s;
    replica_close(s->replica);
    stop_saving(s, 0);
    bury(s);
    s->is_leaving = false;
    trace(s, "has stopped");
}

static void empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *found;

    while ((found = readdir(dir)) != NULL) {
        if (found->d_name[0] != '.') {
            unlinkat(dirfd(dir), found->d_name, 0);
        }
    }
    closedir(dir);
}

void server_wipe(struct server *s)
{
    empty_dir(s->dir);
    disk_wipe(&s->disk);
}

void servers_trace(void)
{
    for (unsigned i = 0; i < server_count; i++) {
        struct server *s = &servers[i];
        struct raft *r;
        if (!s->is_up) {
            trace(s, "is down");
            continue;
        }
        r = &s->node->raft;
        trace(s,
              "raft: state %d term %llu last %llu stored %llu commit %llu applied %llu%s; "
              "core:%s%s%s%s%s "
              "index %" PRIu64 "; executor: role %d index %" PRIu64 " sealed %" PRIu64
              " committed %" PRIu64 "%s; disk: %llu-%llu%s%s",
              r->state, r->current_term, raft_last_index(r), r->last_stored, r->commit_index,
              r->last_applied, r->snapshot.installing ? " installing" : "",
              s->node->core.leads ? " leads" : "", s->node->core.ends ? " ends" : "",
              s->node->core.barrier_waits ? " barrier" : "", s->node->core.taking ? " taking" : "",
              s->node->core.installing ? " installing" : "", s->node->core.machine.at.index,
              s->engine->group.role, s->engine->group.applied_index, s->engine->commit.sealed,
              s->engine->commit.committed, s->engine->commit.refusal != NULL ? " refuses" : "",
              s->disk.first, disk_last(&s->disk), s->disk.writes != NULL ? " writes" : "",
              s->disk.is_full ? " full" : "");
    }
}

const char *server_operate(struct server *s, struct operation o)
{
    struct group *g = &s->engine->group;

    o.number = ++g->operations;
    return g->ops->begin(g->ops_context, &o);
}

/* The group at the start. */

static void make(struct server *s, unsigned number, const char *dir)
{
    *s = (struct server){.number = number};
    snprintf(s->dir, sizeof s->dir, "%s/%u", dir, number);
    snprintf(s->address, sizeof s->address, "10.0.0.%u:6379@16379", number);
    s->settings = (struct node_settings){.election_ms = setting.election_ms,
                                         .heartbeat_ms = 50,
                                         .snapshot_bytes = setting.snapshot_bytes};
    snprintf(s->settings.dir, sizeof s->settings.dir, "%s", s->dir);
    snprintf(s->settings.address, sizeof s->settings.address, "%s", s->address);
    mkdir(s->dir, 0700);
    disk_init(&s->disk, s);
}

static void found(void)
{
    struct raft_configuration all;

    raft_configuration_init(&all);
    for (unsigned i = 0; i < setting.founders; i++) {
        struct identity identity = {.id = identity_draw(), .group = group, .has_joined = true};
        snprintf(identity.address, sizeof identity.address, "%s", servers[i].address);
        identity_write(servers[i].dir, &identity);
        raft_configuration_add(&all, identity.id, identity.address, RAFT_VOTER);
    }
    for (unsigned i = 0; i < setting.founders; i++) {
        disk_found(&servers[i].disk, &all);
    }
    raft_configuration_close(&all);
}

void servers_begin(const char *dir)
{
    wire_init();
    server_count = setting.servers;
    group = identity_draw();
    for (unsigned i = 0; i < server_count; i++) {
        make(&servers[i], i + 1, dir);
    }
    found();
    for (unsigned i = 0; i < server_count; i++) {
        server_start(&servers[i]);
    }
}
