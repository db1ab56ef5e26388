/* What a server knows of locks: by LOCKS, or by the scripts where there is no such command. */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include "moonlatch.h"

/* Gets the description of a lock: an array of names and values. *reply is nil if there is none, and
 * to be freed by moonlatch_reply_free(). */
moonlatch_status query_lock(moonlatch *session, const char *name, moonlatch_reply **reply);

/* Calls `see` with the description of each lock that is held or waited for. */
moonlatch_status query_all(moonlatch *session,
                           void (*see)(const char *name, const moonlatch_reply *fields,
                                       void *context),
                           void *context);

/* Runs an operation of the script of a kind on a lock. */
moonlatch_status query_script(moonlatch *session, const char *kind, const char *name, size_t argc,
                              const char *const *argv, moonlatch_reply **reply);

/* Returns the value of a field, or NULL; as a text: "" if there is none. */
const moonlatch_reply *query_field(const moonlatch_reply *fields, const char *name);
const char *query_text(const moonlatch_reply *fields, const char *name);

#endif
