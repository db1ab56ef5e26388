/* Ziplists: the size of all, the offset of the last element (32 bits each), the
 * number of elements (16), the elements, a byte of 0xff. An element says how long the
 * one before it is, then what it is itself, and has its content behind that. */
#include "rdb/pack.h"

enum {
    HEADER = 10,
    TERMINATOR = 0xff,
    COUNT_UNKNOWN = 0xffff,
    PREVIOUS_BIG = 0xfe, /* The previous element's length is in the 4 bytes that follow. */
};

/* What an element is. */
enum {
    TEXT_6 = 0x00,
    TEXT_14 = 0x40,
    TEXT_32 = 0x80,
    INT_16 = 0xc0,
    INT_32 = 0xd0,
    INT_64 = 0xe0,
    INT_24 = 0xf0,
    INT_SMALL = 0xf1, /* Up to 0xfd: 0 to 12. */
    INT_8 = 0xfe,
};

static uint32_t load(const unsigned char *at, size_t bytes)
{
    uint32_t number = 0;

    memcpy(&number, at, bytes); /* The machine is little-endian. */
    return number;
}

static bool ziplist_open(struct pack_walk *walk, struct bytes pack)
{
    const unsigned char *at = (const unsigned char *)pack.at;

    if (pack.len <= HEADER || load(at, 4) != pack.len || at[pack.len - 1] != TERMINATOR) {
        return false;
    }
    *walk = (struct pack_walk){at, at + HEADER, at + pack.len - 1, 0, 0};
    return true;
}

/* Reads how long the previous element was. Returns how many bytes that took, 0 if
 * they are not there. */
static size_t parse_previous(const unsigned char *at, size_t left, size_t *previous)
{
    if (at[0] < PREVIOUS_BIG) {
        *previous = at[0];
        return 1;
    }
    if (at[0] != PREVIOUS_BIG || left < 5) {
        return 0;
    }
    *previous = load(at + 1, 4);
    return 5;
}

/* Parses a text's length. Returns how many bytes that took, 0 if they are not there. */
static size_t parse_text(const unsigned char *at, size_t left, size_t *len)
{
    switch (at[0] & 0xc0) {
    case TEXT_6:
        *len = at[0] & 0x3f;
        return 1;
    case TEXT_14:
        if (left < 2) {
            return 0;
        }
        *len = (size_t)(at[0] & 0x3f) << 8 | at[1];
        return 2;
    default:
        if (at[0] != TEXT_32 || left < 5) {
            return 0;
        }
        *len = __builtin_bswap32(load(at + 1, 4));
        return 5;
    }
}

static int64_t sign_extend(uint64_t number, unsigned bits)
{
    unsigned unused = 64 - bits;

    return (int64_t)(number << unused) >> unused;
}

/* Parses an integer. Returns how many bytes it took, 0 if they are not there. */
static size_t parse_int(const unsigned char *at, size_t left, int64_t *number)
{
    size_t size = at[0] == INT_8    ? 1
                  : at[0] == INT_16 ? 2
                  : at[0] == INT_24 ? 3
                  : at[0] == INT_32 ? 4
                  : at[0] == INT_64 ? 8
                                    : 0;

    if (size == 0 && at[0] >= INT_SMALL && at[0] < INT_8) {
        *number = at[0] - INT_SMALL;
        return 1;
    }
    if (size == 0 || left - 1 < size) {
        return 0;
    }
    if (size == 8) {
        memcpy(number, at + 1, sizeof *number);
    } else {
        *number = sign_extend(load(at + 1, size), (unsigned)(8 * size));
    }
    return 1 + size;
}

/* Parses what follows the length of the previous element. Returns its size, 0 if it
 * is not all there. */
static size_t parse_content(const unsigned char *at, size_t left, struct pack_element *element)
{
    size_t header, len;
    int64_t number;

    if (left == 0) {
        return 0;
    }
    if (at[0] >= INT_16) {
        len = parse_int(at, left, &number);
        if (len > 0) {
            element->bytes =
                (struct bytes){element->digits, number_format_int(element->digits, number)};
        }
        return len;
    }
    header = parse_text(at, left, &len);
    if (header == 0 || len > left - header) {
        return 0;
    }
    element->bytes = (struct bytes){(const char *)at + header, len};
    return header + len;
}

/* Of an empty list, the offset of the last element is where it would be. */
static bool ends_well(const struct pack_walk *walk)
{
    uint32_t count = load(walk->start + 8, 2);
    size_t last = (size_t)(walk->at - walk->start) - walk->previous;

    return load(walk->start + 4, 4) == last && (count == COUNT_UNKNOWN || count == walk->seen);
}

static enum pack_result ziplist_next(struct pack_walk *walk, struct pack_element *element)
{
    size_t left = (size_t)(walk->end - walk->at);
    size_t previous, header, content;

    if (left == 0) {
        return ends_well(walk) ? PACK_END : PACK_DAMAGED;
    }
    header = parse_previous(walk->at, left, &previous);
    if (header == 0 || previous != walk->previous) {
        return PACK_DAMAGED;
    }
    content = parse_content(walk->at + header, left - header, element);
    if (content == 0) {
        return PACK_DAMAGED;
    }
    walk->previous = header + content;
    walk->at += header + content;
    walk->seen++;
    return PACK_ELEMENT;
}

const struct pack_format ziplist_format = {ziplist_open, ziplist_next};
