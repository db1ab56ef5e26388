/* Writing to a part of a string. */
#ifndef COMMAND_OVERWRITE_H
#define COMMAND_OVERWRITE_H

#include "engine/call.h"

/* Writes over the string of `key` from `offset` on. If that is behind its end, zero
 * bytes fill the gap. `v` is what the key is bound to: a string, or NULL, and then
 * the key is bound to one. */
void string_overwrite(struct call *c, const struct value *v, struct bytes key, size_t offset,
                      struct bytes content);

#endif
