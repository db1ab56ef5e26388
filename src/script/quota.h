/* The limits that a script or a library sets for its own runs, in its first line:
 *
 *     #!lua timeout=50ms memory=8mb
 *
 * They make the server's tighter, never wider. */
#ifndef SCRIPT_QUOTA_H
#define SCRIPT_QUOTA_H

#include "base/bytes.h"

struct quota {
    int64_t time_ms; /* 0: that of the server. */
    size_t memory;   /* Bytes of Lua heap that a run may add; 0: those of the server. */
};

enum quota_read {
    QUOTA_TAKEN,
    QUOTA_OTHER,   /* The word is of something else. */
    QUOTA_INVALID, /* It is one of these, and has no such value. */
};

/* Reads one word of the line. */
enum quota_read quota_read(struct quota *q, struct bytes word);

#endif
