#include "script/bytecode.h"

#include "base/bytes.h"

#include <assert.h>
#include <lauxlib.h>

/* The format is described in LuaJIT's lj_bcdump.h, the instructions in lj_bc.h. */

enum {
    INSTRUCTION = 4, /* Bytes: opcode, A, C, B; or opcode, A and D of two. */
    JUMP_BIAS = 0x8000,
    UPVALUE = 2,  /* Bytes. */
    STRIPPED = 2, /* A flag of the header. */
};

/* The opcodes that matter, and where each is to be found: the index of an
 * instruction in the code of a text. */
enum opcode {
    ASSIGN,
    CALL,
    CALL_MULTI,
    TAIL_CALL,
    TAIL_CALL_MULTI,
    RETURN_MULTI,
    JUMP,
    GET_FIELD,
    OPCODES
};

static const struct {
    const char *text;
    size_t index;
} example[OPCODES] = {
    [ASSIGN] = {"x = 1", 1},
    [CALL] = {"x()", 1},
    [CALL_MULTI] = {"x(...)", 2},
    [TAIL_CALL] = {"return x()", 1},
    [TAIL_CALL_MULTI] = {"return x(...)", 2},
    [RETURN_MULTI] = {"return 1, x()", 3},
    [JUMP] = {"if x then x() end", 2},
    [GET_FIELD] = {"return x.y", 1},
};

static int opcode[OPCODES];
static char dump_key; /* In the registry: string.dump. */

/* One function of a dump. */
struct function {
    struct bytes head;       /* Flags, parameters, frame size, number of upvalues. */
    size_t objects, numbers; /* Constants. */
    size_t count;            /* Instructions. */
    size_t debug_len;
    size_t first_line, lines; /* If debug_len > 0. */
    bool is_outermost;
    struct bytes code;
    struct bytes constants; /* Upvalues too. */
    struct bytes places;    /* The line of each instruction, relative to the first. */
    struct bytes debug;     /* The rest of it. */
};

static bool take(struct bytes *in, size_t len, struct bytes *part)
{
    if (in->len < len) {
        return false;
    }
    *part = (struct bytes){in->at, len};
    *in = (struct bytes){in->at + len, in->len - len};
    return true;
}

static bool take_number(struct bytes *in, size_t *number)
{
    struct bytes byte;

    *number = 0;
    for (unsigned shift = 0; shift < 35 && take(in, 1, &byte); shift += 7) {
        *number |= (size_t)(byte.at[0] & 0x7f) << shift;
        if (!(byte.at[0] & 0x80)) {
            return true;
        }
    }
    return false;
}

/* Bytes that the line of an instruction takes. */
static size_t line_size(const struct function *f)
{
    return f->lines < 256 ? 1 : f->lines < 65536 ? 2 : 4;
}

static bool read_function(struct bytes in, struct function *f)
{
    size_t rest;

    *f = (struct function){0};
    if (!take(&in, 4, &f->head) || !take_number(&in, &f->objects) ||
        !take_number(&in, &f->numbers) || !take_number(&in, &f->count) ||
        !take_number(&in, &f->debug_len)) {
        return false;
    }
    if (f->debug_len > 0 && (!take_number(&in, &f->first_line) || !take_number(&in, &f->lines))) {
        return false;
    }
    if (!take(&in, f->count * INSTRUCTION, &f->code) || in.len < f->debug_len) {
        return false;
    }
    rest = in.len - f->debug_len;
    if (!take(&in, rest, &f->constants)) {
        return false;
    }
    if (f->debug_len > 0 && !take(&in, f->count * line_size(f), &f->places)) {
        return false;
    }
    f->debug = in;
    return true;
}

/* Reads the header of a dump: the part before the first function. */
static bool take_header(struct bytes *in, struct bytes *header)
{
    struct bytes whole = *in, magic, name;
    size_t flags, len;

    if (!take(in, 4, &magic) || memcmp(magic.at, "\033LJ\002", 4) != 0 ||
        !take_number(in, &flags) || (flags & STRIPPED) || !take_number(in, &len) ||
        !take(in, len, &name)) {
        return false;
    }
    *header = (struct bytes){whole.at, whole.len - in->len};
    return true;
}

/* Reads the next function, the outermost one last. Returns false at the end, with
 * in->len 0, or when it is not understood. */
static bool take_function(struct bytes *in, struct bytes *raw)
{
    size_t len;

    return take_number(in, &len) && len > 0 && take(in, len, raw);
}

/* Constants. They are kept in the order: captured variables, objects, numbers. */

enum object {
    OBJECT_FUNCTION,
    OBJECT_TABLE,
    OBJECT_INT64,
    OBJECT_UINT64,
    OBJECT_COMPLEX,
    OBJECT_STRING /* and its length. */
};
enum item { ITEM_NIL, ITEM_FALSE, ITEM_TRUE, ITEM_INT, ITEM_NUMBER, ITEM_STRING };

/* Skips a key or a value of a constant table. */
static bool skip_item(struct bytes *in)
{
    struct bytes text;
    size_t type, half;

    if (!take_number(in, &type)) {
        return false;
    }
    switch (type) {
    case ITEM_NIL:
    case ITEM_FALSE:
    case ITEM_TRUE:
        return true;
    case ITEM_INT:
        return take_number(in, &half);
    case ITEM_NUMBER:
        return take_number(in, &half) && take_number(in, &half);
    default:
        return take(in, type - ITEM_STRING, &text);
    }
}

static bool skip_table(struct bytes *in)
{
    size_t elements, pairs;
    bool ok = take_number(in, &elements) && take_number(in, &pairs);

    for (size_t left = ok ? elements + 2 * pairs : 0; ok && left > 0; left--) {
        ok = skip_item(in);
    }
    return ok;
}

/* Reads a constant object: its type, and the text of a string. */
static bool take_object(struct bytes *in, size_t *type, struct bytes *text)
{
    *text = (struct bytes){0};
    if (!take_number(in, type)) {
        return false;
    }
    if (*type >= OBJECT_STRING) {
        return take(in, *type - OBJECT_STRING, text);
    }
    return *type != OBJECT_TABLE || skip_table(in);
}

static bool take_upvalues(const struct function *f, struct bytes *in)
{
    struct bytes upvalues;

    *in = f->constants;
    return take(in, (size_t)(unsigned char)f->head.at[3] * UPVALUE, &upvalues);
}

/* Returns whether there are numbers of the FFI library among the constants, which the
 * compiler makes of 1LL, 1ULL and 1i though nobody has opened that. They are the last
 * thing that can be read: how long they are is not known here. */
static bool has_foreign_numbers(const struct function *f)
{
    struct bytes in, text;
    size_t type;
    bool ok = take_upvalues(f, &in);

    for (size_t left = f->objects; ok && left > 0; left--) {
        ok = take_object(&in, &type, &text);
        if (ok && type >= OBJECT_INT64 && type <= OBJECT_COMPLEX) {
            return true;
        }
    }
    return false;
}

/* Returns the string that is constant object `index`, as instructions count them: from
 * the last one backwards. */
static struct bytes string_at(const struct function *f, size_t index)
{
    struct bytes in, text = {0};
    size_t type;
    bool ok = index < f->objects && take_upvalues(f, &in);

    for (size_t left = ok ? f->objects - index : 0; ok && left > 0; left--) {
        ok = take_object(&in, &type, &text);
    }
    return text;
}

/* Instructions */

static int opcode_at(const struct function *f, size_t i)
{
    return (unsigned char)f->code.at[i * INSTRUCTION];
}

static bool has_opcode(const struct function *f, int wanted)
{
    for (size_t i = 0; i < f->count; i++) {
        if (opcode_at(f, i) == wanted) {
            return true;
        }
    }
    return false;
}

static bool is_tail_call(const struct function *f, size_t i)
{
    return opcode_at(f, i) == opcode[TAIL_CALL] || opcode_at(f, i) == opcode[TAIL_CALL_MULTI];
}

/* Whether what instruction `i` calls was found as x.call: the last instruction before it
 * that is about the same slot has put it there. */
static bool calls_redis(const struct function *f, size_t i)
{
    const char *code = f->code.at;
    char slot = code[i * INSTRUCTION + 1];

    while (i-- > 0) {
        if (code[i * INSTRUCTION + 1] == slot) {
            return opcode_at(f, i) == opcode[GET_FIELD] &&
                   bytes_equal(string_at(f, (unsigned char)code[i * INSTRUCTION + 2]),
                               BYTES("call"));
        }
    }
    return false;
}

/* Tail calls that become calls: those of the outermost function, which calls itself never,
 * and of redis.call anywhere. Others may be what a recursion goes by. */
static bool is_turned(const struct function *f, size_t i)
{
    return is_tail_call(f, i) && (f->is_outermost || calls_redis(f, i));
}

static size_t count_turned(const struct function *f)
{
    size_t count = 0;

    for (size_t i = 0; i < f->count; i++) {
        count += is_turned(f, i);
    }
    return f->debug_len > 0 && f->count + 2 * count < JUMP_BIAS ? count : 0;
}

/* Writing. A luaL_Buffer keeps parts of itself on the stack, so nothing else may be
 * left there meanwhile. */

static void put_number(luaL_Buffer *out, size_t number)
{
    while (number >= 0x80) {
        luaL_addchar(out, (char)(number | 0x80));
        number >>= 7;
    }
    luaL_addchar(out, (char)number);
}

static size_t number_len(size_t number)
{
    size_t len = 1;

    while (number >= 0x80) {
        number >>= 7;
        len++;
    }
    return len;
}

static void put_bytes(luaL_Buffer *out, struct bytes b)
{
    luaL_addlstring(out, b.at, b.len);
}

static void put_instruction(luaL_Buffer *out, int op, int a, size_t d)
{
    luaL_addchar(out, (char)op);
    luaL_addchar(out, (char)a);
    luaL_addchar(out, (char)d);
    luaL_addchar(out, (char)(d >> 8));
}

/* The code, in which each tail call jumps behind the end; there is the call, and the
 * return of whatever it gave. Nothing in between moves, so all other jumps and
 * places stay right. */
static void put_code(luaL_Buffer *out, const struct function *f)
{
    size_t stub = f->count;

    for (size_t i = 0; i < f->count; i++) {
        const char *at = f->code.at + i * INSTRUCTION;

        if (is_turned(f, i)) {
            put_instruction(out, opcode[JUMP], at[1], stub - (i + 1) + JUMP_BIAS);
            stub += 2;
        } else {
            luaL_addlstring(out, at, INSTRUCTION);
        }
    }
    for (size_t i = 0; i < f->count; i++) {
        const char *at = f->code.at + i * INSTRUCTION;

        if (is_turned(f, i)) {
            bool multi = opcode_at(f, i) == opcode[TAIL_CALL_MULTI];
            put_instruction(out, opcode[multi ? CALL_MULTI : CALL], at[1], (unsigned char)at[2]);
            put_instruction(out, opcode[RETURN_MULTI], at[1], 0);
        }
    }
}

static void put_debug(luaL_Buffer *out, const struct function *f)
{
    size_t size = line_size(f);

    put_bytes(out, f->places);
    for (size_t i = 0; i < f->count; i++) {
        if (is_turned(f, i)) {
            luaL_addlstring(out, f->places.at + i * size, size);
            luaL_addlstring(out, f->places.at + i * size, size);
        }
    }
    put_bytes(out, f->debug);
}

static void put_function(luaL_Buffer *out, const struct function *f, size_t turned)
{
    size_t count = f->count + 2 * turned;
    size_t debug_len = f->debug_len + 2 * turned * line_size(f);
    size_t len = f->head.len + number_len(f->objects) + number_len(f->numbers) + number_len(count) +
                 number_len(debug_len) + number_len(f->first_line) + number_len(f->lines) +
                 count * INSTRUCTION + f->constants.len + debug_len;

    put_number(out, len);
    put_bytes(out, f->head);
    put_number(out, f->objects);
    put_number(out, f->numbers);
    put_number(out, count);
    put_number(out, debug_len);
    put_number(out, f->first_line);
    put_number(out, f->lines);
    put_code(out, f);
    put_bytes(out, f->constants);
    put_debug(out, f);
}

/* Pushes the dump of the function on the stack. */
static struct bytes push_dump(lua_State *lua)
{
    struct bytes dump;

    lua_pushlightuserdata(lua, &dump_key);
    lua_rawget(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, -2);
    lua_call(lua, 1, 1);
    dump.at = lua_tolstring(lua, -1, &dump.len);
    return dump;
}

/* Reads the next function of a dump. Returns false at the end, with in->len 0, or when
 * it is not understood. *raw becomes the whole of it. */
static bool next_function(struct bytes *in, struct function *f, struct bytes *raw)
{
    if (!take_function(in, raw) || !read_function(*raw, f)) {
        return false;
    }
    f->is_outermost = in->len == 1; /* Behind it is only the end. */
    return true;
}

/* Looks at all functions of a dump; *last becomes the outermost one. Returns false if
 * something is not understood. */
static bool examine(struct bytes dump, unsigned *traits, size_t *turned, struct function *last)
{
    struct bytes header, raw;

    *traits = 0;
    *turned = 0;
    if (!take_header(&dump, &header)) {
        return false;
    }
    while (next_function(&dump, last, &raw)) {
        *traits |= has_opcode(last, opcode[ASSIGN]) ? BYTECODE_ASSIGNS : 0;
        *traits |= has_foreign_numbers(last) ? BYTECODE_FOREIGN : 0;
        *turned += count_turned(last);
    }
    return dump.len == 0;
}

/* Replaces the function below its dump by the one that the dump is turned into. */
static void rebuild(lua_State *lua, struct bytes dump)
{
    struct bytes header, raw, rebuilt;
    struct function f;
    luaL_Buffer out;

    luaL_buffinit(lua, &out);
    take_header(&dump, &header);
    put_bytes(&out, header);
    while (next_function(&dump, &f, &raw)) {
        if (count_turned(&f) > 0) {
            put_function(&out, &f, count_turned(&f));
        } else {
            put_number(&out, raw.len);
            put_bytes(&out, raw);
        }
    }
    luaL_addchar(&out, '\0');
    luaL_pushresult(&out);
    rebuilt.at = lua_tolstring(lua, -1, &rebuilt.len);
    if (luaL_loadbufferx(lua, rebuilt.at, rebuilt.len, "=rebuilt", "b") == 0) {
        lua_replace(lua, -4);
        lua_pop(lua, 2);
    } else {
        lua_pop(lua, 3);
    }
}

unsigned bytecode_finish(lua_State *lua)
{
    struct function outermost;
    struct bytes dump = push_dump(lua);
    size_t turned;
    unsigned traits;

    if (!examine(dump, &traits, &turned, &outermost)) {
        lua_pop(lua, 1);
        return BYTECODE_ASSIGNS;
    }
    if (turned > 0) {
        rebuild(lua, dump);
    } else {
        lua_pop(lua, 1);
    }
    return traits;
}

void bytecode_open(lua_State *lua)
{
    lua_pushlightuserdata(lua, &dump_key);
    lua_insert(lua, -2);
    lua_rawset(lua, LUA_REGISTRYINDEX);

    for (size_t i = 0; i < OPCODES; i++) {
        struct function f = {0};
        size_t turned;
        unsigned traits;
        bool understood;
        int err = luaL_loadstring(lua, example[i].text);

        assert(err == 0);
        understood = examine(push_dump(lua), &traits, &turned, &f) && example[i].index < f.count;
        assert(understood);
        opcode[i] = opcode_at(&f, example[i].index);
        lua_pop(lua, 2);
    }
}
