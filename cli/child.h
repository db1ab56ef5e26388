/* The command that runs under a lock: its process, its process group, its terminal. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* And its process group's. */
    const char *owner;
    bool has_terminal; /* Its group is, or was, in the foreground of ours. */
    bool has_ended;
    int status; /* As of waitpid(). */
};

enum { CHILD_CANNOT_RUN = 126, CHILD_NOT_FOUND = 127 };

/* Starts a command, found as execvp() does, in a process group of its own, which gets the terminal
 * if we have it, with the signal mask that we were started with. Returns 0 or a negative errno
 * value. */
int child_start(struct child *c, char *const argv[], const char *owner);

/* Hands a signal on to its group. */
void child_signal(const struct child *c, int number);

/* Looks what has become of it, after SIGCHLD. If it has been stopped, stops us as well, so that the
 * shell sees it, and lets it go on when we do. */
void child_look(struct child *c);

/* Takes the terminal back. */
void child_take_terminal(struct child *c);

/* What a shell would say of a status: it itself, or 128 and the signal's number. */
int child_exit_code(const struct child *c);

#endif
