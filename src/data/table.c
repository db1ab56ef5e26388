#include "data/table.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>

/* How a hash is read, from the top: as many bits as the table is deep choose a
 * slot of the directory and so a segment; the bits behind those that the segment
 * itself needs choose a bucket in it. So directory, segments and buckets all lie
 * in the order of the hashes. The lowest byte is the item's tag, which is
 * compared before the item is looked at.
 *
 * A table starts as one segment of one bucket. The lone segment doubles its
 * buckets up to SEGMENT_BITS; only then is it split in two, so that all segments
 * of a table always have the same number of buckets. */

/* The tests build with small limits, so that chains, splits and merges are
 * common there. */
#ifdef SMALL_LIMITS
enum { BUCKET_SLOTS = 3, SEGMENT_BITS = 2, RANDOM_TRIES = 2 };
#else
enum { BUCKET_SLOTS = 7, SEGMENT_BITS = 6, RANDOM_TRIES = 32 };
#endif

enum {
    LAST_SLOT = BUCKET_SLOTS - 1,
    CACHE_LINE = 64,
    CURSOR_BITS = 48,
    /* A cursor can then tell all buckets apart. No table gets there. */
    DEPTH_MAX = CURSOR_BITS - SEGMENT_BITS,
    /* So much emptiness one call of table_scan() steps over. */
    SCAN_BUCKETS = 1 << SEGMENT_BITS,
};

/* One cache line. The lower bytes of `marks` are the tags, that of the first slot
 * lowest. The top byte says how many slots hold items, which are the first ones,
 * and whether the bucket is chained: its last slot then holds no item but the
 * address of a further bucket. The chain is tight: all its buckets but the last
 * one are full, and that one has at least two items, as a single one would have
 * fitted in the place of the link. */
struct bucket {
    uint64_t marks;
    void *slot[BUCKET_SLOTS];
} __attribute__((aligned(CACHE_LINE)));

_Static_assert(sizeof(struct bucket) == CACHE_LINE, "a bucket is one cache line");

/* Small and apart from its buckets, so that they take up a whole size class of
 * the allocator and all the segments stay in the processor's cache. */
struct segment {
    struct bucket *buckets;
    uint32_t count; /* Items. */
    uint8_t depth;  /* All items here agree in that many top bits of their hashes. */
};

struct table {
    const struct table_type *type;
    struct segment **directory; /* 2^depth slots. */
    size_t count;               /* Items. */
    size_t segments;
    size_t deepest; /* Segments as deep as the table; never 0, or it would halve. */
    size_t chained; /* Buckets outside of their segments' arrays. */
    unsigned depth;
    unsigned bits; /* A segment has 2^bits buckets; SEGMENT_BITS if depth > 0. */
};

/* Where a key's item is, or, if `item` is NULL, the end of the chain that it
 * would be in. */
struct place {
    struct bucket *bucket;
    unsigned index;
    void *item;
};

static inline size_t hash_top(uint64_t hash, unsigned bits)
{
    return hash >> 1 >> (63 - bits);
}

static inline uint8_t hash_tag(uint64_t hash)
{
    return (uint8_t)hash;
}

/* Buckets. */

#define MARKS_ONE     ((uint64_t)1 << 56)
#define MARKS_CHAINED ((uint64_t)1 << 63)
#define EACH_BYTE     ((uint64_t)0x0101010101010101)

static inline unsigned bucket_count(const struct bucket *b)
{
    return (b->marks >> 56) & 7;
}

static inline struct bucket *bucket_next(const struct bucket *b)
{
    return (b->marks & MARKS_CHAINED) != 0 ? b->slot[LAST_SLOT] : NULL;
}

static inline uint8_t bucket_tag(const struct bucket *b, unsigned index)
{
    return (uint8_t)(b->marks >> (8 * index));
}

/* Returns a word in which the top bit of each byte is set whose slot holds an
 * item of this tag. The sum cannot carry from one byte to the next, so there are
 * no false ones. */
static inline uint64_t bucket_match(const struct bucket *b, uint8_t tag)
{
    uint64_t differ = b->marks ^ (EACH_BYTE * tag);
    uint64_t nonzero = ((differ & EACH_BYTE * 0x7f) + EACH_BYTE * 0x7f) | differ;
    uint64_t in_use = ((uint64_t)1 << (8 * bucket_count(b))) - 1;

    return ~nonzero & EACH_BYTE * 0x80 & in_use;
}

static void bucket_set(struct bucket *b, unsigned index, void *item, uint8_t tag)
{
    b->slot[index] = item;
    b->marks &= ~((uint64_t)0xff << (8 * index));
    b->marks |= (uint64_t)tag << (8 * index);
}

static void bucket_push(struct bucket *b, void *item, uint8_t tag)
{
    assert(bucket_count(b) < BUCKET_SLOTS);
    bucket_set(b, bucket_count(b), item, tag);
    b->marks += MARKS_ONE;
}

/* A function that only prefetches has no effect in the eyes of gcc, which drops
 * the calls of it; hence these two are always inlined. */
#define PREFETCH static inline __attribute__((always_inline)) void

/* Calls what the bucket points to into the processor's cache. */
PREFETCH bucket_prefetch(const struct bucket *b)
{
    unsigned pointers = bucket_count(b) + (bucket_next(b) != NULL);

    for (unsigned i = 0; i < pointers; i++) {
        __builtin_prefetch(b->slot[i]);
    }
}

static struct bucket *buckets_new(size_t count)
{
    struct bucket *buckets = mem_alloc_aligned(count * sizeof *buckets, CACHE_LINE);

    for (size_t i = 0; i < count; i++) {
        buckets[i].marks = 0;
    }
    return buckets;
}

/* Chains: a bucket of a segment, and what hangs on it. */

/* Hangs a further bucket on a full one, whose last item moves there. */
static struct bucket *chain_extend(struct table *t, struct bucket *b)
{
    struct bucket *next = buckets_new(1);

    bucket_push(next, b->slot[LAST_SLOT], bucket_tag(b, LAST_SLOT));
    b->marks = (b->marks - MARKS_ONE) | MARKS_CHAINED;
    b->slot[LAST_SLOT] = next;
    t->chained++;
    return next;
}

/* Frees the bucket that hangs on this one, and takes over its only item. */
static void chain_shorten(struct table *t, struct bucket *b)
{
    struct bucket *next = bucket_next(b);

    assert(bucket_count(next) == 1);
    b->marks &= ~MARKS_CHAINED;
    bucket_push(b, next->slot[0], bucket_tag(next, 0));
    mem_free(next);
    t->chained--;
}

/* Adds an item at the end of the chain that goes on with `b`. */
static void chain_add(struct table *t, struct bucket *b, void *item, uint8_t tag)
{
    struct bucket *next;

    while ((next = bucket_next(b)) != NULL) {
        b = next;
    }
    if (bucket_count(b) == BUCKET_SLOTS) {
        b = chain_extend(t, b);
    }
    bucket_push(b, item, tag);
}

/* Fills the place with the last item of the chain that starts with `head`. */
static void chain_remove(struct table *t, struct bucket *head, struct place place)
{
    struct bucket *before_last = NULL;
    struct bucket *last = head;
    unsigned index;

    while (bucket_next(last) != NULL) {
        before_last = last;
        last = bucket_next(last);
    }
    index = bucket_count(last) - 1;
    bucket_set(place.bucket, place.index, last->slot[index], bucket_tag(last, index));
    last->marks -= MARKS_ONE;
    if (before_last != NULL && bucket_count(last) == 1) {
        chain_shorten(t, before_last);
    }
}

/* Appends all items of one chain to another. */
static void chain_append(struct table *t, struct bucket *to, const struct bucket *from)
{
    for (; from != NULL; from = bucket_next(from)) {
        for (unsigned i = 0; i < bucket_count(from); i++) {
            chain_add(t, to, from->slot[i], bucket_tag(from, i));
        }
    }
}

PREFETCH chain_prefetch(const struct bucket *b)
{
    for (; b != NULL; b = bucket_next(b)) {
        bucket_prefetch(b);
    }
}

static inline struct place chain_find(const struct table *t, struct bucket *b, uint8_t tag,
                                      struct bytes key)
{
    for (;;) {
        struct bucket *next = bucket_next(b);

        for (uint64_t match = bucket_match(b, tag); match != 0; match &= match - 1) {
            unsigned i = (unsigned)__builtin_ctzll(match) / 8;
            if (bytes_equal(t->type->key(b->slot[i]), key)) {
                return (struct place){b, i, b->slot[i]};
            }
        }
        if (next == NULL) {
            return (struct place){.bucket = b};
        }
        b = next;
    }
}

static void buckets_free(struct table *t, struct bucket *buckets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bucket *b = bucket_next(&buckets[i]);

        while (b != NULL) {
            struct bucket *next = bucket_next(b);
            mem_free(b);
            t->chained--;
            b = next;
        }
    }
    mem_free(buckets);
}

/* Segments and the directory. */

static inline size_t segment_buckets(const struct table *t)
{
    return (size_t)1 << t->bits;
}

/* The most items that a segment should hold: half an item a bucket less than fit
 * without chains. When the segment is that full, a third of its buckets chain,
 * and one item in six is in such a further bucket. */
static inline size_t segment_limit(const struct table *t)
{
    return BUCKET_SLOTS * segment_buckets(t) - segment_buckets(t) / 2;
}

static inline size_t directory_size(const struct table *t)
{
    return (size_t)1 << t->depth;
}

/* Returns how many slots of the directory, one behind the other, are this
 * segment's. */
static inline size_t segment_span(const struct table *t, const struct segment *s)
{
    return (size_t)1 << (t->depth - s->depth);
}

static inline struct segment *segment_of(const struct table *t, uint64_t hash)
{
    return t->directory[hash_top(hash, t->depth)];
}

static inline struct bucket *bucket_of(const struct table *t, const struct segment *s,
                                       uint64_t hash)
{
    return &s->buckets[hash_top(hash << s->depth, t->bits)];
}

static struct segment *segment_new(struct table *t, uint8_t depth)
{
    struct segment *s = mem_alloc(sizeof *s);

    *s = (struct segment){.buckets = buckets_new(segment_buckets(t)), .depth = depth};
    t->segments++;
    return s;
}

static void segment_free(struct table *t, struct segment *s)
{
    buckets_free(t, s->buckets, segment_buckets(t));
    mem_free(s);
    t->segments--;
}

/* Gives all slots of the segment that `hash` belongs to to `s`, as deep as it is. */
static void directory_set(struct table *t, uint64_t hash, struct segment *s)
{
    size_t span = segment_span(t, s);
    struct segment **slot = &t->directory[hash_top(hash, s->depth) * span];

    for (size_t i = 0; i < span; i++) {
        slot[i] = s;
    }
}

static void directory_double(struct table *t)
{
    size_t size = directory_size(t);

    t->directory = mem_realloc(t->directory, 2 * size * sizeof *t->directory);
    for (size_t i = size; i-- > 0;) {
        t->directory[2 * i + 1] = t->directory[i];
        t->directory[2 * i] = t->directory[i];
    }
    t->depth++;
    t->deepest = 0;
}

static void directory_halve(struct table *t)
{
    assert(t->deepest == 0);
    t->depth--;
    for (size_t i = 0; i < directory_size(t); i++) {
        t->directory[i] = t->directory[2 * i];
        t->deepest += t->directory[i]->depth == t->depth;
    }
    t->directory = mem_realloc(t->directory, directory_size(t) * sizeof *t->directory);
}

/* Growing. */

static void table_add(struct table *t, uint64_t hash, void *item)
{
    struct segment *s = segment_of(t, hash);

    chain_add(t, bucket_of(t, s, hash), item, hash_tag(hash));
    s->count++;
}

static void table_rehash_chain(struct table *t, const struct bucket *b)
{
    for (; b != NULL; b = bucket_next(b)) {
        for (unsigned i = 0; i < bucket_count(b); i++) {
            table_add(t, hash_bytes(t->type->key(b->slot[i])), b->slot[i]);
        }
    }
}

/* Puts the items of these buckets where they belong now, and frees the buckets.
 * The items are hardly ever in the cache. We call for them one bucket ahead, and
 * for the link to the rest of their chain two ahead; a split then takes a sixth
 * of the time. */
static void table_rehash(struct table *t, struct bucket *buckets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i + 2 < count) {
            bucket_prefetch(&buckets[i + 2]);
        }
        if (i + 1 < count) {
            chain_prefetch(&buckets[i + 1]);
        }
        table_rehash_chain(t, &buckets[i]);
    }
    buckets_free(t, buckets, count);
}

/* Empties the segment into new buckets for the caller to fill, and returns the
 * old ones. */
static struct bucket *segment_renew(struct table *t, struct segment *s)
{
    struct bucket *old = s->buckets;

    s->buckets = buckets_new(segment_buckets(t));
    s->count = 0;
    return old;
}

static void table_double_buckets(struct table *t)
{
    size_t count = segment_buckets(t);

    assert(t->depth == 0);
    t->bits++;
    table_rehash(t, segment_renew(t, t->directory[0]), count);
}

/* Splits the segment that `hash` belongs to. It stays as the lower half. */
static void table_split(struct table *t, uint64_t hash)
{
    struct segment *lower = segment_of(t, hash);
    struct segment *upper;

    if (lower->depth == t->depth) {
        directory_double(t);
    }
    lower->depth++;
    upper = segment_new(t, lower->depth);
    directory_set(t, hash | (uint64_t)1 << (64 - upper->depth), upper);
    if (lower->depth == t->depth) {
        t->deepest += 2;
    }
    table_rehash(t, segment_renew(t, lower), segment_buckets(t));
}

static void table_grow(struct table *t, uint64_t hash)
{
    if (t->bits < SEGMENT_BITS) {
        table_double_buckets(t);
    } else if (segment_of(t, hash)->depth < DEPTH_MAX) {
        table_split(t, hash);
    }
}

/* Shrinking. What shrinks is half as full as it may be before it grows again. */

/* Moves the items of `count` buckets into half as many, two into one, and frees
 * the buckets. As both lie in the order of the hashes, no item is looked at. */
static void table_fold(struct table *t, struct bucket *to, struct bucket *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        chain_append(t, &to[i / 2], &from[i]);
    }
    buckets_free(t, from, count);
}

static void table_halve_buckets(struct table *t)
{
    struct segment *s = t->directory[0];
    struct bucket *old = s->buckets;
    size_t count = segment_buckets(t);

    assert(t->depth == 0);
    t->bits--;
    s->buckets = buckets_new(segment_buckets(t));
    table_fold(t, s->buckets, old, count);
}

/* Returns the segment that covers the other half of what `s`, to which `hash`
 * belongs, was split from; NULL if that has been split further. */
static struct segment *segment_buddy(const struct table *t, const struct segment *s, uint64_t hash)
{
    struct segment *buddy;

    if (s->depth == 0) {
        return NULL;
    }
    buddy = segment_of(t, hash ^ (uint64_t)1 << (64 - s->depth));
    return buddy->depth == s->depth ? buddy : NULL;
}

static bool segment_can_merge(const struct table *t, const struct segment *s, uint64_t hash)
{
    const struct segment *buddy;

    if (s->count > segment_limit(t) / 2) {
        return false;
    }
    buddy = segment_buddy(t, s, hash);
    return buddy != NULL && s->count + buddy->count <= segment_limit(t) / 2;
}

/* Merges the segment that `hash` belongs to with its buddy. The lower one of the
 * two stays. */
static void table_merge(struct table *t, uint64_t hash)
{
    uint64_t upper_bit = (uint64_t)1 << (64 - segment_of(t, hash)->depth);
    struct segment *lower = segment_of(t, hash & ~upper_bit);
    struct segment *upper = segment_of(t, hash | upper_bit);
    struct bucket *merged = buckets_new(segment_buckets(t));

    assert(lower->depth == upper->depth);
    table_fold(t, merged, lower->buckets, segment_buckets(t));
    table_fold(t, merged + segment_buckets(t) / 2, upper->buckets, segment_buckets(t));
    if (lower->depth == t->depth) {
        t->deepest -= 2;
    }
    lower->buckets = merged;
    lower->count += upper->count;
    lower->depth--;
    directory_set(t, hash, lower);
    mem_free(upper);
    t->segments--;
    if (t->deepest == 0) {
        directory_halve(t);
    }
}

static bool table_can_halve_buckets(const struct table *t)
{
    return t->depth == 0 && t->bits > 0 && t->count <= segment_limit(t) / 4;
}

static void table_shrink(struct table *t, uint64_t hash)
{
    while (segment_can_merge(t, segment_of(t, hash), hash)) {
        table_merge(t, hash);
    }
    if (table_can_halve_buckets(t)) {
        table_halve_buckets(t);
    }
}

/* The table. */

struct table *table_new(const struct table_type *type)
{
    struct table *t = mem_zalloc(sizeof *t);

    t->type = type;
    t->directory = mem_alloc(sizeof *t->directory);
    t->directory[0] = segment_new(t, 0);
    t->deepest = 1;
    return t;
}

static void free_items(const struct table *t, const struct segment *s,
                       void (*free_item)(void *item))
{
    for (size_t i = 0; i < segment_buckets(t); i++) {
        for (const struct bucket *b = &s->buckets[i]; b != NULL; b = bucket_next(b)) {
            for (unsigned j = 0; j < bucket_count(b); j++) {
                free_item(b->slot[j]);
            }
        }
    }
}

bool table_free_piece(struct table *t, size_t *slot, void (*free_item)(void *item), size_t *items)
{
    struct segment *s;

    *items = 0;
    if (*slot == directory_size(t)) {
        assert(t->segments == 0);
        assert(t->chained == 0);
        mem_free(t->directory);
        mem_free(t);
        return false;
    }
    s = t->directory[*slot];
    *slot += segment_span(t, s);
    *items = s->count;
    if (free_item != NULL) {
        free_items(t, s, free_item);
    }
    segment_free(t, s);
    return true;
}

void table_free(struct table *t, void (*free_item)(void *item))
{
    size_t slot = 0;
    size_t items;

    while (t != NULL && table_free_piece(t, &slot, free_item, &items)) {
    }
}

size_t table_count(const struct table *t)
{
    return t->count;
}

void *table_find(const struct table *t, struct bytes key)
{
    uint64_t hash = hash_bytes(key);
    struct bucket *head = bucket_of(t, segment_of(t, hash), hash);

    return chain_find(t, head, hash_tag(hash), key).item;
}

/* First all buckets, then all items whose tags match: the waits overlap. */
void table_prefetch(const struct table *t, const struct bytes *keys, size_t count)
{
    const struct bucket *head[TABLE_PREFETCH];
    uint8_t tag[TABLE_PREFETCH];

    assert(count <= TABLE_PREFETCH);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = hash_bytes(keys[i]);

        tag[i] = hash_tag(hash);
        head[i] = bucket_of(t, segment_of(t, hash), hash);
        __builtin_prefetch(head[i]);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t match = bucket_match(head[i], tag[i]);

        for (; match != 0; match &= match - 1) {
            __builtin_prefetch(head[i]->slot[__builtin_ctzll(match) / 8]);
        }
    }
    __asm__ volatile("" ::: "memory"); /* Without any effect the calls would be dropped. */
}

void *table_put(struct table *t, void *item)
{
    struct bytes key = t->type->key(item);
    uint64_t hash = hash_bytes(key);
    struct segment *s = segment_of(t, hash);
    struct place place = chain_find(t, bucket_of(t, s, hash), hash_tag(hash), key);

    if (place.item != NULL) {
        place.bucket->slot[place.index] = item;
        return place.item;
    }
    chain_add(t, place.bucket, item, hash_tag(hash));
    t->count++;
    s->count++;
    if (s->count > segment_limit(t)) {
        table_grow(t, hash);
    }
    return NULL;
}

void *table_remove(struct table *t, struct bytes key)
{
    uint64_t hash = hash_bytes(key);
    struct segment *s = segment_of(t, hash);
    struct bucket *head = bucket_of(t, s, hash);
    struct place place = chain_find(t, head, hash_tag(hash), key);

    if (place.item == NULL) {
        return NULL;
    }
    chain_remove(t, head, place);
    t->count--;
    s->count--;
    table_shrink(t, hash);
    return place.item;
}

/* Draws a segment, each as likely as it has items. A slot of the directory is
 * drawn until one passes: the first slot of a segment does so the more often the
 * fuller the segment is, the others, if it has any, never. Where few slots would
 * pass there are few segments, so after some tries we count through them. */
static const struct segment *random_segment(const struct table *t, struct random *r)
{
    size_t slot = 0;
    size_t index;

    for (int i = 0; i < RANDOM_TRIES; i++) {
        const struct segment *s;

        slot = random_below(r, directory_size(t));
        s = t->directory[slot];
        if (slot % segment_span(t, s) == 0 && random_below(r, segment_limit(t)) < s->count) {
            return s;
        }
    }

    slot = 0;
    index = random_below(r, t->count);
    while (index >= t->directory[slot]->count) {
        index -= t->directory[slot]->count;
        slot += segment_span(t, t->directory[slot]);
    }
    return t->directory[slot];
}

void *table_random(const struct table *t, struct random *r)
{
    const struct segment *s;
    const struct bucket *head;
    const struct bucket *b;
    size_t index;

    if (t->count == 0) {
        return NULL;
    }
    s = random_segment(t, r);
    index = random_below(r, s->count);
    for (b = head = s->buckets; index >= bucket_count(b);) {
        index -= bucket_count(b);
        b = bucket_next(b) != NULL ? bucket_next(b) : ++head;
    }
    return b->slot[index];
}

/* Returns the lowest hash behind those of the bucket that `hash` belongs to; 0
 * when that bucket is the last. */
static uint64_t bucket_end(const struct table *t, const struct segment *s, uint64_t hash)
{
    unsigned bits = s->depth + t->bits;

    return (uint64_t)(hash_top(hash, bits) + 1) << 1 << (63 - bits);
}

/* A cursor is the lowest hash that has not been visited, without its lower bits,
 * which are 0 as buckets of any size start there. When buckets have merged since,
 * it may point into the middle of one, which is then visited as a whole. */
uint64_t table_scan(const struct table *t, uint64_t cursor,
                    void (*visit)(void *item, void *context), void *context)
{
    uint64_t hash = cursor << (64 - CURSOR_BITS);
    bool visited = false;

    for (int i = 0; i < SCAN_BUCKETS && !visited; i++) {
        const struct segment *s = segment_of(t, hash);
        const struct bucket *b;

        for (b = bucket_of(t, s, hash); b != NULL; b = bucket_next(b)) {
            for (unsigned slot = 0; slot < bucket_count(b); slot++) {
                visit(b->slot[slot], context);
                visited = true;
            }
        }
        hash = bucket_end(t, s, hash);
        if (hash == 0) {
            break;
        }
    }
    return hash >> (64 - CURSOR_BITS);
}

/* Goes on behind the bucket that the walk is at. */
static void walk_advance(const struct table *t, struct table_walk *walk, const struct bucket *b)
{
    walk->slot = 0;
    walk->bucket = bucket_next(b);
    if (walk->bucket == NULL) {
        walk->index++;
    }
    if (walk->index == segment_buckets(t)) {
        walk->index = 0;
        walk->segment += segment_span(t, t->directory[walk->segment]);
    }
}

void *table_next(const struct table *t, struct table_walk *walk)
{
    while (walk->segment < directory_size(t)) {
        const struct segment *s = t->directory[walk->segment];
        const struct bucket *b = walk->bucket != NULL ? walk->bucket : &s->buckets[walk->index];

        if (walk->slot < bucket_count(b)) {
            return b->slot[walk->slot++];
        }
        walk_advance(t, walk, b);
    }
    return NULL;
}

size_t table_memory(const struct table *t)
{
    size_t segment = sizeof(struct segment) + segment_buckets(t) * sizeof(struct bucket);

    return mem_size(t) + directory_size(t) * sizeof *t->directory + t->segments * segment +
           t->chained * sizeof(struct bucket);
}

/* What table_check() finds by counting. */
struct census {
    size_t items, segments, deepest, chained;
};

static void check_item(const struct table *t, const struct segment *s, const struct bucket *head,
                       const struct bucket *b, unsigned slot)
{
    struct bytes key = t->type->key(b->slot[slot]);
    uint64_t hash = hash_bytes(key);

    assert(segment_of(t, hash) == s);
    assert(bucket_of(t, s, hash) == head);
    assert(bucket_tag(b, slot) == hash_tag(hash));
    assert(table_find(t, key) == b->slot[slot]);
}

static size_t check_chain(const struct table *t, const struct segment *s, const struct bucket *head,
                          struct census *census)
{
    size_t count = 0;

    for (const struct bucket *b = head; b != NULL; b = bucket_next(b)) {
        assert(bucket_count(b) <= BUCKET_SLOTS);
        assert(bucket_next(b) == NULL || bucket_count(b) == LAST_SLOT);
        assert(b == head || bucket_count(b) >= 2);
        for (unsigned slot = 0; slot < bucket_count(b); slot++) {
            check_item(t, s, head, b, slot);
        }
        count += bucket_count(b);
        census->chained += b != head;
    }
    return count;
}

/* Checks the segment whose first slot in the directory this is. */
static void check_segment(const struct table *t, size_t slot, struct census *census)
{
    const struct segment *s = t->directory[slot];
    size_t count = 0;

    assert(s->depth <= t->depth);
    assert(slot % segment_span(t, s) == 0);
    for (size_t i = 0; i < segment_span(t, s); i++) {
        assert(t->directory[slot + i] == s);
    }
    assert(!segment_can_merge(t, s, (uint64_t)slot << 1 << (63 - t->depth)));
    for (size_t i = 0; i < segment_buckets(t); i++) {
        count += check_chain(t, s, &s->buckets[i], census);
    }
    assert(s->count == count);
    census->items += count;
    census->segments++;
    census->deepest += s->depth == t->depth;
}

void table_check(const struct table *t)
{
    struct census census = {0};

    assert(t->depth <= DEPTH_MAX);
    assert(t->bits == SEGMENT_BITS || (t->bits < SEGMENT_BITS && t->depth == 0));
    assert(!table_can_halve_buckets(t));
    for (size_t slot = 0; slot < directory_size(t); slot += segment_span(t, t->directory[slot])) {
        check_segment(t, slot, &census);
    }
    assert(t->count == census.items);
    assert(t->segments == census.segments);
    assert(t->deepest == census.deepest);
    assert(t->deepest > 0);
    assert(t->chained == census.chained);
}
