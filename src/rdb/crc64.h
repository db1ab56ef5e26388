/* The checksum at the end of RDB files and DUMP payloads: the CRC of 64 bits by
 * Jones, bits reflected. */
#ifndef RDB_CRC64_H
#define RDB_CRC64_H

#include "base/bytes.h"

/* Returns the checksum of what `crc` is the checksum of, and `more` behind it. That of
 * nothing is 0. May be called by any thread. */
uint64_t crc64(uint64_t crc, struct bytes more);

#endif
