/* The replica: the executor's side of the log. It gives the log thread what the engine
 * has sealed, and makes of its messages what the engine is to know. */
#ifndef REPLICA_REPLICA_H
#define REPLICA_REPLICA_H

#include "engine/engine.h"
#include "replica/node.h"
#include "replica/view.h"

struct replica;

/* What the server layer does for it. */
struct replica_hooks {
    /* Replaces the data by what the file has, or, if path is NULL, by nothing. Returns
     * false, with what is wrong appended to `error`. */
    bool (*load)(void *context, const char *path, struct buf *error);

    /* Begins to save what is committed of the data, in the background. Returns 0, and
     * calls replica_saved() when it has ended; or a negative errno value. */
    int (*save)(void *context, const char *path);

    /* This server leads, and what is in the log has been made. */
    void (*lead)(void *context);

    void *context;
};

/* Starts the log thread, and has the engine use it. Returns NULL after logging why it
 * cannot. The settings and the hooks are copied. */
struct replica *replica_open(struct engine *e, uv_loop_t *loop,
                             const struct node_settings *settings,
                             const struct replica_hooks *hooks);

/* Ends the log thread. The loop has to run before replica_free(). */
void replica_close(struct replica *r);
void replica_free(struct replica *r);

/* Handles what the log thread has to say. */
void replica_serve(struct replica *r);

/* Is told how the file has come out that hooks.save() was asked for. */
void replica_saved(struct replica *r, int err);

/* Have the log thread take a snapshot, or do something about the group. */
void replica_want_snapshot(struct replica *r);
void replica_operate(struct replica *r, const struct operation *operation);

/* Returns what was last told, or NULL. */
const struct view *replica_view(const struct replica *r);

#endif
