/* Deadlocks: requests that wait for each other in a circle.
 *
 * Who waits in order may say as whom, by an *owner*, and by which owners what it waits for
 * is held. What stands before the last '/' of an owner is its *party*: one flow of control,
 * which gives nothing back while it waits. A request waits for the holders that it has named,
 * if it is the oldest, and else for those before it. */
#ifndef ENGINE_DEADLOCK_H
#define ENGINE_DEADLOCK_H

#include "engine/block.h"

struct buf;

/* Notes as whom a wait waits; forgets it. */
void deadlock_join(struct waiting *w, struct wait *wait);
void deadlock_leave(struct waiting *w, struct wait *wait);

/* Returns whether a call that waited so would close a circle, and appends to *circle what that
 * is: "a/1 -> key -> b/1 -> key -> a/2". Circles longer than DEADLOCK_DEPTH are not found. */
enum { DEADLOCK_DEPTH = 64 };
bool deadlock_would_be(const struct call *c, const struct block *b, struct buf *circle);

#endif
