/* Streams: entries in the order of their ids, and groups of consumers that read
 * them.
 *
 * This is the reading side, and what fills a stream that is not bound yet. What is
 * returned stays valid until the stream next changes. */
#ifndef STORE_STREAM_H
#define STORE_STREAM_H

#include "data/tree.h"
#include "store/value.h"

struct stream_id {
    uint64_t ms;
    uint64_t seq;
};

#define STREAM_ID_MIN ((struct stream_id){0, 0})
#define STREAM_ID_MAX ((struct stream_id){UINT64_MAX, UINT64_MAX})

static inline int stream_id_compare(struct stream_id a, struct stream_id b)
{
    return a.ms != b.ms ? (a.ms > b.ms) - (a.ms < b.ms) : (a.seq > b.seq) - (a.seq < b.seq);
}

/* Step to the id behind or before. Return false, and leave *id alone, if there is
 * none. */
bool stream_id_next(struct stream_id *id);
bool stream_id_previous(struct stream_id *id);

/* What a stream remembers beyond its entries. */
struct stream_meta {
    struct stream_id last;        /* The last entry's, or that of a later one that has gone. */
    struct stream_id max_deleted; /* The greatest of those that were deleted by their id. */
    uint64_t added;               /* How many entries there have ever been. */
};

/* Several ids: from the first to the last, both included. */
struct stream_range {
    struct stream_id from;
    struct stream_id to;
};

size_t stream_count(const struct value *v);
struct stream_meta stream_meta(const struct value *v);

/* Returns how many pages the entries are in. */
size_t stream_pages(const struct value *v);

/* Return the ids of the first and the last entry, STREAM_ID_MIN if there is none. */
struct stream_id stream_first_id(const struct value *v);
struct stream_id stream_last_id(const struct value *v);
bool stream_has(const struct value *v, struct stream_id id);

/* An entry, and the fields of it that have not been read yet. */
struct stream_entry {
    struct stream_id id;
    size_t count;        /* Fields to come. */
    const char *name;    /* Private, as the rest is. */
    const char *content; /* NULL: behind the name. */
};

/* Returns the next field with its content; entry->count must not be 0. */
struct bytes stream_field(struct stream_entry *entry, struct bytes *content);

/* A walk over the entries from an id on, or, backwards, from an id down.
 *
 *     struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
 *     while (stream_next(&walk, &entry)) ...                                      */
struct stream_walk {
    struct tree_at page;
    size_t place; /* Of the next entry in its page. */
    bool backwards;
};
struct stream_walk stream_from(const struct value *v, struct stream_id from);
struct stream_walk stream_back_from(const struct value *v, struct stream_id from);
bool stream_next(struct stream_walk *walk, struct stream_entry *entry);

/* Fields in coded form: their number, then names and contents by turns, as
 * put_number() and put_bytes() write them. */
void stream_put_fields(struct buf *out, const struct bytes *fields, size_t pairs);
bool stream_fields_are_whole(struct bytes coded);

/* Which entries are to go. */
struct stream_trim {
    enum { TRIM_TO_COUNT, TRIM_BELOW_ID } by;
    size_t count;        /* How many may stay, */
    struct stream_id id; /* or the first that may. */
    bool whole_pages;    /* Nothing smaller than a page goes. */
    size_t limit;        /* At most so many go; 0: any number. */
};

/* Finds out what a trim removes: all entries of *range. Returns how many. */
size_t stream_plan_trim(const struct value *v, const struct stream_trim *trim,
                        struct stream_range *range);

/* Groups, consumers and pending entries: to read only. */

#define STREAM_READ_UNKNOWN INT64_C(-1)

struct stream_group {
    struct bytes name;
    struct stream_id last;  /* Delivered. */
    int64_t read;           /* How many entries, counted from the stream's first ever. */
    struct tree *consumers; /* By name; NULL: none yet. */
    struct tree *pending;   /* By id; likewise. */
    char text[];            /* The name. */
};

struct stream_consumer {
    struct bytes name;
    int64_t seen_ms;
    struct tree *pending; /* Its own; by id; NULL: none yet. */
    char text[];
};

/* An entry that was delivered and not acknowledged. It may be gone from the stream. */
struct stream_pending {
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t count; /* Of deliveries. */
    struct stream_consumer *consumer;
};

/* An entry as it is delivered to a consumer. */
struct delivery {
    struct bytes group;
    struct bytes consumer;
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t count;
};

size_t stream_groups(const struct value *v);
const struct stream_group *stream_group(const struct value *v, struct bytes name);

size_t group_consumers(const struct stream_group *g);
size_t group_pending_count(const struct stream_group *g);
const struct stream_consumer *group_consumer(const struct stream_group *g, struct bytes name);
const struct stream_pending *group_pending(const struct stream_group *g, struct stream_id id);

/* Finds the first and the last id that is pending. Returns false if none is. */
bool group_pending_edges(const struct stream_group *g, struct stream_id *first,
                         struct stream_id *last);

size_t consumer_pending_count(const struct stream_consumer *c);

/* Walks over them, in order; the _next() functions return NULL at the end. A group stays
 * where it is, and walks over other things go on, when entries become pending or are
 * delivered again, and when consumers are made.
 *
 *     struct tree_at at = stream_each_group(v);
 *     while ((group = group_next(&at)) != NULL) ...                              */
struct tree_at stream_each_group(const struct value *v);
struct tree_at group_each_consumer(const struct stream_group *g);
struct tree_at group_each_pending(const struct stream_group *g, struct stream_id from);
struct tree_at consumer_each_pending(const struct stream_consumer *c, struct stream_id from);
const struct stream_group *group_next(struct tree_at *at);
const struct stream_consumer *consumer_next(struct tree_at *at);
const struct stream_pending *pending_next(struct tree_at *at);

/* Fill a stream that is not bound yet. They return false, having done nothing, if
 * that makes no sense: ids that do not rise, names that are there, a group or a
 * consumer that is not. value_fill_meta() comes behind the entries. `fields` are
 * coded. */
bool value_fill_entry(struct value *v, struct stream_id id, struct bytes fields,
                      const struct value_limits *limits);
bool value_fill_meta(struct value *v, const struct stream_meta *meta);
bool value_fill_group(struct value *v, struct bytes name, struct stream_id last, int64_t read);
bool value_fill_consumer(struct value *v, struct bytes group, struct bytes name, int64_t seen_ms);
bool value_fill_pending(struct value *v, const struct delivery *delivery);

#endif
