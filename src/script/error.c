#include "script/error.h"

#include "script/run.h"
#include "script/sandbox.h"

#include <lauxlib.h>

bool error_find_place(lua_State *lua, int level, lua_Debug *place)
{
    while (lua_getstack(lua, level, place)) {
        lua_getinfo(lua, "Sl", place);
        if (place->currentline > 0 && strcmp(place->source, SANDBOX_PRELUDE) != 0) {
            return true;
        }
        level++;
    }
    return false;
}

/* Sets `source` and `line` of the table on the stack to that place. */
static void set_place(lua_State *lua, int level)
{
    lua_Debug place;

    if (error_find_place(lua, level, &place)) {
        lua_pushstring(lua, place.source);
        lua_setfield(lua, -2, "source");
        lua_pushinteger(lua, place.currentline);
        lua_setfield(lua, -2, "line");
    }
}

static void new_error(lua_State *lua, bool counted)
{
    lua_createtable(lua, 0, 4);
    if (counted) {
        lua_pushboolean(lua, true);
        lua_setfield(lua, -2, "ignore_error_stats_update");
    }
}

void error_push(lua_State *lua, struct bytes text, bool counted)
{
    new_error(lua, counted);
    lua_pushlstring(lua, text.at, text.len);
    lua_setfield(lua, -2, "err");
    set_place(lua, 1);
}

int error_raise(lua_State *lua, const char *text)
{
    lua_pushfstring(lua, "ERR %s", text);
    new_error(lua, false);
    lua_insert(lua, -2);
    lua_setfield(lua, -2, "err");
    set_place(lua, 1);
    return lua_error(lua);
}

/* Pushes "ERR " and what was raised, which is at index 1 and no error table. */
static void push_message(lua_State *lua)
{
    switch (lua_type(lua, 1)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
        lua_pushfstring(lua, "ERR %s", lua_tostring(lua, 1));
        break;
    case LUA_TNIL:
        lua_pushliteral(lua, "ERR nil");
        break;
    case LUA_TBOOLEAN:
        lua_pushfstring(lua, "ERR %s", lua_toboolean(lua, 1) ? "true" : "false");
        break;
    default:
        lua_pushfstring(lua, "ERR script raised a %s without an 'err' text", luaL_typename(lua, 1));
    }
}

/* Looks at fields without their metamethods: a script must not be able to run code
 * here, or to raise another error. */
static bool has_text(lua_State *lua)
{
    bool found;

    if (!lua_istable(lua, 1)) {
        return false;
    }
    lua_pushliteral(lua, "err");
    lua_rawget(lua, 1);
    found = lua_type(lua, -1) == LUA_TSTRING;
    lua_pop(lua, 1);
    return found;
}

/* Tells whether the table on the stack says that it has been counted. */
static bool is_counted(lua_State *lua)
{
    bool counted;

    lua_pushliteral(lua, "ignore_error_stats_update");
    lua_rawget(lua, -2);
    counted = lua_toboolean(lua, -1);
    lua_pop(lua, 1);
    return counted;
}

/* Pushes a table of ours for whatever was raised, at index 1. */
static void push_error(lua_State *lua)
{
    if (!has_text(lua)) {
        push_message(lua);
        new_error(lua, false);
        lua_insert(lua, -2);
        lua_setfield(lua, -2, "err");
    } else {
        /* The script may have more in its table; we want to write to our own. */
        new_error(lua, is_counted(lua));
        lua_pushliteral(lua, "err");
        lua_pushliteral(lua, "err");
        lua_rawget(lua, 1);
        lua_rawset(lua, -3);
    }
    set_place(lua, 1);
}

static char rollback_key; /* Of the registry: what redis.rollback() has raised. */

static void push_rollback(lua_State *lua)
{
    lua_pushlightuserdata(lua, &rollback_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
}

int error_handler(lua_State *lua)
{
    lua_settop(lua, 1);
    if (runtime_of(lua)->use->rolls_back) {
        push_rollback(lua);
    } else {
        push_error(lua);
    }
    return 1;
}

int error_roll_back(lua_State *lua, struct bytes text)
{
    lua_pushlightuserdata(lua, &rollback_key);
    error_push(lua, text, false);
    lua_rawset(lua, LUA_REGISTRYINDEX);
    runtime_of(lua)->use->rolls_back = true;
    return error_go_on(lua);
}

int error_go_on(lua_State *lua)
{
    if (!runtime_of(lua)->use->rolls_back) {
        return 0;
    }
    push_rollback(lua);
    return lua_error(lua);
}

static struct bytes text_field(lua_State *lua, const char *name)
{
    struct bytes text = {0};

    lua_pushstring(lua, name);
    lua_rawget(lua, -2);
    if (lua_type(lua, -1) == LUA_TSTRING) {
        text.at = lua_tolstring(lua, -1, &text.len);
    }
    lua_pop(lua, 1); /* The table keeps it. */
    return text;
}

bool error_describe(lua_State *lua, const char *name, int line, struct buf *text)
{
    struct bytes source;

    if (!lua_istable(lua, -1)) { /* The handler itself failed. */
        buf_addf(text, "ERR error in error handling script: %s", name);
        return false;
    }
    buf_add(text, text_field(lua, "err"));
    buf_addf(text, " script: %s", name);
    source = text_field(lua, "source");
    if (source.len > 0) {
        lua_pushliteral(lua, "line");
        lua_rawget(lua, -2);
        buf_addf(text, ", on %.*s:%d.", (int)source.len, source.at, (int)lua_tointeger(lua, -1));
        lua_pop(lua, 1);
    } else if (line > 0) {
        buf_addf(text, ", on @user_function:%d.", line);
    }
    return is_counted(lua);
}

bool error_is_returned(lua_State *lua, struct bytes *text, bool *counted)
{
    if (!lua_istable(lua, -1)) {
        return false;
    }
    *text = text_field(lua, "err");
    *counted = is_counted(lua);
    return text->at != NULL;
}
