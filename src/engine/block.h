/* Waiting: requests that cannot be answered yet, and are run again later.
 *
 * A session that waits has a copy of its request and takes no further ones. A
 * request that waits for keys is run again, in order of arrival, when a final batch
 * may have given one of them what it waits for; if it still finds nothing, it goes
 * on waiting in its old place. Of the requests that wait for a key *in order* only the
 * oldest is run again, and the next when that has got what it wanted or has gone: so what it
 * takes to serve one does not depend on how many wait. A request that was postponed is run
 * again when somebody resumes all those. */
#ifndef ENGINE_BLOCK_H
#define ENGINE_BLOCK_H

#include "store/change.h"

struct call;
struct engine;
struct session;
struct wait;
struct waited_key;

struct wait_list {
    struct wait *first, *last;
};

/* All that wait with an engine. */
struct waiting {
    struct table *keys;     /* Keys that are waited for; NULL while there are none. */
    struct table *parties;  /* See deadlock.h; NULL likewise. */
    uint64_t searches;      /* For deadlocks. */
    struct tree *deadlines; /* Waits that end by themselves; NULL likewise. */
    struct waited_key *ready_first, *ready_last;
    struct wait_list postponed;
    struct wait_list progress; /* Those that wait for servers to have what was written. */
    uint64_t arrivals;
    size_t blocked; /* Sessions that wait for keys or for a time. */
    bool serving;
};

/* What a request waits for. */
struct block {
    size_t first, count;  /* Keys among the arguments of the call; none: for a time only. */
    enum value_type type; /* Run again when one of them is bound to this type, */
    bool any_change;      /* or, if set, when one of them has changed in any way. */
    bool progress;        /* Run again behind each block_progress(). */
    bool ordered;         /* Not before those that came earlier. */
    int64_t timeout_ms;   /* 0: for ever. */
    int64_t again_ms;     /* Run again after so long at the latest, if it is its turn; 0: no. */
    size_t owners;        /* Its own, and those of who holds what it waits for; 0: it has */
    const struct bytes *owner; /* none. See deadlock.h. */
    size_t argc;               /* What is run again, with the keys in the same places, */
    const struct bytes *argv;  /* if not the call's own arguments; NULL: those. */
};

/* Makes the session of a call wait; the handler returns without a reply, and will be
 * run again. Returns false if the call may not wait, because it is part of a
 * transaction or of a script, or because its time is up: the handler then replies
 * that there is nothing. */
bool call_block(struct call *c, const struct block *b);

/* Whether the call may wait, as long as its request has time. */
bool call_may_block(const struct call *c);

/* Returns how many requests wait in order for one of these arguments before this one, at the
 * most; 0 if it is its turn. */
size_t call_count_ahead(const struct call *c, size_t first, size_t count);

/* Returns whether this call is of a request that has waited and is run again. What its
 * keys hold of other types does not concern it then. */
bool call_has_waited(const struct call *c);

/* Reads argument `arg` as the seconds that a request may wait, with a fraction.
 * Returns false, having failed the call, if they are none. */
bool call_timeout(struct call *c, size_t arg, int64_t *timeout_ms);

/* Makes a session wait, with a request that has not begun to run, until
 * block_resume(). */
void block_postpone(struct session *s, size_t argc, const struct bytes *argv);

/* Runs the requests that were postponed, oldest first. Those postponed again keep
 * their order. */
void block_resume(struct engine *e);

/* Ends the waiting of a session for keys: with an error if there is one, or else as if
 * its time were up, which it is as soon as the request at work is done. Returns false
 * if it does not wait for keys. */
bool block_end(struct session *s, const char *error);

/* Runs a request again that waits for a time only. */
void block_run_again(struct session *s);

/* Runs the requests again that wait for progress. */
void block_progress(struct engine *e);

/* Forgets that a session waits. */
void block_drop(struct session *s);

/* Is told of a change by its inverse. */
void block_see(struct engine *e, const struct change *inverse);

/* Runs the requests again that wait for keys which have changed. Not to be called
 * while a script runs. */
void block_serve(struct engine *e);

/* When the next wait ends by itself, or by the end of a pause, in log time; INT64_MAX
 * if none does. */
int64_t block_deadline_ms(const struct engine *e);

/* Returns how many waits end by themselves. */
size_t block_timed_count(const struct engine *e);

/* Ends the waits whose time is up, and runs what was postponed if the pause is over. */
void block_time_out(struct engine *e);

/* Whether the session waits for keys or a time, rather than being postponed. */
bool block_is_blocked(const struct session *s);

/* Whether the request that a session has just run waits, or waits on. */
bool block_goes_on(const struct session *s);

/* Who waits in order for a key, oldest first: calls `visit` with each one's session, owner (or
 * nothing), and since when. */
void block_each_in_order(const struct engine *e, unsigned db, struct bytes key,
                         void (*visit)(const struct session *s, struct bytes owner,
                                       int64_t since_ms, void *context),
                         void *context);

static inline bool block_any(const struct waiting *w)
{
    return w->keys != NULL;
}

#endif
