/* MULTI, EXEC and WATCH. What is queued, and when, is the engine's business. */
#include "base/mem.h"
#include "command/families.h"
#include "engine/call.h"
#include "engine/expiry.h"

static void forget_transaction(struct call *c)
{
    session_drop_queue(c->session);
    watch_drop_all(&c->engine->watchers, c->session);
}

static void discard(struct call *c)
{
    if (!c->session->in_multi) {
        call_fail(c, "ERR DISCARD without MULTI");
        return;
    }
    forget_transaction(c);
    reply_ok(c);
}

/* What became of a transaction. */
struct outcome {
    size_t failed; /* The first request that failed, from 1 on; 0: none. */
    const struct command *command;
};

/* Runs what was queued, up to the first failure if that undoes all. */
static struct outcome run_each(struct call *c, const struct queued *queue, size_t len)
{
    struct session *s = c->session;

    for (size_t i = 0; i < len; i++) {
        resp_sink_begin(&s->sink); /* A command that fails drops its own reply only. */
        if (!engine_run(s, queue[i].command, c->reply, queue[i].argc, queue[i].argv) &&
            c->engine->settings.transaction_rollback) {
            return (struct outcome){i + 1, queue[i].command};
        }
    }
    return (struct outcome){0};
}

/* The reply of the request that failed is the last that was written. */
static void undo_all(struct call *c, struct outcome o, size_t reply_start)
{
    struct session *s = c->session;
    BUF_LOCAL(text);

    buf_addf(&text, "EXECABORT Transaction rolled back because command %zu (", o.failed);
    command_add_name(o.command, &text);
    buf_addf(&text, ") failed: ");
    buf_add(&text, resp_sink_error(&s->sink));
    s->sink.start = reply_start;
    call_fail_text(c, buf_bytes(&text));
}

/* The session is in_multi until all that was queued has run, so that a command can tell
 * that it must not wait for anything; but the queue is no longer its own, for whatever a
 * command may do to the session. */
static void run_queue(struct call *c)
{
    struct session *s = c->session;
    struct queued *queue = TAKE(s->queue);
    size_t len = s->queue_len;
    size_t reply_start = s->sink.start;
    unsigned db = s->db;
    struct outcome outcome;

    s->queue_len = 0;
    watch_drop_all(&c->engine->watchers, s);
    reply_array(c, len);
    outcome = run_each(c, queue, len);
    if (outcome.failed > 0) {
        undo_all(c, outcome, reply_start);
        s->db = db;
    }
    for (size_t i = 0; i < len; i++) {
        mem_free(queue[i].argv);
    }
    mem_free(queue);
    session_drop_queue(s);
}

/* That a request could not be queued matters more than that a key has changed. */
static void exec(struct call *c)
{
    struct session *s = c->session;

    if (!s->in_multi) {
        call_fail(c, "ERR EXEC without MULTI");
        return;
    }
    if (s->multi_failed) {
        forget_transaction(c);
        call_fail(c, "EXECABORT Transaction discarded because of previous errors.");
        return;
    }
    if (s->watch_failed || watch_has_expired(s, c->engine->data, c->now_ms)) {
        forget_transaction(c);
        reply_nil_array(c);
        return;
    }
    run_queue(c);
}

static void multi(struct call *c)
{
    if (c->session->in_multi) {
        call_fail(c, "ERR MULTI calls can not be nested");
        return;
    }
    c->session->in_multi = true;
    reply_ok(c);
}

static void unwatch(struct call *c)
{
    watch_drop_all(&c->engine->watchers, c->session);
    reply_ok(c);
}

/* A key that has expired is removed first: its removal later on would be nothing new
 * to who watches it from now on. */
static void watch(struct call *c)
{
    if (c->session->in_multi) {
        call_fail(c, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (size_t i = 1; i < c->argc; i++) {
        expiry_remove(c->engine, c->db, c->argv[i]);
        watch_add(&c->engine->watchers, c->session, c->db, c->argv[i]);
    }
    reply_ok(c);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
    AT_ONCE = ANY_TIME | COMMAND_FAST | COMMAND_ALLOW_BUSY | COMMAND_IMMEDIATE,
};

const struct command transaction_commands[] = {
    {.name = "discard", .arity = 1, .flags = AT_ONCE, .run = discard, .group = "transactions", .since = "2.0.0", .complexity = "O(N) with N queued requests", .summary = "Forgets what was queued since MULTI, and what is watched", .syntax = ""},
    {.name = "exec", .arity = 1, .flags = ANY_TIME | COMMAND_SKIP_SLOWLOG | COMMAND_IMMEDIATE | COMMAND_EXECUTES, .run = exec, .group = "transactions", .since = "1.2.0", .complexity = "That of the queued requests", .summary = "Runs what was queued since MULTI, unless a watched key has changed", .syntax = ""},
    {.name = "multi", .arity = 1, .flags = AT_ONCE, .run = multi, .group = "transactions", .since = "1.2.0", .complexity = "O(1)", .summary = "Begins to queue requests for EXEC", .syntax = ""},
    {.name = "unwatch", .arity = 1, .flags = ANY_TIME | COMMAND_FAST | COMMAND_ALLOW_BUSY, .run = unwatch, .group = "transactions", .since = "2.2.0", .complexity = "O(1)", .summary = "Forgets what is watched", .syntax = ""},
    {.name = "watch", .arity = -2, .flags = AT_ONCE, .keys = {ALL_KEYS(KEY_RO)}, .run = watch, .group = "transactions", .since = "2.2.0", .complexity = "O(1) for each key", .summary = "Makes the next EXEC depend on that nobody changes these keys", .syntax = "key [key ...]"},
    {0},
};
