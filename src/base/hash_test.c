#include "base/hash.h"

#include "base/random.h"
#include "test/lib/check.h"

/* The key of SipHash's published vectors: the bytes 0 to 15. */
static const uint64_t k0 = 0x0706050403020100u;
static const uint64_t k1 = 0x0f0e0d0c0b0a0908u;

/* Computed by OpenSSL's SIPHASH with c-rounds 1 and d-rounds 3, for the bytes 0,
 * 1, 2, and so on. */
static const struct {
    size_t len;
    uint64_t hash;
} vectors[] = {
    {0, 0xabac0158050fc4dcu},  {1, 0xc9f49bf37d57ca93u},  {7, 0xd3927d989bb11140u},
    {8, 0x369095118d299a8eu},  {15, 0xd320d86d2a519956u}, {16, 0xcc4fdd1a7d908b66u},
    {63, 0x9d199062b7bbb3a8u},
};

TEST(it_is_siphash_1_3)
{
    char text[64];

    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)i;
    }
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        CHECK(hash_keyed((struct bytes){text, vectors[i].len}, k0, k1) == vectors[i].hash);
    }
}

TEST(where_the_bytes_stand_does_not_matter)
{
    struct bytes letters = BYTES("seventeen letters");
    char text[32];

    for (size_t i = 0; i < 8; i++) {
        memcpy(text + i, letters.at, letters.len);
        CHECK(hash_keyed((struct bytes){text + i, letters.len}, k0, k1) ==
              hash_keyed(letters, k0, k1));
    }
}

TEST(no_bytes_have_a_hash)
{
    CHECK(hash_keyed((struct bytes){NULL, 0}, k0, k1) == vectors[0].hash);
    CHECK(hash_bytes((struct bytes){NULL, 0}) == hash_bytes(BYTES("")));
}

TEST(the_key_matters)
{
    CHECK(hash_keyed(BYTES("a"), 1, 2) != hash_keyed(BYTES("a"), 1, 3));
    CHECK(hash_keyed(BYTES("a"), 1, 2) != hash_keyed(BYTES("a"), 2, 2));
    CHECK(hash_bytes(BYTES("a")) == hash_bytes(BYTES("a")));
    CHECK(hash_bytes(BYTES("a")) != hash_bytes(BYTES("b")));
    CHECK(hash_bytes(BYTES("a")) != hash_bytes(BYTES("a\0")));
    CHECK(hash_bytes(BYTES("a")) != hash_keyed(BYTES("a"), 0, 0));
}

/* A slot is to have 16 keys; that one has 64 does not happen by chance. */
TEST(similar_keys_spread_over_both_ends_of_the_hash)
{
    size_t low[256] = {0};
    size_t high[256] = {0};
    char key[32];

    for (int i = 0; i < 4096; i++) {
        uint64_t hash;
        snprintf(key, sizeof key, "key:%012d", i);
        hash = hash_bytes(bytes_of(key));
        low[hash & 255]++;
        high[hash >> 56]++;
    }
    for (size_t i = 0; i < 256; i++) {
        CHECK(low[i] < 64);
        CHECK(high[i] < 64);
    }
}

int main(void)
{
    return RUN(it_is_siphash_1_3, where_the_bytes_stand_does_not_matter, no_bytes_have_a_hash,
               the_key_matters, similar_keys_spread_over_both_ends_of_the_hash);
}
