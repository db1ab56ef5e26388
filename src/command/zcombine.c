/* Unions, intersections and differences of sorted sets. Sets take part too, as if all
 * their members had the score 1. */
#include "base/mem.h"
#include "command/arguments.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/zset.h"

#include <math.h>
#include <stdlib.h>

struct source {
    const struct value *value; /* A sorted set, a set, or NULL: nothing. */
    double weight;
};

enum aggregate {
    SUM,
    MIN,
    MAX,
};

/* One of the commands, and what it is asked for. */
struct combination {
    struct value *(*combine)(struct call *c, const struct combination *m);
    const char *event;
    size_t numkeys; /* The argument that tells how many sources there are. */
    bool stores;    /* In argument 1, what is otherwise replied. */
    bool plain;     /* There are no WEIGHTS and no AGGREGATE. */
    enum aggregate aggregate;
    bool with_scores;
    struct source *sources; /* Owned. */
    size_t count;
};

/* Sources. */

static size_t source_count(const struct source *s)
{
    return s->value == NULL ? 0 : value_count(s->value);
}

static bool source_find(const struct source *s, struct bytes member, double *score)
{
    if (s->value == NULL) {
        return false;
    }
    if (value_type(s->value) == VALUE_ZSET) {
        return value_zset_score(s->value, member, score);
    }
    *score = 1;
    return value_set_has(s->value, member);
}

/* A walk over a source. */
struct walk {
    const struct value *value;
    struct value_walk set;
    struct zset_walk zset;
};

static void walk_start(struct walk *w, const struct source *s)
{
    w->value = s->value;
    if (s->value != NULL && value_type(s->value) == VALUE_ZSET) {
        w->zset = zset_walk_from(s->value, 0, false);
    } else {
        w->set = (struct value_walk){0};
    }
}

static bool walk_next(struct walk *w, struct bytes *member, double *score)
{
    if (w->value == NULL) {
        return false;
    }
    if (value_type(w->value) == VALUE_ZSET) {
        return zset_walk_next(&w->zset, member, score);
    }
    *score = 1;
    return value_set_next(w->value, &w->set, member);
}

static int compare_count(const void *a, const void *b)
{
    size_t count_a = source_count(a);
    size_t count_b = source_count(b);

    return (count_a > count_b) - (count_a < count_b);
}

/* The smallest comes first. Sums are made in this order, which their last digits
 * depend on, so it is Redis's. */
static void sort_sources(const struct combination *m)
{
    qsort(m->sources, m->count, sizeof *m->sources, compare_count);
}

/* Scores. */

/* Of what is no number, an infinity times or minus another, there is nothing. */
static double number_or_zero(double score)
{
    return isnan(score) ? 0 : score;
}

static double aggregated(enum aggregate how, double a, double b)
{
    switch (how) {
    case MIN:
        return b < a ? b : a;
    case MAX:
        return b > a ? b : a;
    default:
        return number_or_zero(a + b);
    }
}

/* Combining. Each returns a new sorted set under the key of argument 1. */

static struct value *result_new(const struct call *c)
{
    return value_new(VALUE_ZSET, c->argv[1], EXPIRES_NEVER);
}

static struct value *unite(struct call *c, const struct combination *m)
{
    struct value *result = result_new(c);
    struct walk walk;
    struct bytes member;
    double score, old;

    sort_sources(m);
    for (size_t i = 0; i < m->count; i++) {
        walk_start(&walk, &m->sources[i]);
        while (walk_next(&walk, &member, &score)) {
            score = number_or_zero(score * m->sources[i].weight);
            if (value_zset_score(result, member, &old)) {
                score = aggregated(m->aggregate, old, score);
            }
            value_fill_scored(result, member, score, &c->engine->data->limits);
        }
    }
    return result;
}

/* Finds a member of the first source in all the others. */
static bool find_in_others(const struct combination *m, struct bytes member, double *score)
{
    double other;

    *score = number_or_zero(*score * m->sources[0].weight);
    for (size_t i = 1; i < m->count; i++) {
        if (!source_find(&m->sources[i], member, &other)) {
            return false;
        }
        *score = aggregated(m->aggregate, *score, other * m->sources[i].weight);
    }
    return true;
}

static struct value *intersect(struct call *c, const struct combination *m)
{
    struct value *result = result_new(c);
    struct walk walk;
    struct bytes member;
    double score;

    sort_sources(m);
    walk_start(&walk, &m->sources[0]);
    while (walk_next(&walk, &member, &score)) {
        if (find_in_others(m, member, &score)) {
            value_fill_scored(result, member, score, &c->engine->data->limits);
        }
    }
    return result;
}

static bool is_in_others(const struct combination *m, struct bytes member)
{
    double score;

    for (size_t i = 1; i < m->count; i++) {
        if (source_find(&m->sources[i], member, &score)) {
            return true;
        }
    }
    return false;
}

static struct value *subtract(struct call *c, const struct combination *m)
{
    struct value *result = result_new(c);
    struct walk walk;
    struct bytes member;
    double score;

    walk_start(&walk, &m->sources[0]);
    while (walk_next(&walk, &member, &score)) {
        if (!is_in_others(m, member)) {
            value_fill_scored(result, member, score, &c->engine->data->limits);
        }
    }
    return result;
}

/* What is asked for. */

static bool find_sources(struct call *c, struct combination *m)
{
    int64_t count;

    if (!call_int(c, m->numkeys, &count)) {
        return false;
    }
    if (count < 1) {
        call_fail(c, "ERR at least 1 input key is needed for '%s' command", c->command->name);
        return false;
    }
    if ((uint64_t)count > c->argc - m->numkeys - 1) {
        call_fail_syntax(c);
        return false;
    }
    m->count = (size_t)count;
    m->sources = mem_alloc(m->count * sizeof *m->sources);
    for (size_t i = 0; i < m->count; i++) {
        const struct value *v = call_find_any(c, c->argv[m->numkeys + 1 + i]);
        if (v != NULL && value_type(v) != VALUE_ZSET && value_type(v) != VALUE_SET) {
            call_fail_wrong_type(c);
            return false;
        }
        m->sources[i] = (struct source){v, 1};
    }
    return true;
}

static bool parse_weights(struct call *c, size_t arg, const struct combination *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!number_parse_double(c->argv[arg + i], &m->sources[i].weight)) {
            call_fail(c, "ERR weight value is not a float");
            return false;
        }
    }
    return true;
}

static bool parse_aggregate(struct call *c, size_t arg, struct combination *m)
{
    static const char *const names[] = {[SUM] = "sum", [MIN] = "min", [MAX] = "max"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (call_is(c, arg, names[i])) {
            m->aggregate = (enum aggregate)i;
            return true;
        }
    }
    call_fail_syntax(c);
    return false;
}

static bool parse_options(struct call *c, struct combination *m)
{
    size_t arg = m->numkeys + 1 + m->count;

    while (arg < c->argc) {
        if (!m->plain && call_is(c, arg, "weights") && c->argc - arg > m->count) {
            if (!parse_weights(c, arg + 1, m)) {
                return false;
            }
            arg += 1 + m->count;
        } else if (!m->plain && call_is(c, arg, "aggregate") && c->argc - arg >= 2) {
            if (!parse_aggregate(c, arg + 1, m)) {
                return false;
            }
            arg += 2;
        } else if (!m->stores && call_is(c, arg, "withscores")) {
            m->with_scores = true;
            arg++;
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

static void reply_all(struct call *c, const struct value *zset, bool with_scores)
{
    struct zset_walk walk = zset_walk_from(zset, 0, false);
    struct bytes member;
    double score;

    zset_reply_open(c, value_zset_count(zset), with_scores);
    while (zset_walk_next(&walk, &member, &score)) {
        zset_reply_member(c, member, score, with_scores);
    }
}

static void answer(struct call *c, struct combination m)
{
    struct value *result;

    m.numkeys = m.stores ? 2 : 1;
    if (find_sources(c, &m) && parse_options(c, &m)) {
        result = m.combine(c, &m);
        if (m.stores) {
            zset_store(c, result, m.event);
        } else {
            reply_all(c, result, m.with_scores);
            value_free(result);
        }
    }
    mem_free(m.sources);
}

static void zunion(struct call *c)
{
    answer(c, (struct combination){.combine = unite});
}

static void zunionstore(struct call *c)
{
    answer(c, (struct combination){.combine = unite, .stores = true, .event = "zunionstore"});
}

static void zinter(struct call *c)
{
    answer(c, (struct combination){.combine = intersect});
}

static void zinterstore(struct call *c)
{
    answer(c, (struct combination){.combine = intersect, .stores = true, .event = "zinterstore"});
}

static void zdiff(struct call *c)
{
    answer(c, (struct combination){.combine = subtract, .plain = true});
}

static void zdiffstore(struct call *c)
{
    answer(c, (struct combination){
                  .combine = subtract, .plain = true, .stores = true, .event = "zdiffstore"});
}

static size_t count_intersection(const struct combination *m, size_t limit)
{
    struct walk walk;
    struct bytes member;
    double score;
    size_t count = 0;

    sort_sources(m);
    walk_start(&walk, &m->sources[0]);
    while ((limit == 0 || count < limit) && walk_next(&walk, &member, &score)) {
        count += find_in_others(m, member, &score);
    }
    return count;
}

static void zintercard(struct call *c)
{
    struct combination m = {.numkeys = 1};
    size_t limit;

    if (find_sources(c, &m) && arguments_limit(c, 2 + m.count, &limit)) {
        reply_int(c, (int64_t)count_intersection(&m, limit));
    }
    mem_free(m.sources);
}

#define SOURCES(position) NUMBERED_KEYS(position, KEY_RO | KEY_ACCESS)
#define STORED                                                                                     \
    {                                                                                              \
        ONE_KEY(KEY_OW | KEY_UPDATE), SOURCES(2)                                                   \
    }

/* clang-format off */
const struct command zcombine_commands[] = {
    {.name = "zdiff",       .arity = -3, .flags = READ | COMMAND_MOVABLE_KEYS,  .keys = {SOURCES(1)}, .run = zdiff,       .group = "sorted-set", .since = "6.2.0", .complexity = "O(N*M+K*log(K)) with N members in the first of M sets, and K in the result",    .summary = "Returns the members of a sorted set that none of the others has",  .syntax = "numkeys key [key ...] [WITHSCORES]"},
    {.name = "zdiffstore",  .arity = -4, .flags = WRITE | COMMAND_MOVABLE_KEYS, .keys = STORED,       .run = zdiffstore,  .group = "sorted-set", .since = "6.2.0", .complexity = "O(N*M+K*log(K)) with N members in the first of M sets, and K in the result",    .summary = "Stores what ZDIFF returns",                                        .syntax = "destination numkeys key [key ...]"},
    {.name = "zinter",      .arity = -3, .flags = READ | COMMAND_MOVABLE_KEYS,  .keys = {SOURCES(1)}, .run = zinter,      .group = "sorted-set", .since = "6.2.0", .complexity = "O(N*M+K*log(K)) with N members in the smallest of M sets, and K in the result", .summary = "Returns the members that all the sorted sets have",                .syntax = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]"},
    {.name = "zintercard",  .arity = -3, .flags = READ | COMMAND_MOVABLE_KEYS,  .keys = {SOURCES(1)}, .run = zintercard,  .group = "sorted-set", .since = "7.0.0", .complexity = "O(N*M) with N members in the smallest of M sets",                              .summary = "Returns how many members all the sorted sets have",                .syntax = "numkeys key [key ...] [LIMIT limit]"},
    {.name = "zinterstore", .arity = -4, .flags = WRITE | COMMAND_MOVABLE_KEYS, .keys = STORED,       .run = zinterstore, .group = "sorted-set", .since = "2.0.0", .complexity = "O(N*M+K*log(K)) with N members in the smallest of M sets, and K in the result", .summary = "Stores what ZINTER returns",                                       .syntax = "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]"},
    {.name = "zunion",      .arity = -3, .flags = READ | COMMAND_MOVABLE_KEYS,  .keys = {SOURCES(1)}, .run = zunion,      .group = "sorted-set", .since = "6.2.0", .complexity = "O(N*log(K)) with N members in all the sets, and K in the result",              .summary = "Returns the members that any of the sorted sets has",              .syntax = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]"},
    {.name = "zunionstore", .arity = -4, .flags = WRITE | COMMAND_MOVABLE_KEYS, .keys = STORED,       .run = zunionstore, .group = "sorted-set", .since = "2.0.0", .complexity = "O(N*log(K)) with N members in all the sets, and K in the result",              .summary = "Stores what ZUNION returns",                                       .syntax = "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]"},
    {0},
};
/* clang-format on */
