/* Making and freeing handles. */
#ifndef CLIENT_HANDLE_H
#define CLIENT_HANDLE_H

#include "client/lock.h"

/* Frees what belongs to a handle. It is in no list any more, and nothing of it is under way. */
void handle_free(moonlatch_lock *lock);

#endif
