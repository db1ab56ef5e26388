/* Reclaiming: what is big is freed a piece at a time, so that nobody has to wait.
 *
 * Memory is counted without locks, so no other thread can do this; the loop does it
 * between requests. Who needs the memory at once asks for it. Like the count of memory,
 * what is waiting belongs to the process. */
#ifndef STORE_RECLAIM_H
#define STORE_RECLAIM_H

#include "data/table.h"

/* Frees a table and its items; at once if there are few. Takes `t`. As INFO counts
 * objects, each item is one if they are values, and otherwise all are one together. */
void reclaim_table(struct table *t, void (*free_item)(void *item), bool are_values);

/* Frees something in one piece, but not at once. */
void reclaim_whole(void *at, void (*free_whole)(void *at));

/* Frees about `items` items of what is waiting: pieces, until they are so many. Returns
 * whether there is more. */
bool reclaim_some(size_t items);

/* Frees all that is waiting. */
void reclaim_all(void);

/* Return how many objects are waiting, and how many were freed that did, since the
 * count was reset. */
size_t reclaim_pending(void);
uint64_t reclaim_done(void);
void reclaim_reset(void);

#endif
