#include "client/turn.h"

#include "client/lock.h"
#include "client/outlook.h"
#include "client/renewer.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { READY_MOST = 16 };

bool session_enter(moonlatch *s)
{
    if (s->pid != getpid()) {
        return false;
    }
    pthread_mutex_lock(&s->mutex);
    if (s->renewer != NULL) {
        renewer_step_aside(s);
    }
    return true;
}

void session_leave(moonlatch *s)
{
    if (s->renewer != NULL) {
        renewer_step_in(s);
    }
    if (s->outlook != NULL) {
        outlook_update(s);
    }
    pthread_mutex_unlock(&s->mutex);
}

void session_turn(moonlatch *s, int64_t until_us)
{
    struct epoll_event ready[READY_MOST];
    int64_t due_us = timers_next_us(&s->timers);
    int wait_ms = timer_wait_ms(due_us < until_us ? due_us : until_us, clock_now_us());
    int count;

    pthread_mutex_unlock(&s->mutex);
    count = epoll_wait(s->epoll, ready, READY_MOST, wait_ms);
    pthread_mutex_lock(&s->mutex);
    for (int i = 0; i < count; i++) {
        struct watch *w = ready[i].data.ptr;

        w->ready(w, ready[i].events);
    }
    timers_fire(&s->timers, clock_now_us());
}

void session_add_loss(moonlatch *s, struct event *e)
{
    TAILQ_INSERT_TAIL(&s->losses, e, entry);
    if (s->renewer != NULL) {
        renewer_wake(s);
    }
}

void session_add_end(moonlatch *s, struct event *e)
{
    TAILQ_INSERT_TAIL(&s->ends, e, entry);
}

void session_tell(moonlatch *s)
{
    struct notice notice;
    bool is_more;

    while (session_enter(s)) {
        is_more = lock_take_end(s, &notice) || (s->renewer == NULL && lock_take_loss(s, &notice));
        session_leave(s);
        if (!is_more) {
            return;
        }
        lock_tell(&notice);
    }
}
