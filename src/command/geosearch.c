/* Searching places: GEORADIUS, GEOSEARCH and their relatives, which differ in how they
 * are asked. */
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/geo.h"
#include "command/zset.h"

#include <stdlib.h>

/* How a search is asked for. */
enum form {
    AROUND_PLACE,  /* GEORADIUS */
    AROUND_MEMBER, /* GEORADIUSBYMEMBER */
    BY_OPTIONS,    /* GEOSEARCH */
};

enum order {
    ANY_ORDER,
    NEAREST_FIRST,
    FARTHEST_FIRST,
};

struct search {
    enum form form;
    bool may_store;    /* GEORADIUS: by options; */
    bool stores;       /* GEOSEARCHSTORE: always, and then argument 1 is where. */
    const char *event; /* What storing is told as. */
    struct bytes destination;
    bool stores_distances; /* Rather than places. */
    const struct value *zset;
    bool from_member, from_place; /* GEOSEARCH: what has been given. */
    bool by_radius, by_box;
    double unit_m;
    struct geo_shape shape;
    bool with_distance, with_hash, with_place;
    enum order order;
    bool any;     /* Whichever are found first. */
    size_t count; /* At the most; 0: all. */
};

struct found {
    struct bytes member;
    double score;
    double distance_m;
    struct geo_point place;
};

/* All that has been found. */
struct catch
{
    struct found *at;
    size_t count, room;
};

/* What is asked for. */

static bool parse_length(struct call *c, size_t arg, const char *error, double *length)
{
    if (!number_parse_double(c->argv[arg], length)) {
        call_fail(c, "ERR %s", error);
        return false;
    }
    return true;
}

static bool parse_radius(struct call *c, size_t arg, struct search *s)
{
    double radius;

    if (!parse_length(c, arg, "need numeric radius", &radius)) {
        return false;
    }
    if (radius < 0) {
        call_fail(c, "ERR radius cannot be negative");
        return false;
    }
    if (!geo_parse_unit(c, arg + 1, &s->unit_m)) {
        return false;
    }
    s->shape.is_box = false;
    s->shape.radius = radius * s->unit_m;
    return true;
}

static bool parse_box(struct call *c, size_t arg, struct search *s)
{
    double width, height;

    if (!parse_length(c, arg, "need numeric width", &width) ||
        !parse_length(c, arg + 1, "need numeric height", &height)) {
        return false;
    }
    if (width < 0 || height < 0) {
        call_fail(c, "ERR height or width cannot be negative");
        return false;
    }
    if (!geo_parse_unit(c, arg + 2, &s->unit_m)) {
        return false;
    }
    s->shape.is_box = true;
    s->shape.width = width * s->unit_m;
    s->shape.height = height * s->unit_m;
    return true;
}

/* Without a set the member is not missed: the reply is the same as of an empty one. */
static bool parse_member(struct call *c, size_t arg, struct search *s)
{
    if (s->zset != NULL && !geo_find(s->zset, c->argv[arg], &s->shape.center)) {
        call_fail(c, "ERR could not decode requested zset member");
        return false;
    }
    return true;
}

static bool parse_count(struct call *c, size_t arg, struct search *s)
{
    int64_t count;

    if (!call_int(c, arg, &count)) {
        return false;
    }
    if (count <= 0) {
        call_fail(c, "ERR COUNT must be > 0");
        return false;
    }
    s->count = (size_t)count;
    return true;
}

/* Options without arguments. */
static bool take_word(const struct call *c, size_t arg, struct search *s)
{
    if (call_is(c, arg, "withdist")) {
        s->with_distance = true;
    } else if (call_is(c, arg, "withhash")) {
        s->with_hash = true;
    } else if (call_is(c, arg, "withcoord")) {
        s->with_place = true;
    } else if (call_is(c, arg, "any")) {
        s->any = true;
    } else if (call_is(c, arg, "asc")) {
        s->order = NEAREST_FIRST;
    } else if (call_is(c, arg, "desc")) {
        s->order = FARTHEST_FIRST;
    } else if (s->form == BY_OPTIONS && s->stores && call_is(c, arg, "storedist")) {
        s->stores_distances = true;
    } else {
        return false;
    }
    return true;
}

/* Whether argument `arg` is this word, and has as many arguments of its own. */
static bool has_arguments(const struct call *c, size_t arg, const char *word, size_t count)
{
    return c->argc - arg > count && call_is(c, arg, word);
}

/* STORE and STOREDIST of GEORADIUS. */
static bool take_destination(const struct call *c, size_t arg, struct search *s)
{
    bool distances = has_arguments(c, arg, "storedist", 1);

    if (!s->may_store || (!distances && !has_arguments(c, arg, "store", 1))) {
        return false;
    }
    s->stores = true;
    s->stores_distances = distances;
    s->destination = c->argv[arg + 1];
    return true;
}

/* Reads an option of GEOSEARCH that has arguments, and sets *taken to how many, or 0 if
 * there is none. */
static bool parse_search_option(struct call *c, size_t arg, struct search *s, size_t *taken)
{
    *taken = 0;
    if (s->form != BY_OPTIONS) {
        return true;
    }
    if (!s->from_place && has_arguments(c, arg, "frommember", 1)) {
        s->from_member = true;
        *taken = 1;
        return parse_member(c, arg + 1, s);
    }
    if (!s->from_member && has_arguments(c, arg, "fromlonlat", 2)) {
        s->from_place = true;
        *taken = 2;
        return geo_parse_place(c, arg + 1, &s->shape.center);
    }
    if (!s->by_box && has_arguments(c, arg, "byradius", 2)) {
        s->by_radius = true;
        *taken = 2;
        return parse_radius(c, arg + 1, s);
    }
    if (!s->by_radius && has_arguments(c, arg, "bybox", 3)) {
        s->by_box = true;
        *taken = 3;
        return parse_box(c, arg + 1, s);
    }
    return true;
}

static bool parse_options(struct call *c, size_t arg, struct search *s)
{
    size_t taken;

    for (; arg < c->argc; arg += 1 + taken) {
        taken = 0;
        if (take_word(c, arg, s)) {
            continue;
        }
        taken = 1;
        if (has_arguments(c, arg, "count", 1)) {
            if (!parse_count(c, arg + 1, s)) {
                return false;
            }
        } else if (!take_destination(c, arg, s)) {
            if (!parse_search_option(c, arg, s, &taken)) {
                return false;
            }
            if (taken == 0) {
                call_fail_syntax(c);
                return false;
            }
        }
    }
    return true;
}

static bool check_options(struct call *c, const struct search *s)
{
    char name[32];

    bytes_to_string(c->argv[0], name, sizeof name);
    if (s->stores && (s->with_distance || s->with_hash || s->with_place)) {
        call_fail(c, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                  s->form == BY_OPTIONS ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    } else if (s->form == BY_OPTIONS && !s->from_member && !s->from_place) {
        call_fail(c, "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %s", name);
    } else if (s->form == BY_OPTIONS && !s->by_radius && !s->by_box) {
        call_fail(c, "ERR exactly one of BYRADIUS and BYBOX can be specified for %s", name);
    } else if (s->any && s->count == 0) {
        call_fail(c, "ERR the ANY argument requires COUNT argument");
    } else {
        return true;
    }
    return false;
}

/* Reads all arguments; those of GEORADIUS have their places before the options. As in
 * Redis, GEORADIUSBYMEMBER does not look at its radius when there is no set. */
static bool parse_search(struct call *c, struct search *s)
{
    size_t source = s->form == BY_OPTIONS && s->stores ? 2 : 1;
    size_t options = source + 1;

    s->destination = c->argv[1];
    if (!call_find(c, source, VALUE_ZSET, &s->zset)) {
        return false;
    }
    if (s->form == AROUND_PLACE) {
        options = 6;
        if (!geo_parse_place(c, 2, &s->shape.center) || !parse_radius(c, 4, s)) {
            return false;
        }
    } else if (s->form == AROUND_MEMBER) {
        options = 5;
        if (s->zset != NULL && (!parse_member(c, 2, s) || !parse_radius(c, 3, s))) {
            return false;
        }
    }
    return parse_options(c, options, s) && check_options(c, s);
}

/* Searching. */

static void catch_add(struct catch *all, struct found found)
{
    if (all->count == all->room) {
        all->room = all->room == 0 ? 8 : 2 * all->room;
        all->at = mem_realloc(all->at, all->room * sizeof *all->at);
    }
    all->at[all->count++] = found;
}

static void search_range(const struct search *s, struct geo_range range, size_t limit,
                         struct catch *all)
{
    size_t rank = value_zset_rank_of_score(s->zset, (double)range.first, false);
    struct zset_walk walk = zset_walk_from(s->zset, rank, false);
    struct found found;

    while ((limit == 0 || all->count < limit) &&
           zset_walk_next(&walk, &found.member, &found.score) && found.score < (double)range.end) {
        found.place = geo_place_of(found.score);
        if (geo_within(&s->shape, found.place, &found.distance_m)) {
            catch_add(all, found);
        }
    }
}

static int compare_distance(const void *a, const void *b)
{
    const struct found *found_a = a;
    const struct found *found_b = b;

    return (found_a->distance_m > found_b->distance_m) -
           (found_a->distance_m < found_b->distance_m);
}

static int compare_distance_back(const void *a, const void *b)
{
    return -compare_distance(a, b);
}

/* Which ones a limited number is of depends on the order: if none is asked for, they
 * are the nearest. */
static void find_all(const struct search *s, struct catch *all)
{
    struct geo_range ranges[GEO_RANGES];
    size_t count = geo_cover(&s->shape, ranges);
    enum order order = s->order == ANY_ORDER && s->count > 0 && !s->any ? NEAREST_FIRST : s->order;

    for (size_t i = 0; i < count; i++) {
        search_range(s, ranges[i], s->any ? s->count : 0, all);
    }
    if (order != ANY_ORDER && all->count > 1) {
        qsort(all->at, all->count, sizeof *all->at,
              order == NEAREST_FIRST ? compare_distance : compare_distance_back);
    }
    if (s->count > 0 && s->count < all->count) {
        all->count = s->count;
    }
}

/* Answering. */

static void reply_found(struct call *c, const struct search *s, const struct found *found)
{
    size_t parts = 1 + (size_t)s->with_distance + s->with_hash + s->with_place;

    if (parts > 1) {
        reply_array(c, parts);
    }
    reply_bytes(c, found->member);
    if (s->with_distance) {
        geo_reply_distance(c, found->distance_m / s->unit_m);
    }
    if (s->with_hash) {
        reply_int(c, (int64_t)found->score);
    }
    if (s->with_place) {
        geo_reply_place(c, found->place);
    }
}

static void store_all(struct call *c, const struct search *s, const struct catch *all)
{
    struct value *zset = value_new(VALUE_ZSET, s->destination, EXPIRES_NEVER);

    for (size_t i = 0; i < all->count; i++) {
        const struct found *found = &all->at[i];
        value_fill_scored(zset, found->member,
                          s->stores_distances ? found->distance_m / s->unit_m : found->score,
                          &c->engine->data->limits);
    }
    zset_store(c, zset, s->event);
}

static void answer(struct call *c, struct search s)
{
    struct catch all = {0};

    if (!parse_search(c, &s)) {
        return;
    }
    if (s.zset != NULL) {
        find_all(&s, &all);
    }
    if (s.stores) {
        store_all(c, &s, &all);
    } else {
        reply_array(c, all.count);
        for (size_t i = 0; i < all.count; i++) {
            reply_found(c, &s, &all.at[i]);
        }
    }
    mem_free(all.at);
}

static void georadius(struct call *c)
{
    answer(c, (struct search){.form = AROUND_PLACE, .may_store = true, .event = "georadiusstore"});
}

static void georadius_ro(struct call *c)
{
    answer(c, (struct search){.form = AROUND_PLACE});
}

static void georadiusbymember(struct call *c)
{
    answer(c, (struct search){.form = AROUND_MEMBER, .may_store = true, .event = "georadiusstore"});
}

static void georadiusbymember_ro(struct call *c)
{
    answer(c, (struct search){.form = AROUND_MEMBER});
}

static void geosearch(struct call *c)
{
    answer(c, (struct search){.form = BY_OPTIONS});
}

static void geosearchstore(struct call *c)
{
    answer(c, (struct search){.form = BY_OPTIONS, .stores = true, .event = "geosearchstore"});
}

#define KEY_BEHIND(word, from)                                                                     \
    {                                                                                              \
        .flags = KEY_OW | KEY_UPDATE, .keyword = (word), .index = (from), .last = 0, .step = 1     \
    }
#define MAY_STORE(from)                                                                            \
    {                                                                                              \
        ONE_KEY(KEY_RO | KEY_ACCESS), KEY_BEHIND("STORE", from), KEY_BEHIND("STOREDIST", from)     \
    }

#define COMPLEXITY "O(N+log(M)) with M members in the set, of which N are near the shape"
#define UNIT       "<M | KM | FT | MI>"
#define RADIUS     "radius " UNIT
#define REPLIES    "[WITHCOORD] [WITHDIST] [WITHHASH]"
#define SELECTION  "[COUNT count [ANY]] [ASC | DESC]"
#define STORAGE    "[STORE key | STOREDIST key]"
#define SHAPE                                                                                      \
    "<FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS " RADIUS                        \
    " | BYBOX width height " UNIT ">"

/* clang-format off */
const struct command geosearch_commands[] = {
    {.name = "georadius",            .arity = -6, .flags = WRITE | COMMAND_MOVABLE_KEYS, .keys = MAY_STORE(6),                                                    .run = georadius,            .group = "geo", .since = "3.2.0",  .complexity = COMPLEXITY, .summary = "Returns the members around a place, or stores them",  .syntax = "key longitude latitude " RADIUS " " REPLIES " " SELECTION " " STORAGE},
    {.name = "georadius_ro",         .arity = -6, .flags = READ,                         .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                  .run = georadius_ro,         .group = "geo", .since = "3.2.10", .complexity = COMPLEXITY, .summary = "Returns the members around a place",                  .syntax = "key longitude latitude " RADIUS " " REPLIES " " SELECTION},
    {.name = "georadiusbymember",    .arity = -5, .flags = WRITE | COMMAND_MOVABLE_KEYS, .keys = MAY_STORE(5),                                                    .run = georadiusbymember,    .group = "geo", .since = "3.2.0",  .complexity = COMPLEXITY, .summary = "Returns the members around another, or stores them",  .syntax = "key member " RADIUS " " REPLIES " " SELECTION " " STORAGE},
    {.name = "georadiusbymember_ro", .arity = -5, .flags = READ,                         .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                  .run = georadiusbymember_ro, .group = "geo", .since = "3.2.10", .complexity = COMPLEXITY, .summary = "Returns the members around another",                  .syntax = "key member " RADIUS " " REPLIES " " SELECTION},
    {.name = "geosearch",            .arity = -7, .flags = READ,                         .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},                                  .run = geosearch,            .group = "geo", .since = "6.2.0",  .complexity = COMPLEXITY, .summary = "Returns the members within a circle or a box",        .syntax = "key " SHAPE " [ASC | DESC] [COUNT count [ANY]] " REPLIES},
    {.name = "geosearchstore",       .arity = -8, .flags = WRITE,                        .keys = {ONE_KEY(KEY_OW | KEY_UPDATE), KEY_AT(2, KEY_RO | KEY_ACCESS)}, .run = geosearchstore,       .group = "geo", .since = "6.2.0",  .complexity = COMPLEXITY, .summary = "Stores what GEOSEARCH returns",                       .syntax = "destination source " SHAPE " [ASC | DESC] [COUNT count [ANY]] [STOREDIST]"},
    {0},
};
/* clang-format on */
