#include "script/random.h"

#include <lauxlib.h>
#include <math.h>

/* The linear congruential generator that POSIX prescribes for drand48(). */
static const uint64_t factor = UINT64_C(0x5deece66d);
static const uint64_t increment = 0xb;
static const uint64_t mask = (UINT64_C(1) << 48) - 1;

static void seed(struct runtime *r, int32_t number)
{
    r->random_state = ((uint64_t)(uint32_t)number << 16) | 0x330e;
}

/* Returns the next number from 0 to 2^31 - 1, as lrand48() does. */
static uint64_t next(struct runtime *r)
{
    r->random_state = (r->random_state * factor + increment) & mask;
    return r->random_state >> 17;
}

/* Returns a number argument as an integer; of what does not fit, the nearest one. */
static int64_t check_integer(lua_State *lua, int argument)
{
    static const double most = 9007199254740992.0; /* 2^53 */
    double number = luaL_checknumber(lua, argument);

    if (isnan(number)) {
        return 0;
    }
    return (int64_t)(number > most ? most : number < -most ? -most : number);
}

static int api_random(lua_State *lua)
{
    static const double range = 2147483647.0; /* 2^31 - 1 */
    double share = fmod((double)next(runtime_of(lua)), range) / range;
    int64_t low = 1;
    int64_t high;

    switch (lua_gettop(lua)) {
    case 0:
        lua_pushnumber(lua, share);
        return 1;
    case 1:
        high = check_integer(lua, 1);
        luaL_argcheck(lua, high >= 1, 1, "interval is empty");
        break;
    case 2:
        low = check_integer(lua, 1);
        high = check_integer(lua, 2);
        luaL_argcheck(lua, low <= high, 2, "interval is empty");
        break;
    default:
        return luaL_error(lua, "wrong number of arguments");
    }
    lua_pushnumber(lua, floor(share * ((double)high - (double)low + 1)) + (double)low);
    return 1;
}

static int api_randomseed(lua_State *lua)
{
    seed(runtime_of(lua), (int32_t)check_integer(lua, 1));
    return 0;
}

void script_random_open(lua_State *lua)
{
    lua_pushcfunction(lua, api_random);
    lua_setfield(lua, -2, "random");
    lua_pushcfunction(lua, api_randomseed);
    lua_setfield(lua, -2, "randomseed");
}

void script_random_begin(struct runtime *r)
{
    r->random_state = random_next(&r->engine->random) & mask;
}
