/* How a socket is connected. */
#ifndef CLIENT_DIAL_H
#define CLIENT_DIAL_H

#include "client/servers.h"

/* Begins to connect to an address, without waiting for that; a host's name is looked up by the C
 * library, which may take its time. A name may have several addresses, of which `turn` chooses
 * one. Returns 0, or what is wrong. */
int dial_begin(const struct address *a, unsigned turn, int *fd);

/* What dial_begin() has returned, for people. */
const char *dial_text(int err);

/* Whether a socket that is ready has become connected: 0, or an errno. */
int dial_end(int fd);

#endif
