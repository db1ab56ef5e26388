#include "engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/batch.h"
#include "engine/call.h"
#include "engine/declared.h"
#include "store/reclaim.h"

#include <assert.h>

struct engine *engine_new(const struct command *const *families, unsigned databases)
{
    struct engine *e = mem_zalloc(sizeof *e);
    uint64_t seed;

    e->data = dataset_new(databases);
    e->journal.data = e->data;
    e->commands = registry_new(families);
    e->settings.proto_max_bulk_len = 512 * 1024 * 1024;
    e->settings.hll_sparse_max_bytes = 3000;
    e->settings.maxmemory_policy = EVICT_NONE;
    e->settings.maxmemory_samples = 5;
    e->settings.lfu_log_factor = 10;
    e->settings.lfu_decay_time = 1;
    e->settings.active_expire = true;
    e->settings.min_replicas_lag_s = 10;
    e->settings.read_consistency = CONSISTENCY_LEADER;
    buf_add(&e->settings.sentinel_name, BYTES("mymaster"));
    e->settings.slowlog_us = -1;
    e->settings.latency_tracking = true;
    random_secret(&seed, sizeof seed);
    random_seed(&e->random, seed);
    logtime_start(&e->time, clock_wall_us(), clock_monotonic_us());
    e->stats.started_ms = logtime_ms(&e->time);
    measures_init(e);
    return e;
}

void engine_free(struct engine *e)
{
    assert(e->sessions == NULL);
    journal_clear(&e->journal);
    dataset_free(e->data);
    commit_clear(&e->commit);
    group_clear(&e->group);
    slowlog_trim(&e->slowlog, 0);
    measures_free(e);
    buf_clear(&e->stale);
    registry_free(e->commands);
    buf_clear(&e->settings.requirepass);
    buf_clear(&e->settings.sentinel_name);
    mem_free(e);
}

bool engine_is_to_stop(struct engine *e)
{
    if (!e->stop) {
        return false;
    }
    if (e->may_stop != NULL && !e->may_stop(e)) {
        e->stop = false;
        return false;
    }
    e->may_stop = NULL;
    return true;
}

void engine_tick(struct engine *e)
{
    logtime_update(&e->time, clock_wall_us(), clock_monotonic_us());
}

const struct command *engine_find_command(const struct engine *e, size_t argc,
                                          const struct bytes *argv,
                                          const struct command **container)
{
    const struct command *cmd = registry_find(e->commands, argv[0]);

    *container = NULL;
    if (cmd != NULL && cmd->subcommands != NULL && argc > 1) {
        *container = cmd;
        return registry_find_sub(cmd, argv[1]);
    }
    return cmd;
}

uint32_t engine_flags(const struct engine *e, const struct command *cmd, const struct bytes *argv)
{
    bool asks = (cmd->flags & COMMAND_SCRIPT) && e->script_flags != NULL;

    return asks ? e->script_flags(e, cmd, argv) : cmd->flags;
}

bool engine_is_over_limit(const struct engine *e)
{
    return e->settings.maxmemory != 0 && mem_used() > e->settings.maxmemory;
}

static bool has_enough_replicas(const struct engine *e)
{
    const struct engine_settings *s = &e->settings;

    return s->min_replicas == 0 || s->min_replicas_lag_s == 0 ||
           group_good_replicas(&e->group, logtime_ms(&e->time), s->min_replicas_lag_s) >=
               (size_t)s->min_replicas;
}

const char *engine_write_refusal(struct engine *e)
{
    if (!group_leads(&e->group)) {
        return group_refusal(&e->group, REFUSED_WRITE);
    }
    if (e->group.joining != 0) { /* It will leave behind what it has. */
        return "TRYAGAIN This server is joining a group";
    }
    if (e->commit.refusal != NULL) {
        return e->commit.refusal;
    }
    if (e->write_refusal != NULL) {
        return e->write_refusal;
    }
    return has_enough_replicas(e) ? NULL : "NOREPLICAS Not enough good replicas to write.";
}

enum { FREED_IN_A_TURN = 500 };

bool engine_free_some(void)
{
    return reclaim_some(FREED_IN_A_TURN);
}

bool engine_has_to_free(void)
{
    return reclaim_pending() > 0;
}

/* Frees what waits for it while memory is over the limit, but not for so long that it
 * would be noticed. Returns whether there is more. */
static bool free_waiting(const struct engine *e)
{
    bool more = reclaim_pending() > 0;

    for (int turns = 0; turns < 20 && more && engine_is_over_limit(e); turns++) {
        more = engine_free_some();
    }
    return more;
}

bool engine_out_of_memory(struct engine *e)
{
    if (!group_leads(&e->group)) { /* What it has to keep is the leader's to decide. */
        return false;
    }
    if (!engine_is_over_limit(e) || e->running.is_script) {
        return engine_is_over_limit(e);
    }
    if (free_waiting(e)) {
        return false;
    }
    if (e->reclaim != NULL) {
        e->reclaim(e);
    }
    /* While eviction gets on, requests may as well. */
    return engine_is_over_limit(e) && !evict(e) && engine_is_over_limit(e);
}

/* Running one command. */

/* Tells of a command to those who want to know before it runs. */
static void announce(const struct call *c)
{
    if (c->engine->tracking.sessions > 0 && (c->command->flags & COMMAND_SCRIPT)) {
        tracking_see_script(c);
    }
    if (c->engine->monitors != NULL && (c->command->flags & COMMAND_SCRIPT)) {
        monitor_show(c);
    }
}

/* Tells of a command to those who want to know behind it. What a script and EXEC run
 * has been told of then: of a script before it. */
static void report(const struct call *c)
{
    if (c->engine->tracking.sessions > 0) {
        tracking_see_call(c);
    }
    if (c->engine->monitors != NULL && !(c->command->flags & COMMAND_SCRIPT)) {
        monitor_show(c);
    }
}

/* Whether the reply depends on the data, or tells of a change to them. */
static bool concerns_data(const struct call *c, const struct journal_mark *before)
{
    enum { DATA = COMMAND_READONLY | COMMAND_WRITE | COMMAND_MAY_REPLICATE | COMMAND_SCRIPT };

    return (c->command->flags & DATA) || c->engine->journal.changes != before->changes;
}

bool engine_run(struct session *s, const struct command *command, struct sink *reply, size_t argc,
                const struct bytes *argv)
{
    struct engine *e = s->engine;
    struct journal_mark mark = journal_mark(&e->journal);
    struct timing timing =
        s->in_script ? measure_begin_inner(e, command) : measure_begin(e, command);
    size_t undo_bytes;
    struct call c = {
        .engine = e,
        .session = s,
        .command = command,
        .argc = argc,
        .argv = argv,
        .keys = e->data->db[s->db],
        .db = s->db,
        .reply = reply,
        .now_ms = logtime_ms(&e->time),
    };

    announce(&c);
    command->run(&c);
    if (concerns_data(&c, &mark)) {
        s->hold.touched = true;
    }
    undo_bytes = e->journal.arena.used - mark.arena.used;
    if (c.failed) {
        batch_rollback(e, mark);
    }
    if (e->journal.changes != mark.changes) {
        s->last_write_seq = commit_next_seq(&e->commit);
    }
    measure_end(&c, &timing, undo_bytes);
    report(&c);
    return !c.failed;
}

/* Calls of scripts. */

static bool fail_call(struct session *s, const struct command *cmd, struct sink *reply,
                      struct bytes text)
{
    if (cmd != NULL) {
        s->engine->measures.commands[cmd->number].rejected++;
    }
    measure_error(s->engine, text);
    reply->ops->error(reply, text);
    return false;
}

static bool fail_undeclared(struct session *s, const struct command *cmd, struct sink *reply,
                            struct bytes key)
{
    BUF_LOCAL(text);

    buf_addf(&text, "ERR Script attempted to access an undeclared key: ");
    buf_add(&text, key);
    return fail_call(s, cmd, reply, buf_bytes(&text));
}

bool engine_call_from_script(struct session *s, struct sink *reply, size_t argc,
                             const struct bytes *argv)
{
    const struct command *container;
    const struct command *cmd = engine_find_command(s->engine, argc, argv, &container);
    const char *refusal = engine_write_refusal(s->engine);
    struct bytes undeclared;

    if (cmd == NULL) {
        return fail_call(s, cmd, reply, BYTES("ERR Unknown Redis command called from script"));
    }
    if (!command_arity_fits(cmd, argc)) {
        return fail_call(s, cmd, reply,
                         BYTES("ERR Wrong number of args calling Redis command from script"));
    }
    if ((cmd->flags & COMMAND_NOSCRIPT) && !(s->engine->settings.scripts_may_test &&
                                             (cmd->flags & (COMMAND_BLOCKING | COMMAND_TEST)))) {
        return fail_call(s, cmd, reply, BYTES("ERR This Redis command is not allowed from script"));
    }
    if (s->read_only && (cmd->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE))) {
        return fail_call(s, cmd, reply,
                         BYTES("ERR Write commands are not allowed from read-only scripts."));
    }
    if (refusal != NULL && (cmd->flags & COMMAND_WRITE)) {
        return fail_call(s, cmd, reply, bytes_of(refusal));
    }
    if ((cmd->flags & COMMAND_DENYOOM) && !s->allow_oom && engine_out_of_memory(s->engine)) {
        return fail_call(s, cmd, reply,
                         BYTES("OOM command not allowed when used memory > 'maxmemory'."));
    }
    if (s->declared != NULL && !declared_allow(s->declared, cmd, argc, argv, &undeclared)) {
        return fail_undeclared(s, cmd, reply, undeclared);
    }
    s->engine->stats.commands++;
    return engine_run(s, cmd, reply, argc, argv);
}
