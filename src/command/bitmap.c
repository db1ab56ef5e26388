/* Commands on the bits of strings. */
#include "command/bitmap.h"
#include "base/bits.h"
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/overwrite.h"

bool bitmap_offset(struct call *c, size_t arg, uint64_t width, uint64_t *offset)
{
    struct bytes text = c->argv[arg];
    int64_t number;
    bool counts_numbers = width > 0 && text.len > 0 && text.at[0] == '#';

    if (counts_numbers) {
        text = (struct bytes){text.at + 1, text.len - 1};
    }
    if (!number_parse_int(text, &number) || number < 0 ||
        (counts_numbers && __builtin_mul_overflow(number, (int64_t)width, &number)) ||
        (uint64_t)number / 8 >= c->engine->settings.proto_max_bulk_len) {
        call_fail(c, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *offset = (uint64_t)number;
    return true;
}

static struct bytes content_of(const struct value *v)
{
    return v == NULL ? (struct bytes){0} : value_string(v);
}

/* One bit. */

static void getbit(struct call *c)
{
    const struct value *v;
    struct bytes content;
    uint64_t offset;

    if (!bitmap_offset(c, 2, 0, &offset) || !call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    content = content_of(v);
    reply_int(c, offset / 8 < content.len && bits_get(content, offset));
}

static void setbit(struct call *c)
{
    const struct value *v;
    struct bytes content;
    uint64_t offset;
    int64_t bit;
    unsigned char byte, mask;
    bool is_there;

    if (!bitmap_offset(c, 2, 0, &offset)) {
        return;
    }
    if (!number_parse_int(c->argv[3], &bit) || (bit != 0 && bit != 1)) {
        call_fail(c, "ERR bit is not an integer or out of range");
        return;
    }
    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    content = content_of(v);
    is_there = offset / 8 < content.len;
    byte = is_there ? (unsigned char)content.at[offset / 8] : 0;
    mask = (unsigned char)(0x80 >> offset % 8);
    reply_int(c, (byte & mask) != 0);
    if (!is_there || ((byte & mask) != 0) != bit) {
        byte = bit ? byte | mask : byte & (unsigned char)~mask;
        string_overwrite(c, v, c->argv[1], offset / 8, (struct bytes){(char *)&byte, 1});
        call_event(c, EVENT_STRING, "setbit", c->argv[1]);
    }
}

/* Ranges. */

struct range {
    int64_t start, end;
    uint64_t unit_bits;
};

/* Reads whether argument `arg`, if it is there, says that a range counts bits. */
static bool read_unit(struct call *c, size_t arg, struct range *range)
{
    range->unit_bits = call_is(c, arg, "bit") ? 1 : 8;
    if (arg < c->argc && range->unit_bits != 1 && !call_is(c, arg, "byte")) {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

/* Turns a range whose places, that at the end included, may count from the string's
 * end into one of bits from the start, without the end. */
static void resolve(struct range *r, struct bytes content)
{
    int64_t len = (int64_t)(content.len * 8 / r->unit_bits);

    r->start = r->start < 0 ? r->start + len : r->start;
    r->end = r->end < 0 ? r->end + len : r->end;
    r->start = r->start < 0 ? 0 : r->start;
    r->end = r->end < 0 ? 0 : r->end;
    r->end = r->end >= len ? len - 1 : r->end;
    if (r->start > r->end) {
        r->start = r->end = 0;
    } else {
        r->start *= (int64_t)r->unit_bits;
        r->end = (r->end + 1) * (int64_t)r->unit_bits;
    }
}

static void count_range(struct call *c, struct bytes content)
{
    struct range r;

    if (c->argc == 3 || c->argc > 5) {
        call_fail_syntax(c);
        return;
    }
    if (!call_int(c, 2, &r.start) || !call_int(c, 3, &r.end)) {
        return;
    }
    /* As in GETRANGE, two places before the start are compared as they were sent. */
    if (r.start < 0 && r.end < 0 && r.start > r.end) {
        reply_int(c, 0);
        return;
    }
    if (read_unit(c, 4, &r)) {
        resolve(&r, content);
        reply_int(c, (int64_t)bits_count(content, (uint64_t)r.start, (uint64_t)r.end));
    }
}

static void bitcount(struct call *c)
{
    const struct value *v;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v == NULL) {
        reply_int(c, 0);
    } else if (c->argc == 2) {
        reply_int(c, (int64_t)bits_count(value_string(v), 0, 8 * value_string(v).len));
    } else {
        count_range(c, value_string(v));
    }
}

static void find_in_range(struct call *c, struct bytes content, bool bit)
{
    struct range r = {0, -1, 8};
    uint64_t found;
    bool ends = c->argc > 4;

    if (c->argc > 6) {
        call_fail_syntax(c);
        return;
    }
    if ((c->argc > 3 && !call_int(c, 3, &r.start)) || !read_unit(c, 5, &r) ||
        (ends && !call_int(c, 4, &r.end))) {
        return;
    }
    resolve(&r, content);
    found = bits_find(content, bit, (uint64_t)r.start, (uint64_t)r.end);
    /* Where no end was given, the string counts as followed by zeros. */
    if (found < (uint64_t)r.end || (!bit && !ends && r.start < r.end)) {
        reply_int(c, (int64_t)found);
    } else {
        reply_int(c, -1);
    }
}

static void bitpos(struct call *c)
{
    const struct value *v;
    int64_t bit;

    if (!call_int(c, 2, &bit)) {
        return;
    }
    if (bit != 0 && bit != 1) {
        call_fail(c, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v == NULL) {
        reply_int(c, bit ? -1 : 0);
    } else {
        find_in_range(c, value_string(v), bit);
    }
}

/* BITOP. */

/* Each combines `len` bytes at `from` with those at `to`. The loops are plain, so that
 * the compiler makes vector code of them. */
typedef void combiner(char *restrict to, const char *restrict from, size_t len);

static void combine_and(char *restrict to, const char *restrict from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] &= from[i];
    }
}

static void combine_or(char *restrict to, const char *restrict from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] |= from[i];
    }
}

static void combine_xor(char *restrict to, const char *restrict from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] ^= from[i];
    }
}

static void combine_not(char *restrict to, const char *restrict from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (char)~from[i];
    }
}

struct operation {
    const char *word;
    combiner *combine;
};

/* clang-format off */
static const struct operation operations[] = {
    {"and", combine_and},
    {"or", combine_or},
    {"xor", combine_xor},
    {"not", combine_not},
};
/* clang-format on */

static const struct operation *read_operation(struct call *c)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (call_is(c, 1, operations[i].word)) {
            if (operations[i].combine == combine_not && c->argc != 4) {
                call_fail(c, "ERR BITOP NOT must be called with a single source key.");
                return NULL;
            }
            return &operations[i];
        }
    }
    call_fail_syntax(c);
    return NULL;
}

/* Finds the strings from argument 3 on, and how long the longest one is. */
static bool find_sources(struct call *c, struct bytes *sources, size_t *longest)
{
    const struct value *v;

    *longest = 0;
    for (size_t i = 3; i < c->argc; i++) {
        if (!call_find(c, i, VALUE_STRING, &v)) {
            return false;
        }
        sources[i - 3] = content_of(v);
        if (content_of(v).len > *longest) {
            *longest = content_of(v).len;
        }
    }
    return true;
}

/* What a source has of the block at `offset`; its end is followed by zeros. */
static struct bytes part(struct bytes source, size_t offset, size_t len, char *padded)
{
    size_t there;

    if (source.len >= offset + len) {
        return (struct bytes){source.at + offset, len};
    }
    there = source.len > offset ? source.len - offset : 0;
    memset(padded, 0, len);
    if (there > 0) {
        memcpy(padded, source.at + offset, there);
    }
    return (struct bytes){padded, len};
}

/* Goes by blocks that stay in the processor's nearest cache. */
static void combine_all(combiner *combine, const struct bytes *sources, size_t count, char *to,
                        size_t len)
{
    enum { BLOCK = 4096 };
    char padded[BLOCK];

    for (size_t at = 0; at < len; at += BLOCK) {
        size_t block = len - at < BLOCK ? len - at : BLOCK;
        struct bytes from = part(sources[0], at, block, padded);

        if (combine == combine_not) {
            combine(to + at, from.at, block);
        } else {
            memcpy(to + at, from.at, block);
        }
        for (size_t i = 1; i < count; i++) {
            from = part(sources[i], at, block, padded);
            combine(to + at, from.at, block);
        }
    }
}

static void store_combined(struct call *c, combiner *combine, const struct bytes *sources,
                           size_t len)
{
    struct value *result;
    char *at;

    if (len > 0) {
        result = value_new_blank(c->argv[2], len, &at);
        combine_all(combine, sources, c->argc - 3, at, len);
        call_make(c, change_bind(c->db, result));
        call_event(c, EVENT_STRING, "set", c->argv[2]);
    } else if (keyspace_find(c->keys, c->argv[2], c->now_ms) != NULL) {
        call_make(c, change_unbind(c->db, c->argv[2]));
        call_event(c, EVENT_GENERIC, "del", c->argv[2]);
    }
    reply_int(c, (int64_t)len);
}

static void bitop(struct call *c)
{
    const struct operation *operation = read_operation(c);
    struct bytes *sources;
    size_t len;

    if (operation == NULL) {
        return;
    }
    sources = mem_alloc((c->argc - 3) * sizeof *sources);
    if (find_sources(c, sources, &len)) {
        store_combined(c, operation->combine, sources, len);
    }
    mem_free(sources);
}

/* clang-format off */
const struct command bitmap_commands[] = {
    {.name = "bitcount", .arity = -2, .flags = READ,      .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                           .run = bitcount, .group = "bitmap", .since = "2.6.0", .complexity = "O(N) in the length of the range",   .summary = "Counts the bits that are set",                             .syntax = "key [start end [BYTE | BIT]]"},
    {.name = "bitop",    .arity = -4, .flags = WRITE,     .keys = {KEY_AT(2, KEY_OW | KEY_UPDATE), KEYS_FROM(3, KEY_RO | KEY_ACCESS)},      .run = bitop,    .group = "bitmap", .since = "2.6.0", .complexity = "O(N) in the length of the strings", .summary = "Combines strings bit by bit, and stores the result",       .syntax = "<AND | OR | XOR | NOT> destkey key [key ...]"},
    {.name = "bitpos",   .arity = -3, .flags = READ,      .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                           .run = bitpos,   .group = "bitmap", .since = "2.8.7", .complexity = "O(N) in the length of the range",   .summary = "Finds the first bit that is set, or that is not",          .syntax = "key bit [start [end [BYTE | BIT]]]"},
    {.name = "getbit",   .arity = 3,  .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                           .run = getbit,   .group = "bitmap", .since = "2.2.0", .complexity = "O(1)",                              .summary = "Returns one bit of a string",                              .syntax = "key offset"},
    {.name = "setbit",   .arity = 4,  .flags = WRITE,     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                              .run = setbit,   .group = "bitmap", .since = "2.2.0", .complexity = "O(1)",                              .summary = "Sets one bit of a string, and returns what it was before", .syntax = "key offset value"},
    {0},
};
/* clang-format on */
