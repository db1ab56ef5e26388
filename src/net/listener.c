#include "net/listener.h"

#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 100 }; /* So that a flood of connects leaves time for work. */

struct listener {
    uv_poll_t poll;
    int fd;
    struct conn_set *set;
    char *path; /* Of a Unix socket; removed at the end. */
};

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

static void spell(const union address *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];

    switch (a->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%d", host, ntohs(a->in.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%d", host, ntohs(a->in6.sin6_port));
        break;
    default:
        snprintf(out, size, "/:0");
    }
}

static bool is_local(const union address *a)
{
    switch (a->any.sa_family) {
    case AF_INET:
        return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
    default:
        return true;
    }
}

static void turn_away(int fd, const char *error)
{
    send(fd, error, strlen(error), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void set_options(int fd, int keepalive_s)
{
    int on = 1;
    int interval_s = keepalive_s / 3 > 0 ? keepalive_s / 3 : 1;
    int probes = 3;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (keepalive_s > 0) {
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof keepalive_s);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    }
}

static void welcome(struct listener *l, int fd, const union address *peer)
{
    struct conn_set *set = l->set;
    union address local = {0};
    socklen_t len = sizeof local;
    char peer_text[64], local_text[64];

    if (set->count >= set->settings->max_clients) {
        set->engine->stats.rejected_connections++;
        turn_away(fd, "-ERR max number of clients reached\r\n");
        return;
    }
    if (set->settings->protected_mode && set->engine->settings.requirepass.len == 0 &&
        !is_local(peer)) {
        set->engine->stats.rejected_connections++;
        turn_away(fd, "-DENIED Protected mode is on and no password is set: only connections "
                      "from this host are accepted. Set a password (requirepass), or turn "
                      "protected-mode off if the network is safe.\r\n");
        return;
    }
    getsockname(fd, &local.any, &len);
    spell(peer, peer_text, sizeof peer_text);
    spell(&local, local_text, sizeof local_text);
    if (peer->any.sa_family != AF_UNIX) {
        set_options(fd, set->settings->keepalive_s);
    }
    conn_open(set, fd, peer_text, local_text);
}

void listener_accept(struct listener *l)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        union address peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(l->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
                errno != ECONNABORTED) {
                log_write(LOG_WARNING, "Cannot accept a connection: %s", strerror(errno));
            }
            return;
        }
        if (len <= sizeof(sa_family_t)) {
            peer.any.sa_family = AF_UNIX;
        }
        welcome(l, fd, &peer);
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    listener_accept(poll->data);
}

/* Takes a bound socket. */
static int start(struct conn_set *set, int fd, struct listener **listener)
{
    struct listener *l;
    int err;

    if (listen(fd, set->settings->backlog) != 0) {
        err = -errno;
        close(fd);
        return err;
    }
    l = mem_zalloc(sizeof *l);
    l->fd = fd;
    l->set = set;
    l->poll.data = l;
    err = uv_poll_init(set->loop, &l->poll, fd);
    if (err != 0) {
        close(fd);
        mem_free(l);
        return err;
    }
    uv_poll_start(&l->poll, UV_READABLE, on_ready);
    *listener = l;
    return 0;
}

static int bind_tcp(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    int err;

    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int listener_open_tcp(struct conn_set *set, struct bytes address, int port,
                      struct listener **listener)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *info = NULL;
    char host[256], service[16];
    int result;

    bytes_to_string(address, host, sizeof host);
    snprintf(service, sizeof service, "%d", port);
    if (strcmp(host, "*") == 0) {
        strcpy(host, "0.0.0.0");
    } else if (strcmp(host, "::*") == 0) {
        strcpy(host, "::");
    }
    result = getaddrinfo(host, service, &hints, &info) == 0 ? bind_tcp(info) : -EADDRNOTAVAIL;
    if (info != NULL) {
        freeaddrinfo(info);
    }
    if (result >= 0) {
        result = start(set, result, listener);
    }
    if (result < 0) {
        log_write(LOG_WARNING, "Could not listen on %s port %d: %s", host, port, strerror(-result));
    }
    return result;
}

int listener_open_unix(struct conn_set *set, struct bytes path, unsigned mode,
                       struct listener **listener)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    mode_t mask;
    int err = 0;
    int fd;

    if (path.len >= sizeof un.sun_path) {
        log_write(LOG_WARNING, "The path of the Unix socket is too long");
        return -ENAMETOOLONG;
    }
    bytes_to_string(path, un.sun_path, sizeof un.sun_path);
    unlink(un.sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mask = umask(0077); /* Nobody else may connect before the mode is set. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0) {
        err = -errno;
    }
    umask(mask);
    if (err == 0 && mode != 0 && chmod(un.sun_path, mode) != 0) {
        err = -errno;
    }
    if (err != 0) {
        log_write(LOG_WARNING, "Could not listen on %s: %s", un.sun_path, strerror(-err));
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    err = start(set, fd, listener);
    if (err == 0) {
        (*listener)->path = mem_alloc(path.len + 1);
        bytes_to_string(path, (*listener)->path, path.len + 1);
    }
    return err;
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

bool listener_is_unix(const struct listener *l)
{
    return l->path != NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    mem_free(l->path);
    mem_free(l);
}

void listener_close(struct listener *l)
{
    if (l->path != NULL) {
        unlink(l->path);
    }
    uv_poll_stop(&l->poll);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd);
}
