/* The disk of a server, and what libraft does on it: the parts of raft_io that have to do
 * with one. What has been written is there when its time has come, in order; a crash keeps
 * what was finished, and some of the rest from its beginning on. */
#ifndef SIMULATION_DISK_H
#define SIMULATION_DISK_H

#include "replica/manifest.h"

#include <raft.h>

struct server;

/* An entry, as it lies there. */
struct stored {
    raft_term term;
    unsigned short type;
    size_t len;
    void *data; /* malloc() */
};

struct stored_snapshot {
    raft_index index;
    raft_term term;
    raft_index configuration_index;
    struct raft_configuration configuration;
    char data[MANIFEST_SIZE];
};

enum { SNAPSHOTS_KEPT = 2 };

struct disk {
    struct server *server;
    raft_term term;
    raft_id vote;
    raft_index first; /* Of the entries. */
    struct stored *entry;
    size_t count, cap;
    struct stored_snapshot snapshot[SNAPSHOTS_KEPT]; /* Oldest first. */
    unsigned snapshots;

    /* What is under way, for the libraft that is open. */
    unsigned opened;      /* How often there has been one. */
    struct write *writes; /* Oldest first. */
    struct write *taking; /* A snapshot of our own, which others do not wait for. */
    struct get *gets;
    struct sent *sends; /* wire.c's. */
    bool writing;
    uint64_t enqueued, finished; /* Of `writes`. */
    bool closing;
    raft_io_close_cb closed;
    struct raft_io *io;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;

    /* How it fares. */
    int64_t latency_us;
    bool is_full;
    unsigned room; /* How many more writes it takes when it is full. */
};

void disk_init(struct disk *d, struct server *server);

/* Puts a group's first entry there. */
void disk_found(struct disk *d, const struct raft_configuration *configuration);

/* The server has crashed: what is under way is kept in part. */
void disk_crash(struct disk *d);

/* Empties it. */
void disk_wipe(struct disk *d);

/* Has libraft called if it waits for its disk to close. */
void disk_close_now(struct disk *d);

/* Returns the last index on it. */
raft_index disk_last(const struct disk *d);

#endif
