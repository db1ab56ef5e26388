/* What the commands on bits have in common. */
#ifndef COMMAND_BITMAP_H
#define COMMAND_BITMAP_H

#include "engine/call.h"

/* Reads argument `arg` as the place of a bit; if `width` is not 0, "#3" is the place
 * of the fourth number of so many bits. Returns false, having failed the call, if it
 * is none, or behind the end of the longest string that there may be. */
bool bitmap_offset(struct call *c, size_t arg, uint64_t width, uint64_t *offset);

#endif
