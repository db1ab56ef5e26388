/* The thread of a session that has one: renews, watches deadlines, and tells of tokens that are
 * lost.
 *
 * A call of the caller's goes before it: while one is made, that does all there is to do, and the
 * thread only tells. */
#ifndef CLIENT_RENEWER_H
#define CLIENT_RENEWER_H

#include "client/session.h"

moonlatch_status renewer_begin(moonlatch *s);

/* Ends the thread. The session has been left. */
void renewer_end(moonlatch *s);

/* In a process that has been forked, where there is no such thread. */
void renewer_forget(moonlatch *s);

/* All of these are called by who has the mutex. A call begins, or ends. */
void renewer_step_aside(moonlatch *s);
void renewer_step_in(moonlatch *s);

/* There is something to tell. */
void renewer_wake(moonlatch *s);

/* Waits until no callback of this lock is under way, unless it is the one that calls. */
void renewer_await(moonlatch *s, const moonlatch_lock *lock);

#endif
