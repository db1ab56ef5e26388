/* Writes values, in the encodings that Redis 7.0 reads. */
#ifndef RDB_ENCODE_H
#define RDB_ENCODE_H

#include "rdb/writer.h"
#include "store/value.h"

/* Returns the number of enum rdb_type that rdb_encode() writes a value as. */
uint8_t rdb_type_of(const struct value *v);

/* Returns the version that a reader must know to read a value. */
int rdb_version_for(const struct value *v);

/* Writes a value without its key, type and expiry. */
void rdb_encode(struct rdb_writer *w, const struct value *v);

/* Ends a payload that begins at `start` of what was written to memory: with the version
 * and the checksum that RESTORE asks for. */
void rdb_seal(struct rdb_writer *w, size_t start, uint16_t version);

/* Appends what DUMP returns, and RESTORE takes. */
void rdb_dump(const struct value *v, bool compresses, struct buf *out);

#endif
