#include "script/basic.h"

#include "script/error.h"
#include "script/format.h"
#include "script/names.h"
#include "script/sandbox.h"

#include <lauxlib.h>
#include <math.h>

/* tostring() */

static void push_number(lua_State *lua, double number)
{
    char text[NUMBER_DOUBLE_MAX];

    lua_pushlstring(lua, text, number_format_general(text, number, 14));
}

static int api_tostring(lua_State *lua)
{
    switch (lua_type(lua, 1)) {
    case LUA_TSTRING:
        lua_settop(lua, 1);
        return 1;
    case LUA_TNUMBER:
        push_number(lua, lua_tonumber(lua, 1));
        return 1;
    case LUA_TNIL:
        lua_pushliteral(lua, "nil");
        return 1;
    case LUA_TBOOLEAN:
        lua_pushstring(lua, lua_toboolean(lua, 1) ? "true" : "false");
        return 1;
    case LUA_TLIGHTUSERDATA: /* cjson.null. */
        lua_pushliteral(lua, "userdata: (nil)");
        return 1;
    case LUA_TUSERDATA: /* A library. */
        script_names_push(lua, 1, "table");
        return 1;
    }
    luaL_checkany(lua, 1);
    if (!luaL_callmeta(lua, 1, "__tostring")) {
        script_names_push(lua, 1, luaL_typename(lua, 1));
    }
    return 1;
}

/* Loading. */

static int load_text(lua_State *lua, struct bytes text, const char *name)
{
    if (sandbox_load(lua, text, name)) {
        return 1;
    }
    lua_pushnil(lua);
    lua_insert(lua, -2);
    return 2;
}

static int api_loadstring(lua_State *lua)
{
    struct bytes text;

    text.at = luaL_checklstring(lua, 1, &text.len);
    return load_text(lua, text, luaL_optstring(lua, 2, text.at));
}

enum { READER = 1, NAME, PIECES }; /* Indices of what load() works with. */

/* Calls the reader until it has nothing more to give, and collects the pieces. Returns
 * false, with what it has raised on the stack, if it fails. */
static bool read_pieces(lua_State *lua)
{
    for (int count = 1;; count++) {
        lua_pushvalue(lua, READER);
        if (lua_pcall(lua, 0, 1, 0) != 0) {
            error_go_on(lua);
            return false;
        }
        if (lua_isnil(lua, -1) || (lua_isstring(lua, -1) && lua_objlen(lua, -1) == 0)) {
            lua_pop(lua, 1);
            return true;
        }
        if (!lua_isstring(lua, -1)) {
            luaL_where(lua, 1);
            lua_pushliteral(lua, "reader function must return a string");
            lua_concat(lua, 2);
            return false;
        }
        lua_rawseti(lua, PIECES, count);
    }
}

/* load(function, [name]): the text is what the function returns, piece by piece. */
static int api_load(lua_State *lua)
{
    const char *name = luaL_optstring(lua, NAME, "=(load)");
    struct bytes text;

    luaL_checktype(lua, READER, LUA_TFUNCTION);
    lua_settop(lua, NAME);
    lua_newtable(lua);
    if (!read_pieces(lua)) {
        lua_pushnil(lua);
        lua_insert(lua, -2);
        return 2;
    }
    lua_getfield(lua, LUA_REGISTRYINDEX, "table.concat");
    lua_insert(lua, PIECES);
    lua_call(lua, 1, 1);
    text.at = lua_tolstring(lua, -1, &text.len);
    return load_text(lua, text, name);
}

/* Memory. Scripts may ask how much there is. Collections are the runtime's affair: what
 * asks for one gets the answer that Lua would give, and nothing happens. */

static int api_gcinfo(lua_State *lua)
{
    lua_pushinteger(lua, lua_gc(lua, LUA_GCCOUNT, 0));
    return 1;
}

static int api_collectgarbage(lua_State *lua)
{
    enum { COLLECT, STOP, RESTART, COUNT, STEP, SETPAUSE, SETSTEPMUL };
    static const char *const names[] = {"collect", "stop",     "restart",    "count",
                                        "step",    "setpause", "setstepmul", NULL};

    switch (luaL_checkoption(lua, 1, luaL_optstring(lua, 1, "collect"), names)) {
    case COUNT:
        lua_pushnumber(lua, lua_gc(lua, LUA_GCCOUNT, 0) + lua_gc(lua, LUA_GCCOUNTB, 0) / 1024.0);
        break;
    case STEP:
        lua_pushboolean(lua, true);
        break;
    case SETPAUSE:
    case SETSTEPMUL:
        lua_pushinteger(lua, 200);
        break;
    default:
        lua_pushinteger(lua, 0);
    }
    return 1;
}

void script_basic_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"collectgarbage", api_collectgarbage}, {"gcinfo", api_gcinfo},     {"load", api_load},
        {"loadstring", api_loadstring},         {"tostring", api_tostring}, {NULL, NULL},
    };

    luaL_register(lua, NULL, functions);
}

/* Libraries. */

/* Fills `out` with copies of a text, the first of which may be cut. */
static void fill(char *out, size_t total, const char *at, size_t len)
{
    memcpy(out, at, len);
    for (size_t done = len; done < total; done += len) {
        len = done < total - done ? done : total - done;
        memcpy(out + done, out, len);
    }
}

/* That of LuaJIT takes the count for one of 32 bits: of what is too much, it makes little. */
static int api_rep(lua_State *lua)
{
    static const double most = INT32_MAX; /* Bytes in a string of LuaJIT. */
    char small[1024];
    size_t len, total;
    const char *at = luaL_checklstring(lua, 1, &len);
    double count = floor(luaL_checknumber(lua, 2));

    if (len == 0 || !(count >= 1)) {
        lua_pushliteral(lua, "");
        return 1;
    }
    if (count * (double)len > most) {
        return luaL_error(lua, "not enough memory");
    }
    total = (size_t)count * len;
    if (total <= sizeof small) {
        fill(small, total, at, len);
        lua_pushlstring(lua, small, total);
    } else {
        char *big = lua_newuserdata(lua, total);
        fill(big, total, at, len);
        lua_pushlstring(lua, big, total);
    }
    return 1;
}

static int api_setn(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    return luaL_error(lua, "'setn' is obsolete");
}

static int api_deg(lua_State *lua)
{
    lua_pushnumber(lua, luaL_checknumber(lua, 1) / (M_PI / 180));
    return 1;
}

static int api_rad(lua_State *lua)
{
    lua_pushnumber(lua, luaL_checknumber(lua, 1) * (M_PI / 180));
    return 1;
}

/* Bytecode is not loaded, so none is given away: only what it begins with. */
static int api_dump(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    if (lua_iscfunction(lua, 1)) {
        return luaL_error(lua, "unable to dump given function");
    }
    lua_pushliteral(lua, LUA_SIGNATURE);
    return 1;
}

/* What libraries have besides, or in another way, or not at all. */
static const struct {
    const char *library;
    const char *name;
    lua_CFunction function;
    const char *same_as; /* Without a function: another one of the library, or nothing. */
} changes[] = {
    {"coroutine", "isyieldable", NULL, NULL},
    {"math", "deg", api_deg, NULL},
    {"math", "mod", NULL, "fmod"},
    {"math", "rad", api_rad, NULL},
    {"string", "dump", api_dump, NULL},
    {"string", "format", script_format, NULL},
    {"string", "gfind", NULL, "gmatch"},
    {"string", "rep", api_rep, NULL},
    {"table", "move", NULL, NULL},
    {"table", "setn", api_setn, NULL},
};

void script_basic_change_libraries(lua_State *lua)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        lua_getfield(lua, LUA_GLOBALSINDEX, changes[i].library);
        if (changes[i].function != NULL) {
            lua_pushcfunction(lua, changes[i].function);
        } else if (changes[i].same_as != NULL) {
            lua_getfield(lua, -1, changes[i].same_as);
        } else {
            lua_pushnil(lua);
        }
        lua_setfield(lua, -2, changes[i].name);
        lua_pop(lua, 1);
    }
}
