/* As FIPS 180-4 has it. */
#include "client/sha1.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64, WORDS = 5, ROUNDS = 80, LENGTH = 8 };

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static uint32_t choose(int round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5a827999;
    case 1:
        return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    default:
        return (b ^ c ^ d) + 0xca62c1d6;
    }
}

static void spread(const unsigned char *block, uint32_t w[ROUNDS])
{
    for (size_t i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (size_t i = 16; i < ROUNDS; i++) {
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
}

static void add_block(uint32_t h[WORDS], const unsigned char *block)
{
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    uint32_t w[ROUNDS];

    spread(block, w);
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t next = rotate(a, 5) + choose(i, b, c, d) + e + w[i];

        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* What is left over, a mark, and the length in bits. */
static void add_end(uint32_t h[WORDS], const char *rest, size_t rest_len, uint64_t len)
{
    unsigned char end[2 * BLOCK] = {0};
    size_t used = rest_len + 1 + LENGTH > BLOCK ? 2 * BLOCK : BLOCK;

    memcpy(end, rest, rest_len);
    end[rest_len] = 0x80;
    for (size_t i = 0; i < LENGTH; i++) {
        end[used - 1 - i] = (unsigned char)(len * 8 >> (8 * i));
    }
    for (size_t at = 0; at < used; at += BLOCK) {
        add_block(h, end + at);
    }
}

void sha1_of(const char *text, size_t len, char hex[SHA1_HEX + 1])
{
    uint32_t h[WORDS] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t at = 0;

    for (; len - at >= BLOCK; at += BLOCK) {
        add_block(h, (const unsigned char *)text + at);
    }
    add_end(h, text + at, len - at, len);
    for (size_t i = 0; i < WORDS; i++) {
        snprintf(hex + 8 * i, 9, "%08x", h[i]);
    }
}
