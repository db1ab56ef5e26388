/* CLIENT: what a connection can learn and say about itself and others. */
#ifndef COMMAND_CLIENT_H
#define COMMAND_CLIENT_H

#include "engine/call.h"

/* The subcommands; ends in a row without a name. */
extern const struct command client_subcommands[];

/* Returns whether a name is empty or all of visible characters. Fails the call if
 * not: the fields of CLIENT LIST are told apart by spaces. */
bool client_check_name(struct call *c, struct bytes name);

/* Names a session. An empty name takes the old one away. */
void client_set_name(struct session *s, struct bytes name);

/* Returns the session with that number, or NULL. */
struct session *client_find(const struct engine *e, int64_t id);

/* About tracking: see tracking.c. */
void client_caching(struct call *c);
void client_getredir(struct call *c);
void client_tracking(struct call *c);
void client_trackinginfo(struct call *c);

#endif
