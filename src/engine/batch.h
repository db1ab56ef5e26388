/* Batches: what one request of a client, with all that it calls, changes. A batch is
 * final as a whole. What the engine changes by itself, as it removes what has expired,
 * is a batch too. */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "base/bytes.h"
#include "engine/event.h"
#include "store/journal.h"

#include <stdbool.h>

struct engine;

/* Begins a batch. `keeps_undo` says that a part of it may have to be undone. */
void batch_begin(struct engine *e, bool keeps_undo);

/* Ends it: the observers are told, and it is final; if there is a log, that is what it
 * becomes by commit_reached(). */
void batch_end(struct engine *e);

/* Rolls back to a mark that was taken in the batch, or at its start. */
void batch_rollback(struct engine *e, struct journal_mark mark);

/* Removes a key in a batch of its own, which nobody has asked for, and tells of it as
 * `event`. */
void batch_remove_key(struct engine *e, unsigned db, enum event_class class, const char *event,
                      struct bytes key);

#endif
