#include "base/glob.h"

#include "base/buf.h"
#include "base/clock.h"
#include "test/lib/check.h"

static bool matches(const char *pattern, const char *text)
{
    return glob_match(bytes_of(pattern), bytes_of(text));
}

TEST(plain_text_matches_itself_only)
{
    CHECK(matches("", ""));
    CHECK(matches("abc", "abc"));
    CHECK(!matches("abc", "ab"));
    CHECK(!matches("ab", "abc"));
    CHECK(!matches("abc", "ABC"));
    CHECK(!matches("", "a"));
    CHECK(!matches("a", ""));
}

TEST(a_question_mark_is_any_one_byte)
{
    CHECK(matches("?", "a"));
    CHECK(matches("a?c", "abc"));
    CHECK(!matches("?", ""));
    CHECK(!matches("a?", "a"));
    CHECK(!matches("?", "ab"));
    CHECK(glob_match(BYTES("a?c"), BYTES("a\0c")));
}

TEST(a_star_is_any_number_of_bytes)
{
    CHECK(matches("*", ""));
    CHECK(matches("*", "abc"));
    CHECK(matches("a*", "a"));
    CHECK(matches("a**", "a"));
    CHECK(matches("*c", "abc"));
    CHECK(matches("a*c", "abbbc"));
    CHECK(matches("a*b*c", "a-b-b-c"));
    CHECK(!matches("a*b*c", "a-c-b"));
    CHECK(!matches("a*c", "ab"));
    CHECK(!matches("*a", "ab"));
    CHECK(matches("*ab", "aab"));
    CHECK(matches("*?", "a"));
    CHECK(!matches("*?", ""));
}

TEST(a_set_is_any_of_its_bytes)
{
    CHECK(matches("[abc]", "b"));
    CHECK(!matches("[abc]", "d"));
    CHECK(!matches("[abc]", ""));
    CHECK(matches("h[ae]llo", "hello"));
    CHECK(!matches("h[ae]llo", "hillo"));
    CHECK(matches("[*]", "*"));
    CHECK(!matches("[*]", "a"));
}

TEST(a_range_has_both_its_ends_in_either_order)
{
    CHECK(matches("[a-c]", "a"));
    CHECK(matches("[a-c]", "c"));
    CHECK(!matches("[a-c]", "d"));
    CHECK(matches("[c-a]", "b"));
    CHECK(matches("[a-c0-9]", "5"));
    CHECK(!matches("[a-c0-9]", "-"));
    CHECK(glob_match(BYTES("[\x01-\xff]"), BYTES("\x80")));
}

TEST(a_caret_negates_a_set)
{
    CHECK(matches("[^a]", "b"));
    CHECK(!matches("[^a]", "a"));
    CHECK(!matches("[^a]", ""));
    CHECK(!matches("[^a-c]", "b"));
    CHECK(matches("[a^]", "^"));
    CHECK(!matches("[!a]", "b"));
}

TEST(an_empty_set_is_nothing_and_its_negation_is_everything)
{
    CHECK(!matches("[]", "]"));
    CHECK(!matches("[]", ""));
    CHECK(matches("[^]", "a"));
    CHECK(matches("[^]", "]"));
    CHECK(!matches("[^]", ""));
    CHECK(!matches("[]a]", "a"));
}

/* The bracket behind the dash is the end of a range, so the set is not closed. */
TEST(a_dash_before_the_bracket_makes_a_range_with_it)
{
    CHECK(matches("[a-]", "a"));
    CHECK(matches("[a-]", "]"));
    CHECK(matches("[a-]", "^"));
    CHECK(!matches("[a-]", "-"));
    CHECK(!matches("[a-]", "b"));
    CHECK(matches("[-a]", "-"));
    CHECK(matches("[a-]]", "a"));
}

TEST(a_set_without_an_end_goes_on_to_the_end_of_the_pattern)
{
    CHECK(matches("[a", "a"));
    CHECK(!matches("[a", "b"));
    CHECK(matches("[a-", "-"));
    CHECK(!matches("[", "["));
    CHECK(!matches("[", ""));
    CHECK(matches("[^", "a"));
    CHECK(matches("[^a", "b"));
    CHECK(!matches("[^a", "a"));
    CHECK(matches("x[ab", "xb"));
    CHECK(!matches("[ab", "ab"));
}

TEST(a_backslash_takes_the_meaning_from_what_follows)
{
    CHECK(matches("\\*", "*"));
    CHECK(!matches("\\*", "a"));
    CHECK(matches("\\?\\[", "?["));
    CHECK(matches("\\a", "a"));
    CHECK(matches("\\\\", "\\"));
    CHECK(matches("\\", "\\"));
    CHECK(matches("a\\", "a\\"));
    CHECK(matches("*\\*", "a*"));
    CHECK(!matches("*\\*", "*a"));
}

TEST(a_backslash_in_a_set_does_too)
{
    CHECK(matches("[\\]]", "]"));
    CHECK(!matches("[\\]]", "\\"));
    CHECK(matches("[\\\\]", "\\"));
    CHECK(matches("[a\\-c]", "-"));
    CHECK(!matches("[a\\-c]", "b"));
    CHECK(matches("[\\", "\\"));
    CHECK(matches("[\\^a]", "^"));
}

TEST(case_is_ignored_only_when_asked)
{
    CHECK(glob_match_nocase(BYTES("AbC*[x-z]?"), BYTES("aBc--YY")));
    CHECK(glob_match_nocase(BYTES("[A-C]"), BYTES("b")));
    CHECK(glob_match_nocase(BYTES("[^A-C]"), BYTES("d")));
    CHECK(!glob_match_nocase(BYTES("[^A-C]"), BYTES("b")));
    CHECK(glob_match_nocase(BYTES("\\A"), BYTES("a")));
    CHECK(!glob_match(BYTES("[A-C]"), BYTES("b")));
}

/* A matcher that tries every star again would not end in our lifetime. */
TEST(many_stars_cost_no_more_than_the_product_of_the_lengths)
{
    BUF_LOCAL(pattern);
    BUF_LOCAL(text);
    int64_t started_us;

    for (int i = 0; i < 500; i++) {
        buf_add(&pattern, BYTES("a*"));
    }
    buf_add_byte(&pattern, 'b');
    for (int i = 0; i < 10000; i++) {
        buf_add_byte(&text, 'a');
    }

    started_us = clock_monotonic_us();
    CHECK(!glob_match(buf_bytes(&pattern), buf_bytes(&text)));
    CHECK(clock_monotonic_us() - started_us < 1000000);
    buf_add_byte(&text, 'b');
    CHECK(glob_match(buf_bytes(&pattern), buf_bytes(&text)));
}

TEST(a_match_that_would_take_minutes_is_none)
{
    BUF_LOCAL(pattern);
    BUF_LOCAL(text);
    int64_t started_us;

    buf_add(&pattern, BYTES("*["));
    for (int i = 0; i < 100000; i++) {
        buf_add_byte(&pattern, 'b');
    }
    buf_add_byte(&pattern, ']');
    for (int i = 0; i < 1000000; i++) {
        buf_add_byte(&text, 'a');
    }

    started_us = clock_monotonic_us();
    CHECK(!glob_match(buf_bytes(&pattern), buf_bytes(&text)));
    CHECK(clock_monotonic_us() - started_us < 30000000);
}

int main(void)
{
    return RUN(plain_text_matches_itself_only, a_question_mark_is_any_one_byte,
               a_star_is_any_number_of_bytes, a_set_is_any_of_its_bytes,
               a_range_has_both_its_ends_in_either_order, a_caret_negates_a_set,
               an_empty_set_is_nothing_and_its_negation_is_everything,
               a_dash_before_the_bracket_makes_a_range_with_it,
               a_set_without_an_end_goes_on_to_the_end_of_the_pattern,
               a_backslash_takes_the_meaning_from_what_follows, a_backslash_in_a_set_does_too,
               case_is_ignored_only_when_asked,
               many_stars_cost_no_more_than_the_product_of_the_lengths,
               a_match_that_would_take_minutes_is_none);
}
