/* Leadership: what clients notice of it when the leader of the group changes. */
#ifndef ENGINE_LEADERSHIP_H
#define ENGINE_LEADERSHIP_H

struct engine;

/* Is told that engine->group has another leader, that none is known any more, or that the
 * leader has another address, once that is all in there; what was not committed has been
 * undone by then. Whoever has subscribed to it hears of a new leader as Sentinels tell it.
 * If this server has led until now, the requests that wait here are ended, and so are
 * the connections of those clients who would not find the new leader otherwise. If
 * nothing has changed, nothing happens. */
void group_leader_changed(struct engine *e);

/* Is told that members have stored more of the log: WAIT may be over. */
void group_progress(struct engine *e);

#endif
