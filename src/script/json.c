#include "script/json.h"

#include "script/json_codec.h"

#include <assert.h>
#include <lauxlib.h>
#include <limits.h>

static const struct json_options defaults = {
    .sparse_convert = false,
    .sparse_ratio = 2,
    .sparse_safe = 10,
    .encode_max_depth = 1000,
    .encode_precision = 14,
    .encode_keep_buffer = true,
    .encode_invalid = INVALID_REFUSED,
    .decode_max_depth = 1000,
    .decode_invalid = INVALID_ACCEPTED,
    .decode_marks = false,
};

enum { PRECISION_MAX = 14 };

/* Returns the options that a function of `count` arguments is to change, and
 * fills up its arguments with nil, which changes nothing. */
static struct json_options *options_of(lua_State *lua, int count)
{
    struct json *library = json_of(lua);

    luaL_argcheck(lua, lua_gettop(lua) <= count, count + 1, "found too many arguments");
    lua_settop(lua, count);
    library->changed = true;
    return &library->options;
}

/* Sets an option to the argument at `index` unless that is nil, and pushes what
 * it is then. A wrong number is said to be the first argument, as Redis says. */
static void option_integer(lua_State *lua, int index, int *option, int min, int max)
{
    if (!lua_isnil(lua, index)) {
        int value = (int)luaL_checkinteger(lua, index);
        if (value < min || value > max) {
            lua_pushfstring(lua, "expected integer between %d and %d", min, max);
            luaL_argerror(lua, 1, lua_tostring(lua, -1));
        }
        *option = value;
    }
    lua_pushinteger(lua, *option);
}

/* The same for an option with names, of which the first two are false and true. */
static void option_name(lua_State *lua, int index, int *option, const char *const *names)
{
    if (lua_isboolean(lua, index)) {
        *option = lua_toboolean(lua, index);
    } else if (!lua_isnil(lua, index)) {
        *option = luaL_checkoption(lua, index, NULL, names);
    }
    if (*option <= true) {
        lua_pushboolean(lua, *option);
    } else {
        lua_pushstring(lua, names[*option]);
    }
}

static const char *const switch_names[] = {"off", "on", NULL};
static const char *const invalid_names[] = {"off", "on", "null", NULL};

static int json_encode_sparse_array(lua_State *lua)
{
    struct json_options *options = options_of(lua, 3);

    option_name(lua, 1, &options->sparse_convert, switch_names);
    option_integer(lua, 2, &options->sparse_ratio, 0, INT_MAX);
    option_integer(lua, 3, &options->sparse_safe, 0, INT_MAX);
    return 3;
}

static int json_encode_max_depth(lua_State *lua)
{
    option_integer(lua, 1, &options_of(lua, 1)->encode_max_depth, 1, INT_MAX);
    return 1;
}

static int json_decode_max_depth(lua_State *lua)
{
    option_integer(lua, 1, &options_of(lua, 1)->decode_max_depth, 1, INT_MAX);
    return 1;
}

static int json_encode_number_precision(lua_State *lua)
{
    option_integer(lua, 1, &options_of(lua, 1)->encode_precision, 1, PRECISION_MAX);
    return 1;
}

static int json_encode_keep_buffer(lua_State *lua)
{
    option_name(lua, 1, &options_of(lua, 1)->encode_keep_buffer, switch_names);
    return 1;
}

static int json_encode_invalid_numbers(lua_State *lua)
{
    option_name(lua, 1, &options_of(lua, 1)->encode_invalid, invalid_names);
    return 1;
}

static int json_decode_invalid_numbers(lua_State *lua)
{
    option_name(lua, 1, &options_of(lua, 1)->decode_invalid, switch_names);
    return 1;
}

/* As of Redis 8. The metatable is the script's own, so it may do with it what it likes. */
static int json_decode_array_with_array_mt(lua_State *lua)
{
    struct json_options *options = options_of(lua, 1);

    option_name(lua, 1, &options->decode_marks, switch_names);
    lua_createtable(lua, 0, 1);
    lua_pushboolean(lua, true);
    lua_setfield(lua, -2, JSON_ARRAY_MARK);
    lua_setfenv(lua, lua_upvalueindex(1));
    return 1;
}

/* Its address is the registry's key for the library that is reset. */
static const char registry_key;

static int library_free(lua_State *lua)
{
    struct json *library = lua_touserdata(lua, 1);

    text_clear(lua, &library->text);
    text_clear(lua, &library->notes);
    return 0;
}

/* Pushes what a copy of the library knows. */
static void library_push(lua_State *lua)
{
    struct json *library = lua_newuserdata(lua, sizeof *library);

    *library = (struct json){.options = defaults};
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, library_free);
    lua_setfield(lua, -2, "__gc");
    lua_setmetatable(lua, -2);
}

static int json_new(lua_State *lua);

/* Pushes the table of a library that is on top of the stack, and removes that. */
static void library_push_table(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"encode", json_encode},
        {"decode", json_decode},
        {"encode_sparse_array", json_encode_sparse_array},
        {"encode_max_depth", json_encode_max_depth},
        {"decode_max_depth", json_decode_max_depth},
        {"encode_number_precision", json_encode_number_precision},
        {"encode_keep_buffer", json_encode_keep_buffer},
        {"encode_invalid_numbers", json_encode_invalid_numbers},
        {"decode_invalid_numbers", json_decode_invalid_numbers},
        {"decode_array_with_array_mt", json_decode_array_with_array_mt},
        {"new", json_new},
    };
    enum { COUNT = sizeof functions / sizeof functions[0] };

    lua_createtable(lua, 0, COUNT + 3);
    for (size_t i = 0; i < COUNT; i++) {
        lua_pushvalue(lua, -2);
        lua_pushcclosure(lua, functions[i].func, 1);
        lua_setfield(lua, -2, functions[i].name);
    }
    lua_pushlightuserdata(lua, NULL);
    lua_setfield(lua, -2, "null");
    lua_pushliteral(lua, "cjson");
    lua_setfield(lua, -2, "_NAME");
    lua_pushliteral(lua, "2.1.0");
    lua_setfield(lua, -2, "_VERSION");
    lua_remove(lua, -2);
}

static int json_new(lua_State *lua)
{
    library_push(lua);
    library_push_table(lua);
    return 1;
}

void script_json_open(lua_State *lua)
{
    luaL_checkstack(lua, 4, "no room for cjson");
    library_push(lua);
    lua_pushlightuserdata(lua, (void *)&registry_key);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, LUA_REGISTRYINDEX);
    library_push_table(lua);
}

void script_json_reset(lua_State *lua)
{
    struct json *library;

    lua_pushlightuserdata(lua, (void *)&registry_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    library = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    assert(library != NULL);

    if (library->changed) {
        library->options = defaults;
        library->changed = false;
    }
    text_trim(lua, &library->text);
    text_trim(lua, &library->notes);
}
