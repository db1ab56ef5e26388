/* CLIENT PAUSE: for a time, requests are put off. */
#ifndef ENGINE_PAUSE_H
#define ENGINE_PAUSE_H

#include "base/bytes.h"

struct command;
struct engine;
struct session;

enum pause_kind {
    PAUSE_NONE,
    PAUSE_WRITES, /* Requests that may change or publish something. */
    PAUSE_ALL,
};

struct pause {
    enum pause_kind kind;
    int64_t until_ms; /* Log time. */
    bool ended;       /* By a client, and what it has held up is still to be done. */
};

/* Begins a pause, or makes the one that there is as long and as strict. */
void pause_begin(struct engine *e, enum pause_kind kind, int64_t until_ms);

/* Ends it. The requests that were put off run soon after. */
void pause_end(struct engine *e);

/* Whether nothing may change now by itself, as keys do that expire. */
bool pause_stops_writes(const struct engine *e);

/* Whether a request has to wait for the end of the pause. */
bool pause_holds(const struct session *s, const struct command *cmd, const struct bytes *argv);

/* Does what a pause that is over has held up: keys expire, and requests run. */
void pause_finish(struct engine *e);

/* When pause_finish() is to be called; INT64_MAX if there is nothing to do. */
int64_t pause_deadline_ms(const struct engine *e);

#endif
