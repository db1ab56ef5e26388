/* A growing byte buffer.
 *
 * `struct buf b = {0};` is an empty buffer. Whoever declares one clears it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"

struct buf {
    char *at;
    size_t len; /* Bytes in use. */
    size_t cap; /* Bytes allocated; len <= cap. */
};

/* Frees the content and makes the buffer empty again. */
void buf_clear(struct buf *b);

/* Makes room for `extra` more bytes and returns where they go: at + len. The
 * caller writes there and then adds to `len`. */
char *buf_reserve_slow(struct buf *b, size_t extra);
static inline char *buf_reserve(struct buf *b, size_t extra)
{
    return b->cap - b->len >= extra ? b->at + b->len : buf_reserve_slow(b, extra);
}

/* Appends a copy of `data`. */
static inline void buf_add(struct buf *b, struct bytes data)
{
    if (data.len > 0) {
        memcpy(buf_reserve(b, data.len), data.at, data.len);
        b->len += data.len;
    }
}

static inline void buf_add_byte(struct buf *b, char byte)
{
    *buf_reserve(b, 1) = byte;
    b->len++;
}

/* Appends text formatted as by printf(). */
__attribute__((format(printf, 2, 3))) void buf_addf(struct buf *b, const char *format, ...);

/* Appends bytes in double quotes, with escapes for what cannot be printed: as redis-cli
 * shows strings. */
void buf_add_quoted(struct buf *b, struct bytes data);

/* Drops all bytes from `len` on. `len` must not exceed the current length. */
void buf_cut(struct buf *b, size_t len);

/* Drops the first `count` bytes; those behind move up. */
void buf_drop_front(struct buf *b, size_t count);

/* Returns a view of the content, valid until the buffer next changes. */
static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->at, b->len};
}

/* Clears a local buffer when it goes out of scope: `BUF_LOCAL(b);`. */
#define BUF_LOCAL(name) __attribute__((cleanup(buf_clear))) struct buf name = {0}

#endif
