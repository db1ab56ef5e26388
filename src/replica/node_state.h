/* What the files of the log thread share. */
#ifndef REPLICA_NODE_STATE_H
#define REPLICA_NODE_STATE_H

#include "replica/core.h"
#include "replica/identity.h"
#include "replica/mark.h"
#include "replica/node.h"
#include "replica/transfer.h"
#include "replica/transport.h"
#include "replica/view.h"

#include <raft/uv.h>

struct change;

struct node {
    struct node_settings settings;
    struct identity identity;
    uv_thread_t thread;
    uv_sem_t started;
    char error[NODE_ERROR_MAX]; /* Why it could not start; empty once it has. */
    bool has_raft;              /* libraft is open, */
    bool is_up;                 /* and at work. */
    int lock; /* The descriptor of the file that says that somebody is at work here. */

    uv_loop_t loop;
    uv_check_t check;
    uv_timer_t tick;

    struct raft raft;
    struct raft_io io;
    struct raft_tracer tracer;
    struct transport *transport;
    struct transfer *transfer; /* Of a snapshot that is fetched; or NULL, */
    uint64_t fetch_from;       /* and the server that it is fetched from. */
    struct core core;
    void (*then)(struct node *n); /* What is done when libraft has closed. */

    /* What is written beside libraft's files, */
    struct mark_file mark_file;
    struct mark mark; /* as it is now, */
    int64_t marked_us;
    int64_t told_again_us; /* When trouble that goes on may be told of again. */
    int (*set_term)(struct raft_io *io, raft_term term); /* and libraft's own part of that. */
    int (*set_vote)(struct raft_io *io, raft_id id);

    struct queue in;
    struct queue *out;

    /* Operations: one at a time changes the group. */
    struct change *change;
    struct message *waiting; /* MESSAGE_OPERATION, behind that one. */
    uint64_t promoted;       /* Who is to vote as soon as that can be seen to; 0: nobody. */
    uint64_t joined;         /* The group that the server is about to enter. */
    bool recovers;           /* The server is about to go on alone. */
    bool waits;              /* It is of no group yet, and has nothing on its disk. */
    struct raft_transfer farewell;
    int64_t end_us;        /* When the thread is to end at the latest: monotonic; 0: it goes on. */
    uint64_t snapshot_for; /* The operation that waits for a snapshot; 0: none. */

    /* For the view. */
    struct message *told; /* The last one, */
    int64_t told_us;      /* and when. */
    uint64_t write_began_us;
    struct log_writes writes;
};

/* Open libraft on what is in the directory; close it, and go on with `then`. The first
 * returns false, with what is wrong in `error`. */
bool node_open(struct node *n, char error[NODE_ERROR_MAX]);
void node_shut(struct node *n, void (*then)(struct node *n));

/* Look at the directory before libraft does, and set right what may be set right; begin to
 * write the mark, when libraft is up. Return false, with what is wrong in `error`. */
bool node_inspect(struct node *n, char error[NODE_ERROR_MAX]);
bool node_open_mark(struct node *n, char error[NODE_ERROR_MAX]);

/* Keep the mark up to date: with each vote, now and then, and at the end. */
void node_watch_votes(struct node *n);
void node_mark(struct node *n);
void node_close_mark(struct node *n);

/* Removes the files of data that are older than the snapshot before the newest. */
void node_remove_older(struct node *n);

/* Leaves what is here behind, and is another from then on. The second goes on with that
 * at the next start. Return false, with what is wrong in `error`. */
bool node_leave(struct node *n, const struct identity *next, char error[NODE_ERROR_MAX]);
bool node_finish_leaving(struct node *n, char error[NODE_ERROR_MAX]);

/* Is told what libraft says. */
void node_hear_trouble(struct node *n, const char *message);

/* Ends the process by way of the executor. */
__attribute__((format(printf, 2, 3))) void node_fail(struct node *n, const char *format, ...);

/* Tells the executor how things are, if it does not know. */
void node_tell_view(struct node *n);

/* Leaves everything behind that is here, and opens libraft as a member of a group; or as
 * a group of its own with what is here. libraft is closed. */
bool node_begin_anew(struct node *n, uint64_t group, char error[NODE_ERROR_MAX]);
bool node_recover(struct node *n, char error[NODE_ERROR_MAX]);

/* Has a snapshot taken, and the operation ended when it is there. */
void node_snapshot_for(struct node *n, uint64_t operation);

/* Begins an operation. Takes the message. */
void operation_begin(struct node *n, struct message *m);

/* Tells the executor how an operation has ended. */
void operation_tell(struct node *n, uint64_t number, const char *problem);

/* Serves a peer that is none of libraft's. */
void operation_serve(void *context, const struct peer_caller *caller, uv_stream_t *stream);

/* Looks after what is to be done for the group by itself. */
void operation_tick(struct node *n);

#endif
