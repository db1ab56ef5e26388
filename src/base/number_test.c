#include "base/number.h"

#include "base/random.h"
#include "test/lib/check.h"

#include <math.h>

static const int64_t untouched = 4711;

/* Parses what is to be an integer, and gives `untouched` if it is none. */
static int64_t int_of(const char *text)
{
    int64_t number = untouched;
    bool parsed = number_parse_int(bytes_of(text), &number);

    CHECK(parsed == (number != untouched));
    return number;
}

static double double_of(const char *text)
{
    double number = (double)untouched;
    bool parsed = number_parse_double(bytes_of(text), &number);

    CHECK(parsed == (number != (double)untouched));
    return number;
}

static bool no_double(const char *text)
{
    long double number;

    return double_of(text) == (double)untouched &&
           !number_parse_long_double(bytes_of(text), &number);
}

static bool int_is(int64_t number, const char *expected)
{
    char out[NUMBER_INT_MAX];
    size_t len = number_format_int(out, number);

    return bytes_equal((struct bytes){out, len}, bytes_of(expected));
}

static bool double_is(double number, const char *expected)
{
    char out[NUMBER_DOUBLE_MAX];
    size_t len = number_format_double(out, number);

    return bytes_equal((struct bytes){out, len}, bytes_of(expected));
}

static bool human_is(long double number, const char *expected)
{
    char out[NUMBER_HUMAN_MAX];
    size_t len = number_format_human(out, number);

    return bytes_equal((struct bytes){out, len}, bytes_of(expected));
}

TEST(integers_are_parsed)
{
    CHECK(int_of("0") == 0);
    CHECK(int_of("7") == 7);
    CHECK(int_of("-1") == -1);
    CHECK(int_of("1234567890") == 1234567890);
    CHECK(int_of("9223372036854775807") == INT64_MAX);
    CHECK(int_of("-9223372036854775808") == INT64_MIN);
}

TEST(an_integer_out_of_range_is_none)
{
    CHECK(int_of("9223372036854775808") == untouched);
    CHECK(int_of("-9223372036854775809") == untouched);
    CHECK(int_of("18446744073709551616") == untouched);
    CHECK(int_of("18446744073709551617") == untouched);
    CHECK(int_of("99999999999999999999") == untouched);
    CHECK(int_of("999999999999999999999999999999") == untouched);
}

TEST(an_integer_has_one_way_to_be_written)
{
    CHECK(int_of("") == untouched);
    CHECK(int_of("-") == untouched);
    CHECK(int_of("-0") == untouched);
    CHECK(int_of("00") == untouched);
    CHECK(int_of("01") == untouched);
    CHECK(int_of("-01") == untouched);
    CHECK(int_of("+1") == untouched);
    CHECK(int_of(" 1") == untouched);
    CHECK(int_of("1 ") == untouched);
    CHECK(int_of("--1") == untouched);
    CHECK(int_of("1-") == untouched);
    CHECK(int_of("0x1") == untouched);
    CHECK(int_of("1.0") == untouched);
    CHECK(int_of("1e3") == untouched);
    CHECK(!number_parse_int(BYTES("1\0"), &(int64_t){0}));
    CHECK(!number_parse_int((struct bytes){NULL, 0}, &(int64_t){0}));
}

TEST(integers_are_written)
{
    CHECK(int_is(0, "0"));
    CHECK(int_is(9, "9"));
    CHECK(int_is(10, "10"));
    CHECK(int_is(99, "99"));
    CHECK(int_is(100, "100"));
    CHECK(int_is(-1, "-1"));
    CHECK(int_is(-100, "-100"));
    CHECK(int_is(INT64_MAX, "9223372036854775807"));
    CHECK(int_is(INT64_MIN, "-9223372036854775808"));
}

TEST(a_written_integer_can_be_parsed)
{
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = check_rounds(10000); i > 0; i--) {
        int64_t number = (int64_t)random_next(&r) >> random_below(&r, 64);
        char out[NUMBER_INT_MAX];
        int64_t parsed;

        CHECK(number_parse_int((struct bytes){out, number_format_int(out, number)}, &parsed));
        CHECK(parsed == number);
    }
}

TEST(doubles_are_parsed_as_strtod_does)
{
    CHECK(double_of("3.5") == 3.5);
    CHECK(double_of("+1") == 1);
    CHECK(double_of("-1e3") == -1000);
    CHECK(double_of("1.") == 1);
    CHECK(double_of(".5") == 0.5);
    CHECK(double_of("0x1p3") == 8);
    CHECK(double_of("inf") == HUGE_VAL);
    CHECK(double_of("+Infinity") == HUGE_VAL);
    CHECK(double_of("-INF") == -HUGE_VAL);
    CHECK(double_of("5e-324") == 5e-324);
    CHECK(double_of("1.7976931348623157e308") == 1.7976931348623157e308);
    CHECK(signbit(double_of("-0")));
}

TEST(what_is_no_double_is_left_alone)
{
    CHECK(no_double(""));
    CHECK(no_double("."));
    CHECK(no_double("a"));
    CHECK(no_double(" 1"));
    CHECK(no_double("\v1"));
    CHECK(no_double("1 "));
    CHECK(no_double("1e"));
    CHECK(no_double("++1"));
    CHECK(no_double("1,5"));
    CHECK(no_double("nan"));
    CHECK(no_double("-NaN"));
    CHECK(no_double("nan(1)"));
    CHECK(no_double("1e5000"));
    CHECK(no_double("1e-5000"));
    CHECK(!number_parse_double(BYTES("1\0"), &(double){0}));
    CHECK(!number_parse_double((struct bytes){NULL, 0}, &(double){0}));
}

TEST(a_double_has_its_range_and_a_long_double_a_larger_one)
{
    long double number;

    CHECK(double_of("1e400") == (double)untouched);
    CHECK(double_of("1e-400") == (double)untouched);
    CHECK(number_parse_long_double(BYTES("1e400"), &number));
    CHECK(number == 1e400L);
    CHECK(number_parse_long_double(BYTES("-1e-400"), &number));
    CHECK(number == -1e-400L);
}

TEST(many_digits_are_accepted_up_to_5_kib)
{
    static char text[5 * 1024 + 1];
    long double number;

    memset(text, '0', sizeof text);
    text[5118] = '1';
    text[5119] = '\0';
    CHECK(double_of(text) == 1);
    CHECK(number_parse_long_double(bytes_of(text), &number));
    CHECK(number == 1);

    text[5118] = '0';
    text[5119] = '1';
    text[5120] = '\0';
    CHECK(no_double(text));
}

/* What redis-server 7.0.15 answers to ZSCORE. */
TEST(doubles_are_written_with_17_digits)
{
    CHECK(double_is(0.1, "0.10000000000000001"));
    CHECK(double_is(3.5, "3.5"));
    CHECK(double_is(-3.5, "-3.5"));
    CHECK(double_is(1e-5, "1.0000000000000001e-05"));
    CHECK(double_is(1.0 / 3, "0.33333333333333331"));
    CHECK(double_is(5e-324, "4.9406564584124654e-324"));
    CHECK(double_is(1e300, "1.0000000000000001e+300"));
    CHECK(double_is(-1.7976931348623157e308, "-1.7976931348623157e+308"));
}

TEST(an_integral_double_has_no_exponent_below_1e17)
{
    CHECK(double_is(0, "0"));
    CHECK(double_is(-0.0, "-0"));
    CHECK(double_is(-1, "-1"));
    CHECK(double_is(1e15, "1000000000000000"));
    CHECK(double_is(1e16, "10000000000000000"));
    CHECK(double_is(99999999999999984.0, "99999999999999984"));
    CHECK(double_is(-99999999999999984.0, "-99999999999999984"));
    CHECK(double_is(1e17, "1e+17"));
    CHECK(double_is(-1e17, "-1e+17"));
    CHECK(double_is(123456789012345680.0, "1.2345678901234568e+17"));
    CHECK(double_is(1e21, "1e+21"));
}

TEST(what_is_no_number_has_a_name)
{
    CHECK(double_is(HUGE_VAL, "inf"));
    CHECK(double_is(-HUGE_VAL, "-inf"));
    CHECK(double_is(NAN, "nan"));
    CHECK(double_is(-NAN, "nan"));
}

/* The short way for integers must not be seen. */
TEST(every_double_is_written_as_printf_does)
{
    struct random r;
    char expected[64];

    random_seed(&r, check_seed());
    for (size_t i = check_rounds(10000); i > 0; i--) {
        int exponent = (int)random_below(&r, 140) - 70;
        double number = ldexp((double)(int64_t)random_next(&r), exponent - 63);

        snprintf(expected, sizeof expected, "%.17g", number);
        CHECK(double_is(number, expected));
        snprintf(expected, sizeof expected, "%.17g", rint(number));
        CHECK(double_is(rint(number), expected));
    }
}

TEST(a_written_double_can_be_parsed)
{
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = check_rounds(10000); i > 0; i--) {
        uint64_t bits = random_next(&r);
        char out[NUMBER_DOUBLE_MAX];
        double number;
        double parsed;

        memcpy(&number, &bits, sizeof number);
        if (!isnan(number)) {
            size_t len = number_format_double(out, number);
            CHECK(number_parse_double((struct bytes){out, len}, &parsed));
            CHECK(parsed == number);
        }
    }
}

/* A number that a test is likely to go wrong with: of any size, or with few digits, or
 * just beside one with few digits. */
static double some_double(struct random *r)
{
    uint64_t bits = random_next(r);
    double few = (double)random_below(r, 2000001) / (double)(1 << random_below(r, 12)) / 1000;
    double number;

    switch (random_below(r, 4)) {
    case 0:
        memcpy(&number, &bits, sizeof number);
        return number;
    case 1:
        return few - 500;
    case 2:
        return nextafter(few, random_below(r, 2) ? INFINITY : -INFINITY);
    default:
        return (double)(int64_t)bits / (double)(UINT64_C(1) << random_below(r, 64));
    }
}

static bool printf_is(const char *format, int precision, double number, const char *out, size_t len)
{
    char expected[NUMBER_FIXED_MAX];
    int expected_len = snprintf(expected, sizeof expected, format, precision, number);

    return len == (size_t)expected_len && memcmp(out, expected, len) == 0;
}

TEST(fixed_and_general_numbers_are_written_as_printf_does)
{
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = check_rounds(100000); i > 0; i--) {
        double number = some_double(&r);
        int decimals = (int)random_below(&r, 20);
        int digits = 1 + (int)random_below(&r, 14);
        char out[NUMBER_FIXED_MAX];

        double whole = (double)(random_next(&r) >> (8 + random_below(&r, 56)));

        CHECK(printf_is("%.*f", decimals, number, out, number_format_fixed(out, number, decimals)));
        CHECK(printf_is("%.*f", decimals, whole, out, number_format_fixed(out, whole, decimals)));
        CHECK(printf_is("%.*f", decimals, -whole, out, number_format_fixed(out, -whole, decimals)));
        CHECK(printf_is("%.*g", digits, number, out, number_format_general(out, number, digits)));
        CHECK(printf_is("%.*g", 14, number, out, number_format_general(out, number, 14)));
    }
}

/* What redis-server 7.0.15 answers to INCRBYFLOAT. */
TEST(people_get_no_exponent_and_no_trailing_zeros)
{
    CHECK(human_is(0, "0"));
    CHECK(human_is(-0.0L, "0"));
    CHECK(human_is(3, "3"));
    CHECK(human_is(10.5L, "10.5"));
    CHECK(human_is(-10.5L, "-10.5"));
    CHECK(human_is(100, "100"));
    CHECK(human_is(0.1L, "0.1"));
    CHECK(human_is(0.1L + 0.2L, "0.3"));
    CHECK(human_is(5.0e3L + 200, "5200"));
    CHECK(human_is(1e-17L, "0.00000000000000001"));
    CHECK(human_is(1e-18L, "0"));
    CHECK(human_is(-1e-18L, "0"));
    CHECK(human_is(1e20L, "100000000000000000000"));
    CHECK(human_is(HUGE_VALL, "inf"));
}

TEST(the_longest_number_for_people_has_room)
{
    char out[NUMBER_HUMAN_MAX];
    long double number;

    CHECK(number_parse_long_double(BYTES("-1.18973149535723176502e+4932"), &number));
    CHECK(number_format_human(out, number) == 1 + 4933);
}

TEST(amounts_of_memory_and_durations_have_units)
{
    int64_t number = untouched;

    CHECK(number_parse_memory(BYTES("100"), &number) && number == 100);
    CHECK(number_parse_memory(BYTES("8mb"), &number) && number == 8 * 1024 * 1024);
    CHECK(number_parse_memory(BYTES("1K"), &number) && number == 1000);
    CHECK(number_parse_duration_ms(BYTES("50ms"), &number) && number == 50);
    CHECK(number_parse_duration_ms(BYTES("50"), &number) && number == 50);
    CHECK(number_parse_duration_ms(BYTES("2s"), &number) && number == 2000);

    number = untouched;
    CHECK(!number_parse_memory(BYTES(""), &number));
    CHECK(!number_parse_memory(BYTES("mb"), &number));
    CHECK(!number_parse_memory(BYTES("-1mb"), &number));
    CHECK(!number_parse_memory(BYTES("1 mb"), &number));
    CHECK(!number_parse_memory(BYTES("1mbx"), &number));
    CHECK(!number_parse_duration_ms(BYTES("1m"), &number));
    CHECK(number == untouched);
    CHECK(!number_parse_memory(BYTES("9223372036854775807gb"), &number));
}

int main(void)
{
    return RUN(
        integers_are_parsed, an_integer_out_of_range_is_none, an_integer_has_one_way_to_be_written,
        integers_are_written, a_written_integer_can_be_parsed, doubles_are_parsed_as_strtod_does,
        what_is_no_double_is_left_alone, a_double_has_its_range_and_a_long_double_a_larger_one,
        many_digits_are_accepted_up_to_5_kib, doubles_are_written_with_17_digits,
        an_integral_double_has_no_exponent_below_1e17, what_is_no_number_has_a_name,
        every_double_is_written_as_printf_does,
        fixed_and_general_numbers_are_written_as_printf_does, a_written_double_can_be_parsed,
        people_get_no_exponent_and_no_trailing_zeros, the_longest_number_for_people_has_room,
        amounts_of_memory_and_durations_have_units);
}
