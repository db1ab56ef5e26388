#include "store/list.h"

#include "base/mem.h"
#include "store/journal.h"
#include "test/lib/check.h"

/* A bound list of the numbers from 0 on, as texts that are no numbers. */
struct bound {
    struct dataset *data;
    struct journal journal;
};

static struct bytes element_text(size_t number, char text[32])
{
    snprintf(text, 32, "element %zu", number);
    return bytes_of(text);
}

static const struct value *list_of(const struct bound *b)
{
    return keyspace_find_any(b->data->db[0], BYTES("key"));
}

static void bound_open(struct bound *b, size_t count)
{
    struct value *list = value_new(VALUE_LIST, BYTES("key"), EXPIRES_NEVER);
    char text[32];

    *b = (struct bound){.data = dataset_new(1)};
    b->journal = (struct journal){.data = b->data, .keeps_undo = true, .keeps_redo = true};
    for (size_t i = 0; i < count; i++) {
        value_fill_element(list, element_text(i, text), &b->data->limits);
    }
    journal_make(&b->journal, change_bind(0, list));
    journal_commit(&b->journal);
}

static void bound_close(struct bound *b)
{
    journal_commit(&b->journal);
    journal_clear(&b->journal);
    dataset_free(b->data);
}

TEST(a_walk_begins_anywhere_and_goes_either_way)
{
    struct bound b;
    struct list_walk walk;
    struct bytes element;
    char text[32];
    size_t i = 1500;

    bound_open(&b, 3000);
    value_list_walk(list_of(&b), i, false, &walk);
    while (value_list_next(&walk, &element)) {
        CHECK(bytes_equal(element, element_text(i++, text)));
    }
    CHECK(i == 3000);
    i = 1500;
    value_list_walk(list_of(&b), i, true, &walk);
    while (value_list_next(&walk, &element)) {
        CHECK(bytes_equal(element, element_text(i--, text)));
    }
    CHECK(i == SIZE_MAX);
    value_list_walk(list_of(&b), 3000, false, &walk);
    CHECK(!value_list_next(&walk, &element));
    bound_close(&b);
}

TEST(a_search_ends_after_so_many_elements)
{
    struct bound b;
    struct list_walk walk;
    struct element wanted = element_of(BYTES("element 7"));
    size_t index = 0;

    bound_open(&b, 3000);
    value_list_walk(list_of(&b), 0, false, &walk);
    CHECK(!value_list_find(&walk, &wanted, 7, &index));
    value_list_walk(list_of(&b), 0, false, &walk);
    CHECK(value_list_find(&walk, &wanted, 8, &index));
    CHECK(index == 7);
    CHECK(!value_list_find(&walk, &wanted, SIZE_MAX, &index));
    value_list_walk(list_of(&b), 2999, true, &walk);
    CHECK(value_list_find(&walk, &wanted, SIZE_MAX, &index));
    CHECK(index == 7);
    bound_close(&b);
}

/* The chunks themselves are kept, and what tells of them is little. */
TEST(a_removal_of_many_can_be_undone_for_little_memory)
{
    struct bound b;
    struct digest before;
    struct journal_mark mark;
    size_t used;

    bound_open(&b, 100000);
    before = dataset_digest(b.data);
    used = mem_used();
    mark = journal_mark(&b.journal);
    journal_make(&b.journal, change_list_remove(0, BYTES("key"), -1, 49000));
    journal_make(&b.journal, change_list_remove(0, BYTES("key"), 0, 50000));
    CHECK(value_list_count(list_of(&b)) == 1000);
    CHECK(mem_used() < used + 100000);
    CHECK(b.journal.redo.len < 100);
    journal_rollback(&b.journal, mark);
    CHECK(digest_equal(dataset_digest(b.data), before));
    value_check(list_of(&b));
    bound_close(&b);
}

/* As the inverse of such a removal has them. */
TEST(many_elements_are_inserted_by_one_change)
{
    struct bound b;
    struct change c = change_list_insert(0, BYTES("key"), 1, (struct bytes){0});
    struct change got;
    struct bytes in, element;
    char text[32];
    BUF_LOCAL(encoded);

    bound_open(&b, 2);
    for (size_t i = 0; i < 1000; i++) {
        sequence_insert(&c.moved, i, element_text(i, text), list_chunk_limit(-2));
    }
    change_encode(&c, &encoded);
    in = buf_bytes(&encoded);
    CHECK(change_decode(&in, b.data, &got));
    CHECK(in.len == 0);
    change_make(b.data, &got, NULL, NULL);
    CHECK(value_list_count(list_of(&b)) == 1002);
    CHECK(value_list_at(list_of(&b), 1000, text, &element));
    CHECK(bytes_equal(element, BYTES("element 999")));
    for (size_t len = 0; len < encoded.len; len++) {
        in = (struct bytes){encoded.at, len};
        CHECK(!change_decode(&in, b.data, &got));
    }
    change_drop(&c);
    bound_close(&b);
}

TEST(an_index_counts_from_either_end)
{
    struct bound b;
    struct bytes element;
    char text[32];

    bound_open(&b, 3);
    journal_make(&b.journal, change_list_insert(0, BYTES("key"), -1, BYTES("last")));
    journal_make(&b.journal, change_list_insert(0, BYTES("key"), -2, BYTES("last but one")));
    journal_make(&b.journal, change_list_insert(0, BYTES("key"), 0, BYTES("first")));
    journal_make(&b.journal, change_list_replace(0, BYTES("key"), -4, BYTES("middle")));
    journal_make(&b.journal, change_list_remove(0, BYTES("key"), -5, 1));
    CHECK(value_list_count(list_of(&b)) == 5);
    value_list_at(list_of(&b), 0, text, &element);
    CHECK(bytes_equal(element, BYTES("first")));
    value_list_at(list_of(&b), 2, text, &element);
    CHECK(bytes_equal(element, BYTES("element 2")));
    value_list_at(list_of(&b), 3, text, &element);
    CHECK(bytes_equal(element, BYTES("last but one")));
    bound_close(&b);
}

TEST(chunks_are_as_large_as_the_setting_says)
{
    CHECK(list_chunk_limit(-1).bytes == 4096);
    CHECK(list_chunk_limit(-2).bytes == 8192);
    CHECK(list_chunk_limit(-5).bytes == 65536);
    CHECK(list_chunk_limit(INT32_MIN).bytes == 65536);
    CHECK(list_chunk_limit(-2).count == SIZE_MAX);
    CHECK(list_chunk_limit(0).count == 1);
    CHECK(list_chunk_limit(7).count == 7);
    CHECK(list_chunk_limit(INT32_MAX).bytes == 8192);
}

int main(void)
{
    return RUN(a_walk_begins_anywhere_and_goes_either_way, a_search_ends_after_so_many_elements,
               a_removal_of_many_can_be_undone_for_little_memory,
               many_elements_are_inserted_by_one_change, an_index_counts_from_either_end,
               chunks_are_as_large_as_the_setting_says);
}
