/* Geo: sorted sets whose scores are geohashes. Searching them is in geosearch.c. */
#include "command/geo.h"
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/zset.h"

#include <inttypes.h>
#include <math.h>

/* Returns the geohash that a score is. A sorted set may have been filled with other
 * scores: they are places as well, the same as in Redis. */
static uint64_t hash_of(double score)
{
    if (score >= 0x1p64) {
        return 0;
    }
    if (score >= 0) {
        return (uint64_t)score;
    }
    return score > -0x1p63 ? (uint64_t)(int64_t)score : UINT64_C(1) << 63;
}

struct geo_point geo_place_of(double score)
{
    return geohash_decode(hash_of(score));
}

bool geo_find(const struct value *zset, struct bytes member, struct geo_point *place)
{
    double score;

    if (zset == NULL || !value_zset_score(zset, member, &score)) {
        return false;
    }
    *place = geo_place_of(score);
    return true;
}

bool geo_parse_place(struct call *c, size_t arg, struct geo_point *place)
{
    if (!call_double(c, arg, &place->longitude) || !call_double(c, arg + 1, &place->latitude)) {
        return false;
    }
    if (place->longitude < geo_world.west || place->longitude > geo_world.east ||
        place->latitude < geo_world.south || place->latitude > geo_world.north) {
        call_fail(c, "ERR invalid longitude,latitude pair %f,%f", place->longitude,
                  place->latitude);
        return false;
    }
    return true;
}

bool geo_parse_unit(struct call *c, size_t arg, double *unit_m)
{
    static const struct {
        const char *name;
        double meters;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (call_is(c, arg, units[i].name)) {
            *unit_m = units[i].meters;
            return true;
        }
    }
    call_fail(c, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

/* With four digits behind the point. */
void geo_reply_distance(struct call *c, double distance)
{
    long long rounded = llrint(distance * 10000);
    uint64_t size = rounded < 0 ? 0 - (uint64_t)rounded : (uint64_t)rounded;

    reply_format(c, "%s%" PRIu64 ".%04" PRIu64, rounded < 0 ? "-" : "", size / 10000, size % 10000);
}

void geo_reply_place(struct call *c, struct geo_point place)
{
    reply_array(c, 2);
    reply_human(c, place.longitude);
    reply_human(c, place.latitude);
}

/* GEOADD. */

static bool parse_adding(struct call *c, struct zset_adding *a)
{
    size_t arg;

    for (arg = 2; arg < c->argc; arg++) {
        if (call_is(c, arg, "nx")) {
            a->nx = true;
        } else if (call_is(c, arg, "xx")) {
            a->xx = true;
        } else if (call_is(c, arg, "ch")) {
            a->counts_moves = true;
        } else {
            break;
        }
    }
    a->first = arg + 2;
    a->step = 3;
    a->count = (c->argc - arg) / 3;
    if (a->count == 0 || (c->argc - arg) % 3 != 0 || (a->nx && a->xx)) {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

static bool parse_places(struct call *c, const struct zset_adding *a, double *scores)
{
    struct geo_point place;

    for (size_t i = 0; i < a->count; i++) {
        if (!geo_parse_place(c, a->first - 2 + a->step * i, &place)) {
            return false;
        }
        scores[i] = (double)geohash_encode(&geo_world, place, GEOHASH_STEPS);
    }
    return true;
}

static void geoadd(struct call *c)
{
    struct zset_adding a = {0};
    double *scores;

    if (!parse_adding(c, &a)) {
        return;
    }
    scores = mem_alloc(a.count * sizeof *scores);
    if (parse_places(c, &a, scores)) {
        zset_add(c, &a, scores);
    }
    mem_free(scores);
}

/* Places of members. */

static void geodist(struct call *c)
{
    const struct value *zset;
    struct geo_point from, to;
    double unit_m = 1;

    if (c->argc > 5) {
        call_fail_syntax(c);
        return;
    }
    if ((c->argc == 5 && !geo_parse_unit(c, 4, &unit_m)) || !call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    if (geo_find(zset, c->argv[2], &from) && geo_find(zset, c->argv[3], &to)) {
        geo_reply_distance(c, geo_distance(from, to) / unit_m);
    } else {
        reply_nil(c);
    }
}

static void geopos(struct call *c)
{
    const struct value *zset;
    struct geo_point place;

    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        if (geo_find(zset, c->argv[i], &place)) {
            geo_reply_place(c, place);
        } else {
            reply_nil_array(c);
        }
    }
}

/* In the form that other programs know: of the whole world, five bits a letter. Of the
 * eleventh we do not have all bits; it is a zero. */
static void reply_hash(struct call *c, struct geo_point place)
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    static const struct geo_box whole_world = {-180, 180, -90, 90};
    enum { LETTERS = 11 };
    uint64_t hash = geohash_encode(&whole_world, place, GEOHASH_STEPS);
    char text[LETTERS];

    for (unsigned i = 0; i < LETTERS - 1; i++) {
        text[i] = alphabet[hash >> (2 * GEOHASH_STEPS - 5 * (i + 1)) & 31];
    }
    text[LETTERS - 1] = '0';
    reply_bytes(c, (struct bytes){text, LETTERS});
}

static void geohash(struct call *c)
{
    const struct value *zset;
    struct geo_point place;

    if (!call_find(c, 1, VALUE_ZSET, &zset)) {
        return;
    }
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        if (geo_find(zset, c->argv[i], &place)) {
            reply_hash(c, place);
        } else {
            reply_nil(c);
        }
    }
}

/* clang-format off */
const struct command geo_commands[] = {
    {.name = "geoadd",  .arity = -5, .flags = WRITE, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = geoadd,  .group = "geo", .since = "3.2.0", .complexity = "O(log(N)) for each member, with N members in the set", .summary = "Adds members with their places to a sorted set, and creates it if need be", .syntax = "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]"},
    {.name = "geodist", .arity = -4, .flags = READ,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = geodist, .group = "geo", .since = "3.2.0", .complexity = "O(1)",                                                 .summary = "Returns how far apart two members are",                                     .syntax = "key member1 member2 [M | KM | FT | MI]"},
    {.name = "geohash", .arity = -2, .flags = READ,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = geohash, .group = "geo", .since = "3.2.0", .complexity = "O(N) in the number of members named",                  .summary = "Returns the geohashes of members, as text",                                .syntax = "key [member [member ...]]"},
    {.name = "geopos",  .arity = -2, .flags = READ,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = geopos,  .group = "geo", .since = "3.2.0", .complexity = "O(N) in the number of members named",                  .summary = "Returns the longitudes and latitudes of members",                          .syntax = "key [member [member ...]]"},
    {0},
};
/* clang-format on */
