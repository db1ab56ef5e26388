#include "data/geohash.h"

#include "base/random.h"
#include "test/lib/check.h"

#include <math.h>

static struct geo_point some_point(struct random *r)
{
    double across = (double)random_below(r, 1000001) / 1000000;
    double up = (double)random_below(r, 1000001) / 1000000;

    return (struct geo_point){
        .longitude = geo_world.west + across * (geo_world.east - geo_world.west),
        .latitude = geo_world.south + up * (geo_world.north - geo_world.south),
    };
}

TEST(places_are_the_numbers_that_redis_gives_them)
{
    struct geo_point palermo = {13.361389, 38.115556};
    struct geo_point catania = {15.087269, 37.502669};

    CHECK(geohash_encode(&geo_world, palermo, GEOHASH_STEPS) == 3479099956230698);
    CHECK(geohash_encode(&geo_world, catania, GEOHASH_STEPS) == 3479447370796909);
    palermo = geohash_decode(3479099956230698);
    catania = geohash_decode(3479447370796909);
    CHECK(llrint(geo_distance(palermo, catania) * 10000) == 1662741516);
}

TEST(a_decoded_place_is_less_than_a_meter_away)
{
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = 0; i < check_rounds(10000); i++) {
        struct geo_point p = some_point(&r);
        uint64_t hash = geohash_encode(&geo_world, p, GEOHASH_STEPS);
        CHECK(geo_distance(p, geohash_decode(hash)) < 1);
    }
}

TEST(distances_are_those_of_a_sphere)
{
    struct geo_point origin = {0, 0};
    double quarter = M_PI / 2 * 6372797.560856;

    CHECK(geo_distance(origin, origin) == 0);
    CHECK(fabs(geo_distance(origin, (struct geo_point){90, 0}) - quarter) < 1e-6);
    CHECK(fabs(geo_distance(origin, (struct geo_point){0, 45}) - quarter / 2) < 1e-6);
    CHECK(fabs(geo_distance(origin, (struct geo_point){180, 0}) - 2 * quarter) < 1e-6);
}

TEST(a_box_is_as_wide_and_as_high_as_it_says)
{
    struct geo_shape box = {.is_box = true, .width = 400000, .height = 200000};
    double distance;

    CHECK(geo_within(&box, (struct geo_point){1.79, 0.89}, &distance));
    CHECK(distance > 200000);
    CHECK(!geo_within(&box, (struct geo_point){1.81, 0}, &distance));
    CHECK(!geo_within(&box, (struct geo_point){0, 0.91}, &distance));
}

/* Away from the poles and from the edges of the map, where Redis misses some. */
TEST(what_is_within_a_shape_is_in_one_of_its_ranges)
{
    struct geo_range ranges[GEO_RANGES];
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = 0; i < check_rounds(3000); i++) {
        struct geo_point center = some_point(&r);
        double size = exp2((double)random_below(&r, 20));
        struct geo_shape s = {.is_box = random_below(&r, 2) == 0, .radius = size};
        size_t count;
        s.center = (struct geo_point){center.longitude / 2, center.latitude / 2};
        s.width = size;
        s.height = 2 * size;
        count = geo_cover(&s, ranges);
        CHECK(count > 0 && count <= GEO_RANGES);
        for (size_t probe = 0; probe < 20; probe++) {
            struct geo_point p = {
                s.center.longitude + ((double)random_below(&r, 2001) - 1000) * size / 1e8,
                s.center.latitude + ((double)random_below(&r, 2001) - 1000) * size / 1e8,
            };
            uint64_t hash = geohash_encode(&geo_world, p, GEOHASH_STEPS);
            bool covered = false;
            double distance;
            for (size_t range = 0; range < count; range++) {
                covered |= hash >= ranges[range].first && hash < ranges[range].end;
            }
            CHECK(covered || !geo_within(&s, p, &distance));
        }
    }
}

TEST(no_range_comes_twice)
{
    static const double radius[] = {0, 1, 1e3, 1e6, 5e6, 1e7, 3e7, 1e300, INFINITY};
    struct geo_range ranges[GEO_RANGES];
    struct random r;

    random_seed(&r, check_seed());
    for (size_t i = 0; i < check_rounds(1000); i++) {
        struct geo_shape s = {.center = some_point(&r)};
        size_t count;
        s.radius = radius[random_below(&r, sizeof radius / sizeof *radius)];
        count = geo_cover(&s, ranges);
        for (size_t a = 0; a < count; a++) {
            for (size_t b = 0; b < a; b++) {
                CHECK(ranges[a].first != ranges[b].first);
            }
        }
    }
}

int main(void)
{
    return RUN(places_are_the_numbers_that_redis_gives_them,
               a_decoded_place_is_less_than_a_meter_away, distances_are_those_of_a_sphere,
               a_box_is_as_wide_and_as_high_as_it_says,
               what_is_within_a_shape_is_in_one_of_its_ranges, no_range_comes_twice);
}
