/* Observers: what follows from changes, when they are final. Whoever listens is told
 * of all changes and notes of a batch, in their order; commands do not know of it. */
#ifndef ENGINE_OBSERVE_H
#define ENGINE_OBSERVE_H

#include <stdbool.h>

struct engine;

/* What kinds of notes there are. */
enum note_kind {
    NOTE_EVENT,         /* `name` has happened to the key `content`. */
    NOTE_MESSAGE,       /* `content` is published on the channel `name`, */
    NOTE_SHARD_MESSAGE, /* or the shard channel. */
    NOTE_FLUSH,         /* A database was flushed in which nothing was. */
    NOTE_READ,          /* The client of the batch has read the key `content`. */
};

/* Whether anybody listens to changes, so that undo must be kept for each batch. */
bool observe_wanted(const struct engine *e);

/* Tells the observers of the batch in the journal, which is final now. */
void observe_batch(struct engine *e);

#endif
