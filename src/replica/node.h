/* The node: the log thread, with libraft on a loop of its own.
 *
 * It shares nothing with the executor but two queues of messages; see queue.h. What it
 * needs it allocates with malloc(), since mem_*() are the executor's. */
#ifndef REPLICA_NODE_H
#define REPLICA_NODE_H

#include "engine/operation.h"
#include "replica/address.h"
#include "replica/queue.h"

#include <limits.h>

struct node;

enum { NODE_SECRET_MAX = 256, NODE_BIND_MAX = 1024, NODE_ERROR_MAX = PATH_MAX + 512 };

struct node_settings {
    char dir[PATH_MAX];                 /* Of the log; exists. */
    char address[ADDRESS_TEXT_MAX + 1]; /* Where others reach this server. */
    char bind[NODE_BIND_MAX];           /* Where its peers' listener is: as the option. */
    char secret[NODE_SECRET_MAX];       /* Of the group. */
    bool is_deaf;                       /* It listens to no peers: it has no port. */
    bool is_to_join;                    /* Where there is no log it begins none, but waits. */
    unsigned election_ms;               /* Without a leader's voice, to twice that. */
    unsigned heartbeat_ms;
    uint64_t snapshot_bytes; /* Of the log, that make the next snapshot. */
};

/* What MESSAGE_OPERATION asks of the group; see engine/operation.h. It ends with
 * MESSAGE_ENDED. */
struct node_operation {
    enum operation_kind kind;
    uint64_t number;
    uint64_t id;
    char address[ADDRESS_TEXT_MAX + 1];
};

/* Says that somebody is at work in a directory, until the descriptor is closed. Returns -1,
 * with what is wrong in `error`, if somebody else is. */
int node_lock_dir(const char *path, char error[NODE_ERROR_MAX]);

/* Starts the thread and libraft, which reads the log; the first messages are in `out` when
 * this returns. On failure returns NULL, and says what is wrong. */
struct node *node_start(const struct node_settings *settings, struct queue *out,
                        char error[NODE_ERROR_MAX]);

/* Gives it a message, its own from then on. */
void node_send(struct node *n, struct message *m);

/* Ends it, and waits for that. Does nothing to NULL. */
void node_stop(struct node *n);

#endif
