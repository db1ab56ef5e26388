/* What the files of the log thread share. */
#ifndef REPLICA_NODE_STATE_H
#define REPLICA_NODE_STATE_H

#include "replica/core.h"
#include "replica/identity.h"
#include "replica/node.h"
#include "replica/view.h"

#include <raft/uv.h>

struct change;

struct node {
    struct node_settings settings;
    struct identity identity;
    uv_thread_t thread;
    uv_sem_t started;
    char *error; /* Where node_start() wants to read it; NULL once it has returned. */
    bool is_up;
    int lock; /* The descriptor of the file that says that somebody is at work here. */

    uv_loop_t loop;
    uv_async_t wake;
    uv_check_t check;
    uv_timer_t tick;

    struct raft raft;
    struct raft_io io;
    struct raft_tracer tracer;
    struct raft_uv_transport transport;
    struct core core;
    void (*then)(struct node *n); /* What is done when libraft has closed. */

    struct queue in;
    struct queue *out;

    /* Operations: one at a time changes the group. */
    struct change *change;
    uint64_t operation; /* Its number. */

    /* For the view. */
    struct message *told; /* The last one, */
    int64_t told_us;      /* and when. */
    uint64_t write_began_us;
    uint64_t writes[VIEW_WRITE_BUCKETS];
    uint64_t writes_us;
};

/* Open libraft on what is in the directory; close it, and go on with `then`. The first
 * returns false, with what is wrong in `error`. */
bool node_open(struct node *n, char error[NODE_ERROR_MAX]);
void node_shut(struct node *n, void (*then)(struct node *n));

/* Ends the process by way of the executor. */
__attribute__((format(printf, 2, 3))) void node_fail(struct node *n, const char *format, ...);

/* Tells the executor how things are, if it does not know. */
void node_tell_view(struct node *n);

/* Begins an operation. Takes the message. */
void operation_begin(struct node *n, struct message *m);

#endif
