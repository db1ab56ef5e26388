/* Streams: their encodings, for rdb/decode.c and rdb/encode.c. */
#ifndef RDB_STREAM_H
#define RDB_STREAM_H

#include "rdb/decode.h"
#include "rdb/writer.h"

/* What the three encodings have that the one before has not. */
enum stream_encoding {
    STREAM_ENCODING_1 = 1,
    STREAM_ENCODING_2, /* Counters, and the ids of the first and of deleted entries. */
    STREAM_ENCODING_3, /* When consumers were active. */
};

/* Fills an empty stream. Returns false, with the problem noted, at the first thing
 * that is not in order. */
bool rdb_fill_stream(struct rdb_reader *r, struct value *v, enum stream_encoding encoding,
                     const struct value_limits *limits);

/* Writes a stream in the second encoding. */
void rdb_write_stream(struct rdb_writer *w, const struct value *v);

/* The flags of an entry in a listpack. */
enum {
    STREAM_ENTRY_DELETED = 1,
    STREAM_ENTRY_SAME_FIELDS = 2, /* As the first entry of the listpack had. */
};

#endif
