/* A sequence of strings, found by their index: what lists are made of.
 *
 * It is a counted B+tree whose leaves are chunks (data/chunk.h): pushing and popping
 * at either end takes constant time, all else O(log n) and a walk within one chunk.
 * A short one is a single chunk. No operation on one element moves more than a
 * chunk or a node.
 *
 * The owner keeps a `struct sequence *`; functions that change it may move it, and
 * take a pointer to that pointer. An empty sequence is NULL. */
#ifndef DATA_SEQUENCE_H
#define DATA_SEQUENCE_H

#include "data/chunk.h"

struct sequence;

/* Frees the sequence. Does nothing when `s` is NULL. */
void sequence_free(struct sequence *s);

/* Returns an equal sequence that is the caller's. */
struct sequence *sequence_copy(const struct sequence *s);

size_t sequence_count(const struct sequence *s);

/* Inserts before the index-th element, at the end if `index` is the count. `content`
 * must not be a view of the sequence. */
void sequence_insert(struct sequence **s, size_t index, struct bytes content,
                     struct chunk_limit limit);

/* Removes `count` elements from `index` on, which must be there. If `removed` is not
 * NULL, they are moved to the end of that sequence; chunks are not copied. */
void sequence_remove(struct sequence **s, size_t index, size_t count, struct sequence **removed);

/* Gives an element another content, not a view of the sequence. */
void sequence_replace(struct sequence **s, size_t index, struct bytes content,
                      struct chunk_limit limit);

/* Moves all of `other` into the sequence, before its index-th element. */
void sequence_insert_all(struct sequence **s, size_t index, struct sequence *other);

/* A position. Valid until the sequence next changes. */
struct sequence_at {
    const struct sequence *sequence;
    const struct chunk *chunk; /* NULL: outside of the sequence, at either end. */
    uint32_t offset;           /* In the chunk. */
    size_t index;              /* In the sequence. */
};

struct sequence_at sequence_seek(const struct sequence *s, size_t index);
void sequence_next(struct sequence_at *at);
void sequence_previous(struct sequence_at *at);

/* Returns the element there. A view of the sequence, or of `text` if it is a number. */
struct bytes sequence_get(const struct sequence_at *at, char text[NUMBER_INT_MAX]);

/* Moves on, forwards or backwards, to the first element from `at` (itself included)
 * that is equal to `e`, but over no more than `most` elements. Returns false if there
 * is none. */
bool sequence_find(struct sequence_at *at, bool backwards, const struct element *e, size_t most);

/* Returns the bytes of memory that the sequence takes up. */
size_t sequence_memory(const struct sequence *s);

/* Asserts everything that must hold between two calls. O(n); for tests. */
void sequence_check(const struct sequence *s);

#endif
