/* Digests: a number that is equal for equal contents. Tests compare what a
 * rollback left, and what a replica made, with what should be there.
 *
 * A digest is a sum, so it does not depend on the order of keys, of members of a
 * set or of fields of a hash. It depends on nothing that a client cannot see, and
 * is the same in every process. */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include "base/bytes.h"

struct value;
struct keyspace;

struct digest {
    uint64_t part[2];
};

enum { DIGEST_HEX = 40 }; /* As long as Redis's. */

/* Returns the digest of a value without its key, or of a whole keyspace. */
struct digest digest_value(const struct value *v);
struct digest digest_keyspace(const struct keyspace *keys);

/* What digests are made of: those of bytes and numbers, and one of two that depends
 * on both and on which comes first. */
struct digest digest_bytes(struct bytes b);
struct digest digest_number(uint64_t n);
struct digest digest_mix(struct digest a, struct digest b);

/* Adds `other`, which stands at place `place` (the number of a database). */
void digest_add(struct digest *sum, struct digest other, uint64_t place);

bool digest_equal(struct digest a, struct digest b);

/* Writes 40 hexadecimal digits and a terminating zero. */
void digest_hex(struct digest d, char out[DIGEST_HEX + 1]);

#endif
