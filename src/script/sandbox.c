#include "script/sandbox.h"

#include "script/api.h"
#include "script/basic.h"
#include "script/bytecode.h"
#include "script/error.h"
#include "script/json.h"
#include "script/msgpack.h"
#include "script/random.h"
#include "script/structs.h"

#include <assert.h>
#include <lauxlib.h>
#include <lualib.h>
#include <time.h>

/* Keys of the registry. */
static char strict_key;  /* The environment that notices assignments. */
static char protect_key; /* What lies behind each protected userdata. */
static char loading_key; /* Globals of a library that is being loaded, */
static char running_key; /* and of its functions when they run. */

static int refuse_change(lua_State *lua)
{
    return luaL_error(lua, "Attempt to modify a readonly table");
}

static int refuse_unknown(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";

    return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", name);
}

/* The length of a protected table. */
static int protected_length(lua_State *lua);

void sandbox_protect(lua_State *lua)
{
    lua_newuserdata(lua, 0);
    lua_createtable(lua, 0, 4);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_change);
    lua_setfield(lua, -2, "__newindex");
    lua_pushcfunction(lua, protected_length);
    lua_setfield(lua, -2, "__len");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, -2);

    lua_pushlightuserdata(lua, &protect_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, -2);
    lua_pushvalue(lua, -4);
    lua_rawset(lua, -3);
    lua_pop(lua, 1);
    lua_remove(lua, -2);
}

/* Replaces globals, the table on the stack, by what scripts know as _G. Whoever asks for
 * its metatable gets what Redis has there, which cannot be changed either. */
static void protect_globals(lua_State *lua)
{
    sandbox_protect(lua);
    lua_getmetatable(lua, -1);
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, refuse_unknown);
    lua_setfield(lua, -2, "__index");
    sandbox_protect(lua);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 1);
}

/* If argument 1 is a protected library, pushes the table behind it. */
static bool push_protected(lua_State *lua)
{
    if (lua_type(lua, 1) != LUA_TUSERDATA) {
        return false;
    }
    lua_pushlightuserdata(lua, &protect_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, 1);
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
    return true;
}

static int protected_length(lua_State *lua)
{
    lua_pushinteger(lua, push_protected(lua) ? (lua_Integer)lua_objlen(lua, -1) : 0);
    return 1;
}

static void copy_table(lua_State *lua, int from, int to)
{
    lua_pushnil(lua);
    while (lua_next(lua, from) != 0) {
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, to);
    }
}

/* contents(library): a copy of it as a table, for pairs(). Anything else is given
 * back. */
static int contents(lua_State *lua)
{
    int from;

    if (!push_protected(lua)) {
        lua_settop(lua, 1);
        return 1;
    }
    from = lua_gettop(lua);
    lua_newtable(lua);
    copy_table(lua, from, from + 1);
    return 1;
}

/* peek(library, name): what it has of that name, or nil. */
static int peek(lua_State *lua)
{
    lua_settop(lua, 2);
    if (!push_protected(lua)) {
        return 0;
    }
    lua_pushvalue(lua, 2);
    lua_rawget(lua, -2);
    return 1;
}

/* Compiling. */

/* Returns what a text begins with that Redis refuses and LuaJIT would take: bytecode, a
 * line that it skips, or the mark of an encoding. */
static const char *bad_beginning(struct bytes text)
{
    switch (text.len > 0 ? (unsigned char)text.at[0] : 0) {
    case 0x1b:
        return "char(27)";
    case '#':
        return "#";
    case 0xef:
        return "\xef";
    default:
        return NULL;
    }
}

/* Pushes a message that begins with the place as Lua names it. */
static void push_message(lua_State *lua, const char *chunk_name, const char *format,
                         const char *what)
{
    lua_Debug place;
    int err = luaL_loadbufferx(lua, "", 0, chunk_name, "t");

    assert(err == 0);
    lua_getinfo(lua, ">S", &place);
    lua_pushfstring(lua, "%s:1: ", place.short_src);
    lua_pushfstring(lua, format, what);
    lua_concat(lua, 2);
}

/* Pushes a function, or a message, with what is known of the function's code. */
static bool compile(lua_State *lua, struct bytes text, const char *chunk_name, unsigned *traits)
{
    const char *bad = bad_beginning(text);

    if (bad != NULL) {
        push_message(lua, chunk_name, "unexpected symbol near '%s'", bad);
        return false;
    }
    if (luaL_loadbufferx(lua, text.at, text.len, chunk_name, "t") != 0) {
        return false;
    }
    *traits = bytecode_finish(lua);
    if (*traits & BYTECODE_FOREIGN) {
        lua_pop(lua, 1);
        push_message(lua, chunk_name, "malformed number: %s are no part of Lua", "LL, ULL and i");
        return false;
    }
    return true;
}

bool sandbox_load_library(lua_State *lua, struct bytes text, const char *chunk_name)
{
    unsigned traits;

    if (!compile(lua, text, chunk_name, &traits)) {
        return false;
    }
    lua_pushvalue(lua, traits & BYTECODE_ASSIGNS ? SANDBOX_STRICT_LIBRARY : SANDBOX_LIBRARY);
    lua_setfenv(lua, -2);
    return true;
}

static void clear_table(lua_State *lua, int table)
{
    lua_pushnil(lua);
    while (lua_next(lua, table) != 0) {
        lua_pop(lua, 1);
        lua_pushvalue(lua, -1);
        lua_pushnil(lua);
        lua_rawset(lua, table);
    }
}

void sandbox_set_loading(lua_State *lua, bool loading)
{
    int globals;

    lua_pushlightuserdata(lua, loading ? &loading_key : &running_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    globals = lua_gettop(lua);
    clear_table(lua, SANDBOX_LIBRARY);
    copy_table(lua, globals, SANDBOX_LIBRARY);

    lua_getmetatable(lua, SANDBOX_LIBRARY);
    lua_pushvalue(lua, globals);
    lua_setfield(lua, -2, "__index");
    lua_settop(lua, globals - 1);
}

bool sandbox_load(lua_State *lua, struct bytes text, const char *chunk_name)
{
    unsigned traits;

    if (!compile(lua, text, chunk_name, &traits)) {
        return false;
    }
    if (traits & BYTECODE_ASSIGNS) {
        lua_pushlightuserdata(lua, &strict_key);
        lua_rawget(lua, LUA_REGISTRYINDEX);
        lua_setfenv(lua, -2);
    }
    return true;
}

/* What is better said in Lua: functions around the original ones. pcall() gives
 * the text of an error that redis.call raised, as in Redis. Whatever catches errors lets
 * that of redis.rollback() go on. */
static const char prelude[] =
    "local G, protected, contents, peek, go_on = ...\n"
    "local pcall, xpcall, error, type = pcall, xpcall, error, type\n"
    "local pairs, rawget, rawset, resume = pairs, rawget, rawset, coroutine.resume\n"
    "local getmetatable, setmetatable = getmetatable, setmetatable\n"
    "local function is_protected(t) return getmetatable(t) ~= nil and protected[t] ~= nil end\n"
    "local function refuse() error('Attempt to modify a readonly table', 0) end\n"
    "local function caught(ok, ...)\n"
    "    if not ok then go_on() end\n"
    "    return ok, ...\n"
    "end\n"
    "local function text(...)\n"
    "    local ok, e = ...\n"
    "    if not ok and type(e) == 'table' and not is_protected(e) then\n"
    "        go_on()\n"
    "        local message = rawget(e, 'err')\n"
    "        if type(message) == 'string' then return false, message end\n"
    "    end\n"
    "    return ...\n"
    "end\n"
    "function G.pcall(f, ...) return text(pcall(f, ...)) end\n"
    "function G.xpcall(f, handler, ...)\n"
    "    if type(handler) ~= 'function' then\n"
    "        error(\"bad argument #2 to 'xpcall' (function expected)\", 2)\n"
    "    end\n"
    "    return caught(xpcall(f, handler, ...))\n"
    "end\n"
    "function coroutine.resume(co, ...)\n"
    "    if type(co) ~= 'thread' then\n"
    "        error(\"bad argument #1 to 'resume' (coroutine expected)\", 2)\n"
    "    end\n"
    "    return caught(resume(co, ...))\n"
    "end\n"
    "function G.pairs(t)\n"
    "    if getmetatable(t) ~= nil then t = contents(t) end\n"
    "    return pairs(t)\n"
    "end\n"
    "function G.rawget(t, ...)\n"
    "    if is_protected(t) then return peek(t, ...) end\n"
    "    return rawget(t, ...)\n"
    "end\n"
    "function G.rawset(t, ...)\n"
    "    if is_protected(t) then refuse() end\n"
    "    return rawset(t, ...)\n"
    "end\n"
    "function G.setmetatable(t, m)\n"
    "    if getmetatable(t) ~= nil and protected[t] then refuse() end\n"
    "    return setmetatable(t, m)\n"
    "end\n";

static void run_prelude(lua_State *lua)
{
    int err = luaL_loadbuffer(lua, prelude, sizeof prelude - 1, SANDBOX_PRELUDE);

    assert(err == 0);
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    lua_pushlightuserdata(lua, &protect_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_pushcfunction(lua, contents);
    lua_pushcfunction(lua, peek);
    lua_pushcfunction(lua, error_go_on);
    lua_call(lua, 5, 0);
}

static void open_library(lua_State *lua, lua_CFunction open, const char *name)
{
    lua_pushcfunction(lua, open);
    lua_pushstring(lua, name);
    lua_call(lua, 1, 0);
}

/* Globals of the VM that scripts have as well. */
static const char *const plain_globals[] = {
    "assert", "error",    "getmetatable", "ipairs", "next",     "rawequal",
    "select", "tonumber", "type",         "unpack", "_VERSION", NULL,
};

static const char *const libraries[] = {"string", "table", "math", "bit", "coroutine", NULL};

static void keep_hidden(lua_State *lua)
{
    lua_pushlightuserdata(lua, &protect_key);
    lua_newtable(lua);
    lua_createtable(lua, 0, 1);
    lua_pushliteral(lua, "k"); /* Those that libraries share come and go. */
    lua_setfield(lua, -2, "__mode");
    lua_setmetatable(lua, -2);
    lua_rawset(lua, LUA_REGISTRYINDEX);

    lua_getfield(lua, LUA_GLOBALSINDEX, "string");
    lua_getfield(lua, -1, "dump");
    bytecode_open(lua);
    lua_pop(lua, 1);

    lua_getfield(lua, LUA_GLOBALSINDEX, "table");
    lua_getfield(lua, -1, "concat");
    lua_setfield(lua, LUA_REGISTRYINDEX, "table.concat");
    lua_pop(lua, 1);
}

/* Scripts know one sort of userdata that is not light: protected tables. Of them, type()
 * says so; the texts that it gives are upvalues of it. */
static void call_protected_tables(lua_State *lua)
{
    const char *name;

    lua_getfield(lua, LUA_GLOBALSINDEX, "type");
    for (int i = 1; lua_getupvalue(lua, -1, i) != NULL; i++) {
        bool found = strcmp(lua_tostring(lua, -1), "userdata") == 0;

        lua_pop(lua, 1);
        if (!found) {
            continue;
        }
        lua_pushliteral(lua, "table");
        lua_setupvalue(lua, -2, i);
        lua_pushvalue(lua, -1);
        lua_newuserdata(lua, 0);
        lua_call(lua, 1, 1);
        name = lua_tostring(lua, -1);
        lua_pop(lua, 1);
        if (strcmp(name, "table") == 0) {
            break;
        }
        lua_pushliteral(lua, "userdata"); /* That was the light ones. */
        lua_setupvalue(lua, -2, i);
    }
    lua_pop(lua, 1);
}

/* Puts a library, the table on the stack, among the globals. */
static void set_library(lua_State *lua, const char *name)
{
    sandbox_protect(lua);
    lua_setfield(lua, SANDBOX_GLOBALS, name);
}

static int api_clock(lua_State *lua)
{
    lua_pushnumber(lua, (double)clock() / CLOCKS_PER_SEC);
    return 1;
}

void sandbox_clear_arguments(lua_State *lua)
{
    for (int key = SANDBOX_KEYS; key <= SANDBOX_ARGV; key++) {
        lua_pushvalue(lua, key);
        lua_newtable(lua);
        lua_rawset(lua, SANDBOX_GLOBALS);
    }
}

/* Makes writing to the table below the top of the stack an error. What is on top, which is
 * popped, is asked for what is not there. */
static void close_with(lua_State *lua)
{
    lua_createtable(lua, 0, 2);
    lua_insert(lua, -2);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_change);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, -2);
}

/* Makes reading what is not there in the table on the stack an error, and writing. */
static void close_table(lua_State *lua)
{
    lua_pushcfunction(lua, refuse_unknown);
    close_with(lua);
}

/* Puts the API of a stage among the globals in the table on the stack, by both of its names. */
static void set_api(lua_State *lua, enum script_stage stage)
{
    script_api_open(lua, stage);
    if (stage == STAGE_LOADING) {
        close_table(lua);
    }
    sandbox_protect(lua);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -3, "server");
    lua_setfield(lua, -2, "redis");
}

static void fill_globals(lua_State *lua)
{
    for (const char *const *name = plain_globals; *name != NULL; name++) {
        lua_getfield(lua, LUA_GLOBALSINDEX, *name);
        lua_setfield(lua, SANDBOX_GLOBALS, *name);
    }
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    script_basic_open(lua);
    lua_pop(lua, 1);
    run_prelude(lua);
    call_protected_tables(lua);
    script_basic_change_libraries(lua);

    lua_getfield(lua, LUA_GLOBALSINDEX, "math");
    script_random_open(lua);
    lua_pop(lua, 1);
    for (const char *const *name = libraries; *name != NULL; name++) {
        lua_getfield(lua, LUA_GLOBALSINDEX, *name);
        set_library(lua, *name);
    }
    script_json_open(lua);
    set_library(lua, "cjson");
    script_msgpack_open(lua);
    set_library(lua, "cmsgpack");
    script_structs_open(lua);
    set_library(lua, "struct");
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    set_api(lua, STAGE_SCRIPT);
    lua_pop(lua, 1);
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, api_clock);
    lua_setfield(lua, -2, "clock");
    set_library(lua, "os");

    sandbox_clear_arguments(lua);
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    protect_globals(lua);
    lua_setfield(lua, SANDBOX_GLOBALS, "_G");
}

/* Strings find their methods in the library itself, and tell of a metatable that
 * is protected. */
static void protect_strings(lua_State *lua)
{
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);
    lua_createtable(lua, 0, 1);
    lua_getfield(lua, SANDBOX_GLOBALS, "string");
    lua_setfield(lua, -2, "__index");
    sandbox_protect(lua);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 2);
}

/* Last, when all is there. */
static void close_globals(lua_State *lua)
{
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    close_table(lua);
    lua_pop(lua, 1);

    lua_pushlightuserdata(lua, &strict_key);
    lua_newtable(lua);
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    close_with(lua);
    lua_rawset(lua, LUA_REGISTRYINDEX);
}

/* What functions find when they run: the globals of scripts, but for KEYS and ARGV,
 * which are their arguments. */
static void copy_globals(lua_State *lua)
{
    int copy = lua_gettop(lua);

    copy_table(lua, SANDBOX_GLOBALS, copy);
    for (int key = SANDBOX_KEYS; key <= SANDBOX_ARGV; key++) {
        lua_pushvalue(lua, key);
        lua_pushnil(lua);
        lua_rawset(lua, copy);
    }
    lua_pushvalue(lua, copy);
    protect_globals(lua);
    lua_setfield(lua, copy, "_G");
}

static void open_libraries(lua_State *lua)
{
    lua_pushlightuserdata(lua, &loading_key);
    lua_newtable(lua);
    set_api(lua, STAGE_LOADING);
    close_table(lua);
    lua_rawset(lua, LUA_REGISTRYINDEX);

    lua_pushlightuserdata(lua, &running_key);
    lua_newtable(lua);
    copy_globals(lua);
    set_api(lua, STAGE_FUNCTION);
    close_table(lua);
    lua_rawset(lua, LUA_REGISTRYINDEX);

    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, refuse_change);
    lua_setfield(lua, -2, "__newindex");
    lua_pushvalue(lua, -1);
    lua_setmetatable(lua, SANDBOX_STRICT_LIBRARY);
    lua_setmetatable(lua, SANDBOX_LIBRARY);
    sandbox_set_loading(lua, false);
}

void sandbox_open(lua_State *lua)
{
    open_library(lua, luaopen_base, "");
    open_library(lua, luaopen_string, LUA_STRLIBNAME);
    open_library(lua, luaopen_table, LUA_TABLIBNAME);
    open_library(lua, luaopen_math, LUA_MATHLIBNAME);
    open_library(lua, luaopen_bit, LUA_BITLIBNAME);

    lua_settop(lua, 0);
    lua_newtable(lua);
    lua_pushcfunction(lua, error_handler);
    lua_pushliteral(lua, "KEYS");
    lua_pushliteral(lua, "ARGV");
    lua_newtable(lua);
    lua_newtable(lua);
    assert(lua_gettop(lua) == SANDBOX_TOP);

    keep_hidden(lua);
    fill_globals(lua);
    protect_strings(lua);
    open_libraries(lua);
    close_globals(lua);

    /* New functions have the environment of the thread that compiles them. */
    lua_pushvalue(lua, SANDBOX_GLOBALS);
    lua_replace(lua, LUA_GLOBALSINDEX);
    assert(lua_gettop(lua) == SANDBOX_TOP);
}
