/* A counted B+tree: items in order, found by their order or by their rank.
 *
 * An item is a pointer, filed under a 64-bit `order` (a time, a score turned into
 * an integer that sorts alike); items of the same order are sorted by the type's
 * compare(), and no two items may be equal in both. Keeping `order` beside the
 * pointer means that a search touches an item only where orders are equal.
 *
 * The tree holds pointers; it neither copies nor frees items. All operations
 * take O(log n) time. */
#ifndef DATA_TREE_H
#define DATA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree;

/* Compares two items of the same order: negative, 0 or positive. Without a
 * compare(), items of the same order are sorted by their address. */
struct tree_type {
    int (*compare)(const void *a, const void *b);
};

struct tree *tree_new(const struct tree_type *type);

/* Frees the tree, and its items by `free_item` unless that is NULL. Does nothing
 * when `t` is NULL. */
void tree_free(struct tree *t, void (*free_item)(void *item));

size_t tree_count(const struct tree *t);

/* Puts in an item that is not there. */
void tree_add(struct tree *t, uint64_t order, void *item);

/* Takes out an item that is there, and returns it: the one for which compare()
 * gives 0. */
void *tree_remove(struct tree *t, uint64_t order, const void *item);

/* A position: one item of a tree. Valid until the tree next changes. */
struct tree_at {
    void *leaf; /* NULL: behind the last item. */
    unsigned index;
};

/* The item at a position, and its order. The position must not be at the end. */
void *tree_item(struct tree_at at);
uint64_t tree_order(struct tree_at at);

/* Positions. tree_seek() gives the first item that is not before (order, item);
 * with `item` NULL, the first whose order is not less than `order`. */
struct tree_at tree_first(const struct tree *t);
struct tree_at tree_last(const struct tree *t);
struct tree_at tree_seek(const struct tree *t, uint64_t order, const void *item);
struct tree_at tree_select(const struct tree *t, size_t rank); /* The end if rank >= count. */
struct tree_at tree_next(struct tree_at at);
struct tree_at tree_previous(struct tree_at at); /* The end if `at` was the first. */
static inline bool tree_at_end(struct tree_at at)
{
    return at.leaf == NULL;
}

/* Returns how many items come before (order, item); with `item` NULL, how many
 * have a smaller order. */
size_t tree_rank(const struct tree *t, uint64_t order, const void *item);

/* Returns the bytes of memory that the tree takes up, without its items. */
size_t tree_memory(const struct tree *t);

/* Asserts everything that must hold between two calls. O(n); for tests. */
void tree_check(const struct tree *t);

#endif
