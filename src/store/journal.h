/* The journal: what a batch has changed, forwards and backwards.
 *
 * All writes go through journal_make(). As far as somebody needs it, it keeps the
 * inverses of the changes in memory (undo) and the encoded changes for the log
 * (redo), until the batch is committed or rolled back. With neither, a change
 * costs nothing but the write itself. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/change.h"

struct undo;

struct journal {
    struct dataset *data; /* Not owned. */
    bool keeps_undo;      /* Set only while the journal is empty. */
    bool keeps_redo;      /* Likewise. */
    struct arena arena;   /* What the undo records are made of. */
    struct undo *oldest;  /* Inverses. */
    struct undo *newest;
    struct buf redo;  /* Encoded changes, oldest first. */
    uint64_t changes; /* Made since the start, less those rolled back. */
};

/* A point in a journal, to roll back to. */
struct journal_mark {
    struct undo *newest;
    struct arena_mark arena;
    size_t redo_len;
    uint64_t changes;
};

/* Makes `c` and records it. Takes what it owns, copies the rest. */
void journal_record(struct journal *j, const struct change *c);
static inline void journal_make(struct journal *j, struct change c)
{
    journal_record(j, &c);
}

/* Returns where the journal is now. */
struct journal_mark journal_mark(const struct journal *j);

/* Undoes everything made since `mark`, newest first; keeps_undo must have been
 * set since then if anything was. Marks taken since are no longer valid. */
void journal_rollback(struct journal *j, struct journal_mark mark);

/* Calls `see` for each change since the last commit, oldest first, as far as undo
 * was kept. What is passed is its inverse: the database and the key are the same. */
void journal_each(const struct journal *j, void (*see)(const struct change *c, void *context),
                  void *context);

/* Forgets what was recorded. The changes stay. */
void journal_commit(struct journal *j);

/* Returns the bytes of memory that undo and redo take up. */
size_t journal_memory(const struct journal *j);

/* Makes the changes that another journal encoded. Returns false at the first
 * byte that is not a change; the changes before it stay made. */
bool journal_replay(struct dataset *data, struct bytes redo);

/* Frees what the journal holds, which must be committed or rolled back. */
void journal_clear(struct journal *j);

#endif
