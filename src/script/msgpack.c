#include "script/msgpack.h"

#include "script/order.h"

#include <endian.h>
#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>

/* What a value is, and in which of the forms that the format has for it. A form begins
 * with a byte; a big-endian number of `width` bytes follows. With a width of zero the
 * number is in that byte itself. */
struct form {
    uint64_t max; /* The largest number that it can hold. */
    uint8_t first;
    uint8_t width;
};

static const struct form positive_forms[] = {
    {0x7f, 0x00, 0},       {UINT8_MAX, 0xcc, 1},  {UINT16_MAX, 0xcd, 2},
    {UINT32_MAX, 0xce, 4}, {UINT64_MAX, 0xcf, 8},
};

/* Chosen by the complement of a number, which is 0 for -1. */
static const struct form negative_forms[] = {
    {0x1f, 0xe0, 0},      {INT8_MAX, 0xd0, 1},  {INT16_MAX, 0xd1, 2},
    {INT32_MAX, 0xd2, 4}, {INT64_MAX, 0xd3, 8},
};

/* What is longer than 32 bits can say does not fit into a VM. */
static const struct form string_forms[] = {
    {0x1f, 0xa0, 0}, {UINT8_MAX, 0xd9, 1}, {UINT16_MAX, 0xda, 2}, {UINT64_MAX, 0xdb, 4}};
static const struct form array_forms[] = {
    {0x0f, 0x90, 0}, {UINT16_MAX, 0xdc, 2}, {UINT64_MAX, 0xdd, 4}};
static const struct form map_forms[] = {
    {0x0f, 0x80, 0}, {UINT16_MAX, 0xde, 2}, {UINT64_MAX, 0xdf, 4}};

enum { FIRST_NIL = 0xc0, FIRST_FALSE = 0xc2, FIRST_TRUE, FIRST_FLOAT = 0xca, FIRST_DOUBLE };

/* Packing. */

enum {
    DEPTH_MAX = 16, /* A table in so many others becomes nil. */
    STACK_PER_DEPTH = 3,
};

/* One call of cmsgpack.pack. The functions below write the value that is on top of the
 * VM's stack, and leave it there. */
struct packer {
    lua_State *lua;
    struct text *text;
    struct text *notes; /* Of the maps at work. */
    int depth;
};

static void pack_value(struct packer *p);

static inline void pack_byte(struct packer *p, uint8_t byte)
{
    text_add_char(p->lua, p->text, (char)byte);
}

/* Returns the low `width` bytes of a number in the order in which they are written. */
static inline uint64_t bytes_of_number(uint64_t number, size_t width)
{
    return htobe64(number << (64 - 8 * width));
}

static void pack_number(struct packer *p, uint8_t first, uint64_t number, size_t width)
{
    uint64_t bytes = bytes_of_number(number, width);
    char *out = text_reserve(p->lua, p->text, 1 + sizeof bytes);

    out[0] = (char)first;
    memcpy(out + 1, &bytes, sizeof bytes);
    p->text->len += 1 + width;
}

/* Writes `number` in the first of the forms that can hold `size`. */
static inline void pack_in_form(struct packer *p, const struct form *form, uint64_t size,
                                uint64_t number)
{
    while (size > form->max) {
        form++;
    }
    if (form->width == 0) {
        pack_byte(p, form->first | (uint8_t)(number & form->max));
    } else {
        pack_number(p, form->first, number, form->width);
    }
}

static void pack_integer(struct packer *p, int64_t number)
{
    if (number >= 0) {
        pack_in_form(p, positive_forms, (uint64_t)number, (uint64_t)number);
    } else {
        pack_in_form(p, negative_forms, ~(uint64_t)number, (uint64_t)number);
    }
}

static void pack_double(struct packer *p, double number)
{
    float small = (float)number;
    uint32_t small_bits;
    uint64_t bits;

    if ((double)small == number) {
        memcpy(&small_bits, &small, sizeof small_bits);
        pack_number(p, FIRST_FLOAT, small_bits, sizeof small_bits);
    } else {
        memcpy(&bits, &number, sizeof bits);
        pack_number(p, FIRST_DOUBLE, bits, sizeof bits);
    }
}

static void pack_lua_number(struct packer *p)
{
    double number = lua_tonumber(p->lua, -1);

    if (number >= -0x1p63 && number < 0x1p63 && number == (double)(int64_t)number) {
        pack_integer(p, (int64_t)number);
    } else {
        pack_double(p, number);
    }
}

/* Writes the string at `index`. */
static void pack_string(struct packer *p, int index)
{
    size_t len;
    const char *from = lua_tolstring(p->lua, index, &len);

    pack_in_form(p, string_forms, len, len);
    text_add(p->lua, p->text, from, len);
}

/* Writes the value on top of the stack unless it is a table. Returns false, having done
 * nothing, if it is one. */
static inline bool pack_plain(struct packer *p)
{
    switch (lua_type(p->lua, -1)) {
    case LUA_TSTRING:
        pack_string(p, -1);
        return true;
    case LUA_TNUMBER:
        pack_lua_number(p);
        return true;
    case LUA_TBOOLEAN:
        pack_byte(p, lua_toboolean(p->lua, -1) ? FIRST_TRUE : FIRST_FALSE);
        return true;
    case LUA_TTABLE:
        return false;
    default:
        pack_byte(p, FIRST_NIL);
        return true;
    }
}

/* Fills in how many elements follow the byte at `start`, which was left free for this: how
 * many there are is known only when they are written. More than that byte can say are
 * moved. */
static void pack_count(struct packer *p, const struct form *form, size_t start, size_t count)
{
    struct text *text = p->text;
    uint64_t bytes;
    char *at;

    while (count > form->max) {
        form++;
    }
    text_reserve(p->lua, text, form->width);
    at = text->at + start;
    if (form->width == 0) {
        at[0] = (char)(form->first | count);
        return;
    }
    bytes = bytes_of_number(count, form->width);
    memmove(at + 1 + form->width, at + 1, text->len - start - 1);
    at[0] = (char)form->first;
    memcpy(at + 1, &bytes, form->width);
    text->len += form->width;
}

static void pack_key(struct packer *p)
{
    if (lua_type(p->lua, -2) == LUA_TSTRING) {
        pack_string(p, -2);
        return;
    }
    lua_pushvalue(p->lua, -2);
    pack_value(p);
    lua_pop(p->lua, 1);
}

/* Writes the pairs of a table, of which the first is on the stack and is popped. Returns
 * how many. */
static size_t pack_pairs(struct packer *p)
{
    size_t start = p->notes->len;
    size_t count = 0;

    do {
        size_t from = p->text->len;

        pack_key(p);
        pack_value(p);
        lua_pop(p->lua, 1);
        order_note(p->lua, p->notes, -1, p->text, from);
        count++;
    } while (lua_next(p->lua, -2) != 0);
    order_pairs(p->lua, p->notes, start, p->text);
    return count;
}

/* Returns the key below the top of the stack if it can be an index, or else 0. */
static inline size_t index_of(lua_State *lua)
{
    double key = lua_type(lua, -2) == LUA_TNUMBER ? lua_tonumber(lua, -2) : 0;

    return key >= 1 && key <= INT_MAX && key == (double)(int)key ? (size_t)key : 0;
}

/* Writes elements as long as the pairs come as an array's would: in order, and plain. The
 * first pair is on the stack; the one that is not written stays there. Returns how many
 * are written, and sets *ended if those are all. */
static size_t pack_leading(struct packer *p, bool *ended)
{
    size_t count = 0;

    *ended = false;
    while (index_of(p->lua) == count + 1 && pack_plain(p)) {
        count++;
        lua_pop(p->lua, 1);
        if (lua_next(p->lua, -2) == 0) {
            *ended = true;
            break;
        }
    }
    return count;
}

/* Returns how many pairs a table has if its keys are the numbers from one to that, or else
 * 0. The pair after the first `count` of them is on the stack, and is popped. */
static size_t array_size(lua_State *lua, size_t count)
{
    size_t last = count;

    do {
        size_t index = index_of(lua);

        if (index == 0) {
            lua_pop(lua, 2);
            return 0;
        }
        lua_pop(lua, 1);
        last = index > last ? index : last;
        count++;
    } while (lua_next(lua, -2) != 0);
    return last == count ? count : 0;
}

/* Writes a table whose first key is a number. The first pair is on the stack, and is
 * popped. Most are arrays in order, and then one pass is all it takes. If the table turns
 * out to be none, what was written so far was plain values only. */
static void pack_indexed(struct packer *p, size_t start)
{
    bool ended;
    size_t count = pack_leading(p, &ended);
    size_t size = ended ? count : array_size(p->lua, count);

    for (size_t i = count + 1; i <= size; i++) {
        lua_rawgeti(p->lua, -1, (int)i);
        pack_value(p);
        lua_pop(p->lua, 1);
    }
    if (size > 0) {
        pack_count(p, array_forms, start, size);
        return;
    }
    p->text->len = start + 1;
    lua_pushnil(p->lua);
    lua_next(p->lua, -2);
    pack_count(p, map_forms, start, pack_pairs(p));
}

static void pack_table(struct packer *p)
{
    size_t start = p->text->len;

    if (p->depth == DEPTH_MAX) {
        pack_byte(p, FIRST_NIL);
        return;
    }
    p->depth++;
    pack_byte(p, 0);
    lua_pushnil(p->lua);
    if (lua_next(p->lua, -2) == 0) {
        pack_count(p, array_forms, start, 0);
    } else if (lua_type(p->lua, -2) == LUA_TNUMBER) {
        pack_indexed(p, start);
    } else {
        pack_count(p, map_forms, start, pack_pairs(p));
    }
    p->depth--;
}

static void pack_value(struct packer *p)
{
    if (!pack_plain(p)) {
        pack_table(p);
    }
}

static int msgpack_pack(lua_State *lua)
{
    struct packer p = {.lua = lua,
                       .text = lua_touserdata(lua, lua_upvalueindex(1)),
                       .notes = lua_touserdata(lua, lua_upvalueindex(2))};
    int count = lua_gettop(lua);

    if (count == 0) {
        return luaL_argerror(lua, 0, "MessagePack pack needs input.");
    }
    luaL_checkstack(lua, (DEPTH_MAX + 1) * STACK_PER_DEPTH, "too many arguments");
    p.text->len = 0;
    p.notes->len = 0;
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(lua, i);
        pack_value(&p);
        lua_pop(lua, 1);
    }
    lua_pushlstring(lua, p.text->at, p.text->len);
    text_trim(lua, p.text);
    text_trim(lua, p.notes);
    return 1;
}

/* Unpacking. */

enum kind {
    KIND_BAD,
    KIND_WORD,
    KIND_UNSIGNED,
    KIND_SIGNED,
    KIND_FLOAT,
    KIND_STRING,
    KIND_ARRAY,
    KIND_MAP
};

/* The forms that begin with the bytes from 0xc0 to 0xdf; the others have their number
 * in the first byte. */
static const struct {
    uint8_t kind; /* An enum kind. */
    uint8_t width;
} long_forms[0x20] = {
    [0x00] = {KIND_WORD, 0},     [0x02] = {KIND_WORD, 0},     [0x03] = {KIND_WORD, 0},
    [0x0a] = {KIND_FLOAT, 4},    [0x0b] = {KIND_FLOAT, 8},    [0x0c] = {KIND_UNSIGNED, 1},
    [0x0d] = {KIND_UNSIGNED, 2}, [0x0e] = {KIND_UNSIGNED, 4}, [0x0f] = {KIND_UNSIGNED, 8},
    [0x10] = {KIND_SIGNED, 1},   [0x11] = {KIND_SIGNED, 2},   [0x12] = {KIND_SIGNED, 4},
    [0x13] = {KIND_SIGNED, 8},   [0x19] = {KIND_STRING, 1},   [0x1a] = {KIND_STRING, 2},
    [0x1b] = {KIND_STRING, 4},   [0x1c] = {KIND_ARRAY, 2},    [0x1d] = {KIND_ARRAY, 4},
    [0x1e] = {KIND_MAP, 2},      [0x1f] = {KIND_MAP, 4},
};

/* One call of an unpacking function. */
struct unpacker {
    lua_State *lua;
    const char *at;
    const char *end;
};

/* How a value begins. */
struct head {
    enum kind kind;
    uint8_t first;
    uint8_t width;   /* Of the number behind the first byte. */
    uint64_t number; /* The value itself, or its length. */
};

static void unpack_value(struct unpacker *u);

/* Claims bytes of the input. */
static inline const char *unpack_bytes(struct unpacker *u, size_t len)
{
    const char *at = u->at;

    if ((size_t)(u->end - at) < len) {
        luaL_error(u->lua, "Missing bytes in input.");
    }
    u->at += len;
    return at;
}

static uint64_t unpack_number(struct unpacker *u, size_t width)
{
    uint64_t number = 0;

    memcpy((char *)&number + sizeof number - width, unpack_bytes(u, width), width);
    return be64toh(number);
}

static inline struct head unpack_head(struct unpacker *u)
{
    uint8_t first = (uint8_t)*unpack_bytes(u, 1);
    struct head head = {.first = first};

    if (first < 0x80) {
        head.kind = KIND_UNSIGNED;
        head.number = first;
    } else if (first < 0x90) {
        head.kind = KIND_MAP;
        head.number = first & 0x0f;
    } else if (first < 0xa0) {
        head.kind = KIND_ARRAY;
        head.number = first & 0x0f;
    } else if (first < 0xc0) {
        head.kind = KIND_STRING;
        head.number = first & 0x1f;
    } else if (first < 0xe0) {
        head.kind = long_forms[first - 0xc0].kind;
        head.width = long_forms[first - 0xc0].width;
        head.number = unpack_number(u, head.width);
    } else {
        head.kind = KIND_SIGNED;
        head.width = 1;
        head.number = first;
    }
    return head;
}

static int64_t signed_of(const struct head *head)
{
    int shift = 64 - 8 * head->width;

    return (int64_t)(head->number << shift) >> shift;
}

static double double_of(const struct head *head)
{
    uint32_t small_bits = (uint32_t)head->number;
    float small;
    double number;

    if (head->width == sizeof small) {
        memcpy(&small, &small_bits, sizeof small);
        return (double)small;
    }
    memcpy(&number, &head->number, sizeof number);
    return number;
}

/* A length is a claim that only the elements themselves can prove. */
static int claimed(const struct unpacker *u, uint64_t len)
{
    enum { AT_ONCE = 128 };
    uint64_t left = (uint64_t)(u->end - u->at);
    uint64_t likely = len < left ? len : left;

    return likely < AT_ONCE ? (int)likely : AT_ONCE;
}

static void unpack_array(struct unpacker *u, uint64_t len)
{
    lua_createtable(u->lua, claimed(u, len), 0);
    for (uint64_t i = 1; i <= len; i++) {
        unpack_value(u);
        lua_rawseti(u->lua, -2, (int)i);
    }
}

static void unpack_map(struct unpacker *u, uint64_t len)
{
    lua_createtable(u->lua, 0, claimed(u, len));
    for (uint64_t i = 0; i < len; i++) {
        unpack_value(u);
        unpack_value(u);
        lua_rawset(u->lua, -3);
    }
}

/* Reads and pushes a value. The VM bounds the height of its stack, and so how deep the
 * calls of this function can nest. */
static void unpack_value(struct unpacker *u)
{
    struct head head = unpack_head(u);

    luaL_checkstack(u->lua, 1,
                    "too many return values at once; use unpack_one or unpack_limit instead.");
    switch (head.kind) {
    case KIND_WORD:
        if (head.first == FIRST_NIL) {
            lua_pushnil(u->lua);
        } else {
            lua_pushboolean(u->lua, head.first == FIRST_TRUE);
        }
        break;
    case KIND_UNSIGNED:
        lua_pushnumber(u->lua, (double)(int64_t)head.number); /* As in Redis: 2^64-1 is -1. */
        break;
    case KIND_SIGNED:
        lua_pushnumber(u->lua, (double)signed_of(&head));
        break;
    case KIND_FLOAT:
        lua_pushnumber(u->lua, double_of(&head));
        break;
    case KIND_STRING:
        lua_pushlstring(u->lua, unpack_bytes(u, head.number), head.number);
        break;
    case KIND_ARRAY:
        unpack_array(u, head.number);
        break;
    case KIND_MAP:
        unpack_map(u, head.number);
        break;
    case KIND_BAD:
        luaL_error(u->lua, "Bad data format in input.");
    }
}

/* Pushes up to `limit` of the values in the string that is argument 1, from `offset` on.
 * Returns how many. */
static int unpack_values(struct unpacker *u, lua_Integer limit, lua_Integer offset)
{
    size_t len;
    const char *start = luaL_checklstring(u->lua, 1, &len);
    int count = 0;

    if (offset < 0 || limit < 0) {
        luaL_error(u->lua, "Invalid request to unpack with offset of %d and limit of %d.",
                   (int)offset, (int)len);
    }
    if ((size_t)offset > len) {
        luaL_error(u->lua, "Start offset %d greater than input length %d.", (int)offset, (int)len);
    }
    u->at = start + offset;
    u->end = start + len;
    while (u->at < u->end && count < limit) {
        unpack_value(u);
        count++;
    }
    return count;
}

static int msgpack_unpack(lua_State *lua)
{
    struct unpacker u = {.lua = lua};

    return unpack_values(&u, INT_MAX, 0);
}

/* The values behind the offset at which the next would be, or -1 if there is none. */
static int unpack_from(lua_State *lua, lua_Integer limit, lua_Integer offset)
{
    struct unpacker u = {.lua = lua};
    int count;

    if (limit == 0 && offset == 0) {
        return msgpack_unpack(lua);
    }
    luaL_checkstring(lua, 1);
    lua_settop(lua, 1);
    lua_pushnil(lua);
    count = unpack_values(&u, limit, offset);
    lua_pushinteger(lua, u.at == u.end ? -1 : u.at - lua_tostring(lua, 1));
    lua_replace(lua, 2);
    return 1 + count;
}

static int msgpack_unpack_one(lua_State *lua)
{
    return unpack_from(lua, 1, luaL_optinteger(lua, 2, 0));
}

static int msgpack_unpack_limit(lua_State *lua)
{
    lua_Integer limit = luaL_checkinteger(lua, 2);

    return unpack_from(lua, limit, luaL_optinteger(lua, 3, 0));
}

/* The library. */

static int text_collect(lua_State *lua)
{
    text_clear(lua, lua_touserdata(lua, 1));
    return 0;
}

/* Pushes a text for pack() to write to. */
static void push_text(lua_State *lua)
{
    struct text *text = lua_newuserdata(lua, sizeof *text);

    *text = (struct text){0};
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, text_collect);
    lua_setfield(lua, -2, "__gc");
    lua_setmetatable(lua, -2);
}

static void set_string(lua_State *lua, const char *name, const char *string)
{
    lua_pushstring(lua, string);
    lua_setfield(lua, -2, name);
}

void script_msgpack_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"unpack", msgpack_unpack},
        {"unpack_one", msgpack_unpack_one},
        {"unpack_limit", msgpack_unpack_limit},
        {NULL, NULL},
    };

    luaL_checkstack(lua, 5, "no room for cmsgpack");
    lua_createtable(lua, 0, 8);
    luaL_register(lua, NULL, functions);
    push_text(lua);
    push_text(lua);
    lua_pushcclosure(lua, msgpack_pack, 2);
    lua_setfield(lua, -2, "pack");
    set_string(lua, "_NAME", "cmsgpack");
    set_string(lua, "_VERSION", "lua-cmsgpack 0.4.0");
    set_string(lua, "_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo");
    set_string(lua, "_DESCRIPTION", "MessagePack C implementation for Lua");
}
