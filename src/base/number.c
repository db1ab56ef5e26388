#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool number_parse_int(struct bytes b, int64_t *number)
{
    bool negative = b.len > 0 && b.at[0] == '-';
    size_t start = negative ? 1 : 0;
    uint64_t n = 0;

    if (b.len == start || b.len > 20) {
        return false;
    }
    if (b.at[start] == '0' && b.len > 1) {
        return false;
    }
    for (size_t i = start; i < b.len; i++) {
        unsigned digit = (unsigned)(unsigned char)b.at[i] - '0';
        if (digit > 9) {
            return false;
        }
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n)) {
            return false;
        }
    }
    if (n > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *number = negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
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

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

size_t number_format_int(char *out, int64_t number)
{
    char text[NUMBER_INT_MAX];
    char *at = text + sizeof text;
    uint64_t n = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t len;

    while (n >= 100) {
        at -= 2;
        memcpy(at, pairs + n % 100 * 2, 2);
        n /= 100;
    }
    if (n >= 10) {
        at -= 2;
        memcpy(at, pairs + n * 2, 2);
    } else {
        *--at = (char)('0' + n);
    }
    if (number < 0) {
        *--at = '-';
    }
    len = (size_t)(text + sizeof text - at);
    memcpy(out, at, len);
    return len;
}

/* Redis 7.0.15 writes every double by "%.17g". That is the plain digits for an
 * integer below 1e17, from where on it gives an exponent; so for those, the faster
 * way to write them is the same. Negative zero keeps its sign, and what is not a
 * number has none. */
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
