#include "script/structs.h"

#include <ctype.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    INTEGER_MAX = 32, /* Bytes. Those above the lowest eight are zero, and not looked at. */
    ALIGNMENT = 8,    /* What '!' stands for: what a double needs. */
};

enum kind { KIND_OTHER, KIND_SIGNED, KIND_UNSIGNED, KIND_REAL, KIND_PAD, KIND_CHARS, KIND_STRING };

/* What a letter of a format stands for. A size may follow some of them. */
static const struct meaning {
    uint8_t kind; /* An enum kind. */
    uint8_t size;
    bool sized;
} meanings[256] = {
    ['b'] = {KIND_SIGNED, 1, false},
    ['B'] = {KIND_UNSIGNED, 1, false},
    ['h'] = {KIND_SIGNED, sizeof(short), false},
    ['H'] = {KIND_UNSIGNED, sizeof(short), false},
    ['l'] = {KIND_SIGNED, sizeof(long), false},
    ['L'] = {KIND_UNSIGNED, sizeof(long), false},
    ['T'] = {KIND_UNSIGNED, sizeof(size_t), false},
    ['i'] = {KIND_SIGNED, sizeof(int), true},
    ['I'] = {KIND_UNSIGNED, sizeof(int), true},
    ['f'] = {KIND_REAL, sizeof(float), false},
    ['d'] = {KIND_REAL, sizeof(double), false},
    ['x'] = {KIND_PAD, 1, false},
    ['c'] = {KIND_CHARS, 1, true},
    ['s'] = {KIND_STRING, 0, false},
};

/* A format that is being read. */
struct format {
    lua_State *lua;
    const char *at; /* What comes next. A zero byte ends it. */
    size_t align;   /* A power of two. */
    bool big_endian;
};

/* What a letter of it asks for. */
struct item {
    unsigned char letter;
    enum kind kind;
    size_t size; /* 0: what the string or the data say; or nothing, for other letters. */
};

static struct format format_of(lua_State *lua)
{
    return (struct format){.lua = lua, .at = luaL_checkstring(lua, 1), .align = 1};
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a number, which is `missing` if there is none. */
static int format_number(struct format *f, int missing)
{
    int number = 0;

    if (!is_digit(*f->at)) {
        return missing;
    }
    while (is_digit(*f->at)) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *f->at - '0', &number)) {
            luaL_error(f->lua, "integral size overflow");
        }
        f->at++;
    }
    return number;
}

/* Reads an item. Returns false at the end. */
static inline bool format_next(struct format *f, struct item *item)
{
    const struct meaning *meaning = &meanings[(unsigned char)*f->at];

    if (*f->at == '\0') {
        return false;
    }
    item->letter = (unsigned char)*f->at++;
    item->kind = meaning->kind;
    item->size = meaning->size;
    if (meaning->sized) {
        item->size = (size_t)format_number(f, meaning->size);
    }
    if (item->kind != KIND_CHARS && item->size > INTEGER_MAX) {
        luaL_error(f->lua, "integral size %d is larger than limit of %d", (int)item->size,
                   INTEGER_MAX);
    }
    return true;
}

/* Returns how many bytes lie between `at` and an item. */
static size_t format_padding(const struct format *f, const struct item *item, size_t at)
{
    size_t size = item->size < f->align ? item->size : f->align;

    if (size == 0 || item->kind == KIND_CHARS) {
        return 0;
    }
    return (size - (at & (size - 1))) & (size - 1);
}

static void format_set_align(struct format *f)
{
    int align = format_number(f, ALIGNMENT);

    if (align <= 0 || (align & (align - 1)) != 0) {
        luaL_error(f->lua, "alignment %d is not a power of 2", align);
    }
    f->align = (size_t)align;
}

/* Does what a letter says about those that follow. */
static void format_control(struct format *f, const struct item *item)
{
    switch (item->letter) {
    case ' ':
        break;
    case '<':
    case '>':
        f->big_endian = item->letter == '>';
        break;
    case '!':
        format_set_align(f);
        break;
    default:
        lua_pushfstring(f->lua, "invalid format option '%c'", item->letter);
        luaL_argerror(f->lua, 1, lua_tostring(f->lua, -1));
    }
}

/* Packing. A luaL_Buffer keeps parts of itself on the stack, so what is read there are
 * the arguments only. */

static void add_zeros(luaL_Buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        luaL_addchar(out, '\0');
    }
}

/* Adds bytes that are in the order of this machine. */
static void add_ordered(const struct format *f, luaL_Buffer *out, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        luaL_addchar(out, bytes[f->big_endian ? size - 1 - i : i]);
    }
}

/* Returns the bits of a number. What does not fit is as the processor has it, which is
 * what scripts see in Redis. */
static uint64_t integer_bits(double number)
{
    if (number < 0) {
        return number >= -0x1p63 ? (uint64_t)(int64_t)number : (uint64_t)INT64_MIN;
    }
    if (number >= 0x1p64) {
        return 0;
    }
    return number >= 0 ? (uint64_t)number : (uint64_t)INT64_MIN;
}

static void pack_integer(struct format *f, luaL_Buffer *out, size_t size, double number)
{
    uint64_t bits = integer_bits(number);
    char bytes[INTEGER_MAX] = {0};

    memcpy(bytes, &bits, sizeof bits);
    add_ordered(f, out, bytes, size);
}

static void pack_real(struct format *f, luaL_Buffer *out, size_t size, double number)
{
    float small = (float)number;

    add_ordered(f, out, size == sizeof small ? (const char *)&small : (const char *)&number, size);
}

/* Adds the string that is an argument, or its beginning. Returns how much. */
static size_t pack_string(struct format *f, luaL_Buffer *out, const struct item *item, int arg)
{
    size_t len;
    const char *string = luaL_checklstring(f->lua, arg, &len);
    size_t size = item->size == 0 ? len : item->size;

    luaL_argcheck(f->lua, size <= len, arg + 1, "string too short");
    luaL_addlstring(out, string, size);
    if (item->kind == KIND_STRING) {
        luaL_addchar(out, '\0');
        size++;
    }
    return size;
}

/* Adds an item. Returns its size. */
static size_t pack_item(struct format *f, luaL_Buffer *out, const struct item *item, int *arg)
{
    switch (item->kind) {
    case KIND_SIGNED:
    case KIND_UNSIGNED:
        pack_integer(f, out, item->size, luaL_checknumber(f->lua, (*arg)++));
        break;
    case KIND_REAL:
        pack_real(f, out, item->size, luaL_checknumber(f->lua, (*arg)++));
        break;
    case KIND_PAD:
        luaL_addchar(out, '\0');
        break;
    case KIND_CHARS:
    case KIND_STRING:
        return pack_string(f, out, item, (*arg)++);
    case KIND_OTHER:
        format_control(f, item);
    }
    return item->size;
}

static int structs_pack(lua_State *lua)
{
    struct format f = format_of(lua);
    struct item item;
    luaL_Buffer out;
    size_t len = 0;
    int arg = 2;

    lua_pushnil(lua); /* So that no part of the buffer is taken for an argument. */
    luaL_buffinit(lua, &out);
    while (format_next(&f, &item)) {
        size_t padding = format_padding(&f, &item, len);

        add_zeros(&out, padding);
        len += padding;
        len += pack_item(&f, &out, &item, &arg);
    }
    luaL_pushresult(&out);
    return 1;
}

/* Unpacking. */

/* What is read, of which `at` may lie anywhere until it is compared. */
struct data {
    const char *start;
    size_t len;
    size_t at;
    int count; /* Values that have been pushed. */
};

static void data_check(lua_State *lua, const struct data *d, size_t size)
{
    luaL_argcheck(lua, size <= d->len && d->at <= d->len - size, 2, "data string too short");
}

static uint64_t unpack_bits(const struct format *f, const char *from, size_t size)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | (unsigned char)from[f->big_endian ? i : size - 1 - i];
    }
    return bits;
}

/* Extends the sign of an integer. Of one that is longer than eight bytes that is as the
 * processor has it, which counts places modulo 64: scripts see the same in Redis. */
static int64_t extend_sign(uint64_t bits, size_t size)
{
    uint64_t mask = UINT64_MAX << ((size * 8 - 1) & 63);

    return (int64_t)((bits & mask) != 0 ? bits | mask : bits);
}

static double unpack_real(const struct format *f, const char *from, size_t size)
{
    uint64_t bits = unpack_bits(f, from, size);
    uint32_t small_bits = (uint32_t)bits;
    float small;
    double number;

    if (size == sizeof small) {
        memcpy(&small, &small_bits, sizeof small);
        return (double)small;
    }
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Takes back the number that was unpacked last: the length of the string to come. */
static size_t unpack_len(lua_State *lua, struct data *d)
{
    uint64_t len;

    if (d->count == 0 || !lua_isnumber(lua, -1)) {
        luaL_error(lua, "format 'c0' needs a previous size");
    }
    len = integer_bits(lua_tonumber(lua, -1));
    lua_pop(lua, 1);
    d->count--;
    data_check(lua, d, len);
    return len;
}

/* Pushes the string that is next. Returns the size of what it is in. */
static size_t unpack_string(lua_State *lua, struct data *d, const struct item *item)
{
    const char *from = d->start + d->at;
    size_t size = item->size;
    const char *end;

    if (item->kind == KIND_STRING) {
        end = memchr(from, '\0', d->len - d->at);
        if (end == NULL) {
            luaL_error(lua, "unfinished string in data");
        }
        lua_pushlstring(lua, from, (size_t)(end - from));
        return (size_t)(end - from) + 1;
    }
    if (size == 0) {
        size = unpack_len(lua, d);
    }
    lua_pushlstring(lua, from, size);
    return size;
}

/* Pushes the value of an item, if it has one. Returns its size. */
static size_t unpack_item(struct format *f, struct data *d, const struct item *item)
{
    const char *from = d->start + d->at;
    size_t size = item->size;
    uint64_t bits;

    switch (item->kind) {
    case KIND_SIGNED:
        bits = unpack_bits(f, from, size);
        lua_pushnumber(f->lua, (double)extend_sign(bits, size));
        break;
    case KIND_UNSIGNED:
        lua_pushnumber(f->lua, (double)unpack_bits(f, from, size));
        break;
    case KIND_REAL:
        lua_pushnumber(f->lua, unpack_real(f, from, size));
        break;
    case KIND_CHARS:
    case KIND_STRING:
        size = unpack_string(f->lua, d, item);
        break;
    case KIND_PAD:
        return size;
    case KIND_OTHER:
        format_control(f, item);
        return size;
    }
    d->count++;
    return size;
}

static int structs_unpack(lua_State *lua)
{
    struct format f = format_of(lua);
    struct data d = {0};
    struct item item;

    d.start = luaL_checklstring(lua, 2, &d.len);
    d.at = (size_t)luaL_optinteger(lua, 3, 1);
    luaL_argcheck(lua, d.at > 0, 3, "offset must be 1 or greater");
    d.at--;
    while (format_next(&f, &item)) {
        d.at += format_padding(&f, &item, d.at);
        data_check(lua, &d, item.size);
        luaL_checkstack(lua, 2, "too many results");
        d.at += unpack_item(&f, &d, &item);
    }
    lua_pushinteger(lua, (lua_Integer)(d.at + 1));
    return d.count + 1;
}

/* Letters and digits that mean nothing are passed over here, as in Redis. */
static int structs_size(lua_State *lua)
{
    struct format f = format_of(lua);
    struct item item;
    size_t len = 0;

    while (format_next(&f, &item)) {
        len += format_padding(&f, &item, len);
        if (item.kind == KIND_STRING) {
            return luaL_argerror(lua, 1, "option 's' has no fixed size");
        }
        if (item.kind == KIND_CHARS && item.size == 0) {
            return luaL_argerror(lua, 1, "option 'c0' has no fixed size");
        }
        if (item.kind == KIND_OTHER && !isalnum(item.letter)) {
            format_control(&f, &item);
        }
        len += item.size;
    }
    lua_pushinteger(lua, (lua_Integer)len);
    return 1;
}

void script_structs_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"pack", structs_pack},
        {"unpack", structs_unpack},
        {"size", structs_size},
        {NULL, NULL},
    };

    luaL_checkstack(lua, 2, "no room for struct");
    lua_createtable(lua, 0, 3);
    luaL_register(lua, NULL, functions);
}
