#include "script/loading.h"

#include "base/mem.h"
#include "script/library.h"

#include <lauxlib.h>

/* Fails as the rest of the API does, by an error that tells of no place. */
static int fail(lua_State *lua, const char *text)
{
    lua_createtable(lua, 0, 1);
    lua_pushfstring(lua, "ERR %s", text);
    lua_setfield(lua, -2, "err");
    return lua_error(lua);
}

/* What a library says of a function. The texts are the VM's. */
struct registration {
    struct bytes name;
    struct bytes description;
    bool has_description;
    bool has_callback;
    unsigned flags;
};

/* The table of flags is on the stack. */
static bool read_flags(lua_State *lua, unsigned *flags)
{
    struct bytes name;

    for (int i = 1;; i++) {
        lua_rawgeti(lua, -1, i);
        if (lua_isnil(lua, -1)) {
            lua_pop(lua, 1);
            return true;
        }
        name.at = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &name.len) : NULL;
        lua_pop(lua, 1); /* The table keeps it. */
        if (name.at == NULL || script_flag_of(name) == 0) {
            return false;
        }
        *flags |= script_flag_of(name);
    }
}

/* Takes one of the named arguments, whose content is on the stack; the callback goes to
 * index 2. Returns what is wrong, or NULL. */
static const char *take_named(lua_State *lua, const char *name, struct registration *r)
{
    if (strcmp(name, "function_name") == 0) {
        if (lua_type(lua, -1) != LUA_TSTRING) {
            return "function_name argument given to redis.register_function must be a string";
        }
        r->name.at = lua_tolstring(lua, -1, &r->name.len);
    } else if (strcmp(name, "description") == 0) {
        if (lua_type(lua, -1) != LUA_TSTRING) {
            return "description argument given to redis.register_function must be a string";
        }
        r->description.at = lua_tolstring(lua, -1, &r->description.len);
        r->has_description = true;
    } else if (strcmp(name, "callback") == 0) {
        if (!lua_isfunction(lua, -1)) {
            return "callback argument given to redis.register_function must be a function";
        }
        lua_pushvalue(lua, -1);
        lua_replace(lua, 2);
        r->has_callback = true;
    } else if (strcmp(name, "flags") == 0) {
        if (!lua_istable(lua, -1)) {
            return "flags argument to redis.register_function must be a table representing "
                   "function flags";
        }
        if (!read_flags(lua, &r->flags)) {
            return "unknown flag given";
        }
    } else {
        return "unknown argument given to redis.register_function";
    }
    return NULL;
}

static const char *read_table(lua_State *lua, struct registration *r)
{
    const char *problem;

    if (!lua_istable(lua, 1)) {
        return "calling redis.register_function with a single argument is only applicable to Lua "
               "table (representing named arguments).";
    }
    lua_pushnil(lua); /* Where the callback goes. */
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            return "named argument key given to redis.register_function is not a string";
        }
        problem = take_named(lua, lua_tostring(lua, -2), r);
        if (problem != NULL) {
            return problem;
        }
        lua_pop(lua, 1);
    }
    if (r->name.at == NULL) {
        return "redis.register_function must get a function name argument";
    }
    return r->has_callback ? NULL : "redis.register_function must get a callback argument";
}

static const char *read_two(lua_State *lua, struct registration *r)
{
    if (lua_type(lua, 1) != LUA_TSTRING) {
        return "first argument to redis.register_function must be a string";
    }
    if (!lua_isfunction(lua, 2)) {
        return "second argument to redis.register_function must be a function";
    }
    r->name.at = lua_tolstring(lua, 1, &r->name.len);
    return NULL;
}

/* Adds a function to the library that is being loaded. Its callback is on the stack. */
static void add_function(struct runtime *r, const struct registration *registration)
{
    struct function_info info = {
        .name = registration->name,
        .description = registration->description,
        .has_description = registration->has_description,
        .flags = registration->flags | SCRIPT_DECLARED,
    };
    lua_Debug place;

    lua_pushvalue(r->lua, -1);
    lua_getinfo(r->lua, ">S", &place);
    info.line = place.linedefined;
    info.callback = luaL_ref(r->lua, LUA_REGISTRYINDEX);
    r->in_call = 1;
    library_add_function(r->loading->library, &info);
    r->in_call = 0;
    runtime_poll(r);
}

int loading_register(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    struct registration registration = {.flags = 0};
    const char *problem;
    int count = lua_gettop(lua);

    if (count < 1 || count > 2) {
        return fail(lua, "wrong number of arguments to redis.register_function");
    }
    if (r->loading == NULL) {
        return fail(lua, "redis.register_function can only be called on FUNCTION LOAD command");
    }
    problem = count == 1 ? read_table(lua, &registration) : read_two(lua, &registration);
    if (problem != NULL) {
        return fail(lua, problem);
    }
    if (!shebang_is_name(registration.name)) {
        return fail(lua, shebang_bad_name);
    }
    if (library_has(r->loading->library, registration.name)) {
        return fail(lua, "Function already exists in the library");
    }
    lua_pushvalue(lua, 2);
    add_function(r, &registration);
    return 0;
}

/* redis.library() */

/* Finds the library whose exports are asked for. If it must be compiled first, its name
 * is noted, and the one that is being loaded will be loaded again behind it. */
static const char *find_library(struct loading *loading, struct bytes name, struct library **found)
{
    struct library *l = loader_ready(loading->loader, name);

    if (l == NULL) {
        loading->needs.len = 0;
        buf_add(&loading->needs, name);
        return "the library is not loaded yet";
    }
    if (library_uses(loading->loader, l, bytes_of(loading->library->name))) {
        return "libraries must not use each other in a circle";
    }
    if (l->exports == LUA_NOREF) {
        return "the library returns nothing that it could share";
    }
    library_note_use(loading->library, name);
    *found = l;
    return NULL;
}

int loading_import(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    struct library *found = NULL;
    const char *problem;
    struct bytes name;

    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
        return fail(lua, "redis.library() requires the name of a library");
    }
    if (r->loading == NULL) {
        return fail(lua, "redis.library can only be called on FUNCTION LOAD command");
    }
    name.at = lua_tolstring(lua, 1, &name.len);
    r->in_call = 1;
    problem = find_library(r->loading, name, &found);
    r->in_call = 0;
    runtime_poll(r);
    if (problem != NULL) {
        return fail(lua, problem);
    }
    lua_rawgeti(lua, LUA_REGISTRYINDEX, found->exports);
    return 1;
}
