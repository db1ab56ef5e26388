/* WATCH: which sessions want to know that a key has changed. An observer: it is
 * told of changes when they are final. */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include "store/change.h"

struct session;

struct watchers {
    struct table *keys; /* Watched keys; NULL while there are none. */
};

/* Watches a key of a database for a session. Does nothing if it does already. */
void watch_add(struct watchers *w, struct session *s, unsigned db, struct bytes key);

/* Forgets all that a session watches. */
void watch_drop_all(struct watchers *w, struct session *s);

/* Returns whether a key that the session watches has expired unnoticed. */
bool watch_has_expired(const struct session *s, const struct dataset *data, int64_t now_ms);

/* Is told of a change by its inverse: marks the sessions that watch what it has
 * touched. `data` is as it is after the batch that the change is part of; `alone`
 * says that it is all of it. */
void watch_see(struct watchers *w, const struct dataset *data, const struct change *inverse,
               bool alone, int64_t now_ms);

static inline bool watch_any(const struct watchers *w)
{
    return w->keys != NULL;
}

#endif
