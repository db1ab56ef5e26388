/* The lock scripts of this folder, as texts: see tools/locktexts.py. */
#ifndef LUA_TEXTS_H
#define LUA_TEXTS_H

#include <stddef.h>

/* To be sent by EVAL, or by EVALSHA with its SHA-1 in hexadecimal; the last one has no name. */
struct lock_script {
    const char *name;
    const char *text;
    const char *sha;
};
extern const struct lock_script lock_scripts[];

/* To be built into a server: all of them as functions lock_NAME, and lock_NAME_ro, which may be
 * called by FCALL_RO. */
extern const char lock_library[];
extern const size_t lock_library_len;

#endif
