/* The redis.* functions that scripts may call. */
#ifndef SCRIPT_API_H
#define SCRIPT_API_H

#include <lua.h>

/* At which stage of its life code asks. */
enum script_stage {
    STAGE_SCRIPT = 1 << 0,   /* A script. */
    STAGE_LOADING = 1 << 1,  /* A library that is being loaded, */
    STAGE_FUNCTION = 1 << 2, /* and its functions later. */
};

/* Pushes a table with those of a stage. */
void script_api_open(lua_State *lua, enum script_stage stage);

#endif
