#include "client/outlook.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* An epoll descriptor that watches the session's own, so that what is only to be told wakes nobody
 * but the caller. */
struct outlook {
    int epoll, timer, bell;
    int64_t set_us; /* The timer; NEVER_US: it is not set. */
    bool has_rung;
};

static bool add(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct outlook *outlook_new(moonlatch *s)
{
    struct outlook *o = malloc(sizeof *o);

    if (o == NULL) {
        return NULL;
    }
    *o = (struct outlook){
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
        .bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .set_us = NEVER_US,
    };
    if (o->epoll < 0 || !add(o->epoll, s->epoll) || !add(o->epoll, o->timer) ||
        !add(o->epoll, o->bell)) {
        outlook_free(o);
        return NULL;
    }
    return o;
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void outlook_free(struct outlook *o)
{
    if (o != NULL) {
        close_if_open(o->epoll);
        close_if_open(o->timer);
        close_if_open(o->bell);
        free(o);
    }
}

int outlook_fd(const struct outlook *o)
{
    return o->epoll;
}

static void set_timer(struct outlook *o, int64_t due_us)
{
    struct itimerspec when = {0};

    if (due_us != NEVER_US) {
        /* Zero would mean: not at all. */
        due_us = due_us > 0 ? due_us : 1;
        when.it_value.tv_sec = due_us / 1000000;
        when.it_value.tv_nsec = due_us % 1000000 * 1000;
    }
    timerfd_settime(o->timer, TFD_TIMER_ABSTIME, &when, NULL);
    o->set_us = due_us;
}

/* A timer that is early is no matter: it is set anew when it has fired. */
static void update_timer(struct outlook *o, int64_t due_us)
{
    if (due_us < o->set_us || clock_now_us() >= o->set_us) {
        set_timer(o, due_us);
    }
}

static void update_bell(struct outlook *o, bool rings)
{
    if (rings && !o->has_rung) {
        eventfd_write(o->bell, 1);
    } else if (!rings && o->has_rung) {
        eventfd_t count;

        eventfd_read(o->bell, &count);
    }
    o->has_rung = rings;
}

void outlook_update(moonlatch *s)
{
    bool is_losing = s->renewer == NULL && !TAILQ_EMPTY(&s->losses);

    update_timer(s->outlook, timers_next_us(&s->timers));
    update_bell(s->outlook, is_losing || !TAILQ_EMPTY(&s->ends));
}
