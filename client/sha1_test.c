#include "client/sha1.h"

#include "lua/texts.h"
#include "test/lib/check.h"

#include <string.h>

static void check(const char *text, size_t len, const char *expected)
{
    char hex[SHA1_HEX + 1];

    sha1_of(text, len, hex);
    assert_string_equal(hex, expected);
}

TEST(texts_have_the_sums_that_are_known)
{
    char a[200];

    memset(a, 'a', sizeof a);
    check("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    check("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    check(a, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    check(a, 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    check(a, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    check(a, 200, "e61cfffe0d9195a525fc6cf06ca2d77119c24a40");
}

TEST(lock_scripts_are_known_by_theirs)
{
    for (const struct lock_script *s = lock_scripts; s->name != NULL; s++) {
        check(s->text, strlen(s->text), s->sha);
    }
}

int main(void)
{
    return RUN(texts_have_the_sums_that_are_known, lock_scripts_are_known_by_theirs);
}
