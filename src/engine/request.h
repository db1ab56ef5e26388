/* Requests of clients: from their arguments to the reply and to what follows from it. */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "base/bytes.h"
#include "data/table.h"

struct session;

/* Runs one request of a session and writes the reply to it. */
void request_execute(struct session *s, size_t argc, const struct bytes *argv);

/* Runs a request again that its session has been waiting for: see engine/block.h. */
void request_run_again(struct session *s, size_t argc, const struct bytes *argv);

/* Requests that a client has sent in one go. */
enum { REQUEST_BATCH = TABLE_PREFETCH };
struct request {
    size_t argc;
    const struct bytes *argv;
};

/* Makes ready for the execution of up to REQUEST_BATCH requests, in which the cache
 * misses of all of them overlap. They must follow at once; measure_rest() is to be
 * called behind them. */
void request_prepare(const struct session *s, const struct request *requests, size_t count);

#endif
