/* This server among its peers, the other servers of its group: it dials them and is dialed
 * by them. Either way both have proved that they know the group's secret (handshake.h)
 * before anybody gets to see a connection.
 *
 * All happens on one loop, without waiting. A connection is a uv_tcp_t in memory of
 * raft_malloc(): whoever is given one owns it, and gets rid of it by peer_hang_up(), or as
 * libraft does it. Its `data` is free to use. SIGPIPE must be ignored in the process. Of the log
 * thread. */
#ifndef REPLICA_PEER_H
#define REPLICA_PEER_H

#include "replica/handshake.h"

#include <uv.h>

struct peer;

struct peer_settings {
    uint64_t id;
    uint64_t group;       /* 0: of none yet; then nobody is let in. */
    struct bytes address; /* Where others reach this server: host:port@peerport. */
    struct bytes bind;    /* As the option: addresses, and '-' before one that may be missing. */
    struct bytes secret;  /* Empty: only this host is listened to. */
};

/* Copies the settings, whose address must be one. */
struct peer *peer_new(uv_loop_t *loop, const struct peer_settings *settings);

/* Ends all that is under way, each with an error, and stops listening. `closed` is called
 * when the loop knows nothing more of it, which may be before this returns; only then it
 * may be freed. */
void peer_close(struct peer *p, void (*closed)(void *context), void *context);
void peer_free(struct peer *p);

/* Changes of which group this server is. */
void peer_set_group(struct peer *p, uint64_t group);

/* Listening. */

struct peer_caller {
    enum peer_kind kind;
    uint64_t id;
    uint64_t group;
    const char *address;  /* As the caller says; it is an address, with both ports. */
    struct bytes request; /* What it asks for; with PEER_RAFT, nothing. */
};

/* Is told of each caller. The caller's description is a view; the connection is given. */
typedef void (*peer_accepted)(void *context, const struct peer_caller *caller, uv_stream_t *stream);

/* Begins to listen. Returns 0, or a negative errno value after logging what went wrong. */
int peer_listen(struct peer *p, peer_accepted accepted, void *context);

/* Sends a reply to a request, and hangs up. */
void peer_reply(struct peer *p, uv_stream_t *stream, struct bytes reply);

/* Closes a connection, and frees it. */
void peer_hang_up(uv_stream_t *stream);

/* Dialing. */

/* Is told how a dial ended: with a connection, or with what is wrong, in words. */
typedef void (*peer_dialed)(void *context, uv_stream_t *stream, const char *error);

struct peer_dial;

/* Dials an address, expecting the server `to`, or any if that is 0. It is told later, never
 * before this returns. Returns NULL, and tells nothing, if this server is closing. */
struct peer_dial *peer_dial(struct peer *p, struct bytes address, enum peer_kind kind, uint64_t to,
                            peer_dialed dialed, void *context);

/* Gives a dial up: nobody is told. It must not have been told yet. */
void peer_dial_cancel(struct peer_dial *d);

/* Is told the reply to a request, or what is wrong. */
typedef void (*peer_replied)(void *context, struct bytes reply, const char *error);

/* Sends a request of at most FRAME_MAX bytes, and waits for the reply for 5 s. It is told
 * later. Returns false, and tells nothing, if this server is closing. */
bool peer_call(struct peer *p, struct bytes address, enum peer_kind kind, struct bytes request,
               peer_replied replied, void *context);

/* Says whether something is to be logged about `whom`; see complaint.h. */
bool peer_may_complain(struct peer *p, const char *whom);

uv_loop_t *peer_loop(struct peer *p);
bool peer_is_closing(const struct peer *p);

#endif
