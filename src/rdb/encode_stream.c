/* What decode_stream.c describes, the other way round. */
#include "rdb/format.h"
#include "rdb/pack.h"
#include "rdb/stream.h"
#include "store/stream.h"

/* Where a listpack ends: as in Redis, by default. */
enum {
    PAGE_ENTRIES = 100,
    PAGE_SIZE = 4096,
    ELEMENT_COST = 11, /* Beside its bytes, at the most. */
};

static size_t cost_of(struct stream_entry entry)
{
    size_t cost = 6 * ELEMENT_COST;
    struct bytes name, content;

    while (entry.count > 0) {
        name = stream_field(&entry, &content);
        cost += name.len + content.len + 2 * ELEMENT_COST;
    }
    return cost;
}

/* Returns how many of the entries to come go into one listpack. */
static size_t page_entries(struct stream_walk walk)
{
    struct stream_entry entry;
    size_t entries = 0;
    size_t size = 0;

    while (entries < PAGE_ENTRIES && stream_next(&walk, &entry)) {
        size += cost_of(entry);
        if (entries > 0 && size > PAGE_SIZE) {
            break;
        }
        entries++;
    }
    return entries;
}

static size_t count_pages(const struct value *v)
{
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    struct stream_entry entry;
    size_t pages = 0;
    size_t entries;

    while ((entries = page_entries(walk)) > 0) {
        for (; entries > 0; entries--) {
            stream_next(&walk, &entry);
        }
        pages++;
    }
    return pages;
}

/* A listpack that is being filled. */
struct page {
    struct buf pack;
    size_t elements;
};

static void add(struct page *p, struct bytes element)
{
    listpack_add(&p->pack, element);
    p->elements++;
}

static void add_int(struct page *p, uint64_t number)
{
    listpack_add_int(&p->pack, (int64_t)number);
    p->elements++;
}

static void add_head(struct page *p, struct stream_entry first, size_t entries)
{
    struct bytes content;

    add_int(p, entries);
    add_int(p, 0); /* None is marked as deleted. */
    add_int(p, first.count);
    while (first.count > 0) {
        add(p, stream_field(&first, &content));
    }
    add_int(p, 0);
}

static bool has_same_names(struct stream_entry a, struct stream_entry b)
{
    struct bytes content;

    if (a.count != b.count) {
        return false;
    }
    while (a.count > 0) {
        if (!bytes_equal(stream_field(&a, &content), stream_field(&b, &content))) {
            return false;
        }
    }
    return true;
}

static void add_entry(struct page *p, struct stream_entry first, struct stream_entry entry)
{
    bool same = has_same_names(first, entry);
    size_t start = p->elements;
    struct bytes name, content;

    add_int(p, same ? STREAM_ENTRY_SAME_FIELDS : 0);
    add_int(p, entry.id.ms - first.id.ms);
    add_int(p, entry.id.seq - first.id.seq);
    if (!same) {
        add_int(p, entry.count);
    }
    while (entry.count > 0) {
        name = stream_field(&entry, &content);
        if (!same) {
            add(p, name);
        }
        add(p, content);
    }
    add_int(p, p->elements - start);
}

/* Ids are written with their highest byte first, so that they sort as strings. */
static void write_raw_id(struct rdb_writer *w, struct stream_id id)
{
    rdb_write_int64(w, (int64_t)__builtin_bswap64(id.ms));
    rdb_write_int64(w, (int64_t)__builtin_bswap64(id.seq));
}

static void write_page(struct rdb_writer *w, struct stream_walk *walk, size_t entries)
{
    struct page p = {{0}};
    struct stream_entry first, entry;

    stream_next(walk, &first);
    entry = first;
    listpack_begin(&p.pack);
    add_head(&p, first, entries);
    add_entry(&p, first, first);
    while (--entries > 0) {
        stream_next(walk, &entry);
        add_entry(&p, first, entry);
    }
    listpack_end(&p.pack, p.elements);
    rdb_write_length(w, 2 * sizeof(uint64_t));
    write_raw_id(w, first.id);
    rdb_write_blob(w, buf_bytes(&p.pack));
    buf_clear(&p.pack);
}

static void write_pages(struct rdb_writer *w, const struct value *v)
{
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    size_t entries;

    rdb_write_length(w, count_pages(v));
    while ((entries = page_entries(walk)) > 0) {
        write_page(w, &walk, entries);
    }
}

/* What a stream remembers. */

static void write_id(struct rdb_writer *w, struct stream_id id)
{
    rdb_write_length(w, id.ms);
    rdb_write_length(w, id.seq);
}

static void write_meta(struct rdb_writer *w, const struct value *v)
{
    struct stream_meta meta = stream_meta(v);

    rdb_write_length(w, stream_count(v));
    write_id(w, meta.last);
    write_id(w, stream_first_id(v));
    write_id(w, meta.max_deleted);
    rdb_write_length(w, meta.added);
}

/* Groups. */

static void write_pending(struct rdb_writer *w, const struct stream_group *g)
{
    struct tree_at at = group_each_pending(g, STREAM_ID_MIN);
    const struct stream_pending *p;

    rdb_write_length(w, group_pending_count(g));
    while ((p = pending_next(&at)) != NULL) {
        write_raw_id(w, p->id);
        rdb_write_int64(w, p->delivered_ms);
        rdb_write_length(w, p->count);
    }
}

static void write_consumer(struct rdb_writer *w, const struct stream_consumer *c)
{
    struct tree_at at = consumer_each_pending(c, STREAM_ID_MIN);
    const struct stream_pending *p;

    rdb_write_text(w, c->name);
    rdb_write_int64(w, c->seen_ms);
    rdb_write_length(w, consumer_pending_count(c));
    while ((p = pending_next(&at)) != NULL) {
        write_raw_id(w, p->id);
    }
}

static void write_group(struct rdb_writer *w, const struct stream_group *g)
{
    struct tree_at at = group_each_consumer(g);
    const struct stream_consumer *c;

    rdb_write_text(w, g->name);
    write_id(w, g->last);
    rdb_write_length(w, (uint64_t)g->read);
    write_pending(w, g);
    rdb_write_length(w, group_consumers(g));
    while ((c = consumer_next(&at)) != NULL) {
        write_consumer(w, c);
    }
}

void rdb_write_stream(struct rdb_writer *w, const struct value *v)
{
    struct tree_at at = stream_each_group(v);
    const struct stream_group *g;

    write_pages(w, v);
    write_meta(w, v);
    rdb_write_length(w, stream_groups(v));
    while ((g = group_next(&at)) != NULL) {
        write_group(w, g);
    }
}
