/* Writes the elements of the RDB format, to memory or to a file. What goes to a file
 * is kept back only until it is a few pages. */
#ifndef RDB_WRITER_H
#define RDB_WRITER_H

#include "base/buf.h"

struct rdb_writer {
    struct buf out;     /* What was written; the end of it, if there is a file. */
    int file;           /* A descriptor; RDB_NO_FILE: all of it stays in `out`. */
    bool compresses;    /* Strings that get shorter by it. */
    int error;          /* A negative errno value, if the file did not take something. */
    uint64_t checksum;  /* Of what is in the file. */
    uint64_t file_size; /* Bytes in the file, */
    uint64_t pushed;    /* those that the disk has begun with, */
    uint64_t waited;    /* and those that it has ended with. */
};

enum { RDB_NO_FILE = -1 };

void rdb_writer_clear(struct rdb_writer *w);

#define RDB_WRITER_LOCAL(name) __attribute__((cleanup(rdb_writer_clear))) struct rdb_writer name

void rdb_write_bytes(struct rdb_writer *w, struct bytes bytes);
void rdb_write_byte(struct rdb_writer *w, uint8_t byte);
void rdb_write_length(struct rdb_writer *w, uint64_t length);
void rdb_write_int64(struct rdb_writer *w, int64_t number);
void rdb_write_double(struct rdb_writer *w, double number);

/* Writes a string: one that is an integer as such. */
void rdb_write_text(struct rdb_writer *w, struct bytes text);

/* Writes a string, which is never taken for a number. */
void rdb_write_blob(struct rdb_writer *w, struct bytes blob);

/* Brings everything into the file. Returns 0, or the first error that there was. */
int rdb_flush(struct rdb_writer *w);

#endif
