/* SCAN, HSCAN and SSCAN: the cursor, the options and the reply of all three. */
#ifndef COMMAND_SCAN_H
#define COMMAND_SCAN_H

#include "engine/call.h"

/* Is SCAN: of the selected database, with the cursor at argument 1. */
void scan_keys(struct call *c);

/* Is HSCAN or SSCAN: of the key at argument 1, with the cursor at 2. As in Redis,
 * the options are not looked at when the key is not there. */
void scan_collection(struct call *c, enum value_type type);

#endif
