/* Memory: allocation that cannot fail, and a count of what is in use.
 *
 * Running out of memory is not handled call by call. The engine refuses writes
 * while mem_used() is over the limit (see engine/dispatch.c); past that point
 * the process stops. So no function in this program returns "out of memory".
 *
 * The count is kept without locks: only the executor thread may call these. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Returns `size` bytes, never NULL. The content is undefined. */
__attribute__((malloc, alloc_size(1), returns_nonnull)) void *mem_alloc(size_t size);

/* Returns `size` bytes set to zero, never NULL. */
__attribute__((malloc, alloc_size(1), returns_nonnull)) void *mem_zalloc(size_t size);

/* Returns `size` bytes at a multiple of `align` (a power of two), never NULL. */
__attribute__((malloc, alloc_size(1), returns_nonnull)) void *mem_alloc_aligned(size_t size,
                                                                                size_t align);

/* Resizes a block as realloc() does, and never returns NULL. */
__attribute__((alloc_size(2), returns_nonnull)) void *mem_realloc(void *block, size_t size);

/* Frees a block. Does nothing when `block` is NULL. */
void mem_free(void *block);

/* Returns how many bytes a block really takes up; 0 for NULL. */
size_t mem_size(const void *block);

/* Hands over what a variable owns: gives its value, and sets it to NULL. */
#define TAKE(variable)                                                                             \
    ({                                                                                             \
        __typeof__(variable) taken_ = (variable);                                                  \
        (variable) = NULL;                                                                         \
        taken_;                                                                                    \
    })

/* Returns how many bytes are allocated now. */
size_t mem_used(void);

/* Returns the most that mem_used() has been when somebody asked. */
size_t mem_peak(void);

/* What the allocator holds, for all of the process; without jemalloc nothing is known,
 * and all is 0. */
struct mem_details {
    size_t allocated; /* Bytes asked for, */
    size_t active;    /* in pages that are in use, */
    size_t resident;  /* and all pages in memory. */
};
void mem_details(struct mem_details *details);

/* Gives memory that is not in use back to the system. Returns false without jemalloc. */
bool mem_purge(void);

/* Has a thread of the allocator's own give free pages back to the system, which otherwise
 * whoever frees something does now and then, for milliseconds. */
void mem_purge_in_background(void);

/* Calls `see` with the parts of the allocator's own report. Returns false without
 * jemalloc. */
bool mem_print(void (*see)(void *context, const char *text), void *context);

/* Returns the allocator's name and version, as INFO shows it. */
const char *mem_allocator(void);

#endif
