#include "script/format.h"

#include "base/number.h"

#include <assert.h>
#include <ctype.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    FLAGS_MAX = 5,  /* "-+ #0", in any order. */
    DIGITS_MAX = 2, /* Of a width, and of a precision. */
    /* The percent sign, flags, a width, a precision with its point, "l", the option, and a
     * zero byte. */
    ITEM_MAX = 1 + FLAGS_MAX + DIGITS_MAX + 1 + DIGITS_MAX + 2 + 1,
    NUMBER_MAX = NUMBER_FIXED_MAX,
    SHORT = 14, /* Digits of a number that is made a text. */
};

/* One item of a format: "%-5.2f". */
struct item {
    char text[ITEM_MAX]; /* Without the option. */
    size_t len;
    char option;
    bool simple; /* No other flag than '-'. */
    bool left;
    int width;
    int precision; /* -1: none. */
};

/* The VM copies to a buffer byte by byte. */
static void put(luaL_Buffer *out, const char *at, size_t len)
{
    if (len <= (size_t)(out->buffer + LUAL_BUFFERSIZE - out->p)) {
        memcpy(out->p, at, len);
        luaL_addsize(out, len);
    } else {
        lua_pushlstring(out->L, at, len);
        luaL_addvalue(out);
    }
}

static void put_padding(luaL_Buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        luaL_addchar(out, ' ');
    }
}

static void put_padded(luaL_Buffer *out, const struct item *item, const char *at, size_t len)
{
    size_t width = (size_t)item->width;
    size_t padding = len < width ? width - len : 0;

    put_padding(out, item->left ? 0 : padding);
    put(out, at, len);
    put_padding(out, item->left ? padding : 0);
}

/* Reading a format. It ends with a zero byte, so looking one byte ahead is safe. */

static const char *read_digits(const char *at, int *number)
{
    *number = 0;
    for (int i = 0; i < DIGITS_MAX && isdigit((unsigned char)*at); i++) {
        *number = *number * 10 + (*at++ - '0');
    }
    return at;
}

/* Reads an item, whose percent sign is before `at`, and returns what follows it. */
static const char *read_item(lua_State *lua, const char *at, struct item *item)
{
    const char *start = at;
    size_t flags = strspn(at, "-+ #0");

    if (flags > FLAGS_MAX) {
        luaL_error(lua, "invalid format (repeated flags)");
    }
    item->simple = strspn(at, "-") == flags;
    item->left = memchr(at, '-', flags) != NULL;
    at = read_digits(at + flags, &item->width);
    item->precision = -1;
    if (*at == '.') {
        at = read_digits(at + 1, &item->precision);
    }
    if (isdigit((unsigned char)*at)) {
        luaL_error(lua, "invalid format (width or precision too long)");
    }
    item->text[0] = '%';
    item->len = 1 + (size_t)(at - start);
    memcpy(item->text + 1, start, item->len - 1);
    item->option = *at;
    return at + 1;
}

/* Writing an item. */

/* Has the C library write a number, of the type that `length` and the option say. */
static void put_number(luaL_Buffer *out, struct item *item, const char *length, ...)
{
    char text[NUMBER_MAX];
    va_list number;
    int len;

    snprintf(item->text + item->len, sizeof item->text - item->len, "%s%c", length, item->option);
    va_start(number, length);
    len = vsnprintf(text, sizeof text, item->text, number);
    va_end(number);
    assert(len >= 0 && (size_t)len < sizeof text);
    put(out, text, (size_t)len);
}

static void put_integer(luaL_Buffer *out, struct item *item, int64_t number)
{
    char text[NUMBER_INT_MAX];

    if (item->simple && item->precision < 0) {
        put_padded(out, item, text, number_format_int(text, number));
    } else {
        put_number(out, item, "l", (long)number);
    }
}

static void put_real(luaL_Buffer *out, struct item *item, double number)
{
    int precision = item->precision >= 0 ? item->precision : 6;
    char text[NUMBER_MAX];

    if (item->simple && item->option == 'f') {
        put_padded(out, item, text, number_format_fixed(text, number, precision));
    } else if (item->simple && item->option == 'g' && precision > 0 && precision <= SHORT) {
        put_padded(out, item, text, number_format_general(text, number, precision));
    } else {
        put_number(out, item, "", number);
    }
}

/* As a C cast on x86 does. */
static uint64_t truncate_unsigned(double number)
{
    static const double half = 9223372036854775808.0; /* 2^63 */

    if (number >= half) {
        return (uint64_t)number_truncate(number - half) ^ (uint64_t)INT64_MIN;
    }
    return (uint64_t)number_truncate(number);
}

static void put_text(luaL_Buffer *out, const struct item *item, const char *at, size_t len)
{
    if (item->precision >= 0 && len > (size_t)item->precision) {
        len = (size_t)item->precision;
    }
    put_padded(out, item, at, len);
}

static void put_quoted(luaL_Buffer *out, const char *at, size_t len)
{
    luaL_addchar(out, '"');
    for (size_t i = 0; i < len; i++) {
        switch (at[i]) {
        case '"':
        case '\\':
        case '\n':
            luaL_addchar(out, '\\');
            luaL_addchar(out, at[i]);
            break;
        case '\r':
            put(out, "\\r", 2);
            break;
        case '\0':
            put(out, "\\000", 4);
            break;
        default:
            luaL_addchar(out, at[i]);
        }
    }
    luaL_addchar(out, '"');
}

/* Returns a text, or the one that tostring() would give of a number. */
static const char *check_text(lua_State *lua, int arg, char *number, size_t *len)
{
    if (lua_type(lua, arg) == LUA_TNUMBER) {
        *len = number_format_general(number, lua_tonumber(lua, arg), SHORT);
        return number;
    }
    return luaL_checklstring(lua, arg, len);
}

static void put_item(lua_State *lua, luaL_Buffer *out, struct item *item, int arg)
{
    char number[NUMBER_DOUBLE_MAX];
    const char *text;
    size_t len;

    switch (item->option) {
    case 'd':
    case 'i':
        put_integer(out, item, number_truncate(luaL_checknumber(lua, arg)));
        break;
    case 'o':
    case 'u':
    case 'x':
    case 'X':
        put_number(out, item, "l", (unsigned long)truncate_unsigned(luaL_checknumber(lua, arg)));
        break;
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G':
        put_real(out, item, luaL_checknumber(lua, arg));
        break;
    case 'c':
        number[0] = (char)number_truncate(luaL_checknumber(lua, arg));
        put_padded(out, item, number, 1);
        break;
    case 'q':
        text = check_text(lua, arg, number, &len);
        put_quoted(out, text, len);
        break;
    case 's':
        text = check_text(lua, arg, number, &len);
        put_text(out, item, text, len);
        break;
    default:
        luaL_error(lua, "invalid option '%%%c' to 'format'", item->option);
    }
}

/* What most formats consist of needs no look at what they may. Returns whether `option`
 * is that. */
static bool put_plain_item(lua_State *lua, luaL_Buffer *out, char option, int arg)
{
    char number[NUMBER_DOUBLE_MAX];
    const char *text;
    size_t len;

    if (option == 's') {
        text = check_text(lua, arg, number, &len);
        put(out, text, len);
    } else if (option == 'd') {
        len = number_format_int(number, number_truncate(luaL_checknumber(lua, arg)));
        put(out, number, len);
    } else {
        return false;
    }
    return true;
}

int script_format(lua_State *lua)
{
    int top = lua_gettop(lua), arg = 1;
    size_t len;
    const char *at = luaL_checklstring(lua, 1, &len), *end = at + len;
    struct item item;
    luaL_Buffer out;

    luaL_buffinit(lua, &out);
    while (at < end) {
        const char *percent = memchr(at, '%', (size_t)(end - at));

        put(&out, at, (size_t)((percent != NULL ? percent : end) - at));
        if (percent == NULL) {
            break;
        }
        at = percent + 1;
        if (*at == '%') {
            luaL_addchar(&out, *at++);
            continue;
        }
        if (++arg > top) {
            luaL_argerror(lua, arg, "no value");
        }
        if (put_plain_item(lua, &out, *at, arg)) {
            at++;
        } else {
            at = read_item(lua, at, &item);
            put_item(lua, &out, &item, arg);
        }
    }
    luaL_pushresult(&out);
    return 1;
}
