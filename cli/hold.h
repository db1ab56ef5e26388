/* Running a command under a lock, from the wait for it to the exit status. */
#ifndef CLI_HOLD_H
#define CLI_HOLD_H

#include "cli/cli.h"

struct hold {
    const struct settings *settings;
    const char *const *names;
    size_t count;
    struct moonlatch_lock_options options;
    int64_t wait_ms;      /* MOONLATCH_FOREVER, 0: only try. */
    int64_t grace_ms;     /* Between SIGTERM and SIGKILL, when the lock is lost. */
    int not_obtained;     /* The exit status then. */
    char *const *command; /* Ends in NULL. */
};

/* Returns the exit status of the program. */
int hold_and_run(const struct hold *h);

#endif
