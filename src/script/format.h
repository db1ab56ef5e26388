/* string.format() as Lua 5.1 has it, and Redis with it.
 *
 * That of LuaJIT takes any value for a text, and tells the addresses of tables and
 * functions; it knows other options, and rounds in another way. */
#ifndef SCRIPT_FORMAT_H
#define SCRIPT_FORMAT_H

#include <lua.h>

int script_format(lua_State *lua);

#endif
