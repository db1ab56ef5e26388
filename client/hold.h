/* What is done with a lock that is held. */
#ifndef CLIENT_HOLD_H
#define CLIENT_HOLD_H

#include "client/lock.h"

/* Gives one count back. The session has been entered. */
moonlatch_status lock_release(moonlatch_lock *lock);

#endif
