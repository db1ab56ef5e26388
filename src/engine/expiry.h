/* Expiry: removing what has expired. For all who look it is gone already; its removal is
 * a batch of the engine's own. A server that does not lead removes nothing: it is told
 * by the leader. */
#ifndef ENGINE_EXPIRY_H
#define ENGINE_EXPIRY_H

#include "base/bytes.h"

struct engine;

/* Removes keys and fields that have expired, for at most `budget_us`. Returns whether
 * there may be more. */
bool expiry_run(struct engine *e, int64_t budget_us);

/* Removes a key if it has expired, though nobody asked for it. */
void expiry_remove(struct engine *e, unsigned db, struct bytes key);

/* Has a key removed behind the request at work, if it has expired: so those who watch
 * and track it learn of that as soon as anybody does. */
void expiry_note_stale(struct engine *e, unsigned db, struct bytes key);

/* Removes those. Not inside a batch. */
void expiry_remove_stale(struct engine *e);

#endif
