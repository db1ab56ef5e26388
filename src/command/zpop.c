/* Commands that take the members with the lowest or the highest scores out of sorted
 * sets, or wait until there are some. */
#include "command/families.h"
#include "command/flags.h"
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

/* Finds the first sorted set among `count` keys from argument `first` on. Returns
 * false, having failed the call, if there is something else before it; that does not
 * concern a call which has waited. *zset is NULL if there is none. */
static bool find_first(struct call *c, size_t first, size_t count, struct bytes *key,
                       const struct value **zset)
{
    for (size_t i = first; i < first + count; i++) {
        const struct value *v = call_find_any(c, c->argv[i]);
        if (v != NULL && value_type(v) == VALUE_ZSET) {
            *key = c->argv[i];
            *zset = v;
            return true;
        }
        if (v != NULL && !call_has_waited(c)) {
            call_fail_wrong_type(c);
            return false;
        }
    }
    *zset = NULL;
    return true;
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
        !find_first(c, block.first, block.count, &key, &zset)) {
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

struct popping {
    size_t first, keys; /* Arguments that are keys. */
    bool highest;
    size_t count;
};

/* Reads COUNT from argument `arg` on, if it is there. */
static bool parse_count(struct call *c, size_t arg, struct popping *p)
{
    p->count = 1;
    if (arg == c->argc) {
        return true;
    }
    if (!call_is(c, arg, "count") || arg + 1 == c->argc) {
        call_fail_syntax(c);
        return false;
    }
    if (!call_size(c, arg + 1, 1, "count should be greater than 0", &p->count)) {
        return false;
    }
    if (arg + 2 < c->argc) {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

/* Reads what follows from argument `arg` on: how many keys, the keys, MIN or MAX, and
 * COUNT. */
static bool parse_popping(struct call *c, size_t arg, struct popping *p)
{
    size_t end;

    p->first = arg + 1;
    if (!call_size(c, arg, 1, "numkeys should be greater than 0", &p->keys)) {
        return false;
    }
    if (p->keys >= c->argc - p->first) {
        call_fail_syntax(c);
        return false;
    }
    end = p->first + p->keys;
    p->highest = call_is(c, end, "max");
    if (!p->highest && !call_is(c, end, "min")) {
        call_fail_syntax(c);
        return false;
    }
    return parse_count(c, end + 1, p);
}

static void reply_popped(struct call *c, const struct popping *p, struct bytes key,
                         const struct value *zset)
{
    size_t count = at_most(p->count, zset);

    reply_array(c, 2);
    reply_bytes(c, key);
    reply_array(c, count);
    pop_many(c, key, zset, p->highest, count, true);
}

static void zmpop(struct call *c)
{
    const struct value *zset;
    struct popping p;
    struct bytes key;

    if (!parse_popping(c, 1, &p) || !find_first(c, p.first, p.keys, &key, &zset)) {
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

    if (!parse_popping(c, 2, &p) || !call_timeout(c, 1, &block.timeout_ms) ||
        !find_first(c, p.first, p.keys, &key, &zset)) {
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
