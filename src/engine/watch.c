#include "engine/watch.h"

#include "base/mem.h"
#include "engine/session.h"

/* A key that somebody watches. Its name in the table is the number of the
 * database, as two bytes, and then the key. */
struct watched {
    struct watch *first;
    uint32_t len;
    char name[];
};

/* That one session watches one key. */
struct watch {
    struct session *session;
    struct watched *watched;
    struct watch *next_of_session;
    struct watch *next_of_key;
    struct watch *previous_of_key;
};

enum { DB_BYTES = sizeof(uint16_t) };

static struct bytes watched_name(const void *item)
{
    const struct watched *w = item;

    return (struct bytes){w->name, w->len};
}

static const struct table_type watched_type = {.key = watched_name};

static struct bytes key_of(const struct watched *w)
{
    return (struct bytes){w->name + DB_BYTES, w->len - DB_BYTES};
}

static unsigned db_of(const struct watched *w)
{
    uint16_t db;

    memcpy(&db, w->name, sizeof db);
    return db;
}

static void compose(struct buf *name, unsigned db, struct bytes key)
{
    uint16_t number = (uint16_t)db;

    buf_add(name, (struct bytes){(const char *)&number, sizeof number});
    buf_add(name, key);
}

static struct watched *find(const struct watchers *w, unsigned db, struct bytes key)
{
    BUF_LOCAL(name);

    compose(&name, db, key);
    return table_find(w->keys, buf_bytes(&name));
}

static struct watched *find_or_add(struct watchers *w, unsigned db, struct bytes key)
{
    struct watched *watched = find(w, db, key);

    if (watched == NULL) {
        BUF_LOCAL(name);
        compose(&name, db, key);
        watched = mem_zalloc(sizeof *watched + name.len);
        watched->len = (uint32_t)name.len;
        memcpy(watched->name, name.at, name.len);
        table_put(w->keys, watched);
    }
    return watched;
}

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

    if (w->keys == NULL) {
        w->keys = table_new(&watched_type);
    }
    watched = find_or_add(w, db, key);
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
        table_remove(w->keys, watched_name(watched));
        mem_free(watched);
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
    if (w->keys != NULL && table_count(w->keys) == 0) {
        table_free(w->keys, NULL);
        w->keys = NULL;
    }
}

bool watch_has_expired(const struct session *s, const struct dataset *data, int64_t now_ms)
{
    for (const struct watch *watch = s->watches; watch != NULL; watch = watch->next_of_session) {
        const struct keyspace *keys = data->db[db_of(watch->watched)];
        struct bytes key = key_of(watch->watched);

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

static bool is_in(const struct keyspace *keys, const struct watched *watched)
{
    return keyspace_find_any(keys, key_of(watched)) != NULL;
}

/* Marks the watched keys of a database that are in one of two keyspaces. */
static void mark_all_in(struct watchers *w, unsigned db, const struct keyspace *a,
                        const struct keyspace *b)
{
    struct table_walk walk = {0};
    struct watched *watched;

    while ((watched = table_next(w->keys, &walk)) != NULL) {
        if (db_of(watched) == db && (is_in(a, watched) || is_in(b, watched))) {
            mark(watched);
        }
    }
}

static void mark_all(struct watchers *w, unsigned db)
{
    struct table_walk walk = {0};
    struct watched *watched;

    while ((watched = table_next(w->keys, &walk)) != NULL) {
        if (db_of(watched) == db) {
            mark(watched);
        }
    }
}

/* Which keys were in the databases when they were swapped can only be told if nothing
 * has been changed since. */
static void see_swap(struct watchers *w, const struct dataset *data, unsigned a, unsigned b,
                     bool alone)
{
    if (alone) {
        mark_all_in(w, a, data->db[a], data->db[b]);
        mark_all_in(w, b, data->db[a], data->db[b]);
    } else {
        mark_all(w, a);
        mark_all(w, b);
    }
}

void watch_see(struct watchers *w, const struct dataset *data, const struct change *inverse,
               bool alone)
{
    struct watched *watched;

    switch (inverse->kind) {
    case CHANGE_FLUSH:
        mark_all_in(w, inverse->db, inverse->keyspace, data->db[inverse->db]);
        break;
    case CHANGE_SWAP:
        see_swap(w, data, inverse->db, inverse->other, alone);
        break;
    default:
        watched = find(w, inverse->db, inverse->key);
        if (watched != NULL && change_modifies_key(inverse)) {
            mark(watched);
        }
    }
}
