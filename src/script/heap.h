/* The heap of the Lua VM: a memory allocator of its own, so that what scripts use
 * can be counted, capped, and thrown away whole.
 *
 * Lua tells the size of what it frees, so blocks carry no headers: small ones come
 * from free lists by size class, carved out of chunks; large ones are single
 * allocations in a list. */
#ifndef SCRIPT_HEAP_H
#define SCRIPT_HEAP_H

#include <stdbool.h>
#include <stddef.h>

enum { HEAP_CLASSES = 84 };

struct heap_chunk;
struct heap_large;

struct heap {
    size_t used; /* Bytes in blocks, as rounded up. */
    size_t peak;
    size_t limit; /* Used bytes beyond which `over` is called; 0: none. */
    size_t soft;  /* Used bytes beyond which `hungry` is called; 0: never. */

    /* over() does not return to the heap; hungry() does, and must not allocate. */
    void (*over)(void *context);
    void (*hungry)(void *context);
    void *context;

    void *free[HEAP_CLASSES];
    char *at, *end;  /* What is left of the newest chunk. */
    size_t reserved; /* Bytes in chunks and large blocks. */
    struct heap_chunk *chunks;
    struct heap_large *large;
};

/* As lua_Alloc; `context` is a struct heap. */
void *heap_alloc(void *context, void *block, size_t old_size, size_t new_size);

/* Frees all blocks at once; the limits stay. */
void heap_drop(struct heap *h);

#endif
