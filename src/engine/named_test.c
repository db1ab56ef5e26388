#include "engine/named.h"

#include "test/lib/check.h"

struct thing {
    struct named named;
    int number;
};

TEST(an_empty_table_takes_no_memory_and_answers)
{
    struct table_walk walk = {0};

    CHECK(named_find(NULL, BYTES("a")) == NULL);
    CHECK(named_find_key(NULL, 0, BYTES("a")) == NULL);
    CHECK(named_next(NULL, &walk) == NULL);
    CHECK(named_count(NULL) == 0);
}

TEST(an_item_is_made_once_and_found_by_its_name)
{
    struct table *t = NULL;
    struct thing *thing = named_find_or_add(&t, sizeof *thing, BYTES("a"));

    CHECK(thing->number == 0);
    CHECK(bytes_equal(thing->named.name, BYTES("a")));
    CHECK(named_find_or_add(&t, sizeof *thing, BYTES("a")) == thing);
    CHECK(named_find(t, BYTES("a")) == thing);
    CHECK(named_find(t, BYTES("")) == NULL);
    CHECK(named_count(t) == 1);
    named_remove(&t, thing);
}

TEST(the_table_goes_with_its_last_item)
{
    struct table *t = NULL;
    struct thing *empty = named_find_or_add(&t, sizeof *empty, BYTES(""));
    struct thing *other = named_find_or_add(&t, sizeof *other, BYTES("other"));

    named_remove(&t, empty);
    CHECK(named_find(t, BYTES("other")) == other);
    named_remove(&t, other);
    CHECK(t == NULL);
}

TEST(a_key_has_a_place_in_each_database)
{
    struct table *t = NULL;
    struct thing *first = named_find_or_add_key(&t, sizeof *first, 0, BYTES("k"));
    struct thing *last = named_find_or_add_key(&t, sizeof *last, 65535, BYTES("k"));

    CHECK(first != last);
    CHECK(named_find_key(t, 0, BYTES("k")) == first);
    CHECK(named_find_key(t, 65535, BYTES("k")) == last);
    CHECK(named_find_key(t, 1, BYTES("k")) == NULL);
    CHECK(named_db(last) == 65535);
    CHECK(bytes_equal(named_key(last), BYTES("k")));
    named_remove(&t, first);
    named_remove(&t, last);
}

int main(void)
{
    return RUN(an_empty_table_takes_no_memory_and_answers,
               an_item_is_made_once_and_found_by_its_name, the_table_goes_with_its_last_item,
               a_key_has_a_place_in_each_database);
}
