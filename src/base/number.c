#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* So many digits fit, whatever they are. */
enum { SAFE_DIGITS = 18 };

static bool add_digits(struct bytes digits, uint64_t *n)
{
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.at[i] - '0';

        if (digit > 9) {
            return false;
        }
        *n = *n * 10 + digit;
    }
    return true;
}

static bool add_digits_checked(struct bytes digits, uint64_t *n)
{
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.at[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(*n, 10, n) ||
            __builtin_add_overflow(*n, digit, n)) {
            return false;
        }
    }
    return true;
}

bool number_parse_int(struct bytes b, int64_t *number)
{
    bool negative = b.len > 0 && b.at[0] == '-';
    struct bytes digits = negative ? (struct bytes){b.at + 1, b.len - 1} : b;
    uint64_t n = 0;

    if (digits.len == 0 || digits.len > 19 || (digits.at[0] == '0' && b.len > 1)) {
        return false;
    }
    if (!(digits.len <= SAFE_DIGITS ? add_digits(digits, &n) : add_digits_checked(digits, &n)) ||
        n > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *number = negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

struct unit {
    const char *name; /* NULL behind the last. */
    int64_t factor;
};

static bool parse_with_unit(struct bytes b, const struct unit *units, int64_t *number)
{
    struct bytes digits = {b.at, 0};
    struct bytes unit;
    int64_t found;

    while (digits.len < b.len && isdigit((unsigned char)b.at[digits.len])) {
        digits.len++;
    }
    unit = (struct bytes){b.at + digits.len, b.len - digits.len};
    for (; units->name != NULL; units++) {
        if (bytes_is(unit, units->name)) {
            return number_parse_int(digits, &found) &&
                   !__builtin_mul_overflow(found, units->factor, number);
        }
    }
    return false;
}

bool number_parse_memory(struct bytes b, int64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"b", 1},
        {"k", 1000},
        {"kb", 1024},
        {"m", 1000 * 1000},
        {"mb", 1 << 20},
        {"g", 1000 * 1000 * 1000},
        {"gb", 1 << 30},
        {NULL, 0},
    };

    return parse_with_unit(b, units, bytes);
}

bool number_parse_duration_ms(struct bytes b, int64_t *ms)
{
    static const struct unit units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {NULL, 0}};

    return parse_with_unit(b, units, ms);
}

/* The longest text that is looked at: more digits than any number needs. */
enum { TEXT_MAX = 5 * 1024 };

bool number_parse_double(struct bytes b, double *number)
{
    char text[TEXT_MAX];
    char *end;
    double parsed;

    if (b.len == 0 || b.len >= sizeof text || isspace((unsigned char)b.at[0])) {
        return false;
    }
    bytes_to_string(b, text, sizeof text);
    errno = 0;
    parsed = strtod(text, &end);
    if (end != text + b.len || isnan(parsed) ||
        (errno == ERANGE && (fabs(parsed) == HUGE_VAL || parsed == 0))) {
        return false;
    }
    *number = parsed;
    return true;
}

bool number_parse_long_double(struct bytes b, long double *number)
{
    char text[TEXT_MAX];
    char *end;
    long double parsed;

    if (b.len == 0 || b.len >= sizeof text || isspace((unsigned char)b.at[0])) {
        return false;
    }
    bytes_to_string(b, text, sizeof text);
    errno = 0;
    parsed = strtold(text, &end);
    if (end != text + b.len || isnan(parsed) ||
        (errno == ERANGE && (fabsl(parsed) == HUGE_VALL || parsed == 0))) {
        return false;
    }
    *number = parsed;
    return true;
}

int64_t number_truncate(double number)
{
    if (isnan(number) || number >= 9223372036854775808.0 || number < -9223372036854775808.0) {
        return INT64_MIN;
    }
    return (int64_t)number;
}

/* Returns eight decimal digits, a byte each, the first one lowest: of all four pairs,
 * then of all eight digits at once. The factors are 1/100 and 1/10, rounded up. */
static uint64_t eight_digits(uint32_t number)
{
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = ((twos * 103) >> 10) & 0x000f000f000f000f;

    return tens | (twos - 10 * tens) << 8;
}

static const uint64_t ascii_zeros = 0x3030303030303030;

/* Writes all eight digits. */
static void put_eight(char *out, uint32_t number)
{
    uint64_t text = eight_digits(number) + ascii_zeros;

    memcpy(out, &text, sizeof text);
}

/* Writes without leading zeros; touches eight bytes all the same. One store, so
 * that whoever copies the text next need not wait for several. */
static size_t put_up_to_eight(char *out, uint32_t number)
{
    uint64_t digits = eight_digits(number);
    unsigned leading = number == 0 ? 7 : (unsigned)__builtin_ctzll(digits) / 8;
    uint64_t text = (digits + ascii_zeros) >> (8 * leading);

    memcpy(out, &text, sizeof text);
    return 8 - leading;
}

size_t number_format_int(char *out, int64_t number)
{
    enum { EIGHT = 100000000 };
    uint64_t n = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char text[NUMBER_INT_MAX + 8];
    size_t len = 0;

    if (n < EIGHT && number >= 0) {
        return put_up_to_eight(out, (uint32_t)n);
    }
    if (number < 0) {
        text[len++] = '-';
    }
    if (n >= (uint64_t)EIGHT * EIGHT) {
        len += put_up_to_eight(text + len, (uint32_t)(n / EIGHT / EIGHT));
        put_eight(text + len, (uint32_t)(n / EIGHT % EIGHT));
        len += 8;
        put_eight(text + len, (uint32_t)(n % EIGHT));
        len += 8;
    } else if (n >= EIGHT) {
        len += put_up_to_eight(text + len, (uint32_t)(n / EIGHT));
        put_eight(text + len, (uint32_t)(n % EIGHT));
        len += 8;
    } else {
        len += put_up_to_eight(text + len, (uint32_t)n);
    }
    memcpy(out, text, len);
    return len;
}

/* Of Lua and JSON: for this one there is a quicker way. */
enum { FAST_PRECISION = 14 };

static const double powers[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};

/* Writes what follows the point: the last `count` digits of `digits`, without
 * trailing zeros. Writes nothing if all are zeros. */
static size_t format_decimals(char *out, uint64_t digits, size_t count)
{
    while (count > 0 && digits % 10 == 0) {
        digits /= 10;
        count--;
    }
    if (count == 0) {
        return 0;
    }
    out[0] = '.';
    for (size_t i = count; i > 0; i--) {
        out[i] = (char)('0' + digits % 10);
        digits /= 10;
    }
    return count + 1;
}

/* Rounds a number that has been multiplied by a power of ten, and is less than 1e14.
 * Returns false if it is so close to the middle between two that this takes more than a
 * double to decide: multiplying has moved it by 1/128 at the most. */
static inline bool round_scaled(double scaled, uint64_t *digits)
{
    uint64_t below = (uint64_t)scaled;
    double rest = scaled - (double)below;

    *digits = below + (rest > 0.5);
    return rest <= 0.49 || rest >= 0.51;
}

/* Writes a number of at least 0.001 and less than 1e13 as "%.14g" does. Returns 0 if that
 * cannot be decided so. */
static size_t format_fraction(char *out, double number)
{
    size_t count = 16;
    double scaled = number * powers[count];
    uint64_t digits;
    size_t len;

    while (scaled >= 1e14) {
        scaled = number * powers[--count];
    }
    if (!round_scaled(scaled, &digits)) {
        return 0;
    }
    len = number_format_int(out, (int64_t)(digits / (uint64_t)powers[count]));
    return len + format_decimals(out + len, digits % (uint64_t)powers[count], count);
}

size_t number_format_general(char *out, double number, int precision)
{
    double size = fabs(number);
    size_t sign = number < 0;
    size_t len = 0;

    if (size < powers[precision]) {
        int64_t whole = (int64_t)number;
        if ((double)whole == number && (whole != 0 || !signbit(number))) {
            return number_format_int(out, whole);
        }
    }
    if (precision == FAST_PRECISION && size >= 0.001 && size < 1e13) {
        out[0] = '-';
        len = format_fraction(out + sign, size);
    }
    return len > 0 ? sign + len
                   : (size_t)snprintf(out, NUMBER_DOUBLE_MAX, "%.*g", precision, number);
}

/* Writes the last `count` digits of `digits`. */
static void put_digits(char *out, uint64_t digits, int count)
{
    while (count-- > 0) {
        out[count] = (char)('0' + digits % 10);
        digits /= 10;
    }
}

/* Writes a whole number of at least 0 as "%.*f" does. Returns 0 if it is none, or too big. */
static size_t format_whole(char *out, double number, int precision)
{
    static const double most = 9007199254740992.0; /* 2^53 */
    size_t len;

    if (!(number < most) || number != (double)(int64_t)number) {
        return 0;
    }
    len = number_format_int(out, (int64_t)number);
    if (precision > 0) {
        out[len++] = '.';
        memset(out + len, '0', (size_t)precision);
    }
    return len + (size_t)precision;
}

/* Writes a number of at least 0 as "%.*f" does. Returns 0 if it is too big, or if that
 * cannot be decided so. */
static size_t format_fixed(char *out, double number, int precision)
{
    static const double most = 70368744177664.0; /* 2^46 */
    double scaled = precision <= FAST_PRECISION ? number * powers[precision] : most;
    uint64_t digits;
    size_t len;

    if (!(scaled < most) || !round_scaled(scaled, &digits)) {
        return 0;
    }
    len = number_format_int(out, (int64_t)(digits / (uint64_t)powers[precision]));
    if (precision > 0) {
        out[len++] = '.';
        put_digits(out + len, digits, precision);
    }
    return len + (size_t)precision;
}

size_t number_format_fixed(char *out, double number, int precision)
{
    size_t sign = signbit(number) != 0;
    size_t len;

    out[0] = '-';
    len = format_whole(out + sign, fabs(number), precision);
    if (len == 0) {
        len = format_fixed(out + sign, fabs(number), precision);
    }
    if (len > 0) {
        return sign + len;
    }
    return (size_t)snprintf(out, NUMBER_FIXED_MAX, "%.*f", precision, number);
}

size_t number_format_double(char *out, double number)
{
    if (fabs(number) < 1e17 && number == (double)(int64_t)number &&
        !(number == 0 && signbit(number))) {
        return number_format_int(out, (int64_t)number);
    }
    return (size_t)snprintf(out, NUMBER_DOUBLE_MAX, "%.17g", isnan(number) ? NAN : number);
}

size_t number_format_human(char *out, long double number)
{
    size_t len = (size_t)snprintf(out, NUMBER_HUMAN_MAX, "%.17Lf", number);

    if (memchr(out, '.', len) != NULL) {
        while (out[len - 1] == '0') {
            len--;
        }
        if (out[len - 1] == '.') {
            len--;
        }
    }
    if (len == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        len = 1;
    }
    return len;
}
