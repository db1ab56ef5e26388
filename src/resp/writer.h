/* Writing replies: RESP2 and RESP3, appended to a buffer. */
#ifndef RESP_WRITER_H
#define RESP_WRITER_H

#include "base/buf.h"

enum resp_version {
    RESP2 = 2,
    RESP3 = 3,
};

/* What can hold other values. In RESP2 all of them are arrays, a map one of
 * twice as many elements. */
enum resp_kind {
    RESP_ARRAY,
    RESP_SET,
    RESP_MAP, /* Its length counts pairs. */
    RESP_PUSH,
    RESP_ATTRIBUTE, /* As a map, before the reply that it is about; RESP3 only. */
};

/* Simple strings and errors. CR, LF and other control characters in them are
 * written as spaces, so that no text can pass for another reply. `text` of an
 * error is without the leading '-'. */
void resp_write_status(struct buf *out, struct bytes text);
void resp_write_error(struct buf *out, struct bytes text);

void resp_write_int(struct buf *out, int64_t number);
void resp_write_bulk(struct buf *out, struct bytes content);
void resp_write_nil(struct buf *out, enum resp_version v);
void resp_write_nil_array(struct buf *out, enum resp_version v);
void resp_write_bool(struct buf *out, enum resp_version v, bool value);
void resp_write_double(struct buf *out, enum resp_version v, double number);
void resp_write_human(struct buf *out, enum resp_version v, double number); /* No exponent. */
void resp_write_big_number(struct buf *out, enum resp_version v, struct bytes digits);

/* `format` is three bytes: "txt" or "mkd". */
void resp_write_verbatim(struct buf *out, enum resp_version v, const char *format,
                         struct bytes content);

/* The header of an array, set, map or push message of `len` elements (or pairs). */
void resp_write_open(struct buf *out, enum resp_version v, enum resp_kind kind, size_t len);

/* Puts such a header before everything written since `start`, for lengths that
 * are known only afterwards. */
void resp_write_open_at(struct buf *out, enum resp_version v, enum resp_kind kind, size_t len,
                        size_t start);

#endif
