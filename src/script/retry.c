#include "script/retry.h"

#include "base/mem.h"
#include "engine/batch.h"
#include "engine/block.h"
#include "engine/deadlock.h"
#include "script/error.h"

#include <lauxlib.h>

enum {
    HOLDERS = 64,   /* That a script may name; others are not looked at. */
    WAITERS = 1000, /* That it is told of. */
};

/* Reading what the script says, in the table at index 1. */

/* Leaves the field on the stack. */
static int field_type(lua_State *lua, const char *name)
{
    lua_pushstring(lua, name);
    lua_rawget(lua, 1);
    return lua_type(lua, -1);
}

/* Returns a number of milliseconds, at least 1; or 0 if the field is not there. -1: it is none, or
 * has passed. */
static int64_t read_ms(lua_State *lua, const char *name)
{
    static const double longest = 1e15;
    double ms = 0;

    if (field_type(lua, name) != LUA_TNIL) {
        ms = lua_tonumber(lua, -1);
        if (!(ms > 0)) {
            ms = -1;
        } else if (ms < 1) {
            ms = 1;
        }
    }
    lua_pop(lua, 1);
    return (int64_t)(ms < longest ? ms : longest);
}

static bool read_text(lua_State *lua, struct bytes *text)
{
    if (lua_type(lua, -1) != LUA_TSTRING) {
        return false;
    }
    text->at = lua_tolstring(lua, -1, &text->len);
    return true;
}

/* Views the owner and the holders, which the table keeps. */
static size_t read_owners(lua_State *lua, struct bytes owner[HOLDERS + 1])
{
    size_t count = 0;

    field_type(lua, "owner");
    count += read_text(lua, &owner[0]);
    lua_pop(lua, 1);
    if (count > 0 && field_type(lua, "holders") == LUA_TTABLE) {
        int len = (int)lua_objlen(lua, -1);

        for (int i = 1; i <= len && count <= HOLDERS; i++) {
            lua_rawgeti(lua, -1, i);
            count += read_text(lua, &owner[count]);
            lua_pop(lua, 1);
        }
    }
    lua_settop(lua, 1);
    return count;
}

static void read_wish(lua_State *lua, struct block *b, struct bytes owner[HOLDERS + 1])
{
    b->timeout_ms = read_ms(lua, "timeout");
    b->again_ms = read_ms(lua, "again");
    if (b->again_ms < 0) { /* Now, which it has just been. */
        b->again_ms = 1;
    }
    if (field_type(lua, "keys") == LUA_TNUMBER && lua_tonumber(lua, -1) < (lua_Number)b->count) {
        b->count = lua_tonumber(lua, -1) > 0 ? (size_t)lua_tonumber(lua, -1) : 0;
    }
    field_type(lua, "ordered");
    b->ordered = lua_toboolean(lua, -1) && b->count > 0;
    lua_settop(lua, 1);
    b->owners = read_owners(lua, owner);
    b->owner = owner;
}

/* Inside of the VM. */

static bool may_wait(const struct runtime *r)
{
    return !r->session.dry_run && call_may_block(r->use->call);
}

/* Notes the wish with the use, which outlives the VM. */
static void keep(struct use *u, const struct block *b)
{
    size_t size;

    u->wish = *b;
    u->wish_owner = b->owners > 0 ? session_copy_arguments(b->owners, b->owner, &size) : NULL;
    u->wish.owner = u->wish_owner;
    u->retries = true;
}

/* Pushes the circle that waiting would close, if it would. */
static bool push_deadlock(struct runtime *r, lua_State *lua, const struct block *b)
{
    struct buf *circle = &r->use->text; /* Outlives the VM, and is not needed but for errors. */
    bool found;

    r->in_call = 1;
    found = deadlock_would_be(r->use->call, b, circle);
    r->in_call = 0;
    runtime_poll(r);
    if (found) {
        lua_pushlstring(lua, circle->at, circle->len);
        circle->len = 0;
    }
    return found;
}

/* redis.retry([{timeout, again, ordered, owner, holders}]): does not return if the script can
 * wait; else returns false, or a text, which is the circle of a deadlock. */
int retry_api(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    struct block b = {.first = SCRIPT_FIRST_KEY, .count = r->use->keys, .any_change = true};
    struct bytes owner[HOLDERS + 1];

    lua_settop(lua, 1);
    if (!lua_istable(lua, 1)) {
        lua_newtable(lua);
        lua_replace(lua, 1);
    }
    read_wish(lua, &b, owner);
    if (b.timeout_ms < 0 || !may_wait(r)) {
        lua_pushboolean(lua, false);
        return 1;
    }
    if (push_deadlock(r, lua, &b)) {
        return 1;
    }
    r->in_call = 1;
    keep(r->use, &b);
    r->in_call = 0;
    return error_roll_back(lua, BYTES("ERR Script waits"));
}

int retry_api_ahead(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    size_t ahead;

    r->in_call = 1;
    ahead = call_count_ahead(r->use->call, SCRIPT_FIRST_KEY, r->use->keys);
    r->in_call = 0;
    runtime_poll(r);
    lua_pushinteger(lua, (lua_Integer)ahead);
    return 1;
}

struct waiters_list {
    lua_State *lua; /* With the list on top. */
    int count, most;
};

/* What is walked is the engine's, and may be left at any point. */
static void push_waiter(const struct session *s, struct bytes owner, int64_t since_ms,
                        void *context)
{
    struct waiters_list *w = context;

    if (w->count == w->most) {
        return;
    }
    lua_createtable(w->lua, 3, 0);
    lua_pushlstring(w->lua, owner.at, owner.len);
    lua_rawseti(w->lua, -2, 1);
    lua_pushnumber(w->lua, (lua_Number)since_ms);
    lua_rawseti(w->lua, -2, 2);
    lua_pushstring(w->lua, s->address);
    lua_rawseti(w->lua, -2, 3);
    lua_rawseti(w->lua, -2, ++w->count);
}

/* redis.waiters(key [, most]): who waits in order for a key, oldest first: a list of {owner,
 * milliseconds of Unix time since when, address}. */
int retry_api_waiters(lua_State *lua)
{
    struct runtime *r = runtime_of(lua);
    struct waiters_list w = {.lua = lua, .most = WAITERS};
    struct bytes key;

    if (lua_type(lua, 1) != LUA_TSTRING) {
        return error_raise(lua, "redis.waiters() requires a key.");
    }
    key.at = lua_tolstring(lua, 1, &key.len);
    if (lua_isnumber(lua, 2) && lua_tonumber(lua, 2) >= 0 && lua_tonumber(lua, 2) < WAITERS) {
        w.most = (int)lua_tonumber(lua, 2);
    }
    lua_newtable(lua);
    block_each_in_order(r->engine, r->session.db, key, push_waiter, &w);
    return 1;
}

/* Outside of it. */

void retry_wait(struct use *u, struct journal_mark start)
{
    batch_rollback(u->call->engine, start);
    call_block(u->call, &u->wish);
}
