/* The server's log: one line an event, to standard output or a file. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level {
    LOG_DEBUG,
    LOG_VERBOSE,
    LOG_NOTICE,
    LOG_WARNING,
};

/* Events below this level are not written. */
void log_set_level(enum log_level level);

/* Writes to a file from now on, or to standard output if `path` is empty.
 * Returns 0 or a negative errno value, and then goes on as before. */
int log_set_file(const char *path);

/* Writes one line. Control characters in it are replaced, so that nobody can
 * forge a line. */
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);
void log_bytes(enum log_level level, struct bytes text);

#endif
