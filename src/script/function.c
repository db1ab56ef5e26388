/* FUNCTION and FCALL. */
#include "script/function.h"

#include "base/glob.h"
#include "base/mem.h"
#include "rdb/library.h"
#include "script/dryrun.h"
#include "script/library.h"
#include "script/sandbox.h"
#include "script/stats.h"

/* FCALL */

struct invocation {
    struct use use;
    struct function *function;
};

static void invoke(struct runtime *r, void *context)
{
    struct invocation *i = context;
    lua_State *lua = r->lua;

    r->engine->running.is_function = true;
    lua_settop(lua, SANDBOX_TOP);
    if (r->has_arguments) { /* Those of the last script are not for functions. */
        sandbox_clear_arguments(lua);
        r->has_arguments = false;
    }
    lua_rawgeti(lua, LUA_REGISTRYINDEX, i->function->callback);
    script_push_keys(lua, &i->use);
    script_push_arguments(lua, &i->use);
    script_call(r, &i->use, 2);
}

static void call_function(struct call *c, bool read_only)
{
    struct function *f = libraries_find_callable(c, c->argv[1]);
    struct invocation i = {.use = {.call = c, .is_function = true}};

    if (f == NULL) {
        call_fail(c, "ERR Function not found");
        return;
    }
    if (!script_read_key_count(c, "Bad number of keys provided", &i.use.keys) ||
        !script_may_run(c, f->flags, read_only)) {
        return;
    }
    f = library_need(c, f);
    if (f != NULL) {
        i.function = f;
        i.use.name = f->at;
        i.use.line = f->line;
        i.use.warned = &f->warned;
        i.use.source = f->library->text;
        i.use.quota = f->library->quota;
        i.use.tally = &f->tally;
        script_use(&i.use, f->flags, read_only, invoke, &i);
    }
}

static void fcall(struct call *c)
{
    call_function(c, false);
}

static void fcall_ro(struct call *c)
{
    call_function(c, true);
}

/* Calls a function of the built-in library with a subcommand and its arguments. */
static void call_built_in(struct call *c, const char *name)
{
    enum { BEHIND_NAME = 2 }; /* More words than before. */
    struct call inner = *c;
    struct bytes *argv = mem_alloc((c->argc + BEHIND_NAME) * sizeof *argv);

    argv[0] = BYTES("fcall_ro");
    argv[1] = bytes_of(name);
    argv[2] = BYTES("0");
    memcpy(argv + 3, c->argv + 1, (c->argc - 1) * sizeof *argv);
    argv[3] = bytes_of(c->command->name);
    inner.argc = c->argc + BEHIND_NAME;
    inner.argv = argv;
    call_function(&inner, true);
    c->failed = inner.failed;
    c->returned_error = inner.returned_error;
    mem_free(argv);
}

static void locks(struct call *c)
{
    call_built_in(c, "locks");
}

bool function_is_fcall(const struct command *cmd)
{
    return cmd->run == fcall || cmd->run == fcall_ro;
}

/* FUNCTION LOAD and its relatives */

static void loader_clear(struct loader *o)
{
    for (size_t i = 0; i < o->count; i++) {
        library_free(o->candidate[i]);
    }
    mem_free(o->candidate);
}

#define LOADER_LOCAL(name, c)                                                                      \
    __attribute__((cleanup(loader_clear))) struct loader name = {.call = (c)}

static void loader_add(struct loader *o, struct library *l)
{
    o->candidate = mem_realloc(o->candidate, (o->count + 1) * sizeof *o->candidate);
    o->candidate[o->count++] = l;
}

/* Loads all libraries that are to be added. Returns false, having failed the call, if
 * one of them cannot be. */
static bool load_all(struct loader *o)
{
    BUF_LOCAL(error);

    libraries_follow(o->call);
    for (size_t i = 0; i < o->count; i++) {
        if (!o->candidate[i]->is_loaded && !library_load(o, o->candidate[i], &error)) {
            call_fail_text(o->call, buf_bytes(&error));
            return false;
        }
    }
    return true;
}

static bool replaces(const struct loader *o, const struct library *other)
{
    for (size_t i = 0; i < o->count; i++) {
        if (bytes_equal(bytes_of(o->candidate[i]->name), bytes_of(other->name))) {
            return true;
        }
    }
    return false;
}

/* Whether a function of library `number` of those to be added is one of a library that
 * stays, or of one before it. */
static bool is_taken(const struct loader *o, size_t number, const struct function *f)
{
    const struct function *old = libraries_find_function(o->call, function_name(f));

    if (old != NULL && !replaces(o, old->library)) {
        return true;
    }
    for (size_t i = 0; i < number; i++) {
        if (library_has(o->candidate[i], function_name(f))) {
            return true;
        }
    }
    return false;
}

static bool functions_are_free(const struct loader *o)
{
    for (size_t i = 0; i < o->count; i++) {
        for (const struct function *f = o->candidate[i]->first; f != NULL; f = f->next) {
            if (is_taken(o, i, f)) {
                call_fail(o->call, "ERR Function %s already exists", f->at);
                return false;
            }
        }
    }
    return true;
}

/* Makes the changes, and takes the libraries over. */
static void keep(struct loader *o)
{
    for (size_t i = 0; i < o->count; i++) {
        struct library *l = TAKE(o->candidate[i]);

        call_make(o->call, change_text_put(TEXT_LIBRARY, text_new(bytes_of(l->name), l->text)));
        libraries_put(o->call, l);
    }
}

static bool name_is_free(struct call *c, const struct library *l, bool replace)
{
    if (!replace && libraries_find(c, bytes_of(l->name)) != NULL) {
        call_fail(c, "ERR Library '%s' already exists", l->name);
        return false;
    }
    return true;
}

/* Fails with a text and a word of the request, of any length, up to a zero byte. */
static void fail_with_word(struct call *c, const char *text, struct bytes word)
{
    BUF_LOCAL(error);

    buf_addf(&error, "ERR %s", text);
    buf_add(&error, (struct bytes){word.at, strnlen(word.at, word.len)});
    call_fail_text(c, buf_bytes(&error));
}

static bool parse_load(struct call *c, bool *replace, struct bytes *text)
{
    *replace = false;
    for (size_t i = 2; i + 1 < c->argc; i++) {
        if (!call_is(c, i, "replace")) {
            fail_with_word(c, "Unknown option given: ", c->argv[i]);
            return false;
        }
        *replace = true;
    }
    *text = c->argv[c->argc - 1];
    return true;
}

static void function_load(struct call *c)
{
    LOADER_LOCAL(loader, c);
    BUF_LOCAL(error);
    struct library *l;
    struct bytes text;
    bool replace;

    if (!parse_load(c, &replace, &text)) {
        return;
    }
    l = library_read(c, text, &error);
    if (l == NULL) {
        call_fail_text(c, buf_bytes(&error));
        return;
    }
    loader_add(&loader, l);
    if (name_is_free(c, l, replace) && load_all(&loader) && functions_are_free(&loader)) {
        reply_bytes(c, bytes_of(l->name));
        keep(&loader);
    }
}

static void function_delete(struct call *c)
{
    const struct library *user = libraries_find_user(c, c->argv[2]);

    if (texts_find(c->engine->data->texts[TEXT_LIBRARY], c->argv[2]) == NULL) {
        call_fail(c, "ERR Library not found");
        return;
    }
    if (user != NULL) {
        call_fail(c, "ERR Library '%s' uses this one", user->name);
        return;
    }
    call_make(c, change_text_remove(TEXT_LIBRARY, c->argv[2]));
    reply_ok(c);
}

static void function_flush(struct call *c)
{
    if (c->argc > 3) {
        call_fail_usage(c);
        return;
    }
    if (c->argc == 3 && !call_is(c, 2, "sync") && !call_is(c, 2, "async")) {
        call_fail(c, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        return;
    }
    call_remove_texts(c, TEXT_LIBRARY);
    reply_ok(c);
}

/* DUMP and RESTORE */

static void function_dump(struct call *c)
{
    BUF_LOCAL(payload);

    rdb_dump_libraries(c->engine->data->texts[TEXT_LIBRARY], &payload);
    reply_bytes(c, buf_bytes(&payload));
}

enum policy { APPEND, FLUSH, REPLACE };

static bool parse_policy(struct call *c, enum policy *policy)
{
    if (c->argc > 4) {
        call_fail_usage(c);
        return false;
    }
    *policy = APPEND;
    if (call_is(c, 3, "flush")) {
        *policy = FLUSH;
    } else if (call_is(c, 3, "replace")) {
        *policy = REPLACE;
    } else if (c->argc == 4 && !call_is(c, 3, "append")) {
        call_fail(c, "ERR Wrong restore policy given, value should be either FLUSH, APPEND or "
                     "REPLACE.");
        return false;
    }
    return true;
}

static bool restore_text(struct bytes text, void *context)
{
    struct loader *o = context;
    struct library *l;
    BUF_LOCAL(error);

    l = library_read(o->call, text, &error);
    if (l == NULL) {
        call_fail_text(o->call, buf_bytes(&error));
        return false;
    }
    if (replaces(o, l)) {
        call_fail(o->call, "ERR Library %s already exists", l->name);
        library_free(l);
        return false;
    }
    loader_add(o, l);
    return true;
}

static bool read_payload(struct loader *o)
{
    struct call *c = o->call;
    const char *problem = rdb_restore_libraries(c->argv[2], restore_text, o);

    if (problem != NULL && !c->failed) {
        call_fail(c, "ERR %s", problem);
    }
    return problem == NULL && load_all(o);
}

static bool names_are_free(const struct loader *o)
{
    for (size_t i = 0; i < o->count; i++) {
        if (libraries_find(o->call, bytes_of(o->candidate[i]->name)) != NULL) {
            call_fail(o->call, "ERR Library %s already exists", o->candidate[i]->name);
            return false;
        }
    }
    return true;
}

static void function_restore(struct call *c)
{
    LOADER_LOCAL(loader, c);
    enum policy policy;

    if (!parse_policy(c, &policy)) {
        return;
    }
    loader.replaces_all = policy == FLUSH;
    if (!read_payload(&loader)) {
        return;
    }
    if (policy == FLUSH) {
        call_remove_texts(c, TEXT_LIBRARY);
    }
    if ((policy != APPEND || names_are_free(&loader)) && functions_are_free(&loader)) {
        keep(&loader);
        reply_ok(c);
    }
}

/* LIST and STATS */

static void reply_flags(struct call *c, unsigned flags)
{
    size_t place = reply_late(c);
    size_t count = 0;

    for (unsigned i = 0; script_flag_names[i] != NULL; i++) {
        if (flags & (1u << i)) {
            reply_status(c, script_flag_names[i]);
            count++;
        }
    }
    reply_late_end(c, place, RESP_SET, count);
}

static void reply_function(struct call *c, const struct function *f)
{
    reply_map(c, 3);
    reply_string(c, "name");
    reply_bytes(c, function_name(f));
    reply_string(c, "description");
    if (f->has_description) {
        reply_bytes(c, function_description(f));
    } else {
        reply_nil(c);
    }
    reply_string(c, "flags");
    reply_flags(c, f->flags);
}

static void reply_library(struct call *c, const struct library *l, bool with_code)
{
    reply_map(c, with_code ? 4 : 3);
    reply_string(c, "library_name");
    reply_string(c, l->name);
    reply_string(c, "engine");
    reply_string(c, "LUA");
    reply_string(c, "functions");
    reply_array(c, l->count);
    for (const struct function *f = l->first; f != NULL; f = f->next) {
        reply_function(c, f);
    }
    if (with_code) {
        reply_string(c, "library_code");
        reply_bytes(c, l->text);
    }
}

struct listing {
    bool with_code;
    bool has_pattern;
    struct bytes pattern;
};

static bool parse_list(struct call *c, struct listing *l)
{
    *l = (struct listing){.with_code = false};
    for (size_t i = 2; i < c->argc; i++) {
        if (!l->with_code && call_is(c, i, "withcode")) {
            l->with_code = true;
        } else if (!l->has_pattern && call_is(c, i, "libraryname")) {
            if (++i == c->argc) {
                call_fail(c, "ERR library name argument was not given");
                return false;
            }
            l->has_pattern = true;
            l->pattern = c->argv[i];
        } else {
            fail_with_word(c, "Unknown argument ", c->argv[i]);
            return false;
        }
    }
    return true;
}

static bool is_wanted(const struct listing *l, const struct library *library)
{
    return !l->has_pattern || glob_match_nocase(l->pattern, bytes_of(library->name));
}

static void function_list(struct call *c)
{
    const struct library *built_in = libraries_built_in(c);
    struct table_walk walk = {0};
    const struct library *l;
    struct listing listing;
    size_t place;
    size_t count = 0;

    if (!parse_list(c, &listing)) {
        return;
    }
    place = reply_late(c);
    while ((l = libraries_next(c, &walk)) != NULL) {
        if (is_wanted(&listing, l)) {
            reply_library(c, l, listing.with_code);
            count++;
        }
    }
    /* The one that is built in is listed to those who ask for it by its name. */
    if (built_in != NULL && listing.has_pattern &&
        bytes_equal(listing.pattern, bytes_of(built_in->name))) {
        reply_library(c, built_in, listing.with_code);
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void reply_running(struct call *c, const struct runtime *r)
{
    const struct use *u = r->use;

    if (u == NULL || !u->is_function) {
        reply_nil(c);
        return;
    }
    reply_map(c, 3);
    reply_string(c, "name");
    reply_string(c, u->name);
    reply_string(c, "command");
    reply_array(c, u->call->argc);
    for (size_t i = 0; i < u->call->argc; i++) {
        reply_bytes(c, u->call->argv[i]);
    }
    reply_string(c, "duration_ms");
    reply_int(c, runtime_elapsed_ms(r));
}

/* Is answered while a function runs, too: the libraries are not looked at then. */
static void function_stats(struct call *c)
{
    const struct runtime *r = c->engine->script;
    struct libraries_counts counts;

    if (c->argc > 2) {
        stats_of_functions(c);
        return;
    }
    counts = libraries_counts(c);
    reply_map(c, 2);
    reply_string(c, "running_script");
    reply_running(c, r);
    reply_string(c, "engines");
    reply_map(c, 1);
    reply_string(c, "LUA");
    reply_map(c, 2);
    reply_string(c, "libraries_count");
    reply_int(c, (int64_t)counts.libraries);
    reply_string(c, "functions_count");
    reply_int(c, (int64_t)counts.functions);
}

static void function_kill(struct call *c)
{
    if (!c->engine->running.is_script) {
        call_fail(c, "NOTBUSY No scripts in execution right now.");
        return;
    }
    if (!c->engine->running.is_function) {
        call_fail(c, "BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
                     "SHUTDOWN NOSAVE.");
        return;
    }
    c->engine->script->kill = 1;
    reply_ok(c);
}

enum { LOCKS_FLAGS = COMMAND_SCRIPT | COMMAND_NOSCRIPT | COMMAND_READONLY | COMMAND_STALE };

/* clang-format off */
static const struct command locks_subcommands[] = {
    {.name = "get", .arity = -3, .flags = LOCKS_FLAGS, .run = locks, .group = "scripting", .since = "7.0.15", .complexity = "O(N) with N being the number of locks", .summary = "Tells who holds locks, and who waits for them", .syntax = "name [name ...]"},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, .group = "scripting", .since = "7.0.15", .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "list", .arity = -2, .flags = LOCKS_FLAGS, .run = locks, .group = "scripting", .since = "7.0.15", .complexity = "O(N) with N being the number of keys", .summary = "Tells of all locks that are held or waited for", .syntax = "[MATCH pattern]"},
    {.name = "scan", .arity = -3, .flags = LOCKS_FLAGS, .run = locks, .group = "scripting", .since = "7.0.15", .complexity = "O(1) for every call", .summary = "Tells of all locks, some at a time", .syntax = "cursor [MATCH pattern] [COUNT count]"},
    {0},
};

static const struct command function_subcommands[] = {
    {.name = "delete", .arity = 3, .flags = COMMAND_NOSCRIPT | COMMAND_WRITE, .run = function_delete, .group = "scripting", .since = "7.0.0", .complexity = "O(1)", .summary = "Removes a library and its functions", .syntax = "library-name"},
    {.name = "dryrun", .arity = -4, .flags = DRYRUN_FLAGS, .keys = {DRYRUN_KEYS}, .run = dryrun_function, .group = "scripting", .since = "7.0.15", .complexity = "Depends on the function", .summary = "Calls a function, tells what it replies and what it would change, and undoes it", .syntax = "function numkeys [key ...] [arg ...]"},
    {.name = "dump", .arity = 2, .flags = COMMAND_NOSCRIPT, .run = function_dump, .group = "scripting", .since = "7.0.0", .complexity = "O(N) with N being the number of libraries", .summary = "Returns all libraries in a form for FUNCTION RESTORE", .syntax = ""},
    {.name = "flush", .arity = -2, .flags = COMMAND_NOSCRIPT | COMMAND_WRITE, .run = function_flush, .group = "scripting", .since = "7.0.0", .complexity = "O(N) with N being the number of libraries", .summary = "Removes all libraries", .syntax = "[ASYNC | SYNC]"},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, .group = "scripting", .since = "7.0.0", .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "kill", .arity = 2, .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY, .run = function_kill, .group = "scripting", .since = "7.0.0", .complexity = "O(1)", .summary = "Ends the running function, and undoes what it has done", .syntax = ""},
    {.name = "list", .arity = -2, .flags = COMMAND_NOSCRIPT, .run = function_list, .group = "scripting", .since = "7.0.0", .complexity = "O(N) with N being the number of functions", .summary = "Lists the libraries and their functions", .syntax = "[LIBRARYNAME library-name-pattern] [WITHCODE]"},
    {.name = "load", .arity = -3, .flags = COMMAND_NOSCRIPT | COMMAND_WRITE | COMMAND_DENYOOM, .run = function_load, .group = "scripting", .since = "7.0.0", .complexity = "O(1)", .summary = "Creates a library of functions", .syntax = "[REPLACE] function-code"},
    {.name = "restore", .arity = -3, .flags = COMMAND_NOSCRIPT | COMMAND_WRITE | COMMAND_DENYOOM, .run = function_restore, .group = "scripting", .since = "7.0.0", .complexity = "O(N) with N being the number of libraries in the payload", .summary = "Creates the libraries of a FUNCTION DUMP", .syntax = "serialized-value [FLUSH | APPEND | REPLACE]"},
    {.name = "stats", .arity = -2, .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY, .run = function_stats, .group = "scripting", .since = "7.0.0", .complexity = "O(1); with a pattern O(N*log(N)) with N being the number of functions", .summary = "Tells which function runs, or what functions have cost", .syntax = "[pattern [COUNT count] | RESET]"},
    {0},
};

#define FCALL_FLAGS    (COMMAND_SCRIPT | COMMAND_NOSCRIPT | COMMAND_SKIP_MONITOR | COMMAND_MAY_REPLICATE | COMMAND_NO_MANDATORY_KEYS | COMMAND_MOVABLE_KEYS | COMMAND_STALE)
#define FCALL_RO_FLAGS (COMMAND_SCRIPT | COMMAND_NOSCRIPT | COMMAND_SKIP_MONITOR | COMMAND_READONLY | COMMAND_NO_MANDATORY_KEYS | COMMAND_MOVABLE_KEYS | COMMAND_STALE)

const struct command function_commands[] = {
    {.name = "fcall", .arity = -3, .flags = FCALL_FLAGS, .keys = {NUMBERED_KEYS(2, KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .run = fcall, .group = "scripting", .since = "7.0.0", .complexity = "Depends on the function", .summary = "Calls a function, wholly or not at all", .syntax = "function numkeys [key ...] [arg ...]"},
    {.name = "fcall_ro", .arity = -3, .flags = FCALL_RO_FLAGS, .keys = {NUMBERED_KEYS(2, KEY_RO | KEY_ACCESS)}, .run = fcall_ro, .group = "scripting", .since = "7.0.0", .complexity = "Depends on the function", .summary = "Calls a function that may only read", .syntax = "function numkeys [key ...] [arg ...]"},
    {.name = "locks", .arity = -2, .subcommands = locks_subcommands, .group = "scripting", .since = "7.0.15", .complexity = "Depends on the subcommand", .summary = "Tells of locks", .syntax = ""},
    {.name = "function", .arity = -2, .subcommands = function_subcommands, .group = "scripting", .since = "7.0.0", .complexity = "Depends on the subcommand", .summary = "Manages functions", .syntax = ""},
    {0},
};
/* clang-format on */
