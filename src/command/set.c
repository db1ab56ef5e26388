/* Commands on sets. */
#include "base/mem.h"
#include "command/arguments.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/scan.h"

#include <stdlib.h>

/* Replies with all members. */
static void reply_members(struct call *c, const struct value *set)
{
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(set, &walk, &member)) {
        reply_bytes(c, member);
    }
}

/* Reading. */

static void scard(struct call *c)
{
    const struct value *set;

    if (call_find(c, 1, VALUE_SET, &set)) {
        reply_int(c, set == NULL ? 0 : (int64_t)value_set_count(set));
    }
}

static void sismember(struct call *c)
{
    const struct value *set;

    if (call_find(c, 1, VALUE_SET, &set)) {
        reply_int(c, set != NULL && value_set_has(set, c->argv[2]));
    }
}

static void smismember(struct call *c)
{
    const struct value *set;

    if (!call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        reply_int(c, set != NULL && value_set_has(set, c->argv[i]));
    }
}

static void smembers(struct call *c)
{
    const struct value *set;

    if (!call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    if (set == NULL) {
        reply_set(c, 0);
        return;
    }
    reply_set(c, value_set_count(set));
    reply_members(c, set);
}

static void sscan(struct call *c)
{
    scan_collection(c, VALUE_SET);
}

/* Adding and removing. */

static void sadd(struct call *c)
{
    const struct value *set;
    int64_t added = 0;

    if (!call_find_or_bind(c, 1, VALUE_SET, &set)) {
        return;
    }
    for (size_t i = 2; i < c->argc; i++) {
        if (!value_set_has(set, c->argv[i])) {
            call_make(c, change_set_add(c->db, c->argv[1], c->argv[i]));
            added++;
        }
    }
    if (added > 0) {
        call_event(c, EVENT_SET, "sadd", c->argv[1]);
    }
    reply_int(c, added);
}

static void srem(struct call *c)
{
    const struct value *set;
    int64_t removed = 0;

    if (!call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    for (size_t i = 2; set != NULL && i < c->argc; i++) {
        if (value_set_has(set, c->argv[i])) {
            call_make(c, change_set_remove(c->db, c->argv[1], c->argv[i]));
            removed++;
        }
    }
    if (removed > 0) {
        call_event(c, EVENT_SET, "srem", c->argv[1]);
        call_drop_if_empty(c, c->argv[1]);
    }
    reply_int(c, removed);
}

/* Moves the member of argument 3 to a set that may have it already. */
static void move_member(struct call *c)
{
    struct bytes member = c->argv[3];
    const struct value *to;

    call_make(c, change_set_remove(c->db, c->argv[1], member));
    call_event(c, EVENT_SET, "srem", c->argv[1]);
    call_drop_if_empty(c, c->argv[1]);
    if (call_find_or_bind(c, 2, VALUE_SET, &to) && !value_set_has(to, member)) {
        call_make(c, change_set_add(c->db, c->argv[2], member));
        call_event(c, EVENT_SET, "sadd", c->argv[2]);
    }
}

static void smove(struct call *c)
{
    const struct value *from, *to;
    bool has;

    if (!call_find(c, 1, VALUE_SET, &from)) {
        return;
    }
    if (from == NULL) {
        reply_int(c, 0);
        return;
    }
    if (!call_find(c, 2, VALUE_SET, &to)) {
        return;
    }
    has = value_set_has(from, c->argv[3]);
    if (has && from != to) {
        move_member(c);
    }
    reply_int(c, has);
}

/* Choosing at random. */

static void pop(struct call *c, const struct value *set)
{
    char text[NUMBER_INT_MAX];
    struct bytes member = value_set_random(set, &c->engine->random, text);

    reply_bytes(c, member);
    call_make(c, change_set_remove(c->db, c->argv[1], member));
}

static void spop_one(struct call *c)
{
    const struct value *set;

    if (!call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    if (set == NULL) {
        reply_nil(c);
        return;
    }
    pop(c, set);
    call_event(c, EVENT_SET, "spop", c->argv[1]);
    call_drop_if_empty(c, c->argv[1]);
}

static void spop_many(struct call *c)
{
    const struct value *set;
    size_t count;

    if (!call_size(c, 2, 0, "value is out of range, must be positive", &count) ||
        !call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    if (set == NULL || count == 0) {
        reply_set(c, 0);
        return;
    }
    call_event(c, EVENT_SET, "spop", c->argv[1]);
    if (count < value_set_count(set)) {
        reply_set(c, count);
        for (; count > 0; count--) {
            pop(c, set);
        }
    } else {
        reply_set(c, value_set_count(set));
        reply_members(c, set);
        call_make(c, change_unbind(c->db, c->argv[1]));
        call_event(c, EVENT_GENERIC, "del", c->argv[1]);
    }
}

static void spop(struct call *c)
{
    if (c->argc > 3) {
        call_fail_syntax(c);
    } else if (c->argc == 3) {
        spop_many(c);
    } else {
        spop_one(c);
    }
}

/* Replies with `count` random members, of which some may be the same. */
static void reply_repeating(struct call *c, const struct value *set, size_t count)
{
    char text[NUMBER_INT_MAX];

    reply_array(c, count);
    for (; count > 0; count--) {
        reply_bytes(c, value_set_random(set, &c->engine->random, text));
    }
}

/* Replies with `count` different members, in a walk over all of them: each one is
 * taken as likely as it must be for those still wanted to be among those left. */
static void reply_share(struct call *c, const struct value *set, size_t count)
{
    struct value_walk walk = {0};
    struct bytes member;

    reply_array(c, count);
    for (size_t left = value_set_count(set); count > 0; left--) {
        value_set_next(set, &walk, &member);
        if (random_below(&c->engine->random, left) < count) {
            reply_bytes(c, member);
            count--;
        }
    }
}

/* The same, when they are so few that the same one will seldom come twice. */
static void reply_few(struct call *c, const struct value *set, size_t count)
{
    struct value *seen = value_new(VALUE_SET, (struct bytes){0}, EXPIRES_NEVER);
    char text[NUMBER_INT_MAX];
    struct bytes member;

    reply_array(c, count);
    while (count > 0) {
        member = value_set_random(set, &c->engine->random, text);
        if (value_fill_member(seen, member, &c->engine->data->limits)) {
            reply_bytes(c, member);
            count--;
        }
    }
    value_free(seen);
}

static void srandmember_one(struct call *c)
{
    const struct value *set;
    char text[NUMBER_INT_MAX];

    if (!call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    if (set == NULL) {
        reply_nil(c);
    } else {
        reply_bytes(c, value_set_random(set, &c->engine->random, text));
    }
}

/* A negative count asks for exactly that many, different or not. */
static void srandmember_many(struct call *c)
{
    enum { FEW = 16 }; /* One in so many. */
    const struct value *set;
    int64_t count;
    size_t size;

    if (!call_int_between(c, 2, -INT64_MAX, INT64_MAX, &count) ||
        !call_find(c, 1, VALUE_SET, &set)) {
        return;
    }
    size = set == NULL ? 0 : value_set_count(set);
    if (size == 0) {
        reply_array(c, 0);
    } else if (count < 0) {
        if (call_repetitions(c, (uint64_t)-count)) {
            reply_repeating(c, set, (size_t)-count);
        }
    } else if ((size_t)count > size / FEW) {
        reply_share(c, set, (size_t)count < size ? (size_t)count : size);
    } else {
        reply_few(c, set, (size_t)count);
    }
}

static void srandmember(struct call *c)
{
    if (c->argc > 3) {
        call_fail_syntax(c);
    } else if (c->argc == 3) {
        srandmember_many(c);
    } else {
        srandmember_one(c);
    }
}

/* Combining. An intersection, a difference and a union are each a selection: the
 * members of one set that all of some others have, or that none of them has. */
struct selection {
    const struct value *from; /* NULL: nothing is selected. */
    const struct value *const *others;
    size_t other_count;
    bool shared; /* Whether the others have the members. */
    struct value_walk walk;

    const struct value **sets; /* Owned, as are */
    struct value *merged;      /* the members of several of the sets. */
};

static void selection_clear(struct selection *s)
{
    mem_free(s->sets);
    value_free(s->merged);
}

#define SELECTION_LOCAL(name) __attribute__((cleanup(selection_clear))) struct selection name = {0}

/* Looks up the sets of `count` keys from argument `first` on; those that are not
 * there are NULL. Returns false, having failed the call, if one is no set. */
static bool selection_find(struct call *c, size_t first, size_t count, struct selection *s)
{
    s->sets = mem_alloc(count * sizeof *s->sets);
    for (size_t i = 0; i < count; i++) {
        if (!call_find(c, first + i, VALUE_SET, &s->sets[i])) {
            return false;
        }
    }
    s->from = s->sets[0];
    s->others = s->sets + 1;
    s->other_count = count - 1;
    return true;
}

static bool selection_next(struct selection *s, struct bytes *member)
{
    size_t i;

    while (s->from != NULL && value_set_next(s->from, &s->walk, member)) {
        for (i = 0; i < s->other_count; i++) {
            if ((s->others[i] != NULL && value_set_has(s->others[i], *member)) != s->shared) {
                break;
            }
        }
        if (i == s->other_count) {
            return true;
        }
    }
    return false;
}

static size_t count_of(const struct value *set)
{
    return set == NULL ? 0 : value_set_count(set);
}

static int compare_count(const void *a, const void *b)
{
    size_t count_a = count_of(*(const struct value *const *)a);
    size_t count_b = count_of(*(const struct value *const *)b);

    return (count_a > count_b) - (count_a < count_b);
}

/* Fewer members are walked, and fewer sets are asked, when the smallest set comes
 * first. One that is not there is the smallest. */
static bool select_intersection(struct call *c, size_t first, size_t count, struct selection *s)
{
    if (!selection_find(c, first, count, s)) {
        return false;
    }
    qsort(s->sets, count, sizeof *s->sets, compare_count);
    s->from = s->sets[0];
    s->shared = true;
    return true;
}

/* Puts the members of several sets into a new one. It has argument 1 for its key, in
 * case it is to be stored. */
static struct value *merge(struct call *c, const struct value *const *sets, size_t count)
{
    struct value *merged = value_new(VALUE_SET, c->argv[1], EXPIRES_NEVER);
    struct bytes member;

    for (size_t i = 0; i < count; i++) {
        struct value_walk walk = {0};
        while (sets[i] != NULL && value_set_next(sets[i], &walk, &member)) {
            value_fill_member(merged, member, &c->engine->data->limits);
        }
    }
    return merged;
}

static bool select_union(struct call *c, size_t first, size_t count, struct selection *s)
{
    if (!selection_find(c, first, count, s)) {
        return false;
    }
    s->merged = merge(c, s->sets, count);
    s->from = s->merged;
    s->other_count = 0;
    return true;
}

/* To ask many sets for each member can take longer than to merge them first. */
static bool select_difference(struct call *c, size_t first, size_t count, struct selection *s)
{
    size_t others_size = 0;

    if (!selection_find(c, first, count, s)) {
        return false;
    }
    for (size_t i = 0; i < s->other_count; i++) {
        others_size += count_of(s->others[i]);
    }
    if (s->other_count > 1 && others_size < count_of(s->from) * s->other_count / 2) {
        s->merged = merge(c, s->others, s->other_count);
        s->sets[0] = s->merged;
        s->others = s->sets;
        s->other_count = 1;
    }
    return true;
}

typedef bool select_sets(struct call *c, size_t first, size_t count, struct selection *s);

static void reply_selected(struct call *c, select_sets *select)
{
    SELECTION_LOCAL(s);
    struct bytes member;
    size_t count = 0;
    size_t place;

    if (!select(c, 1, c->argc - 1, &s)) {
        return;
    }
    place = reply_late(c);
    while (selection_next(&s, &member)) {
        reply_bytes(c, member);
        count++;
    }
    reply_late_end(c, place, RESP_SET, count);
}

/* Makes a set of what is selected. A union is one already. */
static struct value *collect(struct call *c, struct selection *s)
{
    struct value *set;
    struct bytes member;

    if (s->from != NULL && s->from == s->merged) {
        return TAKE(s->merged);
    }
    set = value_new(VALUE_SET, c->argv[1], EXPIRES_NEVER);
    while (selection_next(s, &member)) {
        value_fill_member(set, member, &c->engine->data->limits);
    }
    return set;
}

/* Binds argument 1 to what is selected from the sets behind it. */
static void store_selected(struct call *c, select_sets *select)
{
    SELECTION_LOCAL(s);
    struct value *set;

    if (!select(c, 2, c->argc - 2, &s)) {
        return;
    }
    set = collect(c, &s);
    reply_int(c, (int64_t)value_set_count(set));
    if (value_set_count(set) > 0) {
        call_make(c, change_bind(c->db, set));
        call_event(c, EVENT_SET, c->command->name, c->argv[1]);
        return;
    }
    value_free(set);
    if (keyspace_find(c->keys, c->argv[1], c->now_ms) != NULL) {
        call_make(c, change_unbind(c->db, c->argv[1]));
        call_event(c, EVENT_GENERIC, "del", c->argv[1]);
    }
}

static void sdiff(struct call *c)
{
    reply_selected(c, select_difference);
}

static void sdiffstore(struct call *c)
{
    store_selected(c, select_difference);
}

static void sinter(struct call *c)
{
    reply_selected(c, select_intersection);
}

static void sinterstore(struct call *c)
{
    store_selected(c, select_intersection);
}

/* Few sets need not be merged: what each of them has, and none before it. */
static void reply_union_of_few(struct call *c)
{
    SELECTION_LOCAL(s);
    struct bytes member;
    size_t count = 0;
    size_t place;

    if (!selection_find(c, 1, c->argc - 1, &s)) {
        return;
    }
    place = reply_late(c);
    s.others = s.sets;
    for (s.other_count = 0; s.other_count < c->argc - 1; s.other_count++) {
        s.from = s.sets[s.other_count];
        s.walk = (struct value_walk){0};
        while (selection_next(&s, &member)) {
            reply_bytes(c, member);
            count++;
        }
    }
    reply_late_end(c, place, RESP_SET, count);
}

static void sunion(struct call *c)
{
    enum { FEW = 4 };

    if (c->argc - 1 <= FEW) {
        reply_union_of_few(c);
    } else {
        reply_selected(c, select_union);
    }
}

static void sunionstore(struct call *c)
{
    store_selected(c, select_union);
}

static void sintercard(struct call *c)
{
    SELECTION_LOCAL(s);
    struct bytes member;
    size_t keys, limit;
    size_t count = 0;

    if (!call_size(c, 1, 1, "numkeys should be greater than 0", &keys)) {
        return;
    }
    if (keys > c->argc - 2) {
        call_fail(c, "ERR Number of keys can't be greater than number of args");
        return;
    }
    if (!arguments_limit(c, 2 + keys, &limit) || !select_intersection(c, 2, keys, &s)) {
        return;
    }
    while ((limit == 0 || count < limit) && selection_next(&s, &member)) {
        count++;
    }
    reply_int(c, (int64_t)count);
}

/* clang-format off */
const struct command set_commands[] = {
    {.name = "sadd",        .arity = -3, .flags = WRITE_FAST,                  .keys = {ONE_KEY(KEY_RW | KEY_INSERT)},                                              .run = sadd,        .group = "set", .since = "1.0.0", .complexity = "O(N) in the number of members named",                     .summary = "Adds members to a set, and creates it if need be",         .syntax = "key member [member ...]"},
    {.name = "scard",       .arity = 2,  .flags = READ_FAST,                   .keys = {ONE_KEY(KEY_RO)},                                                           .run = scard,       .group = "set", .since = "1.0.0", .complexity = "O(1)",                                                    .summary = "Returns how many members a set has",                       .syntax = "key"},
    {.name = "sdiff",       .arity = -2, .flags = READ,                        .keys = {ALL_KEYS(KEY_RO | KEY_ACCESS)},                                             .run = sdiff,       .group = "set", .since = "1.0.0", .complexity = "O(N) in the size of all the sets",                        .summary = "Returns the members of a set that none of the others has", .syntax = "key [key ...]"},
    {.name = "sdiffstore",  .arity = -3, .flags = WRITE,                       .keys = {ONE_KEY(KEY_OW | KEY_UPDATE), KEYS_FROM(2, KEY_RO | KEY_ACCESS)},           .run = sdiffstore,  .group = "set", .since = "1.0.0", .complexity = "O(N) in the size of all the sets",                        .summary = "Stores what SDIFF returns",                                .syntax = "destination key [key ...]"},
    {.name = "sinter",      .arity = -2, .flags = READ,                        .keys = {ALL_KEYS(KEY_RO | KEY_ACCESS)},                                             .run = sinter,      .group = "set", .since = "1.0.0", .complexity = "O(N*M) with M sets, of which the smallest has N members", .summary = "Returns the members that all the sets have",               .syntax = "key [key ...]"},
    {.name = "sintercard",  .arity = -3, .flags = READ | COMMAND_MOVABLE_KEYS, .keys = {NUMBERED_KEYS(1, KEY_RO | KEY_ACCESS)},                                     .run = sintercard,  .group = "set", .since = "7.0.0", .complexity = "O(N*M) with M sets, of which the smallest has N members", .summary = "Returns how many members all the sets have",               .syntax = "numkeys key [key ...] [LIMIT limit]"},
    {.name = "sinterstore", .arity = -3, .flags = WRITE,                       .keys = {ONE_KEY(KEY_RW | KEY_UPDATE), KEYS_FROM(2, KEY_RO | KEY_ACCESS)},           .run = sinterstore, .group = "set", .since = "1.0.0", .complexity = "O(N*M) with M sets, of which the smallest has N members", .summary = "Stores what SINTER returns",                               .syntax = "destination key [key ...]"},
    {.name = "sismember",   .arity = 3,  .flags = READ_FAST,                   .keys = {ONE_KEY(KEY_RO)},                                                           .run = sismember,   .group = "set", .since = "1.0.0", .complexity = "O(1)",                                                    .summary = "Tells whether a set has a member",                         .syntax = "key member"},
    {.name = "smembers",    .arity = 2,  .flags = READ,                        .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                              .run = smembers,    .group = "set", .since = "1.0.0", .complexity = "O(N) in the size of the set",                             .summary = "Returns all members of a set",                             .syntax = "key"},
    {.name = "smismember",  .arity = -3, .flags = READ_FAST,                   .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                              .run = smismember,  .group = "set", .since = "6.2.0", .complexity = "O(N) in the number of members named",                     .summary = "Tells for several members whether a set has them",         .syntax = "key member [member ...]"},
    {.name = "smove",       .arity = 4,  .flags = FREE_FAST,                   .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = smove,       .group = "set", .since = "1.0.0", .complexity = "O(1)",                                                    .summary = "Moves a member from one set to another",                   .syntax = "source destination member"},
    {.name = "spop",        .arity = -2, .flags = FREE_FAST,                   .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)},                                 .run = spop,        .group = "set", .since = "1.0.0", .complexity = "O(N) in the number of members returned",                  .summary = "Removes random members from a set and returns them",       .syntax = "key [count]"},
    {.name = "srandmember", .arity = -2, .flags = READ,                        .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                              .run = srandmember, .group = "set", .since = "1.0.0", .complexity = "O(N) in the number of members returned",                  .summary = "Returns random members of a set",                          .syntax = "key [count]"},
    {.name = "srem",        .arity = -3, .flags = FREE_FAST,                   .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},                                              .run = srem,        .group = "set", .since = "1.0.0", .complexity = "O(N) in the number of members named",                     .summary = "Removes members from a set",                               .syntax = "key member [member ...]"},
    {.name = "sscan",       .arity = -3, .flags = READ,                        .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                              .run = sscan,       .group = "set", .since = "2.8.0", .complexity = "O(1) for a call, O(N) in the size of the set for all",    .summary = "Walks over the members of a set, some at a time",          .syntax = "key cursor [MATCH pattern] [COUNT count]"},
    {.name = "sunion",      .arity = -2, .flags = READ,                        .keys = {ALL_KEYS(KEY_RO | KEY_ACCESS)},                                             .run = sunion,      .group = "set", .since = "1.0.0", .complexity = "O(N) in the size of all the sets",                        .summary = "Returns the members that any of the sets has",             .syntax = "key [key ...]"},
    {.name = "sunionstore", .arity = -3, .flags = WRITE,                       .keys = {ONE_KEY(KEY_OW | KEY_UPDATE), KEYS_FROM(2, KEY_RO | KEY_ACCESS)},           .run = sunionstore, .group = "set", .since = "1.0.0", .complexity = "O(N) in the size of all the sets",                        .summary = "Stores what SUNION returns",                               .syntax = "destination key [key ...]"},
    {0},
};
/* clang-format on */
