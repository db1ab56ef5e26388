#include "replica/frame.h"

#include "replica/memory.h"

#include <assert.h>

struct sending {
    uv_write_t write;
    frame_sent sent;
    uint32_t len; /* What is sent begins here. */
    char content[];
};

void frame_room(struct frame *f, uv_buf_t *room)
{
    if (f->have < sizeof f->len) {
        *room = uv_buf_init((char *)&f->len + f->have, (unsigned)(sizeof f->len - f->have));
    } else {
        size_t have = f->have - sizeof f->len;
        *room = uv_buf_init(f->at + have, (unsigned)(f->len - have));
    }
}

int frame_take(struct frame *f, size_t count)
{
    f->have += count;
    if (f->have < sizeof f->len) {
        return 0;
    }
    if (f->len > FRAME_MAX) {
        return -1;
    }
    if (f->at == NULL) {
        f->at = memory_new(f->len + 1);
    }
    return f->have == sizeof f->len + f->len;
}

struct bytes frame_content(const struct frame *f)
{
    return (struct bytes){f->at, f->len};
}

void frame_clear(struct frame *f)
{
    free(f->at);
    *f = (struct frame){0};
}

static void on_written(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    frame_sent sent = s->sent;
    uv_stream_t *stream = write->handle;

    free(s);
    if (sent != NULL) {
        sent(stream, status);
    }
}

void frame_send(uv_stream_t *stream, struct bytes content, frame_sent sent)
{
    struct sending *s = memory_new(sizeof *s + content.len);
    uv_buf_t out = uv_buf_init((char *)&s->len, (unsigned)(sizeof s->len + content.len));
    int err;

    assert(content.len <= FRAME_MAX);
    s->sent = sent;
    s->write.data = s;
    s->len = (uint32_t)content.len;
    if (content.len > 0) {
        memcpy(s->content, content.at, content.len);
    }
    err = uv_write(&s->write, stream, &out, 1, on_written);
    if (err != 0) {
        s->write.handle = stream;
        on_written(&s->write, err);
    }
}
