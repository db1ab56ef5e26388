/* Reading requests: RESP arrays of bulk strings, and inline commands.
 *
 * The reader looks at a buffer of received bytes and finds one request at a time
 * in it. Arguments are views into that buffer: nothing is copied or allocated,
 * but for the list of arguments, which the reader keeps. A request that has not
 * arrived whole is remembered by offsets, so that no byte is looked at twice. */
#ifndef RESP_READER_H
#define RESP_READER_H

#include "base/buf.h"

/* Limits, as Redis has them. */
struct resp_limits {
    size_t bulk_max;      /* proto-max-bulk-len; an argument's length. */
    size_t multibulk_max; /* Arguments of a request. */
    size_t inline_max;    /* Bytes of an inline request or a header line. */
    bool unauthenticated; /* The error is to say that these hold before AUTH. */
};
extern const struct resp_limits resp_limits_default;

/* What a client may send before it has authenticated: 10 arguments of 16384
 * bytes (CVE-2021-32675). */
extern const struct resp_limits resp_limits_unauthenticated;

/* Zero-initialize; the fields are private. */
struct resp_reader {
    size_t offset;    /* Where the line or the bulk begins that is being read. */
    size_t scanned;   /* How many bytes of that line are known not to end it. */
    size_t arguments; /* That the request has; 0: not yet known. */
    size_t bulk_len;  /* Of the argument being read. */
    bool in_bulk;     /* bulk_len is known, and offset is where the content begins. */
    size_t argc;      /* Arguments found. */
    size_t cap;       /* Room in argv. */
    struct bytes *argv;
    struct buf inline_text; /* Unquoted arguments of an inline request. */
};

enum resp_result {
    RESP_REQUEST, /* A request was found. */
    RESP_NOTHING, /* An empty one was: skip it. */
    RESP_MORE,    /* More bytes are needed. */
    RESP_ERROR,   /* The bytes are no request; the connection must end. */
};

struct resp_request {
    size_t argc;
    const struct bytes *argv; /* Valid until the buffer changes or the next call. */
    size_t used;              /* Bytes of the buffer, from its start, that it took. */
    size_t need;              /* After RESP_MORE: how many bytes at least are missing. */
    char error[128];          /* After RESP_ERROR: "Protocol error: ...". */
};

/* Looks for a request at the start of `in`. After RESP_REQUEST and RESP_NOTHING
 * the caller goes on behind out->used; after RESP_MORE it calls again with the
 * same bytes and more behind them, which may have moved. A call that begins a
 * request, even with no bytes at all, gives back what an unusually large one
 * before it made the reader keep. */
enum resp_result resp_read(struct resp_reader *r, const struct resp_limits *limits, struct bytes in,
                           struct resp_request *out);

/* Forgets a request that has not arrived whole: its bytes will be given again, from
 * the start. */
void resp_reader_forget(struct resp_reader *r);

/* Frees what the reader keeps. */
void resp_reader_clear(struct resp_reader *r);

#endif
