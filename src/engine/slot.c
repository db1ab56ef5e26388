#include "engine/slot.h"

/* CRC-16 with the polynomial 0x1021, from 0, the highest bit first (XMODEM). */
static uint16_t checksum(struct bytes text)
{
    unsigned crc = 0;

    for (size_t i = 0; i < text.len; i++) {
        crc ^= (unsigned)(unsigned char)text.at[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        }
        crc &= 0xffff;
    }
    return (uint16_t)crc;
}

/* Returns what counts of a key: all of it, if there is nothing between braces. */
static struct bytes hashed_part(struct bytes key)
{
    const char *open = key.len > 0 ? memchr(key.at, '{', key.len) : NULL;
    const char *start, *end;

    if (open == NULL) {
        return key;
    }
    start = open + 1;
    end = memchr(start, '}', key.len - (size_t)(start - key.at));
    if (end == NULL || end == start) {
        return key;
    }
    return (struct bytes){start, (size_t)(end - start)};
}

unsigned slot_of(struct bytes key)
{
    return checksum(hashed_part(key)) % SLOTS;
}
