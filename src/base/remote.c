#include "base/remote.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MOST = 64 * 1024, PIECE = 4096 };

/* Waits until the socket is ready for that. */
static int wait_for(const struct remote *r, short events)
{
    struct pollfd fd = {.fd = r->fd, .events = events};
    int64_t left_us;
    int ready;

    do {
        left_us = r->deadline_us - clock_monotonic_us();
        if (left_us <= 0) {
            return -ETIMEDOUT;
        }
        ready = poll(&fd, 1, (int)(left_us / 1000) + 1);
    } while (ready == 0 || (ready < 0 && errno == EINTR));
    return ready < 0 ? -errno : 0;
}

static int connect_to(struct remote *r, const struct addrinfo *address)
{
    socklen_t len = sizeof(int);
    int result = 0;
    int err;

    r->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->fd < 0) {
        return -errno;
    }
    if (connect(r->fd, address->ai_addr, address->ai_addrlen) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return -errno;
    }
    err = wait_for(r, POLLOUT);
    if (err == 0 && getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &result, &len) != 0) {
        err = -errno;
    }
    return err != 0 ? err : -result;
}

static void close_socket(struct remote *r)
{
    if (r->fd >= 0) {
        close(r->fd);
        r->fd = -1;
    }
}

int remote_open(struct remote *r, const char *host, const char *port, int64_t timeout_ms)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int err = -EHOSTUNREACH;

    r->deadline_us = clock_monotonic_us() + timeout_ms * 1000;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return err;
    }
    for (const struct addrinfo *a = found; a != NULL && err != 0; a = a->ai_next) {
        close_socket(r);
        err = connect_to(r, a);
    }
    freeaddrinfo(found);
    return err;
}

void remote_close(struct remote *r)
{
    close_socket(r);
    buf_clear(&r->received);
}

int remote_send(struct remote *r, struct bytes bytes)
{
    int err;

    while (bytes.len > 0) {
        ssize_t count = send(r->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (count >= 0) {
            bytes = (struct bytes){bytes.at + count, bytes.len - (size_t)count};
        } else if (errno == EAGAIN) {
            err = wait_for(r, POLLOUT);
            if (err != 0) {
                return err;
            }
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* Receives something. */
static int receive(struct remote *r)
{
    int err = wait_for(r, POLLIN);
    ssize_t count;

    if (err != 0) {
        return err;
    }
    count = recv(r->fd, buf_reserve(&r->received, PIECE), PIECE, 0);
    if (count < 0) {
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    }
    r->received.len += (size_t)count;
    return count == 0 ? -ECONNRESET : 0;
}

int remote_read_line(struct remote *r, struct buf *line)
{
    const char *end;
    size_t len;
    int err;

    while (r->received.len == 0 ||
           (end = memmem(r->received.at, r->received.len, "\r\n", 2)) == NULL) {
        if (r->received.len > LINE_MOST) {
            return -EMSGSIZE;
        }
        err = receive(r);
        if (err != 0) {
            return err;
        }
    }
    len = (size_t)(end - r->received.at);
    line->len = 0;
    buf_add(line, (struct bytes){r->received.at, len});
    buf_drop_front(&r->received, len + 2);
    return 0;
}
