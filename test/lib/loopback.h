/* For tests in which servers meet on this host, all of them on one loop. */
#ifndef TEST_LOOPBACK_H
#define TEST_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* Returns a port at which nobody listens on this host. */
static inline uint16_t loopback_port(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) != 0 ||
        getsockname(fd, (struct sockaddr *)&any, &len) != 0) {
        abort();
    }
    close(fd);
    return ntohs(any.sin_port);
}

/* Returns a socket that is connected to a port of this host. */
static inline int loopback_connect(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        abort();
    }
    return fd;
}

static inline void loopback_on_time(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until *done, at the most for so long. Returns *done. */
static inline bool loopback_run(uv_loop_t *loop, const bool *done, uint64_t limit_ms)
{
    uint64_t end_ms;
    uv_timer_t timer;

    uv_update_time(loop);
    end_ms = uv_now(loop) + limit_ms;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, loopback_on_time, 5, 5);
    while (!*done && uv_now(loop) < end_ms) {
        uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return *done;
}

#endif
