/* A connection to another server that is waited for, with a time at which it must be
 * done. While it is, nothing else goes on in this thread: for the few commands that
 * are so by nature. */
#ifndef BASE_REMOTE_H
#define BASE_REMOTE_H

#include "base/buf.h"

struct remote {
    int fd;              /* -1: not connected. */
    int64_t deadline_us; /* By the monotonic clock. */
    struct buf received; /* Not read yet. */
};

/* The functions return 0 or a negative errno value; -ETIMEDOUT if it took too long. */

/* Connects within `timeout_ms`, in which all else has to happen as well. */
int remote_open(struct remote *r, const char *host, const char *port, int64_t timeout_ms);
void remote_close(struct remote *r);

#define REMOTE_LOCAL(name) __attribute__((cleanup(remote_close))) struct remote name = {.fd = -1}

int remote_send(struct remote *r, struct bytes bytes);

/* Reads a line into `line`, without its end, which is CR LF. */
int remote_read_line(struct remote *r, struct buf *line);

#endif
