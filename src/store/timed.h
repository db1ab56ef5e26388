/* Hashes of which fields expire: a table of fields, and a tree of those that have a
 * time, by when. For the files that implement hashes.
 *
 * Functions that take `now_ms` see no field that has expired by then; 0 sees all. */
#ifndef STORE_TIMED_H
#define STORE_TIMED_H

#include "base/random.h"
#include "data/table.h"

#include <stdbool.h>

struct field;
struct timed;

struct timed *timed_new(void);
void timed_free(struct timed *t);
struct timed *timed_copy(const struct timed *t);

size_t timed_count(const struct timed *t, int64_t now_ms);
const struct field *timed_find(const struct timed *t, struct bytes name, int64_t now_ms);

/* Returns a field, each equally likely; there must be one. */
const struct field *timed_random(const struct timed *t, struct random *r, int64_t now_ms);

/* As table_next() and table_scan(). */
const struct field *timed_next(const struct timed *t, struct table_walk *walk, int64_t now_ms);
uint64_t timed_scan(const struct timed *t, uint64_t cursor, int64_t now_ms,
                    void (*visit)(const struct field *f, void *context), void *context);

/* Returns when a field expires, or EXPIRES_NEVER. */
int64_t timed_expires_ms(const struct field *f);

/* Returns the field that expires first, or NULL if none does. */
const struct field *timed_first(const struct timed *t);

/* Sets the content of a field. It goes on to expire when it did; a new one never. */
void timed_set(struct timed *t, struct bytes name, struct bytes content);

/* Sets when a field expires that is there. */
void timed_retime(struct timed *t, struct bytes name, int64_t expires_ms);

/* Takes out a field that is there: it is the caller's, to be freed or put back. */
struct field *timed_take(struct timed *t, struct bytes name);
void timed_put(struct timed *t, struct field *f);

size_t timed_memory(const struct timed *t, size_t samples);
void timed_check(const struct timed *t);

#endif
