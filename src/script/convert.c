#include "script/convert.h"

#include <lauxlib.h>

enum {
    DEPTH_MAX = 1000, /* Of nested tables. */
    REPLY_HEAPS = 4,  /* A reply may be this many times as long as the heap may grow. */
};

struct conversion {
    struct runtime *runtime;
    lua_State *lua;
    struct sink *reply;
    size_t bytes; /* Replied so far, about. */
    int depth;
    bool too_deep; /* Nothing more is replied. */
};

static void convert(struct conversion *c);

/* The same string may be returned a million times: the heap's limit does not bound
 * the reply. The output buffer grows outside the VM, so we must not be left while
 * it does. */
static void begin_value(struct conversion *c, size_t bytes)
{
    c->bytes += bytes + 16;
    if (c->bytes / REPLY_HEAPS > c->runtime->settings->memory_limit) {
        runtime_leave(c->runtime, RUNTIME_MEMORY);
    }
    runtime_poll(c->runtime);
    c->runtime->in_call = 1;
}

static void end_value(struct conversion *c)
{
    c->runtime->in_call = 0;
}

static void reply_text(struct conversion *c, void (*op)(struct sink *, struct bytes),
                       struct bytes text)
{
    begin_value(c, text.len);
    op(c->reply, text);
    end_value(c);
}

static void reply_number(struct conversion *c, double number)
{
    begin_value(c, 0);
    c->reply->ops->integer(c->reply, number_truncate(number));
    end_value(c);
}

static void reply_nothing(struct conversion *c)
{
    begin_value(c, 0);
    c->reply->ops->nil(c->reply);
    end_value(c);
}

/* After setresp(3) booleans are booleans; before it, 1 and nil. */
static void reply_boolean(struct conversion *c, bool value)
{
    if (c->runtime->sink.sink.version == RESP3) {
        begin_value(c, 0);
        c->reply->ops->boolean(c->reply, value);
        end_value(c);
    } else if (value) {
        reply_number(c, 1);
    } else {
        reply_nothing(c);
    }
}

static struct bytes text_at_top(lua_State *lua)
{
    struct bytes text;

    text.at = lua_tolstring(lua, -1, &text.len);
    return text;
}

/* Pushes a field of the table on the stack, past all metamethods. Returns whether it
 * is of that type, and drops it if not. */
static bool push_field(lua_State *lua, const char *name, int type)
{
    lua_pushstring(lua, name);
    lua_rawget(lua, -2);
    if (lua_type(lua, -1) == type) {
        return true;
    }
    lua_pop(lua, 1);
    return false;
}

static void reply_open(struct conversion *c, enum resp_kind kind, size_t len)
{
    begin_value(c, 0);
    c->reply->ops->open(c->reply, kind, len);
    end_value(c);
}

static size_t count_pairs(lua_State *lua)
{
    size_t count = 0;

    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        count++;
        lua_pop(lua, 1);
    }
    return count;
}

/* The table on the stack is a map of the reply, or a set: then only keys count. */
static void reply_pairs(struct conversion *c, enum resp_kind kind)
{
    reply_open(c, kind, count_pairs(c->lua));
    lua_pushnil(c->lua);
    while (lua_next(c->lua, -2) != 0) {
        lua_pushvalue(c->lua, -2);
        convert(c);
        if (kind == RESP_MAP) {
            convert(c);
        } else {
            lua_pop(c->lua, 1);
        }
    }
}

static void reply_array_part(struct conversion *c)
{
    int len = 0;

    for (;; len++) {
        lua_rawgeti(c->lua, -1, len + 1);
        if (lua_isnil(c->lua, -1)) {
            lua_pop(c->lua, 1);
            break;
        }
        lua_pop(c->lua, 1);
    }
    reply_open(c, RESP_ARRAY, (size_t)len);
    for (int i = 1; i <= len; i++) {
        lua_rawgeti(c->lua, -1, i);
        convert(c);
    }
}

/* Makes three letters of the name of a format, as many as it has in the protocol. */
static void name_format(char format[4], struct bytes name)
{
    for (size_t i = 0; i < 3; i++) {
        format[i] = i < name.len && (unsigned char)name.at[i] >= ' ' ? name.at[i] : ' ';
    }
    format[3] = '\0';
}

static bool reply_verbatim_string(struct conversion *c)
{
    struct bytes content;
    char format[4];

    if (!push_field(c->lua, "verbatim_string", LUA_TTABLE)) {
        return false;
    }
    if (!push_field(c->lua, "format", LUA_TSTRING)) {
        lua_pop(c->lua, 1);
        return false;
    }
    name_format(format, text_at_top(c->lua));
    lua_pop(c->lua, 1);
    if (!push_field(c->lua, "string", LUA_TSTRING)) {
        lua_pop(c->lua, 1);
        return false;
    }
    content = text_at_top(c->lua);
    begin_value(c, content.len);
    c->reply->ops->verbatim(c->reply, format, content);
    end_value(c);
    lua_pop(c->lua, 2);
    return true;
}

/* Tables that stand for other replies. Returns whether this is one. */
static bool reply_special(struct conversion *c)
{
    const struct sink_ops *ops = c->reply->ops;

    if (push_field(c->lua, "err", LUA_TSTRING)) {
        reply_text(c, ops->error, text_at_top(c->lua));
    } else if (push_field(c->lua, "ok", LUA_TSTRING)) {
        reply_text(c, ops->status, text_at_top(c->lua));
    } else if (push_field(c->lua, "double", LUA_TNUMBER)) {
        begin_value(c, 0);
        ops->real(c->reply, lua_tonumber(c->lua, -1));
        end_value(c);
    } else if (push_field(c->lua, "map", LUA_TTABLE)) {
        reply_pairs(c, RESP_MAP);
    } else if (push_field(c->lua, "set", LUA_TTABLE)) {
        reply_pairs(c, RESP_SET);
    } else if (push_field(c->lua, "big_number", LUA_TSTRING)) {
        reply_text(c, ops->big_number, text_at_top(c->lua));
    } else {
        return reply_verbatim_string(c);
    }
    lua_pop(c->lua, 1);
    return true;
}

static void reply_table(struct conversion *c)
{
    if (c->depth == DEPTH_MAX || !lua_checkstack(c->lua, 8)) {
        c->too_deep = true;
        return;
    }
    c->depth++;
    if (!reply_special(c)) {
        reply_array_part(c);
    }
    c->depth--;
}

static void reply_value(struct conversion *c)
{
    switch (lua_type(c->lua, -1)) {
    case LUA_TSTRING:
        reply_text(c, c->reply->ops->bulk, text_at_top(c->lua));
        break;
    case LUA_TNUMBER:
        reply_number(c, lua_tonumber(c->lua, -1));
        break;
    case LUA_TBOOLEAN:
        reply_boolean(c, lua_toboolean(c->lua, -1));
        break;
    case LUA_TTABLE:
        reply_table(c);
        break;
    case LUA_TUSERDATA: /* A library is a table to scripts, and has no array part. */
        reply_open(c, RESP_ARRAY, 0);
        break;
    default:
        reply_nothing(c);
    }
}

/* Replies with the value on the stack, and takes it off. */
static void convert(struct conversion *c)
{
    if (!c->too_deep) {
        reply_value(c);
    }
    lua_pop(c->lua, 1);
}

bool convert_reply(struct runtime *r, lua_State *lua, struct sink *reply)
{
    struct conversion c = {.runtime = r, .lua = lua, .reply = reply};

    convert(&c);
    return !c.too_deep;
}
