/* Batches: what one request of a client, with all that it calls, changes. A batch is
 * final as a whole. What the engine changes by itself, as it removes what has expired,
 * is a batch too. */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "base/bytes.h"
#include "engine/event.h"

#include <stdbool.h>

struct engine;

/* Begins a batch. `keeps_undo` says that a part of it may have to be undone. */
void batch_begin(struct engine *e, bool keeps_undo);

/* Ends it: its changes go to the log, if there is one, and the observers are told. */
void batch_end(struct engine *e);

/* Removes a key in a batch of its own, which nobody has asked for, and tells of it as
 * `event`. */
void batch_remove_key(struct engine *e, unsigned db, enum event_class class, const char *event,
                      struct bytes key);

#endif
