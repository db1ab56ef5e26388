#include "data/tree.h"

#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

#include <string.h>

struct item {
    uint64_t order;
    int number;
};

static int compare_numbers(const void *a, const void *b)
{
    const struct item *left = a;
    const struct item *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

static const struct tree_type by_number = {.compare = compare_numbers};
static const struct tree_type by_address = {.compare = NULL};

static struct item *item_new(uint64_t order, int number)
{
    struct item *item = mem_alloc(sizeof(*item));

    *item = (struct item){order, number};
    return item;
}

/* The model: the same items in a sorted array. */
enum { MODEL_MAX = 300 };

struct model {
    const struct tree_type *type;
    struct tree *tree;
    struct item *item[MODEL_MAX];
    size_t count;
    struct random random;
};

static bool model_before(const struct model *m, const struct item *a, const struct item *b)
{
    if (a->order != b->order) {
        return a->order < b->order;
    }
    return m->type->compare != NULL ? m->type->compare(a, b) < 0 : (uintptr_t)a < (uintptr_t)b;
}

static size_t model_rank(const struct model *m, const struct item *item)
{
    size_t rank = 0;

    while (rank < m->count && model_before(m, m->item[rank], item)) {
        rank++;
    }
    return rank;
}

static size_t model_rank_of_order(const struct model *m, uint64_t order)
{
    size_t rank = 0;

    while (rank < m->count && m->item[rank]->order < order) {
        rank++;
    }
    return rank;
}

/* Few orders, the extreme ones among them, so that many items share theirs. */
static uint64_t some_order(struct model *m)
{
    static const uint64_t edges[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};

    if (random_below(&m->random, 8) == 0) {
        return edges[random_below(&m->random, sizeof(edges) / sizeof(edges[0]))];
    }
    return random_below(&m->random, 64);
}

static void model_add(struct model *m, struct item *item)
{
    size_t rank = model_rank(m, item);

    memmove(m->item + rank + 1, m->item + rank, (m->count - rank) * sizeof(m->item[0]));
    m->item[rank] = item;
    m->count++;
    tree_add(m->tree, item->order, item);
}

/* Adds an item unless its equal is there. */
static void model_add_some(struct model *m)
{
    struct item *item = item_new(some_order(m), (int)random_below(&m->random, 1000));
    size_t rank = model_rank(m, item);

    if (m->count == MODEL_MAX || (rank < m->count && !model_before(m, item, m->item[rank]))) {
        mem_free(item);
        return;
    }
    model_add(m, item);
}

static void model_remove_at(struct model *m, size_t rank)
{
    struct item *item = m->item[rank];

    m->count--;
    memmove(m->item + rank, m->item + rank + 1, (m->count - rank) * sizeof(m->item[0]));
    CHECK(tree_remove(m->tree, item->order, item) == item);
    mem_free(item);
}

static void check_position(const struct model *m, struct tree_at at, size_t rank)
{
    CHECK(tree_at_end(at) == (rank >= m->count));
    if (!tree_at_end(at)) {
        CHECK(tree_item(at) == m->item[rank]);
        CHECK(tree_order(at) == m->item[rank]->order);
    }
}

static void check_searches(struct model *m)
{
    struct item probe = {some_order(m), (int)random_below(&m->random, 1000)};
    size_t rank = model_rank(m, &probe);
    size_t rank_of_order = model_rank_of_order(m, probe.order);
    size_t any = random_below(&m->random, m->count + 3);

    check_position(m, tree_seek(m->tree, probe.order, &probe), rank);
    check_position(m, tree_seek(m->tree, probe.order, NULL), rank_of_order);
    CHECK(tree_rank(m->tree, probe.order, &probe) == rank);
    CHECK(tree_rank(m->tree, probe.order, NULL) == rank_of_order);
    check_position(m, tree_select(m->tree, any), any);
    if (any < m->count) {
        check_position(m, tree_seek(m->tree, m->item[any]->order, m->item[any]), any);
        CHECK(tree_rank(m->tree, m->item[any]->order, m->item[any]) == any);
    }
}

static void check_walks(const struct model *m)
{
    struct tree_at at = tree_first(m->tree);

    for (size_t i = 0; i < m->count; i++) {
        check_position(m, at, i);
        at = tree_next(at);
    }
    CHECK(tree_at_end(at));

    at = tree_last(m->tree);
    for (size_t i = m->count; i-- > 0;) {
        check_position(m, at, i);
        at = tree_previous(at);
    }
    CHECK(tree_at_end(at));
}

/* Adds and removes at random: for a while more of the one, then of the other, so
 * that the tree gets high and low again. */
static void run_model(const struct tree_type *type)
{
    struct model m = {.type = type};
    size_t used = mem_used();

    random_seed(&m.random, check_seed());
    m.tree = tree_new(type);
    for (size_t i = 0; i < check_rounds(20000); i++) {
        uint64_t adds_of_8 = i / 1000 % 2 == 0 ? 6 : 2;
        if (random_below(&m.random, 8) < adds_of_8) {
            model_add_some(&m);
        } else if (m.count > 0) {
            model_remove_at(&m, random_below(&m.random, m.count));
        }
        tree_check(m.tree);
        CHECK(tree_count(m.tree) == m.count);
        check_searches(&m);
        if (i % 64 == 0) {
            check_walks(&m);
        }
    }
    tree_free(m.tree, mem_free);
    CHECK(mem_used() == used);
}

TEST(a_tree_is_like_a_sorted_array)
{
    run_model(&by_number);
}

TEST(items_of_one_order_are_sorted_by_address_without_a_compare)
{
    run_model(&by_address);
}

TEST(an_empty_tree_has_no_positions)
{
    struct tree *t = tree_new(&by_number);

    CHECK(tree_count(t) == 0);
    CHECK(tree_at_end(tree_first(t)));
    CHECK(tree_at_end(tree_last(t)));
    CHECK(tree_at_end(tree_seek(t, 0, NULL)));
    CHECK(tree_at_end(tree_select(t, 0)));
    CHECK(tree_rank(t, UINT64_MAX, NULL) == 0);
    tree_check(t);
    tree_free(t, NULL);
    tree_free(NULL, NULL);
}

TEST(an_item_is_removed_by_its_equal)
{
    struct tree *t = tree_new(&by_number);
    struct item item = {7, 1};
    struct item equal = {7, 1};

    tree_add(t, 7, &item);
    CHECK(tree_remove(t, 7, &equal) == &item);
    CHECK(tree_count(t) == 0);
    tree_free(t, NULL);
}

/* Fills a tree with numbers that are their own order, each `step` from the last. */
static struct tree *tree_of(struct item *items, size_t count, size_t first, size_t step)
{
    struct tree *t = tree_new(&by_number);

    for (size_t i = 0; i < count; i++) {
        uint64_t order = (first + i * step) % count;
        items[order] = (struct item){order, (int)order};
        tree_add(t, order, &items[order]);
    }
    return t;
}

enum { MANY = 100003 }; /* A prime, so that any step goes through all numbers. */

TEST(ascending_items_leave_full_nodes)
{
    struct item *items = mem_alloc(MANY * sizeof(*items));
    struct tree *ascending = tree_of(items, MANY, 0, 1);
    struct tree *descending = tree_of(items, MANY, MANY - 1, MANY - 1);

    tree_check(ascending);
    tree_check(descending);
    CHECK(tree_memory(ascending) < tree_memory(descending) * 2 / 3);
    tree_free(ascending, NULL);
    tree_free(descending, NULL);
    mem_free(items);
}

TEST(many_items_are_found_by_order_and_by_rank)
{
    struct item *items = mem_alloc(MANY * sizeof(*items));
    struct tree *t = tree_of(items, MANY, 0, 61803);

    tree_check(t);
    for (size_t i = 0; i < MANY; i++) {
        CHECK(tree_item(tree_seek(t, i, NULL)) == &items[i]);
        CHECK(tree_item(tree_select(t, i)) == &items[i]);
        CHECK(tree_rank(t, i, &items[i]) == i);
    }
    for (size_t i = 0; i < MANY; i++) {
        size_t order = i * 32749 % MANY;
        CHECK(tree_remove(t, order, &items[order]) == &items[order]);
    }
    tree_check(t);
    CHECK(tree_count(t) == 0);
    tree_free(t, NULL);
    mem_free(items);
}

/* As times do that are waited for and pass. */
TEST(items_pass_through_as_through_a_queue)
{
    struct item *items = mem_alloc(MANY * sizeof(*items));
    struct tree *t = tree_new(&by_number);

    for (size_t i = 0; i < MANY; i++) {
        items[i] = (struct item){i, 0};
        tree_add(t, i, &items[i]);
        if (i >= 100) {
            struct tree_at first = tree_first(t);
            CHECK(tree_order(first) == i - 100);
            tree_remove(t, i - 100, tree_item(first));
        }
        if (i % 1024 == 0) {
            tree_check(t);
        }
    }
    CHECK(tree_count(t) == 100);
    tree_free(t, NULL);
    mem_free(items);
}

TEST(items_come_and_go_at_the_end_as_on_a_stack)
{
    struct model m = {.type = &by_number, .tree = tree_new(&by_number)};
    size_t used = mem_used();

    random_seed(&m.random, check_seed());
    for (size_t i = 0; i < check_rounds(5000); i++) {
        bool adds = i / 500 % 2 == 0 ? random_below(&m.random, 4) > 0 : i % 4 == 0;
        if (adds && m.count < MODEL_MAX) {
            model_add(&m, item_new(i, 0));
        } else if (m.count > 0) {
            model_remove_at(&m, m.count - 1);
        }
        tree_check(m.tree);
        check_searches(&m);
    }
    while (m.count > 0) {
        model_remove_at(&m, m.count - 1);
        tree_check(m.tree);
    }
    CHECK(mem_used() == used);
    tree_free(m.tree, NULL);
}

int main(void)
{
    return RUN(a_tree_is_like_a_sorted_array,
               items_of_one_order_are_sorted_by_address_without_a_compare,
               an_empty_tree_has_no_positions, an_item_is_removed_by_its_equal,
               ascending_items_leave_full_nodes, many_items_are_found_by_order_and_by_rank,
               items_pass_through_as_through_a_queue, items_come_and_go_at_the_end_as_on_a_stack);
}
