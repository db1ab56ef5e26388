/* What the commands on lists have in common. */
#ifndef COMMAND_LIST_H
#define COMMAND_LIST_H

#include "engine/call.h"
#include "store/list.h"

/* Removes elements, at an index as changes have it, and the key with the last of them.
 * Tells of it as `event`. */
void list_remove(struct call *c, struct bytes key, const struct value *list, int64_t index,
                 size_t count, const char *event);

/* Adds an element, not a view of this list, at one end. */
void list_push(struct call *c, struct bytes key, bool left, struct bytes element);

#endif
