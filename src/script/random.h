/* math.random() and math.randomseed() as Redis has them: the generator of
 * drand48(), which begins anew with each script. */
#ifndef SCRIPT_RANDOM_H
#define SCRIPT_RANDOM_H

#include "script/runtime.h"

/* Replaces the two functions in the table on the stack. */
void script_random_open(struct runtime *r, lua_State *lua);

/* Begins the sequence that every script sees at first. */
void script_random_reset(struct runtime *r);

#endif
