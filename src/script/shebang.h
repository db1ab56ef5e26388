/* The first line of a script or a library: "#!lua name=x flags=no-writes timeout=50ms
 * memory=8mb". Scripts may have one, and flags in it; libraries have one, with a name. Both
 * may set limits for their own runs, which make the server's tighter, never wider.
 *
 * Errors are worded as Redis does, which says the same in two ways. */
#ifndef SCRIPT_SHEBANG_H
#define SCRIPT_SHEBANG_H

#include "base/buf.h"

struct quota {
    int64_t time_ms; /* 0: that of the server. */
    size_t memory;   /* Bytes of Lua heap that a run may add; 0: those of the server. */
};

struct shebang {
    size_t len;        /* Of the line, without its end; 0: there is none. */
    struct bytes name; /* Of a library; viewed. */
    unsigned flags;    /* Of a script: a set of enum script_flags. */
    struct quota quota;
};

/* Reads the first line of a script, which may be any line. Returns false, and writes a
 * message without a code, if it asks for what there is not. */
bool shebang_read_script(struct bytes text, struct shebang *s, char *message, size_t size);

/* Reads the first line of a library. Returns false, with the error appended, if it is
 * none. */
bool shebang_read_library(struct bytes text, struct shebang *s, struct buf *error);

/* Whether a library or a function may be called so; and what to say if it may not. */
bool shebang_is_name(struct bytes name);
extern const char shebang_bad_name[];

#endif
