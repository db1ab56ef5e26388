#include "base/buf.h"

#include "base/mem.h"
#include "test/lib/check.h"

TEST(an_empty_buffer_has_no_bytes_and_no_memory)
{
    size_t before = mem_used();
    struct buf b = {0};

    CHECK(buf_bytes(&b).len == 0);
    buf_add(&b, (struct bytes){NULL, 0});
    CHECK(mem_used() == before);
    buf_clear(&b);
}

TEST(what_is_added_stands_in_order)
{
    BUF_LOCAL(b);

    buf_add(&b, BYTES("one"));
    buf_add_byte(&b, ' ');
    buf_add(&b, BYTES("two"));
    buf_addf(&b, " %d %s", 3, "four");
    CHECK(bytes_equal(buf_bytes(&b), BYTES("one two 3 four")));
}

TEST(what_is_quoted_can_be_printed)
{
    BUF_LOCAL(b);

    buf_add_quoted(&b, BYTES(""));
    buf_add_quoted(&b, BYTES("a \\ \" ~ \n\r\t\a\b\0\x7f\xff"));
    CHECK(
        bytes_equal(buf_bytes(&b), BYTES("\"\"\"a \\\\ \\\" ~ \\n\\r\\t\\a\\b\\x00\\x7f\\xff\"")));
}

TEST(zero_bytes_are_bytes)
{
    BUF_LOCAL(b);

    buf_add(&b, BYTES("a\0b"));
    buf_add_byte(&b, '\0');
    CHECK(bytes_equal(buf_bytes(&b), BYTES("a\0b\0")));
}

TEST(reserved_room_is_there_and_not_yet_content)
{
    BUF_LOCAL(b);
    char *room;

    buf_add(&b, BYTES("abc"));
    room = buf_reserve(&b, 1000);
    CHECK(room == b.at + 3);
    CHECK(b.cap >= 1003);
    CHECK(b.len == 3);
    memset(room, 'd', 1000);
    b.len += 1000;
    CHECK(b.at[1002] == 'd');
    CHECK(b.at[2] == 'c');
}

TEST(a_growing_buffer_is_seldom_moved)
{
    BUF_LOCAL(b);
    size_t grown = 0;

    for (size_t i = 0; i < 100000; i++) {
        size_t cap = b.cap;
        buf_add_byte(&b, (char)(i % 251));
        grown += b.cap != cap ? 1 : 0;
    }
    CHECK(grown < 20);
    for (size_t i = 0; i < 100000; i++) {
        CHECK(b.at[i] == (char)(i % 251));
    }
}

TEST(formatted_text_may_be_long)
{
    BUF_LOCAL(b);

    buf_addf(&b, "%5000d", 7);
    buf_addf(&b, "%s", "");
    CHECK(b.len == 5000);
    CHECK(b.at[4998] == ' ');
    CHECK(b.at[4999] == '7');
}

TEST(a_cut_drops_the_end)
{
    BUF_LOCAL(b);

    buf_add(&b, BYTES("content"));
    buf_cut(&b, 7);
    CHECK(b.len == 7);
    buf_cut(&b, 4);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("cont")));
    buf_cut(&b, 0);
    CHECK(b.len == 0);
}

TEST(what_is_behind_a_dropped_front_moves_up)
{
    BUF_LOCAL(b);

    buf_drop_front(&b, 0);
    buf_add(&b, BYTES("content"));
    buf_drop_front(&b, 0);
    CHECK(b.len == 7);
    buf_drop_front(&b, 3);
    CHECK(bytes_equal(buf_bytes(&b), BYTES("tent")));
    buf_drop_front(&b, 4);
    CHECK(b.len == 0);
}

TEST(a_cleared_buffer_holds_no_memory_and_can_be_used_again)
{
    size_t before = mem_used();
    struct buf b = {0};

    buf_add(&b, BYTES("content"));
    buf_clear(&b);
    CHECK(mem_used() == before);
    CHECK(b.len == 0);
    buf_add(&b, BYTES("more"));
    CHECK(bytes_equal(buf_bytes(&b), BYTES("more")));
    buf_clear(&b);
}

int main(void)
{
    return RUN(an_empty_buffer_has_no_bytes_and_no_memory, what_is_added_stands_in_order,
               what_is_quoted_can_be_printed, zero_bytes_are_bytes,
               reserved_room_is_there_and_not_yet_content, a_growing_buffer_is_seldom_moved,
               formatted_text_may_be_long, a_cut_drops_the_end,
               what_is_behind_a_dropped_front_moves_up,
               a_cleared_buffer_holds_no_memory_and_can_be_used_again);
}
