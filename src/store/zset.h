/* Sorted sets: members that each have a score, in the order of their scores; those
 * of the same score in the order of their bytes.
 *
 * A small one is a packed array of member, score, member, score ... in
 * that order. A big one is a table by member and a counted B+tree by score, which
 * share their items.
 *
 * A rank is how many members come before: ranges of any kind are found as ranks
 * first, and then walked. No score is NaN, and -0 becomes 0. */
#ifndef STORE_ZSET_H
#define STORE_ZSET_H

#include "data/tree.h"
#include "store/value.h"

size_t value_zset_count(const struct value *v);

/* Looks a member up. Returns false, and leaves *score and *rank alone, if it is not
 * there. */
bool value_zset_score(const struct value *v, struct bytes member, double *score);
bool value_zset_rank(const struct value *v, struct bytes member, size_t *rank, double *score);

/* Return how many members have a lower score; if `or_equal`, also this one. */
size_t value_zset_rank_of_score(const struct value *v, double score, bool or_equal);

/* Return how many members come before `member` by their bytes alone; if `or_equal`,
 * also itself. What that is if not all scores are the same, nobody should rely on,
 * but it does not fall as `member` rises. */
size_t value_zset_rank_of_lex(const struct value *v, struct bytes member, bool or_equal);

/* A walk from a rank on, in either direction, over a set that does not change
 * meanwhile. What it returns is valid as long as that.
 *
 *     struct zset_walk walk = zset_walk_from(v, 0, false);
 *     while (zset_walk_next(&walk, &member, &score)) ...                          */
struct zset_walk {
    const struct value *zset;
    bool backward;
    uint32_t packed;
    struct tree_at tree;
};
struct zset_walk zset_walk_from(const struct value *v, size_t rank, bool backward);
bool zset_walk_next(struct zset_walk *walk, struct bytes *member, double *score);

/* Returns a member, each equally likely. The set is not empty. */
void value_zset_random(const struct value *v, struct random *r, struct bytes *member,
                       double *score);

/* Adds to a value that is not bound yet. Returns false if the member was there: its
 * score is then overwritten. */
bool value_fill_scored(struct value *v, struct bytes member, double score,
                       const struct value_limits *limits);

#endif
