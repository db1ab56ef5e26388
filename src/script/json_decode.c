#include "script/json_codec.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

static const double powers[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};

/* One call of cjson.decode. */
struct decoder {
    lua_State *lua;
    struct json *library;
    const char *start;
    const char *at;  /* What comes next. A zero byte ends the document. */
    const char *end; /* Where the last one is. */
    int depth;
};

static void decode_value(struct decoder *d);

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline void decode_space(struct decoder *d)
{
    while (*d->at == ' ' || *d->at == '\n' || *d->at == '\t' || *d->at == '\r') {
        d->at++;
    }
}

/* Goes past `c` if that is what comes next, spaces aside. */
static inline bool decode_take(struct decoder *d, char c)
{
    decode_space(d);
    if (*d->at != c) {
        return false;
    }
    d->at++;
    return true;
}

static inline bool decode_take_word(struct decoder *d, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(d->at, word, len) != 0) {
        return false;
    }
    d->at += len;
    return true;
}

/* Returns where the bytes end that stand for themselves within a string. */
static inline const char *decode_plain_end(struct decoder *d)
{
    const char *at = d->at;

    while (d->end - at >= 8) {
        uint64_t word = eight_bytes(at);

        if ((eight_have(word, '"') | eight_have(word, '\\') | eight_have(word, '\0')) != 0) {
            break;
        }
        at += 8;
    }
    while (*at != '"' && *at != '\\' && *at != '\0') {
        at++;
    }
    return at;
}

/* Returns the value of four hexadecimal digits, or -1 if they are none. */
static int decode_hex(const char *digits)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        char c = digits[i];

        if (is_digit(c)) {
            value = value * 16 + (c - '0');
        } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* Reads "\uXXXX", or two of them that are a surrogate pair. Returns -1 if there
 * is no character of that kind. */
static int decode_code_point(struct decoder *d)
{
    int high = decode_hex(d->at + 2);
    int low;

    if (high < 0xd800 || high > 0xdfff) {
        d->at += high < 0 ? 0 : 6;
        return high;
    }
    if (high > 0xdbff || d->at[6] != '\\' || d->at[7] != 'u') {
        return -1;
    }
    low = decode_hex(d->at + 8);
    if (low < 0xdc00 || low > 0xdfff) {
        return -1;
    }
    d->at += 12;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Writes a code point in UTF-8, and returns the number of its bytes. */
static size_t decode_utf8(char *out, int c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* The functions from here to decode_scalar() push a value and return NULL, or
 * return what is wrong and leave `at` where it is. */

static const char *decode_unicode(struct decoder *d)
{
    char utf8[4];
    int c = decode_code_point(d);

    if (c < 0) {
        return "invalid unicode escape code";
    }
    text_add(d->lua, &d->library->text, utf8, decode_utf8(utf8, c));
    return NULL;
}

static const char *decode_escape(struct decoder *d)
{
    static const char meanings[256] = {
        ['"'] = '"',  ['/'] = '/',  ['\\'] = '\\', ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n', ['r'] = '\r',  ['t'] = '\t',
    };
    char meaning = meanings[(unsigned char)d->at[1]];

    if (d->at[1] == 'u') {
        return decode_unicode(d);
    }
    if (meaning == '\0') {
        return "invalid escape code";
    }
    text_add_char(d->lua, &d->library->text, meaning);
    d->at += 2;
    return NULL;
}

/* Goes on behind the quote with a string that is not just its own bytes. */
static const char *decode_escaped_string(struct decoder *d)
{
    struct text *text = &d->library->text;

    text->len = 0;
    for (;;) {
        const char *end = decode_plain_end(d);
        const char *error;

        text_add(d->lua, text, d->at, (size_t)(end - d->at));
        d->at = end;
        if (*end == '"') {
            break;
        }
        error = *end == '\\' ? decode_escape(d) : "unexpected end of string";
        if (error != NULL) {
            return error;
        }
    }
    d->at++;
    lua_pushlstring(d->lua, text->at, text->len);
    return NULL;
}

static const char *decode_string(struct decoder *d)
{
    const char *end;

    d->at++;
    end = decode_plain_end(d);
    if (*end != '"') {
        return decode_escaped_string(d);
    }
    lua_pushlstring(d->lua, d->at, (size_t)(end - d->at));
    d->at = end + 1;
    return NULL;
}

/* Tells if what comes next is a number to strtod() but not to JSON. */
static bool decode_is_invalid_number(const char *at)
{
    if (*at == '+') {
        return true;
    }
    if (*at == '-') {
        at++;
    }
    if (*at == '0') {
        return (at[1] | 0x20) == 'x' || is_digit(at[1]);
    }
    return strncasecmp(at, "inf", 3) == 0 || strncasecmp(at, "nan", 3) == 0;
}

/* Reads a number of 15 digits at the most and no exponent: two integers that a
 * double holds exactly, so that one division gives the double that is nearest.
 * Returns false, having done nothing, if the number is another. */
static inline bool decode_short_number(struct decoder *d, double *number)
{
    bool negative = *d->at == '-';
    const char *first = d->at + negative;
    const char *at = first;
    ptrdiff_t decimals = 0;
    uint64_t digits = 0;

    while (is_digit(*at)) {
        digits = digits * 10 + (uint64_t)(*at++ - '0');
    }
    if (at == first) {
        return false;
    }
    if (*at == '.') {
        const char *point = at++;
        while (is_digit(*at)) {
            digits = digits * 10 + (uint64_t)(*at++ - '0');
        }
        decimals = at - point - 1;
    }
    if (at - first > 16 || (*at | 0x20) == 'e' || (*at | 0x20) == 'x') {
        return false;
    }
    *number = (double)digits / powers[decimals];
    *number = negative ? -*number : *number;
    d->at = at;
    return true;
}

static const char *decode_number(struct decoder *d)
{
    double number;
    char *end;

    if (!d->library->options.decode_invalid && decode_is_invalid_number(d->at)) {
        return "invalid number";
    }
    if (!decode_short_number(d, &number)) {
        number = strtod(d->at, &end);
        if (end == d->at) {
            return "invalid number";
        }
        d->at = end;
    }
    lua_pushnumber(d->lua, number);
    return NULL;
}

static const char *decode_word(struct decoder *d)
{
    if (decode_take_word(d, "true")) {
        lua_pushboolean(d->lua, true);
    } else if (decode_take_word(d, "false")) {
        lua_pushboolean(d->lua, false);
    } else if (decode_take_word(d, "null")) {
        lua_pushlightuserdata(d->lua, NULL);
    } else if (d->library->options.decode_invalid && decode_is_invalid_number(d->at)) {
        return decode_number(d);
    } else {
        return "invalid token";
    }
    return NULL;
}

/* Reads what is neither an object nor an array. */
static inline const char *decode_scalar(struct decoder *d)
{
    if (*d->at == '"') {
        return decode_string(d);
    }
    if (*d->at == '-' || is_digit(*d->at)) {
        return decode_number(d);
    }
    return decode_word(d);
}

/* Names what comes next, and moves to the place where it is wrong if it is. May
 * push one value. */
static const char *decode_token_name(struct decoder *d)
{
    const char *start = d->at;
    const char *error;

    switch (*start) {
    case '\0':
        return "T_END";
    case '{':
        return "T_OBJ_BEGIN";
    case '}':
        return "T_OBJ_END";
    case '[':
        return "T_ARR_BEGIN";
    case ']':
        return "T_ARR_END";
    case ':':
        return "T_COLON";
    case ',':
        return "T_COMMA";
    }
    error = decode_scalar(d);
    if (error != NULL) {
        return error;
    }
    d->at = start;
    switch (lua_type(d->lua, -1)) {
    case LUA_TSTRING:
        return "T_STRING";
    case LUA_TNUMBER:
        return "T_NUMBER";
    case LUA_TBOOLEAN:
        return "T_BOOLEAN";
    default:
        return "T_NULL";
    }
}

/* Raises an error: what comes next is not what is expected there. */
__attribute__((noinline)) static void decode_fail(struct decoder *d, const char *expected)
{
    const char *found = decode_token_name(d);

    text_trim(d->lua, &d->library->text);
    luaL_error(d->lua, "Expected %s but found %s at character %d", expected, found,
               (int)(d->at - d->start) + 1);
}

/* The first members of a table wait on the stack until it is known how many they
 * are, so that most tables are made in their size and need not grow. Deep down it
 * is not done, for a stack has but 8000 slots. */
enum { BATCH_MAX = 8, BATCH_DEPTH = 64 };

/* Goes into an object or array, whose members take `width` slots of the stack.
 * Returns how many of them may wait there. */
static int decode_descend(struct decoder *d, int width)
{
    int batch = d->depth < BATCH_DEPTH ? BATCH_MAX : 0;

    d->at++;
    d->depth++;
    if (d->depth > d->library->options.decode_max_depth ||
        !lua_checkstack(d->lua, width * (batch + 1) + 1)) {
        text_trim(d->lua, &d->library->text);
        luaL_error(d->lua, "Found too many nested data structures (%d) at character %d", d->depth,
                   (int)(d->at - d->start));
    }
    return batch;
}

static void decode_key(struct decoder *d)
{
    const char *start;

    decode_space(d);
    start = d->at;
    if (*start != '"' || decode_string(d) != NULL) {
        d->at = start;
        decode_fail(d, "object key string");
    }
    if (!decode_take(d, ':')) {
        decode_fail(d, "colon");
    }
}

/* Puts a new object below the pairs on top of the stack, and them into it. They go
 * in order: if two have the same key, the last one counts. */
static void decode_new_object(lua_State *lua, int count)
{
    int base = lua_gettop(lua) - 2 * count;

    lua_createtable(lua, 0, count);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(lua, base + 2 * i + 1);
        lua_pushvalue(lua, base + 2 * i + 2);
        lua_rawset(lua, -3);
    }
    if (count > 0) {
        lua_replace(lua, base + 1);
        lua_settop(lua, base + 1);
    }
}

static void decode_object(struct decoder *d)
{
    int batch = decode_descend(d, 2);
    int count = 0;
    bool more = !decode_take(d, '}');
    bool empty = !more;

    while (more && count < batch) {
        decode_key(d);
        decode_value(d);
        count++;
        more = decode_take(d, ',');
    }
    decode_new_object(d->lua, count);
    while (more) {
        decode_key(d);
        decode_value(d);
        lua_rawset(d->lua, -3);
        more = decode_take(d, ',');
    }
    if (!empty && !decode_take(d, '}')) {
        decode_fail(d, "comma or object end");
    }
    d->depth--;
}

/* Puts a new array below the values on top of the stack, and them into it. */
static void decode_new_array(lua_State *lua, int count)
{
    lua_createtable(lua, count, 0);
    lua_insert(lua, -1 - count);
    for (int i = count; i > 0; i--) {
        lua_rawseti(lua, -1 - i, i);
    }
}

/* Gives the array on the stack the metatable that decode_array_with_array_mt() has made. */
static void decode_mark(lua_State *lua)
{
    lua_getfenv(lua, lua_upvalueindex(1));
    lua_setmetatable(lua, -2);
}

static void decode_array(struct decoder *d)
{
    int batch = decode_descend(d, 1);
    int count = 0;
    bool more = !decode_take(d, ']');
    bool empty = !more;

    while (more && count < batch) {
        decode_value(d);
        count++;
        more = decode_take(d, ',');
    }
    decode_new_array(d->lua, count);
    while (more) {
        decode_value(d);
        lua_rawseti(d->lua, -2, ++count);
        more = decode_take(d, ',');
    }
    if (!empty && !decode_take(d, ']')) {
        decode_fail(d, "comma or array end");
    }
    if (empty && d->library->options.decode_marks) {
        decode_mark(d->lua);
    }
    d->depth--;
}

/* Reads and pushes a value. */
static void decode_value(struct decoder *d)
{
    const char *start;

    decode_space(d);
    start = d->at;
    if (*start == '{') {
        decode_object(d);
    } else if (*start == '[') {
        decode_array(d);
    } else if (decode_scalar(d) != NULL) {
        d->at = start;
        decode_fail(d, "value");
    }
}

int json_decode(lua_State *lua)
{
    struct decoder d = {.lua = lua, .library = json_of(lua)};
    size_t len;

    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    d.start = luaL_checklstring(lua, 1, &len);
    d.at = d.start;
    d.end = d.start + len;
    if (len >= 2 && (d.start[0] == '\0' || d.start[1] == '\0')) {
        luaL_error(lua, "JSON parser does not support UTF-16 or UTF-32");
    }
    decode_value(&d);
    decode_space(&d);
    if (*d.at != '\0') {
        decode_fail(&d, "the end");
    }
    text_trim(lua, &d.library->text);
    return 1;
}
