/* Pages: the pieces of memory that hold the entries of a stream, some hundred
 * each.
 *
 * Entries are added and popped at the end. One in the middle is removed by marking
 * it: it keeps its place, and counts towards what the page may hold, until all of
 * the page goes. An entry with the same field names as the page's first one does
 * not repeat them. */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include "store/stream.h"

struct page {
    struct stream_id first; /* Of the first entry, even if that was removed. */
    uint32_t count;         /* Entries, the removed ones among them. */
    uint32_t removed;
    uint32_t weight; /* Of the entries: see page_weight(). */
    uint32_t used;   /* Bytes. */
    uint32_t cap;
    char *at;
};

enum {
    PAGE_BYTES =
        1 << 30, /* No page that holds as much takes another entry, nor any a larger one. */
};

/* Creates a page that is not empty; `fields` are coded. */
struct page *page_new(struct stream_id id, struct bytes fields);
struct page *page_copy(const struct page *c);
void page_free(void *page);

/* Adds an entry behind the last one. */
void page_add(struct page *c, struct stream_id id, struct bytes fields);

/* Takes away the last entry, which must not be the only one, nor be removed. */
void page_pop(struct page *c);

/* Gives back the memory that was meant for more entries. */
void page_fit(struct page *c);

/* Returns how many bytes the entries would take up in a listpack of Redis, so that a
 * page ends where one of Redis does; which trims of whole pages let everyone see. */
size_t page_weight(const struct page *c);

/* Returns how long the names and contents of coded fields are together. */
size_t page_content_len(struct bytes fields);

static inline size_t page_live(const struct page *c)
{
    return c->count - c->removed;
}

/* Places of entries, removed ones among them. PAGE_END is behind the last, and
 * before the first. page_seek() finds the first entry that is not before `id`. */
#define PAGE_END SIZE_MAX
size_t page_first(const struct page *c);
size_t page_last(const struct page *c);
size_t page_next(const struct page *c, size_t place);
size_t page_previous(const struct page *c, size_t place);
size_t page_seek(const struct page *c, struct stream_id id);

/* Reads an entry; the id alone is quicker. */
struct stream_id page_id(const struct page *c, size_t place);
void page_read(const struct page *c, size_t place, struct stream_entry *entry);

bool page_is_removed(const struct page *c, size_t place);
void page_mark(struct page *c, size_t place, bool removed);

size_t page_memory(const struct page *c);

/* Asserts everything that must hold between two calls. */
void page_check(const struct page *c);

#endif
