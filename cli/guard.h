/* The guard of a command that runs under a lock: a process of its own, which sees to it that the
 * command is gone before the lease is over, also when the one that renews it has been killed or
 * stopped. */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#include <stdint.h>
#include <sys/types.h>

struct guard {
    pid_t pid;
    int pipe; /* To it. */
};

/* Starts it. `owner` is what the command's processes are marked with. Returns 0 or a negative errno
 * value. */
int guard_start(struct guard *g, const char *owner);

/* Tells it until when the lease is sure to last: CLOCK_BOOTTIME, in nanoseconds. */
void guard_extend(struct guard *g, int64_t deadline_ns);

/* Lets it go: the command has ended. */
void guard_end(struct guard *g);

#endif
