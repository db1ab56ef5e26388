/* The data of a snapshot, on their way from one server to another: a file that is fetched
 * over a connection of its own (PEER_FETCH), in chunks, from where the last attempt ended.
 *
 * Disks are read and written by libuv's pool, and no more than two chunks are in memory
 * at a time, whatever the size of the file. Of the log thread. */
#ifndef REPLICA_TRANSFER_H
#define REPLICA_TRANSFER_H

#include "replica/manifest.h"
#include "replica/peer.h"

enum { TRANSFER_CHUNK = 256 * 1024 };

/* Answers a caller of PEER_FETCH, whose connection it takes, with a file of this folder. */
void transfer_send(struct peer *p, const char *dir, struct bytes request, uv_stream_t *stream);

struct transfer;

struct transfer_settings {
    const char *dir;      /* Where the file is to be. */
    struct manifest file; /* Which file it is. */
    uint64_t from;        /* The server that has it, and where that is. */
    struct bytes address;

    /* Are told how much is on the disk, and that all of it is: the file has its name then, and
     * both are synced. If this server closes before, `done` is told an error. */
    void (*progress)(void *context, uint64_t have, uint64_t size); /* May be NULL. */
    void (*done)(void *context, const char *error);
    void *context;
};

/* Begins to fetch a file. Whatever goes wrong, it tries again until it is canceled, ever
 * less often while there is no progress. What is there of the file already, under its name
 * with `.part` behind it, is gone on from; parts of other files are removed. Returns NULL if
 * this server is closing. */
struct transfer *transfer_fetch(struct peer *p, const struct transfer_settings *settings);

/* Ends a transfer: nobody is told. What is there of the file stays. */
void transfer_cancel(struct transfer *t);

/* A request for a file, and the answer that comes before its bytes, as they are sent. */
struct transfer_request {
    uint64_t offset;
    char name[MANIFEST_NAME]; /* Filled with zeros. */
};

struct transfer_answer {
    uint64_t size;
    char error[56]; /* In words, with a terminating zero; empty: none. */
};

#endif
