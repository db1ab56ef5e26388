#include "cli/guard.h"

#include "cli/marked.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LETS_GO = 0 }; /* As a deadline. */

/* In the guard. */

static void set_timer(int timer, int64_t deadline_ns)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000}};

    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Returns false if there is nothing to be guarded any more. If whoever has told the deadlines is
 * gone, nobody renews the lease, and nobody waits for the command. */
static bool take_news(int pipe, int timer, const char *owner)
{
    int64_t deadline_ns;
    ssize_t got = read(pipe, &deadline_ns, sizeof deadline_ns);

    if (got == sizeof deadline_ns && deadline_ns == LETS_GO) {
        return false;
    }
    if (got == sizeof deadline_ns) {
        set_timer(timer, deadline_ns);
        return true;
    }
    marked_kill(owner);
    return false;
}

static void guard(int pipe, const char *owner)
{
    int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    struct pollfd wait[] = {{.fd = pipe, .events = POLLIN}, {.fd = timer, .events = POLLIN}};

    while (timer >= 0) {
        if (poll(wait, 2, -1) < 0) {
            continue;
        }
        /* The newest deadline first: it may be later than the one that has passed. */
        if (wait[0].revents != 0) {
            if (!take_news(pipe, timer, owner)) {
                return;
            }
        } else if (wait[1].revents != 0) {
            marked_kill(owner);
            return;
        }
    }
    marked_kill(owner); /* It cannot be guarded. */
}

/* Nothing that is meant for the command or for the one that waits for it concerns the guard; and it
 * holds no file of theirs open. */
static void detach(int pipe)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t none;

    setsid();
    for (int i = 1; i < NSIG; i++) {
        sigaction(i, &ignore, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "moonlatch-guard");
    if (pipe != 3) {
        dup2(pipe, 3);
    }
    close_range(4, ~0u, 0);
    close_range(0, 2, 0);
}

/* Outside. */

int guard_start(struct guard *g, const char *owner)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    g->pipe = ends[1];
    g->pid = fork();
    if (g->pid < 0) {
        int err = -errno;

        close(ends[0]);
        close(ends[1]);
        return err;
    }
    if (g->pid == 0) {
        detach(ends[0]);
        guard(3, owner);
        _exit(0);
    }
    close(ends[0]);
    return 0;
}

static void tell(struct guard *g, int64_t deadline_ns)
{
    ssize_t written;

    do {
        written = write(g->pipe, &deadline_ns, sizeof deadline_ns);
    } while (written < 0 && errno == EINTR);
}

void guard_extend(struct guard *g, int64_t deadline_ns)
{
    tell(g, deadline_ns);
}

/* Somebody may have stopped it. */
void guard_end(struct guard *g)
{
    tell(g, LETS_GO);
    kill(g->pid, SIGKILL);
    close(g->pipe);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
