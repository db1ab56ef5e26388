/* A library that is being loaded, and what its text may call only then. */
#ifndef SCRIPT_LOADING_H
#define SCRIPT_LOADING_H

#include "script/run.h"

struct loader;
struct library;

struct loading {
    struct use use;
    struct library *library;
    const struct loader *loader; /* Where other libraries are found. */
    struct bytes body;           /* Behind its first line, whose end counts as a line. */
    struct buf needs;            /* A library that must be compiled first; empty: none. */
    struct loading *outer;       /* For which this one is loaded, or NULL. */
};

int loading_register(lua_State *lua); /* redis.register_function() */
int loading_import(lua_State *lua);   /* redis.library() */

#endif
