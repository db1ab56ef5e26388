/* A server that is none: a thread that answers as one with a single mutex would, and does to its
 * connections what a test asks for. */
#ifndef TEST_LIBRARY_FAKE_H
#define TEST_LIBRARY_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NO_CUT = -1 };

struct fake;

struct fake *fake_start(void);
void fake_stop(struct fake *f);

/* "127.0.0.1:port". Ready to be given to moonlatch_open(). */
const char *fake_address(const struct fake *f);

/* Whether it has the lock scripts built in, and waits; it has by default. */
void fake_set_native(struct fake *f, bool native);

/* The next connection is closed behind so many bytes of requests, or of replies. */
void fake_cut_requests(struct fake *f, long bytes);
void fake_cut_replies(struct fake *f, long bytes);

/* Whether the last cut has come to pass. */
bool fake_has_cut(const struct fake *f);

/* It reads no more, and answers nothing. */
void fake_set_frozen(struct fake *f, bool frozen);

/* How long it lets requests lie. */
void fake_set_delay(struct fake *f, int ms);

/* What is answered to everything, as bytes; NULL: what is right. */
void fake_set_answer(struct fake *f, const char *answer);

/* The same, but to an operation of locks only. */
void fake_set_answer_to(struct fake *f, const char *operation, const char *answer);

/* The next such operation is done, its reply is lost with the connection, and the lock is taken by
 * somebody else if it is free by that. */
void fake_steal(struct fake *f, const char *operation);

/* Its clock runs so much before ours. */
void fake_move_clock(struct fake *f, int64_t us);

/* Closes all connections. */
void fake_close_all(struct fake *f);

/* Takes the lock away from its holder. */
void fake_take_away(struct fake *f);

/* Somebody else has it, until they let go. */
void fake_occupy(struct fake *f);
void fake_vacate(struct fake *f);

/* What has happened. */
bool fake_is_held(const struct fake *f);
unsigned fake_waiters(const struct fake *f);
unsigned fake_count(const struct fake *f, const char *operation);
unsigned fake_connections(const struct fake *f);
unsigned fake_grants(const struct fake *f);
bool fake_has_seen(const struct fake *f, const char *word);

#endif
