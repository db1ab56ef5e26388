#include "data/geohash.h"

#include <math.h>

const struct geo_box geo_world = {-180, 180, -85.05112878, 85.05112878};

static const double earth_radius_m = 6372797.560856;

/* Half of the circumference as the Mercator projection has it. */
static const double mercator_max_m = 20037726.37;

static double to_radians(double degrees)
{
    return degrees * (M_PI / 180);
}

static double to_degrees(double radians)
{
    return radians / (M_PI / 180);
}

/* Puts a zero bit behind each bit, by moving ever smaller halves apart. */
static uint64_t spread(uint32_t n)
{
    uint64_t bits = n;

    bits = (bits | bits << 16) & UINT64_C(0x0000ffff0000ffff);
    bits = (bits | bits << 8) & UINT64_C(0x00ff00ff00ff00ff);
    bits = (bits | bits << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    bits = (bits | bits << 2) & UINT64_C(0x3333333333333333);
    return (bits | bits << 1) & UINT64_C(0x5555555555555555);
}

/* Drops every second bit. */
static uint32_t gather(uint64_t bits)
{
    bits &= UINT64_C(0x5555555555555555);
    bits = (bits | bits >> 1) & UINT64_C(0x3333333333333333);
    bits = (bits | bits >> 2) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    bits = (bits | bits >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    bits = (bits | bits >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(bits | bits >> 16);
}

/* Cells, by their column from the west and their row from the south. */
struct cell {
    uint32_t column, row;
    unsigned steps;
};

static uint64_t cell_hash(struct cell c)
{
    return spread(c.row) | spread(c.column) << 1;
}

static struct cell cell_at(const struct geo_box *world, struct geo_point p, unsigned steps)
{
    double cells = (double)(UINT64_C(1) << steps);

    return (struct cell){
        .column = (uint32_t)((p.longitude - world->west) / (world->east - world->west) * cells),
        .row = (uint32_t)((p.latitude - world->south) / (world->north - world->south) * cells),
        .steps = steps,
    };
}

static struct geo_box cell_box(struct cell c)
{
    const struct geo_box *w = &geo_world;
    double cells = (double)(UINT64_C(1) << c.steps);
    double width = w->east - w->west;
    double height = w->north - w->south;

    return (struct geo_box){
        .west = w->west + c.column / cells * width,
        .east = w->west + (c.column + 1) / cells * width,
        .south = w->south + c.row / cells * height,
        .north = w->south + (c.row + 1) / cells * height,
    };
}

/* The cell so many columns and rows away; the world is round in both directions. */
static struct cell cell_neighbor(struct cell c, int columns, int rows)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << c.steps) - 1);

    if (columns != 0) {
        c.column = (c.column + (uint32_t)columns) & mask;
    }
    if (rows != 0) {
        c.row = (c.row + (uint32_t)rows) & mask;
    }
    return c;
}

uint64_t geohash_encode(const struct geo_box *world, struct geo_point p, unsigned steps)
{
    return cell_hash(cell_at(world, p, steps));
}

static double clamp(double x, double min, double max)
{
    return x > max ? max : x < min ? min : x;
}

struct geo_point geohash_decode(uint64_t hash)
{
    const struct geo_box *w = &geo_world;
    struct cell c = {.column = gather(hash >> 1), .row = gather(hash), .steps = GEOHASH_STEPS};
    struct geo_box box = cell_box(c);

    return (struct geo_point){
        .longitude = clamp((box.west + box.east) / 2, w->west, w->east),
        .latitude = clamp((box.south + box.north) / 2, w->south, w->north),
    };
}

/* Along a meridian. */
static double latitude_distance(double a, double b)
{
    return earth_radius_m * fabs(to_radians(b) - to_radians(a));
}

/* By the haversine formula. */
double geo_distance(struct geo_point a, struct geo_point b)
{
    double latitude_a = to_radians(a.latitude);
    double latitude_b = to_radians(b.latitude);
    double u = sin((latitude_b - latitude_a) / 2);
    double v = sin((to_radians(b.longitude) - to_radians(a.longitude)) / 2);

    if (v == 0) {
        return latitude_distance(a.latitude, b.latitude);
    }
    return 2 * earth_radius_m * asin(sqrt(u * u + cos(latitude_a) * cos(latitude_b) * v * v));
}

/* Whether it is within a box is asked for each direction alone, as if the other were
 * the same. */
bool geo_within(const struct geo_shape *s, struct geo_point p, double *distance)
{
    struct geo_point beside = {s->center.longitude, p.latitude};

    if (s->is_box && (latitude_distance(p.latitude, s->center.latitude) > s->height / 2 ||
                      geo_distance(p, beside) > s->width / 2)) {
        return false;
    }
    *distance = geo_distance(s->center, p);
    return s->is_box || !(*distance > s->radius);
}

/* Covering. */

/* What the shape is within. Its sides are meridians, so its width is that at the
 * parallel that is nearer to a pole. */
static struct geo_box bounding_box(const struct geo_shape *s)
{
    double half_height = s->is_box ? s->height / 2 : s->radius;
    double half_width = s->is_box ? s->width / 2 : s->radius;
    double latitude = s->center.latitude;
    double up = to_degrees(half_height / earth_radius_m);
    double widest = latitude < 0 ? latitude - up : latitude + up;
    double aside = to_degrees(half_width / earth_radius_m / cos(to_radians(widest)));

    return (struct geo_box){
        .west = s->center.longitude - aside,
        .east = s->center.longitude + aside,
        .south = latitude - up,
        .north = latitude + up,
    };
}

/* Returns after how many steps cells are about as large as what is searched. Towards
 * the poles they get narrower. */
static unsigned steps_for(double radius_m, double latitude)
{
    int steps = -1;

    if (radius_m == 0) {
        return GEOHASH_STEPS;
    }
    for (; radius_m < mercator_max_m; radius_m *= 2) {
        steps++;
    }
    if (fabs(latitude) > 66) {
        steps--;
    }
    if (fabs(latitude) > 80) {
        steps--;
    }
    return steps < 1 ? 1 : steps > GEOHASH_STEPS ? GEOHASH_STEPS : (unsigned)steps;
}

/* Whether a cell and its neighbors reach as far as the box does. */
static bool reaches(struct cell c, const struct geo_box *box)
{
    return !(cell_box(cell_neighbor(c, 0, 1)).north < box->north ||
             cell_box(cell_neighbor(c, 0, -1)).south > box->south ||
             cell_box(cell_neighbor(c, 1, 0)).east < box->east ||
             cell_box(cell_neighbor(c, -1, 0)).west > box->west);
}

static struct cell central_cell(const struct geo_shape *s, const struct geo_box *box)
{
    double radius = s->is_box
                        ? sqrt(s->width / 2 * (s->width / 2) + s->height / 2 * (s->height / 2))
                        : s->radius;
    unsigned steps = steps_for(radius, s->center.latitude);
    struct cell c = cell_at(&geo_world, s->center, steps);

    if (steps > 1 && !reaches(c, box)) {
        c = cell_at(&geo_world, s->center, steps - 1);
    }
    return c;
}

/* Whether nothing that is searched can be as far as the neighbor in this direction,
 * because the cell itself goes beyond it. */
static bool is_beyond(struct cell c, const struct geo_box *box, int columns, int rows)
{
    struct geo_box own = cell_box(c);

    return c.steps >= 2 &&
           ((rows < 0 && own.south < box->south) || (rows > 0 && own.north > box->north) ||
            (columns < 0 && own.west < box->west) || (columns > 0 && own.east > box->east));
}

size_t geo_cover(const struct geo_shape *s, struct geo_range ranges[GEO_RANGES])
{
    static const struct {
        int columns, rows;
    } directions[GEO_RANGES] = {{0, 0}, {0, 1},  {0, -1}, {1, 0},  {-1, 0},
                                {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    struct geo_box box = bounding_box(s);
    struct cell c = central_cell(s, &box);
    unsigned shift = 2 * (GEOHASH_STEPS - c.steps);
    size_t count = 0;
    uint64_t hash;

    for (size_t i = 0; i < GEO_RANGES; i++) {
        if (is_beyond(c, &box, directions[i].columns, directions[i].rows)) {
            continue;
        }
        hash = cell_hash(cell_neighbor(c, directions[i].columns, directions[i].rows));
        /* Where the world is only two cells wide, the one in the east is that in the west. */
        if (count == 0 || ranges[count - 1].first != hash << shift) {
            ranges[count++] = (struct geo_range){hash << shift, (hash + 1) << shift};
        }
    }
    return count;
}
