/* EVAL and SCRIPT. */
#include "base/mem.h"
#include "script/cache.h"
#include "script/dryrun.h"
#include "script/function.h"
#include "script/library.h"
#include "script/profile.h"
#include "script/sandbox.h"
#include "script/sink.h"
#include "script/stats.h"

#include <assert.h>
#include <lauxlib.h>

/* One use of a script. */
struct evaluation {
    struct use use;
    struct script *script;
    bool compiled;
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
        buf_addf(&e->use.text, "ERR Error compiling script (new function): ");
        buf_add(&e->use.text, message);
        r->in_call = 0;
        e->use.failed = true;
    }
}

static void set_arguments(struct runtime *r, const struct use *u)
{
    lua_pushvalue(r->lua, SANDBOX_KEYS);
    script_push_keys(r->lua, u);
    lua_rawset(r->lua, SANDBOX_GLOBALS);
    lua_pushvalue(r->lua, SANDBOX_ARGV);
    script_push_arguments(r->lua, u);
    lua_rawset(r->lua, SANDBOX_GLOBALS);
    r->has_arguments = true;
}

static void evaluate(struct runtime *r, void *context)
{
    struct evaluation *e = context;

    compile(r, e);
    if (e->compiled) {
        set_arguments(r, &e->use);
        script_call(r, &e->use, 0);
    }
}

/* What runs outside. */

static bool run_script(struct call *c, struct script *s, size_t keys, bool read_only)
{
    struct evaluation e = {
        .use = {.call = c,
                .name = s->sha,
                .keys = keys,
                .warned = &s->warned,
                .source = s->text,
                .quota = s->quota,
                .tally = &s->tally},
        .script = s,
    };

    if (!script_may_run(c, s->flags, read_only)) {
        return false;
    }
    script_use(&e.use, s->flags, read_only, evaluate, &e);
    return e.compiled;
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

static const char no_number[] = "value is not an integer or out of range";

static void eval_text(struct call *c, bool read_only)
{
    struct cache *cache = c->engine->script->cache;
    struct script *s;
    size_t keys;

    if (!script_read_key_count(c, no_number, &keys)) {
        return;
    }
    s = cache_find_text(cache, c->argv[1]);
    if (s != NULL) {
        cache_touch(cache, s);
        run_script(c, s, keys, read_only);
        return;
    }
    s = new_script(c, c->argv[1]);
    if (s == NULL) {
        return;
    }
    if (run_script(c, s, keys, read_only)) {
        cache_add(cache, s);
    } else {
        cache_free_script(s);
    }
}

/* Finds a script by its SHA-1: among those that have been used, or those kept. */
static struct script *find_script(const struct engine *e, struct bytes sha)
{
    struct cache *cache = e->script->cache;
    struct script *s = cache_find(cache, sha);
    const struct text *kept;
    char message[256];
    char lower[SHA1_HEX];

    if (s != NULL) {
        cache_touch(cache, s);
        return s;
    }
    if (!cache_lower(sha, lower)) {
        return NULL;
    }
    kept = texts_find(e->data->texts[TEXT_SCRIPT], (struct bytes){lower, SHA1_HEX});
    if (kept == NULL) {
        return NULL;
    }
    s = cache_new_script(text_content(kept), message, sizeof message);
    if (s != NULL) {
        s->kept = true;
        cache_add(cache, s);
    }
    return s;
}

static void eval_sha(struct call *c, bool read_only)
{
    struct script *s;
    size_t keys;

    if (!script_read_key_count(c, no_number, &keys)) {
        return;
    }
    s = find_script(c->engine, c->argv[1]);
    if (s == NULL) {
        call_fail(c, "NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    run_script(c, s, keys, read_only);
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

/* Compiles a text that is not known yet. Returns NULL, having failed the call, if it is
 * no script. */
static struct script *compile_new(struct call *c, struct bytes text)
{
    struct evaluation e = {.use = {.call = c}};
    struct script *s = new_script(c, text);

    if (s == NULL) {
        return NULL;
    }
    e.script = s;
    e.use.name = s->sha;
    script_use_vm(&e.use, compile, &e);
    if (e.use.failed) {
        cache_free_script(s);
        return NULL;
    }
    s->kept = true;
    cache_add(c->engine->script->cache, s);
    return s;
}

/* A script that is loaded is kept as data are: it is there for EVALSHA until SCRIPT
 * FLUSH, wherever the data go. A server that does not lead keeps it to itself. */
static void script_load(struct call *c)
{
    struct cache *cache = c->engine->script->cache;
    struct script *s = cache_find_text(cache, c->argv[2]);
    struct bytes sha;

    if (s == NULL) {
        s = compile_new(c, c->argv[2]);
        if (s == NULL) {
            return;
        }
    }
    cache_keep(cache, s);
    sha = (struct bytes){s->sha, SHA1_HEX};
    if (group_leads(&c->engine->group) &&
        texts_find(c->engine->data->texts[TEXT_SCRIPT], sha) == NULL) {
        call_make(c, change_text_put(TEXT_SCRIPT, text_new(sha, s->text)));
    }
    reply_bytes(c, sha);
}

static void script_exists(struct call *c)
{
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        reply_int(c, find_script(c->engine, c->argv[i]) != NULL);
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
    if (group_leads(&c->engine->group)) {
        call_remove_texts(c, TEXT_SCRIPT);
    }
    reply_ok(c);
}

static void script_kill(struct call *c)
{
    struct runtime *r = c->engine->script;

    if (!c->engine->running.is_script) {
        call_fail(c, "NOTBUSY No scripts in execution right now.");
        return;
    }
    if (c->engine->running.is_function) {
        call_fail(c, "BUSY Redis is busy running a script. You can only call FUNCTION KILL or "
                     "SHUTDOWN NOSAVE.");
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
    {.name = "dryrun", .arity = -4, .flags = DRYRUN_FLAGS, .keys = {DRYRUN_KEYS}, .run = dryrun_script, .group = "scripting", .since = "7.0.15", .complexity = "Depends on the script", .summary = "Runs a script, tells what it replies and what it would change, and undoes it", .syntax = "<script | sha1> numkeys [key ...] [arg ...]"},
    {.name = "exists", .arity = -3, .flags = COMMAND_NOSCRIPT, .run = script_exists, .group = "scripting", .since = "2.6.0", .complexity = "O(N) with N being the number of scripts asked for", .summary = "Tells which scripts are loaded", .syntax = "sha1 [sha1 ...]"},
    {.name = "flush", .arity = -2, .flags = COMMAND_NOSCRIPT, .run = script_flush, .group = "scripting", .since = "2.6.0", .complexity = "O(N) with N being the number of scripts", .summary = "Forgets all scripts", .syntax = "[ASYNC | SYNC]"},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, .group = "scripting", .since = "5.0.0", .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "kill", .arity = 2, .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY, .run = script_kill, .group = "scripting", .since = "2.6.0", .complexity = "O(1)", .summary = "Ends the running script, and undoes what it has done", .syntax = ""},
    {.name = "load", .arity = 3, .flags = COMMAND_NOSCRIPT | COMMAND_STALE, .run = script_load, .group = "scripting", .since = "2.6.0", .complexity = "O(N) with N being the length of the script", .summary = "Loads a script and returns its SHA-1", .syntax = "script"},
    {.name = "profile", .arity = -3, .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY, .run = profile_command, .group = "scripting", .since = "7.0.15", .complexity = "O(N*log(N)) with N being the number of lines seen", .summary = "Tells on which lines scripts spend their time", .syntax = "ON | OFF | GET [sha1 | function] | RESET"},
    {.name = "stats", .arity = -2, .flags = COMMAND_NOSCRIPT, .run = stats_of_scripts, .group = "scripting", .since = "7.0.15", .complexity = "O(N*log(N)) with N being the number of scripts", .summary = "Tells what scripts have cost", .syntax = "[sha1 | COUNT count | RESET]"},
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

/* Returns what a script has said of itself that nobody has run yet. */
static unsigned flags_of_text(struct bytes text)
{
    struct shebang shebang;
    char message[256];

    return shebang_read_script(text, &shebang, message, sizeof message) ? shebang.flags : 0;
}

/* Returns what the script or function that a request runs has said of itself, as far as
 * is known. */
static unsigned flags_asked_for(const struct engine *e, const struct command *cmd,
                                const struct bytes *argv)
{
    const struct script *s;

    if (function_is_fcall(cmd)) {
        return libraries_flags(e->script->libraries, argv[1]);
    }
    if (cmd->run == eval || cmd->run == eval_ro) {
        s = cache_find_text(e->script->cache, argv[1]);
        return s != NULL ? s->flags : flags_of_text(argv[1]);
    }
    s = find_script(e, argv[1]);
    return s != NULL ? s->flags : 0;
}

/* A script that has said what it does is taken at its word; of another nobody knows. */
static uint32_t script_flags(const struct engine *e, const struct command *cmd,
                             const struct bytes *argv)
{
    static const uint32_t said =
        COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_STALE | COMMAND_MAY_REPLICATE;
    unsigned flags = flags_asked_for(e, cmd, argv);

    if (!(flags & SCRIPT_DECLARED)) {
        return cmd->flags;
    }
    return (cmd->flags & ~said) | (flags & SCRIPT_NO_WRITES ? 0 : COMMAND_WRITE) |
           (flags & (SCRIPT_NO_WRITES | SCRIPT_ALLOW_OOM) ? 0 : COMMAND_DENYOOM) |
           (flags & SCRIPT_ALLOW_STALE ? COMMAND_STALE : 0);
}

void script_start(struct engine *e, const struct script_settings *settings)
{
    assert(e->script == NULL);
    e->script = runtime_new(e, settings);
    e->script->cache = cache_new(e->script);
    e->script->libraries = libraries_new();
    e->script->profile = profile_new();
    lua_sink_init(&e->script->sink, e->script);
    e->reclaim = reclaim;
    e->script_flags = script_flags;
}

void script_stop(struct engine *e)
{
    if (e->script != NULL) {
        cache_free(e->script->cache);
        libraries_free(e->script->libraries);
        profile_free(e->script->profile);
        runtime_free(e->script);
        e->script = NULL;
        e->reclaim = NULL;
        e->script_flags = NULL;
    }
}

void script_reset_outcomes(struct engine *e)
{
    e->script->outcomes = (struct outcomes){0};
}

struct script_info script_info(const struct engine *e)
{
    const struct runtime *r = e->script;

    return (struct script_info){
        .scripts = cache_count(r->cache),
        .evicted = cache_evicted(r->cache),
        .libraries = texts_count(e->data->texts[TEXT_LIBRARY]),
        .functions = libraries_compiled_functions(r->libraries),
        .text_size = cache_memory(r->cache),
        .functions_size = libraries_memory(r->libraries),
        .heap_used = r->heap.used,
        .outcomes = r->outcomes,
        .profiling = r->profiling,
    };
}
