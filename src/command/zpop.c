/* Commands that take the members with the lowest or the highest scores out of sorted
 * sets, or wait until there are some. */
#include "command/families.h"
#include "command/flags.h"
#include "command/pop.h"
#include "command/zset.h"
#include "engine/block.h"
#include "engine/event.h"

/* Removes a member from one end of a set that is not empty, and replies with it. */
static void pop(struct call *c, struct bytes key, const struct value *zset, bool highest,
                bool as_pair)
{
    size_t rank = highest ? value_zset_count(zset) - 1 : 0;
    struct zset_walk walk = zset_walk_from(zset, rank, false);
    struct bytes member = {0};
    double score = 0;

    zset_walk_next(&walk, &member, &score);
    if (as_pair) {
        reply_array(c, 2);
    }
    reply_bytes(c, member);
    reply_double(c, score);
    call_make(c, change_score_remove(c->db, key, member));
}

static size_t at_most(size_t count, const struct value *zset)
{
    return count < value_zset_count(zset) ? count : value_zset_count(zset);
}

/* Removes `count` members, one at least, all of which are there. */
static void pop_many(struct call *c, struct bytes key, const struct value *zset, bool highest,
                     size_t count, bool as_pairs)
{
    for (; count > 0; count--) {
        pop(c, key, zset, highest, as_pairs);
    }
    call_event(c, EVENT_ZSET, highest ? "zpopmax" : "zpopmin", key);
    call_drop_if_empty(c, key);
}

/* ZPOPMIN and ZPOPMAX. */

static void pop_end(struct call *c, bool highest)
{
    bool as_pairs = c->argc == 3 && c->reply->version == RESP3;
    const struct value *zset;
    size_t count = 1;

    if (c->argc > 3) {
        call_fail_syntax(c);
        return;
    }
    if (c->argc == 3 && !call_size(c, 2, 0, "value is out of range, must be positive", &count)) {
        return;
    }
    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    if (zset == NULL || count == 0) {
        reply_array(c, 0);
        return;
    }
    count = at_most(count, zset);
    reply_array(c, as_pairs ? count : 2 * count);
    pop_many(c, c->argv[1], zset, highest, count, as_pairs);
}

static void zpopmin(struct call *c)
{
    pop_end(c, false);
}

static void zpopmax(struct call *c)
{
    pop_end(c, true);
}

/* BZPOPMIN and BZPOPMAX. */

static void wait_to_pop(struct call *c, bool highest)
{
    struct block block = {.first = 1, .count = c->argc - 2, .type = VALUE_ZSET};
    const struct value *zset;
    struct bytes key;

    if (!call_timeout(c, c->argc - 1, &block.timeout_ms) ||
        !pop_find(c, block.first, block.count, VALUE_ZSET, &key, &zset)) {
        return;
    }
    if (zset != NULL) {
        reply_array(c, 3);
        reply_bytes(c, key);
        pop_many(c, key, zset, highest, 1, false);
    } else if (!call_block(c, &block)) {
        reply_nil_array(c);
    }
}

static void bzpopmin(struct call *c)
{
    wait_to_pop(c, false);
}

static void bzpopmax(struct call *c)
{
    wait_to_pop(c, true);
}

/* ZMPOP and BZMPOP. */

static const char *const ends[] = {"min", "max"};

static void reply_popped(struct call *c, const struct popping *p, struct bytes key,
                         const struct value *zset)
{
    size_t count = at_most(p->count, zset);

    reply_array(c, 2);
    reply_bytes(c, key);
    reply_array(c, count);
    pop_many(c, key, zset, p->from_last, count, true);
}

static void zmpop(struct call *c)
{
    const struct value *zset;
    struct popping p;
    struct bytes key;

    if (!pop_parse(c, 1, ends, &p) || !pop_find(c, p.first, p.keys, VALUE_ZSET, &key, &zset)) {
        return;
    }
    if (zset != NULL) {
        reply_popped(c, &p, key, zset);
    } else {
        reply_nil_array(c);
    }
}

static void bzmpop(struct call *c)
{
    struct block block = {.type = VALUE_ZSET};
    const struct value *zset;
    struct popping p;
    struct bytes key;

    if (!pop_parse(c, 2, ends, &p) || !call_timeout(c, 1, &block.timeout_ms) ||
        !pop_find(c, p.first, p.keys, VALUE_ZSET, &key, &zset)) {
        return;
    }
    block.first = p.first;
    block.count = p.keys;
    if (zset != NULL) {
        reply_popped(c, &p, key, zset);
    } else if (!call_block(c, &block)) {
        reply_nil_array(c);
    }
}

enum {
    TAKES = KEY_RW | KEY_ACCESS | KEY_DELETE,
    WAITS = FREE_FAST | COMMAND_BLOCKING | COMMAND_NOSCRIPT,
    TAKES_FROM_MANY = COMMAND_WRITE | COMMAND_DIRECT | COMMAND_MOVABLE_KEYS,
};

/* clang-format off */
const struct command zpop_commands[] = {
    {.name = "bzmpop",   .arity = -5, .flags = TAKES_FROM_MANY | COMMAND_BLOCKING, .keys = {NUMBERED_KEYS(2, TAKES)},                               .run = bzmpop,   .group = "sorted-set", .since = "7.0.0", .complexity = "O(K+M*log(N)) with K keys, for M of N members", .summary = "Removes members from the first of several sorted sets that has any, or waits until one has", .syntax = "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]"},
    {.name = "bzpopmax", .arity = -3, .flags = WAITS,                              .keys = {{.flags = TAKES, .index = 1, .last = -2, .step = 1}}, .run = bzpopmax, .group = "sorted-set", .since = "5.0.0", .complexity = "O(log(N)) with N members in the set",            .summary = "Removes the highest member from the first of several sorted sets that has any, or waits until one has", .syntax = "key [key ...] timeout"},
    {.name = "bzpopmin", .arity = -3, .flags = WAITS,                              .keys = {{.flags = TAKES, .index = 1, .last = -2, .step = 1}}, .run = bzpopmin, .group = "sorted-set", .since = "5.0.0", .complexity = "O(log(N)) with N members in the set",            .summary = "Removes the lowest member from the first of several sorted sets that has any, or waits until one has", .syntax = "key [key ...] timeout"},
    {.name = "zmpop",    .arity = -4, .flags = TAKES_FROM_MANY,                    .keys = {NUMBERED_KEYS(1, TAKES)},                               .run = zmpop,    .group = "sorted-set", .since = "7.0.0", .complexity = "O(K+M*log(N)) with K keys, for M of N members", .summary = "Removes members from the first of several sorted sets that has any", .syntax = "numkeys key [key ...] <MIN | MAX> [COUNT count]"},
    {.name = "zpopmax",  .arity = -2, .flags = FREE_FAST,                          .keys = {ONE_KEY(TAKES)},                                        .run = zpopmax,  .group = "sorted-set", .since = "5.0.0", .complexity = "O(M*log(N)) for M of N members",                .summary = "Removes the members with the highest scores and returns them", .syntax = "key [count]"},
    {.name = "zpopmin",  .arity = -2, .flags = FREE_FAST,                          .keys = {ONE_KEY(TAKES)},                                        .run = zpopmin,  .group = "sorted-set", .since = "5.0.0", .complexity = "O(M*log(N)) for M of N members",                .summary = "Removes the members with the lowest scores and returns them", .syntax = "key [count]"},
    {0},
};
/* clang-format on */
