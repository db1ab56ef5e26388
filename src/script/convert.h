/* What a script returns, as a reply. */
#ifndef SCRIPT_CONVERT_H
#define SCRIPT_CONVERT_H

#include "script/runtime.h"

/* Replies with the value on the Lua stack, and takes it off. Returns false if it is nested
 * too deep. What has been written to `reply` must be dropped then, and if this does not
 * return. */
bool convert_reply(struct runtime *r, lua_State *lua, struct sink *reply);

#endif
