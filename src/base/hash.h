/* Hashing of keys: SipHash-1-3 (Aumasson and Bernstein, 2012) under a key that
 * is drawn at start, so that nobody can choose keys that collide. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

/* Hashes under the key of this process. */
uint64_t hash_bytes(struct bytes b);

/* Hashes under a key of the caller's: the same everywhere, for digests. */
uint64_t hash_keyed(struct bytes b, uint64_t k0, uint64_t k1);

#endif
