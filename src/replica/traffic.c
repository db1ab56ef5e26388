#include "replica/traffic.h"

#include "replica/memory.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* A connection is known by its descriptor, and by the cookie that the kernel gives to a
 * socket: another one may have got the descriptor meanwhile. */
struct line {
    struct line *next;
    uint64_t id;
    int fd;
    uint64_t cookie;
    struct traffic_bytes seen;
};

/* What gone connections have carried. */
struct past {
    struct past *next;
    uint64_t id;
    struct traffic_bytes sum;
};

struct traffic {
    struct line *lines;
    struct past *pasts;
};

struct traffic *traffic_new(void)
{
    return memory_new(sizeof(struct traffic));
}

void traffic_free(struct traffic *t)
{
    if (t == NULL) {
        return;
    }
    while (t->lines != NULL) {
        struct line *line = t->lines;
        t->lines = line->next;
        free(line);
    }
    while (t->pasts != NULL) {
        struct past *past = t->pasts;
        t->pasts = past->next;
        free(past);
    }
    free(t);
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;

    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
    return cookie;
}

/* Returns false if the connection is gone. */
static bool look_at(struct line *line)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (cookie_of(line->fd) != line->cookie ||
        getsockopt(line->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return false;
    }
    line->seen.sent = info.tcpi_bytes_acked;
    line->seen.received = info.tcpi_bytes_received;
    return true;
}

static struct past *past_of(struct traffic *t, uint64_t id)
{
    struct past *past = t->pasts;

    while (past != NULL && past->id != id) {
        past = past->next;
    }
    if (past == NULL) {
        past = memory_new(sizeof *past);
        past->id = id;
        past->next = t->pasts;
        t->pasts = past;
    }
    return past;
}

static void add(struct traffic_bytes *sum, const struct traffic_bytes *more)
{
    sum->sent += more->sent;
    sum->received += more->received;
}

void traffic_look(struct traffic *t)
{
    struct line **at = &t->lines;

    while (*at != NULL) {
        struct line *line = *at;

        if (look_at(line)) {
            at = &line->next;
        } else {
            add(&past_of(t, line->id)->sum, &line->seen);
            *at = line->next;
            free(line);
        }
    }
}

void traffic_add(struct traffic *t, uint64_t id, int fd)
{
    struct line *line = memory_new(sizeof *line);

    traffic_look(t);
    line->id = id;
    line->fd = fd;
    line->cookie = cookie_of(fd);
    line->next = t->lines;
    t->lines = line;
}

struct traffic_bytes traffic_of(struct traffic *t, uint64_t id)
{
    struct traffic_bytes sum = {0};

    traffic_look(t);
    for (struct past *past = t->pasts; past != NULL; past = past->next) {
        if (past->id == id) {
            add(&sum, &past->sum);
        }
    }
    for (struct line *line = t->lines; line != NULL; line = line->next) {
        if (line->id == id) {
            add(&sum, &line->seen);
        }
    }
    return sum;
}
