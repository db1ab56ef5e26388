/* A chunk: a short sequence of strings in one allocation, which has room at either
 * end, so that pushing and popping there moves nothing else. What a sequence is made
 * of (data/sequence.h).
 *
 * An integer that is written as number_format_int() would is kept as a number: in
 * one byte, three, or at most ten. Other strings cost their bytes and two more,
 * longer ones a little more. Every element can be read from the right as well. */
#ifndef DATA_CHUNK_H
#define DATA_CHUNK_H

#include "base/number.h"

/* What chunks and the nodes above them begin with. */
struct branch {
    uint32_t level : 8; /* 0: a chunk. */
    uint32_t count : 24;
};

struct chunk {
    struct branch branch; /* Its count is that of the elements. */
    uint32_t begin;       /* Where the first element is, */
    uint32_t end;         /* and where the last one ends, */
    uint32_t room;        /* in so many bytes. */
    unsigned char bytes[];
};

/* Up to where elements are added to a chunk that has some. */
struct chunk_limit {
    size_t bytes; /* Of the allocation. */
    size_t count;
};

/* An element ready to be written or looked for. Views the content. */
struct element {
    size_t size; /* Of all of it, in bytes. */
    uint8_t head_len;
    bool is_number;         /* All of it is in `head`. */
    unsigned char head[10]; /* Of a string: its length, which is mirrored behind it. */
    struct bytes content;
};

struct element element_of(struct bytes content);

/* Creates a chunk of one element. */
struct chunk *chunk_new(const struct element *e);
struct chunk *chunk_copy(const struct chunk *c);

static inline size_t chunk_used(const struct chunk *c)
{
    return c->end - c->begin;
}

/* Returns where the index-th element is, or the end of the last one for an index of
 * count. Walks from the nearer end. */
uint32_t chunk_select(const struct chunk *c, size_t index);

/* Returns the size of the element at, or before, an offset. */
uint32_t chunk_size_at(const struct chunk *c, uint32_t offset);
uint32_t chunk_size_before(const struct chunk *c, uint32_t offset);

/* Returns the element at an offset: a view of the chunk, or, if it is kept as a
 * number, of `text`. */
struct bytes chunk_get(const struct chunk *c, uint32_t offset, char text[NUMBER_INT_MAX]);
bool chunk_matches(const struct chunk *c, uint32_t offset, const struct element *e);

/* Returns whether an element should go into this chunk at `index`. It should not
 * where that would exceed the limit, or would move all elements again and again. */
bool chunk_accepts(const struct chunk *c, size_t index, const struct element *e,
                   struct chunk_limit limit);

/* Inserts before the index-th element. May move the chunk. */
void chunk_insert(struct chunk **c, size_t index, const struct element *e,
                  struct chunk_limit limit);

/* Removes elements, but not all. May move the chunk. */
void chunk_remove(struct chunk **c, size_t index, size_t count);

/* Returns a new chunk of some elements of this one. */
struct chunk *chunk_part(const struct chunk *c, size_t index, size_t count);

/* Adds the elements of another chunk at the end, and frees that. */
void chunk_join(struct chunk **c, struct chunk *right);

/* Gives back the room that is not needed, unless it is little. */
void chunk_trim(struct chunk **c);

void chunk_check(const struct chunk *c);

#endif
