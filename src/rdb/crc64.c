#include "rdb/crc64.h"

/* 0xad93d23594c935a9 with its bits in the opposite order. */
#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5)

enum { SLICES = 16 }; /* Bytes that are taken in at once. */

/* The first table says what a byte does to the checksum, the others what it does
 * from one, two ... bytes further ahead. */
static uint64_t table[SLICES][256];

/* Before any thread is there that could find them half full. */
__attribute__((constructor)) static void fill_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        table[0][byte] = crc;
    }
    for (unsigned slice = 1; slice < SLICES; slice++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t crc = table[slice - 1][byte];
            table[slice][byte] = (crc >> 8) ^ table[0][crc & 0xff];
        }
    }
}

static uint64_t take_slices(uint64_t crc, const char *at)
{
    uint64_t word[2];
    uint64_t sum = 0;

    memcpy(word, at, sizeof word); /* The machine is little-endian. */
    word[0] ^= crc;
    for (unsigned i = 0; i < SLICES; i++) {
        sum ^= table[SLICES - 1 - i][(word[i / 8] >> (8 * (i % 8))) & 0xff];
    }
    return sum;
}

uint64_t crc64(uint64_t crc, struct bytes more)
{
    for (; more.len >= SLICES; more.at += SLICES, more.len -= SLICES) {
        crc = take_slices(crc, more.at);
    }
    for (; more.len > 0; more.at++, more.len--) {
        crc = (crc >> 8) ^ table[0][(crc ^ (unsigned char)*more.at) & 0xff];
    }
    return crc;
}
