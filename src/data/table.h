/* A hash table of items that know their own key: the keyspace, big hashes, big
 * sets.
 *
 * Extendible hashing (Fagin et al., 1979) over segments of up to 64 buckets; a
 * bucket is one cache line: 7 items and a one-byte tag for each. The table grows
 * by splitting one segment at a time, so that no insertion ever moves more than
 * a few hundred items, and it shrinks by merging two. Buckets lie in the order of
 * their items' hashes, whatever the table's size; that is what makes
 * table_scan() exact while the table grows and shrinks.
 *
 * The table holds pointers; it neither copies nor frees items. Keys are hashed
 * with hash_bytes(). */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include "base/bytes.h"
#include "base/random.h"

struct table;

struct table_type {
    struct bytes (*key)(const void *item);
};

struct table *table_new(const struct table_type *type);

/* Frees the table, and its items by `free_item` unless that is NULL. Does nothing
 * when `t` is NULL. */
void table_free(struct table *t, void (*free_item)(void *item));

/* Frees the next few hundred items of a table that nobody uses any more, or, when all are
 * gone, the table. *slot is 0 at first, and then not the caller's to change; *items becomes
 * how many they were. Returns false when the table is gone. */
bool table_free_piece(struct table *t, size_t *slot, void (*free_item)(void *item), size_t *items);

size_t table_count(const struct table *t);

/* Returns the item with this key, or NULL. */
void *table_find(const struct table *t, struct bytes key);

/* Calls what looking these keys up will need into the processor's cache: worth it
 * for keys that will be looked up soon, one after the other. */
enum { TABLE_PREFETCH = 16 }; /* So many at the most. */
void table_prefetch(const struct table *t, const struct bytes *keys, size_t count);

/* Puts an item in. Returns the item of the same key that it replaced, which is
 * the caller's now, or NULL. */
void *table_put(struct table *t, void *item);

/* Takes the item with this key out and returns it, or NULL if there is none. */
void *table_remove(struct table *t, struct bytes key);

/* Returns an item, each equally likely; NULL if there is none. */
void *table_random(const struct table *t, struct random *r);

/* Visits a few items (those of at least one bucket) and returns the cursor to go
 * on with; 0 when the walk is complete. Start with 0. An item that is in the
 * table all the while is visited at least once, however it grows and shrinks
 * between the calls; without such changes, exactly once. `visit` must not change
 * the table. Cursors of any value are accepted; those returned are below 2^48,
 * so that clients which keep them as floating point numbers lose nothing. */
uint64_t table_scan(const struct table *t, uint64_t cursor,
                    void (*visit)(void *item, void *context), void *context);

/* Walks all items of a table that does not change meanwhile:
 *
 *     struct table_walk walk = {0};
 *     while ((item = table_next(t, &walk)) != NULL) ...      */
struct table_walk {
    size_t segment;
    const void *bucket;
    unsigned index, slot;
};
void *table_next(const struct table *t, struct table_walk *walk);

/* Returns the bytes of memory that the table takes up, without its items. */
size_t table_memory(const struct table *t);

/* Asserts everything that must hold between two calls. O(n); for tests. */
void table_check(const struct table *t);

#endif
