/* Where the settings come from: files in the syntax of redis.conf, and flags. */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "server/config.h"

/* Reads a file, or standard input if `path` is "-". A line is an option and its
 * value, whose words may be quoted; '#' begins a comment; "include" reads other
 * files, of which several may match the path. Returns false, with one line on what
 * is wrong and where appended to `error`, at the first thing wrong. */
bool config_read_file(struct settings *s, const char *path, struct buf *error);

/* Reads flags: an option as "--name" and the words of its value. Otherwise as
 * config_read_file(). */
bool config_read_flags(struct settings *s, size_t argc, char *const *argv, struct buf *error);

/* Writes the settings to the file that they were read from. Its comments and order
 * stay; what is not in it is added unless it has its initial value, or in any case if
 * `all` is set. The file is replaced at once or not at all. Returns 0 or a negative
 * errno value. */
int config_rewrite_file(const struct settings *s, const char *path, bool all);

#endif
