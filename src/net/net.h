/* The network: sockets, and the turns of the executor's loop.
 *
 * A turn reads what all ready clients sent and executes it at once; the replies
 * go out at its end. Sockets are read and written by plain system calls under
 * libuv's poll handles, so that the busy door can serve the same connections by
 * the same code while a script holds the loop. */
#ifndef NET_NET_H
#define NET_NET_H

#include "engine/engine.h"

#include <uv.h>

struct net;

/* How much may be waiting for a client that does not read, in bytes; 0 is no limit. */
struct output_limit {
    size_t hard;
    size_t soft; /* For soft_s seconds on end. */
    int soft_s;
};

/* By the class of a client: see conn.c. */
struct output_limits {
    struct output_limit normal, replica, pubsub;
};

struct net_settings {
    int port;               /* 0: no TCP. */
    struct buf bind;        /* Addresses, separated by spaces; '-' before one: may be missing. */
    struct buf unix_socket; /* A path; empty: none. */
    unsigned unix_socket_mode;
    int backlog;
    size_t max_clients;
    bool protected_mode;
    int timeout_s;      /* Idle clients are closed after this; 0: never. */
    int keepalive_s;    /* TCP keepalive; 0: off. */
    size_t query_limit; /* client-query-buffer-limit, bytes. */
    struct output_limits outputs;
};

/* Creates the network of an engine. `settings` is viewed, and read anew whenever it
 * matters. */
struct net *net_new(uv_loop_t *loop, struct engine *e, struct net_settings *settings);

/* Opens the listeners. Returns 0, or a negative errno value after logging what went
 * wrong. */
int net_listen(struct net *n);

/* Listens where the settings say now. If that is not possible, returns a negative errno
 * value and listens where it did. */
int net_listen_again(struct net *n);

/* Closes listeners and connections. The loop has to run until it is out of work
 * before net_free(). */
void net_close(struct net *n);
void net_free(struct net *n);

#endif
