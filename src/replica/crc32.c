#include "replica/crc32.h"

#define POLYNOMIAL UINT32_C(0x04c11db7)

enum { SLICES = 8 }; /* Bytes that are taken in at once. */

/* The first table says what a byte does to the checksum, the others what it does from
 * one, two ... bytes further ahead. */
static uint32_t table[SLICES][256];

/* Before any thread is there that could find them half full. */
__attribute__((constructor)) static void fill_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte << 24;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc << 1) ^ (crc >> 31 ? POLYNOMIAL : 0);
        }
        table[0][byte] = crc;
    }
    for (unsigned slice = 1; slice < SLICES; slice++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t crc = table[slice - 1][byte];
            table[slice][byte] = (crc << 8) ^ table[0][crc >> 24];
        }
    }
}

static uint32_t take_slices(uint32_t crc, const char *at)
{
    uint32_t sum = 0;
    uint64_t word;

    memcpy(&word, at, sizeof word); /* The machine is little-endian. */
    word ^= __builtin_bswap32(crc);
    for (unsigned i = 0; i < SLICES; i++) {
        sum ^= table[SLICES - 1 - i][(word >> (8 * i)) & 0xff];
    }
    return sum;
}

uint32_t crc32_of(uint32_t crc, struct bytes more)
{
    for (; more.len >= SLICES; more.at += SLICES, more.len -= SLICES) {
        crc = take_slices(crc, more.at);
    }
    for (; more.len > 0; more.at++, more.len--) {
        crc = (crc << 8) ^ table[0][(crc >> 24) ^ (unsigned char)*more.at];
    }
    return crc;
}
