/* Clients: each asks some server for one thing after the other, by a session of its own,
 * looks at what it is told, and remembers what has become of what it has asked for. */
#ifndef SIMULATION_CLIENT_H
#define SIMULATION_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

struct server;
struct session;

void clients_begin(unsigned count);

/* Ends them, as soon as each has its replies. */
void clients_end(void);
bool clients_have_ended(void);

/* Takes what a session has to send. The session may be gone then. */
void client_take(struct session *session);

/* Is told that a server has ended. */
void client_lose_server(struct server *server);

/* Log time has made a leap: who has a lock may have lost it. */
void clients_forget_leases(void);

/* Returns how many writes have been acknowledged. */
size_t clients_acknowledged(void);

/* Compares what has been told with what has come of it. */
void clients_check(void);

#endif
