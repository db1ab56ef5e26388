/* What the commands on geo share. */
#ifndef COMMAND_GEO_H
#define COMMAND_GEO_H

#include "data/geohash.h"
#include "engine/call.h"

/* Looks up where a member is. Returns false if it, or the set, is not there. */
bool geo_find(const struct value *zset, struct bytes member, struct geo_point *place);

/* Returns where a score is. */
struct geo_point geo_place_of(double score);

/* Read what argument `arg`, and for a place the next one, consist of. Return false,
 * having failed the call, if it is none. A unit is a number of meters. */
bool geo_parse_place(struct call *c, size_t arg, struct geo_point *place);
bool geo_parse_unit(struct call *c, size_t arg, double *unit_m);

void geo_reply_distance(struct call *c, double distance);
void geo_reply_place(struct call *c, struct geo_point place);

#endif
