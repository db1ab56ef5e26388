#include "script/run.h"

#include "base/log.h"
#include "script/convert.h"
#include "script/error.h"
#include "script/json.h"
#include "script/random.h"
#include "script/sandbox.h"

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
    if (!(flags & SCRIPT_DECLARED)) {
        return true;
    }
    if (read_only && !(flags & SCRIPT_NO_WRITES)) {
        call_fail(c, "ERR Can not execute a script with write flag using *_ro command.");
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

void script_push_list(lua_State *lua, const struct bytes *items, size_t count)
{
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(lua, items[i].at, items[i].len);
        lua_rawseti(lua, -2, (int)i + 1);
    }
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

void script_call(struct runtime *r, struct use *u, int args)
{
    lua_State *lua = r->lua;

    script_json_reset(lua);
    if (lua_pcall(lua, args, 1, SANDBOX_ON_ERROR) == 0) {
        note_returned(r, u);
        convert_reply(r, lua, u->call->reply);
        return;
    }
    r->in_call = 1;
    u->counted = error_describe(lua, u->name, u->line, &u->text);
    r->in_call = 0;
    u->failed = true;
}

/* Outside. */

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
        buf_addf(text, "ERR Script exceeded script-time-limit (%" PRId64 " ms).",
                 r->settings->time_limit_ms);
        break;
    case RUNTIME_MEMORY:
        buf_addf(text, "ERR Script exceeded script-memory-limit (%zu bytes): not enough memory.",
                 r->settings->memory_limit);
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

enum runtime_end script_run_vm(struct use *u, int64_t time_limit_ms,
                               void (*work)(struct runtime *r, void *context), void *context)
{
    struct engine *engine = u->call->engine;
    struct runtime *r = engine->script;
    enum runtime_end end;

    r->use = u;
    end = runtime_run(r, time_limit_ms, work, context);
    r->use = NULL;
    if (end != RUNTIME_DONE) {
        /* It may have failed by itself before, and been ended while that was written. */
        u->text.len = 0;
        u->counted = false;
        describe_end(r, end, u);
        u->failed = true;
        engine->stats.script_kills++;
    }
    return end;
}

void script_use_vm(struct use *u, int64_t time_limit_ms,
                   void (*work)(struct runtime *r, void *context), void *context)
{
    script_run_vm(u, time_limit_ms, work, context);
    if (u->failed && u->counted) {
        call_fail_counted(u->call, buf_bytes(&u->text));
    } else if (u->failed) {
        call_fail_text(u->call, buf_bytes(&u->text));
    }
    buf_clear(&u->text);
}

void script_use(struct use *u, unsigned flags, bool read_only,
                void (*work)(struct runtime *r, void *context), void *context)
{
    struct engine *engine = u->call->engine;
    struct runtime *r = engine->script;
    struct session *s = &r->session;

    s->db = u->call->db;
    s->read_only = read_only || (flags & SCRIPT_NO_WRITES);
    s->allow_oom = (flags & SCRIPT_ALLOW_OOM) != 0;
    r->sink.sink.version = RESP2;
    script_random_reset(r);
    engine->stats.scripts++;
    script_use_vm(u, r->settings->time_limit_ms, work, context);
    if (u->failed) {
        engine->stats.script_rollbacks++;
    }
}
