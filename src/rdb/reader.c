#include "rdb/reader.h"

#include "base/number.h"
#include "rdb/format.h"
#include "rdb/lzf.h"

#include <math.h>

struct rdb_reader rdb_reader_of(struct bytes in)
{
    return (struct rdb_reader){.start = in.at, .at = in.at, .end = in.at + in.len};
}

bool rdb_refuse(struct rdb_reader *r, const char *problem)
{
    if (r->problem == NULL) {
        r->problem = problem;
    }
    return false;
}

bool rdb_read_bytes(struct rdb_reader *r, size_t len, struct bytes *bytes)
{
    if (rdb_left(r) < len) {
        return rdb_refuse(r, "it ends in the middle");
    }
    *bytes = (struct bytes){r->at, len};
    r->at += len;
    return true;
}

/* Reads `size` bytes to where a number of that size is to be. */
static bool read_raw(struct rdb_reader *r, void *number, size_t size)
{
    struct bytes raw;

    if (!rdb_read_bytes(r, size, &raw)) {
        return false;
    }
    memcpy(number, raw.at, size);
    return true;
}

bool rdb_read_byte(struct rdb_reader *r, uint8_t *byte)
{
    return read_raw(r, byte, sizeof *byte);
}

bool rdb_read_int32(struct rdb_reader *r, int32_t *number)
{
    return read_raw(r, number, sizeof *number);
}

bool rdb_read_int64(struct rdb_reader *r, int64_t *number)
{
    return read_raw(r, number, sizeof *number);
}

bool rdb_read_double(struct rdb_reader *r, double *number)
{
    if (!read_raw(r, number, sizeof *number)) {
        return false;
    }
    return !isnan(*number) || rdb_refuse(r, "a score is not a number");
}

static bool read_length_32(struct rdb_reader *r, uint64_t *length)
{
    uint32_t number;

    if (!read_raw(r, &number, sizeof number)) {
        return false;
    }
    *length = __builtin_bswap32(number);
    return true;
}

static bool read_length_64(struct rdb_reader *r, uint64_t *length)
{
    uint64_t number;

    if (!read_raw(r, &number, sizeof number)) {
        return false;
    }
    *length = __builtin_bswap64(number);
    return true;
}

static bool read_length_14(struct rdb_reader *r, unsigned upper, uint64_t *length)
{
    uint8_t lower;

    if (!rdb_read_byte(r, &lower)) {
        return false;
    }
    *length = upper << 8 | lower;
    return true;
}

/* Reads a length, or says that there is something special in its place. */
static bool read_length(struct rdb_reader *r, uint64_t *length, bool *special)
{
    uint8_t first;

    *special = false;
    if (!rdb_read_byte(r, &first)) {
        return false;
    }
    switch (first >> 6) {
    case RDB_LENGTH_6:
        *length = first & 0x3f;
        return true;
    case RDB_LENGTH_14:
        return read_length_14(r, first & 0x3f, length);
    case RDB_LENGTH_SPECIAL:
        *special = true;
        *length = first & 0x3f;
        return true;
    default:
        break;
    }
    if (first == RDB_LENGTH_32) {
        return read_length_32(r, length);
    }
    if (first == RDB_LENGTH_64) {
        return read_length_64(r, length);
    }
    return rdb_refuse(r, "there is no such kind of length");
}

bool rdb_read_length(struct rdb_reader *r, uint64_t *length)
{
    uint64_t read;
    bool special;

    if (!read_length(r, &read, &special)) {
        return false;
    }
    if (special) {
        return rdb_refuse(r, "there is no such kind of length");
    }
    *length = read;
    return true;
}

bool rdb_read_count(struct rdb_reader *r, size_t size, uint64_t *count)
{
    uint64_t read;

    if (!rdb_read_length(r, &read)) {
        return false;
    }
    if (read > rdb_left(r) / size) {
        return rdb_refuse(r, "more elements are announced than there are bytes");
    }
    *count = read;
    return true;
}

bool rdb_read_decimal(struct rdb_reader *r, double *number)
{
    enum { NOT_A_NUMBER = 253, INFINITE, NEGATIVE_INFINITE };
    struct bytes text;
    uint8_t len;

    if (!rdb_read_byte(r, &len)) {
        return false;
    }
    switch (len) {
    case NOT_A_NUMBER:
        return rdb_refuse(r, "a score is not a number");
    case INFINITE:
        *number = INFINITY;
        return true;
    case NEGATIVE_INFINITE:
        *number = -INFINITY;
        return true;
    default:
        break;
    }
    return rdb_read_bytes(r, len, &text) &&
           (number_parse_double(text, number) || rdb_refuse(r, "a score is not a number"));
}

/* Strings. */

void rdb_text_clear(struct rdb_text *t)
{
    buf_clear(&t->kept);
}

static bool keep_number(struct rdb_text *text, int64_t number)
{
    text->kept.len = 0;
    buf_reserve(&text->kept, NUMBER_INT_MAX);
    text->kept.len = number_format_int(text->kept.at, number);
    text->bytes = buf_bytes(&text->kept);
    return true;
}

static bool read_int8(struct rdb_reader *r, struct rdb_text *text)
{
    int8_t number;

    return read_raw(r, &number, sizeof number) && keep_number(text, number);
}

static bool read_int16(struct rdb_reader *r, struct rdb_text *text)
{
    int16_t number;

    return read_raw(r, &number, sizeof number) && keep_number(text, number);
}

static bool read_int32(struct rdb_reader *r, struct rdb_text *text)
{
    int32_t number;

    return rdb_read_int32(r, &number) && keep_number(text, number);
}

static bool read_compressed(struct rdb_reader *r, struct rdb_text *text)
{
    struct bytes compressed;
    uint64_t compressed_len, len;

    if (!rdb_read_length(r, &compressed_len) || !rdb_read_length(r, &len) ||
        !rdb_read_bytes(r, compressed_len, &compressed)) {
        return false;
    }
    if (len > UINT32_MAX || len / LZF_EXPANSION > compressed_len) {
        return rdb_refuse(r, "a compressed string cannot be as long as it says");
    }
    text->kept.len = 0;
    if (!lzf_expand(compressed, buf_reserve(&text->kept, len + 1), len)) {
        return rdb_refuse(r, "a compressed string is damaged");
    }
    text->kept.len = len;
    text->bytes = buf_bytes(&text->kept);
    return true;
}

static bool (*const read_special[])(struct rdb_reader *r, struct rdb_text *text) = {
    [RDB_SPECIAL_INT8] = read_int8,
    [RDB_SPECIAL_INT16] = read_int16,
    [RDB_SPECIAL_INT32] = read_int32,
    [RDB_SPECIAL_LZF] = read_compressed,
};

bool rdb_read_text(struct rdb_reader *r, struct rdb_text *text)
{
    uint64_t length;
    bool special;

    if (!read_length(r, &length, &special)) {
        return false;
    }
    if (!special && length > UINT32_MAX) {
        return rdb_refuse(r, "a string of 4 GiB or more is announced");
    }
    if (!special) {
        return rdb_read_bytes(r, length, &text->bytes);
    }
    if (length >= sizeof read_special / sizeof read_special[0]) {
        return rdb_refuse(r, "there is no such kind of string");
    }
    return read_special[length](r, text);
}
