#include "script/heap.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum {
    FINE_MAX = 1024, /* Up to here classes are 16 bytes apart, */
    FINE_CLASSES = 64,
    SMALL_MAX = 32 * 1024, /* and up to here four to a doubling. */
    CHUNK = 128 * 1024,
};

struct heap_chunk {
    struct heap_chunk *older;
    size_t size;
};

struct heap_large {
    struct heap_large *next;
    struct heap_large *previous;
};

_Static_assert(FINE_CLASSES + 4 * 5 == HEAP_CLASSES, "32 KiB is five doublings of 1 KiB");

/* Returns the class of a size, and rounds the size up to what the class holds. */
static unsigned class_of(size_t *size)
{
    unsigned shift, step;

    if (*size <= FINE_MAX) {
        step = (unsigned)((*size + 15) / 16);
        *size = step * 16;
        return step - 1;
    }
    shift = 63 - (unsigned)__builtin_clzl(*size - 1) - 2; /* A quarter of the doubling. */
    step = (unsigned)((*size - 1) >> shift) - 3;          /* 1 to 4 quarters above it. */
    *size = (size_t)(step + 4) << shift;
    return FINE_CLASSES + 4 * (shift - 8) + step - 1;
}

static size_t rounded(size_t size)
{
    if (size > 0 && size <= SMALL_MAX) {
        class_of(&size);
    }
    return size;
}

static void count(struct heap *h, size_t more)
{
    h->used += more;
    if (__builtin_expect(h->used > h->soft && h->soft != 0, 0)) {
        h->hungry(h->context);
    }
    if (__builtin_expect(h->used > h->limit && h->limit != 0, 0)) {
        h->over(h->context);
    }
    if (h->used > h->peak) {
        h->peak = h->used;
    }
}

static void *carve(struct heap *h, size_t size)
{
    if ((size_t)(h->end - h->at) < size) {
        struct heap_chunk *chunk = mem_alloc(CHUNK);
        chunk->older = h->chunks;
        chunk->size = CHUNK;
        h->chunks = chunk;
        h->at = (char *)chunk + 16;
        h->end = (char *)chunk + CHUNK;
        h->reserved += CHUNK;
    }
    h->at += size;
    return h->at - size;
}

static void *take_small(struct heap *h, size_t size)
{
    unsigned class = class_of(&size);
    void *block = h->free[class];

    if (block == NULL) {
        return carve(h, size);
    }
    memcpy(&h->free[class], block, sizeof(void *));
    return block;
}

static void give_small(struct heap *h, void *block, size_t size)
{
    unsigned class = class_of(&size);

    memcpy(block, &h->free[class], sizeof(void *));
    h->free[class] = block;
}

static void link_large(struct heap *h, struct heap_large *large)
{
    large->previous = NULL;
    large->next = h->large;
    if (h->large != NULL) {
        h->large->previous = large;
    }
    h->large = large;
}

static void unlink_large(struct heap *h, struct heap_large *large)
{
    if (large->previous != NULL) {
        large->previous->next = large->next;
    } else {
        h->large = large->next;
    }
    if (large->next != NULL) {
        large->next->previous = large->previous;
    }
}

static void *take(struct heap *h, size_t size)
{
    struct heap_large *large;

    if (size <= SMALL_MAX) {
        return take_small(h, size);
    }
    large = mem_alloc(sizeof *large + size);
    link_large(h, large);
    h->reserved += size;
    return large + 1;
}

static void give(struct heap *h, void *block, size_t size)
{
    struct heap_large *large;

    if (size <= SMALL_MAX) {
        give_small(h, block, size);
        return;
    }
    large = (struct heap_large *)block - 1;
    unlink_large(h, large);
    mem_free(large);
    h->reserved -= size;
}

static void *resize_large(struct heap *h, void *block, size_t old_size, size_t new_size)
{
    struct heap_large *large = (struct heap_large *)block - 1;

    unlink_large(h, large);
    large = mem_realloc(large, sizeof *large + new_size);
    link_large(h, large);
    h->reserved += new_size - old_size;
    return large + 1;
}

/* The count comes first: over() leaves, and then nothing may have been taken. */
void *heap_alloc(void *context, void *block, size_t old_size, size_t new_size)
{
    struct heap *h = context;
    void *fresh;

    if (new_size == 0) {
        if (block != NULL && old_size > 0) {
            h->used -= rounded(old_size);
            give(h, block, old_size);
        }
        return NULL;
    }
    if (block == NULL || old_size == 0) {
        count(h, rounded(new_size));
        return take(h, new_size);
    }
    if (rounded(old_size) == rounded(new_size)) {
        return block;
    }
    if (new_size > old_size) {
        count(h, rounded(new_size) - rounded(old_size));
    } else {
        h->used -= rounded(old_size) - rounded(new_size);
    }
    if (old_size > SMALL_MAX && new_size > SMALL_MAX) {
        return resize_large(h, block, old_size, new_size);
    }
    fresh = take(h, new_size);
    memcpy(fresh, block, old_size < new_size ? old_size : new_size);
    give(h, block, old_size);
    return fresh;
}

void heap_drop(struct heap *h)
{
    while (h->chunks != NULL) {
        struct heap_chunk *chunk = h->chunks;
        h->chunks = chunk->older;
        mem_free(chunk);
    }
    while (h->large != NULL) {
        struct heap_large *large = h->large;
        h->large = large->next;
        mem_free(large);
    }
    memset(h->free, 0, sizeof h->free);
    h->at = NULL;
    h->end = NULL;
    h->used = 0;
    h->reserved = 0;
}
