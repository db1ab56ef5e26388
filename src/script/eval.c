/* EVAL and SCRIPT. */
#include "base/log.h"
#include "script/cache.h"
#include "script/convert.h"
#include "script/error.h"
#include "script/json.h"
#include "script/random.h"
#include "script/sandbox.h"
#include "script/sink.h"

#include <assert.h>
#include <inttypes.h>
#include <lauxlib.h>

/* One use of a script. It lives outside of what can be left by a jump, and so does
 * the text of an error: whoever writes to that sets in_call. */
struct evaluation {
    struct call *call;
    struct script *script;
    size_t first_key, keys; /* Among the call's arguments; the rest is ARGV. */
    bool compiled;
    bool failed;
    bool counted;    /* The error was that of a command. */
    struct buf text; /* Of the error, if it failed. */
};

/* What runs inside runtime_run(). */

/* Pushes the script's function, or a message. The line of a shebang counts. */
static bool push_function(struct runtime *r, struct script *s)
{
    struct bytes body = {s->text.at + s->shebang_len, s->text.len - s->shebang_len};

    if (s->generation == r->generation) {
        lua_rawgeti(r->lua, LUA_REGISTRYINDEX, s->function);
        return true;
    }
    if (!sandbox_load(r->lua, body, "@user_script")) {
        return false;
    }
    lua_pushvalue(r->lua, -1);
    s->function = luaL_ref(r->lua, LUA_REGISTRYINDEX);
    s->generation = r->generation;
    return true;
}

/* Leaves the function on the stack if there is no error in it. */
static void compile(struct runtime *r, void *context)
{
    struct evaluation *e = context;
    struct bytes message;

    lua_settop(r->lua, SANDBOX_TOP);
    e->compiled = push_function(r, e->script);
    if (!e->compiled) {
        message.at = lua_tolstring(r->lua, -1, &message.len);
        r->in_call = 1;
        buf_addf(&e->text, "ERR Error compiling script (new function): ");
        buf_add(&e->text, message);
        r->in_call = 0;
        e->failed = true;
    }
}

static void set_global_list(lua_State *lua, int name, const struct bytes *items, size_t count)
{
    lua_pushvalue(lua, name);
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(lua, items[i].at, items[i].len);
        lua_rawseti(lua, -2, (int)i + 1);
    }
    lua_rawset(lua, SANDBOX_GLOBALS);
}

static void set_arguments(lua_State *lua, const struct evaluation *e)
{
    const struct bytes *keys = e->call->argv + e->first_key;

    set_global_list(lua, SANDBOX_KEYS, keys, e->keys);
    set_global_list(lua, SANDBOX_ARGV, keys + e->keys, e->call->argc - e->first_key - e->keys);
}

/* An error that a script returns undoes nothing, but is one to those who count. */
static void note_returned(const struct evaluation *e, lua_State *lua)
{
    struct bytes text;
    bool counted;

    if (!error_is_returned(lua, &text, &counted)) {
        return;
    }
    e->call->returned_error = true;
    if (!counted) {
        measure_error(e->call->engine, text);
    }
}

static void evaluate(struct runtime *r, void *context)
{
    struct evaluation *e = context;
    lua_State *lua = r->lua;

    compile(r, e);
    if (!e->compiled) {
        return;
    }
    script_json_reset(lua);
    set_arguments(lua, e);
    if (lua_pcall(lua, 0, 1, SANDBOX_ON_ERROR) == 0) {
        note_returned(e, lua);
        convert_reply(r, lua, e->call->reply);
        return;
    }
    r->in_call = 1;
    e->counted = error_describe(lua, e->script->sha, &e->text);
    r->in_call = 0;
    e->failed = true;
}

/* What runs outside. */

/* Says why a script was ended from outside. */
static void describe_end(const struct runtime *r, enum runtime_end end, const char *sha,
                         struct buf *text)
{
    switch (end) {
    case RUNTIME_DONE:
        return;
    case RUNTIME_KILLED:
        buf_addf(text, "ERR Script killed by user with SCRIPT KILL.");
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
    buf_addf(text, " script: %s", sha);
    log_write(LOG_WARNING, "%.*s", (int)text->len, text->at);
}

/* Runs work on a script, and fails the call if the script does. */
static void run(struct evaluation *e, void (*work)(struct runtime *r, void *context))
{
    struct engine *engine = e->call->engine;
    struct runtime *r = engine->script;
    enum runtime_end end = runtime_run(r, work, e);

    describe_end(r, end, e->script->sha, &e->text);
    if (end != RUNTIME_DONE) {
        e->failed = true;
        engine->stats.script_kills++;
    }
    if (e->failed && e->counted) {
        call_fail_counted(e->call, buf_bytes(&e->text));
    } else if (e->failed) {
        call_fail_text(e->call, buf_bytes(&e->text));
    }
    buf_clear(&e->text);
}

static void prepare(struct runtime *r, const struct call *c, bool read_only)
{
    struct session *s = &r->session;

    s->db = c->db;
    s->read_only = read_only;
    r->sink.sink.version = RESP2;
    script_random_reset(r);
}

static void run_script(struct call *c, struct script *s, size_t keys, bool read_only,
                       bool *compiled)
{
    struct evaluation e = {.call = c, .script = s, .first_key = 3, .keys = keys};

    prepare(c->engine->script, c, read_only || s->read_only);
    c->engine->stats.scripts++;
    run(&e, evaluate);
    if (e.failed) {
        c->engine->stats.script_rollbacks++;
    }
    *compiled = e.compiled;
}

static bool read_key_count(struct call *c, size_t *keys)
{
    int64_t count;

    if (!call_int(c, 2, &count)) {
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

static struct script *new_script(struct call *c, struct bytes text)
{
    char message[256];
    struct script *s = cache_new_script(text, message, sizeof message);

    if (s == NULL) {
        call_fail(c, "ERR %s", message);
    }
    return s;
}

static void eval_text(struct call *c, bool read_only)
{
    struct runtime *r = c->engine->script;
    struct script *s;
    bool is_new, compiled;
    size_t keys;

    if (!read_key_count(c, &keys)) {
        return;
    }
    s = cache_find_text(r->cache, c->argv[1]);
    is_new = s == NULL;
    if (is_new) {
        s = new_script(c, c->argv[1]);
        if (s == NULL) {
            return;
        }
    }
    run_script(c, s, keys, read_only, &compiled);
    if (is_new && compiled) {
        cache_add(r->cache, s);
    } else if (is_new) {
        cache_free_script(s);
    }
}

static void eval_sha(struct call *c, bool read_only)
{
    struct runtime *r = c->engine->script;
    struct script *s;
    bool compiled;
    size_t keys;

    if (!read_key_count(c, &keys)) {
        return;
    }
    s = cache_find(r->cache, c->argv[1]);
    if (s == NULL) {
        call_fail(c, "NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    run_script(c, s, keys, read_only, &compiled);
}

static void eval(struct call *c)
{
    eval_text(c, false);
}

static void eval_ro(struct call *c)
{
    eval_text(c, true);
}

static void evalsha(struct call *c)
{
    eval_sha(c, false);
}

static void evalsha_ro(struct call *c)
{
    eval_sha(c, true);
}

/* SCRIPT */

static void script_load(struct call *c)
{
    struct runtime *r = c->engine->script;
    struct script *s = cache_find_text(r->cache, c->argv[2]);
    struct evaluation e = {.call = c};

    if (s == NULL) {
        s = new_script(c, c->argv[2]);
        if (s == NULL) {
            return;
        }
        e.script = s;
        run(&e, compile);
        if (e.failed) {
            cache_free_script(s);
            return;
        }
        cache_add(r->cache, s);
    }
    reply_bytes(c, (struct bytes){s->sha, SHA1_HEX});
}

static void script_exists(struct call *c)
{
    struct runtime *r = c->engine->script;

    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        reply_int(c, cache_find(r->cache, c->argv[i]) != NULL);
    }
}

static void script_flush(struct call *c)
{
    struct runtime *r = c->engine->script;

    if (c->argc > 3 || (c->argc == 3 && !call_is(c, 2, "sync") && !call_is(c, 2, "async"))) {
        call_fail(c, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    cache_flush(r->cache);
    runtime_drop_lua(r);
    reply_ok(c);
}

static void script_kill(struct call *c)
{
    struct runtime *r = c->engine->script;

    if (!c->engine->running.is_script) {
        call_fail(c, "NOTBUSY No scripts in execution right now.");
        return;
    }
    r->kill = 1;
    reply_ok(c);
}

static void script_debug(struct call *c)
{
    if (call_is(c, 2, "no")) {
        reply_ok(c);
    } else if (call_is(c, 2, "yes") || call_is(c, 2, "sync")) {
        call_fail(c, "ERR SCRIPT DEBUG is not available: this server has no debugger");
    } else {
        call_fail(c, "ERR Use SCRIPT DEBUG YES/SYNC/NO");
    }
}

/* clang-format off */
static const struct command script_subcommands[] = {
    {.name = "debug", .arity = 3, .flags = COMMAND_NOSCRIPT, .run = script_debug, .group = "scripting", .since = "3.2.0", .complexity = "O(1)", .summary = "Accepts NO; there is no debugger", .syntax = "YES | SYNC | NO"},
    {.name = "exists", .arity = -3, .flags = COMMAND_NOSCRIPT, .run = script_exists, .group = "scripting", .since = "2.6.0", .complexity = "O(N) with N being the number of scripts asked for", .summary = "Tells which scripts are loaded", .syntax = "sha1 [sha1 ...]"},
    {.name = "flush", .arity = -2, .flags = COMMAND_NOSCRIPT, .run = script_flush, .group = "scripting", .since = "2.6.0", .complexity = "O(N) with N being the number of scripts", .summary = "Forgets all scripts", .syntax = "[ASYNC | SYNC]"},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, .group = "scripting", .since = "5.0.0", .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "kill", .arity = 2, .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY, .run = script_kill, .group = "scripting", .since = "2.6.0", .complexity = "O(1)", .summary = "Ends the running script, and undoes what it has done", .syntax = ""},
    {.name = "load", .arity = 3, .flags = COMMAND_NOSCRIPT | COMMAND_STALE, .run = script_load, .group = "scripting", .since = "2.6.0", .complexity = "O(N) with N being the length of the script", .summary = "Loads a script and returns its SHA-1", .syntax = "script"},
    {0},
};

#define EVAL_FLAGS    (COMMAND_SCRIPT | COMMAND_NOSCRIPT | COMMAND_SKIP_MONITOR | COMMAND_MAY_REPLICATE | COMMAND_NO_MANDATORY_KEYS | COMMAND_MOVABLE_KEYS | COMMAND_STALE)
#define EVAL_RO_FLAGS (COMMAND_SCRIPT | COMMAND_NOSCRIPT | COMMAND_SKIP_MONITOR | COMMAND_READONLY | COMMAND_NO_MANDATORY_KEYS | COMMAND_MOVABLE_KEYS | COMMAND_STALE)

const struct command script_commands[] = {
    {.name = "eval", .arity = -3, .flags = EVAL_FLAGS, .keys = {NUMBERED_KEYS(2, KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .run = eval, .group = "scripting", .since = "2.6.0", .complexity = "Depends on the script", .summary = "Runs a script, wholly or not at all", .syntax = "script numkeys [key ...] [arg ...]"},
    {.name = "eval_ro", .arity = -3, .flags = EVAL_RO_FLAGS, .keys = {NUMBERED_KEYS(2, KEY_RO | KEY_ACCESS)}, .run = eval_ro, .group = "scripting", .since = "7.0.0", .complexity = "Depends on the script", .summary = "Runs a script that may only read", .syntax = "script numkeys [key ...] [arg ...]"},
    {.name = "evalsha", .arity = -3, .flags = EVAL_FLAGS, .keys = {NUMBERED_KEYS(2, KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .run = evalsha, .group = "scripting", .since = "2.6.0", .complexity = "Depends on the script", .summary = "Runs a loaded script, wholly or not at all", .syntax = "sha1 numkeys [key ...] [arg ...]"},
    {.name = "evalsha_ro", .arity = -3, .flags = EVAL_RO_FLAGS, .keys = {NUMBERED_KEYS(2, KEY_RO | KEY_ACCESS)}, .run = evalsha_ro, .group = "scripting", .since = "7.0.0", .complexity = "Depends on the script", .summary = "Runs a loaded script that may only read", .syntax = "sha1 numkeys [key ...] [arg ...]"},
    {.name = "script", .arity = -2, .subcommands = script_subcommands, .group = "scripting", .since = "2.6.0", .complexity = "Depends on the subcommand", .summary = "Manages scripts", .syntax = ""},
    {0},
};
/* clang-format on */

/* A VM is easily made again; what scripts have left in this one is garbage. */
static void reclaim(struct engine *e)
{
    runtime_drop_lua(e->script);
}

static bool is_read_only(const struct script *s)
{
    return s != NULL && s->read_only;
}

/* Tells whether the script that a request runs has said "flags=no-writes". */
static bool only_reads(const struct engine *e, const struct command *cmd, size_t argc,
                       const struct bytes *argv)
{
    struct cache *cache = e->script->cache;
    char message[256];
    struct script *fresh;
    bool found;

    (void)argc;
    if (cmd->run == evalsha) {
        return is_read_only(cache_find(cache, argv[1]));
    }
    if (cmd->run != eval) {
        return false;
    }
    if (cache_find_text(cache, argv[1]) != NULL) {
        return is_read_only(cache_find_text(cache, argv[1]));
    }
    fresh = cache_new_script(argv[1], message, sizeof message);
    found = is_read_only(fresh);
    cache_free_script(fresh);
    return found;
}

void script_start(struct engine *e, const struct script_settings *settings)
{
    assert(e->script == NULL);
    e->script = runtime_new(e, settings);
    e->script->cache = cache_new();
    lua_sink_init(&e->script->sink, e->script);
    e->reclaim = reclaim;
    e->only_reads = only_reads;
}

void script_stop(struct engine *e)
{
    if (e->script != NULL) {
        cache_free(e->script->cache);
        runtime_free(e->script);
        e->script = NULL;
        e->reclaim = NULL;
        e->only_reads = NULL;
    }
}

struct script_info script_info(const struct engine *e)
{
    const struct runtime *r = e->script;

    return (struct script_info){
        .scripts = cache_count(r->cache),
        .text_size = cache_memory(r->cache),
        .heap_used = r->heap.used,
    };
}
