#include "script/api.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sha1.h"
#include "engine/version.h"
#include "script/error.h"
#include "script/loading.h"
#include "script/retry.h"
#include "script/sink.h"

#include <lauxlib.h>
#include <math.h>

/* Arguments of redis.call. */

static void grow_args(struct runtime *r, size_t count)
{
    while (r->args_cap < count) {
        r->args_cap *= 2;
    }
    r->argv = mem_realloc(r->argv, r->args_cap * sizeof *r->argv);
    r->text = mem_realloc(r->text, r->args_cap * sizeof *r->text);
}

/* An integer as such, anything else with the digits that tell it apart; so zero has
 * its sign. */
static size_t format_number(char *out, double number)
{
    bool small = number > -9e15 && number < 9e15;

    if (small && number == (double)(int64_t)number && (number != 0 || !signbit(number))) {
        return number_format_int(out, (int64_t)number);
    }
    return (size_t)snprintf(out, NUMBER_DOUBLE_MAX, "%.17g", number);
}

/* Views the argument at an index of the stack. Returns false if it is no string or number. */
static inline bool view_arg(struct runtime *r, lua_State *lua, int index)
{
    struct bytes *arg = &r->argv[index - 1];
    int type = lua_type(lua, index);

    if (__builtin_expect(type == LUA_TSTRING, 1)) {
        arg->at = lua_tolstring(lua, index, &arg->len);
        return true;
    }
    if (type == LUA_TNUMBER) {
        arg->at = r->text[index - 1];
        arg->len = format_number(r->text[index - 1], lua_tonumber(lua, index));
        return true;
    }
    return false;
}

/* Views all arguments. Returns false if one is no string or number. */
static bool view_args(struct runtime *r, lua_State *lua, int count)
{
    if ((size_t)count > r->args_cap) {
        r->in_call = 1; /* The allocator must not be left. */
        grow_args(r, (size_t)count);
        r->in_call = 0;
    }
    for (int i = 1; i <= count; i++) {
        if (!view_arg(r, lua, i)) {
            return false;
        }
    }
    return true;
}

/* redis.call and redis.pcall */

static int fail(lua_State *lua, bool raises, const char *text)
{
    if (raises) {
        error_push(lua, bytes_of(text), false);
        return lua_error(lua);
    }
    lua_createtable(lua, 0, 1);
    lua_pushstring(lua, text);
    lua_setfield(lua, -2, "err");
    return 1;
}

/* Views the arguments as a command. Returns what is wrong with them, or NULL. */
static const char *view_command(struct runtime *r, lua_State *lua, size_t count)
{
    if (count == 0) {
        return "ERR Please specify at least one argument for this redis lib call";
    }
    if (!view_args(r, lua, (int)count)) {
        return "ERR Lua redis lib command arguments must be strings or integers";
    }
    return NULL;
}

static int call(lua_State *lua, bool raises)
{
    struct runtime *r = runtime_of(lua);
    size_t count = (size_t)lua_gettop(lua);
    const char *problem = view_command(r, lua, count);
    struct bytes text;

    if (problem != NULL) {
        return fail(lua, raises, problem);
    }
    lua_sink_begin(&r->sink, lua);
    if (script_run_command(r, count, r->argv) || !raises) {
        return 1;
    }
    lua_getfield(lua, -1, "err");
    text.at = lua_tolstring(lua, -1, &text.len);
    error_push(lua, text, true);
    return lua_error(lua);
}

static int api_call(lua_State *lua)
{
    return call(lua, true);
}

/* Gives the error as a table: raising it would cost several times as much. */
static int api_pcall(lua_State *lua)
{
    return call(lua, false);
}

/* There is one user, who may do everything; but only with a command that there is. */
static int api_acl_check_cmd(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    size_t count = (size_t)lua_gettop(lua);
    const char *problem = view_command(r, lua, count);
    const struct command *container;

    if (problem != NULL) {
        return fail(lua, true, problem);
    }
    if (engine_find_command(r->engine, count, r->argv, &container) == NULL) {
        return fail(lua, true, "ERR Invalid command passed to redis.acl_check_cmd()");
    }
    lua_pushboolean(lua, true);
    return 1;
}

/* Replies */

static int one_field(lua_State *lua, const char *name)
{
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
        return fail(lua, false, "ERR wrong number or type of arguments");
    }
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, -2, name);
    return 1;
}

static struct bytes trim_line_ends(struct bytes text)
{
    while (text.len > 0 && (text.at[0] == '\r' || text.at[0] == '\n')) {
        text = (struct bytes){text.at + 1, text.len - 1};
    }
    while (text.len > 0 && (text.at[text.len - 1] == '\r' || text.at[text.len - 1] == '\n')) {
        text.len--;
    }
    return text;
}

/* Puts an error's code and message in the place of its text. A text of one word gets
 * a code before it; a dash that begins it is dropped. */
static void complete_error(lua_State *lua)
{
    struct bytes code = BYTES("ERR"), message;
    const char *space;

    message.at = lua_tolstring(lua, 1, &message.len);
    if (message.len > 0 && message.at[0] == '-') {
        message = (struct bytes){message.at + 1, message.len - 1};
    }
    space = memchr(message.at, ' ', message.len);
    if (space != NULL) {
        code = (struct bytes){message.at, (size_t)(space - message.at)};
        message = (struct bytes){space + 1, message.len - code.len - 1};
    }
    message = trim_line_ends(message);
    lua_pushlstring(lua, code.at, code.len);
    lua_pushliteral(lua, " ");
    lua_pushlstring(lua, message.at, message.len);
    lua_concat(lua, 3);
    lua_replace(lua, 1);
}

static int api_error_reply(lua_State *lua)
{
    if (lua_gettop(lua) == 1 && lua_type(lua, 1) == LUA_TSTRING) {
        complete_error(lua);
    }
    return one_field(lua, "err");
}

/* redis.rollback([message]): the message is a text or an error reply. */
static int api_rollback(lua_State *lua)
{
    struct bytes text = BYTES("ERR Script rolled back");

    lua_settop(lua, 1);
    if (lua_type(lua, 1) == LUA_TSTRING) {
        complete_error(lua);
        text.at = lua_tolstring(lua, 1, &text.len);
    } else if (lua_istable(lua, 1)) {
        lua_pushliteral(lua, "err");
        lua_rawget(lua, 1);
        if (lua_type(lua, -1) == LUA_TSTRING) {
            text.at = lua_tolstring(lua, -1, &text.len);
        }
    }
    return error_roll_back(lua, text);
}

static int api_status_reply(lua_State *lua)
{
    return one_field(lua, "ok");
}

/* Others */

/* What is no text counts as an empty one. */
static int api_sha1hex(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    char hex[SHA1_HEX + 1];
    struct bytes text;

    if (lua_gettop(lua) != 1) {
        return error_raise(lua, "wrong number of arguments");
    }
    text.at = lua_tolstring(lua, 1, &text.len);
    r->in_call = 1;
    sha1_hex(text.at == NULL ? BYTES("") : text, hex);
    r->in_call = 0;
    runtime_poll(r);
    lua_pushlstring(lua, hex, SHA1_HEX);
    return 1;
}

/* Joins the texts that are to be logged, from index 2 on, with spaces. */
static struct bytes join_texts(lua_State *lua)
{
    struct bytes text;
    luaL_Buffer joined;
    int count = lua_gettop(lua);

    luaL_buffinit(lua, &joined);
    for (int i = 2; i <= count; i++) {
        if (!lua_isstring(lua, i)) {
            continue;
        }
        if (i > 2) {
            luaL_addchar(&joined, ' ');
        }
        lua_pushvalue(lua, i);
        luaL_addvalue(&joined);
    }
    luaL_pushresult(&joined);
    text.at = lua_tolstring(lua, -1, &text.len);
    return text;
}

static int api_log(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    struct bytes text;
    int level;

    if (lua_gettop(lua) < 2) {
        return error_raise(lua, "redis.log() requires two arguments or more.");
    }
    if (!lua_isnumber(lua, 1)) {
        return error_raise(lua, "First argument must be a number (log level).");
    }
    level = (int)lua_tointeger(lua, 1);
    if (level < LOG_DEBUG || level > LOG_WARNING) {
        return error_raise(lua, "Invalid debug level.");
    }
    text = join_texts(lua);
    r->in_call = 1;
    log_bytes((enum log_level)level, text);
    r->in_call = 0;
    runtime_poll(r);
    return 0;
}

static int api_setresp(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    int version;

    if (lua_gettop(lua) != 1) {
        return error_raise(lua, "redis.setresp() requires one argument.");
    }
    version = (int)lua_tointeger(lua, 1);
    if (version != RESP2 && version != RESP3) {
        return error_raise(lua, "RESP version must be 2 or 3.");
    }
    r->sink.sink.version = (enum resp_version)version;
    return 0;
}

/* What is replicated is what has changed, whatever is asked for here. */
static int api_set_repl(lua_State *lua)
{
    if (lua_gettop(lua) != 1) {
        return error_raise(lua, "redis.set_repl() requires two arguments.");
    }
    if (((int)lua_tointeger(lua, 1) & ~3) != 0) {
        return error_raise(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL "
                                "or REPL_NONE.");
    }
    return 0;
}

static int api_replicate_commands(lua_State *lua)
{
    lua_pushboolean(lua, true);
    return 1;
}

/* There is no debugger to stop in. */
static int api_breakpoint(lua_State *lua)
{
    lua_pushboolean(lua, false);
    return 1;
}

static int api_debug(lua_State *lua)
{
    (void)lua;
    return 0;
}

enum {
    ALWAYS = STAGE_SCRIPT | STAGE_LOADING | STAGE_FUNCTION,
    AT_WORK = STAGE_SCRIPT | STAGE_FUNCTION
};

static const struct {
    const char *name;
    lua_CFunction function;
    unsigned stages;
} functions[] = {
    {"acl_check_cmd", api_acl_check_cmd, AT_WORK},
    {"ahead", retry_api_ahead, AT_WORK},
    {"breakpoint", api_breakpoint, STAGE_SCRIPT},
    {"call", api_call, AT_WORK},
    {"debug", api_debug, STAGE_SCRIPT},
    {"error_reply", api_error_reply, AT_WORK},
    {"log", api_log, ALWAYS},
    {"pcall", api_pcall, AT_WORK},
    {"library", loading_import, STAGE_LOADING},
    {"register_function", loading_register, STAGE_LOADING},
    {"replicate_commands", api_replicate_commands, STAGE_SCRIPT},
    {"retry", retry_api, AT_WORK},
    {"rollback", api_rollback, AT_WORK},
    {"set_repl", api_set_repl, AT_WORK},
    {"setresp", api_setresp, AT_WORK},
    {"sha1hex", api_sha1hex, AT_WORK},
    {"status_reply", api_status_reply, AT_WORK},
    {"waiters", retry_api_waiters, AT_WORK},
};

static const struct {
    const char *name;
    int value;
    unsigned stages;
} constants[] = {
    {"LOG_DEBUG", LOG_DEBUG, ALWAYS},
    {"LOG_VERBOSE", LOG_VERBOSE, ALWAYS},
    {"LOG_NOTICE", LOG_NOTICE, ALWAYS},
    {"LOG_WARNING", LOG_WARNING, ALWAYS},
    {"REPL_NONE", 0, AT_WORK},
    {"REPL_AOF", 1, AT_WORK},
    {"REPL_REPLICA", 2, AT_WORK},
    {"REPL_SLAVE", 2, AT_WORK},
    {"REPL_ALL", 3, AT_WORK},
    {"REDIS_VERSION_NUM", REDIS_VERSION_NUM, ALWAYS},
    {"MOONLATCH_VERSION_NUM", MOONLATCH_VERSION_NUM, ALWAYS},
};

/* Named as in Valkey, by which scripts tell servers apart. */
static const struct {
    const char *name;
    const char *text;
} texts[] = {
    {"MOONLATCH_VERSION", MOONLATCH_VERSION},
    {"REDIS_VERSION", REDIS_VERSION},
    {"SERVER_NAME", "moonlatch"},
};

void script_api_open(lua_State *lua, enum script_stage stage)
{
    lua_newtable(lua);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (functions[i].stages & stage) {
            lua_pushcfunction(lua, functions[i].function);
            lua_setfield(lua, -2, functions[i].name);
        }
    }
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (constants[i].stages & stage) {
            lua_pushinteger(lua, constants[i].value);
            lua_setfield(lua, -2, constants[i].name);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lua_pushstring(lua, texts[i].text);
        lua_setfield(lua, -2, texts[i].name);
    }
}
