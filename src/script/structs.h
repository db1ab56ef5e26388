/* Structures of C for scripts: the library `struct`.
 *
 * It answers as Redis's struct does: the same bytes, the same errors.
 *
 * All that it holds lies in the memory of the VM: a script that uses it may be ended
 * between any two instructions by throwing that memory away, or by an error from any
 * call of the VM. */
#ifndef SCRIPT_STRUCTS_H
#define SCRIPT_STRUCTS_H

#include <lua.h>

/* Pushes a table with the functions of struct. To be called once in the life of a VM,
 * in a protected call: it raises an error if memory runs out. */
void script_structs_open(lua_State *lua);

#endif
