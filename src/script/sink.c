#include "script/sink.h"

#include <assert.h>

/* Slots of the Lua stack: that an aggregate and a value in it take, and that aggregates
 * in each other take. */
enum { SLOTS = 8, SLOTS_ALL = 3 * LUA_SINK_DEPTH + SLOTS };

#define STRING_MAX ((size_t)1 << 30) /* Of what Lua takes without raising an error. */

enum { PRESIZED_MAX = 64 * 1024 }; /* Elements that an array is given room for in advance. */

static struct lua_sink *self(struct sink *s)
{
    return (struct lua_sink *)s;
}

/* Whether there is room for a value of so many bytes. A command cannot be left in
 * the middle, so the heap lets it exceed its limit; this keeps that small. */
static bool has_room(struct lua_sink *s, size_t bytes)
{
    const struct heap *heap = &s->runtime->heap;

    if (!s->full &&
        ((heap->limit != 0 && heap->used + bytes > heap->limit) || bytes > STRING_MAX)) {
        s->full = true;
        s->runtime->pending = 1;
        lua_settop(s->lua, s->base);
    }
    return !s->full;
}

/* Whether an aggregate can be opened: the Lua stack has room too. */
static bool has_room_to_open(struct lua_sink *s)
{
    if (!s->full && !lua_checkstack(s->lua, SLOTS)) {
        s->full = true;
        s->runtime->overflow = 1;
        s->runtime->pending = 1;
        lua_settop(s->lua, s->base);
    }
    return has_room(s, 0);
}

static void placed(struct lua_sink *s);

/* The innermost aggregate is complete; it is a value of the next one. */
static void close_frame(struct lua_sink *s)
{
    struct lua_frame *f = &s->frame[--s->depth];

    if (s->sink.version == RESP3 && f->kind == RESP_MAP) {
        lua_setfield(s->lua, -2, "map");
    } else if (s->sink.version == RESP3 && f->kind == RESP_SET) {
        lua_setfield(s->lua, -2, "set");
    }
    placed(s);
}

/* A value has been pushed: it goes into the innermost open aggregate. */
static void placed(struct lua_sink *s)
{
    struct lua_frame *f;

    if (s->depth == 0) {
        return;
    }
    f = &s->frame[s->depth - 1];
    if (s->sink.version == RESP3 && f->kind == RESP_MAP) {
        if (f->has_key) {
            lua_rawset(s->lua, -3);
        }
        f->has_key = !f->has_key;
    } else if (s->sink.version == RESP3 && f->kind == RESP_SET) {
        lua_pushboolean(s->lua, true);
        lua_rawset(s->lua, -3);
    } else {
        lua_rawseti(s->lua, -2, f->next++);
    }
    if (--f->left == 0) {
        close_frame(s);
    }
}

static void push_field(struct lua_sink *s, const char *name, struct bytes text)
{
    lua_createtable(s->lua, 0, 1);
    lua_pushlstring(s->lua, text.at, text.len);
    lua_setfield(s->lua, -2, name);
}

static void sink_status(struct sink *sink, struct bytes text)
{
    struct lua_sink *s = self(sink);

    if (has_room(s, text.len)) {
        push_field(s, "ok", text);
        placed(s);
    }
}

static void sink_error(struct sink *sink, struct bytes text)
{
    struct lua_sink *s = self(sink);

    if (has_room(s, text.len)) {
        push_field(s, "err", text);
        lua_pushboolean(s->lua, true);
        lua_setfield(s->lua, -2, "ignore_error_stats_update");
        placed(s);
    }
}

static void sink_integer(struct sink *sink, int64_t number)
{
    struct lua_sink *s = self(sink);

    if (has_room(s, 0)) {
        lua_pushnumber(s->lua, (double)number);
        placed(s);
    }
}

static void sink_bulk(struct sink *sink, struct bytes content)
{
    struct lua_sink *s = self(sink);

    if (has_room(s, content.len)) {
        lua_pushlstring(s->lua, content.at, content.len);
        placed(s);
    }
}

static void sink_nil(struct sink *sink)
{
    struct lua_sink *s = self(sink);

    if (has_room(s, 0)) {
        if (sink->version == RESP3) {
            lua_pushnil(s->lua);
        } else {
            lua_pushboolean(s->lua, false);
        }
        placed(s);
    }
}

static void sink_boolean(struct sink *sink, bool value)
{
    struct lua_sink *s = self(sink);

    if (sink->version != RESP3) {
        sink_integer(sink, value);
    } else if (has_room(s, 0)) {
        lua_pushboolean(s->lua, value);
        placed(s);
    }
}

static void sink_real(struct sink *sink, double number)
{
    struct lua_sink *s = self(sink);
    char text[NUMBER_DOUBLE_MAX];

    if (sink->version != RESP3) {
        sink_bulk(sink, (struct bytes){text, number_format_double(text, number)});
    } else if (has_room(s, 0)) {
        lua_createtable(s->lua, 0, 1);
        lua_pushnumber(s->lua, number);
        lua_setfield(s->lua, -2, "double");
        placed(s);
    }
}

static void sink_human(struct sink *sink, double number)
{
    char text[NUMBER_HUMAN_MAX];

    if (sink->version == RESP3) {
        sink_real(sink, number);
    } else {
        sink_bulk(sink, (struct bytes){text, number_format_human(text, number)});
    }
}

static void sink_big_number(struct sink *sink, struct bytes digits)
{
    struct lua_sink *s = self(sink);

    if (sink->version != RESP3) {
        sink_bulk(sink, digits);
    } else if (has_room(s, digits.len)) {
        push_field(s, "big_number", digits);
        placed(s);
    }
}

static void sink_verbatim(struct sink *sink, const char *format, struct bytes content)
{
    struct lua_sink *s = self(sink);

    if (sink->version != RESP3) {
        sink_bulk(sink, content);
    } else if (has_room(s, content.len)) {
        lua_createtable(s->lua, 0, 1);
        push_field(s, "string", content);
        lua_pushlstring(s->lua, format, 3);
        lua_setfield(s->lua, -2, "format");
        lua_setfield(s->lua, -2, "verbatim_string");
        placed(s);
    }
}

static void push_frame(struct lua_sink *s, enum resp_kind kind, size_t left)
{
    assert(s->depth < LUA_SINK_DEPTH);
    s->frame[s->depth++] = (struct lua_frame){.kind = kind, .left = left, .next = 1};
}

static void sink_open(struct sink *sink, enum resp_kind kind, size_t len)
{
    struct lua_sink *s = self(sink);
    bool nested = sink->version == RESP3 && (kind == RESP_MAP || kind == RESP_SET);
    size_t values = kind == RESP_MAP ? 2 * len : len;

    if (!has_room_to_open(s)) {
        return;
    }
    if (nested) {
        lua_createtable(s->lua, 0, 1);
        lua_newtable(s->lua);
    } else {
        lua_createtable(s->lua, values < PRESIZED_MAX ? (int)values : PRESIZED_MAX, 0);
    }
    push_frame(s, kind, values);
    if (values == 0) {
        close_frame(s);
    }
}

static size_t sink_open_late(struct sink *sink)
{
    struct lua_sink *s = self(sink);

    if (has_room_to_open(s)) {
        lua_newtable(s->lua);
        push_frame(s, RESP_ARRAY, SIZE_MAX);
    }
    return 0;
}

/* Rebuilds the array on the stack as what it turned out to be. */
static void rebuild(struct lua_sink *s, enum resp_kind kind)
{
    int from = lua_gettop(s->lua);
    int len = (int)lua_objlen(s->lua, from);

    lua_createtable(s->lua, 0, 1);
    lua_newtable(s->lua);
    for (int i = 1; i <= len; i++) {
        lua_rawgeti(s->lua, from, i);
        if (kind == RESP_MAP) {
            lua_rawgeti(s->lua, from, ++i);
        } else {
            lua_pushboolean(s->lua, true);
        }
        lua_rawset(s->lua, -3);
    }
    lua_remove(s->lua, from);
}

static void sink_close_late(struct sink *sink, size_t place, enum resp_kind kind, size_t len)
{
    struct lua_sink *s = self(sink);

    (void)place;
    (void)len;
    if (s->full) {
        return;
    }
    assert(s->depth > 0);
    if (sink->version == RESP3 && (kind == RESP_MAP || kind == RESP_SET)) {
        rebuild(s, kind);
        s->frame[s->depth - 1].kind = kind;
    }
    close_frame(s);
}

static void sink_reset(struct sink *sink)
{
    struct lua_sink *s = self(sink);

    if (!s->full) {
        lua_settop(s->lua, s->base);
    }
    s->depth = 0;
}

static const struct sink_ops lua_ops = {
    .status = sink_status,
    .error = sink_error,
    .integer = sink_integer,
    .bulk = sink_bulk,
    .nil = sink_nil,
    .nil_array = sink_nil,
    .boolean = sink_boolean,
    .real = sink_real,
    .human = sink_human,
    .big_number = sink_big_number,
    .verbatim = sink_verbatim,
    .open = sink_open,
    .open_late = sink_open_late,
    .close_late = sink_close_late,
    .reset = sink_reset,
};

void lua_sink_init(struct lua_sink *s, struct runtime *r)
{
    *s = (struct lua_sink){.sink = {&lua_ops, RESP2}, .runtime = r};
}

/* A stack at its very end is an error that Lua raises where more is asked for: that
 * must be here, and not inside the command. */
void lua_sink_begin(struct lua_sink *s, lua_State *lua)
{
    int top = lua_gettop(lua);
    int most = LUAI_MAXCSTACK - top;

    lua_checkstack(lua, most < SLOTS_ALL ? most : SLOTS_ALL);
    s->lua = lua;
    s->base = top;
    s->depth = 0;
    s->full = false;
}
