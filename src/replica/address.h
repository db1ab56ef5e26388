/* The address of a server in a group, one text that says where its clients and where its
 * peers connect: `host:port@peerport`. The host is a name, an IPv4 address, or an IPv6
 * address in brackets. Plain data; any thread. */
#ifndef REPLICA_ADDRESS_H
#define REPLICA_ADDRESS_H

#include "base/bytes.h"

enum {
    ADDRESS_PEER_OFFSET = 10000, /* From the port for clients to the one for peers. */
    ADDRESS_HOST_MAX = 255,
    ADDRESS_TEXT_MAX = ADDRESS_HOST_MAX + 2 + 2 * 6, /* With brackets and two ports. */
};

struct address {
    char host[ADDRESS_HOST_MAX + 1]; /* Without brackets. */
    uint16_t port;                   /* Neither is 0. */
    uint16_t peer_port;
};

/* Returns the port for peers that goes with one for clients: 10000 above it or, where there
 * is no room, below. */
uint16_t address_peer_port(uint16_t port);

/* Reads an address. Without `@peerport` the port for peers is the one that goes with the other.
 * Returns false, and leaves *address alone, if the text is anything else. */
bool address_parse(struct bytes text, struct address *address);

/* Writes an address, with both ports, and a terminating zero. Returns the length. */
size_t address_format(const struct address *address, char out[ADDRESS_TEXT_MAX + 1]);

#endif
