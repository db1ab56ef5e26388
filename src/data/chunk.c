#include "data/chunk.h"

#include "base/mem.h"

#include <assert.h>

/* The first byte of an element, and the last, its mirror image, tell what it is:
 *
 *     0x00..0x7f   a string of so many bytes between the two
 *     0x80..0xbf   an integer from 0 to 63: this is all of it
 *     0xc0..0xdf   an integer of 18 bits, its sign in the lowest: five bits here, then
 *                  a byte, then five bits in the last
 *     0xe0..0xef   a string of up to 4095 bytes; the low bits of the length are in the
 *                  byte that comes next
 *     0xf0         a string; its length is in the next four bytes
 *     0xf3..0xf8   an integer of three to eight bytes                                  */
enum {
    STRING_7 = 0x00,
    NUMBER_6 = 0x80,
    NUMBER_18 = 0xc0,
    STRING_12 = 0xe0,
    STRING_32 = 0xf0,
    NUMBER_BYTES = 0xf0, /* And how many. */
};

enum {
    NUMBER_18_MAX = (1 << 18) - 1,
    STRING_7_MAX = 0x7f,
    STRING_12_MAX = 0xfff,
    NUMBER_TEXT_MAX = 20, /* Longer texts are no integers. */
    SHRINK_MIN = 64,      /* Chunks with no more room keep it. */
};

/* Numbers of either sign, so that small ones are short. */
static uint64_t fold(int64_t number)
{
    return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

static int64_t unfold(uint64_t folded)
{
    return (int64_t)(folded >> 1) ^ -(int64_t)(folded & 1);
}

/* The bytes that a number takes up at least, without its sign being lost. */
static unsigned bytes_of_number(int64_t number)
{
    uint64_t folded = fold(number);
    unsigned bytes = 3;

    while (bytes < 8 && folded >> (8 * bytes) != 0) {
        bytes++;
    }
    return bytes;
}

static void number_element(struct element *e, int64_t number)
{
    uint64_t folded = fold(number);
    unsigned bytes;

    e->is_number = true;
    if (number >= 0 && number < 0x40) {
        e->head_len = 1;
        e->head[0] = (unsigned char)(NUMBER_6 | number);
    } else if (folded <= NUMBER_18_MAX) {
        e->head_len = 3;
        e->head[0] = (unsigned char)(NUMBER_18 | (folded & 0x1f));
        e->head[1] = (unsigned char)(folded >> 5);
        e->head[2] = (unsigned char)(NUMBER_18 | (folded >> 13));
    } else {
        bytes = bytes_of_number(number);
        e->head_len = (uint8_t)(bytes + 2);
        memset(e->head, (int)(NUMBER_BYTES | bytes), bytes + 2);
        for (unsigned i = 0; i < bytes; i++) {
            e->head[1 + i] = (unsigned char)(folded >> (8 * i));
        }
    }
    e->size = e->head_len;
}

static void string_element(struct element *e, struct bytes content)
{
    size_t len = content.len;

    assert(len < UINT32_MAX / 2);
    e->is_number = false;
    e->content = content;
    if (len <= STRING_7_MAX) {
        e->head_len = 1;
        e->head[0] = (unsigned char)(STRING_7 | len);
    } else if (len <= STRING_12_MAX) {
        e->head_len = 2;
        e->head[0] = (unsigned char)(STRING_12 | len >> 8);
        e->head[1] = (unsigned char)len;
    } else {
        e->head_len = 5;
        e->head[0] = STRING_32;
        for (unsigned i = 0; i < 4; i++) {
            e->head[1 + i] = (unsigned char)(len >> (8 * i));
        }
    }
    e->size = 2 * (size_t)e->head_len + len;
}

struct element element_of(struct bytes content)
{
    struct element e;
    int64_t number;

    if (content.len <= NUMBER_TEXT_MAX && number_parse_int(content, &number)) {
        number_element(&e, number);
    } else {
        string_element(&e, content);
    }
    return e;
}

static void element_write(unsigned char *at, const struct element *e)
{
    unsigned char *end = at + e->size;

    memcpy(at, e->head, e->head_len);
    if (e->is_number) {
        return;
    }
    if (e->content.len > 0) {
        memcpy(at + e->head_len, e->content.at, e->content.len);
    }
    for (unsigned i = 0; i < e->head_len; i++) {
        *--end = e->head[i];
    }
}

/* The length of a string that does not begin with it, read from either side: `step`
 * is 1 from the left, -1 from the right. */
static size_t long_length(const unsigned char *at, ptrdiff_t step, size_t *head_len)
{
    size_t len = 0;

    if (*at < STRING_32) {
        *head_len = 2;
        return (size_t)(*at & 0xf) << 8 | at[step];
    }
    *head_len = 5;
    for (unsigned i = 0; i < 4; i++) {
        len |= (size_t)at[step * (ptrdiff_t)(1 + i)] << (8 * i);
    }
    return len;
}

static size_t element_size(const unsigned char *at, ptrdiff_t step)
{
    size_t head_len, len;

    if (*at <= STRING_7_MAX) {
        return (size_t)*at + 2;
    }
    if (*at < NUMBER_18) {
        return 1;
    }
    if (*at < STRING_12) {
        return 3;
    }
    if (*at > STRING_32) {
        return (size_t)(*at & 0xf) + 2;
    }
    len = long_length(at, step, &head_len);
    return 2 * head_len + len;
}

/* Returns whether a number is kept here. */
static bool number_at(const unsigned char *at, int64_t *number)
{
    uint64_t folded = 0;

    if (*at < NUMBER_6 || (*at >= STRING_12 && *at <= STRING_32)) {
        return false;
    }
    if (*at < NUMBER_18) {
        *number = *at & 0x3f;
        return true;
    }
    if (*at < STRING_12) {
        folded = (uint64_t)(at[0] & 0x1f) | (uint64_t)at[1] << 5 | (uint64_t)(at[2] & 0x1f) << 13;
    } else {
        for (unsigned i = 0; i < (unsigned)(*at & 0xf); i++) {
            folded |= (uint64_t)at[1 + i] << (8 * i);
        }
    }
    *number = unfold(folded);
    return true;
}

/* Chunks. */

/* What the allocator rounds up to is room as well. */
static struct chunk *chunk_alloc(size_t room)
{
    struct chunk *c = mem_alloc(sizeof *c + room);

    room = mem_size(c) - sizeof *c;
    assert(room <= UINT32_MAX);
    *c = (struct chunk){.room = (uint32_t)room};
    return c;
}

struct chunk *chunk_new(const struct element *e)
{
    struct chunk *c = chunk_alloc(e->size);

    element_write(c->bytes, e);
    c->end = (uint32_t)e->size;
    c->branch.count = 1;
    return c;
}

/* A chunk of the elements from one offset to another. */
static struct chunk *copy_between(const struct chunk *c, uint32_t begin, uint32_t end, size_t count)
{
    struct chunk *copy = chunk_alloc(end - begin);

    memcpy(copy->bytes, c->bytes + begin, end - begin);
    copy->end = end - begin;
    copy->branch.count = (uint32_t)count & 0xffffff;
    return copy;
}

struct chunk *chunk_copy(const struct chunk *c)
{
    return copy_between(c, c->begin, c->end, c->branch.count);
}

struct chunk *chunk_part(const struct chunk *c, size_t index, size_t count)
{
    return copy_between(c, chunk_select(c, index), chunk_select(c, index + count), count);
}

uint32_t chunk_size_at(const struct chunk *c, uint32_t offset)
{
    assert(offset < c->end);
    return (uint32_t)element_size(c->bytes + offset, 1);
}

uint32_t chunk_size_before(const struct chunk *c, uint32_t offset)
{
    assert(offset > c->begin);
    return (uint32_t)element_size(c->bytes + offset - 1, -1);
}

uint32_t chunk_select(const struct chunk *c, size_t index)
{
    const unsigned char *at;

    assert(index <= c->branch.count);
    if (index <= c->branch.count / 2) {
        at = c->bytes + c->begin;
        for (size_t i = 0; i < index; i++) {
            at += element_size(at, 1);
        }
    } else {
        at = c->bytes + c->end;
        for (size_t i = c->branch.count; i > index; i--) {
            at -= element_size(at - 1, -1);
        }
    }
    return (uint32_t)(at - c->bytes);
}

struct bytes chunk_get(const struct chunk *c, uint32_t offset, char text[NUMBER_INT_MAX])
{
    const unsigned char *at = c->bytes + offset;
    size_t head_len = 1;
    size_t len = *at;
    int64_t number;

    assert(offset < c->end);
    if (number_at(at, &number)) {
        return (struct bytes){text, number_format_int(text, number)};
    }
    if (len > STRING_7_MAX) {
        len = long_length(at, 1, &head_len);
    }
    return (struct bytes){(const char *)at + head_len, len};
}

bool chunk_matches(const struct chunk *c, uint32_t offset, const struct element *e)
{
    const unsigned char *at = c->bytes + offset;

    if (at[0] != e->head[0] || c->end - offset < e->size) {
        return false;
    }
    return memcmp(at, e->head, e->head_len) == 0 &&
           (e->is_number || e->content.len == 0 ||
            memcmp(at + e->head_len, e->content.at, e->content.len) == 0);
}

static size_t free_room(const struct chunk *c)
{
    return c->room - chunk_used(c);
}

/* Whether it pays to move all elements for the room that there is. */
static bool is_roomy(const struct chunk *c, size_t size)
{
    return free_room(c) >= size && free_room(c) >= chunk_used(c) / 4;
}

bool chunk_accepts(const struct chunk *c, size_t index, const struct element *e,
                   struct chunk_limit limit)
{
    if (c->branch.count >= limit.count || sizeof *c + chunk_used(c) + e->size > limit.bytes) {
        return false;
    }
    if (sizeof *c + c->room < limit.bytes || is_roomy(c, e->size)) {
        return true;
    }
    return index == 0                 ? c->begin >= e->size
           : index == c->branch.count ? c->room - c->end >= e->size
                                      : free_room(c) >= e->size;
}

/* Moves the elements to one end of another amount of room. */
static void chunk_move(struct chunk **c, size_t room, bool to_back)
{
    struct chunk *old = *c;
    struct chunk *moved = room == old->room ? old : chunk_alloc(room);
    size_t used = chunk_used(old);
    size_t begin = to_back ? moved->room - used : 0;

    assert(used <= moved->room);
    memmove(moved->bytes + begin, old->bytes + old->begin, used);
    moved->branch = old->branch;
    moved->begin = (uint32_t)begin;
    moved->end = (uint32_t)(begin + used);
    if (moved != old) {
        mem_free(old);
    }
    *c = moved;
}

/* The room for a chunk that grows: a quarter to spare, but no more than the limit. */
static size_t roomier(size_t need, struct chunk_limit limit)
{
    size_t spare = need / 4 + 16;
    size_t most = limit.bytes > sizeof(struct chunk) ? limit.bytes - sizeof(struct chunk) : 0;

    return need + spare <= most ? need + spare : need < most ? most : need;
}

/* Sees to `size` bytes of room at the front, or else at the back. All that is spare
 * goes there, because it is where the next element is likely to go. */
static void make_room(struct chunk **c, bool front, size_t size, struct chunk_limit limit)
{
    size_t used = chunk_used(*c);
    size_t room = (*c)->room;

    if (front ? (*c)->begin >= size : room - (*c)->end >= size) {
        return;
    }
    if (!is_roomy(*c, size)) {
        room = roomier(used + size, limit);
    }
    chunk_move(c, room, front);
}

void chunk_insert(struct chunk **c, size_t index, const struct element *e, struct chunk_limit limit)
{
    bool front = index < ((size_t)(*c)->branch.count + 1) / 2;
    struct chunk *d;
    size_t before;

    before = chunk_select(*c, index) - (*c)->begin;
    make_room(c, front, e->size, limit);
    d = *c;
    if (front) {
        d->begin -= (uint32_t)e->size;
        memmove(d->bytes + d->begin, d->bytes + d->begin + e->size, before);
    } else {
        unsigned char *at = d->bytes + d->begin + before;
        memmove(at + e->size, at, chunk_used(d) - before);
        d->end += (uint32_t)e->size;
    }
    element_write(d->bytes + d->begin + before, e);
    d->branch.count++;
}

void chunk_remove(struct chunk **c, size_t index, size_t count)
{
    struct chunk *d = *c;
    uint32_t from = chunk_select(d, index);
    uint32_t to = chunk_select(d, index + count);
    size_t size;

    assert(count < d->branch.count);
    if (from - d->begin <= d->end - to) {
        memmove(d->bytes + d->begin + (to - from), d->bytes + d->begin, from - d->begin);
        d->begin += to - from;
    } else {
        memmove(d->bytes + from, d->bytes + to, d->end - to);
        d->end -= to - from;
    }
    d->branch.count -= (uint32_t)count & 0xffffff;
    size = chunk_used(d);
    if (d->room > (uint32_t)SHRINK_MIN && size < d->room / 4) {
        chunk_move(c, 2 * size, false);
    }
}

void chunk_join(struct chunk **c, struct chunk *right)
{
    size_t size = chunk_used(right);

    chunk_move(c, chunk_used(*c) + size, false);
    memcpy((*c)->bytes + (*c)->end, right->bytes + right->begin, size);
    (*c)->end += (uint32_t)size;
    (*c)->branch.count += right->branch.count;
    mem_free(right);
}

void chunk_trim(struct chunk **c)
{
    if (free_room(*c) > chunk_used(*c) / 16) {
        chunk_move(c, chunk_used(*c), false);
    }
}

void chunk_check(const struct chunk *c)
{
    uint32_t offset = c->begin;

    assert(c->branch.level == 0);
    assert(c->branch.count > 0);
    assert(c->begin < c->end);
    assert(c->end <= c->room);
    assert(mem_size(c) >= sizeof *c + c->room);
    for (size_t i = 0; i < c->branch.count; i++) {
        uint32_t size = chunk_size_at(c, offset);
        offset += size;
        assert(offset <= c->end);
        assert(chunk_size_before(c, offset) == size);
    }
    assert(offset == c->end);
}
