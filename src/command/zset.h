/* What the commands on sorted sets share. */
#ifndef COMMAND_ZSET_H
#define COMMAND_ZSET_H

#include "engine/call.h"
#include "store/zset.h"

/* Reply with members: `count` of them follow the first function. With scores, they
 * are a flat array in RESP2 and an array of pairs in RESP3. */
void zset_reply_open(struct call *c, size_t count, bool with_scores);
void zset_reply_member(struct call *c, struct bytes member, double score, bool with_scores);

/* What ZADD, ZINCRBY and GEOADD are asked to do. */
struct zset_adding {
    bool nx, xx, gt, lt;
    bool counts_moves; /* CH */
    bool increments;
    size_t first; /* The argument that is the first member; */
    size_t step;  /* from one to the next. */
    size_t count;
};

/* Gives members of the sorted set at argument 1 these scores, and replies as ZADD. */
void zset_add(struct call *c, const struct zset_adding *a, const double *scores);

/* Replies with how many members a sorted set has, and binds its key to it, or unbinds
 * it if there are none. Takes `zset`. `event` is what it is told as. */
void zset_store(struct call *c, struct value *zset, const char *event);

#endif
