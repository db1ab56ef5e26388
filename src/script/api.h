/* The redis.* functions that scripts may call. */
#ifndef SCRIPT_API_H
#define SCRIPT_API_H

#include <lua.h>

/* Pushes a table with them. */
void script_api_open(lua_State *lua);

#endif
