/* Commands on single members of sorted sets. */
#include "command/zset.h"

#include "base/mem.h"
#include "command/arguments.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/scan.h"
#include "engine/event.h"

#include <math.h>

void zset_reply_open(struct call *c, size_t count, bool with_scores)
{
    reply_array(c, with_scores && c->reply->version == RESP2 ? count * 2 : count);
}

void zset_reply_member(struct call *c, struct bytes member, double score, bool with_scores)
{
    if (with_scores && c->reply->version == RESP3) {
        reply_array(c, 2);
    }
    reply_bytes(c, member);
    if (with_scores) {
        reply_double(c, score);
    }
}

void zset_store(struct call *c, struct value *zset, const char *event)
{
    struct bytes key = value_key(zset);

    reply_int(c, (int64_t)value_zset_count(zset));
    if (value_zset_count(zset) > 0) {
        call_make(c, change_bind(c->db, zset));
        call_event(c, EVENT_ZSET, event, key);
        return;
    }
    if (keyspace_find(c->keys, key, c->now_ms) != NULL) {
        call_make(c, change_unbind(c->db, key));
        call_event(c, EVENT_GENERIC, "del", key);
    }
    value_free(zset);
}

/* Reading. */

static void zcard(struct call *c)
{
    const struct value *zset;

    if (call_find(c, 1, VALUE_ZSET, &zset)) {
        reply_int(c, zset == NULL ? 0 : (int64_t)value_zset_count(zset));
    }
}

static void reply_score(struct call *c, const struct value *zset, struct bytes member)
{
    double score;

    if (zset != NULL && value_zset_score(zset, member, &score)) {
        reply_double(c, score);
    } else {
        reply_nil(c);
    }
}

static void zscore(struct call *c)
{
    const struct value *zset;

    if (call_find(c, 1, VALUE_ZSET, &zset)) {
        reply_score(c, zset, c->argv[2]);
    }
}

static void zmscore(struct call *c)
{
    const struct value *zset;

    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        reply_score(c, zset, c->argv[i]);
    }
}

/* Replies with a rank, and with the score if WITHSCORE asks for it. */
static void reply_rank(struct call *c, bool from_end)
{
    bool with_score = c->argc == 4;
    const struct value *zset;
    double score;
    size_t rank;

    if (c->argc > 4) {
        call_fail_arity(c);
        return;
    }
    if (with_score && !call_is(c, 3, "withscore")) {
        call_fail_syntax(c);
        return;
    }
    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    if (zset == NULL || !value_zset_rank(zset, c->argv[2], &rank, &score)) {
        if (with_score) {
            reply_nil_array(c);
        } else {
            reply_nil(c);
        }
        return;
    }
    if (with_score) {
        reply_array(c, 2);
    }
    reply_int(c, (int64_t)(from_end ? value_zset_count(zset) - 1 - rank : rank));
    if (with_score) {
        reply_double(c, score);
    }
}

static void zrank(struct call *c)
{
    reply_rank(c, false);
}

static void zrevrank(struct call *c)
{
    reply_rank(c, true);
}

static void zscan(struct call *c)
{
    scan_collection(c, VALUE_ZSET);
}

/* Writing. */

static bool check_adding(struct call *c, const struct zset_adding *a)
{
    if (a->count == 0 || (c->argc - a->first) % 2 == 0) {
        call_fail_syntax(c);
    } else if (a->nx && a->xx) {
        call_fail(c, "ERR XX and NX options at the same time are not compatible");
    } else if ((a->gt && a->nx) || (a->lt && a->nx) || (a->gt && a->lt)) {
        call_fail(c, "ERR GT, LT, and/or NX options at the same time are not compatible");
    } else if (a->increments && a->count > 1) {
        call_fail(c, "ERR INCR option supports a single increment-element pair");
    } else {
        return true;
    }
    return false;
}

static bool parse_adding(struct call *c, struct zset_adding *a)
{
    struct {
        const char *word;
        bool *set;
    } const options[] = {
        {"nx", &a->nx}, {"xx", &a->xx},           {"gt", &a->gt},
        {"lt", &a->lt}, {"ch", &a->counts_moves}, {"incr", &a->increments},
    };
    size_t arg, i;

    for (arg = 2; arg < c->argc; arg++) {
        for (i = 0; i < sizeof options / sizeof *options; i++) {
            if (call_is(c, arg, options[i].word)) {
                *options[i].set = true;
                break;
            }
        }
        if (i == sizeof options / sizeof *options) {
            break;
        }
    }
    a->first = arg + 1;
    a->step = 2;
    a->count = (c->argc - arg) / 2;
    return check_adding(c, a);
}

/* Decides on the score of a member that is there with the score `old`, or is not
 * there. Returns false if it is to stay as it is. */
static bool decide(const struct zset_adding *a, bool there, double old, double *score)
{
    if (there ? a->nx : a->xx) {
        return false;
    }
    if (!there) {
        return true;
    }
    if (a->increments) {
        *score += old;
    }
    return isnan(*score) || !((a->lt && *score >= old) || (a->gt && *score <= old));
}

/* What has been done. */
struct added {
    size_t fresh, moved;
    bool decided;
    double score; /* Of the last member that was decided on. */
};

/* A sum that is no number takes two infinities, so one has been there: nothing has been
 * changed when that is found out. */
static bool add_member(struct call *c, const struct zset_adding *a, const struct value *zset,
                       struct bytes member, double score, struct added *done)
{
    double old = 0;
    bool there = zset != NULL && value_zset_score(zset, member, &old);

    if (!decide(a, there, old, &score)) {
        return true;
    }
    if (isnan(score)) {
        call_fail(c, "ERR resulting score is not a number (NaN)");
        return false;
    }
    done->decided = true;
    done->score = score;
    if (!there || score != old) {
        call_make(c, change_score_set(c->db, c->argv[1], member, score));
        done->fresh += !there;
        done->moved += there;
    }
    return true;
}

static void reply_added(struct call *c, const struct zset_adding *a, const struct added *done)
{
    if (!a->increments) {
        reply_int(c, (int64_t)(a->counts_moves ? done->fresh + done->moved : done->fresh));
    } else if (done->decided) {
        reply_double(c, done->score);
    } else {
        reply_nil(c);
    }
}

void zset_add(struct call *c, const struct zset_adding *a, const double *scores)
{
    const struct value *zset;
    struct added done = {0};

    /* XX adds to nothing, and all else adds at least one member to an empty set. */
    if (a->xx ? !call_find(c, 1, VALUE_ZSET, &zset) : !call_find_or_bind(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!add_member(c, a, zset, c->argv[a->first + a->step * i], scores[i], &done)) {
            return;
        }
    }
    if (done.fresh + done.moved > 0) {
        call_event(c, EVENT_ZSET, a->increments ? "zincr" : "zadd", c->argv[1]);
    }
    reply_added(c, a, &done);
}

static bool parse_scores(struct call *c, const struct zset_adding *a, double *scores)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!call_double(c, a->first - 1 + 2 * i, &scores[i])) {
            return false;
        }
    }
    return true;
}

static void add(struct call *c, struct zset_adding *a)
{
    enum { FEW = 16 };
    double few[FEW];
    double *scores = few;

    if (!parse_adding(c, a)) {
        return;
    }
    if (a->count > FEW) {
        scores = mem_alloc(a->count * sizeof *scores);
    }
    if (parse_scores(c, a, scores)) {
        zset_add(c, a, scores);
    }
    if (scores != few) {
        mem_free(scores);
    }
}

static void zadd(struct call *c)
{
    add(c, &(struct zset_adding){0});
}

static void zincrby(struct call *c)
{
    add(c, &(struct zset_adding){.increments = true});
}

static void zrem(struct call *c)
{
    const struct value *zset;
    int64_t removed = 0;
    double score;

    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    for (size_t i = 2; zset != NULL && i < c->argc; i++) {
        if (value_zset_score(zset, c->argv[i], &score)) {
            call_make(c, change_score_remove(c->db, c->argv[1], c->argv[i]));
            removed++;
        }
    }
    if (removed > 0) {
        call_event(c, EVENT_ZSET, "zrem", c->argv[1]);
        call_drop_if_empty(c, c->argv[1]);
    }
    reply_int(c, removed);
}

/* ZRANDMEMBER. */

/* Replies with `count` random members, of which some may be the same. */
static void reply_repeating(struct call *c, const struct value *zset, size_t count,
                            bool with_scores)
{
    struct bytes member;
    double score;

    zset_reply_open(c, count, with_scores);
    for (; count > 0; count--) {
        value_zset_random(zset, &c->engine->random, &member, &score);
        zset_reply_member(c, member, score, with_scores);
    }
}

/* Replies with `count` different members, in a walk over all of them: each one is
 * taken as likely as it must be for those still wanted to be among those left. */
static void reply_share(struct call *c, const struct value *zset, size_t count, bool with_scores)
{
    struct zset_walk walk = zset_walk_from(zset, 0, false);
    struct bytes member;
    double score;

    zset_reply_open(c, count, with_scores);
    for (size_t left = value_zset_count(zset); count > 0; left--) {
        zset_walk_next(&walk, &member, &score);
        if (random_below(&c->engine->random, left) < count) {
            zset_reply_member(c, member, score, with_scores);
            count--;
        }
    }
}

/* The same, when they are so few that the same one will seldom come twice. */
static void reply_few(struct call *c, const struct value *zset, size_t count, bool with_scores)
{
    struct value *seen = value_new(VALUE_SET, (struct bytes){0}, EXPIRES_NEVER);
    struct bytes member;
    double score;

    zset_reply_open(c, count, with_scores);
    while (count > 0) {
        value_zset_random(zset, &c->engine->random, &member, &score);
        if (value_fill_member(seen, member, &value_limits_default)) {
            zset_reply_member(c, member, score, with_scores);
            count--;
        }
    }
    value_free(seen);
}

/* Replies with `count` different members, or all if there are not as many; if it is
 * negative, with exactly that many, different or not. */
static void reply_random(struct call *c, const struct value *zset, int64_t count, bool with_scores)
{
    enum { FEW = 16 }; /* One in so many. */
    size_t size = zset == NULL ? 0 : value_zset_count(zset);

    if (size == 0) {
        reply_array(c, 0);
    } else if (count < 0) {
        if (call_repetitions(c, (uint64_t)-count)) {
            reply_repeating(c, zset, (size_t)-count, with_scores);
        }
    } else if ((size_t)count > size / FEW) {
        reply_share(c, zset, (size_t)count < size ? (size_t)count : size, with_scores);
    } else {
        reply_few(c, zset, (size_t)count, with_scores);
    }
}

static void zrandmember_one(struct call *c)
{
    const struct value *zset;
    struct bytes member;
    double score;

    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    if (zset == NULL) {
        reply_nil(c);
        return;
    }
    value_zset_random(zset, &c->engine->random, &member, &score);
    reply_bytes(c, member);
}

static void zrandmember(struct call *c)
{
    const struct value *zset;
    int64_t count;
    bool with_scores;

    if (c->argc == 2) {
        zrandmember_one(c);
        return;
    }
    if (arguments_sample(c, 2, "withscores", &count, &with_scores) &&
        call_find(c, 1, VALUE_ZSET, &zset)) {
        reply_random(c, zset, count, with_scores);
    }
}

/* clang-format off */
const struct command zset_commands[] = {
    {.name = "zadd",        .arity = -4, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},              .run = zadd,        .group = "sorted-set", .since = "1.2.0", .complexity = "O(log(N)) for each member, with N members in the set",          .summary = "Adds members to a sorted set or moves them to other scores, and creates it if need be", .syntax = "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]"},
    {.name = "zcard",       .arity = 2,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},                           .run = zcard,       .group = "sorted-set", .since = "1.2.0", .complexity = "O(1)",                                                          .summary = "Returns how many members a sorted set has",                .syntax = "key"},
    {.name = "zincrby",     .arity = 4,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .run = zincrby,     .group = "sorted-set", .since = "1.2.0", .complexity = "O(log(N)) with N members in the set",                           .summary = "Adds a number to the score of a member",                   .syntax = "key increment member"},
    {.name = "zmscore",     .arity = -3, .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = zmscore,     .group = "sorted-set", .since = "6.2.0", .complexity = "O(N) in the number of members named",                           .summary = "Returns the scores of several members",                    .syntax = "key member [member ...]"},
    {.name = "zrandmember", .arity = -2, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = zrandmember, .group = "sorted-set", .since = "6.2.0", .complexity = "O(N) in the number of members returned",                        .summary = "Returns random members of a sorted set",                   .syntax = "key [count [WITHSCORES]]"},
    {.name = "zrank",       .arity = -3, .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = zrank,       .group = "sorted-set", .since = "2.0.0", .complexity = "O(log(N)) with N members in the set",                           .summary = "Returns how many members come before one",                 .syntax = "key member [WITHSCORE]"},
    {.name = "zrem",        .arity = -3, .flags = FREE_FAST,  .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},              .run = zrem,        .group = "sorted-set", .since = "1.2.0", .complexity = "O(M*log(N)) for M of N members",                 .summary = "Removes members from a sorted set",                        .syntax = "key member [member ...]"},
    {.name = "zrevrank",    .arity = -3, .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = zrevrank,    .group = "sorted-set", .since = "2.0.0", .complexity = "O(log(N)) with N members in the set",                           .summary = "Returns how many members come behind one",                 .syntax = "key member [WITHSCORE]"},
    {.name = "zscan",       .arity = -3, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = zscan,       .group = "sorted-set", .since = "2.8.0", .complexity = "O(1) for a call, O(N) in the size of the set for all",          .summary = "Walks over the members of a sorted set, some at a time",   .syntax = "key cursor [MATCH pattern] [COUNT count]"},
    {.name = "zscore",      .arity = 3,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = zscore,      .group = "sorted-set", .since = "1.2.0", .complexity = "O(1)",                                                          .summary = "Returns the score of a member",                            .syntax = "key member"},
    {0},
};
/* clang-format on */
