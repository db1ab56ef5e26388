/* The checksum in libraft's files: the CRC of 32 bits with the polynomial of Ethernet,
 * highest bit first, beginning with 0 and not inverted. Any thread. */
#ifndef REPLICA_CRC32_H
#define REPLICA_CRC32_H

#include "base/bytes.h"

/* Returns the checksum of what `crc` is the checksum of, and `more` behind it. That of
 * nothing is 0. */
uint32_t crc32_of(uint32_t crc, struct bytes more);

#endif
