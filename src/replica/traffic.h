/* How many bytes have gone to each peer and come from it, as the kernel counts them: the
 * connections are libraft's, which does not count, nor tell when it closes one. What a
 * connection has carried since it was last looked at is missing when it is gone, so who
 * cares looks now and then. Of the log thread. */
#ifndef REPLICA_TRAFFIC_H
#define REPLICA_TRAFFIC_H

#include <stdint.h>

struct traffic;

struct traffic_bytes {
    uint64_t sent;
    uint64_t received;
};

struct traffic *traffic_new(void);
void traffic_free(struct traffic *t);

/* Counts what goes through a socket, for the peer `id`. */
void traffic_add(struct traffic *t, uint64_t id, int fd);

/* Looks at all connections. */
void traffic_look(struct traffic *t);

/* Returns what has been counted of a peer, as of now. */
struct traffic_bytes traffic_of(struct traffic *t, uint64_t id);

#endif
