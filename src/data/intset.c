#include "data/intset.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* How much room there is, the allocator knows: see mem_size(). */
struct intset {
    uint32_t count;
    uint32_t width; /* Of a member, in bytes: 2, 4 or 8. */
    unsigned char member[];
};

static uint32_t width_of(int64_t member)
{
    if (member >= INT16_MIN && member <= INT16_MAX) {
        return 2;
    }
    return member >= INT32_MIN && member <= INT32_MAX ? 4 : 8;
}

static int64_t member_read(const unsigned char *at, uint32_t width)
{
    int16_t narrow;
    int32_t middle;
    int64_t wide;

    switch (width) {
    case 2:
        memcpy(&narrow, at, 2);
        return narrow;
    case 4:
        memcpy(&middle, at, 4);
        return middle;
    default:
        memcpy(&wide, at, 8);
        return wide;
    }
}

static void member_write(unsigned char *at, uint32_t width, int64_t member)
{
    int16_t narrow = (int16_t)member;
    int32_t middle = (int32_t)member;

    switch (width) {
    case 2:
        memcpy(at, &narrow, 2);
        break;
    case 4:
        memcpy(at, &middle, 4);
        break;
    default:
        memcpy(at, &member, 8);
        break;
    }
}

static int64_t member_at(const struct intset *s, size_t index)
{
    return member_read(s->member + index * s->width, s->width);
}

static void member_put(struct intset *s, size_t index, int64_t member)
{
    member_write(s->member + index * s->width, s->width, member);
}

/* Returns how many members are smaller. */
static size_t members_before(const struct intset *s, int64_t member)
{
    size_t low = 0;
    size_t high = s->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (member_at(s, middle) < member) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct intset *intset_new(uint32_t width, size_t count)
{
    struct intset *s = mem_alloc(sizeof(*s) + count * width);

    *s = (struct intset){.count = (uint32_t)count, .width = width};
    return s;
}

void intset_free(struct intset *s)
{
    mem_free(s);
}

struct intset *intset_copy(const struct intset *s)
{
    uint32_t first, last;
    struct intset *copy;

    if (s == NULL) {
        return NULL;
    }
    first = width_of(member_at(s, 0));
    last = width_of(member_at(s, s->count - 1));
    copy = intset_new(first > last ? first : last, s->count);
    for (size_t i = 0; i < s->count; i++) {
        member_put(copy, i, member_at(s, i));
    }
    return copy;
}

size_t intset_count(const struct intset *s)
{
    return s != NULL ? s->count : 0;
}

size_t intset_memory(const struct intset *s)
{
    return mem_size(s);
}

bool intset_has(const struct intset *s, int64_t member)
{
    size_t index;

    if (s == NULL || width_of(member) > s->width) {
        return false;
    }
    index = members_before(s, member);
    return index < s->count && member_at(s, index) == member;
}

int64_t intset_at(const struct intset *s, size_t index)
{
    assert(index < intset_count(s));
    return member_at(s, index);
}

/* Makes the allocation hold `count` members of `width` bytes. It grows when it
 * must, and shrinks when the allocator has a smaller class for sure: classes are
 * at most a quarter apart, but for the smallest. */
static void intset_fit(struct intset **s, size_t count, uint32_t width)
{
    size_t need = sizeof(**s) + count * width;
    size_t have = mem_size(*s);

    assert(count <= UINT32_MAX);
    if (need > have || need <= have / 4 * 3) {
        *s = mem_realloc(*s, need);
    }
}

/* Gives every member `width` bytes. The last goes first, as it moves farthest. */
static void intset_widen(struct intset **s, uint32_t width)
{
    unsigned char *member;

    intset_fit(s, (*s)->count, width);
    member = (*s)->member;
    for (size_t i = (*s)->count; i-- > 0;) {
        member_write(member + i * width, width, member_at(*s, i));
    }
    (*s)->width = width;
}

void intset_add(struct intset **s, int64_t member)
{
    uint32_t width = width_of(member);
    size_t index, count;
    unsigned char *at;

    assert(!intset_has(*s, member));
    if (*s == NULL) {
        *s = intset_new(width, 0);
    } else if (width > (*s)->width) {
        intset_widen(s, width);
    }
    count = (*s)->count;
    width = (*s)->width;
    index = members_before(*s, member);

    intset_fit(s, count + 1, width);
    at = (*s)->member + index * width;
    memmove(at + width, at, (count - index) * width);
    member_write(at, width, member);
    (*s)->count++;
}

void intset_remove(struct intset **s, int64_t member)
{
    uint32_t width;
    size_t index;
    unsigned char *at;

    assert(intset_has(*s, member));
    if ((*s)->count == 1) {
        mem_free(TAKE(*s));
        return;
    }
    width = (*s)->width;
    index = members_before(*s, member);
    at = (*s)->member + index * width;
    (*s)->count--;
    memmove(at, at + width, ((*s)->count - index) * width);
    intset_fit(s, (*s)->count, width);
}

void intset_check(const struct intset *s)
{
    if (s == NULL) {
        return;
    }
    assert(s->count > 0);
    assert(s->width == 2 || s->width == 4 || s->width == 8);
    assert(mem_size(s) >= sizeof(*s) + (size_t)s->count * s->width);
    for (size_t i = 1; i < s->count; i++) {
        assert(member_at(s, i - 1) < member_at(s, i));
    }
}
