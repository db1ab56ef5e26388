#include "store/page.h"

#include "base/mem.h"
#include "store/coding.h"

#include <assert.h>

/* An entry is
 *
 *     head    the length of the body, times 4, and two flags
 *     body    the id, as its distance from the page's first: the milliseconds, and
 *             the sequence number, which is whole if the milliseconds differ;
 *             the coded fields, or, if the names are those of the first entry,
 *             the contents alone
 *     tail    the length of head and body, written backwards
 *
 * in numbers as store/coding.h writes them. The first entry's fields are coded. */
enum head_flags {
    REMOVED = 1,
    SAME_NAMES = 2,
    FLAG_BITS = 2,
};

enum { NUMBER_MAX = 10 }; /* Bytes of a number. */

static inline size_t number_size(uint64_t n)
{
    return (70 - (size_t)__builtin_clzll(n | 1)) / 7;
}

static inline char *write_number(char *at, uint64_t n)
{
    while (n >= 0x80) {
        *at++ = (char)(n | 0x80);
        n >>= 7;
    }
    *at++ = (char)n;
    return at;
}

static inline const char *read_number(const char *at, uint64_t *n)
{
    uint64_t digit = (unsigned char)*at++;
    unsigned shift = 7;

    *n = digit & 0x7f;
    while (digit >= 0x80) {
        digit = (unsigned char)*at++;
        *n |= (digit & 0x7f) << shift;
        shift += 7;
    }
    return at;
}

/* Steps over a length and the bytes behind it. */
static inline const char *read_bytes(const char *at, struct bytes *b)
{
    uint64_t len;

    at = read_number(at, &len);
    *b = (struct bytes){at, len};
    return at + len;
}

static char *write_backwards(char *at, uint64_t n)
{
    size_t size = number_size(n);

    for (size_t i = 0; i < size; i++) {
        at[size - 1 - i] = (char)((n & 0x7f) | (i + 1 < size ? 0x80 : 0));
        n >>= 7;
    }
    return at + size;
}

/* Reads the number that ends before `end`; returns how many bytes it takes up. */
static size_t read_backwards(const char *end, uint64_t *n)
{
    size_t size = 0;
    unsigned char digit;

    *n = 0;
    do {
        digit = (unsigned char)end[-1 - (ptrdiff_t)size];
        *n |= (uint64_t)(digit & 0x7f) << (7 * size);
        size++;
    } while (digit >= 0x80);
    return size;
}

/* The weight: sizes in a listpack, which writes numbers as such. */

/* Returns the size of an element of `len` bytes with the length behind it. */
static size_t element_weight(size_t len)
{
    static const size_t ends[] = {128, 16383, 2097151, 268435455};
    size_t size = 0;

    while (size < sizeof ends / sizeof *ends && len >= ends[size]) {
        size++;
    }
    return len + size + 1;
}

static size_t number_weight(int64_t n)
{
    static const unsigned bits[] = {16, 24, 32};

    if (n >= 0 && n <= 127) {
        return element_weight(1);
    }
    if (n >= -4096 && n <= 4095) {
        return element_weight(2);
    }
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        int64_t end = INT64_C(1) << (bits[i] - 1);
        if (n >= -end && n < end) {
            return element_weight(1 + bits[i] / 8);
        }
    }
    return element_weight(1 + sizeof n);
}

static size_t string_weight(struct bytes b)
{
    int64_t number;

    if (number_parse_int(b, &number)) {
        return number_weight(number);
    }
    return element_weight(b.len + (b.len < 64 ? 1 : b.len < 4096 ? 2 : 5));
}

/* A listpack begins with 6 bytes and ends with 1. */
size_t page_weight(const struct page *c)
{
    return 7 + c->weight + number_weight(c->count - c->removed) + number_weight(c->removed);
}

size_t page_content_len(struct bytes fields)
{
    const char *at = fields.at;
    size_t len = 0;
    struct bytes part;
    uint64_t count;

    at = read_number(at, &count);
    for (count *= 2; count > 0; count--) {
        at = read_bytes(at, &part);
        len += part.len;
    }
    return len;
}

/* An entry, taken to pieces. */
struct parts {
    size_t whole; /* Bytes of all of it. */
    bool removed;
    bool same_names;
    struct stream_id id;
    const char *fields; /* Coded, or contents alone. */
};

static struct parts parts_of(const struct page *c, size_t place)
{
    const char *start = c->at + place;
    struct parts p;
    uint64_t head, ms, seq;
    const char *body = read_number(start, &head);
    size_t len = (size_t)(body - start) + (head >> FLAG_BITS);

    p.removed = head & REMOVED;
    p.same_names = head & SAME_NAMES;
    p.whole = len + number_size(len);
    p.fields = read_number(read_number(body, &ms), &seq);
    p.id.ms = c->first.ms + ms;
    p.id.seq = ms == 0 ? c->first.seq + seq : seq;
    return p;
}

/* Returns the coded fields of the first entry. */
static const char *first_fields(const struct page *c)
{
    return parts_of(c, 0).fields;
}

static void reserve(struct page *c, size_t size)
{
    size_t need = c->used + size;

    assert(need <= UINT32_MAX);
    if (need > c->cap) {
        size_t cap = need + need / 2;
        c->at = mem_realloc(c->at, cap > UINT32_MAX ? need : cap);
        cap = mem_size(c->at);
        c->cap = cap > UINT32_MAX ? UINT32_MAX : (uint32_t)cap;
    }
}

/* Returns whether coded fields have the names of the first entry. The bytes of
 * their contents, with the lengths before them, are then *size. */
static bool has_same_names(const struct page *c, const char *fields, size_t *size)
{
    const char *ours = first_fields(c);
    const char *content;
    uint64_t count, our_count;
    struct bytes name, our_name;

    ours = read_number(ours, &our_count);
    fields = read_number(fields, &count);
    if (count != our_count) {
        return false;
    }
    *size = 0;
    for (; count > 0; count--) {
        ours = read_bytes(read_bytes(ours, &our_name), &(struct bytes){0});
        content = read_bytes(fields, &name);
        if (!bytes_equal(name, our_name)) {
            return false;
        }
        fields = read_bytes(content, &(struct bytes){0});
        *size += (size_t)(fields - content);
    }
    return true;
}

static char *write_contents(char *at, const char *fields)
{
    const char *content;
    uint64_t count;
    size_t len;

    fields = read_number(fields, &count);
    for (; count > 0; count--) {
        content = read_bytes(fields, &(struct bytes){0});
        fields = read_bytes(content, &(struct bytes){0});
        len = (size_t)(fields - content);
        memcpy(at, content, len);
        at += len;
    }
    return at;
}

/* Redis keeps the names of the first entry apart, and their number with a 0. */
static size_t entry_weight(const struct page *c, size_t place)
{
    struct parts p = parts_of(c, place);
    bool has_names = !p.same_names && place > 0;
    size_t weight = number_weight(0) + number_weight((int64_t)(p.id.ms - c->first.ms)) +
                    number_weight((int64_t)(p.id.seq - c->first.seq));
    struct stream_entry entry;
    struct bytes name, content;
    int64_t pairs;

    page_read(c, place, &entry);
    pairs = (int64_t)entry.count;
    weight += number_weight(has_names ? 2 * pairs + 4 : pairs + 3);
    weight += p.same_names ? 0 : number_weight(pairs) + (place == 0 ? number_weight(0) : 0);
    while (entry.count > 0) {
        name = stream_field(&entry, &content);
        weight += string_weight(content) + (p.same_names ? 0 : string_weight(name));
    }
    return weight;
}

void page_add(struct page *c, struct stream_id id, struct bytes fields)
{
    uint64_t ms = id.ms - c->first.ms;
    uint64_t seq = ms == 0 ? id.seq - c->first.seq : id.seq;
    size_t size = fields.len;
    bool same_names = c->count > 0 && has_same_names(c, fields.at, &size);
    size_t body, whole;
    char *start, *at;

    size = same_names ? size : fields.len;
    body = number_size(ms) + number_size(seq) + size;
    reserve(c, body + 2 * (size_t)NUMBER_MAX);
    start = c->at + c->used;
    at = write_number(start, body << FLAG_BITS | (same_names ? SAME_NAMES : 0));
    at = write_number(write_number(at, ms), seq);
    if (same_names) {
        at = write_contents(at, fields.at);
    } else {
        memcpy(at, fields.at, fields.len);
        at += fields.len;
    }
    whole = (size_t)(at - start);
    c->used = (uint32_t)(write_backwards(at, whole) - c->at);
    c->count++;
    c->weight += (uint32_t)entry_weight(c, (size_t)(start - c->at));
}

struct page *page_new(struct stream_id id, struct bytes fields)
{
    struct page *c = mem_alloc(sizeof *c);

    *c = (struct page){.first = id};
    page_add(c, id, fields);
    return c;
}

struct page *page_copy(const struct page *c)
{
    struct page *copy = mem_alloc(sizeof *copy);

    *copy = *c;
    copy->at = mem_alloc(c->used);
    memcpy(copy->at, c->at, c->used);
    copy->cap = c->used;
    return copy;
}

void page_free(void *page)
{
    struct page *c = page;

    if (c != NULL) {
        mem_free(c->at);
        mem_free(c);
    }
}

void page_pop(struct page *c)
{
    size_t last = page_last(c);

    assert(c->count > 1);
    assert(!page_is_removed(c, last));
    c->weight -= (uint32_t)entry_weight(c, last);
    c->used = (uint32_t)last;
    c->count--;
}

void page_fit(struct page *c)
{
    enum { WASTE = 64 };

    if (c->cap - c->used > WASTE) {
        c->at = mem_realloc(c->at, c->used);
        c->cap = c->used;
    }
}

size_t page_first(const struct page *c)
{
    return c->used > 0 ? 0 : PAGE_END;
}

size_t page_last(const struct page *c)
{
    return page_previous(c, c->used);
}

size_t page_next(const struct page *c, size_t place)
{
    place += parts_of(c, place).whole;
    return place < c->used ? place : PAGE_END;
}

size_t page_previous(const struct page *c, size_t place)
{
    uint64_t len;
    size_t size;

    if (place == 0) {
        return PAGE_END;
    }
    size = read_backwards(c->at + place, &len);
    return place - len - size;
}

size_t page_seek(const struct page *c, struct stream_id id)
{
    struct parts p;

    for (size_t place = 0; place < c->used; place += p.whole) {
        p = parts_of(c, place);
        if (stream_id_compare(p.id, id) >= 0) {
            return place;
        }
    }
    return PAGE_END;
}

struct stream_id page_id(const struct page *c, size_t place)
{
    return parts_of(c, place).id;
}

void page_read(const struct page *c, size_t place, struct stream_entry *entry)
{
    struct parts p = parts_of(c, place);
    uint64_t count;

    entry->id = p.id;
    if (p.same_names) {
        entry->name = read_number(first_fields(c), &count);
        entry->content = p.fields;
    } else {
        entry->name = read_number(p.fields, &count);
        entry->content = NULL;
    }
    entry->count = count;
}

struct bytes stream_field(struct stream_entry *entry, struct bytes *content)
{
    struct bytes name;

    assert(entry->count > 0);
    entry->count--;
    entry->name = read_bytes(entry->name, &name);
    if (entry->content == NULL) {
        entry->name = read_bytes(entry->name, content);
    } else {
        entry->name = read_bytes(entry->name, &(struct bytes){0});
        entry->content = read_bytes(entry->content, content);
    }
    return name;
}

bool page_is_removed(const struct page *c, size_t place)
{
    return c->at[place] & REMOVED;
}

void page_mark(struct page *c, size_t place, bool removed)
{
    assert(page_is_removed(c, place) != removed);
    c->at[place] ^= REMOVED;
    c->removed += removed ? 1 : UINT32_MAX;
}

size_t page_memory(const struct page *c)
{
    return mem_size(c) + mem_size(c->at);
}

/* Asserts that an entry ends where its fields do. */
static void check_entry(const struct page *c, size_t place)
{
    struct parts p = parts_of(c, place);
    const char *end = c->at + place + p.whole;
    struct stream_entry entry;
    struct bytes content;
    uint64_t len;

    assert(place + p.whole <= c->used);
    page_read(c, place, &entry);
    assert(entry.count > 0);
    while (entry.count > 0) {
        stream_field(&entry, &content);
    }
    end -= read_backwards(end, &len);
    assert(end - len == c->at + place);
    assert(end == content.at + content.len);
}

void page_check(const struct page *c)
{
    struct stream_id last = c->first;
    size_t count = 0;
    size_t removed = 0;
    size_t weight = 0;

    assert(c->used <= c->cap);
    for (size_t place = page_first(c); place != PAGE_END; place = page_next(c, place)) {
        struct stream_id id = page_id(c, place);
        check_entry(c, place);
        assert(count == 0 ? stream_id_compare(id, last) == 0 : stream_id_compare(id, last) > 0);
        last = id;
        count++;
        removed += page_is_removed(c, place);
        weight += entry_weight(c, place);
    }
    assert(weight == c->weight);
    assert(count == c->count);
    assert(removed == c->removed);
    assert(count > removed);
}
