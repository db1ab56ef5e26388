/* Reads the elements of the RDB format from bytes that may be anything: nothing is
 * read behind their end, no length is believed before there are bytes to fill it. */
#ifndef RDB_READER_H
#define RDB_READER_H

#include "base/buf.h"

struct rdb_reader {
    const char *start;
    const char *at;
    const char *end;
    const char *problem; /* What is wrong with the bytes at `at`; NULL: nothing so far. */
};

/* Begins at the front of `in`, which is viewed. */
struct rdb_reader rdb_reader_of(struct bytes in);

static inline size_t rdb_left(const struct rdb_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Notes what is wrong, unless something was before. Returns false. */
bool rdb_refuse(struct rdb_reader *r, const char *problem);

/* The functions below return false, with the problem noted, if what they are to read
 * is not there. */

/* Reads `len` bytes, viewed. */
bool rdb_read_bytes(struct rdb_reader *r, size_t len, struct bytes *bytes);
bool rdb_read_byte(struct rdb_reader *r, uint8_t *byte);

/* Reads a length, or another number that is not negative. */
bool rdb_read_length(struct rdb_reader *r, uint64_t *length);

/* Reads how many elements follow, each of which takes up `size` bytes at least. */
bool rdb_read_count(struct rdb_reader *r, size_t size, uint64_t *count);

/* Reads numbers of fixed size. */
bool rdb_read_int32(struct rdb_reader *r, int32_t *number);
bool rdb_read_int64(struct rdb_reader *r, int64_t *number);
bool rdb_read_double(struct rdb_reader *r, double *number);

/* Reads a score as old versions wrote it, in decimal. */
bool rdb_read_decimal(struct rdb_reader *r, double *number);

/* A string that was read. It is viewed where it is, or kept here if it was written in
 * another form. May be used for one string after the other. */
struct rdb_text {
    struct bytes bytes;
    struct buf kept;
};
void rdb_text_clear(struct rdb_text *t);

#define RDB_TEXT_LOCAL(name) __attribute__((cleanup(rdb_text_clear))) struct rdb_text name = {{0}}

bool rdb_read_text(struct rdb_reader *r, struct rdb_text *text);

#endif
