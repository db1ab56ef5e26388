/* Listpacks: the size of all (32 bits), the number of elements (16), the elements, a
 * byte of 0xff. An element is a header, which says what it is and may be all of it,
 * its content, and how long both are, written to be read from its end. */
#include "rdb/pack.h"

#include <assert.h>

enum {
    HEADER = 6,
    TERMINATOR = 0xff,
    COUNT_UNKNOWN = 0xffff,
    LENGTH_BYTES = 5, /* Behind an element, at the most. */
};

/* What elements begin with, beside their number or length. */
enum {
    UINT_7 = 0x00,
    TEXT_6 = 0x80,
    INT_13 = 0xc0,
    TEXT_12 = 0xe0,
    TEXT_32 = 0xf0,
    INT_16 = 0xf1,
    INT_24 = 0xf2,
    INT_32 = 0xf3,
    INT_64 = 0xf4,
};

static uint32_t load(const unsigned char *at, size_t bytes)
{
    uint32_t number = 0;

    memcpy(&number, at, bytes); /* The machine is little-endian. */
    return number;
}

/* Returns how many bytes it takes to say behind an element how long it is. */
static size_t length_bytes(size_t len)
{
    return len <= 127 ? 1 : len < 16383 ? 2 : len < 2097151 ? 3 : len < 268435455 ? 4 : 5;
}

static size_t put_length(unsigned char out[LENGTH_BYTES], size_t len)
{
    size_t bytes = length_bytes(len);

    for (size_t i = 0; i < bytes; i++) {
        size_t group = len >> (7 * (bytes - 1 - i)) & 127;
        out[i] = (unsigned char)(group | (i > 0 ? 128 : 0));
    }
    return bytes;
}

/* Reading. */

static bool listpack_open(struct pack_walk *walk, struct bytes pack)
{
    const unsigned char *at = (const unsigned char *)pack.at;

    if (pack.len <= HEADER || load(at, 4) != pack.len || at[pack.len - 1] != TERMINATOR) {
        return false;
    }
    *walk = (struct pack_walk){at, at + HEADER, at + pack.len - 1, 0, 0};
    return true;
}

/* Returns the size of an element's header: its first byte and those that hold the
 * length of a text. 0: there is no such element. */
static size_t header_size(unsigned char first)
{
    if (first < INT_13 || (first >= INT_16 && first <= INT_64)) {
        return 1;
    }
    return first == TEXT_32 ? 5 : first < TEXT_32 ? 2 : 0;
}

/* Returns the size of the content behind a header that is all there. */
static size_t content_size(const unsigned char *at)
{
    static const size_t integers[] = {2, 3, 4, 8};

    if (at[0] < TEXT_6) {
        return 0;
    }
    if (at[0] < INT_13) {
        return at[0] & 0x3f;
    }
    if (at[0] < TEXT_12) {
        return 0;
    }
    if (at[0] < TEXT_32) {
        return (size_t)(at[0] & 0x0f) << 8 | at[1];
    }
    return at[0] == TEXT_32 ? load(at + 1, 4) : integers[at[0] - INT_16];
}

static bool is_text(unsigned char first)
{
    return (first >= TEXT_6 && first < INT_13) || (first >= TEXT_12 && first <= TEXT_32);
}

/* Spreads the sign of a number of so many bits. */
static int64_t sign_extend(uint64_t number, unsigned bits)
{
    unsigned unused = 64 - bits;

    return (int64_t)(number << unused) >> unused;
}

static int64_t number_at(const unsigned char *at)
{
    int64_t number;

    switch (at[0]) {
    case INT_16:
        return sign_extend(load(at + 1, 2), 16);
    case INT_24:
        return sign_extend(load(at + 1, 3), 24);
    case INT_32:
        return sign_extend(load(at + 1, 4), 32);
    case INT_64:
        memcpy(&number, at + 1, sizeof number);
        return number;
    default:
        return at[0] < TEXT_6 ? at[0] : sign_extend((uint64_t)(at[0] & 0x1f) << 8 | at[1], 13);
    }
}

static void give(const unsigned char *at, size_t header, size_t content, struct pack_element *e)
{
    if (is_text(at[0])) {
        e->bytes = (struct bytes){(const char *)at + header, content};
    } else {
        e->bytes = (struct bytes){e->digits, number_format_int(e->digits, number_at(at))};
    }
}

static bool ends_well(const struct pack_walk *walk)
{
    uint32_t count = load(walk->start + 4, 2);

    return count == COUNT_UNKNOWN || count == walk->seen;
}

static enum pack_result listpack_next(struct pack_walk *walk, struct pack_element *element)
{
    unsigned char length[LENGTH_BYTES];
    size_t left = (size_t)(walk->end - walk->at);
    size_t header, content, behind;

    if (left == 0) {
        return ends_well(walk) ? PACK_END : PACK_DAMAGED;
    }
    header = header_size(walk->at[0]);
    if (header == 0 || header > left) {
        return PACK_DAMAGED;
    }
    content = content_size(walk->at);
    behind = length_bytes(header + content);
    if (content > left - header || behind > left - header - content) {
        return PACK_DAMAGED;
    }
    put_length(length, header + content);
    if (memcmp(length, walk->at + header + content, behind) != 0) {
        return PACK_DAMAGED;
    }
    give(walk->at, header, content, element);
    walk->at += header + content + behind;
    walk->seen++;
    return PACK_ELEMENT;
}

const struct pack_format listpack_format = {listpack_open, listpack_next};

/* Building. */

void listpack_begin(struct buf *out)
{
    assert(out->len == 0);
    memset(buf_reserve(out, HEADER), 0, HEADER);
    out->len = HEADER;
}

static void add_length(struct buf *out, size_t len)
{
    unsigned char length[LENGTH_BYTES];

    buf_add(out, (struct bytes){(char *)length, put_length(length, len)});
}

/* Adds an element of a first byte and the lower bytes of a number. */
static void add_number(struct buf *out, unsigned first, int64_t number, size_t bytes)
{
    buf_add_byte(out, (char)first);
    buf_add(out, (struct bytes){(char *)&number, bytes});
    add_length(out, 1 + bytes);
}

void listpack_add_int(struct buf *out, int64_t number)
{
    uint64_t low = (uint64_t)number;

    if (number >= 0 && number <= 127) {
        add_number(out, UINT_7 | (unsigned)low, 0, 0);
    } else if (number >= -4096 && number <= 4095) {
        add_number(out, INT_13 | (unsigned)(low >> 8 & 0x1f), number, 1);
    } else if (number == (int16_t)number) {
        add_number(out, INT_16, number, 2);
    } else if (number >= -(1 << 23) && number < 1 << 23) {
        add_number(out, INT_24, number, 3);
    } else if (number == (int32_t)number) {
        add_number(out, INT_32, number, 4);
    } else {
        add_number(out, INT_64, number, 8);
    }
}

static void add_text(struct buf *out, struct bytes text)
{
    uint32_t len = (uint32_t)text.len;
    size_t start = out->len;

    assert(text.len <= UINT32_MAX);
    if (text.len < 1 << 6) {
        buf_add_byte(out, (char)(TEXT_6 | len));
    } else if (text.len < 1 << 12) {
        buf_add_byte(out, (char)(TEXT_12 | len >> 8));
        buf_add_byte(out, (char)len);
    } else {
        buf_add_byte(out, (char)TEXT_32);
        buf_add(out, (struct bytes){(char *)&len, sizeof len});
    }
    buf_add(out, text);
    add_length(out, out->len - start);
}

void listpack_add(struct buf *out, struct bytes element)
{
    int64_t number;

    if (number_parse_int(element, &number)) {
        listpack_add_int(out, number);
    } else {
        add_text(out, element);
    }
}

void listpack_end(struct buf *out, size_t count)
{
    uint16_t count_kept = count < COUNT_UNKNOWN ? (uint16_t)count : COUNT_UNKNOWN;
    uint32_t size;

    buf_add_byte(out, (char)TERMINATOR);
    assert(out->len <= UINT32_MAX);
    size = (uint32_t)out->len;
    memcpy(out->at, &size, sizeof size);
    memcpy(out->at + sizeof size, &count_kept, sizeof count_kept);
}
