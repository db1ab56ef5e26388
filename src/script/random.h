/* math.random() and math.randomseed() as Redis has them: the generator of
 * drand48(), which each script begins with numbers that nobody can foresee. */
#ifndef SCRIPT_RANDOM_H
#define SCRIPT_RANDOM_H

#include "script/runtime.h"

/* Replaces the two functions in the table on the stack. */
void script_random_open(lua_State *lua);

/* Begins a sequence for the next script. */
void script_random_begin(struct runtime *r);

#endif
