#include "data/packed.h"

#include "base/mem.h"

#include <assert.h>

/* An element is its length, its bytes, and its length again. Lengths are written
 * seven bits a byte, the lowest first, with the eighth bit set on all bytes but
 * the last; behind the element this is mirrored, to be read from the right. Both
 * take equally many bytes.
 *
 * How much room there is, the allocator knows: see mem_size(). */
struct packed {
    uint32_t size; /* Of the elements together, in bytes. */
    uint32_t count;
    unsigned char element[];
};

enum { PACKED_SIZE_MAX = INT32_MAX };

/* The bytes that a length takes up, once. */
static size_t length_size(size_t len)
{
    size_t size = 1;

    while (len > 0x7f) {
        len >>= 7;
        size++;
    }
    return size;
}

/* Writes a length from `at` on, upwards if `step` is 1, downwards if it is -1. */
static void length_write(unsigned char *at, ptrdiff_t step, size_t len)
{
    while (len > 0x7f) {
        *at = (unsigned char)(len | 0x80);
        at += step;
        len >>= 7;
    }
    *at = (unsigned char)len;
}

/* Reads a length likewise, and returns how many bytes it takes up. */
static inline size_t length_read(const unsigned char *at, ptrdiff_t step, size_t *len)
{
    size_t size = 1;

    *len = *at & 0x7f;
    while (*at & 0x80) {
        at += step;
        *len |= (size_t)(*at & 0x7f) << (7 * size);
        size++;
    }
    return size;
}

static size_t element_size(size_t len)
{
    return 2 * length_size(len) + len;
}

/* Writes an element, and returns where the next one goes. */
static unsigned char *element_write(unsigned char *at, struct bytes content)
{
    size_t size = length_size(content.len);
    unsigned char *end = at + size + content.len + size;

    length_write(at, 1, content.len);
    if (content.len > 0) {
        memcpy(at + size, content.at, content.len);
    }
    length_write(end - 1, -1, content.len);
    return end;
}

static inline const unsigned char *element_next(const unsigned char *at)
{
    size_t len;
    size_t size = length_read(at, 1, &len);

    return at + size + len + size;
}

static const unsigned char *element_at(const struct packed *p, packed_at at)
{
    assert(p != NULL);
    assert(at < p->size);
    return p->element + at;
}

void packed_free(struct packed *p)
{
    mem_free(p);
}

struct packed *packed_copy(const struct packed *p)
{
    struct packed *copy;

    if (p == NULL) {
        return NULL;
    }
    copy = mem_alloc(sizeof(*p) + p->size);
    memcpy(copy, p, sizeof(*p) + p->size);
    return copy;
}

size_t packed_count(const struct packed *p)
{
    return p != NULL ? p->count : 0;
}

size_t packed_size(const struct packed *p)
{
    return p != NULL ? p->size : 0;
}

size_t packed_memory(const struct packed *p)
{
    return mem_size(p);
}

packed_at packed_first(const struct packed *p)
{
    return p != NULL ? 0 : PACKED_NONE;
}

/* Returns the element that ends where another one begins, or the array ends. */
static packed_at ending_at(const struct packed *p, size_t end)
{
    size_t len;
    size_t size = length_read(p->element + end - 1, -1, &len);

    return (packed_at)(end - size - len - size);
}

packed_at packed_last(const struct packed *p)
{
    return p != NULL ? ending_at(p, p->size) : PACKED_NONE;
}

packed_at packed_next(const struct packed *p, packed_at at)
{
    size_t next = (size_t)(element_next(element_at(p, at)) - p->element);

    return next < p->size ? (packed_at)next : PACKED_NONE;
}

packed_at packed_previous(const struct packed *p, packed_at at)
{
    assert(p != NULL);
    assert(at < p->size);
    return at > 0 ? ending_at(p, at) : PACKED_NONE;
}

packed_at packed_select(const struct packed *p, size_t index)
{
    size_t count = packed_count(p);
    packed_at at;

    if (index >= count) {
        return PACKED_NONE;
    }
    if (index < count / 2) {
        at = packed_first(p);
        for (size_t i = 0; i < index; i++) {
            at = packed_next(p, at);
        }
        return at;
    }
    at = packed_last(p);
    for (size_t i = count - 1; i > index; i--) {
        at = packed_previous(p, at);
    }
    return at;
}

struct bytes packed_get(const struct packed *p, packed_at at)
{
    const unsigned char *element = element_at(p, at);
    size_t len;
    size_t size = length_read(element, 1, &len);

    return (struct bytes){(const char *)element + size, len};
}

/* The last bytes of a string, as many as there are up to 8, as one word. Elements
 * are compared by these first: fields are often alike in front ("field:17"), and
 * one word costs no call. */
struct tail {
    uint64_t word;
    uint64_t mask; /* The bits of `word` that belong to the string. */
};

static struct tail tail_of(struct bytes b)
{
    unsigned char word[8] = {0};
    unsigned char mask[8] = {0};
    size_t len = b.len < 8 ? b.len : 8;
    struct tail tail;

    if (len > 0) {
        memcpy(word + 8 - len, b.at + b.len - len, len);
        memset(mask + 8 - len, 0xff, len);
    }
    memcpy(&tail.word, word, 8);
    memcpy(&tail.mask, mask, 8);
    return tail;
}

/* Returns whether the bytes before `end` are those of the tail. The eight bytes
 * before any element's end are in the array: the header alone has as many. */
static inline bool tail_matches(struct tail tail, const unsigned char *end)
{
    uint64_t word;

    _Static_assert(sizeof(struct packed) >= sizeof(word), "the header covers a word");
    memcpy(&word, end - sizeof(word), sizeof(word));
    return (word & tail.mask) == tail.word;
}

packed_at packed_find(const struct packed *p, struct bytes element, size_t stride)
{
    const struct tail tail = tail_of(element);
    const unsigned char *at, *end;

    assert(stride > 0);
    if (p == NULL) {
        return PACKED_NONE;
    }
    at = p->element;
    end = at + p->size;
    while (at < end) {
        size_t len;
        size_t size = length_read(at, 1, &len);
        const unsigned char *content = at + size;
        if (len == element.len && tail_matches(tail, content + len) &&
            (len <= 8 || memcmp(content, element.at, len) == 0)) {
            return (packed_at)(at - p->element);
        }
        at = content + len + size;
        for (size_t i = 1; i < stride && at < end; i++) {
            at = element_next(at);
        }
    }
    return PACKED_NONE;
}

/* Makes the allocation hold `size` bytes of elements. It grows when it must, and
 * shrinks when the allocator has a smaller class for sure: classes are at most a
 * quarter apart, but for the smallest. */
static void packed_fit(struct packed **p, size_t size)
{
    size_t need = sizeof(**p) + size;
    size_t have = mem_size(*p);

    assert(size <= PACKED_SIZE_MAX);
    if (*p == NULL) {
        *p = mem_alloc(need);
        **p = (struct packed){0};
    } else if (need > have || need <= have / 4 * 3) {
        *p = mem_realloc(*p, need);
    }
}

/* Replaces `removed` bytes at an offset by room for `added` bytes, and returns
 * where that is. An array that has no bytes left is freed. */
static unsigned char *packed_splice(struct packed **p, size_t offset, size_t removed, size_t added)
{
    size_t size = packed_size(*p) - removed + added;
    size_t behind = packed_size(*p) - offset - removed;

    if (size == 0) {
        mem_free(TAKE(*p));
        return NULL;
    }
    if (added > removed) {
        packed_fit(p, size);
    }
    if (added != removed) {
        unsigned char *gap = (*p)->element + offset;
        memmove(gap + added, gap + removed, behind);
    }
    if (added < removed) {
        packed_fit(p, size);
    }
    (*p)->size = (uint32_t)size;
    return (*p)->element + offset;
}

void packed_insert(struct packed **p, packed_at at, const struct bytes *elements, size_t count)
{
    size_t offset = at != PACKED_NONE ? at : packed_size(*p);
    size_t added = 0;
    unsigned char *gap;

    assert(offset <= packed_size(*p));
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        added += element_size(elements[i].len);
    }
    gap = packed_splice(p, offset, 0, added);
    for (size_t i = 0; i < count; i++) {
        gap = element_write(gap, elements[i]);
    }
    (*p)->count += (uint32_t)count;
}

void packed_remove(struct packed **p, packed_at at, size_t count)
{
    const unsigned char *start = element_at(*p, at);
    const unsigned char *end = start;

    assert(count <= (*p)->count);
    for (size_t i = 0; i < count; i++) {
        assert(end < (*p)->element + (*p)->size);
        end = element_next(end);
    }
    (*p)->count -= (uint32_t)count;
    packed_splice(p, at, (size_t)(end - start), 0);
}

void packed_replace(struct packed **p, packed_at at, struct bytes content)
{
    const unsigned char *element = element_at(*p, at);
    size_t removed = (size_t)(element_next(element) - element);

    element_write(packed_splice(p, at, removed, element_size(content.len)), content);
}

void packed_check(const struct packed *p)
{
    size_t at = 0;
    size_t count = 0;

    if (p == NULL) {
        return;
    }
    assert(p->count > 0);
    assert(p->size <= PACKED_SIZE_MAX);
    assert(mem_size(p) >= sizeof(*p) + p->size);
    while (at < p->size) {
        size_t next = (size_t)(element_next(p->element + at) - p->element);
        assert(next <= p->size);
        assert(ending_at(p, next) == at);
        at = next;
        count++;
    }
    assert(at == p->size);
    assert(count == p->count);
}
