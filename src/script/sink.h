/* Replies as Lua values: the conversions of redis.call. */
#ifndef SCRIPT_SINK_H
#define SCRIPT_SINK_H

#include "script/runtime.h"

void lua_sink_init(struct lua_sink *s, struct runtime *r);

/* Begins a reply that goes onto this stack. Raises an error of Lua if that is full. */
void lua_sink_begin(struct lua_sink *s, lua_State *lua);

#endif
