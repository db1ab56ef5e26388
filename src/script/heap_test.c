#include "script/heap.h"

#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

#include <setjmp.h>
#include <string.h>

static void *take(struct heap *h, size_t size)
{
    return heap_alloc(h, NULL, 0, size);
}

static void give(struct heap *h, void *block, size_t size)
{
    heap_alloc(h, block, size, 0);
}

TEST(blocks_of_all_sizes_keep_their_content)
{
    enum { BLOCKS = 500, STEPS = 20000 };
    struct {
        unsigned char *at;
        size_t size;
        unsigned char mark;
    } block[BLOCKS] = {0};
    struct heap h = {0};
    struct random r;

    random_seed(&r, check_seed());
    for (size_t step = 0; step < check_rounds(STEPS); step++) {
        size_t i = random_below(&r, BLOCKS);
        size_t size = random_below(&r, 4) == 0 ? random_below(&r, 100000) : random_below(&r, 600);
        size_t kept = size < block[i].size ? size : block[i].size;

        block[i].at = heap_alloc(&h, block[i].at, block[i].size, size);
        for (size_t j = 0; j < kept; j += 37) {
            CHECK(block[i].at[j] == block[i].mark);
        }
        block[i].size = size;
        block[i].mark = (unsigned char)step;
        if (size > 0) {
            memset(block[i].at, block[i].mark, size);
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        give(&h, block[i].at, block[i].size);
    }
    CHECK(h.used == 0);
    heap_drop(&h);
    CHECK(mem_used() == 0);
}

TEST(dropping_the_heap_frees_what_is_in_use)
{
    struct heap h = {0};

    for (size_t size = 1; size < 200000; size = size * 5 / 4 + 1) {
        CHECK(take(&h, size) != NULL);
    }
    heap_drop(&h);
    CHECK(h.used == 0);
    CHECK(mem_used() == 0);
    CHECK(take(&h, 100) != NULL);
    heap_drop(&h);
}

TEST(blocks_of_one_class_are_used_again)
{
    struct heap h = {0};
    size_t reserved;

    give(&h, take(&h, 1), 1);
    reserved = h.reserved;
    for (size_t size = 1; size <= 16; size++) {
        for (int i = 0; i < 10000; i++) {
            give(&h, take(&h, size), size);
        }
    }
    CHECK(h.reserved == reserved);
    heap_drop(&h);
}

struct events {
    jmp_buf leave;
    int hungry;
};

static void note_hungry(void *context)
{
    struct events *e = context;

    e->hungry++;
}

static void leave(void *context)
{
    struct events *e = context;

    longjmp(e->leave, 1);
}

TEST(the_limit_is_told_before_anything_is_taken)
{
    static struct events e;
    static struct heap h;

    h = (struct heap){.limit = 10000, .soft = 5000, .over = leave, .hungry = note_hungry};
    h.context = &e;
    if (setjmp(e.leave) == 0) {
        for (int i = 0; i < 1000; i++) {
            take(&h, 100);
            CHECK(h.used <= 10000);
        }
        CHECK(false);
    }
    CHECK(e.hungry > 0);
    heap_drop(&h);
    CHECK(mem_used() == 0);
}

TEST(a_huge_request_is_over_the_limit)
{
    static struct events e;
    static struct heap h;

    h = (struct heap){.limit = 10000, .over = leave};
    h.context = &e;
    if (setjmp(e.leave) == 0) {
        take(&h, (size_t)1 << 50);
        CHECK(false);
    }
    heap_drop(&h);
    CHECK(mem_used() == 0);
}

int main(void)
{
    return RUN(blocks_of_all_sizes_keep_their_content, dropping_the_heap_frees_what_is_in_use,
               blocks_of_one_class_are_used_again, the_limit_is_told_before_anything_is_taken,
               a_huge_request_is_over_the_limit);
}
