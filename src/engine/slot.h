/* Hash slots: what cluster clients choose a server by. */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include "base/bytes.h"

enum { SLOTS = 16384 };

/* Returns the slot of a key. Keys with the same text between their first brace and the
 * closing one behind it are in the same slot. */
unsigned slot_of(struct bytes key);

#endif
