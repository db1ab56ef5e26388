#include "resp/writer.h"

#include "base/number.h"

#include <assert.h>

enum {
    CRLF = 2,
    HEADER_MAX = 1 + NUMBER_INT_MAX + CRLF, /* A type, a length, CRLF. */
    FORMAT_LEN = 3,                         /* Of a verbatim string. */
};

/* The put functions write at a place that the caller has reserved, and return
 * what is behind. */

static inline char *put_crlf(char *at)
{
    memcpy(at, "\r\n", CRLF);
    return at + CRLF;
}

static inline char *put_bytes(char *at, struct bytes content)
{
    if (content.len > 0) {
        memcpy(at, content.at, content.len);
    }
    return at + content.len;
}

static inline char *put_header(char *at, char type, int64_t number)
{
    *at = type;
    return put_crlf(at + 1 + number_format_int(at + 1, number));
}

static inline void set_end(struct buf *out, const char *end)
{
    out->len = (size_t)(end - out->at);
}

/* Writes text that is to be in one line: nothing in it can end that. */
static char *put_line(char *at, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        *at++ = c < ' ' || c == 127 ? ' ' : (char)c;
    }
    return put_crlf(at);
}

static void write_line(struct buf *out, char type, struct bytes text)
{
    char *at = buf_reserve(out, 1 + text.len + CRLF);

    *at++ = type;
    set_end(out, put_line(at, text));
}

void resp_write_status(struct buf *out, struct bytes text)
{
    write_line(out, '+', text);
}

void resp_write_error(struct buf *out, struct bytes text)
{
    write_line(out, '-', text);
}

void resp_write_int(struct buf *out, int64_t number)
{
    set_end(out, put_header(buf_reserve(out, HEADER_MAX), ':', number));
}

void resp_write_bulk(struct buf *out, struct bytes content)
{
    char *at = buf_reserve(out, HEADER_MAX + content.len + CRLF);

    at = put_header(at, '$', (int64_t)content.len);
    at = put_bytes(at, content);
    set_end(out, put_crlf(at));
}

void resp_write_nil(struct buf *out, enum resp_version v)
{
    buf_add(out, v == RESP3 ? BYTES("_\r\n") : BYTES("$-1\r\n"));
}

void resp_write_nil_array(struct buf *out, enum resp_version v)
{
    buf_add(out, v == RESP3 ? BYTES("_\r\n") : BYTES("*-1\r\n"));
}

void resp_write_bool(struct buf *out, enum resp_version v, bool value)
{
    if (v == RESP3) {
        buf_add(out, value ? BYTES("#t\r\n") : BYTES("#f\r\n"));
    } else {
        buf_add(out, value ? BYTES(":1\r\n") : BYTES(":0\r\n"));
    }
}

static void write_real(struct buf *out, enum resp_version v, struct bytes text)
{
    if (v == RESP3) {
        write_line(out, ',', text);
    } else {
        resp_write_bulk(out, text);
    }
}

void resp_write_double(struct buf *out, enum resp_version v, double number)
{
    char text[NUMBER_DOUBLE_MAX];

    write_real(out, v, (struct bytes){text, number_format_double(text, number)});
}

void resp_write_human(struct buf *out, enum resp_version v, double number)
{
    char text[NUMBER_HUMAN_MAX];

    write_real(out, v, (struct bytes){text, number_format_human(text, number)});
}

void resp_write_big_number(struct buf *out, enum resp_version v, struct bytes digits)
{
    char *at;

    if (v == RESP3) {
        write_line(out, '(', digits);
        return;
    }
    at = buf_reserve(out, HEADER_MAX + digits.len + CRLF);
    at = put_header(at, '$', (int64_t)digits.len);
    set_end(out, put_line(at, digits));
}

void resp_write_verbatim(struct buf *out, enum resp_version v, const char *format,
                         struct bytes content)
{
    char *at;

    if (v == RESP2) {
        resp_write_bulk(out, content);
        return;
    }
    at = buf_reserve(out, HEADER_MAX + FORMAT_LEN + 1 + content.len + CRLF);
    at = put_header(at, '=', (int64_t)(FORMAT_LEN + 1 + content.len));
    at = put_bytes(at, (struct bytes){format, FORMAT_LEN});
    *at++ = ':';
    at = put_bytes(at, content);
    set_end(out, put_crlf(at));
}

/* Writes the header that opens a value of many, to at least HEADER_MAX bytes. */
static char *put_open(char *at, enum resp_version v, enum resp_kind kind, size_t len)
{
    static const char resp3_types[] = {[RESP_ARRAY] = '*',
                                       [RESP_SET] = '~',
                                       [RESP_MAP] = '%',
                                       [RESP_PUSH] = '>',
                                       [RESP_ATTRIBUTE] = '|'};

    if (v == RESP3) {
        return put_header(at, resp3_types[kind], (int64_t)len);
    }
    return put_header(at, '*', (int64_t)(kind == RESP_MAP ? 2 * len : len));
}

void resp_write_open(struct buf *out, enum resp_version v, enum resp_kind kind, size_t len)
{
    set_end(out, put_open(buf_reserve(out, HEADER_MAX), v, kind, len));
}

void resp_write_open_at(struct buf *out, enum resp_version v, enum resp_kind kind, size_t len,
                        size_t start)
{
    char header[HEADER_MAX];
    size_t header_len = (size_t)(put_open(header, v, kind, len) - header);
    char *at;

    assert(start <= out->len);
    buf_reserve(out, header_len);
    at = out->at + start;
    memmove(at + header_len, at, out->len - start);
    memcpy(at, header, header_len);
    out->len += header_len;
}
