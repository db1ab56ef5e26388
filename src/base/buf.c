#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void buf_clear(struct buf *b)
{
    mem_free(b->at);
    *b = (struct buf){0};
}

char *buf_reserve_slow(struct buf *b, size_t extra)
{
    size_t need = b->len + extra;

    if (need > b->cap) {
        b->cap = need < 2 * b->cap ? 2 * b->cap : need;
        b->at = mem_realloc(b->at, b->cap);
    }
    return b->at + b->len;
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);

    buf_reserve(b, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(b->at + b->len, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

void buf_add_quoted(struct buf *b, struct bytes data)
{
    static const char special[] = "\\\"\n\r\t\a\b";
    static const char names[] = "\\\"nrtab";

    buf_add_byte(b, '"');
    for (size_t i = 0; i < data.len; i++) {
        unsigned char c = (unsigned char)data.at[i];
        const char *found = c != '\0' ? strchr(special, c) : NULL;

        if (found != NULL) {
            buf_add_byte(b, '\\');
            buf_add_byte(b, names[found - special]);
        } else if (c >= ' ' && c <= '~') {
            buf_add_byte(b, (char)c);
        } else {
            buf_addf(b, "\\x%02x", c);
        }
    }
    buf_add_byte(b, '"');
}

void buf_cut(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
}

void buf_drop_front(struct buf *b, size_t count)
{
    assert(count <= b->len);
    b->len -= count;
    if (count > 0 && b->len > 0) {
        memmove(b->at, b->at + count, b->len);
    }
}
