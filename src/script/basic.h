/* Functions of Lua that scripts have in a form of our own: as Redis has them, without
 * what could reach out of the sandbox. */
#ifndef SCRIPT_BASIC_H
#define SCRIPT_BASIC_H

#include <lua.h>

/* Adds tostring, load, loadstring, collectgarbage and gcinfo to the table on the stack. */
void script_basic_open(lua_State *lua);

/* Changes what the libraries of the VM have, in the table of globals. */
void script_basic_change_libraries(lua_State *lua);

#endif
