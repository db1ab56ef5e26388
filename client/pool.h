/* The links of acquires that wait inside of the server, one each; and the vigil: a server that has
 * clients wait may be gone without a word, or lead no more, and who waits there would not notice.
 */
#ifndef CLIENT_POOL_H
#define CLIENT_POOL_H

#include "client/session.h"

void pool_init(moonlatch *s);
void pool_clear(moonlatch *s);

/* Returns a link that nobody uses, or NULL if memory is short. */
struct link *pool_take(moonlatch *s);
void pool_give_back(struct link *l);

/* Has the clock of a link calibrated by the next request. */
void pool_ask_time(struct link *l);

/* Somebody waits: watches, until nobody does. */
void pool_watch(moonlatch *s);

/* The calls have found who leads: whoever waits elsewhere comes along. */
void pool_follow(moonlatch *s);

#endif
