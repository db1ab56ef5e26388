/* Calls: a request to a peer, and its reply. */
#include "replica/frame.h"
#include "replica/memory.h"
#include "replica/peer_state.h"

#include <assert.h>

struct call {
    struct task task;
    struct peer *peer;
    struct peer_dial *dial; /* Until there is a connection, */
    uv_stream_t *stream;    /* and then this. */
    struct frame reply;
    peer_replied replied;
    void *context;
    size_t request_len;
    char request[];
};

static void finish(struct call *c, struct bytes reply, const char *error)
{
    struct peer *p = c->peer;

    task_stop(&c->task);
    if (c->dial != NULL) {
        peer_dial_cancel(c->dial);
    }
    if (c->stream != NULL) {
        peer_hang_up(c->stream);
    }
    c->replied(c->context, reply, error);
    frame_clear(&c->reply);
    free(c);
    peer_let_go(p);
}

static void fail(struct call *c, const char *error)
{
    finish(c, (struct bytes){0}, error);
}

static void on_end(struct task *task, const char *why)
{
    fail((struct call *)((char *)task - offsetof(struct call, task)), why);
}

static void reply_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct call *c = handle->data;

    (void)suggested;
    frame_room(&c->reply, room);
}

static void on_reply(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct call *c = stream->data;
    int complete;

    (void)room;
    if (count < 0) {
        fail(c, uv_strerror((int)count));
        return;
    }
    complete = frame_take(&c->reply, (size_t)count);
    if (complete < 0) {
        fail(c, "its reply is too long");
    } else if (complete > 0) {
        finish(c, frame_content(&c->reply), NULL);
    }
}

/* If the request cannot be sent, reading fails as well. */
static void on_dialed(void *context, uv_stream_t *stream, const char *error)
{
    struct call *c = context;

    c->dial = NULL;
    if (stream == NULL) {
        fail(c, error);
        return;
    }
    c->stream = stream;
    stream->data = c;
    uv_read_start(stream, reply_room, on_reply);
    frame_send(stream, (struct bytes){c->request, c->request_len}, NULL);
}

bool peer_call(struct peer *p, struct bytes address, enum peer_kind kind, struct bytes request,
               peer_replied replied, void *context)
{
    struct call *c;

    assert(request.len <= FRAME_MAX);
    if (p->closing) {
        return false;
    }
    c = memory_new(sizeof *c + request.len);
    c->peer = p;
    c->replied = replied;
    c->context = context;
    c->request_len = request.len;
    if (request.len > 0) {
        memcpy(c->request, request.at, request.len);
    }
    peer_use(p);
    task_start(&p->tasks, &c->task, PEER_CALL_MS, on_end);
    c->dial = peer_dial(p, address, kind, 0, on_dialed, c);
    return true;
}

/* Replies. */

struct reply {
    struct task task;
    struct peer *peer;
    uv_stream_t *stream;
};

static void reply_finish(struct reply *r)
{
    struct peer *p = r->peer;

    task_stop(&r->task);
    peer_hang_up(r->stream);
    free(r);
    peer_let_go(p);
}

static void on_reply_end(struct task *task, const char *why)
{
    (void)why;
    reply_finish((struct reply *)((char *)task - offsetof(struct reply, task)));
}

static void on_reply_sent(uv_stream_t *stream, int status)
{
    (void)status;
    if (!uv_is_closing((uv_handle_t *)stream)) {
        reply_finish(stream->data);
    }
}

void peer_reply(struct peer *p, uv_stream_t *stream, struct bytes reply)
{
    struct reply *r;

    if (p->closing) {
        peer_hang_up(stream);
        return;
    }
    r = memory_new(sizeof *r);
    r->peer = p;
    r->stream = stream;
    stream->data = r;
    peer_use(p);
    task_start(&p->tasks, &r->task, PEER_CALL_MS, on_reply_end);
    frame_send(stream, reply, on_reply_sent);
}
