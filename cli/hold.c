#include "cli/hold.h"

#include "cli/child.h"
#include "cli/guard.h"
#include "cli/marked.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* How long before the end of the lease the command is killed at the latest: what it takes to find
 * and kill all of its processes. */
enum { KILL_BEFORE_MS = 200 };

enum { TELL_EACH_MS = 1000, LEFT_EACH_MS = 20 };

/* All that concerns us or the command. */
static const int signals[] = {SIGHUP,   SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
                              SIGWINCH, SIGCONT, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE};

struct state {
    const struct hold *hold;
    moonlatch *session;
    moonlatch_lock *lock;
    int signals;

    /* Waiting. */
    bool is_answered;
    moonlatch_status answer;
    int ended_by; /* A signal; 0: none. */
    int64_t began_ms;
    bool has_told;

    /* Holding. */
    struct child child;
    struct guard guard;
    int64_t told_until_ms; /* The deadline that the guard knows. */
    bool is_lost;
    bool was_asked; /* The command was, to end. */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int watch_signals(void)
{
    sigset_t all;

    sigemptyset(&all);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&all, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &all, NULL);
    return signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int next_signal(const struct state *s)
{
    struct signalfd_siginfo info;

    return read(s->signals, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

/* Waits for something to happen, for so long at the most, and has the library do its part. */
static void wait_for_something(struct state *s, int64_t most_ms)
{
    struct pollfd wait[] = {{.fd = moonlatch_fd(s->session), .events = POLLIN},
                            {.fd = s->signals, .events = POLLIN}};
    int64_t until_ms = moonlatch_timeout_ms(s->session);

    if (until_ms >= 0 && (most_ms < 0 || until_ms < most_ms)) {
        most_ms = until_ms;
    }
    poll(wait, 2, most_ms > INT32_MAX ? INT32_MAX : (int)most_ms);
    moonlatch_process(s->session);
}

/* Getting the lock. */

static void on_answer(moonlatch_lock *lock, moonlatch_status status, void *context)
{
    struct state *s = context;

    (void)lock;
    s->is_answered = true;
    s->answer = status;
}

/* On a terminal, one line that is written anew. */
static void tell_wait(struct state *s)
{
    char waited[32], rest[32];
    const char *holder = moonlatch_holder(s->lock);

    if (s->hold->settings->is_quiet || !isatty(STDERR_FILENO)) {
        return;
    }
    fprintf(stderr, "\r\033[Kmoonlatch: waiting for '%s' since %s", s->hold->names[0],
            tell_duration(now_ms() - s->began_ms, waited));
    if (holder[0] != '\0') {
        fprintf(stderr, ", which %s holds for %s at the most", holder,
                tell_duration(moonlatch_holder_remaining_ms(s->lock), rest));
    }
    s->has_told = true;
}

static void end_line(struct state *s)
{
    if (s->has_told) {
        fprintf(stderr, "\r\033[K");
        s->has_told = false;
    }
}

/* Those that end a program which does not expect them. */
static bool ends_program(int number)
{
    return number != SIGWINCH && number != SIGCONT && number != SIGCHLD && number != SIGTSTP &&
           number != SIGTTIN && number != SIGTTOU && number != SIGPIPE;
}

static void take_signals_while_waiting(struct state *s)
{
    int number;

    while ((number = next_signal(s)) != 0) {
        if (ends_program(number) && s->ended_by == 0) {
            s->ended_by = number;
            moonlatch_acquire_cancel(s->lock);
        }
    }
}

/* A first try, which tells who has it, if there is somebody to be told. */
static bool is_free(struct state *s)
{
    s->answer = moonlatch_acquire(s->lock, 0);
    return s->answer != MOONLATCH_BUSY || s->hold->wait_ms == 0;
}

static void acquire(struct state *s)
{
    s->began_ms = now_ms();
    if (is_free(s)) {
        return;
    }
    s->answer = moonlatch_acquire_async(s->lock, s->hold->wait_ms, on_answer, s);
    if (s->answer != MOONLATCH_OK) {
        return;
    }
    while (!s->is_answered) {
        tell_wait(s);
        wait_for_something(s, TELL_EACH_MS);
        take_signals_while_waiting(s);
    }
    end_line(s);
}

/* Holding it. */

static void on_loss(moonlatch_lock *lock, uint64_t token, void *context)
{
    struct state *s = context;

    (void)lock;
    (void)token;
    s->is_lost = true;
}

/* Until when the command may live: a moment less than the lease is sure to last. */
static int64_t end_ms(const struct state *s)
{
    return now_ms() + moonlatch_remaining_ms(s->lock) - KILL_BEFORE_MS;
}

static void tell_guard(struct state *s)
{
    int64_t until_ms = end_ms(s);

    if (!s->is_lost && until_ms > s->told_until_ms + 1) {
        s->told_until_ms = until_ms;
        guard_extend(&s->guard, until_ms * 1000000);
    }
}

static void hand_signals_on(struct state *s)
{
    int number;

    while ((number = next_signal(s)) != 0) {
        if (number == SIGCHLD) {
            child_look(&s->child);
        } else {
            child_signal(&s->child, number);
        }
    }
}

/* When the lock is about to be lost the command is asked to end, and made to if it does not. */
static void end_in_time(struct state *s)
{
    int64_t left_ms = s->told_until_ms - now_ms();

    if (s->is_lost || left_ms <= 0) {
        s->is_lost = true;
        marked_kill(s->child.owner);
    } else if (left_ms <= s->hold->grace_ms && !s->was_asked) {
        s->was_asked = true;
        complain("the lock '%s' is being lost: %s", s->hold->names[0],
                 moonlatch_message(s->session));
        marked_signal(s->child.owner, SIGTERM);
        marked_signal(s->child.owner, SIGCONT);
    }
}

static int64_t until_next_step_ms(const struct state *s)
{
    int64_t left_ms = s->told_until_ms - now_ms();

    if (!s->was_asked) {
        left_ms -= s->hold->grace_ms;
    }
    return left_ms > 0 ? left_ms : 0;
}

static void run(struct state *s)
{
    while (!s->child.has_ended) {
        wait_for_something(s, until_next_step_ms(s));
        tell_guard(s);
        hand_signals_on(s);
        child_look(&s->child);
        if (!s->child.has_ended) {
            end_in_time(s);
        }
    }
}

/* What the command has left behind works on, and may think that it has the lock. */
static void end_the_rest(struct state *s)
{
    int64_t until_ms = now_ms() + s->hold->grace_ms;

    if (marked_signal(s->child.owner, SIGTERM) == 0) {
        return;
    }
    while (now_ms() < until_ms && !s->is_lost && now_ms() < s->told_until_ms &&
           marked_signal(s->child.owner, 0) > 0) {
        wait_for_something(s, LEFT_EACH_MS);
        tell_guard(s);
        hand_signals_on(s);
    }
    marked_kill(s->child.owner);
    child_look(&s->child);
}

/* The environment of the command. */

static void set_number(const char *name, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    setenv(name, text, 1);
}

static void set_names(const struct hold *h)
{
    char *all;
    size_t size;
    FILE *out = open_memstream(&all, &size);

    for (size_t i = 0; out != NULL && i < h->count; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", h->names[i]);
    }
    if (out != NULL && fclose(out) == 0) {
        setenv("MOONLATCH_LOCK_NAME", all, 1);
        free(all);
    }
}

static void mark(const char *owner)
{
    const char *outer = getenv(MARKED_VARIABLE);
    char *all;

    if (asprintf(&all, "%s%s ", outer != NULL ? outer : " ", owner) >= 0) {
        setenv(MARKED_VARIABLE, all, 1);
        free(all);
    }
}

static void set_environment(const struct state *s)
{
    const char *owner = moonlatch_owner(s->lock);

    set_names(s->hold);
    set_number("MOONLATCH_LOCK_TOKEN", moonlatch_token(s->lock));
    set_number("MOONLATCH_LOCK_TTL_MS", s->hold->options.ttl_ms);
    setenv("MOONLATCH_LOCK_OWNER", owner, 1);
    mark(owner);
}

/* All of it. */

static int tell_release(struct state *s)
{
    moonlatch_status status = moonlatch_release(s->lock);

    if (status == MOONLATCH_LOST) {
        complain("the lock '%s' was lost", s->hold->names[0]);
        return EXIT_LOST;
    }
    if (status != MOONLATCH_OK) {
        complain("the lock '%s' is free only when its lease is over: %s", s->hold->names[0],
                 moonlatch_message(s->session));
    }
    return child_exit_code(&s->child);
}

static int run_command(struct state *s)
{
    const char *owner = moonlatch_owner(s->lock);
    int err = guard_start(&s->guard, owner);

    if (err == 0) {
        tell_guard(s);
        set_environment(s);
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        err = child_start(&s->child, s->hold->command, owner);
        if (err != 0) {
            guard_end(&s->guard);
        }
    }
    if (err != 0) {
        complain("cannot start a process: %s", strerror(-err));
        moonlatch_release(s->lock);
        return CHILD_CANNOT_RUN;
    }
    run(s);
    end_the_rest(s);
    child_take_terminal(&s->child);
    guard_end(&s->guard);
    if (s->is_lost || s->was_asked) {
        complain("the lock '%s' was lost, and the command was ended", s->hold->names[0]);
        return EXIT_LOST;
    }
    return tell_release(s);
}

static int tell_failure(struct state *s)
{
    char rest[32];

    if (s->ended_by != 0) {
        return 128 + s->ended_by;
    }
    if (s->answer != MOONLATCH_BUSY) {
        int code = fail_with(s->session, s->answer);
        return code == EXIT_NOT_OBTAINED ? s->hold->not_obtained : code;
    }
    if (!s->hold->settings->is_quiet && isatty(STDERR_FILENO)) {
        complain("'%s' is held by %s, for %s at the most", s->hold->names[0],
                 moonlatch_holder(s->lock),
                 tell_duration(moonlatch_holder_remaining_ms(s->lock), rest));
    }
    return s->hold->not_obtained;
}

static int hold_with(struct state *s)
{
    struct moonlatch_lock_options options = s->hold->options;
    moonlatch_status status;
    int code;

    options.on_loss = on_loss;
    options.context = s;
    status = moonlatch_lock_new(s->session, s->hold->names, s->hold->count, &options, &s->lock);
    if (status != MOONLATCH_OK) {
        return fail_with(s->session, status);
    }
    s->signals = watch_signals();
    acquire(s);
    code = s->answer == MOONLATCH_OK && s->ended_by == 0 ? run_command(s) : tell_failure(s);
    close(s->signals);
    moonlatch_lock_free(s->lock);
    return code;
}

int hold_and_run(const struct hold *h)
{
    struct state s = {.hold = h, .session = open_session(h->settings)};
    int code;

    if (s.session == NULL) {
        return EXIT_USAGE;
    }
    code = hold_with(&s);
    moonlatch_close(s.session);
    return code;
}
