/* Commands on ranges of sorted sets. A range of any kind is turned into ranks. */
#include "command/families.h"
#include "command/flags.h"
#include "command/zset.h"
#include "engine/event.h"

#include <math.h>
#include <stdlib.h>

enum range_kind {
    BY_RANK,
    BY_SCORE,
    BY_LEX,
};

struct score_bound {
    double score;
    bool exclusive;
};

struct lex_bound {
    enum { LEX_MEMBER, LEX_LOWEST, LEX_HIGHEST } kind;
    bool exclusive;
    struct bytes member;
};

struct range {
    enum range_kind kind;
    bool backward;
    union {
        struct {
            int64_t start, stop; /* Negative: from the end. */
        };
        struct {
            struct score_bound min_score, max_score;
        };
        struct {
            struct lex_bound min_lex, max_lex;
        };
    };
};

/* Ranks from `first` on, up to but without `end`. */
struct span {
    size_t first, end;
};

/* Reading ranges. */

/* Takes what strtod() does, also nothing and numbers out of its range. */
static bool parse_score_bound(struct bytes text, struct score_bound *bound)
{
    char copy[512];
    char *end;

    bound->exclusive = text.len > 0 && text.at[0] == '(';
    if (bound->exclusive) {
        text = (struct bytes){text.at + 1, text.len - 1};
    }
    bytes_to_string(text, copy, sizeof copy);
    bound->score = strtod(copy, &end);
    return text.len < sizeof copy && *end == '\0' && !isnan(bound->score);
}

static bool parse_lex_bound(struct bytes text, struct lex_bound *bound)
{
    *bound = (struct lex_bound){.kind = LEX_MEMBER};
    if (text.len == 0) {
        return false;
    }
    switch (text.at[0]) {
    case '-':
        bound->kind = LEX_LOWEST;
        return text.len == 1;
    case '+':
        bound->kind = LEX_HIGHEST;
        return text.len == 1;
    case '(':
    case '[':
        bound->exclusive = text.at[0] == '(';
        bound->member = (struct bytes){text.at + 1, text.len - 1};
        return true;
    default:
        return false;
    }
}

/* Reads a range between arguments `first` and `first` + 1. Scores and members come
 * with the higher one first if it is walked backward. */
static bool parse_range(struct call *c, size_t first, enum range_kind kind, bool backward,
                        struct range *r)
{
    size_t min = backward ? first + 1 : first;
    size_t max = backward ? first : first + 1;

    r->kind = kind;
    r->backward = backward;
    switch (kind) {
    case BY_RANK:
        return call_int(c, first, &r->start) && call_int(c, first + 1, &r->stop);
    case BY_SCORE:
        if (!parse_score_bound(c->argv[min], &r->min_score) ||
            !parse_score_bound(c->argv[max], &r->max_score)) {
            call_fail(c, "ERR min or max is not a float");
            return false;
        }
        return true;
    default:
        if (!parse_lex_bound(c->argv[min], &r->min_lex) ||
            !parse_lex_bound(c->argv[max], &r->max_lex)) {
            call_fail(c, "ERR min or max not valid string range item");
            return false;
        }
        return true;
    }
}

/* Finding them. */

static struct span span_of_ranks(const struct range *r, size_t count)
{
    int64_t size = (int64_t)count;
    int64_t start = r->start < 0 ? size + r->start : r->start;
    int64_t stop = r->stop < 0 ? size + r->stop : r->stop;

    if (start < 0) {
        start = 0;
    }
    if (stop >= size) {
        stop = size - 1;
    }
    if (start > stop) {
        return (struct span){0};
    }
    return r->backward ? (struct span){(size_t)(size - 1 - stop), (size_t)(size - start)}
                       : (struct span){(size_t)start, (size_t)stop + 1};
}

static size_t rank_of_lex(const struct value *zset, const struct lex_bound *bound, bool or_equal)
{
    switch (bound->kind) {
    case LEX_LOWEST:
        return 0;
    case LEX_HIGHEST:
        return value_zset_count(zset);
    default:
        return value_zset_rank_of_lex(zset, bound->member, or_equal);
    }
}

static struct span find_span(const struct value *zset, const struct range *r)
{
    struct span s;

    switch (r->kind) {
    case BY_RANK:
        return span_of_ranks(r, value_zset_count(zset));
    case BY_SCORE:
        s.first = value_zset_rank_of_score(zset, r->min_score.score, r->min_score.exclusive);
        s.end = value_zset_rank_of_score(zset, r->max_score.score, !r->max_score.exclusive);
        break;
    default:
        s.first = rank_of_lex(zset, &r->min_lex, r->min_lex.exclusive);
        s.end = rank_of_lex(zset, &r->max_lex, !r->max_lex.exclusive);
    }
    return s.first < s.end ? s : (struct span){0};
}

/* Leaves `limit` members behind the first `offset`, in the direction of the walk. A
 * negative limit is none; behind a negative offset there is nothing. */
static struct span limit_span(struct span s, bool backward, int64_t offset, int64_t limit)
{
    size_t count = s.end - s.first;
    size_t skipped = (size_t)offset;

    if (offset < 0 || skipped >= count) {
        return (struct span){0};
    }
    count -= skipped;
    if (limit >= 0 && (size_t)limit < count) {
        count = (size_t)limit;
    }
    return backward ? (struct span){s.end - skipped - count, s.end - skipped}
                    : (struct span){s.first + skipped, s.first + skipped + count};
}

/* Counting and removing. */

/* Finds what is between arguments 2 and 3, and replies with how much that is. Returns
 * false, having failed the call, if it cannot be told. */
static bool reply_len(struct call *c, enum range_kind kind, const struct value **zset,
                      struct span *s)
{
    struct range r;

    *s = (struct span){0};
    if (!parse_range(c, 2, kind, false, &r) || !call_find(c, 1, VALUE_ZSET, zset)) {
        return false;
    }
    if (*zset != NULL) {
        *s = find_span(*zset, &r);
    }
    reply_int(c, (int64_t)(s->end - s->first));
    return true;
}

static void reply_count(struct call *c, enum range_kind kind)
{
    const struct value *zset;
    struct span s;

    reply_len(c, kind, &zset, &s);
}

static void zcount(struct call *c)
{
    reply_count(c, BY_SCORE);
}

static void zlexcount(struct call *c)
{
    reply_count(c, BY_LEX);
}

static void remove_span(struct call *c, const struct value *zset, struct span s)
{
    struct bytes member = {0};
    double score;

    for (size_t count = s.end - s.first; count > 0; count--) {
        struct zset_walk walk = zset_walk_from(zset, s.first, false);
        zset_walk_next(&walk, &member, &score);
        call_make(c, change_score_remove(c->db, c->argv[1], member));
    }
}

static void remove_range(struct call *c, enum range_kind kind, const char *event)
{
    const struct value *zset;
    struct span s;

    if (!reply_len(c, kind, &zset, &s) || s.first == s.end) {
        return;
    }
    if (s.end - s.first < value_zset_count(zset)) {
        remove_span(c, zset, s);
        call_event(c, EVENT_ZSET, event, c->argv[1]);
        return;
    }
    call_make(c, change_unbind(c->db, c->argv[1]));
    call_event(c, EVENT_ZSET, event, c->argv[1]);
    call_event(c, EVENT_GENERIC, "del", c->argv[1]);
}

static void zremrangebyrank(struct call *c)
{
    remove_range(c, BY_RANK, "zremrangebyrank");
}

static void zremrangebyscore(struct call *c)
{
    remove_range(c, BY_SCORE, "zremrangebyscore");
}

static void zremrangebylex(struct call *c)
{
    remove_range(c, BY_LEX, "zremrangebylex");
}

/* ZRANGE and its relatives. */

struct query {
    size_t key;       /* Arguments: the key, then the two bounds, then options. */
    bool stores;      /* In argument 1, what is otherwise replied. */
    bool fixed;       /* The kind and the direction are not for options to set. */
    bool with_scores; /* Set by options from here on. */
    enum range_kind kind;
    bool backward;
    int64_t offset, limit;
};

static bool parse_limit(struct call *c, size_t arg, struct query *q)
{
    return call_int(c, arg, &q->offset) && call_int(c, arg + 1, &q->limit);
}

/* The kind and the direction can each be set only once. */
static bool parse_kind(const struct call *c, size_t arg, struct query *q)
{
    if (q->fixed) {
        return false;
    }
    if (!q->backward && call_is(c, arg, "rev")) {
        q->backward = true;
    } else if (q->kind == BY_RANK && call_is(c, arg, "bylex")) {
        q->kind = BY_LEX;
    } else if (q->kind == BY_RANK && call_is(c, arg, "byscore")) {
        q->kind = BY_SCORE;
    } else {
        return false;
    }
    return true;
}

static bool parse_query(struct call *c, struct query *q)
{
    q->limit = -1;
    for (size_t i = q->key + 3; i < c->argc; i++) {
        if (!q->stores && call_is(c, i, "withscores")) {
            q->with_scores = true;
        } else if (call_is(c, i, "limit") && i + 2 < c->argc) {
            if (!parse_limit(c, i + 1, q)) {
                return false;
            }
            i += 2;
        } else if (!parse_kind(c, i, q)) {
            call_fail_syntax(c);
            return false;
        }
    }
    if (q->limit != -1 && q->kind == BY_RANK) {
        call_fail(c, "ERR syntax error, LIMIT is only supported in combination with either BYSCORE "
                     "or BYLEX");
        return false;
    }
    if (q->with_scores && q->kind == BY_LEX) {
        call_fail(c, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return true;
}

/* A walk over the members of a span. */
static struct zset_walk span_walk(const struct value *zset, struct span s, bool backward)
{
    return zset_walk_from(zset, backward ? s.end - 1 : s.first, backward);
}

static void reply_span(struct call *c, const struct query *q, const struct value *zset,
                       struct span s)
{
    size_t count = s.end - s.first;
    struct zset_walk walk;
    struct bytes member;
    double score;

    zset_reply_open(c, count, q->with_scores);
    if (count == 0) {
        return;
    }
    walk = span_walk(zset, s, q->backward);
    for (; count > 0 && zset_walk_next(&walk, &member, &score); count--) {
        zset_reply_member(c, member, score, q->with_scores);
    }
}

static void store_span(struct call *c, const struct value *zset, struct span s)
{
    struct value *stored = value_new(VALUE_ZSET, c->argv[1], EXPIRES_NEVER);
    size_t count = s.end - s.first;
    struct zset_walk walk;
    struct bytes member;
    double score;

    if (count > 0) {
        walk = span_walk(zset, s, false);
        for (; count > 0 && zset_walk_next(&walk, &member, &score); count--) {
            value_fill_scored(stored, member, score, &c->engine->data->limits);
        }
    }
    zset_store(c, stored, "zrangestore");
}

static void answer(struct call *c, struct query q)
{
    const struct value *zset;
    struct range r;
    struct span s = {0};

    if (!parse_query(c, &q) || !parse_range(c, q.key + 1, q.kind, q.backward, &r) ||
        !call_find(c, q.key, VALUE_ZSET, &zset)) {
        return;
    }
    if (zset != NULL) {
        s = find_span(zset, &r);
        if (q.kind != BY_RANK) {
            s = limit_span(s, q.backward, q.offset, q.limit);
        }
    }
    if (q.stores) {
        store_span(c, zset, s);
    } else {
        reply_span(c, &q, zset, s);
    }
}

static void zrange(struct call *c)
{
    answer(c, (struct query){.key = 1});
}

static void zrangestore(struct call *c)
{
    answer(c, (struct query){.key = 2, .stores = true});
}

static void zrevrange(struct call *c)
{
    answer(c, (struct query){.key = 1, .fixed = true, .backward = true});
}

static void zrangebyscore(struct call *c)
{
    answer(c, (struct query){.key = 1, .fixed = true, .kind = BY_SCORE});
}

static void zrevrangebyscore(struct call *c)
{
    answer(c, (struct query){.key = 1, .fixed = true, .kind = BY_SCORE, .backward = true});
}

static void zrangebylex(struct call *c)
{
    answer(c, (struct query){.key = 1, .fixed = true, .kind = BY_LEX});
}

static void zrevrangebylex(struct call *c)
{
    answer(c, (struct query){.key = 1, .fixed = true, .kind = BY_LEX, .backward = true});
}

/* clang-format off */
const struct command zrange_commands[] = {
    {.name = "zcount",           .arity = 4,  .flags = READ_FAST,                       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zcount,           .group = "sorted-set", .since = "2.0.0", .complexity = "O(log(N)) with N members in the set",                        .summary = "Returns how many members have scores within bounds",               .syntax = "key min max"},
    {.name = "zlexcount",        .arity = 4,  .flags = READ_FAST,                       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zlexcount,        .group = "sorted-set", .since = "2.8.9", .complexity = "O(log(N)) with N members in the set",                        .summary = "Returns how many members, all of one score, are within bounds",    .syntax = "key min max"},
    {.name = "zrange",           .arity = -4, .flags = READ,                            .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zrange,           .group = "sorted-set", .since = "1.2.0", .complexity = "O(log(N)+M) with N members in the set, of which M are returned", .summary = "Returns the members within bounds, in order",                      .syntax = "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]"},
    {.name = "zrangebylex",      .arity = -4, .flags = READ,                            .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zrangebylex,      .group = "sorted-set", .since = "2.8.9", .complexity = "O(log(N)+M) with N members in the set, of which M are returned", .summary = "Returns the members within bounds, all being of one score",        .syntax = "key min max [LIMIT offset count]"},
    {.name = "zrangebyscore",    .arity = -4, .flags = READ,                            .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zrangebyscore,    .group = "sorted-set", .since = "1.0.5", .complexity = "O(log(N)+M) with N members in the set, of which M are returned", .summary = "Returns the members with scores within bounds",                    .syntax = "key min max [WITHSCORES] [LIMIT offset count]"},
    {.name = "zrangestore",      .arity = -5, .flags = WRITE,                           .keys = {ONE_KEY(KEY_OW | KEY_UPDATE), KEY_AT(2, KEY_RO | KEY_ACCESS)}, .run = zrangestore,     .group = "sorted-set", .since = "6.2.0", .complexity = "O(log(N)+M) with N members in the set, of which M are stored",   .summary = "Stores what ZRANGE returns, with its scores",                      .syntax = "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]"},
    {.name = "zremrangebylex",   .arity = 4,  .flags = COMMAND_WRITE | COMMAND_DIRECT,  .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},                                .run = zremrangebylex,   .group = "sorted-set", .since = "2.8.9", .complexity = "O(M*log(N)) with N members in the set, of which M are removed",  .summary = "Removes the members within bounds, all being of one score",        .syntax = "key min max"},
    {.name = "zremrangebyrank",  .arity = 4,  .flags = COMMAND_WRITE | COMMAND_DIRECT,  .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},                                .run = zremrangebyrank,  .group = "sorted-set", .since = "2.0.0", .complexity = "O(M*log(N)) with N members in the set, of which M are removed",  .summary = "Removes the members from one rank to another",                     .syntax = "key start stop"},
    {.name = "zremrangebyscore", .arity = 4,  .flags = COMMAND_WRITE | COMMAND_DIRECT,  .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},                                .run = zremrangebyscore, .group = "sorted-set", .since = "1.2.0", .complexity = "O(M*log(N)) with N members in the set, of which M are removed",  .summary = "Removes the members with scores within bounds",                    .syntax = "key min max"},
    {.name = "zrevrange",        .arity = -4, .flags = READ,                            .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zrevrange,        .group = "sorted-set", .since = "1.2.0", .complexity = "O(log(N)+M) with N members in the set, of which M are returned", .summary = "Returns the members from one rank to another, from the end",       .syntax = "key start stop [WITHSCORES]"},
    {.name = "zrevrangebylex",   .arity = -4, .flags = READ,                            .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zrevrangebylex,   .group = "sorted-set", .since = "2.8.9", .complexity = "O(log(N)+M) with N members in the set, of which M are returned", .summary = "Returns what ZRANGEBYLEX does, from the end",                      .syntax = "key max min [LIMIT offset count]"},
    {.name = "zrevrangebyscore", .arity = -4, .flags = READ,                            .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                .run = zrevrangebyscore, .group = "sorted-set", .since = "2.2.0", .complexity = "O(log(N)+M) with N members in the set, of which M are returned", .summary = "Returns what ZRANGEBYSCORE does, from the end",                    .syntax = "key max min [WITHSCORES] [LIMIT offset count]"},
    {0},
};
/* clang-format on */
