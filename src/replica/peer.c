#include "replica/peer_state.h"

#include "replica/memory.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <raft.h>
#include <sys/socket.h>

enum {
    KEEPALIVE_IDLE_S = 5,
    KEEPALIVE_INTERVAL_S = 2,
    KEEPALIVE_PROBES = 3,

    /* What is sent must arrive within this. For libraft that is short: what waits longer is
     * stale, and TCP would try again ever less often when the network is back. Files are
     * sent to disks, which may be slow. */
    RAFT_ARRIVAL_MS = 3000,
    OTHER_ARRIVAL_MS = 30000,
};

static char *copy(struct bytes text)
{
    char *new = memory_new(text.len + 1);

    bytes_to_string(text, new, text.len + 1);
    return new;
}

struct peer *peer_new(uv_loop_t *loop, const struct peer_settings *settings)
{
    struct peer *p = memory_new(sizeof *p);
    struct address address;
    bool fine = address_parse(settings->address, &address);

    assert(fine);
    assert(settings->id != 0);
    p->loop = loop;
    p->self.id = settings->id;
    p->self.group = settings->group;
    address_format(&address, p->self.address);
    p->self.secret = (struct bytes){copy(settings->secret), settings->secret.len};
    p->port = address.peer_port;
    p->bind = copy(settings->bind);
    tasks_init(&p->tasks, loop);
    p->users = 1;
    return p;
}

void peer_set_group(struct peer *p, uint64_t group)
{
    p->self.group = group;
}

void peer_use(struct peer *p)
{
    p->users++;
}

void peer_let_go(struct peer *p)
{
    assert(p->users > 0);
    p->users--;
    if (p->users == 0) {
        p->closed(p->closed_context);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    peer_let_go(handle->data);
}

static void on_listener_closed(uv_handle_t *handle)
{
    peer_let_go(handle->data);
}

void peer_close(struct peer *p, void (*closed)(void *context), void *context)
{
    assert(!p->closing);
    p->closing = true;
    p->closed = closed;
    p->closed_context = context;
    tasks_end(&p->tasks, "this server closes");
    for (size_t i = 0; i < p->listener_count; i++) {
        peer_use(p);
        uv_close((uv_handle_t *)&p->listeners[i], on_listener_closed);
    }
    p->tasks.timer.data = p;
    uv_close((uv_handle_t *)&p->tasks.timer, on_timer_closed);
}

void peer_free(struct peer *p)
{
    if (p == NULL) {
        return;
    }
    assert(p->users == 0);
    free((char *)p->self.secret.at);
    free(p->bind);
    free(p);
}

uv_loop_t *peer_loop(struct peer *p)
{
    return p->loop;
}

bool peer_is_closing(const struct peer *p)
{
    return p->closing;
}

bool peer_may_complain(struct peer *p, const char *whom)
{
    return complaint_is_due(&p->complaints, whom, uv_now(p->loop));
}

uv_tcp_t *peer_stream_new(struct peer *p)
{
    uv_tcp_t *stream = raft_malloc(sizeof *stream);

    if (stream == NULL) {
        abort();
    }
    uv_tcp_init(p->loop, stream);
    return stream;
}

void peer_set_options(uv_tcp_t *stream, enum peer_kind kind)
{
    int interval_s = KEEPALIVE_INTERVAL_S;
    int probes = KEEPALIVE_PROBES;
    unsigned arrival_ms = kind == PEER_RAFT ? RAFT_ARRIVAL_MS : OTHER_ARRIVAL_MS;
    uv_os_fd_t fd;

    uv_tcp_nodelay(stream, 1);
    uv_tcp_keepalive(stream, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)stream, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &arrival_ms, sizeof arrival_ms);
    }
}

/* The messages are far smaller than what a new socket takes at once. */
int peer_send_handshake(struct handshake *h, uv_stream_t *stream)
{
    uv_buf_t out = uv_buf_init((char *)h->out, (unsigned)h->out_len);
    int sent;

    if (h->out_len == 0) {
        return 0;
    }
    sent = uv_try_write(stream, &out, 1);
    if (sent < 0) {
        return sent;
    }
    if ((size_t)sent < h->out_len) {
        return -ENOBUFS;
    }
    h->out_len = 0;
    return 0;
}

static void on_hung_up(uv_handle_t *handle)
{
    raft_free(handle);
}

void peer_hang_up(uv_stream_t *stream)
{
    uv_close((uv_handle_t *)stream, on_hung_up);
}
