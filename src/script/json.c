#include "script/json.h"

#include <assert.h>
#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "script/order.h"

enum invalid_numbers { INVALID_REFUSED, INVALID_ACCEPTED, INVALID_NULL };

struct options {
    int sparse_convert;
    int sparse_ratio;
    int sparse_safe;
    int encode_max_depth;
    int encode_precision;
    int encode_keep_buffer; /* Has no effect. */
    int encode_invalid;     /* An enum invalid_numbers. */
    int decode_max_depth;
    int decode_invalid;
    int decode_marks; /* Empty arrays get a metatable that says what they are. */
};

static const struct options defaults = {
    .sparse_convert = false,
    .sparse_ratio = 2,
    .sparse_safe = 10,
    .encode_max_depth = 1000,
    .encode_precision = 14,
    .encode_keep_buffer = true,
    .encode_invalid = INVALID_REFUSED,
    .decode_max_depth = 1000,
    .decode_invalid = INVALID_ACCEPTED,
    .decode_marks = false,
};

/* What one copy of the library knows. It is a userdata of the VM, and the upvalue
 * of each of the copy's functions. */
struct library {
    struct options options;
    bool changed;      /* The options may not be the defaults. */
    struct text text;  /* No call of the VM that is made while it is written runs a script,
                          which might start another. */
    struct text notes; /* Of the objects at work, while that is. */
};

static struct library *library_of(lua_State *lua)
{
    return lua_touserdata(lua, lua_upvalueindex(1));
}

enum { PRECISION_MAX = 14 };

static const double powers[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};

/* Strings are looked at in words of eight bytes where they are long enough. */
static const uint64_t ones = 0x0101010101010101;

static inline uint64_t eight_bytes(const char *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

/* The next two return zero if none of the bytes is below `limit`, or is `c`. */

static inline uint64_t eight_below(uint64_t word, unsigned limit)
{
    return (word - ones * limit) & ~word & ones << 7;
}

static inline uint64_t eight_have(uint64_t word, unsigned char c)
{
    return eight_below(word ^ ones * c, 1);
}

/* One call of cjson.encode. The functions below take what they write from the
 * stack of the VM. */
struct encoder {
    lua_State *lua;
    struct text *text;
    struct text *notes;
    const struct options *options;
    int depth;
};

static void encode_value(struct encoder *e);

static inline void encode_char(struct encoder *e, char c)
{
    text_add_char(e->lua, e->text, c);
}

static inline void encode_word(struct encoder *e, const char *word)
{
    text_add(e->lua, e->text, word, strlen(word));
}

static void encode_trim(struct encoder *e)
{
    text_trim(e->lua, e->text);
    text_trim(e->lua, e->notes);
}

static void encode_fail(struct encoder *e, int type, const char *reason)
{
    encode_trim(e);
    luaL_error(e->lua, "Cannot serialise %s: %s", lua_typename(e->lua, type), reason);
}

/* What follows the backslash, for the bytes that need one. */
static const char escapes[256] = {
    [0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't',      ['\n'] = 'n', ['\v'] = 'u',  ['\f'] = 'f',
    ['\r'] = 'r',    ['"'] = '"',  [14 ... 31] = 'u', ['/'] = '/',  ['\\'] = '\\', [127] = 'u',
};

enum { ESCAPE_MAX = 6 };

static inline char *encode_byte(char *out, unsigned char byte)
{
    char escape = escapes[byte];

    if (escape == 0) {
        *out++ = (char)byte;
        return out;
    }
    *out++ = '\\';
    *out++ = escape;
    if (escape == 'u') {
        *out++ = '0';
        *out++ = '0';
        *out++ = "0123456789abcdef"[byte >> 4];
        *out++ = "0123456789abcdef"[byte & 15];
    }
    return out;
}

static inline bool encode_needs_escapes(uint64_t word)
{
    return (eight_below(word, 0x20) | eight_have(word, '"') | eight_have(word, '/') |
            eight_have(word, '\\') | eight_have(word, 0x7f)) != 0;
}

static char *encode_bytes(char *out, const char *from, size_t len)
{
    const char *end = from + len;

    while (from < end) {
        const char *stop = end - from < 8 ? end : from + 8;

        if (stop == from + 8 && !encode_needs_escapes(eight_bytes(from))) {
            memcpy(out, from, 8);
            out += 8;
            from += 8;
        }
        while (from < stop) {
            out = encode_byte(out, (unsigned char)*from++);
        }
    }
    return out;
}

/* Writes the string at `index`. It goes part by part, so that a long one claims
 * room for its escapes only as they come. */
static void encode_string(struct encoder *e, int index)
{
    enum { PART = 1024 };
    size_t left;
    const char *from = lua_tolstring(e->lua, index, &left);

    encode_char(e, '"');
    do {
        size_t part = left < PART ? left : PART;
        char *out = text_reserve(e->lua, e->text, part * ESCAPE_MAX + 1);

        e->text->len = (size_t)(encode_bytes(out, from, part) - e->text->at);
        from += part;
        left -= part;
    } while (left > 0);
    encode_char(e, '"');
}

static void encode_number(struct encoder *e, double number)
{
    char *out = text_reserve(e->lua, e->text, NUMBER_DOUBLE_MAX);

    e->text->len += number_format_general(out, number, e->options->encode_precision);
}

/* Writes a number that JSON has no text for, if it may. */
static void encode_invalid_number(struct encoder *e, double number)
{
    if (e->options->encode_invalid == INVALID_REFUSED) {
        encode_fail(e, LUA_TNUMBER, "must not be NaN or Inf");
    } else if (e->options->encode_invalid == INVALID_NULL) {
        encode_word(e, "null");
    } else if (isnan(number)) {
        encode_word(e, "nan");
    } else {
        encode_word(e, number > 0 ? "inf" : "-inf");
    }
}

/* Writes the value on top of the stack if that is plain: neither a table nor
 * something that may have to be refused. Returns false, having done nothing, if
 * it is not. */
static inline bool encode_plain(struct encoder *e)
{
    double number;

    switch (lua_type(e->lua, -1)) {
    case LUA_TSTRING:
        encode_string(e, -1);
        return true;
    case LUA_TNUMBER:
        number = lua_tonumber(e->lua, -1);
        if (isfinite(number)) {
            encode_number(e, number);
        }
        return isfinite(number);
    case LUA_TBOOLEAN:
        encode_word(e, lua_toboolean(e->lua, -1) ? "true" : "false");
        return true;
    default:
        return false;
    }
}

static void encode_key(struct encoder *e)
{
    int type = lua_type(e->lua, -2);

    if (type == LUA_TSTRING) {
        encode_string(e, -2);
    } else if (type == LUA_TNUMBER) {
        double number = lua_tonumber(e->lua, -2);

        encode_char(e, '"');
        if (isfinite(number)) {
            encode_number(e, number);
        } else {
            encode_invalid_number(e, number);
        }
        encode_char(e, '"');
    } else {
        encode_fail(e, type, "table key must be a number or string");
    }
    encode_char(e, ':');
}

/* Writes a table as an object. Its first pair is on the stack, and is popped. */
static void encode_object(struct encoder *e)
{
    size_t start = e->notes->len;

    encode_char(e, '{');
    do {
        size_t from = e->text->len;

        encode_key(e);
        encode_value(e);
        lua_pop(e->lua, 1);
        encode_char(e, ',');
        order_note(e->lua, e->notes, -1, e->text, from);
    } while (lua_next(e->lua, -2) != 0);
    order_pairs(e->lua, e->notes, start, e->text);
    e->text->at[e->text->len - 1] = '}';
}

/* Writes the elements of the table on the stack from `first` to `last`. */
static void encode_elements(struct encoder *e, int first, int last)
{
    for (int64_t i = first; i <= last; i++) {
        lua_rawgeti(e->lua, -1, (int)i);
        encode_value(e);
        lua_pop(e->lua, 1);
        encode_char(e, ',');
    }
}

/* Returns the key on the stack below the top if it can be an index of an array,
 * and 0 if it cannot. One that no int can hold makes an object of the table, so
 * that nothing is lost; in Redis it depends on the order in which keys are met. */
static inline int encode_index(struct encoder *e)
{
    double key;

    if (lua_type(e->lua, -2) != LUA_TNUMBER) {
        return 0;
    }
    key = lua_tonumber(e->lua, -2);
    return key >= 1 && key <= INT_MAX && key == (int)key ? (int)key : 0;
}

/* Writes elements as long as the pairs come as an array's would: in order, and
 * plain. The first pair is on the stack; the one that is not written stays there.
 * Returns the number of those written, and sets *ended if they are all. */
static int encode_leading(struct encoder *e, bool *ended)
{
    int count = 0;

    *ended = false;
    while (encode_index(e) == count + 1 && encode_plain(e)) {
        count++;
        encode_char(e, ',');
        lua_pop(e->lua, 1);
        if (lua_next(e->lua, -2) == 0) {
            *ended = true;
            break;
        }
    }
    return count;
}

/* Returns the last index of a table that is an array, or 0 if it is not one. The
 * pair after the first `count` elements is on the stack, and is popped. */
static int encode_last_index(struct encoder *e, int count)
{
    const struct options *options = e->options;
    int last = count;

    do {
        int index = encode_index(e);

        if (index == 0) {
            lua_pop(e->lua, 2);
            return 0;
        }
        lua_pop(e->lua, 1);
        last = index > last ? index : last;
        count++;
    } while (lua_next(e->lua, -2) != 0);

    if (options->sparse_ratio == 0 || last <= (int64_t)count * options->sparse_ratio ||
        last <= options->sparse_safe) {
        return last;
    }
    if (!options->sparse_convert) {
        encode_fail(e, LUA_TTABLE, "excessively sparse array");
    }
    return 0;
}

/* Writes a table whose first key is an index. The first pair is on the stack, and
 * is popped. Most are arrays in order, and then one pass is all it takes. If the
 * table turns out to be none, what is written so far was plain values only. */
static void encode_indexed(struct encoder *e)
{
    size_t start = e->text->len;
    bool ended;
    int count;
    int last;

    encode_char(e, '[');
    count = encode_leading(e, &ended);
    last = ended ? count : encode_last_index(e, count);
    if (last > 0) {
        encode_elements(e, count + 1, last);
        e->text->at[e->text->len - 1] = ']';
    } else {
        e->text->len = start;
        lua_pushnil(e->lua);
        lua_next(e->lua, -2);
        encode_object(e);
    }
}

static const char array_mark[] = "__is_cjson_array";

/* Tells whether the metatable of the table on the stack says that it is an array. */
static bool encode_is_marked(lua_State *lua)
{
    bool marked;

    if (!lua_getmetatable(lua, -1)) {
        return false;
    }
    lua_pushstring(lua, array_mark);
    lua_rawget(lua, -2);
    marked = lua_toboolean(lua, -1);
    lua_pop(lua, 2);
    return marked;
}

/* Writes the table on top of the stack. */
static void encode_table(struct encoder *e)
{
    lua_State *lua = e->lua;

    e->depth++;
    if (e->depth > e->options->encode_max_depth || !lua_checkstack(lua, 3)) {
        encode_trim(e);
        luaL_error(lua, "Cannot serialise, excessive nesting (%d)", e->depth);
    }
    lua_pushnil(lua);
    if (lua_next(lua, -2) == 0) {
        encode_word(e, encode_is_marked(lua) ? "[]" : "{}");
    } else if (encode_index(e) != 0) {
        encode_indexed(e);
    } else {
        encode_object(e);
    }
    e->depth--;
}

/* Writes the value on top of the stack, and leaves it there. */
static void encode_value(struct encoder *e)
{
    int type;

    if (encode_plain(e)) {
        return;
    }
    type = lua_type(e->lua, -1);
    if (type == LUA_TTABLE) {
        encode_table(e);
    } else if (type == LUA_TNUMBER) {
        encode_invalid_number(e, lua_tonumber(e->lua, -1));
    } else if (lua_touserdata(e->lua, -1) == NULL &&
               (type == LUA_TNIL || type == LUA_TLIGHTUSERDATA)) {
        encode_word(e, "null");
    } else {
        encode_fail(e, type, "type not supported");
    }
}

static int json_encode(lua_State *lua)
{
    struct library *library = library_of(lua);
    struct encoder e = {lua, &library->text, &library->notes, &library->options, 0};

    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    library->text.len = 0;
    library->notes.len = 0;
    encode_value(&e);
    lua_pushlstring(lua, library->text.at, library->text.len);
    encode_trim(&e);
    return 1;
}

/* One call of cjson.decode. */
struct decoder {
    lua_State *lua;
    struct library *library;
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

static int json_decode(lua_State *lua)
{
    struct decoder d = {.lua = lua, .library = library_of(lua)};
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

/* Returns the options that a function of `count` arguments is to change, and
 * fills up its arguments with nil, which changes nothing. */
static struct options *options_of(lua_State *lua, int count)
{
    struct library *library = library_of(lua);

    luaL_argcheck(lua, lua_gettop(lua) <= count, count + 1, "found too many arguments");
    lua_settop(lua, count);
    library->changed = true;
    return &library->options;
}

/* Sets an option to the argument at `index` unless that is nil, and pushes what
 * it is then. A wrong number is said to be the first argument, as Redis says. */
static void option_integer(lua_State *lua, int index, int *option, int min, int max)
{
    if (!lua_isnil(lua, index)) {
        int value = (int)luaL_checkinteger(lua, index);
        if (value < min || value > max) {
            lua_pushfstring(lua, "expected integer between %d and %d", min, max);
            luaL_argerror(lua, 1, lua_tostring(lua, -1));
        }
        *option = value;
    }
    lua_pushinteger(lua, *option);
}

/* The same for an option with names, of which the first two are false and true. */
static void option_name(lua_State *lua, int index, int *option, const char *const *names)
{
    if (lua_isboolean(lua, index)) {
        *option = lua_toboolean(lua, index);
    } else if (!lua_isnil(lua, index)) {
        *option = luaL_checkoption(lua, index, NULL, names);
    }
    if (*option <= true) {
        lua_pushboolean(lua, *option);
    } else {
        lua_pushstring(lua, names[*option]);
    }
}

static const char *const switch_names[] = {"off", "on", NULL};
static const char *const invalid_names[] = {"off", "on", "null", NULL};

static int json_encode_sparse_array(lua_State *lua)
{
    struct options *options = options_of(lua, 3);

    option_name(lua, 1, &options->sparse_convert, switch_names);
    option_integer(lua, 2, &options->sparse_ratio, 0, INT_MAX);
    option_integer(lua, 3, &options->sparse_safe, 0, INT_MAX);
    return 3;
}

static int json_encode_max_depth(lua_State *lua)
{
    option_integer(lua, 1, &options_of(lua, 1)->encode_max_depth, 1, INT_MAX);
    return 1;
}

static int json_decode_max_depth(lua_State *lua)
{
    option_integer(lua, 1, &options_of(lua, 1)->decode_max_depth, 1, INT_MAX);
    return 1;
}

static int json_encode_number_precision(lua_State *lua)
{
    option_integer(lua, 1, &options_of(lua, 1)->encode_precision, 1, PRECISION_MAX);
    return 1;
}

static int json_encode_keep_buffer(lua_State *lua)
{
    option_name(lua, 1, &options_of(lua, 1)->encode_keep_buffer, switch_names);
    return 1;
}

static int json_encode_invalid_numbers(lua_State *lua)
{
    option_name(lua, 1, &options_of(lua, 1)->encode_invalid, invalid_names);
    return 1;
}

static int json_decode_invalid_numbers(lua_State *lua)
{
    option_name(lua, 1, &options_of(lua, 1)->decode_invalid, switch_names);
    return 1;
}

/* As of Redis 8. The metatable is the script's own, so it may do with it what it likes. */
static int json_decode_array_with_array_mt(lua_State *lua)
{
    struct options *options = options_of(lua, 1);

    option_name(lua, 1, &options->decode_marks, switch_names);
    lua_createtable(lua, 0, 1);
    lua_pushboolean(lua, true);
    lua_setfield(lua, -2, array_mark);
    lua_setfenv(lua, lua_upvalueindex(1));
    return 1;
}

/* Its address is the registry's key for the library that is reset. */
static const char registry_key;

static int library_free(lua_State *lua)
{
    struct library *library = lua_touserdata(lua, 1);

    text_clear(lua, &library->text);
    text_clear(lua, &library->notes);
    return 0;
}

/* Pushes what a copy of the library knows. */
static void library_push(lua_State *lua)
{
    struct library *library = lua_newuserdata(lua, sizeof *library);

    *library = (struct library){.options = defaults};
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, library_free);
    lua_setfield(lua, -2, "__gc");
    lua_setmetatable(lua, -2);
}

static int json_new(lua_State *lua);

/* Pushes the table of a library that is on top of the stack, and removes that. */
static void library_push_table(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"encode", json_encode},
        {"decode", json_decode},
        {"encode_sparse_array", json_encode_sparse_array},
        {"encode_max_depth", json_encode_max_depth},
        {"decode_max_depth", json_decode_max_depth},
        {"encode_number_precision", json_encode_number_precision},
        {"encode_keep_buffer", json_encode_keep_buffer},
        {"encode_invalid_numbers", json_encode_invalid_numbers},
        {"decode_invalid_numbers", json_decode_invalid_numbers},
        {"decode_array_with_array_mt", json_decode_array_with_array_mt},
        {"new", json_new},
    };
    enum { COUNT = sizeof functions / sizeof functions[0] };

    lua_createtable(lua, 0, COUNT + 3);
    for (size_t i = 0; i < COUNT; i++) {
        lua_pushvalue(lua, -2);
        lua_pushcclosure(lua, functions[i].func, 1);
        lua_setfield(lua, -2, functions[i].name);
    }
    lua_pushlightuserdata(lua, NULL);
    lua_setfield(lua, -2, "null");
    lua_pushliteral(lua, "cjson");
    lua_setfield(lua, -2, "_NAME");
    lua_pushliteral(lua, "2.1.0");
    lua_setfield(lua, -2, "_VERSION");
    lua_remove(lua, -2);
}

static int json_new(lua_State *lua)
{
    library_push(lua);
    library_push_table(lua);
    return 1;
}

void script_json_open(lua_State *lua)
{
    luaL_checkstack(lua, 4, "no room for cjson");
    library_push(lua);
    lua_pushlightuserdata(lua, (void *)&registry_key);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, LUA_REGISTRYINDEX);
    library_push_table(lua);
}

void script_json_reset(lua_State *lua)
{
    struct library *library;

    lua_pushlightuserdata(lua, (void *)&registry_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    library = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    assert(library != NULL);

    if (library->changed) {
        library->options = defaults;
        library->changed = false;
    }
    text_trim(lua, &library->text);
    text_trim(lua, &library->notes);
}
