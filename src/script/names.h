/* What tostring() calls a table, a function or a thread: "table: 0x00000001".
 *
 * The numbers are given as they are asked for, anew in each script; an object has the
 * same as long as the script runs. So a script learns no address, and a script that
 * runs again tells the same. */
#ifndef SCRIPT_NAMES_H
#define SCRIPT_NAMES_H

#include <lua.h>

/* Pushes the name of the value at `index`, for which `type` stands before the colon. */
void script_names_push(lua_State *lua, int index, const char *type);

/* Forgets all names, before another script begins. Raises no error. */
void script_names_reset(lua_State *lua);

#endif
