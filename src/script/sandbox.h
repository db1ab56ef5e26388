/* The sandbox: what a script can reach, and that it cannot change it.
 *
 * Scripts share one VM, so nothing that one of them does may be seen by the next.
 * Libraries are reached through empty, protected userdata. The environment of a
 * script's functions is one table with all globals; reading one that is not there
 * is an error. A function that assigns to a global, which is also an error, is
 * given another environment, where that is noticed: so that all the others find
 * their globals by a single look into a table. */
#ifndef SCRIPT_SANDBOX_H
#define SCRIPT_SANDBOX_H

#include "script/runtime.h"

/* What lies at the bottom of the VM's stack, always. */
enum {
    SANDBOX_GLOBALS = 1, /* The environment. */
    SANDBOX_ON_ERROR,    /* The message handler of scripts: see script/error.h. */
    SANDBOX_KEYS,        /* The strings "KEYS" and "ARGV". */
    SANDBOX_ARGV,
    SANDBOX_LIBRARY,        /* The environment of libraries, */
    SANDBOX_STRICT_LIBRARY, /* and the empty one of those that assign to globals. */
    SANDBOX_TOP = SANDBOX_STRICT_LIBRARY,
};

/* The name of the chunk of our own functions that are written in Lua. */
#define SANDBOX_PRELUDE "=prelude"

/* Fills a new VM. */
void sandbox_open(lua_State *lua);

/* Compiles text to a function with the environment of scripts, and pushes it; or
 * pushes a message. Returns whether it is a function. */
bool sandbox_load(lua_State *lua, struct bytes text, const char *chunk_name);

/* The same with the environment of libraries. While a library is being loaded, that has
 * nothing but redis.register_function and a little more. */
bool sandbox_load_library(lua_State *lua, struct bytes text, const char *chunk_name);
void sandbox_set_loading(lua_State *lua, bool loading);

/* Replaces the table on the stack by a protected userdata through which it can be read. */
void sandbox_protect(lua_State *lua);

/* Empties KEYS and ARGV. */
void sandbox_clear_arguments(lua_State *lua);

#endif
