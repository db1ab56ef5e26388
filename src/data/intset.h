/* A set of integers: sorted, in one allocation, 2, 4 or 8 bytes each, as wide as
 * the widest member needs that it has had. What small sets of numbers are made
 * of.
 *
 * The owner keeps a `struct intset *`; functions that change the set may move
 * it. An empty set is NULL. */
#ifndef DATA_INTSET_H
#define DATA_INTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intset;

/* Frees the set. Does nothing when `s` is NULL. */
void intset_free(struct intset *s);

/* Returns an equal set that is the caller's, as narrow as its members allow. */
struct intset *intset_copy(const struct intset *s);

size_t intset_count(const struct intset *s);
bool intset_has(const struct intset *s, int64_t member);

/* Returns the index-th member in ascending order; index < count. */
int64_t intset_at(const struct intset *s, size_t index);

/* Adds a member that is not there, removes one that is. */
void intset_add(struct intset **s, int64_t member);
void intset_remove(struct intset **s, int64_t member);

/* Returns the bytes of memory that the set takes up. */
size_t intset_memory(const struct intset *s);

/* Asserts everything that must hold between two calls. O(n); for tests. */
void intset_check(const struct intset *s);

#endif
