/* Entries: what is in the log, and the state machine that follows it.
 *
 * An entry begins with a header that says who wrote it, in which tenure and as which one,
 * at what log time, and what the chain was before it: a hash over all entries so far. A
 * state machine that is given entries twice, out of order or with one missing sees that
 * the chain is broken, and stops; it never goes on with wrong data.
 *
 * What a turn has changed may take several entries, since libraft does not like long ones;
 * they are its parts, and only the last makes it happen. If a leader has ended before it
 * wrote that, the next leader's first entry makes the others void.
 *
 * Used by the log thread, and by tools: no mem_*(). */
#ifndef REPLICA_ENTRY_H
#define REPLICA_ENTRY_H

#include "base/bytes.h"

#include <stdbool.h>

enum {
    ENTRY_PART_MAX = 512 * 1024, /* Bytes of changes in one entry. */
    ENTRY_HEADER = 64,
};

struct entry_header {
    uint32_t magic;
    uint32_t len;     /* Bytes of changes behind the header; then zeros to a multiple of 8. */
    uint64_t writer;  /* The server that led, */
    uint64_t epoch;   /* the number of its tenure, */
    uint64_t seq;     /* and of the turn in it. */
    int64_t time_us;  /* Log time. */
    uint64_t chain;   /* Before this entry. */
    uint64_t applied; /* The last entry that had been applied when this one was written. */
    uint32_t part;    /* Which of its turn, from 0, */
    uint32_t is_last; /* and whether there is none behind it. */
};

/* Where the state machine is. */
struct position {
    uint64_t index; /* In the log, of the last entry. */
    uint64_t chain;
    uint64_t epoch; /* The highest so far. */
    int64_t time_us;
};

/* Returns how long an entry is with so many bytes of changes. */
size_t entry_size(size_t len);

/* Completes an entry of entry_size(len) bytes, in which the changes are already behind the
 * header's place. Its magic and length are filled in. */
void entry_complete(void *entry, struct entry_header header, size_t len);

/* Reads an entry. Returns false if it is none. */
bool entry_read(struct bytes entry, struct entry_header *header, struct bytes *changes);

/* Returns the chain behind an entry. */
uint64_t entry_chain(uint64_t chain, struct bytes entry);

/* The state machine. */
struct machine {
    struct position at;

    /* The parts so far of a turn that is not complete. */
    uint64_t writer, epoch, seq;
    uint32_t parts;
    char *changes; /* malloc(). */
    size_t len, cap;
};

/* What comes of an entry. */
struct applied {
    bool is_whole; /* The turn is complete: these are its changes, and its header. */
    struct entry_header header;
    struct bytes changes; /* Valid until the next call. */
};

/* Takes the next entry, the one with this index. Returns NULL, or what is wrong with it:
 * then the log has not done what it promises. */
const char *machine_apply(struct machine *m, uint64_t index, struct bytes entry,
                          struct applied *applied);

/* Begins at a position. */
void machine_restore(struct machine *m, const struct position *at);

/* Frees what the machine holds. */
void machine_clear(struct machine *m);

#endif
