#include "client/renewer.h"

#include "client/lock.h"
#include "client/turn.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct renewer {
    pthread_t thread;
    pthread_cond_t changed; /* It has stopped to make turns, or to tell. */
    int bell, timer;        /* What it sleeps by. */
    unsigned callers;       /* Calls that are being made. */
    bool makes_turn;        /* Takes what has come. */
    bool ends;
    int64_t set_us;              /* The timer. */
    const moonlatch_lock *tells; /* Whose callback is under way. */
};

static void ring(struct renewer *r)
{
    eventfd_write(r->bell, 1);
}

/* Whether something is to come that only a turn can take. */
static bool is_busy(const struct link *l)
{
    return l->state == LINK_CONNECTING || l->state == LINK_GREETING || !TAILQ_EMPTY(&l->sent);
}

/* Tells of one token that is lost. Returns false if there is none. */
static bool tell(moonlatch *s)
{
    struct renewer *r = s->renewer;
    struct notice notice;

    if (!lock_take_loss(s, &notice)) {
        return false;
    }
    r->tells = notice.lock;
    pthread_mutex_unlock(&s->mutex);
    lock_tell(&notice);
    pthread_mutex_lock(&s->mutex);
    r->tells = NULL;
    pthread_cond_broadcast(&r->changed);
    return true;
}

static void set_timer(struct renewer *r, int64_t due_us)
{
    struct itimerspec when = {0};

    if (due_us != NEVER_US) {
        due_us = due_us > 0 ? due_us : 1;
        when.it_value.tv_sec = due_us / 1000000;
        when.it_value.tv_nsec = due_us % 1000000 * 1000;
    }
    timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &when, NULL);
    r->set_us = due_us;
}

/* Sleeps until a timer is due, somebody rings, or, with nobody else to see it, something comes. */
static void sleep_until_needed(moonlatch *s)
{
    struct renewer *r = s->renewer;
    bool is_alone = r->callers == 0;
    int count = is_alone && is_busy(&s->calls) ? 3 : 2;
    struct pollfd fds[] = {
        {.fd = r->bell, .events = POLLIN},
        {.fd = r->timer, .events = POLLIN},
        {.fd = s->epoll, .events = POLLIN},
    };
    eventfd_t rung;

    set_timer(r, is_alone ? timers_next_us(&s->timers) : NEVER_US);
    pthread_mutex_unlock(&s->mutex);
    poll(fds, (nfds_t)count, -1);
    eventfd_read(r->bell, &rung);
    pthread_mutex_lock(&s->mutex);
    r->set_us = INT64_MIN; /* It is awake. */
}

static void make_turn(moonlatch *s)
{
    struct renewer *r = s->renewer;

    r->makes_turn = true;
    session_turn(s, 0);
    r->makes_turn = false;
    pthread_cond_broadcast(&r->changed);
}

static void *run(void *session)
{
    moonlatch *s = session;
    struct renewer *r = s->renewer;

    pthread_mutex_lock(&s->mutex);
    while (!r->ends) {
        if (tell(s)) {
            continue;
        }
        sleep_until_needed(s);
        if (r->callers == 0 && !r->ends) {
            make_turn(s);
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* No signal of the program's is to be handled by this thread. */
static int start_thread(moonlatch *s)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&s->renewer->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

static void discard(moonlatch *s)
{
    struct renewer *r = s->renewer;

    if (r->bell >= 0) {
        close(r->bell);
    }
    if (r->timer >= 0) {
        close(r->timer);
    }
    free(r);
    s->renewer = NULL;
}

moonlatch_status renewer_begin(moonlatch *s)
{
    struct renewer *r = malloc(sizeof *r);

    if (r == NULL) {
        return MOONLATCH_MEMORY;
    }
    *r = (struct renewer){
        .bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
        .set_us = INT64_MIN,
    };
    s->renewer = r;
    pthread_cond_init(&r->changed, NULL);
    if (r->bell < 0 || r->timer < 0 || start_thread(s) != 0) {
        discard(s);
        return MOONLATCH_MEMORY;
    }
    return MOONLATCH_OK;
}

void renewer_end(moonlatch *s)
{
    pthread_mutex_lock(&s->mutex);
    s->renewer->ends = true;
    ring(s->renewer);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->renewer->thread, NULL);
    pthread_cond_destroy(&s->renewer->changed);
    discard(s);
}

void renewer_forget(moonlatch *s)
{
    discard(s);
}

/* A turn that the thread has begun ends first: it would take what this call waits for. */
void renewer_step_aside(moonlatch *s)
{
    struct renewer *r = s->renewer;

    r->callers++;
    while (r->makes_turn) {
        pthread_cond_wait(&r->changed, &s->mutex);
    }
}

void renewer_step_in(moonlatch *s)
{
    struct renewer *r = s->renewer;

    r->callers--;
    if (r->callers == 0 && (timers_next_us(&s->timers) < r->set_us || is_busy(&s->calls))) {
        ring(r);
    }
}

void renewer_wake(moonlatch *s)
{
    ring(s->renewer);
}

void renewer_await(moonlatch *s, const moonlatch_lock *lock)
{
    struct renewer *r = s->renewer;

    while (r->tells == lock && !pthread_equal(r->thread, pthread_self())) {
        pthread_cond_wait(&r->changed, &s->mutex);
    }
}
