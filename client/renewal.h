/* Renewals: one script for all locks of a session whose time has come, or nearly. */
#ifndef CLIENT_RENEWAL_H
#define CLIENT_RENEWAL_H

#include "client/lock.h"

void renewal_init(moonlatch_lock *lock);

/* The calls have found a server: what is overdue is renewed at once. */
void renewal_catch_up(moonlatch *s);

/* Frees what was under way. Its requests are withdrawn. */
void renewal_clear(moonlatch *s);

#endif
