/* The mark: a small file of ours beside libraft's, that says what has been there.
 *
 * A log can lose its end, or a file of it, in ways that leave no trace in what is left:
 * a chain without its last links is still a chain. So it is written down elsewhere, now
 * and then, how far the log was committed, and each time, for whom this server has voted.
 * At the start, what is on the disk has to live up to it.
 *
 * The file has two places that are written by turns, each with a checksum of its own.
 * Whoever wants to start with less than the mark demands removes the file. Any thread;
 * blocks on the disk. */
#ifndef REPLICA_MARK_H
#define REPLICA_MARK_H

#include "replica/entry.h"

struct mark {
    uint64_t id;        /* Whose it is: of a server. */
    uint64_t term;      /* The newest that it has known, */
    uint64_t vote;      /* and for whom it voted in that; 0: for nobody. */
    uint64_t committed; /* The last entry of the log that was, here on the disk as well. */
    struct position at; /* The last of ours among these. */
};

#define MARK_NAME "mark"

struct mark_file {
    int file; /* -1: it is not open. */
    uint64_t version;
    struct mark mark; /* What is in it. */
};

/* Reads the file of a directory. Returns 0, -ENOENT if there is none, -EBADMSG if it makes
 * no sense, or another negative errno value. */
int mark_read(const char *dir, struct mark *mark);

/* Opens the file to be written; if there is none, makes it, at once or not at all, with
 * `first` in it. Returns 0 or a negative errno value. */
int mark_open(struct mark_file *f, const char *dir, const struct mark *first);
void mark_close(struct mark_file *f);

/* Writes what the mark is now; `for_good`: to the disk, and not only to where it survives
 * the end of the process. Returns 0 or a negative errno value. */
int mark_write(struct mark_file *f, const struct mark *mark, bool for_good);

#endif
