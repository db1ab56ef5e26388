/* What the two halves of cjson share: script/json_encode.c and json_decode.c. */
#ifndef SCRIPT_JSON_CODEC_H
#define SCRIPT_JSON_CODEC_H

#include "script/text.h"

#include <stdint.h>

enum invalid_numbers { INVALID_REFUSED, INVALID_ACCEPTED, INVALID_NULL };

struct json_options {
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

/* What one copy of the library knows. It is a userdata of the VM, and the upvalue
 * of each of the copy's functions. */
struct json {
    struct json_options options;
    bool changed;      /* The options may not be the defaults. */
    struct text text;  /* No call of the VM that is made while it is written runs a script,
                          which might start another. */
    struct text notes; /* Of the objects at work, while that is. */
};

static inline struct json *json_of(lua_State *lua)
{
    return lua_touserdata(lua, lua_upvalueindex(1));
}

int json_encode(lua_State *lua); /* cjson.encode() */
int json_decode(lua_State *lua); /* cjson.decode() */

/* The field of a metatable that says that a table is an array. */
#define JSON_ARRAY_MARK "__is_cjson_array"

/* Strings are looked at in words of eight bytes where they are long enough. */
#define JSON_ONES UINT64_C(0x0101010101010101)

static inline uint64_t eight_bytes(const char *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

/* The next two return zero if none of the bytes is below `limit`, or is `c`. */

static inline uint64_t eight_below(uint64_t word, unsigned limit)
{
    return (word - JSON_ONES * limit) & ~word & JSON_ONES << 7;
}

static inline uint64_t eight_have(uint64_t word, unsigned char c)
{
    return eight_below(word ^ JSON_ONES * c, 1);
}

#endif
