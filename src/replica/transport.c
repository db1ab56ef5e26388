#include "replica/transport.h"

#include "base/log.h"
#include "replica/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct transport {
    struct raft_uv_transport raft; /* Its `data` is libraft's. */
    struct peer *peer;
    struct traffic *traffic;
    peer_accepted other;
    void *context;
    raft_uv_accept_cb accept; /* libraft's; NULL until it listens. */
    bool is_deaf;
    bool is_closed;
    raft_uv_transport_close_cb raft_closed;
    void (*closed)(void *context);
    void *closed_context;
};

/* A connection that libraft waits for. */
struct connecting {
    struct transport *transport;
    struct raft_uv_connect *request;
    uint64_t id;
    char address[ADDRESS_TEXT_MAX + 1];
};

/* libraft gives the identity that the settings have given already. */
static int on_init(struct raft_uv_transport *raft, raft_id id, const char *address)
{
    (void)raft;
    (void)id;
    (void)address;
    return 0;
}

static void count_traffic(struct transport *t, uint64_t id, uv_stream_t *stream)
{
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)stream, &fd) == 0) {
        traffic_add(t->traffic, id, fd);
    }
}

static void on_accepted(void *context, const struct peer_caller *caller, uv_stream_t *stream)
{
    struct transport *t = context;

    if (caller->kind == PEER_RAFT) {
        count_traffic(t, caller->id, stream);
        t->accept(&t->raft, caller->id, caller->address, stream);
    } else {
        t->other(t->context, caller, stream);
    }
}

static int on_listen(struct raft_uv_transport *raft, raft_uv_accept_cb accept)
{
    struct transport *t = raft->impl;

    t->accept = accept;
    if (t->is_deaf) {
        return 0;
    }
    if (peer_listen(t->peer, on_accepted, t) != 0) {
        snprintf(raft->errmsg, sizeof raft->errmsg, "cannot listen for peers");
        return RAFT_IOERR;
    }
    return 0;
}

static void on_dialed(void *context, uv_stream_t *stream, const char *error)
{
    struct connecting *c = context;
    struct transport *t = c->transport;
    struct raft_uv_connect *request = c->request;

    if (stream != NULL) {
        count_traffic(t, c->id, stream);
    } else if (!peer_is_closing(t->peer) && peer_may_complain(t->peer, c->address)) {
        log_write(LOG_WARNING, "Cannot reach server %" PRIu64 " at %s: %s", c->id, c->address,
                  error);
    }
    free(c);
    request->cb(request, stream,
                stream != NULL ? 0
                               : (peer_is_closing(t->peer) ? RAFT_CANCELED : RAFT_NOCONNECTION));
}

static int on_connect(struct raft_uv_transport *raft, struct raft_uv_connect *request, raft_id id,
                      const char *address, raft_uv_connect_cb connected)
{
    struct transport *t = raft->impl;
    struct connecting *c = memory_new(sizeof *c);

    c->transport = t;
    c->request = request;
    c->id = id;
    bytes_to_string(bytes_of(address), c->address, sizeof c->address);
    request->cb = connected;
    if (peer_dial(t->peer, bytes_of(address), PEER_RAFT, id, on_dialed, c) == NULL) {
        free(c);
        return RAFT_CANCELED;
    }
    return 0;
}

/* Either has asked for it, or both. */
static void on_closed(void *context)
{
    struct transport *t = context;

    t->is_closed = true;
    if (t->raft_closed != NULL) {
        t->raft_closed(&t->raft);
    }
    if (t->closed != NULL) {
        t->closed(t->closed_context);
    }
}

static void on_close(struct raft_uv_transport *raft, raft_uv_transport_close_cb closed)
{
    struct transport *t = raft->impl;

    t->raft_closed = closed;
    if (t->is_closed) {
        closed(raft);
    } else if (!peer_is_closing(t->peer)) {
        peer_close(t->peer, on_closed, t);
    }
}

void transport_close(struct transport *t, void (*closed)(void *context), void *context)
{
    t->closed = closed;
    t->closed_context = context;
    if (t->is_closed) {
        closed(context);
    } else if (!peer_is_closing(t->peer)) {
        peer_close(t->peer, on_closed, t);
    }
}

struct transport *transport_new(uv_loop_t *loop, const struct transport_settings *settings)
{
    struct transport *t = memory_new(sizeof *t);

    t->raft = (struct raft_uv_transport){.version = 1,
                                         .impl = t,
                                         .init = on_init,
                                         .listen = on_listen,
                                         .connect = on_connect,
                                         .close = on_close};
    t->peer = peer_new(loop, &settings->self);
    t->traffic = traffic_new();
    t->is_deaf = settings->is_deaf;
    t->other = settings->other;
    t->context = settings->context;
    return t;
}

void transport_free(struct transport *t)
{
    if (t == NULL) {
        return;
    }
    peer_free(t->peer);
    traffic_free(t->traffic);
    free(t);
}

struct raft_uv_transport *transport_for_raft(struct transport *t)
{
    return &t->raft;
}

struct peer *transport_peer(struct transport *t)
{
    return t->peer;
}

struct traffic_bytes transport_traffic(struct transport *t, uint64_t id)
{
    return traffic_of(t->traffic, id);
}
