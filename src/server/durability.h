/* Durability: the log under the engine, as far as the server has to do with it. */
#ifndef SERVER_DURABILITY_H
#define SERVER_DURABILITY_H

struct server;

/* Starts the log, if there is to be one. Returns 0, or -1 after logging why the server
 * should not start. */
int durability_start(struct server *s);

/* Ends it; the loop has to run before durability_free(). */
void durability_end(struct server *s);
void durability_free(struct server *s);

/* Has the setting take effect. Returns NULL, or what is wrong with it. */
const char *durability_apply(struct server *s);

/* To be called some ten times a second. */
void durability_tick(struct server *s);

/* Waits a moment for what has been executed to become committed. */
void durability_settle(struct server *s);

#endif
