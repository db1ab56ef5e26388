#include "engine/watch.h"

#include "base/mem.h"
#include "engine/named.h"
#include "engine/session.h"

/* A key that somebody watches. */
struct watched {
    struct named named;
    struct watch *first;
};

/* That one session watches one key. */
struct watch {
    struct session *session;
    struct watched *watched;
    struct watch *next_of_session;
    struct watch *next_of_key;
    struct watch *previous_of_key;
    bool stale; /* A key that had expired came here by a swap: it is no news if it goes. */
};

static bool watches(const struct session *s, const struct watched *watched)
{
    for (const struct watch *watch = watched->first; watch != NULL; watch = watch->next_of_key) {
        if (watch->session == s) {
            return true;
        }
    }
    return false;
}

void watch_add(struct watchers *w, struct session *s, unsigned db, struct bytes key)
{
    struct watched *watched;
    struct watch *watch;

    watched = named_find_or_add_key(&w->keys, sizeof *watched, db, key);
    if (watches(s, watched)) {
        return;
    }
    watch = mem_alloc(sizeof *watch);
    *watch = (struct watch){.session = s,
                            .watched = watched,
                            .next_of_session = s->watches,
                            .next_of_key = watched->first};
    if (watched->first != NULL) {
        watched->first->previous_of_key = watch;
    }
    watched->first = watch;
    s->watches = watch;
}

static void leave_key(struct watchers *w, struct watch *watch)
{
    struct watched *watched = watch->watched;

    if (watch->previous_of_key != NULL) {
        watch->previous_of_key->next_of_key = watch->next_of_key;
    } else {
        watched->first = watch->next_of_key;
    }
    if (watch->next_of_key != NULL) {
        watch->next_of_key->previous_of_key = watch->previous_of_key;
    }
    if (watched->first == NULL) {
        named_remove(&w->keys, watched);
    }
}

void watch_drop_all(struct watchers *w, struct session *s)
{
    s->watch_failed = false;
    while (s->watches != NULL) {
        struct watch *watch = s->watches;
        s->watches = watch->next_of_session;
        leave_key(w, watch);
        mem_free(watch);
    }
}

bool watch_has_expired(const struct session *s, const struct dataset *data, int64_t now_ms)
{
    for (const struct watch *watch = s->watches; watch != NULL; watch = watch->next_of_session) {
        const struct keyspace *keys = data->db[named_db(watch->watched)];
        struct bytes key = named_key(watch->watched);

        if (watch->stale) {
            continue;
        }
        if (keyspace_find_any(keys, key) != NULL && keyspace_find(keys, key, now_ms) == NULL) {
            return true;
        }
    }
    return false;
}

static void mark(struct watched *watched)
{
    for (struct watch *watch = watched->first; watch != NULL; watch = watch->next_of_key) {
        watch->session->watch_failed = true;
    }
}

/* What has expired is not there, whether it has been removed or not. */
static bool is_in(const struct keyspace *keys, const struct watched *watched, int64_t now_ms)
{
    return keyspace_find(keys, named_key(watched), now_ms) != NULL;
}

/* Notes whether what is in the place of an absent key now is one that has expired. */
static void note_stale(struct watched *watched, const struct keyspace *keys, int64_t now_ms)
{
    struct bytes key = named_key(watched);
    bool stale = keyspace_find_any(keys, key) != NULL && keyspace_find(keys, key, now_ms) == NULL;

    for (struct watch *watch = watched->first; watch != NULL; watch = watch->next_of_key) {
        watch->stale = stale;
    }
}

/* Marks the watched keys of a database that are in one of two keyspaces: the second one
 * is its own now. */
static void mark_all_in(struct watchers *w, unsigned db, const struct keyspace *a,
                        const struct keyspace *b, int64_t now_ms)
{
    struct table_walk walk = {0};
    struct watched *watched;

    while ((watched = named_next(w->keys, &walk)) != NULL) {
        if (named_db(watched) != db) {
            continue;
        }
        if (is_in(a, watched, now_ms) || is_in(b, watched, now_ms)) {
            mark(watched);
        }
        note_stale(watched, b, now_ms);
    }
}

static void mark_all(struct watchers *w, unsigned db)
{
    struct table_walk walk = {0};
    struct watched *watched;

    while ((watched = named_next(w->keys, &walk)) != NULL) {
        if (named_db(watched) == db) {
            mark(watched);
        }
    }
}

/* Which keys were in the databases when they were swapped can only be told if nothing
 * has been changed since. */
static void see_swap(struct watchers *w, const struct dataset *data, unsigned a, unsigned b,
                     bool alone, int64_t now_ms)
{
    if (alone) {
        mark_all_in(w, a, data->db[b], data->db[a], now_ms);
        mark_all_in(w, b, data->db[a], data->db[b], now_ms);
    } else {
        mark_all(w, a);
        mark_all(w, b);
    }
}

/* An expired key was removed, and that is all. */
static bool is_removal_of_expired(const struct dataset *data, const struct change *inverse,
                                  int64_t now_ms)
{
    return inverse->kind == CHANGE_BIND && value_has_expired(inverse->value, now_ms) &&
           keyspace_find_any(data->db[inverse->db], inverse->key) == NULL;
}

static void mark_but_stale(struct watched *watched)
{
    for (struct watch *watch = watched->first; watch != NULL; watch = watch->next_of_key) {
        watch->session->watch_failed |= !watch->stale;
    }
}

void watch_see(struct watchers *w, const struct dataset *data, const struct change *inverse,
               bool alone, int64_t now_ms)
{
    struct watched *watched;

    switch (inverse->kind) {
    case CHANGE_FLUSH:
        mark_all_in(w, inverse->db, inverse->keyspace, data->db[inverse->db], now_ms);
        break;
    case CHANGE_SWAP:
        see_swap(w, data, inverse->db, inverse->other, alone, now_ms);
        break;
    default:
        watched = named_find_key(w->keys, inverse->db, inverse->key);
        if (watched == NULL || !change_modifies_key(inverse)) {
            return;
        }
        if (is_removal_of_expired(data, inverse, now_ms)) {
            mark_but_stale(watched);
        } else {
            mark(watched);
        }
    }
}
