/* A descriptor that is watched by epoll. */
#ifndef CLIENT_WATCH_H
#define CLIENT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
    int fd;        /* -1: none. */
    bool for_room; /* To send. */
    void (*ready)(struct watch *w, uint32_t events);
};

/* 0, or -1 with errno. */
int watch_begin(struct watch *w, int epoll, bool for_room);
void watch_for_room(struct watch *w, int epoll, bool for_room);

/* Closes the descriptor. */
void watch_end(struct watch *w);

#endif
