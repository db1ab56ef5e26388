#include "base/arena.h"

#include "base/mem.h"

#include <assert.h>

enum { BLOCK_SIZE = 64 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t size;
    char data[];
};

void *arena_alloc_slow(struct arena *a, size_t size)
{
    size_t room = size > BLOCK_SIZE - sizeof(struct arena_block)
                      ? size
                      : BLOCK_SIZE - sizeof(struct arena_block);
    struct arena_block *block = mem_alloc(sizeof *block + room);

    block->older = a->block;
    block->size = room;
    a->block = block;
    a->at = block->data + size;
    a->end = block->data + room;
    a->used += size;
    return block->data;
}

static void drop_newest(struct arena *a)
{
    struct arena_block *block = a->block;

    a->block = block->older;
    mem_free(block);
}

void arena_cut(struct arena *a, struct arena_mark mark)
{
    if (mark.block == NULL) {
        arena_reset(a);
        return;
    }
    while (a->block != mark.block) {
        assert(a->block != NULL);
        drop_newest(a);
    }
    a->at = mark.at;
    a->end = a->block->data + a->block->size;
    a->used = mark.used;
}

void arena_reset(struct arena *a)
{
    while (a->block != NULL &&
           (a->block->older != NULL || a->block->size > BLOCK_SIZE - sizeof *a->block)) {
        drop_newest(a);
    }
    a->at = a->block == NULL ? NULL : a->block->data;
    a->end = a->block == NULL ? NULL : a->block->data + a->block->size;
    a->used = 0;
}

void arena_free(struct arena *a)
{
    while (a->block != NULL) {
        drop_newest(a);
    }
    *a = (struct arena){0};
}
