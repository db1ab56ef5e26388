/* How a stream is built, for the files that implement it: stream.c has the entries,
 * group.c the groups.
 *
 * Trees are made when they get their first item; until then they are NULL, and so
 * is the body of a stream that never had anything. */
#ifndef STORE_STREAM_BODY_H
#define STORE_STREAM_BODY_H

#include "store/body.h"
#include "store/change_stream.h"
#include "store/page.h"

struct stream {
    size_t count; /* Of entries. */
    struct stream_meta meta;
    struct tree *pages;  /* By the id of their first entry. None is without entries. */
    struct tree *groups; /* By name. */
};

/* Returns the body, to read or to write. */
const struct stream *stream_of(const struct value *v);
struct stream *stream_open(struct value *v);

/* Trees of what begins with a struct stream_id. by_id_from() finds the first that is
 * not before `id`; _take() returns what it takes out, which must be there. */
void by_id_add(struct tree **t, void *item);
void *by_id_find(const struct tree *t, struct stream_id id);
void *by_id_take(struct tree *t, struct stream_id id);
struct tree_at by_id_from(const struct tree *t, struct stream_id id);

/* Trees of what begins with its name, a struct bytes. */
void by_name_add(struct tree **t, void *item);
void *by_name_find(const struct tree *t, struct bytes name);
void *by_name_take(struct tree *t, struct bytes name);

size_t tree_size(const struct tree *t); /* 0 for NULL. */
void *tree_step(struct tree_at *at);    /* Returns the item, and goes on; NULL at the end. */

/* What group.c does for all groups of a stream. */
void groups_free(struct tree *groups);
struct tree *groups_copy(const struct tree *groups);
size_t groups_memory(const struct tree *groups);
void groups_check(const struct tree *groups);
struct digest digest_id(struct digest d, struct stream_id id); /* Mixes an id into d. */
struct digest groups_digest(const struct tree *groups);
void groups_encode(const struct tree *groups, struct buf *out);
bool groups_decode(struct bytes *in, struct value *v);

#endif
