#include "script/run.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/declared.h"
#include "script/convert.h"
#include "script/error.h"
#include "script/json.h"
#include "script/names.h"
#include "script/profile.h"
#include "script/random.h"
#include "script/retry.h"
#include "script/sandbox.h"

#include <ctype.h>
#include <inttypes.h>
#include <lauxlib.h>

const char *const script_flag_names[] = {
    "no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys", NULL,
};

unsigned script_flag_of(struct bytes name)
{
    for (unsigned i = 0; script_flag_names[i] != NULL; i++) {
        if (bytes_equal(name, bytes_of(script_flag_names[i]))) {
            return 1u << i;
        }
    }
    return 0;
}

bool script_may_run(struct call *c, unsigned flags, bool read_only)
{
    const char *refusal;

    if (!(flags & SCRIPT_DECLARED)) {
        return true;
    }
    if (read_only && !(flags & SCRIPT_NO_WRITES)) {
        call_fail(c, "ERR Can not execute a script with write flag using *_ro command.");
        return false;
    }
    refusal = engine_write_refusal(c->engine);
    if (refusal != NULL && !(flags & SCRIPT_NO_WRITES)) {
        call_fail(c, "%s", refusal);
        return false;
    }
    if (!(flags & (SCRIPT_NO_WRITES | SCRIPT_ALLOW_OOM)) && engine_out_of_memory(c->engine)) {
        call_fail(c, "OOM allow-oom flag is not set on the script, can not run it when used "
                     "memory > 'maxmemory'");
        return false;
    }
    return true;
}

bool script_read_key_count(struct call *c, const char *no_number, size_t *keys)
{
    int64_t count;

    if (!number_parse_int(c->argv[2], &count)) {
        call_fail(c, "ERR %s", no_number);
        return false;
    }
    if (count > (int64_t)c->argc - 3) {
        call_fail(c, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    if (count < 0) {
        call_fail(c, "ERR Number of keys can't be negative");
        return false;
    }
    *keys = (size_t)count;
    return true;
}

/* Inside. */

/* Names are whatever a script calls; an error is one line. */
static void note_failed_call(struct use *u, struct bytes name)
{
    size_t len = name.len < sizeof u->failed_call ? name.len : sizeof u->failed_call - 1;

    for (size_t i = 0; i < len; i++) {
        u->failed_call[i] = isgraph((unsigned char)name.at[i]) ? name.at[i] : '?';
    }
    u->failed_call[len] = '\0';
}

/* Between the two lines that set in_call the script cannot be left. */
bool script_run_command(struct runtime *r, size_t argc, const struct bytes *argv)
{
    uint64_t changes = r->engine->journal.changes;
    bool ok;

    r->in_call = 1;
    ok = engine_call_from_script(&r->session, &r->sink.sink, argc, argv);
    r->use->writes += r->engine->journal.changes != changes;
    if (!ok) {
        note_failed_call(r->use, argv[0]);
    }
    r->in_call = 0;
    runtime_limit_undo(r);
    if (__builtin_expect(r->pending, 0)) {
        profile_count(r, r->sink.lua); /* The line is that of the call, still. */
        runtime_interrupt(r);
    }
    return ok;
}

static void push_list(lua_State *lua, const struct bytes *items, size_t count)
{
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(lua, items[i].at, items[i].len);
        lua_rawseti(lua, -2, (int)i + 1);
    }
}

void script_push_keys(lua_State *lua, const struct use *u)
{
    push_list(lua, u->call->argv + SCRIPT_FIRST_KEY, u->keys);
}

void script_push_arguments(lua_State *lua, const struct use *u)
{
    size_t first = SCRIPT_FIRST_KEY + u->keys;

    push_list(lua, u->call->argv + first, u->call->argc - first);
}

/* An error that a script returns undoes nothing, but is one to those who count. */
static void note_returned(struct runtime *r, const struct use *u)
{
    struct bytes text;
    bool counted;

    if (!error_is_returned(r->lua, &text, &counted)) {
        return;
    }
    u->call->returned_error = true;
    if (!counted) {
        r->in_call = 1;
        measure_error(r->engine, text);
        r->in_call = 0;
    }
}

/* Without the place of the error: it is in none. */
static void fail_reply(struct runtime *r, struct use *u)
{
    r->in_call = 1;
    buf_addf(&u->text, "ERR reached lua stack limit");
    r->in_call = 0;
    u->failed = true;
}

void script_call(struct runtime *r, struct use *u, int args)
{
    lua_State *lua = r->lua;

    script_json_reset(lua);
    script_names_reset(lua);
    if (lua_pcall(lua, args, 1, SANDBOX_ON_ERROR) == 0) {
        note_returned(r, u);
        if (!convert_reply(r, lua, u->call->reply)) {
            fail_reply(r, u);
        }
        return;
    }
    if (u->retries) {
        return;
    }
    r->in_call = 1;
    u->counted = error_describe(lua, u->name, u->line, &u->text);
    r->in_call = 0;
    u->failed = true;
}

/* Outside. */

/* Says which limit was exceeded: the server's or the script's own. */
static void describe_limit(const char *option, int64_t limit, const char *unit, bool is_own,
                           struct buf *text)
{
    buf_addf(text, "ERR Script exceeded %s%s (%" PRId64 " %s)", is_own ? "its own " : "", option,
             limit, unit);
}

static void describe_time(const struct runtime *r, struct buf *text)
{
    bool is_own = r->quota.time_ms != r->settings->time_limit_ms;

    describe_limit(is_own ? "timeout" : "script-time-limit", r->quota.time_ms, "ms", is_own, text);
    buf_addf(text, ".");
}

static void describe_memory(const struct runtime *r, struct buf *text)
{
    bool is_own = r->quota.memory != 0;
    size_t limit = is_own ? r->quota.memory : r->settings->memory_limit;

    describe_limit(is_own ? "memory" : "script-memory-limit", (int64_t)limit, "bytes", is_own,
                   text);
    buf_addf(text, ": not enough memory.");
}

/* Says why a script was ended from outside. */
static void describe_end(const struct runtime *r, enum runtime_end end, struct use *u)
{
    struct buf *text = &u->text;

    switch (end) {
    case RUNTIME_DONE:
        return;
    case RUNTIME_KILLED:
        buf_addf(text, "ERR Script killed by user with %s KILL.",
                 u->is_function ? "FUNCTION" : "SCRIPT");
        break;
    case RUNTIME_TIME:
        describe_time(r, text);
        break;
    case RUNTIME_MEMORY:
        describe_memory(r, text);
        break;
    case RUNTIME_UNDO:
        describe_limit("script-undo-limit", (int64_t)r->settings->undo_limit, "bytes", false, text);
        buf_addf(text, ": not enough memory.");
        break;
    case RUNTIME_STACK:
        buf_addf(text, "ERR Script overflowed the C stack.");
        break;
    case RUNTIME_STOPPED:
        buf_addf(text, "ERR Script ended because the server is shutting down.");
        break;
    case RUNTIME_FAILED:
        buf_addf(text, "%s", r->failure);
        break;
    }
    buf_addf(text, " script: %s", u->name);
    log_write(LOG_WARNING, "%.*s", (int)text->len, text->at);
}

enum runtime_end script_run_vm(struct use *u, void (*work)(struct runtime *r, void *context),
                               void *context)
{
    struct engine *engine = u->call->engine;
    struct runtime *r = engine->script;
    enum runtime_end end;

    r->use = u;
    end = runtime_run(r, &u->quota, work, context);
    if (__builtin_expect(r->samples != 0, 0)) { /* There was no next instruction. */
        profile_count(r, NULL);
    }
    r->use = NULL;
    if (end != RUNTIME_DONE) {
        /* It may have failed by itself before, and been ended while that was written. */
        u->text.len = 0;
        u->counted = false;
        describe_end(r, end, u);
        u->failed = true;
        u->retries = false;
    }
    return end;
}

/* Behind what Redis says of an error stands what it does not know: which call it was,
 * and that what was written before it is gone. */
static void add_consequences(struct use *u)
{
    bool tells_call = u->counted && u->failed_call[0] != '\0';

    if (!tells_call && u->writes == 0) {
        return;
    }
    buf_addf(&u->text, " [");
    if (tells_call) {
        buf_addf(&u->text, "in %s", u->failed_call);
    }
    if (u->writes > 0) {
        buf_addf(&u->text, "%s%zu %s rolled back", tells_call ? ", " : "", u->writes,
                 u->writes == 1 ? "write" : "writes");
    }
    buf_addf(&u->text, "]");
}

enum runtime_end script_use_vm(struct use *u, void (*work)(struct runtime *r, void *context),
                               void *context)
{
    enum runtime_end end = script_run_vm(u, work, context);

    if (u->failed) {
        add_consequences(u);
    }
    if (u->failed && u->counted) {
        call_fail_counted(u->call, buf_bytes(&u->text));
    } else if (u->failed) {
        call_fail_text(u->call, buf_bytes(&u->text));
    }
    buf_clear(&u->text);
    return end;
}

static enum rollback_reason reason_of(const struct use *u, enum runtime_end end)
{
    static const enum rollback_reason reasons[] = {
        [RUNTIME_DONE] = ROLLBACK_ERROR,       [RUNTIME_KILLED] = ROLLBACK_KILL,
        [RUNTIME_TIME] = ROLLBACK_TIME,        [RUNTIME_MEMORY] = ROLLBACK_MEMORY,
        [RUNTIME_UNDO] = ROLLBACK_UNDO,        [RUNTIME_STACK] = ROLLBACK_STACK,
        [RUNTIME_STOPPED] = ROLLBACK_SHUTDOWN, [RUNTIME_FAILED] = ROLLBACK_ERROR,
    };

    return end == RUNTIME_DONE && u->rolls_back ? ROLLBACK_ASKED : reasons[end];
}

static void count_outcome(const struct use *u, enum runtime_end end, uint64_t changes)
{
    struct outcomes *all = &u->call->engine->script->outcomes;
    struct tally *own = u->tally;

    all->calls++;
    own->outcomes.calls++;
    if (u->failed) {
        all->rollbacks[reason_of(u, end)]++;
        own->outcomes.rollbacks[reason_of(u, end)]++;
        own->undone += changes;
    } else {
        all->errors += u->call->returned_error;
        own->outcomes.errors += u->call->returned_error;
        own->changes += changes;
    }
}

void script_use(struct use *u, unsigned flags, bool read_only,
                void (*work)(struct runtime *r, void *context), void *context)
{
    struct engine *engine = u->call->engine;
    struct runtime *r = engine->script;
    struct session *s = &r->session;
    struct declared declared = {
        .policy = (enum strict_keys)r->settings->strict_keys,
        .script = u->name,
        .warned = u->warned,
        .key = u->call->argv + SCRIPT_FIRST_KEY,
        .count = u->keys,
    };
    uint64_t commands = engine->measures.inner;
    struct journal_mark start = journal_mark(&engine->journal);
    enum runtime_end end;

    s->declared = declared.policy == STRICT_NO ? NULL : &declared;
    s->db = u->call->db;
    s->read_only = read_only || (flags & SCRIPT_NO_WRITES);
    s->allow_oom = (flags & SCRIPT_ALLOW_OOM) != 0;
    r->sink.sink.version = RESP2;
    script_random_begin(r);
    end = script_use_vm(u, work, context);
    declared_clear(&declared);
    if (!s->dry_run) {
        tally_add(u->tally, runtime_elapsed_ticks(r), engine->measures.inner - commands,
                  r->heap.peak - r->heap_start);
    }
    if (u->retries) {
        retry_wait(u, start);
    } else if (!s->dry_run) {
        count_outcome(u, end, engine->journal.changes - start.changes);
    }
    mem_free(u->wish_owner);
}
