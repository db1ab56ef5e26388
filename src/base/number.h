/* Numbers as text, exactly as Redis reads and writes them. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/bytes.h"

enum {
    NUMBER_INT_MAX = 21,     /* The longest text of an int64_t, and a byte to spare. */
    NUMBER_DOUBLE_MAX = 40,  /* Of a double. */
    NUMBER_FIXED_MAX = 512,  /* Of one without an exponent, and up to 99 decimals. */
    NUMBER_HUMAN_MAX = 5120, /* Of a long double written without an exponent. */
};

/* Parses a decimal integer that takes up all of `b` in the one way it would be
 * written: no spaces, no plus, no leading zeros. Returns false, and leaves
 * *number alone, if `b` is anything else or does not fit. */
bool number_parse_int(struct bytes b, int64_t *number);

/* Parses a floating point number that takes up all of `b`. Accepts what strtod()
 * does, "inf" among it, but no leading space, no "nan", nothing out of range, and
 * nothing of 5 KiB or more. */
bool number_parse_double(struct bytes b, double *number);
bool number_parse_long_double(struct bytes b, long double *number);

/* Parses an amount of memory with or without a unit: "100", "64mb". 1k is 1000 bytes, 1kb
 * is 1024; m and g likewise, in small or capital letters. Returns false if it is none. */
bool number_parse_memory(struct bytes b, int64_t *bytes);

/* Parses a duration: "50" and "50ms" are milliseconds, "2s" seconds. Returns false if
 * it is none. */
bool number_parse_duration_ms(struct bytes b, int64_t *ms);

/* Converts as a C cast on x86 does, which is what clients of Redis see: towards zero, and
 * to the smallest integer what does not fit. */
int64_t number_truncate(double number);

/* The functions below write no terminating zero, and return the length. */

/* Writes an integer. `out` has room for NUMBER_INT_MAX bytes. */
size_t number_format_int(char *out, int64_t number);

/* Writes a double as RESP3 and ZSCORE do: "%.17g", so that integers have no
 * exponent below 1e17, and "inf", "-inf" and "nan". `out` has room for
 * NUMBER_DOUBLE_MAX bytes. */
size_t number_format_double(char *out, double number);

/* Writes a double as "%.*g" does, with a precision of 1 to 16. `out` has room for
 * NUMBER_DOUBLE_MAX bytes. */
size_t number_format_general(char *out, double number, int precision);

/* Writes a double as "%.*f" does, with a precision of 0 to 99. `out` has room for
 * NUMBER_FIXED_MAX bytes. */
size_t number_format_fixed(char *out, double number, int precision);

/* Writes a number as INCRBYFLOAT does: 17 digits behind the point without their
 * trailing zeros. `out` has room for NUMBER_HUMAN_MAX bytes. */
size_t number_format_human(char *out, long double number);

#endif
