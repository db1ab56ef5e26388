#include "data/tree.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* With 62 slots a leaf takes up 1016 bytes and an inner node 1992, which the
 * allocator's size classes of 1024 and 2048 hold with hardly any waste. */
#ifdef SMALL_LIMITS
enum { NODE_MAX = 4 };
#else
enum { NODE_MAX = 62 };
#endif

/* A node is at least half full, but for those on the right edge of the tree, of
 * which each is the last child of the one above it: they have at least one slot.
 * So items added in ascending order can leave full nodes behind. */
enum { NODE_MIN = NODE_MAX / 2 };

/* Leaves and inner nodes are alike in what is searched: slots sorted by order and
 * item. A slot of an inner node stands for a child, and is filed under the first
 * item below it. Orders lie together, so that a search seldom leaves them. */
struct node {
    uint32_t count;
    uint32_t level; /* 0 for a leaf; otherwise one more than the children's. */
    uint64_t order[NODE_MAX];
    void *item[NODE_MAX];
};

struct leaf {
    struct node node;
    struct leaf *next;
    struct leaf *previous;
};

struct inner {
    struct node node;
    struct node *child[NODE_MAX];
    size_t below[NODE_MAX]; /* How many items there are below the child. */
};

struct tree {
    const struct tree_type *type;
    struct node *root; /* A leaf, or an inner node of at least two children. */
    size_t count;
    size_t memory;
};

static struct leaf *leaf_of(struct node *node)
{
    assert(node->level == 0);
    return (struct leaf *)node;
}

static struct inner *inner_of(struct node *node)
{
    assert(node->level > 0);
    return (struct inner *)node;
}

static struct node *node_new(struct tree *t, uint32_t level)
{
    struct node *node = mem_alloc(level == 0 ? sizeof(struct leaf) : sizeof(struct inner));

    node->count = 0;
    node->level = level;
    t->memory += mem_size(node);
    return node;
}

static void node_free(struct tree *t, struct node *node)
{
    t->memory -= mem_size(node);
    mem_free(node);
}

/* Copies slots within a node or between two of a level. The counts stay. */
static void node_move(struct node *to, size_t to_index, const struct node *from, size_t from_index,
                      size_t count)
{
    assert(to->level == from->level);
    assert(to_index + count <= NODE_MAX);
    assert(from_index + count <= NODE_MAX);

    memmove(to->order + to_index, from->order + from_index, count * sizeof(to->order[0]));
    memmove(to->item + to_index, from->item + from_index, count * sizeof(to->item[0]));
    if (to->level > 0) {
        struct inner *a = (struct inner *)to;
        const struct inner *b = (const struct inner *)from;
        memmove(a->child + to_index, b->child + from_index, count * sizeof(a->child[0]));
        memmove(a->below + to_index, b->below + from_index, count * sizeof(a->below[0]));
    }
}

/* Makes room for a slot at `index` and files it there. */
static void node_open(struct node *node, size_t index, uint64_t order, void *item)
{
    assert(node->count < NODE_MAX);
    assert(index <= node->count);

    node_move(node, index + 1, node, index, node->count - index);
    node->order[index] = order;
    node->item[index] = item;
    node->count++;
}

static void node_close(struct node *node, size_t index)
{
    assert(index < node->count);

    node_move(node, index, node, index + 1, node->count - index - 1);
    node->count--;
}

static size_t node_items(const struct node *node)
{
    const struct inner *inner = (const struct inner *)node;
    size_t items = 0;

    if (node->level == 0) {
        return node->count;
    }
    for (size_t i = 0; i < node->count; i++) {
        items += inner->below[i];
    }
    return items;
}

static int tree_compare(const struct tree *t, const void *a, const void *b)
{
    if (t->type->compare != NULL) {
        return t->type->compare(a, b);
    }
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* Fetches all orders of a node at once, rather than one line after the other as
 * the search gets to them. */
static void node_prefetch(const struct node *node)
{
    enum { LINE = 64 };

    for (size_t offset = LINE; offset < offsetof(struct node, item); offset += LINE) {
        __builtin_prefetch((const char *)node + offset);
    }
}

/* Returns how many slots have a smaller order. The case of times, which come in
 * ascending order, is looked at first; the search proper is written so that the
 * processor has no branch to guess. */
static size_t orders_before(const struct node *node, uint64_t order)
{
    const uint64_t *at = node->order;
    size_t count = node->count;

    node_prefetch(node);
    if (count == 0 || at[count - 1] < order) {
        return count;
    }
    while (count > 1) {
        size_t half = count / 2;
        at += half * (at[half - 1] < order);
        count -= half;
    }
    return (size_t)(at - node->order);
}

/* Returns how many slots come before (order, item), or also not behind it. No
 * item is like one that comes before all others of its order. */
static size_t slots_before(const struct tree *t, const struct node *node, uint64_t order,
                           const void *item, bool or_equal)
{
    size_t low = orders_before(node, order);
    size_t high = node->count;

    if (item == NULL || low == high || node->order[low] != order) {
        return low;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (node->order[middle] == order &&
            tree_compare(t, node->item[middle], item) < (or_equal ? 1 : 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t leaf_search(const struct tree *t, const struct node *leaf, uint64_t order,
                          const void *item)
{
    return slots_before(t, leaf, order, item, false);
}

/* Returns the child below which an item is or would be: the last that does not
 * begin behind it, or the first. */
static size_t inner_search(const struct tree *t, const struct inner *inner, uint64_t order,
                           const void *item)
{
    size_t count = slots_before(t, &inner->node, order, item, true);

    return count > 0 ? count - 1 : 0;
}

static bool leaf_has(const struct tree *t, const struct node *leaf, size_t index, uint64_t order,
                     const void *item)
{
    return index < leaf->count && leaf->order[index] == order &&
           tree_compare(t, leaf->item[index], item) == 0;
}

struct tree *tree_new(const struct tree_type *type)
{
    struct tree *t = mem_alloc(sizeof(*t));
    struct leaf *leaf;

    *t = (struct tree){.type = type, .memory = mem_size(t)};
    t->root = node_new(t, 0);
    leaf = leaf_of(t->root);
    leaf->next = NULL;
    leaf->previous = NULL;
    return t;
}

static void free_below(struct tree *t, struct node *node, void (*free_item)(void *item))
{
    for (size_t i = 0; i < node->count; i++) {
        if (node->level > 0) {
            free_below(t, inner_of(node)->child[i], free_item);
        } else if (free_item != NULL) {
            free_item(node->item[i]);
        }
    }
    node_free(t, node);
}

void tree_free(struct tree *t, void (*free_item)(void *item))
{
    if (t == NULL) {
        return;
    }
    free_below(t, t->root, free_item);
    mem_free(t);
}

size_t tree_count(const struct tree *t)
{
    return t->count;
}

size_t tree_memory(const struct tree *t)
{
    return t->memory;
}

/* Files a child anew after the slots in it have changed. */
static void inner_refresh(struct inner *inner, size_t index)
{
    const struct node *child = inner->child[index];

    inner->node.order[index] = child->order[0];
    inner->node.item[index] = child->item[0];
    inner->below[index] = node_items(child);
}

/* Puts a new and empty node behind a child, and returns it. */
static struct node *inner_add_behind(struct tree *t, struct inner *inner, size_t index)
{
    struct node *left = inner->child[index];
    struct node *right = node_new(t, left->level);

    node_open(&inner->node, index + 1, 0, NULL);
    inner->child[index + 1] = right;
    inner->below[index + 1] = 0;
    if (left->level == 0) {
        leaf_of(right)->previous = leaf_of(left);
        leaf_of(right)->next = leaf_of(left)->next;
        if (leaf_of(left)->next != NULL) {
            leaf_of(left)->next->previous = leaf_of(right);
        }
        leaf_of(left)->next = leaf_of(right);
    }
    return right;
}

/* Drops a child that no longer has any slots. */
static void inner_drop(struct tree *t, struct inner *inner, size_t index)
{
    struct node *child = inner->child[index];

    assert(child->count == 0);
    if (child->level == 0) {
        struct leaf *leaf = leaf_of(child);
        if (leaf->next != NULL) {
            leaf->next->previous = leaf->previous;
        }
        if (leaf->previous != NULL) {
            leaf->previous->next = leaf->next;
        }
    }
    node_close(&inner->node, index);
    node_free(t, child);
}

/* Returns how many slots a full node keeps that is split to make room for an
 * item. What is added at the end of the tree is likely to be followed by more of
 * the kind: then the node stays full, and the new one begins with that item. An
 * inner node gives away one child, as it cannot have none. */
static size_t node_kept(const struct tree *t, const struct node *node, uint64_t order,
                        const void *item, bool on_edge)
{
    if (!on_edge || slots_before(t, node, order, item, true) < NODE_MAX) {
        return NODE_MAX / 2;
    }
    return node->level == 0 ? NODE_MAX : NODE_MAX - 1;
}

/* Splits a full child, to make room for an item that is then added below it. */
static void inner_split(struct tree *t, struct inner *inner, size_t index, uint64_t order,
                        void *item, bool on_edge)
{
    struct node *left = inner->child[index];
    struct node *right = inner_add_behind(t, inner, index);
    size_t kept = node_kept(t, left, order, item, on_edge);

    node_move(right, 0, left, kept, NODE_MAX - kept);
    right->count = (uint32_t)(NODE_MAX - kept);
    left->count = (uint32_t)kept;
    if (right->count == 0) {
        inner->node.order[index + 1] = order;
        inner->node.item[index + 1] = item;
        return;
    }
    inner_refresh(inner, index);
    inner_refresh(inner, index + 1);
}

/* Puts a new root above the present one, so that this may be split. */
static void tree_heighten(struct tree *t)
{
    struct inner *root = inner_of(node_new(t, t->root->level + 1));

    root->node.count = 1;
    root->child[0] = t->root;
    inner_refresh(root, 0);
    t->root = &root->node;
}

/* Goes one level down on the way to where an item is to be added, and returns a
 * child that has room. `on_edge` tells whether the node is on the right edge, and
 * is told whether the child is. */
static struct node *add_descend(struct tree *t, struct inner *inner, uint64_t order, void *item,
                                bool *on_edge)
{
    size_t index = inner_search(t, inner, order, item);
    bool last = *on_edge && index + 1 == inner->node.count;

    if (inner->child[index]->count == NODE_MAX) {
        inner_split(t, inner, index, order, item, last);
        index = inner_search(t, inner, order, item);
    }
    if (index == 0 && slots_before(t, &inner->node, order, item, true) == 0) {
        inner->node.order[0] = order;
        inner->node.item[0] = item;
    }
    inner->below[index]++;
    *on_edge = *on_edge && index + 1 == inner->node.count;
    return inner->child[index];
}

void tree_add(struct tree *t, uint64_t order, void *item)
{
    struct node *node;
    bool on_edge = true;
    size_t index;

    assert(item != NULL);
    if (t->root->count == NODE_MAX) {
        tree_heighten(t);
    }
    node = t->root;
    while (node->level > 0) {
        node = add_descend(t, inner_of(node), order, item, &on_edge);
    }
    index = leaf_search(t, node, order, item);
    assert(!leaf_has(t, node, index, order, item));
    node_open(node, index, order, item);
    t->count++;
}

/* Makes one of two neighbours, or two that are equally full if one cannot hold
 * all. */
static void inner_balance(struct tree *t, struct inner *inner, size_t index)
{
    struct node *left = inner->child[index];
    struct node *right = inner->child[index + 1];
    size_t total = left->count + right->count;
    size_t kept = total <= NODE_MAX ? total : total / 2;

    if (kept >= left->count) {
        size_t moved = kept - left->count;
        node_move(left, left->count, right, 0, moved);
        node_move(right, 0, right, moved, right->count - moved);
    } else {
        size_t moved = left->count - kept;
        node_move(right, moved, right, 0, right->count);
        node_move(right, 0, left, kept, moved);
    }
    left->count = (uint32_t)kept;
    right->count = (uint32_t)(total - kept);

    inner_refresh(inner, index);
    if (right->count > 0) {
        inner_refresh(inner, index + 1);
    } else {
        inner_drop(t, inner, index + 1);
    }
}

/* Sets right what the removal of an item below a child has left behind. */
static void inner_mend(struct tree *t, struct inner *inner, size_t index, bool on_edge)
{
    const struct node *child = inner->child[index];

    inner->below[index]--;
    if (child->count == 0 && on_edge) {
        inner_drop(t, inner, index);
    } else if (child->count < NODE_MIN && !on_edge) {
        inner_balance(t, inner, index > 0 ? index - 1 : 0);
    } else {
        inner->node.order[index] = child->order[0];
        inner->node.item[index] = child->item[0];
    }
}

static void *remove_below(struct tree *t, struct node *node, uint64_t order, const void *item,
                          bool on_edge)
{
    size_t index;
    void *removed;

    if (node->level == 0) {
        index = leaf_search(t, node, order, item);
        assert(leaf_has(t, node, index, order, item));
        removed = node->item[index];
        node_close(node, index);
        return removed;
    }
    index = inner_search(t, inner_of(node), order, item);
    on_edge = on_edge && index + 1 == node->count;
    removed = remove_below(t, inner_of(node)->child[index], order, item, on_edge);
    inner_mend(t, inner_of(node), index, on_edge);
    return removed;
}

void *tree_remove(struct tree *t, uint64_t order, const void *item)
{
    void *removed;

    assert(item != NULL);
    removed = remove_below(t, t->root, order, item, true);
    t->count--;
    while (t->root->level > 0 && t->root->count == 1) {
        struct node *child = inner_of(t->root)->child[0];
        node_free(t, t->root);
        t->root = child;
    }
    return removed;
}

void *tree_item(struct tree_at at)
{
    const struct leaf *leaf = at.leaf;

    assert(leaf != NULL);
    return leaf->node.item[at.index];
}

uint64_t tree_order(struct tree_at at)
{
    const struct leaf *leaf = at.leaf;

    assert(leaf != NULL);
    return leaf->node.order[at.index];
}

/* The position of a slot, or of the slot behind the leaf's last. */
static struct tree_at leaf_at(struct leaf *leaf, size_t index)
{
    if (index == leaf->node.count) {
        return (struct tree_at){leaf->next, 0};
    }
    return (struct tree_at){leaf, (unsigned)index};
}

struct tree_at tree_first(const struct tree *t)
{
    struct node *node = t->root;

    while (node->level > 0) {
        node = inner_of(node)->child[0];
    }
    return leaf_at(leaf_of(node), 0);
}

struct tree_at tree_last(const struct tree *t)
{
    struct node *node = t->root;

    if (t->count == 0) {
        return (struct tree_at){0};
    }
    while (node->level > 0) {
        node = inner_of(node)->child[node->count - 1];
    }
    return leaf_at(leaf_of(node), node->count - 1);
}

struct tree_at tree_seek(const struct tree *t, uint64_t order, const void *item)
{
    struct node *node = t->root;

    while (node->level > 0) {
        node = inner_of(node)->child[inner_search(t, inner_of(node), order, item)];
    }
    return leaf_at(leaf_of(node), leaf_search(t, node, order, item));
}

struct tree_at tree_select(const struct tree *t, size_t rank)
{
    struct node *node = t->root;

    if (rank >= t->count) {
        return (struct tree_at){0};
    }
    while (node->level > 0) {
        const struct inner *inner = inner_of(node);
        size_t index = 0;
        while (rank >= inner->below[index]) {
            rank -= inner->below[index];
            index++;
        }
        node = inner->child[index];
    }
    return leaf_at(leaf_of(node), rank);
}

struct tree_at tree_next(struct tree_at at)
{
    assert(at.leaf != NULL);
    return leaf_at(at.leaf, at.index + 1);
}

struct tree_at tree_previous(struct tree_at at)
{
    struct leaf *leaf = at.leaf;

    assert(leaf != NULL);
    if (at.index > 0) {
        return (struct tree_at){leaf, at.index - 1};
    }
    leaf = leaf->previous;
    return (struct tree_at){leaf, leaf != NULL ? leaf->node.count - 1 : 0};
}

size_t tree_rank(const struct tree *t, uint64_t order, const void *item)
{
    struct node *node = t->root;
    size_t rank = 0;

    while (node->level > 0) {
        const struct inner *inner = inner_of(node);
        size_t index = inner_search(t, inner, order, item);
        for (size_t i = 0; i < index; i++) {
            rank += inner->below[i];
        }
        node = inner->child[index];
    }
    return rank + leaf_search(t, node, order, item);
}

static void check_sorted(const struct tree *t, const struct node *node)
{
    for (size_t i = 1; i < node->count; i++) {
        assert(node->order[i - 1] <= node->order[i]);
        if (node->order[i - 1] == node->order[i]) {
            assert(tree_compare(t, node->item[i - 1], node->item[i]) < 0);
        }
    }
}

/* What a walk over all nodes, from left to right, has seen so far. */
struct check {
    const struct leaf *leaf; /* The last one. */
    size_t memory;
};

static void check_leaf(const struct tree *t, const struct leaf *leaf, struct check *seen)
{
    assert(leaf->previous == seen->leaf);
    if (leaf->previous != NULL) {
        const struct node *before = &leaf->previous->node;
        size_t last = before->count - 1;
        assert(leaf->previous->next == leaf);
        assert(before->order[last] <= leaf->node.order[0]);
        if (before->order[last] == leaf->node.order[0]) {
            assert(tree_compare(t, before->item[last], leaf->node.item[0]) < 0);
        }
    }
    seen->leaf = leaf;
}

static void check_below(const struct tree *t, struct node *node, bool on_edge, struct check *seen)
{
    assert(node->count <= NODE_MAX);
    assert(node->count >= NODE_MIN || on_edge);
    assert(node->count > 0 || t->count == 0);
    seen->memory += mem_size(node);
    check_sorted(t, node);
    if (node->level == 0) {
        check_leaf(t, leaf_of(node), seen);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct inner *inner = inner_of(node);
        struct node *child = inner->child[i];
        assert(child->level == node->level - 1);
        check_below(t, child, on_edge && i + 1 == node->count, seen);
        assert(node->order[i] == child->order[0]);
        assert(node->item[i] == child->item[0]);
        assert(inner->below[i] == node_items(child));
    }
}

void tree_check(const struct tree *t)
{
    struct check seen = {.leaf = NULL, .memory = mem_size(t)};

    assert(t->root->level == 0 || t->root->count >= 2);
    check_below(t, t->root, true, &seen);
    assert(seen.leaf->next == NULL);
    assert(seen.memory == t->memory);
    assert(node_items(t->root) == t->count);
}
