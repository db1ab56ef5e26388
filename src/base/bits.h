/* Bits in bytes. Bit 0 is the highest one of the first byte, as in Redis. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/bytes.h"

static inline bool bits_get(struct bytes b, uint64_t index)
{
    return ((unsigned char)b.at[index / 8] >> (7 - index % 8)) & 1;
}

/* Returns how many bits of the range [from, end) are set. */
uint64_t bits_count(struct bytes b, uint64_t from, uint64_t end);

/* Returns the first bit of the range [from, end) that is `bit`; `end` if none is. */
uint64_t bits_find(struct bytes b, bool bit, uint64_t from, uint64_t end);

#endif
