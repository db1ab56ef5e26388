/* What servers say about locks, where they cannot have clients wait: it saves those who ask again
 * and again from asking late. It is a hint: nobody counts on it. */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include "client/lock.h"

void channel_init(moonlatch *s);

/* Listens to what is said about the key that a lock waits for, until it leaves. */
void channel_join(moonlatch_lock *lock);
void channel_leave(moonlatch_lock *lock);

#endif
