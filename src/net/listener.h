/* A listener: a socket that clients connect to. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/conn.h"

struct listener;

/* Open a listener whose clients join `set`. Return 0 with *listener set, or a
 * negative errno value after logging what went wrong. */
int listener_open_tcp(struct conn_set *set, struct bytes address, int port,
                      struct listener **listener);
int listener_open_unix(struct conn_set *set, struct bytes path, unsigned mode,
                       struct listener **listener);

/* Accepts who is waiting. */
void listener_accept(struct listener *l);

int listener_fd(const struct listener *l);
bool listener_is_unix(const struct listener *l);

/* Closes the socket, whose address is then free; the memory goes when libuv has let go
 * of it. */
void listener_close(struct listener *l);

#endif
