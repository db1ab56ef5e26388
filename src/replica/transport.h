/* How libraft reaches the other servers: connections that libraft dials and is dialed by,
 * through struct peer, instead of those it would make itself, which anybody can claim to be
 * of a group. Of the log thread. */
#ifndef REPLICA_TRANSPORT_H
#define REPLICA_TRANSPORT_H

#include "replica/peer.h"
#include "replica/traffic.h"

#include <raft.h>
#include <raft/uv.h>

struct transport;

struct transport_settings {
    struct peer_settings self;
    bool is_deaf;        /* It does not listen: it can only be alone. */
    peer_accepted other; /* Is given the callers that are none of libraft's: all but PEER_RAFT. */
    void *context;
};

struct transport *transport_new(uv_loop_t *loop, const struct transport_settings *settings);

/* What raft_uv_init() is to be given. raft_start() begins to listen, and raft_close() closes
 * everything: dials, calls and fetches of others too. */
struct raft_uv_transport *transport_for_raft(struct transport *t);

/* Closes, if libraft has not had to, and then calls `closed`. */
void transport_close(struct transport *t, void (*closed)(void *context), void *context);

/* Frees what is closed. */
void transport_free(struct transport *t);

/* For what else is to be said to peers; valid until it is freed. */
struct peer *transport_peer(struct transport *t);

struct traffic_bytes transport_traffic(struct transport *t, uint64_t id);

#endif
