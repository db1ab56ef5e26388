#include "data/sequence.h"

#include "base/mem.h"

#include <assert.h>

#ifdef SMALL_LIMITS
enum { CHILDREN = 4, MERGED_BYTES = 32 };
#else
enum {
    CHILDREN = 63,       /* So that a node takes up 1 KiB. */
    MERGED_BYTES = 2048, /* Neighbours with no more than this together become one. */
};
#endif

/* A sequence is its root: a chunk, or a node above chunks or other nodes. Nothing in
 * it is empty. A node may have a single child, but not if it is the root. */
struct sequence {
    struct branch branch; /* Its count is that of the children, or of the elements. */
};

struct node {
    struct branch branch;
    size_t total; /* Elements below, */
    size_t below[CHILDREN];
    struct sequence *child[CHILDREN];
};

static inline struct chunk *chunk_of(const struct sequence *s)
{
    assert(s->branch.level == 0);
    return (struct chunk *)s;
}

static inline struct node *node_of(const struct sequence *s)
{
    assert(s->branch.level > 0);
    return (struct node *)s;
}

static struct node *node_new(unsigned level)
{
    struct node *n = mem_alloc(sizeof *n);

    n->branch = (struct branch){.level = level & 0xff, .count = 0};
    n->total = 0;
    return n;
}

size_t sequence_count(const struct sequence *s)
{
    return s == NULL ? 0 : s->branch.level == 0 ? s->branch.count : node_of(s)->total;
}

void sequence_free(struct sequence *s)
{
    if (s != NULL && s->branch.level > 0) {
        for (size_t i = 0; i < s->branch.count; i++) {
            sequence_free(node_of(s)->child[i]);
        }
    }
    mem_free(s);
}

struct sequence *sequence_copy(const struct sequence *s)
{
    struct node *copy;

    if (s == NULL) {
        return NULL;
    }
    if (s->branch.level == 0) {
        return (struct sequence *)chunk_copy(chunk_of(s));
    }
    copy = node_new(s->branch.level);
    *copy = *node_of(s);
    for (size_t i = 0; i < s->branch.count; i++) {
        copy->child[i] = sequence_copy(node_of(s)->child[i]);
    }
    return (struct sequence *)copy;
}

size_t sequence_memory(const struct sequence *s)
{
    size_t sum = mem_size(s);

    for (size_t i = 0; s != NULL && s->branch.level > 0 && i < s->branch.count; i++) {
        sum += sequence_memory(node_of(s)->child[i]);
    }
    return sum;
}

/* Finds the child that the index-th element is in; or, with `may_end`, one that has
 * the place before it, be it at the end of that child. *index becomes the index in the
 * child. Counts from the nearer end, because most is done at the ends. */
static size_t child_find(const struct node *n, size_t *index, bool may_end)
{
    size_t start = n->total;
    size_t i = 0;

    if (*index < n->total / 2) {
        while (*index > n->below[i] || (*index == n->below[i] && !may_end)) {
            *index -= n->below[i++];
        }
        return i;
    }
    i = n->branch.count;
    do {
        start -= n->below[--i];
    } while (*index < start || (may_end && *index == start && i > 0));
    *index -= start;
    return i;
}

/* Nodes. */

static void node_place(struct node *n, size_t i, struct sequence *child)
{
    size_t behind = n->branch.count - i;

    assert(n->branch.count < CHILDREN);
    memmove(n->below + i + 1, n->below + i, behind * sizeof *n->below);
    memmove(n->child + i + 1, n->child + i, behind * sizeof *n->child);
    n->below[i] = sequence_count(child);
    n->child[i] = child;
    n->total += n->below[i];
    n->branch.count++;
}

static void node_drop(struct node *n, size_t i)
{
    size_t behind = n->branch.count - i - 1;

    n->total -= n->below[i];
    memmove(n->below + i, n->below + i + 1, behind * sizeof *n->below);
    memmove(n->child + i, n->child + i + 1, behind * sizeof *n->child);
    n->branch.count--;
}

/* Takes note of what has become of a child. */
static void node_count(struct node *n, size_t i)
{
    size_t below = sequence_count(n->child[i]);

    n->total += below - n->below[i];
    n->below[i] = below;
}

/* Moves the children from `i` on to a new node. */
static struct node *node_split(struct node *n, size_t i)
{
    struct node *right = node_new(n->branch.level);

    while (n->branch.count > i) {
        struct sequence *child = n->child[n->branch.count - 1];
        node_drop(n, n->branch.count - 1);
        node_place(right, 0, child);
    }
    return right;
}

/* Adds a child. Returns a new right neighbour of the node if there was no room. One
 * that grows at an end is left full. */
static struct sequence *node_add(struct node *n, size_t i, struct sequence *child)
{
    struct node *right;

    if (n->branch.count < CHILDREN) {
        node_place(n, i, child);
        return NULL;
    }
    right = node_split(n, i == 1 || i == CHILDREN ? i : CHILDREN / 2);
    if (i < n->branch.count) {
        node_place(n, i, child);
    } else {
        node_place(right, i - n->branch.count, child);
    }
    return (struct sequence *)right;
}

/* Puts a root above two. */
static struct sequence *root_above(struct sequence *left, struct sequence *right)
{
    struct node *root = node_new(left->branch.level + 1U);

    node_place(root, 0, left);
    node_place(root, 1, right);
    return (struct sequence *)root;
}

/* Makes a root of a subtree: it has two children, or is a chunk. */
static void shorten(struct sequence **s)
{
    while (*s != NULL && (*s)->branch.level > 0 && (*s)->branch.count == 1) {
        struct sequence *only = node_of(*s)->child[0];
        mem_free(*s);
        *s = only;
    }
}

/* Insertion, of an element or of a chunk. */
struct insertion {
    const struct element *element;
    struct chunk_limit limit;
    struct chunk *chunk; /* Set instead. */
    bool done;
};

/* Splits a chunk that has to go apart at a place within. */
static struct sequence *chunk_split(struct sequence **at, size_t index)
{
    struct chunk *c = chunk_of(*at);
    size_t count = c->branch.count - index;
    struct chunk *right = chunk_part(c, index, count);

    chunk_remove(&c, index, count);
    *at = (struct sequence *)c;
    return (struct sequence *)right;
}

/* Inserts at a chunk. Returns a new right neighbour of it, if any. Where there is no
 * room within, the chunk is only split: at its end there will be. */
static struct sequence *insert_at_chunk(struct sequence **at, size_t index, struct insertion *what)
{
    struct chunk *c = chunk_of(*at);
    struct chunk *fresh;

    if (what->chunk == NULL && chunk_accepts(c, index, what->element, what->limit)) {
        chunk_insert(&c, index, what->element, what->limit);
        *at = (struct sequence *)c;
        what->done = true;
        return NULL;
    }
    if (index > 0 && index < c->branch.count) {
        return chunk_split(at, index);
    }
    fresh = what->chunk;
    if (fresh == NULL) {
        chunk_trim(&c);
        fresh = chunk_new(what->element);
    }
    what->done = true;
    *at = (struct sequence *)(index == 0 ? fresh : c);
    return (struct sequence *)(index == 0 ? c : fresh);
}

static struct sequence *insert_below(struct sequence **at, size_t index, struct insertion *what)
{
    struct sequence *fresh;
    struct node *n;
    size_t i;

    if ((*at)->branch.level == 0) {
        return insert_at_chunk(at, index, what);
    }
    n = node_of(*at);
    i = child_find(n, &index, true);
    fresh = insert_below(&n->child[i], index, what);
    node_count(n, i);
    return fresh != NULL ? node_add(n, i + 1, fresh) : NULL;
}

static void insert(struct sequence **s, size_t index, struct insertion *what)
{
    struct sequence *fresh;

    assert(index <= sequence_count(*s));
    if (*s == NULL) {
        *s = (struct sequence *)(what->chunk != NULL ? what->chunk : chunk_new(what->element));
        return;
    }
    while (!what->done) {
        fresh = insert_below(s, index, what);
        if (fresh != NULL) {
            *s = root_above(*s, fresh);
        }
    }
}

void sequence_insert(struct sequence **s, size_t index, struct bytes content,
                     struct chunk_limit limit)
{
    struct element e = element_of(content);

    insert(s, index, &(struct insertion){.element = &e, .limit = limit});
}

/* Calls `take` for each chunk, whose it then is, and frees the nodes. */
static void each_chunk(struct sequence *s, void (*take)(struct chunk *c, void *context),
                       void *context)
{
    if (s->branch.level == 0) {
        take(chunk_of(s), context);
        return;
    }
    for (size_t i = 0; i < s->branch.count; i++) {
        each_chunk(node_of(s)->child[i], take, context);
    }
    mem_free(s);
}

struct target {
    struct sequence **sequence;
    size_t index;
};

static void put_chunk(struct chunk *c, void *context)
{
    struct target *to = context;
    size_t count = c->branch.count;

    insert(to->sequence, to->index, &(struct insertion){.chunk = c});
    to->index += count;
}

/* Merging, and removal. */

/* Makes one of two neighbours, if they are small. */
static void merge(struct node *n, size_t left)
{
    struct sequence *a = n->child[left];
    struct sequence *b = n->child[left + 1];
    size_t seam = a->branch.count;

    if (a->branch.level == 0) {
        struct chunk *c = chunk_of(a);
        if (chunk_used(c) + chunk_used(chunk_of(b)) > MERGED_BYTES) {
            return;
        }
        chunk_join(&c, chunk_of(b));
        n->child[left] = (struct sequence *)c;
    } else {
        if (a->branch.count + b->branch.count > CHILDREN / 2) {
            return;
        }
        for (size_t i = 0; i < b->branch.count; i++) {
            node_place(node_of(a), a->branch.count, node_of(b)->child[i]);
        }
        mem_free(b);
        merge(node_of(a), seam - 1);
    }
    node_drop(n, left + 1);
    node_count(n, left);
}

/* Merges child `i`, if there is one, with its neighbours if they are small. */
static void merge_around(struct node *n, size_t i)
{
    if (i + 1 < n->branch.count) {
        merge(n, i);
    }
    if (i > 0 && i < n->branch.count) {
        merge(n, i - 1);
    }
}

/* Merges what is small on both sides of a place. */
static void merge_at(struct sequence *s, size_t index)
{
    struct node *n;
    size_t i;

    if (s->branch.level == 0) {
        return;
    }
    n = node_of(s);
    i = child_find(n, &index, true);
    merge_at(n->child[i], index);
    merge_around(n, i);
}

void sequence_insert_all(struct sequence **s, size_t index, struct sequence *other)
{
    size_t count = sequence_count(other);

    if (other == NULL) {
        return;
    }
    if (*s == NULL) {
        *s = other;
    } else {
        each_chunk(other, put_chunk, &(struct target){s, index});
        merge_at(*s, index);
        merge_at(*s, index + count);
    }
    shorten(s);
}

static void append(struct sequence **s, struct sequence *other)
{
    sequence_insert_all(s, sequence_count(*s), other);
}

static void remove_all(struct sequence **at, struct sequence **removed)
{
    struct sequence *s = TAKE(*at);

    if (removed != NULL) {
        append(removed, s);
    } else {
        sequence_free(s);
    }
}

static void remove_from_chunk(struct sequence **at, size_t index, size_t count,
                              struct sequence **removed)
{
    struct chunk *c = chunk_of(*at);

    if (removed != NULL) {
        append(removed, (struct sequence *)chunk_part(c, index, count));
    }
    chunk_remove(&c, index, count);
    *at = (struct sequence *)c;
}

/* Removes from a subtree, which becomes NULL when all of it goes. */
static void remove_below(struct sequence **at, size_t index, size_t count,
                         struct sequence **removed)
{
    struct node *n;
    size_t i;

    if (count == sequence_count(*at)) {
        remove_all(at, removed);
        return;
    }
    if ((*at)->branch.level == 0) {
        remove_from_chunk(at, index, count, removed);
        return;
    }
    n = node_of(*at);
    i = child_find(n, &index, false);
    while (count > 0) {
        size_t part = n->below[i] - index < count ? n->below[i] - index : count;
        remove_below(&n->child[i], index, part, removed);
        count -= part;
        index = 0;
        if (n->child[i] == NULL) {
            node_drop(n, i);
        } else {
            node_count(n, i++);
        }
    }
    merge_around(n, i);                 /* On both sides of the gap, */
    merge_around(n, i > 0 ? i - 1 : 0); /* and what was cut in part before it. */
}

void sequence_remove(struct sequence **s, size_t index, size_t count, struct sequence **removed)
{
    assert(index + count <= sequence_count(*s));
    if (count > 0) {
        remove_below(s, index, count, removed);
        shorten(s);
    }
}

void sequence_replace(struct sequence **s, size_t index, struct bytes content,
                      struct chunk_limit limit)
{
    sequence_remove(s, index, 1, NULL);
    sequence_insert(s, index, content, limit);
}

/* Positions. */

static const struct sequence_at outside = {.chunk = NULL};

struct sequence_at sequence_seek(const struct sequence *s, size_t index)
{
    struct sequence_at at = {.sequence = s, .index = index};

    if (index >= sequence_count(s)) {
        return outside;
    }
    while (s->branch.level > 0) {
        s = node_of(s)->child[child_find(node_of(s), &index, false)];
    }
    at.chunk = chunk_of(s);
    at.offset = chunk_select(at.chunk, index);
    return at;
}

void sequence_next(struct sequence_at *at)
{
    at->offset += chunk_size_at(at->chunk, at->offset);
    at->index++;
    if (at->offset == at->chunk->end) {
        *at = sequence_seek(at->sequence, at->index);
    }
}

void sequence_previous(struct sequence_at *at)
{
    if (at->index == 0) {
        *at = outside;
    } else if (at->offset == at->chunk->begin) {
        *at = sequence_seek(at->sequence, at->index - 1);
    } else {
        at->offset -= chunk_size_before(at->chunk, at->offset);
        at->index--;
    }
}

struct bytes sequence_get(const struct sequence_at *at, char text[NUMBER_INT_MAX])
{
    return chunk_get(at->chunk, at->offset, text);
}

bool sequence_find(struct sequence_at *at, bool backwards, const struct element *e, size_t most)
{
    for (; at->chunk != NULL && most > 0; most--) {
        if (chunk_matches(at->chunk, at->offset, e)) {
            return true;
        }
        if (backwards) {
            sequence_previous(at);
        } else {
            sequence_next(at);
        }
    }
    return false;
}

static void check_below(const struct sequence *s)
{
    const struct node *n;
    size_t total = 0;

    if (s->branch.level == 0) {
        chunk_check(chunk_of(s));
        return;
    }
    n = node_of(s);
    assert(n->branch.count > 0);
    assert(n->branch.count <= CHILDREN);
    for (size_t i = 0; i < n->branch.count; i++) {
        assert(n->child[i]->branch.level == n->branch.level - 1);
        assert(n->below[i] == sequence_count(n->child[i]));
        total += n->below[i];
        check_below(n->child[i]);
    }
    assert(n->total == total);
}

void sequence_check(const struct sequence *s)
{
    if (s != NULL) {
        assert(s->branch.level == 0 || s->branch.count >= 2);
        check_below(s);
    }
}
