#include "script/names.h"

#include "script/runtime.h"

#include <stdio.h>

static char names_key; /* In the registry: the numbers of objects, which it does not keep. */

/* Pushes the table of numbers. */
static void push_numbers(lua_State *lua)
{
    lua_pushlightuserdata(lua, &names_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    if (!lua_isnil(lua, -1)) {
        return;
    }
    lua_pop(lua, 1);
    lua_newtable(lua);
    lua_createtable(lua, 0, 1);
    lua_pushliteral(lua, "k");
    lua_setfield(lua, -2, "__mode");
    lua_setmetatable(lua, -2);
    lua_pushlightuserdata(lua, &names_key);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, LUA_REGISTRYINDEX);
}

/* Returns the number of the value at `index`, which is absolute. */
static unsigned number_of(lua_State *lua, int index)
{
    struct runtime *r = runtime_of(lua);
    unsigned number;

    push_numbers(lua);
    lua_pushvalue(lua, index);
    lua_rawget(lua, -2);
    if (lua_isnil(lua, -1)) {
        lua_pushvalue(lua, index);
        lua_pushnumber(lua, ++r->names);
        lua_rawset(lua, -4);
        number = r->names;
    } else {
        number = (unsigned)lua_tonumber(lua, -1);
    }
    lua_pop(lua, 2);
    return number;
}

void script_names_push(lua_State *lua, int index, const char *type)
{
    char name[64];

    snprintf(name, sizeof name, "%s: 0x%08x", type, number_of(lua, index));
    lua_pushstring(lua, name);
}

void script_names_reset(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);

    if (r->names > 0) {
        r->names = 0;
        lua_pushlightuserdata(lua, &names_key);
        lua_pushnil(lua);
        lua_rawset(lua, LUA_REGISTRYINDEX);
    }
}
