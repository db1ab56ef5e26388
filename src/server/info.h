/* INFO, and the rates that it tells. */
#ifndef SERVER_INFO_H
#define SERVER_INFO_H

#include "engine/engine.h"

struct call;

enum { RATE_SAMPLES = 16 };

/* What was counted at some moments of the last one or two seconds. */
struct rates {
    struct rate_sample {
        int64_t at_us;
        uint64_t commands, input_bytes, output_bytes;
    } sample[RATE_SAMPLES];
    size_t taken; /* Samples, since the counters were last zero. */
};

/* Takes a sample. To be called some ten times a second. */
void rates_sample(struct rates *r, const struct engine_stats *stats);

/* Sections in files of their own. */
struct server;
void info_add_commandstats(struct server *s, struct buf *out);
void info_add_errorstats(struct server *s, struct buf *out);
void info_add_latencystats(struct server *s, struct buf *out);

/* Answers INFO. */
void info(struct call *c);

#endif
