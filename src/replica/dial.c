/* Dialing: from an address to a connection whose other side has proved itself. */
#include "replica/memory.h"
#include "replica/peer_state.h"

#include <assert.h>
#include <errno.h>
#include <raft.h>
#include <stdio.h>

enum { ADDRESSES_MAX = 8 }; /* Of one name. */

/* It goes through resolving, connecting and the handshake; each of them leaves something
 * with libuv for which it is kept when it has ended. */
struct peer_dial {
    struct task task;
    struct peer *peer;
    peer_dialed dialed; /* NULL: nobody is told. */
    void *context;
    enum peer_kind kind;
    uint64_t to;
    uint64_t deadline_ms; /* The task's is that of one address. */

    uv_getaddrinfo_t resolve;
    bool resolving;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    size_t address_count;
    size_t tried;

    uv_tcp_t *stream; /* NULL: none. */
    uv_connect_t connect;
    struct handshake handshake;
    char in[HANDSHAKE_HELLO_SIZE];

    bool ended;
    const char *error; /* Of the last address that was tried. */
};

static void free_if_unused(struct peer_dial *d)
{
    if (d->ended && !d->resolving && d->stream == NULL) {
        peer_let_go(d->peer);
        free(d);
    }
}

static void try_next(struct peer_dial *d);

static void on_closed(uv_handle_t *handle)
{
    struct peer_dial *d = handle->data;

    raft_free(handle);
    d->stream = NULL;
    if (d->ended) {
        free_if_unused(d);
    } else {
        try_next(d);
    }
}

static void close_stream(struct peer_dial *d)
{
    if (d->stream != NULL && !uv_is_closing((uv_handle_t *)d->stream)) {
        uv_close((uv_handle_t *)d->stream, on_closed);
    }
}

static void tell(struct peer_dial *d, uv_stream_t *stream, const char *error)
{
    peer_dialed dialed = d->dialed;

    d->dialed = NULL;
    if (dialed != NULL) {
        dialed(d->context, stream, error);
    }
}

static void end(struct peer_dial *d, const char *error)
{
    task_stop(&d->task);
    d->ended = true;
    if (d->resolving) {
        uv_cancel((uv_req_t *)&d->resolve);
    }
    close_stream(d);
    tell(d, NULL, error);
    free_if_unused(d);
}

/* Goes on with the next address, or ends if there is none. */
static void give_address_up(struct peer_dial *d, const char *error)
{
    d->error = error;
    if (d->stream != NULL) {
        close_stream(d);
    } else {
        try_next(d);
    }
}

static void on_end(struct task *task, const char *why)
{
    struct peer_dial *d = (struct peer_dial *)((char *)task - offsetof(struct peer_dial, task));
    bool more = d->tried < d->address_count && uv_now(d->peer->loop) < d->deadline_ms;

    if (more && !d->peer->closing) {
        give_address_up(d, why);
    } else {
        end(d, d->error != NULL ? d->error : why);
    }
}

/* The handshake. */

static void handshake_room_of_dial(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct peer_dial *d = handle->data;

    (void)suggested;
    *room = uv_buf_init(d->in, (unsigned)handshake_wants(&d->handshake));
}

static void succeed(struct peer_dial *d)
{
    uv_stream_t *stream = (uv_stream_t *)d->stream;

    task_stop(&d->task);
    uv_read_stop(stream);
    stream->data = NULL;
    d->stream = NULL;
    d->ended = true;
    tell(d, stream, NULL);
    free_if_unused(d);
}

/* What the other side says is true for all its addresses. */
static void on_handshake(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct peer_dial *d = stream->data;
    struct handshake *h = &d->handshake;
    int err;

    if (count < 0) {
        end(d, uv_strerror((int)count));
        return;
    }
    if (!handshake_take(h, (struct bytes){room->base, (size_t)count})) {
        end(d, handshake_text(h->refusal));
        return;
    }
    err = peer_send_handshake(h, stream);
    if (err != 0) {
        end(d, uv_strerror(err));
    } else if (h->step == HANDSHAKE_DONE) {
        succeed(d);
    }
}

/* Connecting. */

static void on_connected(uv_connect_t *connect, int status)
{
    struct peer_dial *d = connect->data;
    uv_stream_t *stream = connect->handle;

    if (uv_is_closing((uv_handle_t *)stream)) {
        return;
    }
    if (status != 0) {
        give_address_up(d, uv_strerror(status));
        return;
    }
    peer_set_options(d->stream, d->kind);
    handshake_dial(&d->handshake, &d->peer->self, d->kind, d->to);
    status = peer_send_handshake(&d->handshake, stream);
    if (status != 0) {
        give_address_up(d, uv_strerror(status));
        return;
    }
    uv_read_start(stream, handshake_room_of_dial, on_handshake);
}

/* Each address gets its share of the time that is left. */
static void try_next(struct peer_dial *d)
{
    uint64_t now_ms = uv_now(d->peer->loop);
    size_t left = d->address_count - d->tried;
    int err;

    task_stop(&d->task);
    if (left == 0 || now_ms >= d->deadline_ms || d->peer->closing) {
        end(d, d->error);
        return;
    }
    task_start(&d->peer->tasks, &d->task, (d->deadline_ms - now_ms) / left, on_end);
    d->stream = peer_stream_new(d->peer);
    d->stream->data = d;
    d->connect.data = d;
    err = uv_tcp_connect(&d->connect, d->stream, (struct sockaddr *)&d->addresses[d->tried++],
                         on_connected);
    if (err != 0) {
        give_address_up(d, uv_strerror(err));
    }
}

/* Resolving. */

static void add_address(struct peer_dial *d, const struct sockaddr *address, size_t len)
{
    if (d->address_count < ADDRESSES_MAX) {
        assert(len <= sizeof d->addresses[0]);
        memcpy(&d->addresses[d->address_count++], address, len);
    }
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *found)
{
    struct peer_dial *d = resolve->data;

    for (struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        add_address(d, at->ai_addr, at->ai_addrlen);
    }
    uv_freeaddrinfo(found);
    d->resolving = false;
    if (d->ended) {
        free_if_unused(d);
    } else if (status != 0) {
        end(d, uv_strerror(status));
    } else {
        try_next(d);
    }
}

static int resolve_name(struct peer_dial *d, const char *host, int port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[8];
    int err;

    snprintf(service, sizeof service, "%d", port);
    d->resolve.data = d;
    err = uv_getaddrinfo(d->peer->loop, &d->resolve, on_resolved, host, service, &hints);
    d->resolving = err == 0;
    return err;
}

/* Addresses that are numbers need no thread to look them up. */
static int find_addresses(struct peer_dial *d, const char *host, int port)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (uv_ip4_addr(host, port, &in) == 0) {
        add_address(d, (struct sockaddr *)&in, sizeof in);
        return 0;
    }
    if (uv_ip6_addr(host, port, &in6) == 0) {
        add_address(d, (struct sockaddr *)&in6, sizeof in6);
        return 0;
    }
    return resolve_name(d, host, port);
}

/* What goes wrong at once is told at the next tick. */
static void begin(struct peer_dial *d, struct bytes text)
{
    struct address address;
    int err;

    if (!address_parse(text, &address)) {
        d->error = "that is no address";
        task_limit(&d->task, 0);
        return;
    }
    err = find_addresses(d, address.host, address.peer_port);
    if (err != 0) {
        d->error = uv_strerror(err);
        task_limit(&d->task, 0);
    } else if (!d->resolving) {
        try_next(d);
    }
}

struct peer_dial *peer_dial(struct peer *p, struct bytes address, enum peer_kind kind, uint64_t to,
                            peer_dialed dialed, void *context)
{
    struct peer_dial *d;

    if (p->closing) {
        return NULL;
    }
    d = memory_new(sizeof *d);
    d->peer = p;
    d->kind = kind;
    d->to = to;
    d->dialed = dialed;
    d->context = context;
    d->deadline_ms = uv_now(p->loop) + PEER_HANDSHAKE_MS;
    peer_use(p);
    task_start(&p->tasks, &d->task, PEER_HANDSHAKE_MS, on_end);
    begin(d, address);
    return d;
}

void peer_dial_cancel(struct peer_dial *d)
{
    assert(d->dialed != NULL);
    d->dialed = NULL;
    end(d, NULL);
}
