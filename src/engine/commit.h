/* Commitment: what has been executed and is not final yet.
 *
 * With a log, requests are executed at once, and what they change stays in the journal
 * until their turn of the loop ends. Then it becomes an entry of the log. What sessions are
 * written meanwhile is held back until the log tells that the entry is committed, so that
 * nobody ever sees what can be taken back: neither the reply to a write nor what a read has
 * found of it. If the log loses an entry, all that was executed since is undone, what has
 * been held back is cut away, and who waits for a reply gets an error instead.
 *
 * Many entries may be under way at a time, so that the log has what there is whenever it can
 * take more; it may make one of several. */
#ifndef ENGINE_COMMIT_H
#define ENGINE_COMMIT_H

#include "store/journal.h"

struct call;
struct engine;
struct histogram;
struct session;

/* What the engine asks of the log. */
struct log_ops {
    /* Takes an entry. The bytes are valid during the call. What becomes of it is told
     * later, by commit_reached() or commit_lost(). */
    void (*append)(void *context, uint64_t seq, int64_t time_us, struct bytes redo);

    /* While a script holds the loop: tells what has been committed meanwhile. */
    void (*serve)(void *context);
};

enum {
    COMMIT_ENTRIES = 64,                /* Under way at a time, at the most. */
    COMMIT_PLACES = COMMIT_ENTRIES + 1, /* And what gathers for the next. */
    COMMIT_HOLDS = 3,
};

/* How long a reply waits. */
enum durability {
    DURABILITY_NONE,    /* There is no log. */
    DURABILITY_RELAXED, /* It does not: entries are committed within a second. */
    DURABILITY_STRICT,  /* Until the entry is committed. */
};

/* A part of a session's output that is held back: from `start` to the next one, or to
 * the end. */
struct hold {
    uint64_t seq;      /* Until this entry is committed. */
    uint64_t start;    /* Counted from the first byte ever written to the session. */
    unsigned requests; /* How many have been answered in it. */
};

/* In each session. Of one that does not wait for its replies, those of several entries are
 * held back as one. */
struct output_hold {
    struct hold hold[COMMIT_HOLDS]; /* Oldest first. */
    unsigned count;
    unsigned requests; /* Answered since the last mark, */
    uint64_t marked;   /* which was at this byte; */
    bool touched;      /* what was written since depends on the data, */
    bool is_strict;    /* and is held back whatever the durability is. */
    uint64_t dropped;  /* Bytes that have been sent and are no more in `out`. */
};

struct waiters {
    struct session **session;
    size_t count, cap;
};

struct commit_entry {
    struct journal_part part;
    struct waiters waiters; /* Sessions whose oldest hold ends then. */
    int64_t appended_us;    /* Monotonic. */
};

struct commit {
    const struct log_ops *ops; /* NULL: there is no log. */
    void *context;
    enum durability durability;
    const char *refusal; /* Why the log takes nothing now, an error; NULL: it does. */

    uint64_t sealed;    /* The sequence number of the last entry that the log was given, */
    uint64_t committed; /* and of the last that is committed. */
    struct commit_entry entry[COMMIT_PLACES]; /* Those between, and the next, by number. */
    bool wants_barrier; /* There is to be an entry, even if nothing has changed. */
    int64_t opened_us;  /* When the changes that gather began to: monotonic; 0: there are none. */

    uint64_t entries, bytes;   /* That the log was given since the start, */
    uint64_t requests;         /* and those that have changed something. */
    struct histogram *latency; /* Until they were committed; NULL: none has been. */
};

/* Ends a turn: gives the log what has gathered, if it can take more. While a script holds
 * the loop, that is what came before it. */
void commit_seal(struct engine *e);

/* Has what the session was written since the last time held back as long as it has to
 * be. To be called behind commit_seal(), before it is sent. */
void commit_mark(struct session *s);

/* Notes that what is written to the session depends on the data. */
static inline void commit_touch(struct output_hold *h)
{
    h->touched = true;
}

/* Returns how many bytes at the front of the session's output may be sent. */
size_t commit_released(const struct session *s);

/* Is told of the bytes that have been sent and dropped from the front of the output. */
void commit_dropped(struct session *s, size_t len);

/* Cuts the output off behind so many bytes. */
void commit_cut(struct session *s, size_t len);

/* Forgets what is held back of a session. */
void commit_forget(struct session *s);

/* Is told that all entries up to this one are committed. */
void commit_reached(struct engine *e, uint64_t seq);

/* Undoes all that is not committed. Who waits for a reply gets the error. Not to be
 * called while a request is at work. */
void commit_lost(struct engine *e, const char *error);

/* Undoes all that is not committed in a process that has no clients: a copy of this one. */
void commit_rewind(struct engine *e);

/* Makes the changes of an entry that another server has written. Returns false if they
 * cannot be read. */
bool commit_follow(struct engine *e, struct bytes redo);

/* Frees what it holds, when there are no sessions any more. */
void commit_clear(struct commit *c);

/* Returns the number of the entry that the changes of the request at work will be in. */
static inline uint64_t commit_next_seq(const struct commit *c)
{
    return c->sealed + 1;
}

/* Returns whether something has been executed that is not committed. */
bool commit_is_pending(const struct engine *e);

#endif
