/* Zipmaps: the number of pairs (8 bits), the pairs, a byte of 0xff. A field is its
 * length and its bytes; a value is its length, the number of bytes that are unused
 * behind it, and its bytes. */
#include "rdb/pack.h"

enum {
    TERMINATOR = 0xff,
    LENGTH_BIG = 0xfe,    /* The length is in the 4 bytes that follow. */
    COUNT_UNKNOWN = 0xfe, /* And more. */
};

static bool zipmap_open(struct pack_walk *walk, struct bytes pack)
{
    const unsigned char *at = (const unsigned char *)pack.at;

    if (pack.len < 2 || at[pack.len - 1] != TERMINATOR) {
        return false;
    }
    *walk = (struct pack_walk){at, at + 1, at + pack.len - 1, 0, 0};
    return true;
}

/* Parses a length. Returns how many bytes that took, 0 if they are not there. */
static size_t parse_length(const unsigned char *at, size_t left, size_t *len)
{
    uint32_t big;

    if (at[0] < LENGTH_BIG) {
        *len = at[0];
        return 1;
    }
    if (at[0] != LENGTH_BIG || left < 5) {
        return 0;
    }
    memcpy(&big, at + 1, sizeof big); /* The machine is little-endian. */
    *len = big;
    return 5;
}

static bool ends_well(const struct pack_walk *walk)
{
    unsigned count = walk->start[0];

    return walk->seen % 2 == 0 && (count >= COUNT_UNKNOWN || count == walk->seen / 2);
}

static enum pack_result zipmap_next(struct pack_walk *walk, struct pack_element *element)
{
    size_t left = (size_t)(walk->end - walk->at);
    size_t unused = 0;
    size_t header, len;

    if (left == 0) {
        return ends_well(walk) ? PACK_END : PACK_DAMAGED;
    }
    header = parse_length(walk->at, left, &len);
    if (header == 0) {
        return PACK_DAMAGED;
    }
    if (walk->seen % 2 == 1) { /* A value. */
        if (left == header) {
            return PACK_DAMAGED;
        }
        unused = walk->at[header++];
    }
    if (len > left - header || unused > left - header - len) {
        return PACK_DAMAGED;
    }
    element->bytes = (struct bytes){(const char *)walk->at + header, len};
    walk->at += header + len + unused;
    walk->seen++;
    return PACK_ELEMENT;
}

const struct pack_format zipmap_format = {zipmap_open, zipmap_next};
