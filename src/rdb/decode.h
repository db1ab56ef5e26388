/* Reads values, in every encoding that Redis 2.8 to 7.4 writes. */
#ifndef RDB_DECODE_H
#define RDB_DECODE_H

#include "rdb/reader.h"
#include "store/value.h"

/* What the bytes do not say of a value. */
struct rdb_target {
    struct bytes key;
    int64_t expires_ms;
    const struct value_limits *limits;
};

/* Reads a value of one of enum rdb_type, the caller's. Returns NULL, with the problem
 * noted, if there is none, or anything about it is not in order. */
struct value *rdb_decode(struct rdb_reader *r, uint8_t type, const struct rdb_target *to);

/* The problem of a collection without elements, in which all else is in order. Old
 * versions of Redis could write one. */
extern const char rdb_empty[];

/* Takes the version and the checksum off the end of a payload. Returns false if they are
 * not in order. */
bool rdb_unseal(struct bytes payload, struct bytes *content);

/* Reads what DUMP has returned. */
enum rdb_restored {
    RDB_RESTORED,
    RDB_UNKNOWN, /* Of a newer version, or not what DUMP has returned at all. */
    RDB_DAMAGED,
};
enum rdb_restored rdb_restore(struct bytes payload, const struct rdb_target *to,
                              struct value **value);

#endif
