/* How a session goes on: each public function enters it, and leaves it; one that has to wait makes
 * turns meanwhile. */
#ifndef CLIENT_TURN_H
#define CLIENT_TURN_H

#include "client/session.h"

/* Makes the session this thread's own. Returns false, and does not, if it is another process's. */
bool session_enter(moonlatch *s);

void session_leave(moonlatch *s);

/* Waits until something happens, or until a time, and does what is to be done. What has ended by
 * that has been called back. Others may enter while it waits. */
void session_turn(moonlatch *s, int64_t until_us);

/* Calls the callers' functions of what has happened. The session has been left. */
void session_tell(moonlatch *s);

/* Has somebody tell that a token is lost, or that an acquire has ended. */
void session_add_loss(moonlatch *s, struct event *e);
void session_add_end(moonlatch *s, struct event *e);

#endif
