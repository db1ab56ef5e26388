/* A connection: the socket of one client, with its session. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/net.h"
#include "resp/reader.h"

struct conn;

/* What connections share. */
struct conn_set {
    uv_loop_t *loop;
    struct engine *engine;
    const struct net_settings *settings;
    struct conn *first;
    size_t count;
    char *shared;       /* Input buffer of whichever connection is read, */
    size_t shared_size; /* unless somebody else's request is in it: */
    bool shared_taken;
    bool ticked;        /* The clock has been read this turn, */
    uint64_t ticked_at; /* when clock_ticks() was this. */
    bool time_stands;   /* A script is at work, which sees one time. */
};

/* Takes a connected socket. Its peers' addresses are as CLIENT LIST shows them. */
void conn_open(struct conn_set *set, int fd, const char *address, const char *local_address);

/* Begins to close a connection. Its session goes at once, its memory when libuv has
 * let go of the socket. May be called more than once. */
void conn_close(struct conn *c);

/* Reads what the client has sent, and executes it. Like conn_flush(), does nothing
 * for a connection that is closing. */
void conn_read(struct conn *c);

/* Sends what is there to be sent. */
void conn_flush(struct conn *c);

/* Sends all that was written to sessions in this turn, and ends it. */
void conn_set_flush(struct conn_set *set);

/* Closes connections that have been idle for too long or have too much unsent. */
void conn_set_prune(struct conn_set *set);

struct conn *conn_next(const struct conn *c);
int conn_fd(const struct conn *c);

/* Whether a request of this connection is being executed now. */
bool conn_executing(const struct conn *c);
bool conn_wants_write(const struct conn *c);

#endif
