/* What is counted of commands, how long they take among it.
 *
 * This is done for every command, so it must cost next to nothing: see clock_ticks().
 * Where many commands come one behind the other, in a script or in a pipeline, only some
 * are timed, drawn at random: of the quick ones, and of what a script calls behind its
 * first calls. Each counts for those that were passed over. */
#ifndef ENGINE_MEASURE_H
#define ENGINE_MEASURE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/histogram.h"

struct call;
struct command;
struct engine;
struct session;

/* Of one row of the command table. */
struct command_stats {
    uint64_t calls;
    uint64_t ns;             /* Of all calls together. */
    uint64_t rejected;       /* Not run: the wrong number of arguments, no memory .. */
    uint64_t failed;         /* Run, and replied with an error. */
    struct histogram *times; /* NULL: none was timed. */
};

/* Of the errors that begin with one word. */
struct error_stats {
    char code[32];
    uint64_t count;
};

enum { ERROR_KINDS_MAX = 128 }; /* Scripts can make up any number of them. */

struct measures {
    struct command_stats *commands; /* By the number of the row. */
    struct error_stats errors[ERROR_KINDS_MAX];
    size_t error_kinds;

    uint64_t slow_ns;   /* What takes as long is told of: see measure_apply(). */
    bool in_row;        /* Commands come one right behind the other. */
    uint64_t ready;     /* Ticks: when the last one ended, if it was timed; or 0. */
    uint64_t passed_by; /* How many of those to come that need not be are not timed. */
    uint64_t inner;     /* Calls that scripts have made in this request. */
};

/* A command that is being measured. */
struct timing {
    uint64_t start;  /* Ticks; 0: it is not timed. */
    uint64_t weight; /* For how many calls it counts. */
    uint64_t inner;  /* measures.inner then. */
    bool in_row;     /* Others follow at once. */
};

void measures_init(struct engine *e);
void measures_free(struct engine *e);

/* Puts all counts back to zero. */
void measures_reset(struct engine *e);

/* To be called when what is slow has been set anew: slowlog-log-slower-than and the
 * like in e->settings. */
void measure_apply(struct engine *e);

/* Begin and end a command. `undo_bytes` is what would undo it. */
struct timing measure_begin(struct engine *e, const struct command *cmd);
struct timing measure_begin_inner(struct engine *e, const struct command *cmd); /* Of a script. */
void measure_end(const struct call *c, const struct timing *t, size_t undo_bytes);

/* The following commands come one right behind the other, so that where one ends the
 * next begins, until measure_rest(). */
void measure_row(struct engine *e);
void measure_rest(struct engine *e);

/* Returns the ticks of now, or of the end of the command just done. */
uint64_t measure_now(const struct engine *e);

/* Counts the request that a session waits with as one that failed. */
void measure_unblocked(const struct session *s, struct bytes error);

/* Counts an error by its first word. */
void measure_error(struct engine *e, struct bytes text);

#endif
