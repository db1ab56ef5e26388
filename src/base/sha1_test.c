#include "base/sha1.h"

#include "base/buf.h"
#include "test/lib/check.h"

static bool hashes_to(struct bytes content, const char *expected)
{
    char hex[SHA1_HEX + 1];

    sha1_hex(content, hex);
    return strcmp(hex, expected) == 0;
}

/* From FIPS 180, the first three. */
TEST(it_is_sha_1)
{
    CHECK(hashes_to(BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"));
    CHECK(hashes_to(BYTES("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                    "84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
    CHECK(hashes_to(BYTES(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    CHECK(hashes_to(BYTES("return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"));
}

TEST(no_bytes_need_no_address)
{
    CHECK(hashes_to((struct bytes){NULL, 0}, "da39a3ee5e6b4b0d3255bfef95601890afd80709"));
}

TEST(a_million_bytes_are_no_problem)
{
    BUF_LOCAL(b);

    memset(buf_reserve(&b, 1000000), 'a', 1000000);
    b.len = 1000000;
    CHECK(hashes_to(buf_bytes(&b), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"));
}

TEST(zero_bytes_count)
{
    CHECK(hashes_to(BYTES("\0"), "5ba93c9db0cff93f52b521d7420e43f6eda2784f"));
}

TEST(one_hash_does_not_influence_the_next)
{
    CHECK(hashes_to(BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"));
    CHECK(hashes_to(BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"));
}

int main(void)
{
    return RUN(it_is_sha_1, no_bytes_need_no_address, a_million_bytes_are_no_problem,
               zero_bytes_count, one_hash_does_not_influence_the_next);
}
