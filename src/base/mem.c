#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static size_t used;
static size_t peak;

__attribute__((noreturn, cold)) static void out_of_memory(size_t size)
{
    fprintf(stderr, "out of memory allocating %zu bytes\n", size);
    abort();
}

/* Two backends behind four functions. jemalloc tells sizes without looking at
 * the block; with the sanitizers we use the C library's, which they watch. */
#if MEM_JEMALLOC

#include <jemalloc/jemalloc.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x)  STRINGIFY_(x)

static void *take(size_t size, int flags)
{
    size_t asked = size == 0 ? 1 : size;
    void *block = mallocx(asked, flags);

    if (__builtin_expect(block == NULL, 0)) {
        out_of_memory(size);
    }
    used += nallocx(asked, flags);
    return block;
}

void *mem_alloc(size_t size)
{
    return take(size, 0);
}

void *mem_zalloc(size_t size)
{
    return take(size, MALLOCX_ZERO);
}

void *mem_alloc_aligned(size_t size, size_t align)
{
    return take(size, MALLOCX_ALIGN(align));
}

void mem_free(void *block)
{
    size_t size;

    if (block == NULL) {
        return;
    }
    size = sallocx(block, 0);
    used -= size;
    sdallocx(block, size, 0);
}

size_t mem_size(const void *block)
{
    return block == NULL ? 0 : sallocx(block, 0);
}

static void *resize(void *block, size_t size)
{
    return rallocx(block, size, 0);
}

static size_t read_size(const char *name)
{
    size_t size = 0;
    size_t len = sizeof size;

    mallctl(name, &size, &len, NULL, 0);
    return size;
}

void mem_details(struct mem_details *details)
{
    uint64_t epoch = 1; /* Written, it has the figures taken anew. */
    size_t len = sizeof epoch;

    mallctl("epoch", &epoch, &len, &epoch, len);
    details->allocated = read_size("stats.allocated");
    details->active = read_size("stats.active");
    details->resident = read_size("stats.resident");
}

bool mem_purge(void)
{
    mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    return mallctl("arena." STRINGIFY(MALLCTL_ARENAS_ALL) ".purge", NULL, NULL, NULL, 0) == 0;
}

void mem_purge_in_background(void)
{
    bool on = true;

    mallctl("background_thread", NULL, NULL, &on, sizeof on);
}

bool mem_print(void (*see)(void *context, const char *text), void *context)
{
    malloc_stats_print(see, context, "");
    return true;
}

const char *mem_allocator(void)
{
    return "jemalloc-" STRINGIFY(JEMALLOC_VERSION_MAJOR) "." STRINGIFY(
        JEMALLOC_VERSION_MINOR) "." STRINGIFY(JEMALLOC_VERSION_BUGFIX);
}

#else

#include <malloc.h>

static void *account(void *block, size_t size)
{
    if (block == NULL) {
        out_of_memory(size);
    }
    used += malloc_usable_size(block);
    return block;
}

void *mem_alloc(size_t size)
{
    return account(malloc(size), size);
}

void *mem_zalloc(size_t size)
{
    return account(calloc(1, size == 0 ? 1 : size), size);
}

void *mem_alloc_aligned(size_t size, size_t align)
{
    return account(aligned_alloc(align, (size + align - 1) / align * align), size);
}

void mem_free(void *block)
{
    if (block != NULL) {
        used -= malloc_usable_size(block);
        free(block);
    }
}

size_t mem_size(const void *block)
{
    return malloc_usable_size((void *)block);
}

static void *resize(void *block, size_t size)
{
    return realloc(block, size);
}

void mem_details(struct mem_details *details)
{
    *details = (struct mem_details){0};
}

bool mem_purge(void)
{
    return false;
}

void mem_purge_in_background(void)
{
}

bool mem_print(void (*see)(void *context, const char *text), void *context)
{
    (void)see;
    (void)context;
    return false;
}

const char *mem_allocator(void)
{
    return "libc";
}

#endif

void *mem_realloc(void *block, size_t size)
{
    if (block == NULL) {
        return mem_alloc(size);
    }
    if (size == 0) {
        size = 1;
    }
    used -= mem_size(block);
    block = resize(block, size);
    if (block == NULL) {
        out_of_memory(size);
    }
    used += mem_size(block);
    return block;
}

size_t mem_used(void)
{
    if (used > peak) {
        peak = used;
    }
    return used;
}

size_t mem_peak(void)
{
    mem_used();
    return peak;
}
