/* The core: libraft with our state machine, without threads, sockets and files.
 *
 * It turns what the executor asks for into entries of the log, and what libraft commits
 * into messages to the executor. What of libraft does not suit us, it sets right here:
 *
 * - A tenure begins when a barrier of ours is committed, not when libraft says that it
 *   leads; and it ends at the first sign that it does not.
 * - A turn is acknowledged when the state machine gets to it, known by its header.
 * - While as many entries are under way as help, turns wait, and become one entry.
 * - libraft carries whole snapshots through memory. What it is given is a manifest; to
 *   take one and to install one it has to wait until the file is there.
 * - A snapshot that is sent to us while we take one would crash it: it is not delivered,
 *   and comes again.
 *
 * All of it runs on the log thread, or in a simulation. */
#ifndef REPLICA_CORE_H
#define REPLICA_CORE_H

#include "replica/manifest.h"
#include "replica/queue.h"

#include <raft.h>

struct core_ops {
    /* Gives the executor a message. */
    void (*put)(void *context, struct message *m);

    /* Brings the file of a manifest here, and then calls core_fetched(). */
    void (*fetch)(void *context, const struct manifest *m);

    /* A snapshot is on the disk; files of older ones may go. */
    void (*stored)(void *context, uint64_t index);
};

/* When a server was last heard of: monotonic. */
struct heard {
    uint64_t id;
    int64_t at_us;
};

enum { CORE_PEERS = 16 };

struct core {
    struct raft *raft;
    struct raft_io *io;
    struct raft_fsm fsm;
    uint64_t self;
    const struct core_ops *ops;
    void *context;
    const char *fatal; /* What is wrong, once something is: nothing is done any more. */

    struct machine machine;

    /* The tenure. */
    bool leads;
    bool is_believed;        /* The executor takes this server for the leader: it does so too */
                             /* when the disk is full, and there is no tenure. */
    bool ends;               /* It takes no more, and ends when what is under way is done. */
    bool is_full;            /* The disk is, since that; until the next tenure. */
    int64_t force_us;        /* Monotonic: when a barrier is made to be taken all the same. */
    uint64_t epoch;          /* Of the last one. */
    raft_term own_term;      /* That it has begun to lead in as the only voter; 0: none. */
    uint64_t chain;          /* Behind the last own entry. */
    struct message *waiting; /* Turns that no entry has been made of, oldest first. */
    struct message **last_waiting;
    unsigned under_way;         /* Own turns, or several as one, that libraft has. */
    uint64_t appended, applied; /* Of own turns: the sequence numbers of the last ones. */
    struct raft_barrier barrier;
    bool barrier_waits;

    /* Snapshots. */
    uint64_t log_bytes; /* Applied since the last one, in so many entries; */
    uint64_t log_entries;
    uint64_t snapshot_bytes; /* how many make us take the next, at the least; */
    uint64_t file_bytes;     /* and those of the file of the last. */
    bool snapshot_wanted;
    int64_t not_before_us; /* Monotonic: when one that has failed may be tried again. */
    bool taking, installing;
    uint64_t snapshot_index; /* The newest that is stored, */
    uint64_t older_index;    /* and the one before it. */
    struct held_put *held;

    int (*start)(struct raft_io *io, unsigned ms, raft_io_tick_cb tick, raft_io_recv_cb recv);
    int (*send)(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m,
                raft_io_send_cb cb);
    int (*put_snapshot)(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                        const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb);
    raft_io_recv_cb recv;

    struct heard heard[CORE_PEERS];
};

/* Puts itself between libraft and its input and output. To be called before raft_init(),
 * with core->fsm as the state machine; raft and io live as long as the core. */
void core_init(struct core *c, struct raft *raft, struct raft_io *io, uint64_t self,
               const struct core_ops *ops, void *context);
void core_clear(struct core *c);

/* Looks whether leadership has been won or lost, and goes on with what waits. To be called
 * whenever libraft may have done something. */
void core_watch(struct core *c);

/* Ends the tenure, if there is one: libraft is about to be closed. */
void core_end(struct core *c);

/* Has a turn of the executor's committed, from the next core_watch() on. Takes the
 * message. */
void core_append(struct core *c, struct message *m);

/* Returns whether what is appended has to wait for an entry that is under way. */
bool core_is_busy(const struct core *c);

/* Are told how the file has come out that was asked for by MESSAGE_SAVE, the one up to the
 * manifest's index, or by fetch(): `err` is 0 or a negative errno value. */
void core_saved(struct core *c, int err, const struct manifest *m);
void core_fetched(struct core *c, int err);

/* Returns when a server was heard of, or NULL. */
const struct heard *core_heard(const struct core *c, uint64_t id);

/* Has a snapshot taken as soon as that is possible. */
void core_want_snapshot(struct core *c);

#endif
