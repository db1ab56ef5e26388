/* The keys that a script has declared, and what becomes of a call that names another.
 *
 * A cluster routes a script by them, and runs scripts side by side that share none; one
 * server alone needs no declaration, so looking at them is left to script-strict-keys. */
#ifndef ENGINE_DECLARED_H
#define ENGINE_DECLARED_H

#include "base/bytes.h"

struct command;

enum strict_keys {
    STRICT_NO,
    STRICT_WARN, /* It is logged, once for each script. */
    STRICT_YES,  /* It fails. */
};
extern const char *const strict_keys_names[]; /* Ends in NULL. */

struct declared {
    enum strict_keys policy;
    const char *script;      /* Its name, for the log. */
    bool *warned;            /* Whether it has been logged. */
    const struct bytes *key; /* Viewed, as they were given. */
    size_t count;
    struct bytes *sorted; /* Made when it is first needed; NULL: it is not. */
};

/* Frees what was made. */
void declared_clear(struct declared *d);

/* Returns whether a call may be made with these arguments. If not, *undeclared becomes the
 * key that stands against it. What no key specification tells of, such as the keys that
 * SORT gets by a pattern, is not looked at. */
bool declared_allow(struct declared *d, const struct command *cmd, size_t argc,
                    const struct bytes *argv, struct bytes *undeclared);

#endif
