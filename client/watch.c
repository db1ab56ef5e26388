#include "client/watch.h"

#include <sys/epoll.h>
#include <unistd.h>

static struct epoll_event event_of(struct watch *w)
{
    struct epoll_event event = {.events = EPOLLIN | (w->for_room ? EPOLLOUT : 0)};

    event.data.ptr = w;
    return event;
}

int watch_begin(struct watch *w, int epoll, bool for_room)
{
    struct epoll_event event;

    w->for_room = for_room;
    event = event_of(w);
    return epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event);
}

void watch_for_room(struct watch *w, int epoll, bool for_room)
{
    struct epoll_event event;

    if (w->for_room == for_room) {
        return;
    }
    w->for_room = for_room;
    event = event_of(w);
    epoll_ctl(epoll, EPOLL_CTL_MOD, w->fd, &event);
}

void watch_end(struct watch *w)
{
    if (w->fd >= 0) {
        close(w->fd);
        w->fd = -1;
    }
}
