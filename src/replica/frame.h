/* Requests and replies on a connection of peers: a length, of four bytes, and as many
 * bytes. No byte behind one is read. Of the log thread. */
#ifndef REPLICA_FRAME_H
#define REPLICA_FRAME_H

#include "base/bytes.h"

#include <uv.h>

enum { FRAME_MAX = 64 * 1024 };

/* What is being received: `struct frame f = {0};`. */
struct frame {
    uint32_t len;
    size_t have; /* Bytes, with those of the length. */
    char *at;
};

/* Says where the next bytes go. */
void frame_room(struct frame *f, uv_buf_t *room);

/* Takes `count` bytes that have been put there. Returns 1 if the frame is complete, 0 if
 * not, and -1 if it is too long. */
int frame_take(struct frame *f, size_t count);

struct bytes frame_content(const struct frame *f);

/* Frees the content and makes the frame empty again. */
void frame_clear(struct frame *f);

/* Sends a copy of `content`, which is no longer than FRAME_MAX. `sent`, if it is not NULL,
 * is called when it is on its way, with 0, or when it cannot be, with a negative errno
 * value. */
typedef void (*frame_sent)(uv_stream_t *stream, int status);
void frame_send(uv_stream_t *stream, struct bytes content, frame_sent sent);

#endif
