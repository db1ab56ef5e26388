/* Geohashes: places on the Earth as integers, so that places whose integers are close
 * are close themselves.
 *
 * The world is cut in two halves again and again, by longitude and by latitude in
 * turn; a step is one of each, and gives two bits: which column, and which row. A
 * cell is one of the parts after some steps. The numbers are Redis's to the last bit,
 * so the order of the operations in here matters. */
#ifndef DATA_GEOHASH_H
#define DATA_GEOHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GEOHASH_STEPS = 26 }; /* 52 bits: what a double holds. */

struct geo_point {
    double longitude, latitude;
};

struct geo_box {
    double west, east, south, north;
};

/* The part of the world that is covered: what maps show, without the poles. */
extern const struct geo_box geo_world;

/* Returns the geohash of a point within `world`, after so many steps. */
uint64_t geohash_encode(const struct geo_box *world, struct geo_point p, unsigned steps);

/* Returns the middle of a cell of geo_world after GEOHASH_STEPS. */
struct geo_point geohash_decode(uint64_t hash);

/* Returns how far apart two points are, in meters. */
double geo_distance(struct geo_point a, struct geo_point b);

/* What is searched: a circle, or a box that is `width` by `height`; in meters. */
struct geo_shape {
    bool is_box;
    struct geo_point center;
    double radius;
    double width, height;
};

/* Returns whether a point is within the shape, and how far from its center. */
bool geo_within(const struct geo_shape *s, struct geo_point p, double *distance);

/* Geohashes from `first` on, up to but without `end`. */
struct geo_range {
    uint64_t first, end;
};

/* Finds the ranges that hold all that is within a shape, and more besides. Returns how
 * many there are. Those around the center come first. */
enum { GEO_RANGES = 9 };
size_t geo_cover(const struct geo_shape *s, struct geo_range ranges[GEO_RANGES]);

#endif
