/* MessagePack for scripts: the library `cmsgpack`.
 *
 * It answers as Redis's cmsgpack does: the same bytes, the same errors. Only the order
 * of the pairs of a map may be another one: see script/order.h.
 *
 * All that it holds lies in the memory of the VM: a script that uses it may be ended
 * between any two instructions by throwing that memory away, or by an error from any
 * call of the VM. */
#ifndef SCRIPT_MSGPACK_H
#define SCRIPT_MSGPACK_H

#include <lua.h>

/* Pushes a table with the functions and names of cmsgpack. To be called once in the
 * life of a VM, in a protected call: it raises an error if memory runs out. */
void script_msgpack_open(lua_State *lua);

#endif
