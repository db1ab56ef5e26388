#include "rdb/writer.h"

#include "base/number.h"
#include "rdb/crc64.h"
#include "rdb/format.h"
#include "rdb/lzf.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    KEPT = 64 * 1024,     /* Bytes at which `out` goes to the file, */
    PUSHED = 2048 * 1024, /* and at which the file goes to the disk. */
    COMPRESS_FROM = 21,   /* Shorter strings are not worth it. */
    INTEGER_DIGITS = 11,  /* Of an int32_t. */
};

void rdb_writer_clear(struct rdb_writer *w)
{
    buf_clear(&w->out);
}

/* Has the disk begin with what was written, and waits for what it had begun with before:
 * to leave all of it to the end would hold up whoever else wants something of the disk. */
static void push(struct rdb_writer *w)
{
    off_t from = (off_t)w->pushed, to = (off_t)w->file_size;

    if (to - from < PUSHED) {
        return;
    }
    sync_file_range(w->file, from, to - from, SYNC_FILE_RANGE_WRITE);
    if (from > (off_t)w->waited) {
        sync_file_range(w->file, (off_t)w->waited, from - (off_t)w->waited,
                        SYNC_FILE_RANGE_WAIT_BEFORE);
    }
    w->waited = w->pushed;
    w->pushed = w->file_size;
}

static void write_to_file(struct rdb_writer *w, struct bytes bytes)
{
    w->checksum = crc64(w->checksum, bytes);
    w->file_size += bytes.len;
    while (bytes.len > 0 && w->error == 0) {
        ssize_t count = write(w->file, bytes.at, bytes.len);
        if (count >= 0) {
            bytes = (struct bytes){bytes.at + count, bytes.len - (size_t)count};
        } else if (errno != EINTR) {
            w->error = -errno;
        }
    }
    push(w);
}

int rdb_flush(struct rdb_writer *w)
{
    if (w->file != RDB_NO_FILE) {
        write_to_file(w, buf_bytes(&w->out));
        w->out.len = 0;
    }
    return w->error;
}

static void flush_if_full(struct rdb_writer *w)
{
    if (w->out.len >= KEPT) {
        rdb_flush(w);
    }
}

void rdb_write_bytes(struct rdb_writer *w, struct bytes bytes)
{
    if (w->file != RDB_NO_FILE && bytes.len >= KEPT) {
        rdb_flush(w);
        write_to_file(w, bytes);
        return;
    }
    buf_add(&w->out, bytes);
    flush_if_full(w);
}

static void write_raw(struct rdb_writer *w, const void *number, size_t size)
{
    rdb_write_bytes(w, (struct bytes){number, size});
}

void rdb_write_byte(struct rdb_writer *w, uint8_t byte)
{
    write_raw(w, &byte, sizeof byte);
}

void rdb_write_int64(struct rdb_writer *w, int64_t number)
{
    write_raw(w, &number, sizeof number);
}

void rdb_write_double(struct rdb_writer *w, double number)
{
    write_raw(w, &number, sizeof number);
}

void rdb_write_length(struct rdb_writer *w, uint64_t length)
{
    uint32_t half = __builtin_bswap32((uint32_t)length);
    uint64_t whole = __builtin_bswap64(length);

    if (length < 1 << 6) {
        rdb_write_byte(w, (uint8_t)length);
    } else if (length < 1 << 14) {
        rdb_write_byte(w, (uint8_t)(RDB_LENGTH_14 << 6 | length >> 8));
        rdb_write_byte(w, (uint8_t)length);
    } else if (length <= UINT32_MAX) {
        rdb_write_byte(w, RDB_LENGTH_32);
        write_raw(w, &half, sizeof half);
    } else {
        rdb_write_byte(w, RDB_LENGTH_64);
        write_raw(w, &whole, sizeof whole);
    }
}

static void write_special(struct rdb_writer *w, enum rdb_special kind)
{
    rdb_write_byte(w, (uint8_t)(RDB_LENGTH_SPECIAL << 6 | kind));
}

/* Writes a string as an integer, if it is one of 32 bits. */
static bool write_integer(struct rdb_writer *w, struct bytes text)
{
    int64_t number;

    if (text.len > INTEGER_DIGITS || !number_parse_int(text, &number)) {
        return false;
    }
    if (number == (int8_t)number) {
        write_special(w, RDB_SPECIAL_INT8);
        write_raw(w, &number, 1); /* The machine is little-endian. */
    } else if (number == (int16_t)number) {
        write_special(w, RDB_SPECIAL_INT16);
        write_raw(w, &number, 2);
    } else if (number == (int32_t)number) {
        write_special(w, RDB_SPECIAL_INT32);
        write_raw(w, &number, 4);
    } else {
        return false;
    }
    return true;
}

static bool write_compressed(struct rdb_writer *w, struct bytes text)
{
    BUF_LOCAL(compressed);
    size_t worth = text.len - text.len / 8; /* Whoever reads it has to expand it. */
    size_t len = lzf_compress(text, buf_reserve(&compressed, worth), worth);

    if (len == 0) {
        return false;
    }
    write_special(w, RDB_SPECIAL_LZF);
    rdb_write_length(w, len);
    rdb_write_length(w, text.len);
    rdb_write_bytes(w, (struct bytes){compressed.at, len});
    return true;
}

void rdb_write_blob(struct rdb_writer *w, struct bytes blob)
{
    if (w->compresses && blob.len >= COMPRESS_FROM && write_compressed(w, blob)) {
        return;
    }
    rdb_write_length(w, blob.len);
    rdb_write_bytes(w, blob);
}

void rdb_write_text(struct rdb_writer *w, struct bytes text)
{
    if (!write_integer(w, text)) {
        rdb_write_blob(w, text);
    }
}
