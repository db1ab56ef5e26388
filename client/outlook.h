/* What the caller's loop sees of a session: one descriptor that is readable when there is something
 * to do. */
#ifndef CLIENT_OUTLOOK_H
#define CLIENT_OUTLOOK_H

#include "client/session.h"

/* Returns NULL if there is no memory, or no descriptor. */
struct outlook *outlook_new(moonlatch *s);
void outlook_free(struct outlook *o);

int outlook_fd(const struct outlook *o);

/* Has it be readable when the next timer is due, or at once if there is something to tell. */
void outlook_update(moonlatch *s);

#endif
