/* Tracking: telling clients that what they keep of our data has changed.
 *
 * A session that tracks is told once of each key that it has read, when that changes;
 * one that broadcasts, of all keys with certain prefixes. Keys of the same name in
 * different databases count as one, since what clients are told has no room for more.
 *
 * This is an observer: it is told of changes when they are final. */
#ifndef ENGINE_TRACKING_H
#define ENGINE_TRACKING_H

#include "store/change.h"

struct call;
struct engine;
struct note;
struct session;

/* What CLIENT TRACKING ON asks for. */
struct tracking_mode {
    bool broadcasts;
    bool opt_in;  /* Only what is read behind CLIENT CACHING YES, */
    bool opt_out; /* or all but what is read behind CLIENT CACHING NO. */
    bool no_loop; /* Not of what the session has changed itself. */
};

/* What is known of a session that tracks, or that another is redirected to. It lives
 * on while keys or others refer to it. */
struct tracker {
    struct session *session; /* NULL: it is gone. */
    size_t users;            /* Who refers to it. */
    bool on;
    struct tracking_mode mode;
    bool caching;             /* CLIENT CACHING was there, and holds for the next request. */
    bool broken;              /* Nobody is left to be told. */
    struct tracker *redirect; /* Who is told instead, or NULL. */
    uint64_t redirect_id;     /* Their number; 0: none. */
    struct broadcast *broadcasts;
};

struct tracking {
    struct table *keys;        /* Those read; NULL while there are none. */
    struct table *prefixes;    /* Of those who broadcast; NULL likewise. */
    struct table *changed;     /* Keys that the batch has changed, for those; NULL likewise. */
    size_t sessions;           /* That track. */
    size_t items;              /* Pairs of a session and a key that it has read. */
    bool flushed;              /* The batch at work has flushed a database. */
    const struct call *script; /* That is at work, or NULL; */
    uint64_t script_changes;   /* what had been changed when it last read something. */
};

/* Begins to track, or changes how. `redirect` is who is told instead, or NULL. */
void tracking_start(struct session *s, const struct tracking_mode *mode, struct session *redirect);

/* Adds a prefix to broadcast, unless it is there. */
void tracking_add_prefix(struct session *s, struct bytes prefix);

/* Calls `see` for each prefix that a session broadcasts, in their order. */
void tracking_each_prefix(const struct session *s, void (*see)(struct bytes prefix, void *context),
                          void *context);

/* Ends to track. */
void tracking_stop(struct session *s);

/* Forgets a session. */
void tracking_drop(struct session *s);

/* Are told that a script begins, and that a command has run: remember what it has read,
 * if its session tracks. */
void tracking_see_script(const struct call *c);
void tracking_see_call(const struct call *c);

/* Notes that a database was flushed in which nothing was: those who track are told. */
void call_flush_nothing(struct call *c);
void tracking_see_flush(struct engine *e, const struct note *n);

/* Is told of what has been read in a batch, behind some of its changes. */
void tracking_see_read(struct engine *e, const struct note *n);

/* To be called behind each request of a session that tracks: ends what CLIENT CACHING
 * has asked for. */
void tracking_end_request(struct session *s);

/* Gives up keys while there are more than tracking-table-max-keys, but not very many
 * at once; their sessions are told as if they had changed. */
void tracking_limit(struct engine *e);

/* Are told of a change, by its inverse, and of the end of a batch. */
void tracking_see(struct engine *e, const struct change *inverse);
void tracking_see_end(struct engine *e);

/* How many keys have been read, and how many prefixes there are. */
size_t tracking_keys(const struct engine *e);
size_t tracking_prefixes(const struct engine *e);

static inline bool tracking_is_on(const struct tracker *t)
{
    return t != NULL && t->on;
}

#endif
