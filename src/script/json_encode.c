#include "base/number.h"
#include "script/json_codec.h"
#include "script/order.h"

#include <lauxlib.h>
#include <limits.h>
#include <math.h>

/* One call of cjson.encode. The functions below take what they write from the
 * stack of the VM. */
struct encoder {
    lua_State *lua;
    struct text *text;
    struct text *notes;
    const struct json_options *options;
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
    const struct json_options *options = e->options;
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

/* Tells whether the metatable of the table on the stack says that it is an array. */
static bool encode_is_marked(lua_State *lua)
{
    bool marked;

    if (!lua_getmetatable(lua, -1)) {
        return false;
    }
    lua_pushstring(lua, JSON_ARRAY_MARK);
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

int json_encode(lua_State *lua)
{
    struct json *library = json_of(lua);
    struct encoder e = {lua, &library->text, &library->notes, &library->options, 0};

    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    library->text.len = 0;
    library->notes.len = 0;
    encode_value(&e);
    lua_pushlstring(lua, library->text.at, library->text.len);
    encode_trim(&e);
    return 1;
}
