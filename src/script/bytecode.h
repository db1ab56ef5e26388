/* What we need to know of compiled scripts, and one thing that we change in them.
 *
 * A script whose last line is `return redis.call(..)` leaves by a tail call, which
 * takes its frame off the stack before the call begins; LuaJIT then no longer knows
 * the line of an error in it, which Redis tells. So the tail calls of the outermost
 * function are turned into calls, and those of `x.call` everywhere, which the functions
 * of libraries end in. Others stay: recursion may depend on them. */
#ifndef SCRIPT_BYTECODE_H
#define SCRIPT_BYTECODE_H

#include <lua.h>

/* Learns the opcodes of this VM from functions whose code is known. To be called
 * with string.dump on the stack, which is taken off. */
void bytecode_open(lua_State *lua);

/* What a function does, or another one inside it. */
enum bytecode_traits {
    BYTECODE_ASSIGNS = 1 << 0, /* It assigns to a global. */
    BYTECODE_FOREIGN = 1 << 1, /* It has constants of the FFI library: 1LL, 1ULL, 1i. */
};

/* Takes the function on the stack, fresh from the compiler, and pushes one that
 * does the same and keeps its frame. Returns its traits. Code that is not understood
 * is left as it is, and might assign. */
unsigned bytecode_finish(lua_State *lua);

#endif
