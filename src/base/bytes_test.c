#include "base/bytes.h"

#include "test/lib/check.h"

static const struct bytes nothing = {NULL, 0};

TEST(a_literal_is_as_long_as_it_is_written)
{
    CHECK(BYTES("").len == 0);
    CHECK(BYTES("a\0b").len == 3);
    CHECK(bytes_of("ab").len == 2);
}

TEST(equal_means_the_same_bytes)
{
    CHECK(bytes_equal(BYTES("abc"), BYTES("abc")));
    CHECK(!bytes_equal(BYTES("abc"), BYTES("abd")));
    CHECK(!bytes_equal(BYTES("abc"), BYTES("ab")));
    CHECK(!bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
    CHECK(bytes_equal(nothing, BYTES("")));
    CHECK(!bytes_equal(nothing, BYTES("a")));
}

TEST(without_case_only_ascii_letters_fold)
{
    CHECK(bytes_equal_nocase(BYTES("aBz-Z0"), BYTES("AbZ-z0")));
    CHECK(!bytes_equal_nocase(BYTES("a"), BYTES("b")));
    CHECK(!bytes_equal_nocase(BYTES("a"), BYTES("aa")));
    CHECK(!bytes_equal_nocase(BYTES("["), BYTES("{")));
    CHECK(!bytes_equal_nocase(BYTES("@"), BYTES("`")));
    CHECK(!bytes_equal_nocase(BYTES("\xc4"), BYTES("\xe4")));
    CHECK(bytes_equal_nocase(nothing, BYTES("")));
}

TEST(a_word_is_recognized_in_any_case_and_only_whole)
{
    CHECK(bytes_is(BYTES("withScores"), "WITHSCORES"));
    CHECK(!bytes_is(BYTES("withscore"), "WITHSCORES"));
    CHECK(!bytes_is(BYTES("NX\0"), "NX"));
    CHECK(bytes_is(nothing, ""));
}

TEST(order_is_that_of_unsigned_bytes_then_of_lengths)
{
    CHECK(bytes_compare(BYTES("abc"), BYTES("abc")) == 0);
    CHECK(bytes_compare(BYTES("abc"), BYTES("abd")) < 0);
    CHECK(bytes_compare(BYTES("b"), BYTES("abc")) > 0);
    CHECK(bytes_compare(BYTES("ab"), BYTES("abc")) < 0);
    CHECK(bytes_compare(BYTES("abc"), BYTES("ab")) > 0);
    CHECK(bytes_compare(BYTES("\x80"), BYTES("a")) > 0);
    CHECK(bytes_compare(nothing, BYTES("")) == 0);
    CHECK(bytes_compare(nothing, BYTES("a")) < 0);
    CHECK(bytes_compare(BYTES("a"), nothing) > 0);
}

TEST(a_string_is_terminated_and_cut_if_it_must_be)
{
    char out[4];

    bytes_to_string(BYTES("ab"), out, sizeof out);
    CHECK(strcmp(out, "ab") == 0);
    bytes_to_string(BYTES("abc"), out, sizeof out);
    CHECK(strcmp(out, "abc") == 0);
    bytes_to_string(BYTES("abcd"), out, sizeof out);
    CHECK(strcmp(out, "abc") == 0);
    bytes_to_string(nothing, out, sizeof out);
    CHECK(strcmp(out, "") == 0);
    bytes_to_string(BYTES("abcd"), out, 1);
    CHECK(strcmp(out, "") == 0);
}

int main(void)
{
    return RUN(a_literal_is_as_long_as_it_is_written, equal_means_the_same_bytes,
               without_case_only_ascii_letters_fold,
               a_word_is_recognized_in_any_case_and_only_whole,
               order_is_that_of_unsigned_bytes_then_of_lengths,
               a_string_is_terminated_and_cut_if_it_must_be);
}
