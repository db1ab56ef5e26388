/* What the files of struct peer share, and nobody else sees. */
#ifndef REPLICA_PEER_STATE_H
#define REPLICA_PEER_STATE_H

#include "replica/complaint.h"
#include "replica/peer.h"
#include "replica/task.h"

enum {
    PEER_LISTENERS_MAX = 16,
    PEER_STRANGERS_MAX = 64, /* Who have not proved yet that they are peers. */
    PEER_HANDSHAKE_MS = 2000,
    PEER_CALL_MS = 5000,
};

struct peer {
    uv_loop_t *loop;
    struct peer_self self; /* Its secret is malloc()ed. */
    uint16_t port;
    char *bind;
    struct tasks tasks;
    struct complaints complaints;

    uv_tcp_t listeners[PEER_LISTENERS_MAX];
    size_t listener_count;
    peer_accepted accepted;
    void *accepted_context;
    struct incoming *strangers[PEER_STRANGERS_MAX]; /* The oldest first. */
    size_t stranger_count;

    size_t users; /* Handles and tasks that are not gone yet. */
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

/* Count who uses a peer: it is closed when nobody does. */
void peer_use(struct peer *p);
void peer_let_go(struct peer *p);

/* Returns a new handle, in memory that libraft can free. */
uv_tcp_t *peer_stream_new(struct peer *p);

/* Sets what all connections have, once there is a socket: no delay, and an early end of
 * those whose other side has gone without a word. */
void peer_set_options(uv_tcp_t *stream, enum peer_kind kind);

/* Sends what a handshake has to send. Returns 0 or a negative errno value. */
int peer_send_handshake(struct handshake *h, uv_stream_t *stream);

#endif
