#include "base/hmac.h"

#include "test/lib/check.h"

static bool is_hex(const unsigned char *code, const char *hex, size_t len)
{
    char text[2 * HMAC_LEN + 1];

    for (size_t i = 0; i < HMAC_LEN; i++) {
        snprintf(text + 2 * i, 3, "%02x", code[i]);
    }
    return strncmp(text, hex, 2 * len) == 0;
}

/* Whether the code of `text` begins with as many bytes as `hex` has. */
static bool code_is(struct bytes key, struct bytes text, const char *hex)
{
    unsigned char code[HMAC_LEN];

    hmac_sha256(key, text, code);
    return is_hex(code, hex, strlen(hex) / 2);
}

static struct bytes repeated(char *room, int byte, size_t len)
{
    memset(room, byte, len);
    return (struct bytes){room, len};
}

/* From RFC 4231: short keys, */
TEST(it_is_hmac_sha256)
{
    char key[20], text[50];

    CHECK(code_is(repeated(key, 0x0b, 20), BYTES("Hi There"),
                  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    CHECK(code_is(BYTES("Jefe"), BYTES("what do ya want for nothing?"),
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    CHECK(code_is(repeated(key, 0xaa, 20), repeated(text, 0xdd, 50),
                  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"));
    CHECK(code_is(BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12"
                        "\x13\x14\x15\x16\x17\x18\x19"),
                  repeated(text, 0xcd, 50),
                  "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"));
    CHECK(code_is(repeated(key, 0x0c, 20), BYTES("Test With Truncation"),
                  "a3b6167473100ee06e0c796c2955552b"));
}

/* and such that are longer than a block. */
TEST(long_keys_are_hashed_first)
{
    char key[131];

    CHECK(code_is(repeated(key, 0xaa, 131),
                  BYTES("Test Using Larger Than Block-Size Key - Hash Key First"),
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    CHECK(code_is(repeated(key, 0xaa, 131),
                  BYTES("This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the "
                        "HMAC algorithm."),
                  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"));
}

TEST(key_and_text_may_be_empty)
{
    static const char expected[] =
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";

    CHECK(code_is(BYTES(""), BYTES(""), expected));
    CHECK(code_is((struct bytes){NULL, 0}, (struct bytes){NULL, 0}, expected));
}

TEST(codes_are_equal_if_all_of_their_bytes_are)
{
    unsigned char a[HMAC_LEN], b[HMAC_LEN];

    hmac_sha256(BYTES("key"), BYTES("text"), a);
    memcpy(b, a, sizeof a);
    CHECK(hmac_equal(a, b));
    for (size_t i = 0; i < 8 * HMAC_LEN; i++) {
        b[i / 8] ^= (unsigned char)(1 << i % 8);
        CHECK(!hmac_equal(a, b));
        b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

int main(void)
{
    return RUN(it_is_hmac_sha256, long_keys_are_hashed_first, key_and_text_may_be_empty,
               codes_are_equal_if_all_of_their_bytes_are);
}
