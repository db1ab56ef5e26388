/* The log of what took long: SLOWLOG. */
#ifndef ENGINE_SLOWLOG_H
#define ENGINE_SLOWLOG_H

#include "base/buf.h"

struct call;

/* What was measured of a command. */
struct slow {
    uint64_t us;
    uint64_t inner_calls; /* That a script made. */
    size_t undo_bytes;
};

struct slowlog_entry {
    struct slowlog_entry *older;
    struct slowlog_entry *newer;
    uint64_t id;
    int64_t time_s; /* Unix time. */
    uint64_t us;
    struct buf address, name; /* Of the client. */
    size_t argc;
    struct buf *argv; /* Cut where they are long; secrets are left out. */
};

/* All zero, it is empty. */
struct slowlog {
    struct slowlog_entry *newest;
    struct slowlog_entry *oldest;
    size_t len;
    uint64_t next_id;
};

/* Enters the call, and drops the oldest entries if there are too many. An entry of a
 * script has one argument more than was sent, "(12 calls, 340 bytes of undo)". */
void slowlog_note(const struct call *c, const struct slow *slow);

/* Drops the oldest entries down to `most`. */
void slowlog_trim(struct slowlog *log, size_t most);

#endif
