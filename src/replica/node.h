/* The node: the log thread, with libraft on a loop of its own.
 *
 * It shares nothing with the executor but two queues of messages; see queue.h. What it
 * needs it allocates with malloc(), since mem_*() are the executor's. */
#ifndef REPLICA_NODE_H
#define REPLICA_NODE_H

#include "replica/address.h"
#include "replica/queue.h"

#include <limits.h>

struct node;

enum { NODE_SECRET_MAX = 256, NODE_ERROR_MAX = PATH_MAX + 512 };

struct node_settings {
    char dir[PATH_MAX];                 /* Of the log; exists. */
    char address[ADDRESS_TEXT_MAX + 1]; /* Where others reach this server. */
    char bind[ADDRESS_HOST_MAX + 1];    /* Where its peers' listener is; empty: anywhere. */
    char secret[NODE_SECRET_MAX];       /* Of the group. */
    unsigned election_ms;               /* Without a leader's voice, to twice that. */
    unsigned heartbeat_ms;
    uint64_t snapshot_bytes; /* Of the log, that make the next snapshot. */
};

/* What can be asked of a group, in MESSAGE_OPERATION. It ends with MESSAGE_ENDED. */
enum operation_kind {
    OPERATION_JOIN,     /* the group of the server at `address`, */
    OPERATION_ADD,      /* the server `id` at `address`, as a non-voter that will be a voter, */
    OPERATION_REMOVE,   /* the server `id`, */
    OPERATION_PROMOTE,  /* it to a voter, */
    OPERATION_DEMOTE,   /* or to a non-voter; */
    OPERATION_TRANSFER, /* make it the leader; 0: whoever is best; */
    OPERATION_RECOVER,  /* go on alone, with what is here. */
};

struct operation {
    enum operation_kind kind;
    uint64_t id;
    char address[ADDRESS_TEXT_MAX + 1];
};

/* Starts the thread and libraft, which reads the log; the first messages are in `out` when
 * this returns. On failure returns NULL, and says what is wrong. */
struct node *node_start(const struct node_settings *settings, struct queue *out,
                        char error[NODE_ERROR_MAX]);

/* Gives it a message, its own from then on. */
void node_send(struct node *n, struct message *m);

/* Ends it, and waits for that. Does nothing to NULL. */
void node_stop(struct node *n);

#endif
