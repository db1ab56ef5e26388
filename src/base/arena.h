/* An arena: many small allocations that end together.
 *
 * Memory is taken by moving a pointer, and given back by moving it back to a
 * mark. What the arena gave out is aligned to 8 bytes. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* The newest; NULL in an arena never used. */
    char *at;
    char *end;
    size_t used; /* Bytes given out. */
};

struct arena_mark {
    struct arena_block *block;
    char *at;
    size_t used;
};

void *arena_alloc_slow(struct arena *a, size_t size);

/* Returns `size` bytes, never NULL, valid until the arena is cut to an older
 * mark or freed. A block that would be used up to its last byte counts as full,
 * so that an arena without a block has no room for 0 bytes either. */
static inline void *arena_alloc(struct arena *a, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (__builtin_expect((size_t)(a->end - a->at) <= size, 0)) {
        return arena_alloc_slow(a, size);
    }
    a->at += size;
    a->used += size;
    return a->at - size;
}

/* Copies bytes into the arena. */
static inline struct bytes arena_copy(struct arena *a, struct bytes b)
{
    char *copy = arena_alloc(a, b.len);

    if (b.len > 0) {
        memcpy(copy, b.at, b.len);
    }
    return (struct bytes){copy, b.len};
}

static inline struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->block, a->at, a->used};
}

/* Gives back everything taken since the mark. The first block is kept. */
void arena_cut(struct arena *a, struct arena_mark mark);

/* Gives back everything. One block of ordinary size is kept for the next use. */
void arena_reset(struct arena *a);

/* Frees all memory; the arena may be used again. */
void arena_free(struct arena *a);

#endif
