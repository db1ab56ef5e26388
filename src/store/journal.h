/* The journal: what a batch has changed, forwards and backwards.
 *
 * All writes go through journal_make(). As far as somebody needs it, it keeps the
 * inverses of the changes in memory (undo) and the encoded changes for the log
 * (redo), until the batch is committed or rolled back. With neither, a change
 * costs nothing but the write itself. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/change.h"

/* A note: what is to be told when the batch is final, and never if it is rolled back.
 * The journal keeps notes and changes in the order they came; what a note says is
 * between who makes it and who is told. */
struct note {
    uint16_t kind;
    uint16_t db;
    uint32_t class;
    struct bytes name;
    struct bytes content;
};

struct undo;
struct room;

struct journal {
    struct dataset *data; /* Not owned. */
    bool keeps_undo;      /* Set only while the journal is empty. */
    bool keeps_redo;      /* Likewise. */
    struct arena arena;   /* What the undo records are made of. */
    size_t held;          /* Bytes of what the inverses own besides: about. */
    struct undo *oldest;  /* Inverses and notes. */
    struct undo *newest;
    struct buf redo;    /* Encoded changes, oldest first, */
    size_t redo_cut;    /* behind so many bytes that have been cut off since it was empty. */
    struct room *room;  /* The arena, as far as parts that were cut off have records in it. */
    struct arena spare; /* An empty one. */
    uint64_t changes;   /* Made since the start, less those rolled back. */
};

/* A point in a journal, to roll back to. */
struct journal_mark {
    struct undo *newest;
    struct arena_mark arena;
    size_t held;
    size_t redo_end; /* Counted from where redo was empty. */
    uint64_t changes;
};

/* What has been cut off a journal: changes that stand, and can still be undone. */
struct journal_part {
    struct undo *oldest;
    struct undo *newest;
    struct room *room; /* Where they are; NULL: there are none. */
};

/* Makes `c` and records it. Takes what it owns, copies the rest. */
void journal_record(struct journal *j, const struct change *c);
static inline void journal_make(struct journal *j, struct change c)
{
    journal_record(j, &c);
}

/* Has redo kept from now on, if it is not; the journal is then empty, and keeps undo. */
void journal_keep_redo(struct journal *j);

/* Keeps a copy of a note. */
void journal_note(struct journal *j, const struct note *n);

/* Returns where the journal is now. */
struct journal_mark journal_mark(const struct journal *j);

/* Undoes everything made since `mark`, newest first; keeps_undo must have been
 * set since then if anything was. Marks taken since are no longer valid. */
void journal_rollback(struct journal *j, struct journal_mark mark);

/* Calls the visitor for each change and each note since the mark, oldest first, the
 * changes as far as undo was kept. What is passed of a change is its inverse: the
 * database and the key are the same. Either function may be NULL. */
struct journal_visitor {
    void (*change)(const struct change *inverse, void *context);
    void (*note)(const struct note *n, void *context);
    void *context;
};
void journal_each(const struct journal *j, struct journal_mark since,
                  const struct journal_visitor *visitor);

/* Returns the changes that have been encoded since the mark, and those up to it. */
struct bytes journal_redo_since(const struct journal *j, struct journal_mark mark);
struct bytes journal_redo_until(const struct journal *j, struct journal_mark mark);

/* Forgets what was recorded. The changes stay. */
void journal_commit(struct journal *j);

/* Cuts off all that is recorded, with its redo. Parts end in the order in which they were
 * cut off, or are undone in the opposite one; the journal outlives them. Small parts share
 * an arena with what comes behind them. */
void journal_cut(struct journal *j, struct journal_part *part);

/* Cuts off what was recorded before a mark, while what came behind it goes on: the mark,
 * and those taken since, stay valid. */
void journal_cut_before(struct journal *j, struct journal_mark mark, struct journal_part *part);

/* End a part: its changes stay, or are undone, when all that came behind it has been. */
void journal_part_commit(struct journal *j, struct journal_part *part);
void journal_part_rollback(struct journal *j, struct journal_part *part);

/* Returns the bytes of memory that undo and redo take up; with what undo holds of the
 * data, about. What has been cut off may still count, until the next cut. */
static inline size_t journal_memory(const struct journal *j)
{
    return j->arena.used + j->redo_cut + j->redo.len + j->held;
}

/* Makes the changes that another journal encoded. Returns false at the first
 * byte that is not a change; the changes before it stay made. */
bool journal_replay(struct dataset *data, struct bytes redo);

/* Frees what the journal holds, which must be committed or rolled back. */
void journal_clear(struct journal *j);

#endif
