#include "base/arena.h"

#include "base/mem.h"
#include "test/lib/check.h"

/* More than a block of the arena holds. */
enum { HUGE_SIZE = 300 * 1024 };

TEST(what_it_gives_is_aligned_and_apart)
{
    struct arena a = {0};
    char *first = arena_alloc(&a, 3);
    char *second = arena_alloc(&a, 8);

    CHECK((uintptr_t)first % 8 == 0);
    CHECK(second == first + 8);
    CHECK(a.used == 16);
    arena_free(&a);
}

TEST(even_no_bytes_have_an_address)
{
    struct arena a = {0};

    CHECK(arena_alloc(&a, 0) != NULL);
    CHECK(a.used == 0);
    CHECK(arena_copy(&a, (struct bytes){NULL, 0}).at != NULL);
    arena_free(&a);
}

TEST(a_copy_is_independent_of_its_original)
{
    struct arena a = {0};
    char text[] = "text";
    struct bytes copy = arena_copy(&a, bytes_of(text));

    text[0] = 'n';
    CHECK(bytes_equal(copy, BYTES("text")));
    arena_free(&a);
}

TEST(many_allocations_keep_their_content)
{
    struct arena a = {0};
    unsigned char *at[1000];

    for (size_t i = 0; i < 1000; i++) {
        at[i] = arena_alloc(&a, i);
        memset(at[i], (int)(i & 255), i);
    }
    for (size_t i = 0; i < 1000; i++) {
        for (size_t j = 0; j < i; j++) {
            CHECK(at[i][j] == (i & 255));
        }
    }
    arena_free(&a);
}

TEST(what_is_larger_than_a_block_gets_its_own)
{
    struct arena a = {0};
    char *small = arena_alloc(&a, 8);
    char *huge = arena_alloc(&a, HUGE_SIZE);

    memset(small, 's', 8);
    memset(huge, 'h', HUGE_SIZE);
    CHECK(small[7] == 's');
    CHECK(a.used == 8 + HUGE_SIZE);
    arena_free(&a);
}

TEST(a_cut_gives_back_what_came_after_the_mark)
{
    struct arena a = {0};
    char *before = arena_alloc(&a, 8);
    struct arena_mark mark = arena_mark(&a);
    char *after = arena_alloc(&a, 8);

    memset(before, 'b', 8);
    arena_alloc(&a, HUGE_SIZE);
    arena_alloc(&a, HUGE_SIZE);
    arena_cut(&a, mark);

    CHECK(a.used == 8);
    CHECK(before[7] == 'b');
    CHECK(arena_alloc(&a, 8) == after);
    arena_free(&a);
}

TEST(a_cut_to_a_mark_in_an_unused_arena_gives_back_everything)
{
    struct arena a = {0};
    struct arena_mark mark = arena_mark(&a);
    char *first = arena_alloc(&a, 8);

    arena_alloc(&a, HUGE_SIZE);
    arena_cut(&a, mark);

    CHECK(a.used == 0);
    CHECK(arena_alloc(&a, 8) == first);
    arena_free(&a);
}

TEST(a_reset_keeps_one_block_of_ordinary_size)
{
    struct arena a = {0};
    char *first = arena_alloc(&a, 8);
    size_t one_block = mem_used();

    for (int i = 0; i < 100; i++) {
        arena_alloc(&a, 8000);
    }
    arena_reset(&a);

    CHECK(a.used == 0);
    CHECK(mem_used() == one_block);
    CHECK(arena_alloc(&a, 8) == first);
    arena_free(&a);
}

TEST(a_reset_keeps_no_huge_block)
{
    size_t before = mem_used();
    struct arena a = {0};

    arena_alloc(&a, HUGE_SIZE);
    arena_reset(&a);
    CHECK(mem_used() == before);
    CHECK(arena_alloc(&a, 8) != NULL);
    arena_free(&a);
}

TEST(a_freed_arena_holds_no_memory_and_can_be_used_again)
{
    size_t before = mem_used();
    struct arena a = {0};

    arena_alloc(&a, 8);
    arena_alloc(&a, HUGE_SIZE);
    arena_free(&a);
    CHECK(mem_used() == before);

    CHECK(arena_alloc(&a, 8) != NULL);
    arena_free(&a);
    CHECK(mem_used() == before);
}

int main(void)
{
    return RUN(what_it_gives_is_aligned_and_apart, even_no_bytes_have_an_address,
               a_copy_is_independent_of_its_original, many_allocations_keep_their_content,
               what_is_larger_than_a_block_gets_its_own, a_cut_gives_back_what_came_after_the_mark,
               a_cut_to_a_mark_in_an_unused_arena_gives_back_everything,
               a_reset_keeps_one_block_of_ordinary_size, a_reset_keeps_no_huge_block,
               a_freed_arena_holds_no_memory_and_can_be_used_again);
}
