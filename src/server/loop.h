/* The executor's loop, with what is in it from the start: a clock's tick, and the
 * signals that end the server. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "engine/engine.h"

#include <uv.h>

enum { LOOP_TICK_MS = 100 };

struct loop;

/* Makes the loop of a server. From now on SIGINT and SIGTERM set e->stop, also
 * while a script holds the loop; a second one of the same kind ends the process at
 * once. SIGHUP, SIGPIPE and SIGXFSZ are ignored. There is one loop in a process. */
struct loop *loop_new(struct engine *e, void (*tick)(void *context), void *context);

uv_loop_t *loop_uv(struct loop *l);

/* Takes SIGINT and SIGTERM again, after one that was not obeyed. */
void loop_take_signals(struct loop *l);

/* Runs until nothing of others is left in the loop. */
void loop_run(struct loop *l);

/* Frees it. */
void loop_free(struct loop *l);

#endif
