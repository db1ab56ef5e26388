/* A stream is written as listpacks of entries, what it remembers, and its groups.
 *
 * A listpack has the id of its first entry for a name, and begins with how many of its
 * entries are there, how many were deleted, and the names of the first one's fields.
 * Of each entry it has flags, the difference of its id to that of the first, the
 * fields, and how many elements that was. */
#include "base/mem.h"
#include "rdb/pack.h"
#include "rdb/stream.h"
#include "store/stream.h"

static const char damaged[] = "a stream is damaged";
static const char damaged_group[] = "a group of a stream is damaged";

enum { ID_SIZE = 16 };

/* A listpack that is being read. */
struct page {
    struct rdb_reader *r;
    struct value *v;
    const struct value_limits *limits;
    struct stream_id first;
    struct pack_walk walk;
    size_t pack_len;
    uint64_t live, deleted;     /* Entries to come. */
    uint64_t names;             /* Of the first entry. */
    struct pack_element *name;  /* So many. */
    struct pack_element *field; /* Names and contents of an entry, by turns; */
    struct bytes *part;         /* the same as bytes; */
    size_t room;                /* for so many fields. */
    struct buf coded;
};

static bool next_element(struct page *p, struct pack_element *element)
{
    return listpack_format.next(&p->walk, element) == PACK_ELEMENT || rdb_refuse(p->r, damaged);
}

static bool next_number(struct page *p, int64_t *number)
{
    struct pack_element element;

    return next_element(p, &element) &&
           (number_parse_int(element.bytes, number) || rdb_refuse(p->r, damaged));
}

/* Reads a number of things, each of which is an element at least. */
static bool next_count(struct page *p, uint64_t *count)
{
    int64_t number;

    if (!next_number(p, &number)) {
        return false;
    }
    if (number < 0 || (uint64_t)number > p->pack_len) {
        return rdb_refuse(p->r, damaged);
    }
    *count = (uint64_t)number;
    return true;
}

static bool is_next_number(struct page *p, uint64_t expected)
{
    int64_t number;

    return next_number(p, &number) && ((uint64_t)number == expected || rdb_refuse(p->r, damaged));
}

static void make_room(struct page *p, size_t fields)
{
    if (fields > p->room) {
        p->field = mem_realloc(p->field, 2 * fields * sizeof *p->field);
        p->part = mem_realloc(p->part, 2 * fields * sizeof *p->part);
        p->room = fields;
    }
}

static bool read_page_head(struct page *p)
{
    if (!next_count(p, &p->live) || !next_count(p, &p->deleted) || !next_count(p, &p->names)) {
        return false;
    }
    p->name = mem_alloc(p->names * sizeof *p->name);
    for (uint64_t i = 0; i < p->names; i++) {
        if (!next_element(p, &p->name[i])) {
            return false;
        }
    }
    return is_next_number(p, 0);
}

/* Reads the fields of an entry, with the first one's names or with its own. */
static bool read_fields(struct page *p, bool same, uint64_t count)
{
    make_room(p, count);
    for (uint64_t i = 0; i < count; i++) {
        if (!same && !next_element(p, &p->field[2 * i])) {
            return false;
        }
        if (!next_element(p, &p->field[2 * i + 1])) {
            return false;
        }
        p->part[2 * i] = same ? p->name[i].bytes : p->field[2 * i].bytes;
        p->part[2 * i + 1] = p->field[2 * i + 1].bytes;
    }
    return true;
}

static bool add_entry(struct page *p, struct stream_id id, bool deleted, uint64_t count)
{
    uint64_t *left = deleted ? &p->deleted : &p->live;

    if ((*left)-- == 0) {
        return rdb_refuse(p->r, damaged);
    }
    if (deleted) {
        return true;
    }
    p->coded.len = 0;
    stream_put_fields(&p->coded, p->part, count);
    return value_fill_entry(p->v, id, buf_bytes(&p->coded), p->limits) ||
           rdb_refuse(p->r, "the ids of a stream do not rise");
}

/* Reads the entry behind its flags. */
static bool read_entry(struct page *p, int64_t flags)
{
    bool same = (flags & STREAM_ENTRY_SAME_FIELDS) != 0;
    struct stream_id id = p->first;
    uint64_t count = p->names;
    int64_t ms, seq;

    if (!next_number(p, &ms) || !next_number(p, &seq) || (!same && !next_count(p, &count)) ||
        !read_fields(p, same, count) || !is_next_number(p, same ? count + 3 : 2 * count + 4)) {
        return false;
    }
    id.ms += (uint64_t)ms;
    id.seq += (uint64_t)seq;
    return add_entry(p, id, (flags & STREAM_ENTRY_DELETED) != 0, count);
}

static bool read_entries(struct page *p)
{
    struct pack_element element;
    enum pack_result result;
    int64_t flags;

    while ((result = listpack_format.next(&p->walk, &element)) == PACK_ELEMENT) {
        if (!number_parse_int(element.bytes, &flags) || flags < 0 ||
            flags > (STREAM_ENTRY_DELETED | STREAM_ENTRY_SAME_FIELDS)) {
            return rdb_refuse(p->r, damaged);
        }
        if (!read_entry(p, flags)) {
            return false;
        }
    }
    return (result == PACK_END && p->live == 0 && p->deleted == 0) || rdb_refuse(p->r, damaged);
}

static void page_clear(struct page *p)
{
    mem_free(p->name);
    mem_free(p->field);
    mem_free(p->part);
    buf_clear(&p->coded);
}

/* Ids are written with their highest byte first, so that they sort as strings. */
static struct stream_id id_of(const char *raw)
{
    struct stream_id id;

    memcpy(&id.ms, raw, sizeof id.ms);
    memcpy(&id.seq, raw + sizeof id.ms, sizeof id.seq);
    return (struct stream_id){__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
}

static bool read_page(struct rdb_reader *r, struct value *v, const struct value_limits *limits)
{
    struct page p = {.r = r, .v = v, .limits = limits};
    RDB_TEXT_LOCAL(name);
    RDB_TEXT_LOCAL(pack);
    bool fine;

    if (!rdb_read_text(r, &name) || !rdb_read_text(r, &pack)) {
        return false;
    }
    if (name.bytes.len != ID_SIZE || !listpack_format.open(&p.walk, pack.bytes)) {
        return rdb_refuse(r, damaged);
    }
    p.first = id_of(name.bytes.at);
    p.pack_len = pack.bytes.len;
    fine = read_page_head(&p) && read_entries(&p);
    page_clear(&p);
    return fine;
}

static bool read_pages(struct rdb_reader *r, struct value *v, const struct value_limits *limits)
{
    uint64_t count;

    if (!rdb_read_count(r, 2, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!read_page(r, v, limits)) {
            return false;
        }
    }
    return true;
}

/* What a stream remembers. */

static bool read_id(struct rdb_reader *r, struct stream_id *id)
{
    return rdb_read_length(r, &id->ms) && rdb_read_length(r, &id->seq);
}

/* The first id is known from the entries. */
static bool read_counters(struct rdb_reader *r, struct stream_meta *meta)
{
    struct stream_id first;

    return read_id(r, &first) && read_id(r, &meta->max_deleted) && rdb_read_length(r, &meta->added);
}

static bool read_meta(struct rdb_reader *r, struct value *v, enum stream_encoding encoding)
{
    struct stream_meta meta = {0};
    uint64_t count;

    if (!rdb_read_length(r, &count) || !read_id(r, &meta.last)) {
        return false;
    }
    meta.added = count;
    if (encoding >= STREAM_ENCODING_2 && !read_counters(r, &meta)) {
        return false;
    }
    return (count == stream_count(v) && meta.added >= count && value_fill_meta(v, &meta)) ||
           rdb_refuse(r, damaged);
}

/* Groups. Which entries are pending comes first, and whose they are with the consumers. */
struct pending {
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t count;
    bool taken; /* By a consumer. */
};

struct group {
    struct rdb_reader *r;
    struct value *v;
    struct bytes name;
    struct pending *pending; /* `count` of them, in the order of their ids. */
    uint64_t count;
    uint64_t taken;
};

static bool read_raw_id(struct rdb_reader *r, struct stream_id *id)
{
    struct bytes raw;

    if (!rdb_read_bytes(r, ID_SIZE, &raw)) {
        return false;
    }
    *id = id_of(raw.at);
    return true;
}

static bool read_pending(struct group *g)
{
    enum { PENDING_SIZE = ID_SIZE + 8 + 1 };
    struct pending *p;

    if (!rdb_read_count(g->r, PENDING_SIZE, &g->count)) {
        return false;
    }
    g->pending = mem_zalloc(g->count * sizeof *g->pending);
    for (uint64_t i = 0; i < g->count; i++) {
        p = &g->pending[i];
        if (!read_raw_id(g->r, &p->id) || !rdb_read_int64(g->r, &p->delivered_ms) ||
            !rdb_read_length(g->r, &p->count)) {
            return false;
        }
        if (i > 0 && stream_id_compare(p[-1].id, p->id) >= 0) {
            return rdb_refuse(g->r, damaged_group);
        }
    }
    return true;
}

static struct pending *find_pending(const struct group *g, struct stream_id id)
{
    uint64_t low = 0;
    uint64_t high = g->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = stream_id_compare(g->pending[middle].id, id);
        if (order == 0) {
            return &g->pending[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool take_pending(struct group *g, struct bytes consumer, struct stream_id id)
{
    struct pending *p = find_pending(g, id);
    struct delivery d = {.group = g->name, .consumer = consumer, .id = id};

    if (p == NULL || p->taken) {
        return rdb_refuse(g->r, damaged_group);
    }
    p->taken = true;
    g->taken++;
    d.delivered_ms = p->delivered_ms;
    d.count = p->count;
    return value_fill_pending(g->v, &d) || rdb_refuse(g->r, damaged_group);
}

static bool read_consumer(struct group *g, enum stream_encoding encoding)
{
    RDB_TEXT_LOCAL(name);
    struct stream_id id;
    int64_t seen_ms, active_ms;
    uint64_t count;

    if (!rdb_read_text(g->r, &name) || !rdb_read_int64(g->r, &seen_ms) ||
        (encoding >= STREAM_ENCODING_3 && !rdb_read_int64(g->r, &active_ms)) ||
        !rdb_read_count(g->r, ID_SIZE, &count)) {
        return false;
    }
    if (!value_fill_consumer(g->v, g->name, name.bytes, seen_ms)) {
        return rdb_refuse(g->r, damaged_group);
    }
    for (; count > 0; count--) {
        if (!read_raw_id(g->r, &id) || !take_pending(g, name.bytes, id)) {
            return false;
        }
    }
    return true;
}

static bool read_members(struct group *g, enum stream_encoding encoding)
{
    uint64_t consumers;

    if (!read_pending(g) || !rdb_read_count(g->r, 2 + 8, &consumers)) {
        return false;
    }
    for (; consumers > 0; consumers--) {
        if (!read_consumer(g, encoding)) {
            return false;
        }
    }
    return g->taken == g->count || rdb_refuse(g->r, damaged_group);
}

/* How many entries a group had read, if that can be inferred: the first encoding does
 * not say. */
static int64_t infer_read(const struct value *v, struct stream_id last)
{
    struct stream_meta meta = stream_meta(v);
    int order;

    if (stream_count(v) == 0 || stream_id_compare(last, meta.last) >= 0) {
        return (int64_t)meta.added;
    }
    order = stream_id_compare(last, stream_first_id(v));
    if (order > 0) {
        return STREAM_READ_UNKNOWN;
    }
    return (int64_t)(meta.added - stream_count(v)) + (order == 0);
}

static bool read_group(struct rdb_reader *r, struct value *v, enum stream_encoding encoding)
{
    struct group g = {.r = r, .v = v};
    RDB_TEXT_LOCAL(name);
    struct stream_id last;
    uint64_t read;
    bool fine;

    if (!rdb_read_text(r, &name) || !read_id(r, &last)) {
        return false;
    }
    read = (uint64_t)infer_read(v, last);
    if (encoding >= STREAM_ENCODING_2 && !rdb_read_length(r, &read)) {
        return false;
    }
    g.name = name.bytes;
    if (!value_fill_group(v, g.name, last, (int64_t)read)) {
        return rdb_refuse(r, damaged_group);
    }
    fine = read_members(&g, encoding);
    mem_free(g.pending);
    return fine;
}

static bool read_groups(struct rdb_reader *r, struct value *v, enum stream_encoding encoding)
{
    uint64_t count;

    if (!rdb_read_count(r, 1 + 2 + 2, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!read_group(r, v, encoding)) {
            return false;
        }
    }
    return true;
}

bool rdb_fill_stream(struct rdb_reader *r, struct value *v, enum stream_encoding encoding,
                     const struct value_limits *limits)
{
    return read_pages(r, v, limits) && read_meta(r, v, encoding) && read_groups(r, v, encoding);
}
