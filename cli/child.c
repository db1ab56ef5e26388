#include "cli/child.h"

#include "cli/marked.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The terminal. */

static bool is_in_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* Whoever is not in the foreground may set who is only if this signal does not stop it. */
static void give_terminal(pid_t group)
{
    sigset_t output, old;

    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    sigprocmask(SIG_BLOCK, &output, &old);
    tcsetpgrp(STDIN_FILENO, group);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

void child_take_terminal(struct child *c)
{
    if (c->has_terminal) {
        give_terminal(getpgrp());
    }
}

/* In the child. */

/* Signals that we wait for are blocked in us; a command starts as it would have without us. */
static void unblock(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run(char *const argv[], bool has_terminal, pid_t parent)
{
    setpgid(0, 0);
    if (has_terminal) {
        give_terminal(getpid());
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { /* It has died before that. */
        _exit(CHILD_CANNOT_RUN);
    }
    unblock();
    execvp(argv[0], argv);
    fprintf(stderr, "moonlatch: cannot run '%s': %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? CHILD_NOT_FOUND : CHILD_CANNOT_RUN);
}

/* In the parent. */

int child_start(struct child *c, char *const argv[], const char *owner)
{
    pid_t parent = getpid();

    *c = (struct child){.owner = owner, .has_terminal = is_in_foreground()};
    c->pid = fork();
    if (c->pid < 0) {
        return -errno;
    }
    if (c->pid == 0) {
        run(argv, c->has_terminal, parent);
    }
    setpgid(c->pid, c->pid); /* Whoever of the two comes first. */
    return 0;
}

void child_signal(const struct child *c, int number)
{
    if (!c->has_ended) {
        kill(-c->pid, number);
    }
}

/* While we are stopped the lease is not renewed: the guard ends the command when it is over. */
static void stop_too(struct child *c)
{
    child_take_terminal(c);
    raise(SIGSTOP);
    if (c->has_terminal && is_in_foreground()) {
        give_terminal(c->pid);
    }
    child_signal(c, SIGCONT);
}

void child_look(struct child *c)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != c->pid) { /* What it had started, and left to us. */
            continue;
        }
        if (WIFSTOPPED(status)) {
            stop_too(c);
        } else {
            c->has_ended = true;
            c->status = status;
        }
    }
}

int child_exit_code(const struct child *c)
{
    return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}
