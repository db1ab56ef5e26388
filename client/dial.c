#include "client/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A peer that is gone without a word is noticed after 20 seconds. */
static void set_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 11}, {IPPROTO_TCP, TCP_KEEPINTVL, 3},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                   sizeof options[i].value);
    }
}

static int begin(int family, const struct sockaddr *address, socklen_t len, int *fd)
{
    int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err;

    if (s < 0) {
        return errno;
    }
    if (family != AF_UNIX) {
        set_options(s);
    }
    if (connect(s, address, len) != 0 && errno != EINPROGRESS) {
        err = errno;
        close(s);
        return err;
    }
    *fd = s;
    return 0;
}

static int begin_unix(const char *path, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        return ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    return begin(AF_UNIX, (const struct sockaddr *)&address, sizeof address, fd);
}

/* The getaddrinfo() of an address is a matter of the C library alone; of a name, of the
 * resolver. */
static int look_up(const struct address *a, struct addrinfo **found)
{
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    };
    char port[8];
    int err;

    snprintf(port, sizeof port, "%hu", (unsigned short)a->port);
    err = getaddrinfo(a->host, port, &hints, found);
    if (err == EAI_NONAME) {
        hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
        err = getaddrinfo(a->host, port, &hints, found);
    }
    return err;
}

int dial_begin(const struct address *a, unsigned turn, int *fd)
{
    struct addrinfo *found, *chosen;
    unsigned count = 0;
    int err;

    if (a->port == 0) {
        return begin_unix(a->host, fd);
    }
    err = look_up(a, &found);
    if (err != 0) {
        return err == EAI_SYSTEM ? errno : err;
    }
    for (chosen = found; chosen != NULL; chosen = chosen->ai_next) {
        count++;
    }
    chosen = found;
    for (turn %= count; turn > 0; turn--) {
        chosen = chosen->ai_next;
    }
    err = begin(chosen->ai_family, chosen->ai_addr, chosen->ai_addrlen, fd);
    freeaddrinfo(found);
    return err;
}

/* The errors of getaddrinfo() are below 0. */
const char *dial_text(int err)
{
    return err < 0 ? gai_strerror(err) : strerror(err);
}

int dial_end(int fd)
{
    int err = 0;
    socklen_t len = sizeof err;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0) {
        return errno;
    }
    return err;
}
