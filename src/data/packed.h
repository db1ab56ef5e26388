/* A packed array: a sequence of short strings in one allocation, searched from
 * the front. What small hashes, sets, sorted sets and lists are made of.
 *
 * An element costs its bytes and two more (its length, and its length again
 * behind it, to walk backwards); longer elements a little more. The owner keeps
 * a `struct packed *`; functions that change the array may move it, and take a
 * pointer to that pointer. An empty array is NULL.
 *
 * A hash is an array of pairs: functions with a `stride` look at every stride-th
 * element, so that a value is never mistaken for a field. */
#ifndef DATA_PACKED_H
#define DATA_PACKED_H

#include "base/bytes.h"

struct packed;

/* Frees the array. Does nothing when `p` is NULL. */
void packed_free(struct packed *p);

/* Returns an equal array that is the caller's. */
struct packed *packed_copy(const struct packed *p);

size_t packed_count(const struct packed *p);

/* Returns how many bytes the elements take up. */
size_t packed_size(const struct packed *p);

/* A position: the offset of an element. PACKED_NONE is no position. Valid until
 * the array next changes. */
typedef uint32_t packed_at;
#define PACKED_NONE UINT32_MAX

packed_at packed_first(const struct packed *p);
packed_at packed_last(const struct packed *p);
packed_at packed_next(const struct packed *p, packed_at at);
packed_at packed_previous(const struct packed *p, packed_at at);

/* Returns the index-th element, or PACKED_NONE. Walks from the nearer end. */
packed_at packed_select(const struct packed *p, size_t index);

/* Returns the element there, viewed until the array next changes. */
struct bytes packed_get(const struct packed *p, packed_at at);

/* Returns the first element equal to `element` among the first, the stride-th,
 * the 2*stride-th ..., or PACKED_NONE. */
packed_at packed_find(const struct packed *p, struct bytes element, size_t stride);

/* Inserts `count` elements before `at`, at the end if that is PACKED_NONE. The
 * elements must not be views of this array. */
void packed_insert(struct packed **p, packed_at at, const struct bytes *elements, size_t count);

/* Removes `count` elements from `at` on, which must be there. */
void packed_remove(struct packed **p, packed_at at, size_t count);

/* Gives the element there another content, not a view of this array. */
void packed_replace(struct packed **p, packed_at at, struct bytes content);

/* Returns the bytes of memory that the array takes up. */
size_t packed_memory(const struct packed *p);

/* Asserts everything that must hold between two calls. O(n); for tests. */
void packed_check(const struct packed *p);

#endif
