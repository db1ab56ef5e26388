/* The writing side of values and keyspaces. Only store/change.c includes this,
 * besides the files that implement it; tools/layers.py holds that. */
#ifndef STORE_EDIT_H
#define STORE_EDIT_H

#include "store/change.h"

/* Binds a value to its key; the keyspace then owns it. Returns the value that was
 * bound before, now the caller's, or NULL. */
struct value *edit_bind(struct keyspace *keys, struct value *value);

/* Unbinds `key`, which must be bound. Returns its value, now the caller's. */
struct value *edit_unbind(struct keyspace *keys, struct bytes key);

/* Moves the value of `key`, which must be bound, to another key, which must not be,
 * of the same keyspace or another. */
void edit_rekey(struct keyspace *from, struct bytes key, struct keyspace *to, struct bytes to_key);

/* Returns what is bound to `key`, which must be of this type, for writing. */
struct value *edit_find(struct keyspace *keys, struct bytes key, enum value_type type);

/* Sets when a bound value expires. May move the value. */
void edit_retime(struct keyspace *keys, struct bytes key, int64_t expires_ms);

/* Replaces `removed` bytes at `offset` of a bound string by `inserted`, which must
 * not be a view of it. May move the value. */
void edit_splice(struct keyspace *keys, struct value *v, size_t offset, size_t removed,
                 struct bytes inserted, bool raw);

/* To be called when fields of a bound hash have been edited: `before_ms` is when the
 * first of them would have expired before that, or EXPIRES_NEVER. */
void edit_reindex_fields(struct keyspace *keys, struct value *v, int64_t before_ms);

/* Puts a text in place, which the texts then own. Returns the one of the same name that
 * was there before, now the caller's, or NULL. */
struct text *edit_text_put(struct texts *t, struct text *text);

/* Takes out the text of a name, which must be there. It is the caller's. */
struct text *edit_text_take(struct texts *t, struct bytes name);

/* Returns the limits of a keyspace. */
const struct value_limits *edit_limits(const struct keyspace *keys);

/* A body that an edit has replaced by a bigger kind of container, kept so that it
 * can be put back. */
struct body;

/* Edit a collection. A member or field is added at `position` of a packed array
 * (PACKED_NONE: at its end) where it was before it was removed. If the collection
 * outgrows its container, *outgrown becomes the old one if `outgrown` is not NULL,
 * and is then the caller's; otherwise it is freed. The removing functions return
 * the position. */
void edit_set_add(struct value *v, struct bytes member, uint32_t position,
                  const struct value_limits *limits, struct body **outgrown);
uint32_t edit_set_remove(struct value *v, struct bytes member);
void edit_hash_set(struct value *v, struct bytes field, struct bytes content, uint32_t position,
                   const struct value_limits *limits, struct body **outgrown);
uint32_t edit_hash_remove(struct value *v, struct bytes field);

/* Sets when a field expires that is there. */
void edit_hash_retime(struct value *v, struct bytes field, int64_t expires_ms,
                      struct body **outgrown);

/* Takes a field out of a hash of which fields expire, with all that belongs to it, and
 * puts it back. Returns NULL, having done nothing, if it is no such hash. */
struct field;
struct field *edit_hash_take(struct value *v, struct bytes field);
void edit_hash_put(struct value *v, struct field *f);

/* The same of a sorted set, where every member has its place. Adds a member, or moves
 * it to another score. */
void edit_zset_set(struct value *v, struct bytes member, double score,
                   const struct value_limits *limits, struct body **outgrown);
void edit_zset_remove(struct value *v, struct bytes member);

/* Edit a list. The `index` is that of struct change. Removed elements are moved to
 * the end of *removed unless `removed` is NULL; edit_list_insert_all() takes `moved`. */
void edit_list_insert(struct value *v, int64_t index, struct bytes element,
                      const struct value_limits *limits);
void edit_list_insert_all(struct value *v, int64_t index, struct sequence *moved);
void edit_list_remove(struct value *v, int64_t index, size_t count, struct sequence **removed);
void edit_list_replace(struct value *v, int64_t index, struct bytes element,
                       const struct value_limits *limits);

/* Edit a stream; an id that is added is behind all others. edit_entry_pop() takes the
 * last one away again. edit_entries_remove() returns what it takes to undo it, in the
 * arena, to be returned or freed; NULL without an arena. What is taken is moved with
 * all it has. */
struct removed;
void edit_entry_add(struct value *v, struct stream_id id, struct bytes fields,
                    const struct value_limits *limits);
void edit_entry_pop(struct value *v, const struct stream_meta *before);
struct removed *edit_entries_remove(struct value *v, const struct stream_range *range,
                                    struct arena *arena);
void edit_entries_return(struct value *v, struct removed *removed);
void edit_entries_free(struct removed *removed);
size_t edit_entries_memory(const struct removed *removed);
void edit_stream_meta(struct value *v, const struct stream_meta *meta);

void edit_group_set(struct value *v, struct bytes name, struct stream_id last, int64_t read);
struct stream_group *edit_group_take(struct value *v, struct bytes name);
void edit_group_return(struct value *v, struct stream_group *g);
void edit_group_free(struct stream_group *g);
size_t edit_group_memory(const struct stream_group *g);

void edit_consumer_set(struct value *v, struct bytes group, struct bytes name, int64_t seen_ms);
struct stream_consumer *edit_consumer_take(struct value *v, struct bytes group, struct bytes name);
void edit_consumer_return(struct value *v, struct bytes group, struct stream_consumer *c);
void edit_consumer_free(struct stream_consumer *c);
size_t edit_consumer_memory(const struct stream_consumer *c);

void edit_pending_set(struct value *v, const struct delivery *delivery);
void edit_pending_remove(struct value *v, struct bytes group, struct stream_id id);

/* Puts a body back, whose place it takes is freed. Takes `body`. */
void edit_restore_body(struct value *v, struct body *body);
size_t edit_body_memory(const struct body *body, size_t samples);
void edit_body_free(struct body *body);

/* Edit a value that the caller, the keyspace, has bound. Each returns `v`, or
 * another value that has taken over all but the memory of `v` itself: the caller
 * puts it in the place of `v`, whose key can still be read, and then frees `v`
 * with mem_free(). */
struct value *edit_value_rekey(struct value *v, struct bytes key); /* Never `v`. */
struct value *edit_value_retime(struct value *v, int64_t expires_ms);
struct value *edit_value_splice(struct value *v, size_t offset, size_t removed,
                                struct bytes inserted, bool raw);
void edit_value_touch(struct value *v, uint32_t accessed);

#endif
