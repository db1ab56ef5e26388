/* The servers of the group as clients are told of them, which look for a node of a cluster
 * or for a Sentinel. A server without others is one as well. */
#ifndef COMMAND_NODES_H
#define COMMAND_NODES_H

#include "engine/call.h"

struct node {
    uint64_t id;
    char name[MEMBER_NAME + 1];
    char host[256];
    int port;
    int peer_port;
    bool is_self;
    bool leads;
    bool is_up;        /* As far as this server can know. */
    uint64_t offset;   /* In the log: what it has. */
    int64_t silent_ms; /* Since it was heard; 0 if that is not known. */
};

struct nodes {
    struct node *node; /* By id. */
    size_t count;
    const struct node *leader; /* NULL: none is known. */
    const struct node *self;   /* NULL: it is no member any more. */
    size_t voters, voters_up;
};

/* Lists the servers that have the log. Those of a server alone are itself, at the address
 * that the client has found it at. */
struct nodes nodes_list(const struct call *c);
void nodes_clear(struct nodes *n);

/* A local list: `NODES_LOCAL(nodes, c);`. */
#define NODES_LOCAL(n, c) __attribute__((cleanup(nodes_clear))) struct nodes n = nodes_list(c)

/* Returns whether there is a majority of those that vote. */
static inline bool nodes_have_quorum(const struct nodes *n)
{
    return n->voters_up > n->voters / 2;
}

/* Returns how many others there are. */
size_t nodes_replicas(const struct nodes *n);

#endif
