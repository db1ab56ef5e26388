#include "base/hash.h"

#include "base/random.h"

static uint64_t process_key[2];

__attribute__((constructor)) static void draw_key(void)
{
    random_secret(process_key, sizeof process_key);
}

#define ROTATE(x, by) (((x) << (by)) | ((x) >> (64 - (by))))

#define ROUND                                                                                      \
    do {                                                                                           \
        v0 += v1;                                                                                  \
        v1 = ROTATE(v1, 13);                                                                       \
        v1 ^= v0;                                                                                  \
        v0 = ROTATE(v0, 32);                                                                       \
        v2 += v3;                                                                                  \
        v3 = ROTATE(v3, 16);                                                                       \
        v3 ^= v2;                                                                                  \
        v0 += v3;                                                                                  \
        v3 = ROTATE(v3, 21);                                                                       \
        v3 ^= v0;                                                                                  \
        v2 += v1;                                                                                  \
        v1 = ROTATE(v1, 17);                                                                       \
        v1 ^= v2;                                                                                  \
        v2 = ROTATE(v2, 32);                                                                       \
    } while (0)

/* The last, incomplete word, with the length in its top byte. */
static inline uint64_t tail(const char *at, size_t len)
{
    uint64_t word = (uint64_t)len << 56;
    size_t rest = len & 7;

    for (size_t i = 0; i < rest; i++) {
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
    return word;
}

static inline uint64_t siphash(struct bytes b, uint64_t k0, uint64_t k1)
{
    uint64_t v0 = k0 ^ 0x736f6d6570736575u;
    uint64_t v1 = k1 ^ 0x646f72616e646f6du;
    uint64_t v2 = k0 ^ 0x6c7967656e657261u;
    uint64_t v3 = k1 ^ 0x7465646279746573u;
    const char *at = b.at;
    uint64_t word;

    for (size_t words = b.len / 8; words > 0; words--, at += 8) {
        memcpy(&word, at, 8);
        v3 ^= word;
        ROUND;
        v0 ^= word;
    }
    word = tail(at, b.len);
    v3 ^= word;
    ROUND;
    v0 ^= word;

    v2 ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t hash_bytes(struct bytes b)
{
    return siphash(b, process_key[0], process_key[1]);
}

uint64_t hash_keyed(struct bytes b, uint64_t k0, uint64_t k1)
{
    return siphash(b, k0, k1);
}
