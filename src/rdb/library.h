/* Libraries of functions as FUNCTION DUMP gives and FUNCTION RESTORE takes them. */
#ifndef RDB_LIBRARY_H
#define RDB_LIBRARY_H

#include "base/buf.h"
#include "store/texts.h"

/* Appends all the texts, sealed with a checksum. */
void rdb_dump_libraries(const struct texts *texts, struct buf *out);

/* Calls `take` for each text of a payload. Returns NULL, or what is wrong with the
 * payload; "" if `take` did not want a text. */
const char *rdb_restore_libraries(struct bytes payload,
                                  bool (*take)(struct bytes text, void *context), void *context);

#endif
