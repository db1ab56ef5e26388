/* BITFIELD: a string as numbers of any width at any bit. */
#include "base/mem.h"
#include "command/bitmap.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/overwrite.h"

#include <assert.h>

enum overflow { WRAP, SATURATE, FAIL };
enum action { GET, SET, INCRBY };

/* A part of a request: what to do with one number. */
struct step {
    enum action action;
    enum overflow overflow;
    bool is_signed;
    unsigned width; /* Of the number, in bits: 1 to 64. */
    uint64_t offset;
    int64_t operand;
};

/* Wide enough for the sum of any two numbers. */
typedef __int128 wide;

/* Reading. */

static bool read_type(struct call *c, size_t arg, struct step *step)
{
    struct bytes text = c->argv[arg];
    int64_t width;

    step->is_signed = text.len > 0 && text.at[0] == 'i';
    if (text.len < 2 || (text.at[0] != 'i' && text.at[0] != 'u') ||
        !number_parse_int((struct bytes){text.at + 1, text.len - 1}, &width) || width < 1 ||
        width > (step->is_signed ? 64 : 63)) {
        call_fail(c, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
                     "supported but i64 is.");
        return false;
    }
    step->width = (unsigned)width;
    return true;
}

static bool read_overflow(struct call *c, size_t arg, enum overflow *overflow)
{
    if (call_is(c, arg, "wrap")) {
        *overflow = WRAP;
    } else if (call_is(c, arg, "sat")) {
        *overflow = SATURATE;
    } else if (call_is(c, arg, "fail")) {
        *overflow = FAIL;
    } else {
        call_fail(c, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

static bool action_at(const struct call *c, size_t arg, enum action *action)
{
    static const char *const words[] = {[GET] = "get", [SET] = "set", [INCRBY] = "incrby"};

    for (enum action a = GET; a <= INCRBY; a++) {
        if (call_is(c, arg, words[a]) && arg + (a == GET ? 2 : 3) < c->argc) {
            *action = a;
            return true;
        }
    }
    return false;
}

/* Reads the step at argument `arg`, and sets *args to how many it has. */
static bool read_step(struct call *c, size_t arg, struct step *step, size_t *args)
{
    if (!action_at(c, arg, &step->action)) {
        call_fail_syntax(c);
        return false;
    }
    *args = step->action == GET ? 3 : 4;
    return read_type(c, arg + 1, step) && bitmap_offset(c, arg + 2, step->width, &step->offset) &&
           (step->action == GET || call_int(c, arg + 3, &step->operand));
}

/* Reads all steps. `steps` has room for as many as there can be. */
static bool read_steps(struct call *c, struct step *steps, size_t *count)
{
    enum overflow overflow = WRAP;
    size_t args;

    *count = 0;
    for (size_t i = 2; i < c->argc; i += args) {
        if (call_is(c, i, "overflow") && i + 1 < c->argc) {
            args = 2;
            if (!read_overflow(c, i + 1, &overflow)) {
                return false;
            }
        } else {
            steps[*count].overflow = overflow;
            if (!read_step(c, i, &steps[*count], &args)) {
                return false;
            }
            ++*count;
        }
    }
    return true;
}

/* Numbers. */

static wide min_of(const struct step *s)
{
    return s->is_signed ? -((wide)1 << (s->width - 1)) : 0;
}

static wide max_of(const struct step *s)
{
    return ((wide)1 << (s->width - s->is_signed)) - 1;
}

/* Returns the number that the lowest bits of `bits` are. */
static int64_t number_of(const struct step *s, uint64_t bits)
{
    unsigned unused = 64 - s->width;

    return s->is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)(bits << unused >> unused);
}

/* Makes a number fit its width. Returns false if it does not and that is to fail. */
static bool fit(const struct step *s, wide number, int64_t *fitting)
{
    if (number >= min_of(s) && number <= max_of(s)) {
        *fitting = (int64_t)number;
        return true;
    }
    if (s->overflow == SATURATE) {
        *fitting = (int64_t)(number < 0 ? min_of(s) : max_of(s));
    } else {
        *fitting = number_of(s, (uint64_t)number);
    }
    return s->overflow != FAIL;
}

/* The bytes that a number lies in, and how many bits of the last one are behind it. */
struct place {
    size_t at, len;
    unsigned behind;
};

static struct place place_of(const struct step *s)
{
    uint64_t end = s->offset + s->width;
    size_t at = s->offset / 8;

    return (struct place){at, (end + 7) / 8 - at, (unsigned)(7 - (end + 7) % 8)};
}

/* Returns the bytes of a place as one number. Behind its end a string is all zeros. */
static unsigned __int128 load(struct bytes content, struct place p)
{
    unsigned __int128 sum = 0;

    for (size_t i = p.at; i < p.at + p.len; i++) {
        sum = sum << 8 | (i < content.len ? (unsigned char)content.at[i] : 0);
    }
    return sum;
}

/* Returns whether that changes something. */
static bool store(struct call *c, const struct step *s, int64_t old, int64_t number)
{
    const struct value *v = keyspace_find(c->keys, c->argv[1], c->now_ms);
    struct place p = place_of(s);
    unsigned __int128 mask = (((unsigned __int128)1 << s->width) - 1) << p.behind;
    struct bytes content = v == NULL ? (struct bytes){0} : value_string(v);
    unsigned __int128 all = load(content, p);
    char bytes[9];

    if (number == old && p.at + p.len <= content.len) {
        return false;
    }
    assert(p.len <= sizeof bytes);
    all = (all & ~mask) | ((unsigned __int128)(uint64_t)number << p.behind & mask);
    for (size_t i = p.len; i > 0; i--) {
        bytes[i - 1] = (char)all;
        all >>= 8;
    }
    string_overwrite(c, v, c->argv[1], p.at, (struct bytes){bytes, p.len});
    return true;
}

/* Doing it. */

/* Returns whether that is an event: something has changed, or, when the string `grows`,
 * a number was written. */
static bool run_step(struct call *c, const struct step *s, bool grows)
{
    const struct value *v = keyspace_find(c->keys, c->argv[1], c->now_ms);
    struct place p = place_of(s);
    struct bytes content = v == NULL ? (struct bytes){0} : value_string(v);
    int64_t old = number_of(s, (uint64_t)(load(content, p) >> p.behind));
    int64_t fitting;
    wide wanted;

    if (s->action == GET) {
        reply_int(c, old);
        return false;
    }
    if (s->action == INCRBY) {
        wanted = (wide)old + s->operand;
    } else {
        wanted = s->is_signed ? s->operand : (wide)(uint64_t)s->operand;
    }
    if (!fit(s, wanted, &fitting)) {
        reply_nil(c);
        return false;
    }
    reply_int(c, s->action == INCRBY ? fitting : old);
    return store(c, s, old, fitting) || grows;
}

/* Returns how long the string gets: as the steps that write would have it, since one
 * that fails has this effect as well, as in Redis. */
static size_t wanted_len(const struct step *steps, size_t count, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        struct place p = place_of(&steps[i]);
        if (steps[i].action != GET && p.at + p.len > len) {
            len = p.at + p.len;
        }
    }
    return len;
}

static size_t length_of(const struct value *v)
{
    return v == NULL ? 0 : value_string(v).len;
}

/* Makes a string as long as it should have got. */
static void lengthen(struct call *c, size_t len)
{
    const struct value *v = keyspace_find(c->keys, c->argv[1], c->now_ms);

    if (length_of(v) < len) {
        string_overwrite(c, v, c->argv[1], len - 1, BYTES("\0"));
    }
}

static bool only_gets(const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].action != GET) {
            return false;
        }
    }
    return true;
}

static void run_steps(struct call *c, const struct step *steps, size_t count)
{
    const struct value *v;
    size_t len, wanted;
    bool changed = false;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    len = length_of(v);
    wanted = wanted_len(steps, count, len);
    reply_array(c, count);
    for (size_t i = 0; i < count; i++) {
        changed |= run_step(c, &steps[i], wanted > len);
    }
    lengthen(c, wanted);
    if (changed) {
        call_event(c, EVENT_STRING, "setbit", c->argv[1]);
    }
}

static void read_and_run(struct call *c, bool read_only)
{
    struct step *steps = mem_zalloc(c->argc * sizeof *steps);
    size_t count;

    if (read_steps(c, steps, &count)) {
        if (read_only && !only_gets(steps, count)) {
            call_fail(c, "ERR BITFIELD_RO only supports the GET subcommand");
        } else {
            run_steps(c, steps, count);
        }
    }
    mem_free(steps);
}

static void bitfield(struct call *c)
{
    read_and_run(c, false);
}

static void bitfield_ro(struct call *c)
{
    read_and_run(c, true);
}

/* Whether there is more than GET in a request. */
static unsigned bitfield_key_use(size_t argc, const struct bytes *argv)
{
    for (size_t i = 2; i < argc; i++) {
        if (bytes_is(argv[i], "set") || bytes_is(argv[i], "incrby")) {
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        }
    }
    return KEY_RO | KEY_ACCESS;
}

/* clang-format off */
const struct command bitfield_commands[] = {
    {.name = "bitfield",    .arity = -2, .flags = WRITE,     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS)}, .key_use = bitfield_key_use, .run = bitfield,    .group = "bitmap", .since = "3.2.0", .complexity = "O(1) for each number", .summary = "Reads and writes a string as numbers of any width", .syntax = "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]"},
    {.name = "bitfield_ro", .arity = -2, .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                   .run = bitfield_ro, .group = "bitmap", .since = "6.0.0", .complexity = "O(1) for each number", .summary = "Reads a string as numbers of any width",            .syntax = "key [GET encoding offset ...]"},
    {0},
};
/* clang-format on */
