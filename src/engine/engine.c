#include "engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/observe.h"
#include "store/reclaim.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

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
    slowlog_trim(&e->slowlog, 0);
    measures_free(e);
    buf_clear(&e->stale);
    registry_free(e->commands);
    buf_clear(&e->settings.requirepass);
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

bool engine_is_over_limit(const struct engine *e)
{
    return e->settings.maxmemory != 0 && mem_used() > e->settings.maxmemory;
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

/* Batches: what one request of a client, with all that it calls, changes. */

static void batch_begin(struct engine *e, bool keeps_undo)
{
    struct journal *j = &e->journal;

    j->keeps_redo = e->log.append != NULL;
    j->keeps_undo = keeps_undo || j->keeps_redo || observe_wanted(e);
    e->batch = journal_mark(j);
    e->measures.inner = 0;
}

static void batch_end(struct engine *e)
{
    struct journal *j = &e->journal;

    if (j->newest == NULL) {
        return;
    }
    if (e->log.append != NULL && !e->log.append(e, buf_bytes(&j->redo), e->log.context)) {
        journal_rollback(j, e->batch);
        return;
    }
    observe_batch(e);
    journal_commit(j);
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

static bool run(struct session *s, const struct command *command, struct sink *reply, size_t argc,
                const struct bytes *argv)
{
    struct engine *e = s->engine;
    struct journal_mark mark = journal_mark(&e->journal);
    struct timing timing = s->in_script ? measure_begin_inner(e) : measure_begin(e, command);
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
    undo_bytes = e->journal.arena.used - mark.arena.used;
    if (c.failed) {
        journal_rollback(&e->journal, mark);
    }
    measure_end(&c, &timing, undo_bytes);
    report(&c);
    return !c.failed;
}

void engine_run(struct session *s, const struct command *command, struct sink *reply, size_t argc,
                const struct bytes *argv)
{
    run(s, command, reply, argc, argv);
}

/* Requests of clients. */

/* Behind another code, the general one is not told. */
static void drop_code(char *text)
{
    static const char code[] = "ERR ";
    size_t len = strlen(code);

    if (strncmp(text, code, len) == 0) {
        memmove(text, text + len, strlen(text + len) + 1);
    }
}

/* A request that is refused before it runs. What a transaction cannot queue makes
 * the whole of it fail; an EXEC that is refused ends it. */
__attribute__((format(printf, 3, 4))) static void
refuse(struct session *s, const struct command *cmd, const char *format, ...)
{
    struct sink *reply = session_sink(s);
    char text[512] = "EXECABORT Transaction discarded because of: ";
    size_t start = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + start, sizeof text - start, format, args);
    va_end(args);

    if (cmd != NULL) {
        s->engine->measures.commands[cmd->number].rejected++;
    }
    if (cmd != NULL && (cmd->flags & COMMAND_EXECUTES)) {
        session_drop_queue(s);
        watch_drop_all(&s->engine->watchers, s);
        drop_code(text + start);
        start = 0;
    }
    measure_error(s->engine, bytes_of(text + start));
    s->multi_failed |= s->in_multi;
    reply->ops->error(reply, bytes_of(text + start));
}

static void refuse_unknown(struct session *s, size_t argc, const struct bytes *argv)
{
    enum { SHOWN = 128 };
    BUF_LOCAL(args);

    for (size_t i = 1; i < argc && args.len < SHOWN; i++) {
        int room = (int)(SHOWN - args.len);
        int len = argv[i].len < (size_t)room ? (int)argv[i].len : room;
        buf_addf(&args, "'%.*s' ", len, argv[i].at);
    }
    refuse(s, NULL, "ERR unknown command '%.*s', with args beginning with: %.*s",
           argv[0].len < SHOWN ? (int)argv[0].len : SHOWN, argv[0].at, (int)args.len,
           args.len > 0 ? args.at : "");
}

static void refuse_unknown_sub(struct session *s, const struct command *container,
                               struct bytes name)
{
    char capitals[32];
    size_t i;

    for (i = 0; container->name[i] != '\0' && i < sizeof capitals - 1; i++) {
        capitals[i] = (char)toupper((unsigned char)container->name[i]);
    }
    capitals[i] = '\0';
    refuse(s, NULL, "ERR unknown subcommand '%.*s'. Try %s HELP.",
           name.len < 128 ? (int)name.len : 128, name.at, capitals);
}

static void refuse_arity(struct session *s, const struct command *container,
                         const struct command *cmd)
{
    refuse(s, cmd, "ERR wrong number of arguments for '%s%s%s' command",
           container != NULL ? container->name : "", container != NULL ? "|" : "", cmd->name);
}

static void refuse_subscribed(struct session *s, const struct command *cmd)
{
    BUF_LOCAL(name);

    command_add_name(cmd, &name);
    refuse(s, cmd,
           "ERR Can't execute '%.*s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
           "are allowed in this context",
           (int)name.len, name.at);
}

/* Returns whether a request is to run something with this flag: itself, or what is queued. */
static bool has_flag(const struct session *s, const struct command *cmd, uint32_t flag)
{
    if (cmd->flags & COMMAND_EXECUTES) {
        for (size_t i = 0; i < s->queue_len; i++) {
            if (s->queue[i].command->flags & flag) {
                return true;
            }
        }
    }
    return (cmd->flags & flag) != 0;
}

/* Checks what does not depend on the arguments. Returns false, having refused the
 * request, if it may not run now. */
static bool may_run(struct session *s, const struct command *cmd)
{
    struct engine *e = s->engine;

    if (!s->authenticated && e->settings.requirepass.len > 0 && !(cmd->flags & COMMAND_NO_AUTH)) {
        refuse(s, cmd, "NOAUTH Authentication required.");
        return false;
    }
    if (e->running.is_busy && !(cmd->flags & COMMAND_ALLOW_BUSY)) {
        refuse(s, cmd,
               "BUSY Redis is busy running a script. You can only call %s KILL or SHUTDOWN "
               "NOSAVE.",
               e->running.is_function ? "FUNCTION" : "SCRIPT");
        return false;
    }
    if (engine_out_of_memory(e) && has_flag(s, cmd, COMMAND_DENYOOM)) {
        refuse(s, cmd, "OOM command not allowed when used memory > 'maxmemory'.");
        return false;
    }
    if (e->write_refusal != NULL && has_flag(s, cmd, COMMAND_WRITE)) {
        refuse(s, cmd, "%s", e->write_refusal);
        return false;
    }
    if (e->settings.min_replicas > 0 && has_flag(s, cmd, COMMAND_WRITE)) {
        refuse(s, cmd, "NOREPLICAS Not enough good replicas to write.");
        return false;
    }
    if (s->subscriptions.count > 0 && s->sink.sink.version == RESP2 &&
        !(cmd->flags & COMMAND_SUBSCRIBED)) {
        refuse_subscribed(s, cmd);
        return false;
    }
    if (s->monitors && (cmd->flags & (COMMAND_WRITE | COMMAND_READONLY | COMMAND_MAY_REPLICATE))) {
        refuse(s, cmd, "ERR Replica can't interact with the keyspace");
        return false;
    }
    if (s->in_multi && (cmd->flags & COMMAND_NO_MULTI)) {
        refuse(s, cmd, "ERR Command not allowed inside a transaction");
        return false;
    }
    return true;
}

static void expire_stale(struct engine *e);

static void run_request(struct session *s, const struct command *cmd, size_t argc,
                        const struct bytes *argv)
{
    struct engine *e = s->engine;
    struct session *outer = e->client; /* Whose script has opened the busy door. */
    struct sink *reply = session_sink(s);

    if (e->tracking.keys != NULL && !e->running.is_script) {
        tracking_limit(e);
    }
    if (s->in_multi && !(cmd->flags & COMMAND_IMMEDIATE)) {
        if (!s->multi_failed && !s->watch_failed) { /* Else it will not run anyway. */
            session_queue(s, cmd, argc, argv);
        }
        reply->ops->status(reply, BYTES("QUEUED"));
        return;
    }
    e->client = s;
    if (e->running.is_script) { /* In the busy door: the journal is the script's. */
        run(s, cmd, reply, argc, argv);
        e->client = outer;
        return;
    }
    batch_begin(e, !(cmd->flags & COMMAND_DIRECT));
    run(s, cmd, reply, argc, argv);
    batch_end(e);
    e->client = outer;
    if (e->waiting.ready_first != NULL) {
        block_serve(e);
    }
    if (e->stale.len > 0) {
        expire_stale(e);
    }
}

static void note_request(struct session *s, const struct command *container,
                         const struct command *cmd)
{
    s->active_ms = logtime_ms(&s->engine->time);
    s->last_command = container != NULL ? container : cmd;
    s->last_subcommand = container != NULL ? cmd->name : NULL;
}

static void handle_request(struct session *s, size_t argc, const struct bytes *argv)
{
    const struct command *container;
    const struct command *cmd = engine_find_command(s->engine, argc, argv, &container);

    if (cmd == NULL && container != NULL) {
        refuse_unknown_sub(s, container, argv[1]);
    } else if (cmd == NULL) {
        refuse_unknown(s, argc, argv);
    } else if (!command_arity_fits(cmd, argc)) {
        refuse_arity(s, container, cmd);
    } else {
        note_request(s, container, cmd);
        if (!may_run(s, cmd)) {
            return;
        }
        if (s->engine->pause.kind != PAUSE_NONE && pause_holds(s, cmd, argc, argv)) {
            block_postpone(s, argc, argv);
        } else {
            run_request(s, cmd, argc, argv);
        }
    }
}

/* CLIENT REPLY SKIP and CLIENT CACHING are about one request, however often that runs. */
static void end_request(struct session *s)
{
    if (s->wait != NULL) {
        return;
    }
    if (s->tracker != NULL) {
        tracking_end_request(s);
    }
    if (s->reply_mode == REPLY_SKIP) {
        s->reply_mode = REPLY_SKIP_NEXT;
    } else if (s->reply_mode == REPLY_SKIP_NEXT) {
        s->reply_mode = REPLY_ON;
    }
}

void engine_execute(struct session *s, size_t argc, const struct bytes *argv)
{
    assert(argc > 0);
    assert(s->wait == NULL);
    resp_sink_begin(&s->sink);
    s->engine->stats.commands++;
    handle_request(s, argc, argv);
    end_request(s);
}

void engine_run_again(struct session *s, size_t argc, const struct bytes *argv)
{
    resp_sink_begin(&s->sink);
    handle_request(s, argc, argv);
    end_request(s);
}

/* Returns what is probably the first key of a request: nearly all commands name it
 * first, scripts behind the number of their keys. A wrong guess does no harm. */
static struct bytes likely_key(const struct request *r)
{
    bool is_script = r->argv[0].len >= 4 && bytes_is((struct bytes){r->argv[0].at, 4}, "eval");

    return is_script && r->argc > 3 ? r->argv[3] : r->argv[1];
}

void engine_prepare(const struct session *s, const struct request *requests, size_t count)
{
    struct bytes key[ENGINE_BATCH];
    size_t keys = 0;

    assert(count <= ENGINE_BATCH);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].argc > 1) {
            key[keys++] = likely_key(&requests[i]);
        }
    }
    if (keys > 1) {
        keyspace_prefetch(s->engine->data->db[s->db], key, keys);
    }
    measure_row(s->engine);
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

bool engine_call_from_script(struct session *s, struct sink *reply, size_t argc,
                             const struct bytes *argv)
{
    const struct command *container;
    const struct command *cmd = engine_find_command(s->engine, argc, argv, &container);

    if (cmd == NULL) {
        return fail_call(s, cmd, reply, BYTES("ERR Unknown Redis command called from script"));
    }
    if (!command_arity_fits(cmd, argc)) {
        return fail_call(s, cmd, reply,
                         BYTES("ERR Wrong number of args calling Redis command from script"));
    }
    if ((cmd->flags & COMMAND_NOSCRIPT) &&
        !(s->engine->settings.scripts_may_wait && (cmd->flags & COMMAND_BLOCKING))) {
        return fail_call(s, cmd, reply, BYTES("ERR This Redis command is not allowed from script"));
    }
    if (s->read_only && (cmd->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE))) {
        return fail_call(s, cmd, reply,
                         BYTES("ERR Write commands are not allowed from read-only scripts."));
    }
    if (s->engine->settings.min_replicas > 0 && (cmd->flags & COMMAND_WRITE)) {
        return fail_call(s, cmd, reply, BYTES("NOREPLICAS Not enough good replicas to write."));
    }
    if ((cmd->flags & COMMAND_DENYOOM) && !s->allow_oom && engine_out_of_memory(s->engine)) {
        return fail_call(s, cmd, reply,
                         BYTES("OOM command not allowed when used memory > 'maxmemory'."));
    }
    if ((cmd->flags & COMMAND_WRITE) && s->engine->write_refusal != NULL) {
        return fail_call(s, cmd, reply, bytes_of(s->engine->write_refusal));
    }
    s->engine->stats.commands++;
    return run(s, cmd, reply, argc, argv);
}

/* Expiry. */

static void expire(struct engine *e, unsigned db, struct bytes key)
{
    batch_begin(e, false);
    engine_event(e, db, EVENT_EXPIRED, "expired", key);
    journal_make(&e->journal, change_unbind(db, key));
    batch_end(e);
    e->stats.expired_keys++;
    block_serve(e);
}

static void expire_field(struct engine *e, unsigned db, const struct value *hash,
                         struct bytes field)
{
    struct bytes key = value_key(hash);

    batch_begin(e, false);
    engine_event(e, db, EVENT_HASH, "hexpired", key);
    journal_make(&e->journal, change_field_remove(db, key, field));
    if (value_is_over(hash)) {
        engine_event(e, db, EVENT_GENERIC, "del", key);
        journal_make(&e->journal, change_unbind(db, key));
    }
    batch_end(e);
    e->stats.expired_fields++;
    block_serve(e);
}

void engine_evict(struct engine *e, unsigned db, struct bytes key)
{
    batch_begin(e, false);
    engine_event(e, db, EVENT_EVICTED, "evicted", key);
    journal_make(&e->journal, change_unbind(db, key));
    batch_end(e);
    e->stats.evicted_keys++;
    block_serve(e);
}

void engine_expire_now(struct engine *e, unsigned db, struct bytes key)
{
    const struct value *v = keyspace_find_any(e->data->db[db], key);

    if (v == NULL || e->running.is_script || e->journal.newest != NULL || pause_stops_writes(e) ||
        keyspace_find(e->data->db[db], key, logtime_ms(&e->time)) != NULL) {
        return;
    }
    expire(e, db, key);
}

/* Removes one key or field of a database that has expired. Returns false if there was
 * none. */
static bool expire_one(struct engine *e, unsigned db, int64_t now_ms)
{
    const struct value *v = keyspace_first_expired(e->data->db[db], now_ms);
    struct bytes field;

    if (v != NULL) {
        expire(e, db, value_key(v));
        return true;
    }
    v = keyspace_first_expired_field(e->data->db[db], now_ms, &field);
    if (v != NULL) {
        expire_field(e, db, v, field);
    }
    return v != NULL;
}

/* What is in engine->stale, in front of each key. */
struct stale {
    unsigned db;
    size_t len;
};

void engine_note_stale(struct engine *e, unsigned db, struct bytes key)
{
    enum { STALE_MAX = 64 * 1024 }; /* More will be removed without being asked for. */
    struct stale stale = {db, key.len};

    if (e->stale.len < STALE_MAX) {
        buf_add(&e->stale, (struct bytes){(const char *)&stale, sizeof stale});
        buf_add(&e->stale, key);
    }
}

static void expire_stale(struct engine *e)
{
    struct buf all = e->stale;
    size_t at = 0;

    e->stale = (struct buf){0};
    while (at < all.len) {
        struct stale stale;
        memcpy(&stale, all.at + at, sizeof stale);
        at += sizeof stale;
        engine_expire_now(e, stale.db, (struct bytes){all.at + at, stale.len});
        at += stale.len;
    }
    buf_clear(&all);
}

static bool expire_until(struct engine *e, int64_t end_us)
{
    enum { PACE = 32 }; /* Removals between two looks at the clock. */
    int64_t now_ms = logtime_ms(&e->time);

    assert(!e->running.is_script);
    for (unsigned db = 0; e->settings.active_expire && db < e->data->count; db++) {
        unsigned done = 0;
        while (expire_one(e, db, now_ms)) {
            if (++done % PACE == 0 && clock_monotonic_us() >= end_us) {
                return true;
            }
        }
    }
    return false;
}

bool engine_expire(struct engine *e, int64_t budget_us)
{
    int64_t start_us = clock_monotonic_us();
    bool more = !pause_stops_writes(e) && expire_until(e, start_us + budget_us);
    int64_t spent_us = clock_monotonic_us() - start_us;

    e->stats.expire_us += (uint64_t)spent_us;
    e->stats.expire_capped += more;
    latency_note(e, LATENCY_EXPIRE_CYCLE, (uint64_t)spent_us / 1000);
    return more;
}

void engine_kill(struct engine *e, struct session *victim, const struct session *self)
{
    (void)e;
    if (victim == self || victim->close == NULL) {
        victim->closing = true;
    } else {
        victim->close(victim);
    }
}
