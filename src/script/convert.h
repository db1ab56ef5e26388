/* What a script returns, as a reply. */
#ifndef SCRIPT_CONVERT_H
#define SCRIPT_CONVERT_H

#include "script/runtime.h"

/* Replies with the value on the Lua stack. Raises a Lua error if it is nested too
 * deep. What is written to `reply` must be dropped if this does not return. */
void convert_reply(struct runtime *r, lua_State *lua, struct sink *reply);

#endif
