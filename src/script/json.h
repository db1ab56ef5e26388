/* JSON for scripts: the library `cjson`.
 *
 * It answers as Redis's cjson does, to the letter of its texts and its errors.
 *
 * All that it holds lies in the memory of the VM: a script that uses it may be
 * ended between any two instructions by throwing that memory away, or by an
 * error from any call of the VM. Numbers are read and written by the C library,
 * so the process must keep the "C" locale for them. */
#ifndef SCRIPT_JSON_H
#define SCRIPT_JSON_H

#include <lua.h>

/* Pushes a table with the functions and constants of cjson. To be called once in
 * the life of a VM, in a protected call: it raises an error if memory runs out. */
void script_json_open(lua_State *lua);

/* Restores the settings that the functions of that table have changed, so that
 * one script does not see those of another. Copies that a script has made by
 * cjson.new() keep their own. It takes two free slots of the stack, raises no
 * error, and costs a look into the registry. */
void script_json_reset(lua_State *lua);

#endif
