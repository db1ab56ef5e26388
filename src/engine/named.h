/* What has a name and belongs to a module: keys that are watched or waited for,
 * channels, prefixes.
 *
 * An item is a struct that begins with a struct named. Its table is there only while
 * something is in it: NULL is an empty one, so a module nobody uses costs a look at
 * one pointer. */
#ifndef ENGINE_NAMED_H
#define ENGINE_NAMED_H

#include "data/table.h"

struct buf;

struct named {
    struct bytes name; /* Behind the item itself, unless it came by named_put(). */
};

/* Returns the item of this name, or NULL. */
void *named_find(const struct table *t, struct bytes name);

/* The same, but makes the item if there is none: `size` bytes, zero but for the name.
 * The table owns it. */
void *named_find_or_add(struct table **t, size_t size, struct bytes name);

/* Enters an item that was allocated elsewhere, whose name somebody else keeps for as
 * long. There must be none of that name. It is the table's. */
void named_put(struct table **t, void *item);

/* Takes an item out and frees it. */
void named_remove(struct table **t, void *item);

size_t named_count(const struct table *t);

/* Walks the items, as table_next(). */
void *named_next(const struct table *t, struct table_walk *walk);

/* Items whose name is a key in a certain database. */
void *named_find_key(const struct table *t, unsigned db, struct bytes key);
void *named_find_or_add_key(struct table **t, size_t size, unsigned db, struct bytes key);
unsigned named_db(const void *item);
struct bytes named_key(const void *item);

#endif
