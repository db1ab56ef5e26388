/* MONITOR: sessions that are shown every command that runs, of everybody.
 *
 * It shows what is run, not what comes of it: also what fails or is rolled back. */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

struct call;
struct session;

/* Begin and end to show commands to a session. */
void monitor_start(struct session *s);
void monitor_stop(struct session *s);

/* Shows a command, with its arguments but for what is secret. Commands of operators
 * are not shown. */
void monitor_show(const struct call *c);

#endif
