/* --check and --export: what is in the directory of a server that does not run. */
#ifndef SERVER_CHECK_H
#define SERVER_CHECK_H

#include "server/config.h"

/* Prints whether a server's working directory, or that of its log, is in order, and what
 * is in it. If `file` is not NULL, writes that to this file, for Redis as well; of a
 * directory that is damaged, all that comes before the damage. Changes nothing in the
 * directory. Returns whether all went well. */
bool check_directory(const struct settings *settings, const char *dir, const char *file);

#endif
