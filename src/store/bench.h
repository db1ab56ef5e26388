/* Random changes, each of which is possible where the data is: for tests. */
#ifndef STORE_BENCH_H
#define STORE_BENCH_H

#include "base/random.h"
#include "store/journal.h"

enum { BENCH_DATABASES = 3, BENCH_KEYS = 5, BENCH_NOW_MS = 1000 };

/* All keys that are changed. */
extern const char *const bench_keys[BENCH_KEYS];

struct bench {
    struct dataset *data;
    struct dataset *follower; /* Makes the changes that are committed. */
    struct journal journal;
    struct random random;
};

void bench_open(struct bench *b, uint64_t seed);
void bench_close(struct bench *b);

/* True once in `n` times. */
bool bench_one_in(struct bench *b, uint64_t n);

/* Makes a change. */
void bench_change(struct bench *b);

#endif
