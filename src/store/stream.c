/* Streams: their entries, in pages. */
#include "store/stream.h"

#include "store/reclaim.h"
#include "store/stream_body.h"

/* Trees by id. The order is the milliseconds. */

static int compare_ids(const void *a, const void *b)
{
    return stream_id_compare(*(const struct stream_id *)a, *(const struct stream_id *)b);
}

static const struct tree_type by_id = {.compare = compare_ids};

void by_id_add(struct tree **t, void *item)
{
    if (*t == NULL) {
        *t = tree_new(&by_id);
    }
    tree_add(*t, ((const struct stream_id *)item)->ms, item);
}

struct tree_at by_id_from(const struct tree *t, struct stream_id id)
{
    return t == NULL ? (struct tree_at){0} : tree_seek(t, id.ms, &id);
}

void *by_id_find(const struct tree *t, struct stream_id id)
{
    struct tree_at at = by_id_from(t, id);
    void *item;

    if (tree_at_end(at)) {
        return NULL;
    }
    item = tree_item(at);
    return compare_ids(item, &id) == 0 ? item : NULL;
}

void *by_id_take(struct tree *t, struct stream_id id)
{
    return tree_remove(t, id.ms, &id);
}

bool stream_id_next(struct stream_id *id)
{
    if (stream_id_compare(*id, STREAM_ID_MAX) == 0) {
        return false;
    }
    id->ms += id->seq == UINT64_MAX;
    id->seq++;
    return true;
}

bool stream_id_previous(struct stream_id *id)
{
    if (stream_id_compare(*id, STREAM_ID_MIN) == 0) {
        return false;
    }
    id->ms -= id->seq == 0;
    id->seq--;
    return true;
}

/* Coded form. */

void put_id(struct buf *out, struct stream_id id)
{
    put_number(out, id.ms);
    put_number(out, id.seq);
}

bool take_id(struct bytes *in, struct stream_id *id)
{
    return take_number(in, &id->ms) && take_number(in, &id->seq);
}

void put_meta(struct buf *out, const struct stream_meta *meta)
{
    put_id(out, meta->last);
    put_id(out, meta->max_deleted);
    put_number(out, meta->added);
}

bool take_meta(struct bytes *in, struct stream_meta *meta)
{
    return take_id(in, &meta->last) && take_id(in, &meta->max_deleted) &&
           take_number(in, &meta->added);
}

void stream_put_fields(struct buf *out, const struct bytes *fields, size_t pairs)
{
    put_number(out, pairs);
    for (size_t i = 0; i < 2 * pairs; i++) {
        put_bytes(out, fields[i]);
    }
}

/* Reads fields off the front of *in, and gives them in coded form. */
static bool take_fields(struct bytes *in, struct bytes *fields)
{
    const char *start = in->at;
    struct bytes part;
    uint64_t count;

    if (!take_number(in, &count) || count == 0 || count > in->len / 2) {
        return false;
    }
    for (count *= 2; count > 0; count--) {
        if (!take_bytes(in, &part)) {
            return false;
        }
    }
    *fields = (struct bytes){start, (size_t)(in->at - start)};
    return fields->len <= PAGE_BYTES;
}

bool stream_fields_are_whole(struct bytes coded)
{
    struct bytes fields;

    return take_fields(&coded, &fields) && coded.len == 0;
}

/* Reading. */

const struct stream *stream_of(const struct value *v)
{
    static const struct stream untouched = {0};
    const struct stream *s = body(v);

    assert(v->type == VALUE_STREAM);
    return s != NULL ? s : &untouched;
}

struct stream *stream_open(struct value *v)
{
    assert(v->type == VALUE_STREAM);
    if (body(v) == NULL) {
        set_body(v, mem_zalloc(sizeof(struct stream)));
    }
    return body(v);
}

size_t stream_count(const struct value *v)
{
    return stream_of(v)->count;
}

struct stream_meta stream_meta(const struct value *v)
{
    return stream_of(v)->meta;
}

size_t stream_pages(const struct value *v)
{
    return tree_size(stream_of(v)->pages);
}

/* Returns the last page that does not begin behind `id`. */
static struct tree_at page_down_from(const struct tree *pages, struct stream_id id)
{
    struct tree_at at = by_id_from(pages, id);

    if (tree_at_end(at)) {
        return pages == NULL ? at : tree_last(pages);
    }
    return compare_ids(tree_item(at), &id) == 0 ? at : tree_previous(at);
}

/* Returns the first page that does not end before `id`. */
static struct tree_at page_up_from(const struct tree *pages, struct stream_id id)
{
    struct tree_at at = page_down_from(pages, id);
    const struct page *c;

    if (tree_at_end(at)) {
        return by_id_from(pages, id);
    }
    c = tree_item(at);
    return stream_id_compare(page_id(c, page_last(c)), id) < 0 ? tree_next(at) : at;
}

struct stream_walk stream_from(const struct value *v, struct stream_id from)
{
    struct stream_walk walk = {.page = page_up_from(stream_of(v)->pages, from)};

    if (!tree_at_end(walk.page)) {
        walk.place = page_seek(tree_item(walk.page), from);
    }
    return walk;
}

struct stream_walk stream_back_from(const struct value *v, struct stream_id from)
{
    struct stream_walk walk = {.page = page_down_from(stream_of(v)->pages, from),
                               .backwards = true};
    const struct page *c;

    if (tree_at_end(walk.page)) {
        return walk;
    }
    c = tree_item(walk.page);
    walk.place = page_seek(c, from);
    if (walk.place == PAGE_END) {
        walk.place = page_last(c);
    } else if (stream_id_compare(page_id(c, walk.place), from) > 0) {
        walk.place = page_previous(c, walk.place);
    }
    return walk;
}

static void walk_on(struct stream_walk *walk, const struct page *c)
{
    walk->place = walk->backwards ? page_previous(c, walk->place) : page_next(c, walk->place);
    if (walk->place != PAGE_END) {
        return;
    }
    walk->page = walk->backwards ? tree_previous(walk->page) : tree_next(walk->page);
    if (!tree_at_end(walk->page)) {
        c = tree_item(walk->page);
        walk->place = walk->backwards ? page_last(c) : page_first(c);
    }
}

bool stream_next(struct stream_walk *walk, struct stream_entry *entry)
{
    while (!tree_at_end(walk->page)) {
        const struct page *c = tree_item(walk->page);
        size_t place = walk->place;

        walk_on(walk, c);
        if (!page_is_removed(c, place)) {
            page_read(c, place, entry);
            return true;
        }
    }
    return false;
}

struct stream_id stream_first_id(const struct value *v)
{
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    struct stream_entry entry;

    return stream_next(&walk, &entry) ? entry.id : STREAM_ID_MIN;
}

bool stream_has(const struct value *v, struct stream_id id)
{
    struct stream_walk walk = stream_from(v, id);
    struct stream_entry entry;

    return stream_next(&walk, &entry) && stream_id_compare(entry.id, id) == 0;
}

struct stream_id stream_last_id(const struct value *v)
{
    struct stream_walk walk = stream_back_from(v, STREAM_ID_MAX);
    struct stream_entry entry;

    return stream_next(&walk, &entry) ? entry.id : STREAM_ID_MIN;
}

/* Trimming. */

/* Returns the last id of a page that is not that of a removed entry. */
static struct stream_id last_live(const struct page *c)
{
    size_t place = page_last(c);

    while (page_is_removed(c, place)) {
        place = page_previous(c, place);
    }
    return page_id(c, place);
}

/* Returns whether all of a page goes, when `count` entries are left before that. */
static bool trims_all(const struct stream_trim *trim, const struct page *c, size_t count)
{
    if (trim->by == TRIM_TO_COUNT) {
        return count - page_live(c) >= trim->count;
    }
    return stream_id_compare(page_id(c, page_last(c)), trim->id) < 0;
}

/* Returns whether an entry goes, when `count` are left before that. */
static bool trims_one(const struct stream_trim *trim, struct stream_id id, size_t count)
{
    return trim->by == TRIM_TO_COUNT ? count > trim->count : stream_id_compare(id, trim->id) < 0;
}

/* Plans for a page of which not all entries go. Returns how many do. */
static size_t plan_within(const struct stream_trim *trim, const struct page *c, size_t count,
                          struct stream_id *last)
{
    size_t gone = 0;

    for (size_t place = page_first(c); place != PAGE_END; place = page_next(c, place)) {
        struct stream_id id = page_id(c, place);
        if (page_is_removed(c, place)) {
            continue;
        }
        if (!trims_one(trim, id, count - gone)) {
            break;
        }
        *last = id;
        gone++;
    }
    return gone;
}

size_t stream_plan_trim(const struct value *v, const struct stream_trim *trim,
                        struct stream_range *range)
{
    const struct stream *s = stream_of(v);
    struct tree_at at = by_id_from(s->pages, STREAM_ID_MIN);
    struct stream_id last = STREAM_ID_MIN;
    size_t gone = 0;
    const struct page *c;

    while ((c = tree_step(&at)) != NULL) {
        if (trim->limit > 0 && gone + page_live(c) > trim->limit) {
            break;
        }
        if (!trims_all(trim, c, s->count - gone)) {
            gone += trim->whole_pages ? 0 : plan_within(trim, c, s->count - gone, &last);
            break;
        }
        gone += page_live(c);
        last = last_live(c);
    }
    /* One entry goes by its own id, which costs the least. */
    range->to = gone == 1 ? stream_first_id(v) : last;
    range->from = gone == 1 ? range->to : STREAM_ID_MIN;
    return gone;
}

/* Editing entries. */

/* Returns whether a page ends in a removed entry that is not before `id`: the last id
 * of a stream may have been set back to before such. */
static bool ends_behind(const struct page *c, struct stream_id id)
{
    return c->removed > 0 && stream_id_compare(page_id(c, page_last(c)), id) >= 0;
}

/* Returns the page that takes the next entry, or NULL if that begins a new one. */
static struct page *page_with_room(const struct stream *s, struct stream_id id, struct bytes fields,
                                   const struct value_limits *limits)
{
    size_t max_bytes = limits->stream_max_bytes;
    struct page *c;

    if (tree_size(s->pages) == 0) {
        return NULL;
    }
    c = tree_item(tree_last(s->pages));
    if (max_bytes == 0 || max_bytes > PAGE_BYTES) {
        max_bytes = PAGE_BYTES;
    }
    if (page_weight(c) + page_content_len(fields) >= max_bytes || ends_behind(c, id) ||
        (limits->stream_max_entries > 0 && c->count >= limits->stream_max_entries)) {
        page_fit(c);
        return NULL;
    }
    return c;
}

void edit_entry_add(struct value *v, struct stream_id id, struct bytes fields,
                    const struct value_limits *limits)
{
    struct stream *s = stream_open(v);
    struct page *c = page_with_room(s, id, fields, limits);

    assert(stream_id_compare(id, s->meta.last) > 0);
    if (c == NULL) {
        by_id_add(&s->pages, page_new(id, fields));
    } else {
        page_add(c, id, fields);
    }
    s->count++;
    s->meta.last = id;
    s->meta.added++;
}

void edit_entry_pop(struct value *v, const struct stream_meta *before)
{
    struct stream *s = stream_open(v);
    struct page *c = tree_item(tree_last(s->pages));

    if (c->count == 1) {
        page_free(by_id_take(s->pages, c->first));
    } else {
        page_pop(c);
    }
    s->count--;
    s->meta = *before;
}

void edit_stream_meta(struct value *v, const struct stream_meta *meta)
{
    stream_open(v)->meta = *meta;
}

/* What has been removed: one entry, which is still there under its mark unless its
 * page had no other; or pages as they were before. In an arena. */
struct removed {
    bool one;
    struct stream_id id; /* Of the one. */
    size_t count;
    struct page *page[]; /* Owned. */
};

static struct removed *removed_new(struct arena *arena, size_t pages)
{
    struct removed *r = arena_alloc(arena, sizeof *r + pages * sizeof r->page[0]);

    *r = (struct removed){0};
    return r;
}

/* Keeps a page for later if there is a place for it. */
static void keep_page(struct removed *kept, struct page *c)
{
    if (kept != NULL) {
        kept->page[kept->count++] = c;
    } else {
        page_free(c);
    }
}

static struct removed *remove_one(struct stream *s, struct stream_id id, struct arena *arena)
{
    struct removed *kept = arena != NULL ? removed_new(arena, 1) : NULL;
    struct page *c = tree_item(page_down_from(s->pages, id));
    size_t place = page_seek(c, id);

    assert(stream_id_compare(page_id(c, place), id) == 0);
    page_mark(c, place, true);
    s->count--;
    if (kept != NULL) {
        kept->one = true;
        kept->id = id;
    }
    if (page_live(c) == 0) {
        keep_page(kept, by_id_take(s->pages, c->first));
    }
    return kept;
}

static void mark_range(struct page *c, const struct stream_range *range)
{
    size_t place = page_seek(c, range->from);

    while (place != PAGE_END && stream_id_compare(page_id(c, place), range->to) <= 0) {
        if (!page_is_removed(c, place)) {
            page_mark(c, place, true);
        }
        place = page_next(c, place);
    }
}

/* Removes the part of a range that is in a page. What is kept is the page itself;
 * a copy takes its place if some of it stays. */
static void remove_from_page(struct stream *s, struct page *c, const struct stream_range *range,
                             struct removed *kept)
{
    bool all = stream_id_compare(range->from, c->first) <= 0 &&
               stream_id_compare(last_live(c), range->to) <= 0;
    struct page *rest;

    s->count -= page_live(c);
    by_id_take(s->pages, c->first);
    if (all) {
        keep_page(kept, c);
        return;
    }
    rest = kept != NULL ? page_copy(c) : c;
    if (kept != NULL) {
        keep_page(kept, c);
    }
    mark_range(rest, range);
    s->count += page_live(rest);
    if (page_live(rest) > 0) {
        by_id_add(&s->pages, rest);
    } else {
        page_free(rest);
    }
}

/* Returns how many pages a range can reach into. */
static size_t pages_within(const struct tree *pages, const struct stream_range *range)
{
    return 2 + tree_rank(pages, range->to.ms, &range->to) -
           tree_rank(pages, range->from.ms, &range->from);
}

static struct removed *remove_range(struct stream *s, const struct stream_range *range,
                                    struct arena *arena)
{
    struct removed *kept = arena != NULL ? removed_new(arena, pages_within(s->pages, range)) : NULL;
    struct tree_at at = page_up_from(s->pages, range->from);

    while (!tree_at_end(at)) {
        struct page *c = tree_item(at);
        struct stream_id next = c->first;
        if (stream_id_compare(next, range->to) > 0) {
            break;
        }
        remove_from_page(s, c, range, kept);
        stream_id_next(&next);
        at = by_id_from(s->pages, next);
    }
    return kept;
}

struct removed *edit_entries_remove(struct value *v, const struct stream_range *range,
                                    struct arena *arena)
{
    struct stream *s = stream_open(v);
    bool one = stream_id_compare(range->from, range->to) == 0;
    size_t before = s->count;
    struct removed *kept = one ? remove_one(s, range->from, arena) : remove_range(s, range, arena);

    assert(s->count < before);
    return kept;
}

/* Puts a page back, in the place of what was left of it. */
static void return_page(struct stream *s, struct page *c)
{
    const struct page *rest = by_id_find(s->pages, c->first);

    if (rest != NULL) {
        s->count -= page_live(rest);
        page_free(by_id_take(s->pages, c->first));
    }
    by_id_add(&s->pages, c);
    s->count += page_live(c);
}

void edit_entries_return(struct value *v, struct removed *kept)
{
    struct stream *s = stream_open(v);
    struct page *c;

    for (size_t i = 0; i < kept->count; i++) {
        return_page(s, kept->page[i]);
    }
    if (kept->one) {
        c = tree_item(page_down_from(s->pages, kept->id));
        page_mark(c, page_seek(c, kept->id), false);
        s->count++;
    }
}

void edit_entries_free(struct removed *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        page_free(kept->page[i]);
    }
}

size_t edit_entries_memory(const struct removed *kept)
{
    size_t sum = 0;

    for (size_t i = 0; i < kept->count; i++) {
        sum += page_memory(kept->page[i]);
    }
    return sum;
}

bool value_fill_entry(struct value *v, struct stream_id id, struct bytes fields,
                      const struct value_limits *limits)
{
    if (stream_id_compare(id, stream_meta(v).last) <= 0 || !stream_fields_are_whole(fields)) {
        return false;
    }
    edit_entry_add(v, id, fields, limits);
    return true;
}

bool value_fill_meta(struct value *v, const struct stream_meta *meta)
{
    if (stream_id_compare(meta->last, stream_meta(v).last) < 0) {
        return false;
    }
    edit_stream_meta(v, meta);
    return true;
}

/* The class. */

static void free_now(void *at)
{
    struct stream *s = at;

    tree_free(s->pages, page_free);
    groups_free(s->groups);
    mem_free(s);
}

void stream_free(void *at)
{
    enum { PAGES_AT_ONCE = 64 };
    struct stream *s = at;

    if (s != NULL && s->pages != NULL && tree_count(s->pages) > PAGES_AT_ONCE) {
        reclaim_whole(s, free_now);
    } else if (s != NULL) {
        free_now(s);
    }
}

static const char *encoding_name(const struct value *v)
{
    (void)v;
    return "stream";
}

static void *copy(const struct value *v)
{
    const struct stream *s = stream_of(v);
    struct tree_at at = by_id_from(s->pages, STREAM_ID_MIN);
    struct stream *copied = mem_alloc(sizeof *copied);
    const struct page *c;

    *copied = (struct stream){.count = s->count, .meta = s->meta};
    while ((c = tree_step(&at)) != NULL) {
        by_id_add(&copied->pages, page_copy(c));
    }
    copied->groups = groups_copy(s->groups);
    return copied;
}

static size_t memory(const struct value *v, size_t samples)
{
    const struct stream *s = stream_of(v);
    struct tree_at at = by_id_from(s->pages, STREAM_ID_MIN);
    size_t pages = tree_size(s->pages);
    size_t seen = 0;
    size_t sum = 0;
    const struct page *c;

    while ((samples == 0 || seen < samples) && (c = tree_step(&at)) != NULL) {
        sum += page_memory(c);
        seen++;
    }
    sum = seen == 0 ? 0 : (size_t)((double)sum / (double)seen * (double)pages);
    return mem_size(body(v)) + (s->pages == NULL ? 0 : tree_memory(s->pages)) + sum +
           groups_memory(s->groups);
}

static void check(const struct value *v)
{
    const struct stream *s = stream_of(v);
    struct tree_at at = by_id_from(s->pages, STREAM_ID_MIN);
    struct stream_id last = STREAM_ID_MIN;
    size_t count = 0;
    const struct page *c;

    if (s->pages != NULL) {
        tree_check(s->pages);
    }
    while ((c = tree_step(&at)) != NULL) {
        page_check(c);
        assert(stream_id_compare(c->first, last) > 0);
        last = last_live(c);
        count += page_live(c);
    }
    assert(count == s->count);
    assert(stream_id_compare(last, s->meta.last) <= 0);
    groups_check(s->groups);
}

struct digest digest_id(struct digest d, struct stream_id id)
{
    return digest_mix(digest_mix(d, digest_number(id.ms)), digest_number(id.seq));
}

static struct digest entry_digest(struct stream_entry *entry)
{
    struct digest sum = digest_id((struct digest){{0}}, entry->id);
    struct bytes name, content;

    while (entry->count > 0) {
        name = stream_field(entry, &content);
        sum = digest_mix(digest_mix(sum, digest_bytes(name)), digest_bytes(content));
    }
    return sum;
}

static struct digest digest(const struct value *v)
{
    struct stream_meta meta = stream_meta(v);
    struct digest sum =
        digest_id(digest_id(digest_number(meta.added), meta.last), meta.max_deleted);
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    struct stream_entry entry;

    while (stream_next(&walk, &entry)) {
        digest_add(&sum, entry_digest(&entry), 0);
    }
    digest_add(&sum, groups_digest(stream_of(v)->groups), 1);
    return sum;
}

static void encode_entry(struct stream_entry *entry, struct buf *out)
{
    struct bytes name, content;

    put_id(out, entry->id);
    put_number(out, entry->count);
    while (entry->count > 0) {
        name = stream_field(entry, &content);
        put_bytes(out, name);
        put_bytes(out, content);
    }
}

static void encode(const struct value *v, struct buf *out)
{
    struct stream_meta meta = stream_meta(v);
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    struct stream_entry entry;

    put_number(out, stream_count(v));
    while (stream_next(&walk, &entry)) {
        encode_entry(&entry, out);
    }
    put_meta(out, &meta);
    groups_encode(stream_of(v)->groups, out);
}

static bool decode(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    struct stream_meta meta;
    struct stream_id id;
    struct bytes fields;
    uint64_t count;

    if (!take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!take_id(in, &id) || !take_fields(in, &fields) ||
            !value_fill_entry(v, id, fields, limits)) {
            return false;
        }
    }
    return take_meta(in, &meta) && value_fill_meta(v, &meta) && groups_decode(in, v);
}

const struct value_class stream_class = {
    .name = "stream",
    .first = STREAM,
    .may_be_empty = true,
    .count = stream_count,
    .encoding_name = encoding_name,
    .copy = copy,
    .memory = memory,
    .check = check,
    .digest = digest,
    .encode = encode,
    .decode = decode,
};
