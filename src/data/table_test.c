#include "data/table.h"

#include "base/mem.h"
#include "test/lib/check.h"

struct item {
    char name[12];
    size_t len;
    size_t number;
    size_t seen;
};

static size_t keys_read;

static struct bytes item_key(const void *item)
{
    const struct item *i = item;

    keys_read++;
    return (struct bytes){i->name, i->len};
}

static const struct table_type type = {item_key};

/* A table, and what should be in it. There are two items of each key, so that
 * one can replace the other. */
struct world {
    struct table *table;
    struct item *items;   /* Two for each key. */
    struct item **inside; /* By the key's number; NULL if the table has none. */
    size_t keys, count;
    struct random random;
};

static struct world world_new(size_t keys, uint64_t seed)
{
    struct world w = {
        .table = table_new(&type),
        .items = mem_zalloc(2 * keys * sizeof *w.items),
        .inside = mem_zalloc(keys * sizeof *w.inside),
        .keys = keys,
    };

    for (size_t i = 0; i < 2 * keys; i++) {
        struct item *item = &w.items[i];
        item->number = i / 2;
        item->len = (size_t)snprintf(item->name, sizeof item->name, "%zu", item->number);
    }
    random_seed(&w.random, seed);
    return w;
}

static void world_clear(struct world *w)
{
    table_free(w->table, NULL);
    mem_free(w->items);
    mem_free(w->inside);
}

static void world_put(struct world *w, size_t number)
{
    struct item *item = &w->items[2 * number + random_below(&w->random, 2)];

    CHECK(table_put(w->table, item) == w->inside[number]);
    w->count += w->inside[number] == NULL;
    w->inside[number] = item;
}

static void world_remove(struct world *w, size_t number)
{
    struct bytes key = item_key(&w->items[2 * number]);

    CHECK(table_remove(w->table, key) == w->inside[number]);
    w->count -= w->inside[number] != NULL;
    w->inside[number] = NULL;
}

static void world_fill(struct world *w)
{
    for (size_t i = 0; i < w->keys; i++) {
        world_put(w, i);
    }
}

static void world_check_key(struct world *w, size_t number)
{
    CHECK(table_find(w->table, item_key(&w->items[2 * number])) == w->inside[number]);
}

static void world_check_walk(struct world *w)
{
    struct table_walk walk = {0};
    struct item *item;
    size_t count = 0;

    while ((item = table_next(w->table, &walk)) != NULL) {
        CHECK(item == w->inside[item->number]);
        count++;
    }
    CHECK(count == w->count);
    CHECK(table_next(w->table, &walk) == NULL);
}

/* Checks more often where that costs little. */
static void world_check(struct world *w)
{
    CHECK(table_count(w->table) == w->count);
    if (random_below(&w->random, 1 + w->count / 16) == 0) {
        table_check(w->table);
        world_check_walk(w);
    }
}

/* Changes one key at random. Of 10 changes, `puts` put an item in. */
static void world_step(struct world *w, size_t number, size_t puts)
{
    if (random_below(&w->random, 10) < puts) {
        world_put(w, number);
    } else {
        world_remove(w, number);
    }
}

TEST(new_table_is_empty)
{
    struct table *t = table_new(&type);
    struct table_walk walk = {0};
    struct random random;

    random_seed(&random, 1);
    table_check(t);
    CHECK(table_count(t) == 0);
    CHECK(table_find(t, BYTES("1")) == NULL);
    CHECK(table_remove(t, BYTES("1")) == NULL);
    CHECK(table_random(t, &random) == NULL);
    CHECK(table_next(t, &walk) == NULL);
    CHECK(table_scan(t, 0, NULL, NULL) == 0);
    table_free(t, NULL);
    table_free(NULL, NULL);
}

TEST(item_replaces_one_of_the_same_key)
{
    struct table *t = table_new(&type);
    struct item old = {"key", .len = 3};
    struct item young = {"key", .len = 3};

    CHECK(table_put(t, &old) == NULL);
    CHECK(table_put(t, &young) == &old);
    CHECK(table_count(t) == 1);
    CHECK(table_find(t, BYTES("key")) == &young);
    CHECK(table_remove(t, BYTES("key")) == &young);
    CHECK(table_count(t) == 0);
    table_free(t, NULL);
}

TEST(key_may_be_empty_or_binary)
{
    struct table *t = table_new(&type);
    struct item empty = {.len = 0};
    struct item zero = {"\0", .len = 1};
    struct item zeros = {"\0\0", .len = 2};

    CHECK(table_put(t, &empty) == NULL);
    CHECK(table_put(t, &zero) == NULL);
    CHECK(table_put(t, &zeros) == NULL);
    CHECK(table_find(t, BYTES("")) == &empty);
    CHECK(table_find(t, (struct bytes){NULL, 0}) == &empty);
    CHECK(table_find(t, BYTES("\0")) == &zero);
    CHECK(table_find(t, BYTES("\0\0")) == &zeros);
    table_free(t, NULL);
}

TEST(random_changes_agree_with_a_model)
{
    struct world w = world_new(1500, check_seed());
    size_t puts = 7;

    for (size_t i = 0; i < check_rounds(60000); i++) {
        if (random_below(&w.random, 3000) == 0) {
            puts = random_below(&w.random, 11);
        }
        world_step(&w, random_below(&w.random, w.keys), puts);
        world_check_key(&w, random_below(&w.random, w.keys));
        world_check(&w);
    }
    world_clear(&w);
}

static void count_visit(void *item, void *context)
{
    size_t *visits = context;

    ((struct item *)item)->seen++;
    ++*visits;
}

static void check_scan_is_exact(struct world *w, size_t times)
{
    uint64_t cursor = 0;
    uint64_t last;
    size_t visits = 0;

    do {
        last = cursor;
        cursor = table_scan(w->table, cursor, count_visit, &visits);
        CHECK(cursor == 0 || cursor > last);
        CHECK(cursor < (uint64_t)1 << 48);
    } while (cursor != 0);
    CHECK(visits == w->count);
    for (size_t i = 0; i < w->keys; i++) {
        CHECK(w->inside[i] == NULL || w->inside[i]->seen == times);
    }
}

TEST(scan_sees_each_item_once_while_nothing_changes)
{
    struct world w = world_new(700, check_seed());

    for (size_t i = 0; i < w.keys; i++) {
        world_put(&w, i);
        w.inside[i]->seen = i;
        check_scan_is_exact(&w, i + 1);
    }
    world_clear(&w);
}

/* Of the keys, every eighth is in the table all the while. */
static void scan_during_changes(struct world *w)
{
    uint64_t cursor = 0;
    size_t visits = 0;

    for (size_t i = 0; i < w->keys; i++) {
        w->items[2 * i].seen = w->items[2 * i + 1].seen = 0;
    }
    do {
        size_t puts = 10 * random_below(&w->random, 2);
        cursor = table_scan(w->table, cursor, count_visit, &visits);
        for (size_t i = random_below(&w->random, w->keys); i > 0; i--) {
            size_t number = random_below(&w->random, w->keys);
            if (number % 8 != 0) {
                world_step(w, number, puts);
            }
        }
    } while (cursor != 0);
    for (size_t i = 0; i < w->keys; i += 8) {
        CHECK(w->inside[i]->seen > 0);
    }
}

TEST(scan_misses_nothing_while_the_table_grows_and_shrinks)
{
    struct world w = world_new(1000, check_seed());

    for (size_t i = 0; i < w.keys; i += 8) {
        world_put(&w, i);
    }
    for (size_t i = 0; i < check_rounds(20); i++) {
        scan_during_changes(&w);
    }
    world_clear(&w);
}

TEST(scan_accepts_any_cursor)
{
    struct world w = world_new(1000, check_seed());
    size_t visits = 0;

    world_fill(&w);
    for (int i = 0; i < 1000; i++) {
        table_scan(w.table, random_next(&w.random), count_visit, &visits);
    }
    table_scan(w.table, UINT64_MAX, count_visit, &visits);
    CHECK(visits > 1000);
    world_clear(&w);
}

/* Draws each item 50 times on average, and expects the squares of the
 * differences to sum up to what chance would make of it: `count - 1` with a
 * deviation of the square root of twice that. The bound is seven of them off,
 * as the layout differs from run to run. */
static void check_random_is_uniform(struct world *w)
{
    double sum = 0;
    double freedom = (double)w->count - 1;

    for (size_t i = 0; i < 2 * w->keys; i++) {
        w->items[i].seen = 0;
    }
    for (size_t i = 0; i < 50 * w->count; i++) {
        struct item *item = table_random(w->table, &w->random);
        item->seen++;
    }
    for (size_t i = 0; i < w->keys; i++) {
        if (w->inside[i] != NULL) {
            double off = (double)w->inside[i]->seen - 50;
            sum += off * off / 50;
        }
    }
    CHECK((sum - freedom) * (sum - freedom) < 7 * 7 * 2 * freedom);
}

TEST(each_item_is_drawn_as_often)
{
    for (size_t count = 2; count <= 2048; count *= 4) {
        struct world w = world_new(count, 1);

        world_fill(&w);
        check_random_is_uniform(&w);
        world_clear(&w);
    }
}

/* Removes items in the order in which they lie, until `left` are left. */
static void remove_in_order(struct world *w, size_t left)
{
    while (w->count > left) {
        struct table_walk walk = {0};
        struct item *item = table_next(w->table, &walk);

        world_remove(w, item->number);
        world_check(w);
    }
}

TEST(each_item_is_drawn_as_often_from_a_lopsided_table)
{
    struct world w = world_new(2048, 1);

    world_fill(&w);
    for (size_t left = 1024; left >= 4; left /= 4) {
        remove_in_order(&w, left);
        check_random_is_uniform(&w);
    }
    world_clear(&w);
}

TEST(scan_steps_over_empty_buckets)
{
    struct world w = world_new(2048, check_seed());
    uint64_t cursor = 0;
    size_t visits = 0;
    size_t calls = 0;

    world_fill(&w);
    remove_in_order(&w, 8);
    do {
        cursor = table_scan(w.table, cursor, count_visit, &visits);
        calls++;
    } while (cursor != 0);
    CHECK(visits == 8);
    CHECK(calls <= 24);
    world_clear(&w);
}

TEST(emptied_table_is_as_small_as_a_new_one)
{
    struct world w = world_new(3000, check_seed());
    size_t small = table_memory(w.table);

    world_fill(&w);
    remove_in_order(&w, 0);
    CHECK(table_memory(w.table) == small);

    world_fill(&w);
    for (size_t i = 0; i < w.keys; i++) {
        world_remove(&w, i);
        world_check(&w);
    }
    CHECK(table_memory(w.table) == small);
    world_clear(&w);
}

static void free_item(void *item)
{
    mem_free(item);
}

TEST(all_memory_is_counted_and_given_back)
{
    size_t before = mem_used();
    struct table *t = table_new(&type);
    size_t items = 0;

    for (int i = 0; i < 5000; i++) {
        struct item *item = mem_zalloc(sizeof *item);
        item->len = (size_t)snprintf(item->name, sizeof item->name, "%d", i);
        CHECK(table_put(t, item) == NULL);
        items += mem_size(item);
    }
    CHECK(table_memory(t) <= mem_used() - before - items);
    CHECK(table_memory(t) * 8 / 7 >= mem_used() - before - items);
    table_free(t, free_item);
    CHECK(mem_used() == before);
}

/* One segment has at most 416 items; some room for false matches of the tags. */
enum { PUT_MAX = 416 + 32 };

TEST(large_table_grows_in_small_steps)
{
    struct world w = world_new(100000, check_seed());

    for (size_t i = 0; i < w.keys; i++) {
        keys_read = 0;
        world_put(&w, i);
        CHECK(keys_read <= PUT_MAX);
    }
    table_check(w.table);
    world_check_walk(&w);
    for (size_t i = 0; i < w.keys; i++) {
        world_check_key(&w, i);
    }
    for (size_t i = 0; i < w.keys; i++) {
        world_remove(&w, i);
    }
    table_check(w.table);
    world_clear(&w);
}

int main(void)
{
    return RUN(new_table_is_empty, item_replaces_one_of_the_same_key, key_may_be_empty_or_binary,
               random_changes_agree_with_a_model, scan_sees_each_item_once_while_nothing_changes,
               scan_misses_nothing_while_the_table_grows_and_shrinks, scan_accepts_any_cursor,
               each_item_is_drawn_as_often, each_item_is_drawn_as_often_from_a_lopsided_table,
               scan_steps_over_empty_buckets, emptied_table_is_as_small_as_a_new_one,
               all_memory_is_counted_and_given_back, large_table_grows_in_small_steps);
}
