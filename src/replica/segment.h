/* Segments: the files that libraft keeps the log in, as raft/uv.h describes them.
 *
 * They are read here without libraft, and without changing anything, so that what is
 * wrong can be told before libraft sets its own way of things right: it cuts off what it
 * takes for torn, and goes on with the next file.
 *
 * A closed segment is named by the indexes of its first and last entry. An open one is
 * longer than what was written to it: the rest is zeros. Reading takes memory by malloc().
 * Any thread; blocks on the disk. */
#ifndef REPLICA_SEGMENT_H
#define REPLICA_SEGMENT_H

#include "base/bytes.h"

#include <stdbool.h>

enum { SEGMENT_NAME_MAX = 40 };

struct segment {
    char name[SEGMENT_NAME_MAX];
    bool is_open;
    uint64_t first, last; /* Of a closed one, by its name. */
    uint64_t number;      /* Of an open one. */

    /* While it is read. */
    char *content;
    size_t len;
    size_t at; /* The next batch. */
};

/* Entries that were written in one go. */
struct segment_batch {
    size_t at; /* In the segment. */
    unsigned count;
    const char *headers; /* Of the entries, in the segment's content. */
    struct bytes data;   /* Of all of them. */
};

struct segment_entry {
    uint64_t term;
    int type; /* enum raft_entry_type */
    struct bytes data;
};

/* Reads a file's name. Returns false if it is no segment's. */
bool segment_read_name(const char *name, struct segment *s);

/* Tells which one comes first in the log: for qsort(). Closed ones come before open ones. */
int segment_compare(const void *a, const void *b);

/* Reads the file. Returns 0 or a negative errno value. */
int segment_open(struct segment *s, const char *dir);
void segment_close(struct segment *s);

/* Returns whether nothing was ever written behind this offset. */
bool segment_is_blank_from(const struct segment *s, size_t offset);

/* Reads the next batch, behind the one that was read last. Returns NULL, or what is wrong
 * with it, and stays where it is. To be called while at < len. */
const char *segment_next(struct segment *s, struct segment_batch *b);

/* Looks for a batch that is in order, from an offset on. Returns false if there is none. */
bool segment_find(const struct segment *s, size_t offset, struct segment_batch *b);

/* Calls `see` for each entry of a batch, until it returns false. */
bool segment_each(const struct segment_batch *b,
                  bool (*see)(void *context, const struct segment_entry *entry), void *context);

#endif
