/* Glob patterns as in KEYS and SCAN: * ? [a-z] [^x] and \ to quote. */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/bytes.h"

/* Returns whether `text` matches. Takes O(pattern * text) time at the worst,
 * whatever the pattern: on a mismatch only the last star is tried again. Gives up,
 * as no match, if that is too long: both would have to have many thousands of bytes. */
bool glob_match(struct bytes pattern, struct bytes text);

bool glob_match_nocase(struct bytes pattern, struct bytes text);

#endif
