/* Making the changes to streams. Each function makes one kind, as store/change.c says
 * of its own. */
#ifndef STORE_CHANGE_STREAM_H
#define STORE_CHANGE_STREAM_H

#include "store/change.h"

typedef void change_maker(struct dataset *data, const struct change *c, struct change *inverse,
                          struct arena *arena);

change_maker make_entry_add, make_entry_remove, make_stream_meta, make_group_set, make_group_remove,
    make_consumer_set, make_consumer_remove, make_pending_set, make_pending_remove,
    make_stream_back;

/* Frees what a CHANGE_STREAM_BACK owns, and tells how many bytes that is. */
void drop_stream_back(struct change *c);
size_t stream_back_memory(const struct change *c);

/* Ids and what a stream remembers, in the form of the log. */
void put_id(struct buf *out, struct stream_id id);
bool take_id(struct bytes *in, struct stream_id *id);
void put_meta(struct buf *out, const struct stream_meta *meta);
bool take_meta(struct bytes *in, struct stream_meta *meta);

/* All that operands may consist of. What a kind does not have is not set. */
struct stream_operands {
    struct bytes group;
    struct bytes consumer;
    struct stream_id id;
    int64_t number; /* read, seen_ms, delivered_ms */
    uint64_t count;
    struct stream_meta meta;
};

/* Reads the operands of a change of a kind that has them. */
struct stream_operands stream_operands_of(const struct change *c);

/* Returns whether the operands of a change are what its kind needs. */
bool stream_operands_are_whole(const struct change *c);

#endif
