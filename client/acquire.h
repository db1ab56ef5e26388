/* Getting a lock, step by step: see enum phase. Each step ends in a request's answer or a timer, so
 * that a call that waits, and a loop that does not, go the same way. */
#ifndef CLIENT_ACQUIRE_H
#define CLIENT_ACQUIRE_H

#include "client/lock.h"

void acquire_init(moonlatch_lock *lock);

/* Begins. The end is PHASE_IDLE, and lock->result. */
void acquire_begin(moonlatch_lock *lock, int64_t wait_ms);

/* Has it end soon, by a status, without the lock. Nothing happens if it has ended. */
void acquire_give_up(moonlatch_lock *lock, moonlatch_status status);

/* An errand of the lock has been done, or not. */
void acquire_on_errand(moonlatch_lock *lock, moonlatch_status status);

/* The channel says that a key has changed. `turn` is the waiter whose turn it is, "OWNER RID";
 * NULL: anybody's. */
void acquire_on_hint(moonlatch *s, const char *key, const char *turn);

#endif
