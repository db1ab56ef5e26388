/* Random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by the caller
 * or by the system. Not for secrets: those come from random_secret(). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* Starts a sequence. The same seed gives the same numbers. */
void random_seed(struct random *r, uint64_t seed);

uint64_t random_next(struct random *r);

/* Returns a number below `bound`, which is not 0, each equally likely. */
uint64_t random_below(struct random *r, uint64_t bound);

/* Fills a buffer with bytes that nobody can guess. */
void random_secret(void *out, size_t len);

#endif
