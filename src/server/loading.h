/* Loading: a file's data get into databases. When that is what the server starts with, it
 * serves its sockets meanwhile, by the busy door: most are told LOADING, but INFO tells how
 * far it is, and SHUTDOWN works. */
#ifndef SERVER_LOADING_H
#define SERVER_LOADING_H

#include "rdb/load.h"
#include "store/dataset.h"

struct server;

/* How far it is. */
struct loading {
    bool is_on;
    int64_t started_s;            /* Unix time. */
    size_t read, total;           /* Bytes. */
    int64_t served_us, logged_us; /* When the sockets were last, and the log: monotonic. */
};

/* Who wants to know. */
struct loading_watch {
    void (*progress)(void *context, size_t read, size_t total); /* Now and then. */
    void (*after_key)(void *context);
    void *context;
};

/* Reads a file into databases of the caller's, without what has expired by `now_ms`;
 * `watch` may be NULL. Returns false, with what is wrong in `error`, if it cannot; the
 * databases then have a part of it. */
bool loading_read(const char *path, int64_t now_ms, struct dataset *into,
                  const struct value_limits *limits, const struct loading_watch *watch,
                  struct rdb_loaded *loaded, struct buf *error);

/* Reads what the server is to have. Its group's role must be GROUP_LOADING. */
bool loading_read_all(struct server *s, const char *path, int64_t now_ms, struct rdb_loaded *loaded,
                      struct buf *error);

/* Appends what INFO tells. */
void loading_info(const struct server *s, struct buf *out);

#endif
