/* What block.c and deadlock.c know of those who wait. */
#ifndef ENGINE_WAIT_H
#define ENGINE_WAIT_H

#include "engine/block.h"
#include "engine/named.h"

/* That a wait is for a key. */
struct waiter {
    struct wait *wait;
    struct waited_key *key;
    struct waiter *next; /* Of the same list of the key, in order of arrival. */
    struct waiter *previous;
};

struct waiter_list {
    struct waiter *first, *last;
    size_t count;
};

/* A key that somebody waits for. */
struct waited_key {
    struct named named;
    struct waiter_list any;     /* All of whom are run again, */
    struct waiter_list ordered; /* and those of whom the first is. */
    size_t several;             /* Of the latter, those that wait for other keys too. */
    struct waited_key *next_ready;
    bool ready; /* In the list of those to be served; it may have no waiters then. */
};

struct wait {
    struct session *session;
    bool postponed;
    bool again;     /* The request has been run again, and waits on. */
    bool timed_out; /* It is being run for the last time. */
    bool any_change;
    bool progress;
    bool ordered;
    enum value_type type;
    int64_t since_ms;
    int64_t deadline_ms; /* 0: none. */
    int64_t again_ms;    /* When it is run again though nothing has changed; 0: never. */
    uint64_t arrival;
    struct wait *next; /* Of those postponed, or of those that wait for progress. */
    struct wait *previous;
    size_t argc;
    struct bytes *argv; /* Views of memory behind the array. */

    /* Of what it waits for: see deadlock.h. */
    struct bytes *owner; /* Its own, then those of the holders; likewise; or NULL. */
    size_t owners;
    struct party *party; /* NULL: of none. */
    struct wait *next_of_party;
    uint64_t visit; /* The last search that came here. */

    size_t key_count;
    struct waiter keys[]; /* Those not used have no key. */
};

/* Whether it is the oldest in order, of all its keys. */
bool wait_is_first(const struct wait *wait);

#endif
