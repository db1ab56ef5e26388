/* Messages between the executor and the log thread: one queue each way.
 *
 * A queue has one who puts and one who takes, each on a thread of its own. Messages are
 * taken all at once, in the order in which they were put.
 *
 * The taker is woken by an eventfd, not by uv_async_send(): whoever that wakes spins until
 * the sender has returned from it, which takes long if both are on one processor. */
#ifndef REPLICA_QUEUE_H
#define REPLICA_QUEUE_H

#include "replica/entry.h"

#include <uv.h>

/* What a message is about. */
enum message_kind {
    /* To the log thread. */
    MESSAGE_APPEND, /* `data` is room for a header, and `len` bytes of changes: malloc(). */
    MESSAGE_SNAPSHOT_WANTED, /* Somebody has asked for one. */
    MESSAGE_SNAPSHOT_DONE,   /* The file that was asked for is there, or not: `status`. */
    MESSAGE_OPERATION,       /* `data` is a struct node_operation. */
    MESSAGE_STOP,

    /* To the executor. */
    MESSAGE_COMMITTED, /* The own turn `seq` is committed. */
    MESSAGE_FOLLOW,    /* `data` are changes of another's turn, or of one given up. */
    MESSAGE_LEAD,      /* This server leads, in tenure `epoch`. */
    MESSAGE_LOST,      /* What is not committed is to be undone: `status` says why. */
    MESSAGE_RESTORE,   /* `data` is the name of a file that the data are to be loaded from. */
    MESSAGE_SAVE,      /* The data as they are now are to be saved in the file `data`. */
    MESSAGE_VIEW,      /* `data` is a struct view. */
    MESSAGE_ENDED,     /* An operation has: `seq` tells which, `data` what is wrong, if anything. */
    MESSAGE_FATAL,     /* `data` says why the process has to end. */
};

/* Why MESSAGE_LOST: its `status`. */
enum lost {
    LOST_LEADERSHIP, /* What was under way may or may not become committed. */
    LOST_DISK_FULL,  /* It will not. */
};

struct message {
    struct message *next;
    enum message_kind kind;
    int status;
    uint64_t seq;
    uint64_t epoch;
    struct position at;
    size_t len;
    void *data; /* Behind this struct, or NULL; or a block of its own: see there. */
};

struct queue {
    uv_mutex_t lock;
    struct message *first;
    struct message **last;
    int wake;        /* The eventfd. */
    bool is_told;    /* The taker has been woken, and has taken nothing since. */
    bool is_patient; /* It need not be woken for turns. */

    /* The taker's. */
    uv_poll_t poll;
    void (*on_wake)(void *context);
    void *context;
};

void queue_init(struct queue *q);
void queue_clear(struct queue *q);

/* Makes a message with room for `len` bytes; malloc(). */
struct message *message_new(enum message_kind kind, size_t len);

/* Puts a message, the queue's from now on. */
void queue_put(struct queue *q, struct message *m);

/* Takes all messages, the caller's to free(). Returns the first, or NULL. */
struct message *queue_take(struct queue *q);

/* Tells whether the taker need not be woken for turns, because it has to wait for something
 * else anyway, behind which it takes again. */
void queue_be_patient(struct queue *q, bool is_patient);

/* Has the taker's loop call `on_wake` when there is something to take. That ends with
 * queue_unwatch(); the loop has to run before queue_clear(). */
void queue_watch(struct queue *q, uv_loop_t *loop, void (*on_wake)(void *context), void *context);
void queue_unwatch(struct queue *q);

#endif
