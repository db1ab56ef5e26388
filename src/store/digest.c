#include "store/digest.h"

#include "base/hash.h"
#include "store/keyspace.h"

#include <stdio.h>

/* Two independent hashes make a collision by chance unthinkable. */
struct digest digest_bytes(struct bytes b)
{
    return (struct digest){{
        hash_keyed(b, UINT64_C(0x6d6f6f6e6c617463), 1),
        hash_keyed(b, UINT64_C(0x6d6f6f6e6c617463), 2),
    }};
}

/* Numbers that depend on both operands and on which is which. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ (b >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    a = (a ^ (a >> 29) ^ b) * UINT64_C(0xbf58476d1ce4e5b9);
    return a ^ (a >> 32);
}

struct digest digest_mix(struct digest a, struct digest b)
{
    return (struct digest){{mix(a.part[0], b.part[0]), mix(a.part[1], b.part[1])}};
}

struct digest digest_number(uint64_t n)
{
    return (struct digest){{n, ~n}};
}

void digest_add(struct digest *sum, struct digest other, uint64_t place)
{
    struct digest placed = digest_mix(other, digest_number(place));

    sum->part[0] += placed.part[0];
    sum->part[1] += placed.part[1];
}

struct digest digest_keyspace(const struct keyspace *keys)
{
    struct digest sum = {{0}};
    struct table_walk walk = {0};
    const struct value *v;

    while ((v = keyspace_next(keys, &walk)) != NULL) {
        digest_add(&sum, digest_mix(digest_bytes(value_key(v)), digest_value(v)), 0);
    }
    return sum;
}

bool digest_equal(struct digest a, struct digest b)
{
    return a.part[0] == b.part[0] && a.part[1] == b.part[1];
}

void digest_hex(struct digest d, char out[DIGEST_HEX + 1])
{
    snprintf(out, DIGEST_HEX + 1, "%020llx%020llx", (unsigned long long)d.part[0],
             (unsigned long long)d.part[1]);
}
