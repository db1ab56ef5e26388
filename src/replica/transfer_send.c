/* Sending a file: a chunk is read while another one is written to the peer. */
#include "replica/frame.h"
#include "replica/memory.h"
#include "replica/peer_state.h"
#include "replica/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <raft.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNKS = 2, PATIENCE_MS = 30000 };

struct chunk {
    struct sending *owner;
    uv_write_t write;
    bool is_busy; /* Being read or written. */
    size_t len;
    char content[TRANSFER_CHUNK];
};

struct sending {
    struct task task;
    struct peer *peer;
    uv_stream_t *stream; /* NULL when it is closed. */
    char path[PATH_MAX];
    int fd;
    uint64_t offset; /* The next chunk's. */
    uint64_t size;
    struct chunk chunks[CHUNKS];

    uv_work_t work;
    bool works;
    void (*deed)(struct sending *s); /* On the pool: what is done, */
    struct chunk *target;            /* with which chunk, */
    int err;                         /* and how that ended. */
    bool ended;
};

static void go_on(struct sending *s);

/* The pool. */

static void open_file(struct sending *s)
{
    struct stat status;

    s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd < 0 || fstat(s->fd, &status) != 0) {
        s->err = -errno;
        return;
    }
    s->size = (uint64_t)status.st_size;
    s->err = s->offset <= s->size ? 0 : -ERANGE;
}

static void read_chunk(struct sending *s)
{
    struct chunk *c = s->target;
    size_t done = 0;

    while (done < c->len) {
        ssize_t got = pread(s->fd, c->content + done, c->len - done, (off_t)(s->offset + done));
        if (got <= 0) {
            s->err = got < 0 ? -errno : -EIO;
            return;
        }
        done += (size_t)got;
    }
}

/* A file that has been removed meanwhile goes with its last descriptor, which takes time. */
static void close_file(struct sending *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
}

static void on_work(uv_work_t *work)
{
    struct sending *s = work->data;

    s->deed(s);
}

static void submit(struct sending *s, void (*deed)(struct sending *s), uv_after_work_cb after)
{
    s->works = true;
    s->err = 0;
    s->deed = deed;
    s->work.data = s;
    uv_queue_work(s->peer->loop, &s->work, on_work, after);
}

/* The end. */

static void on_file_closed(uv_work_t *work, int status)
{
    struct sending *s = work->data;
    struct peer *p = s->peer;

    (void)status;
    free(s);
    peer_let_go(p);
}

static void on_stream_closed(uv_handle_t *handle)
{
    struct sending *s = handle->data;

    raft_free(handle);
    s->stream = NULL;
    go_on(s);
}

static void end(struct sending *s)
{
    if (s->ended) {
        return;
    }
    s->ended = true;
    task_stop(&s->task);
    if (s->stream != NULL) {
        uv_close((uv_handle_t *)s->stream, on_stream_closed);
    }
}

static void on_end(struct task *task, const char *why)
{
    (void)why;
    end((struct sending *)((char *)task - offsetof(struct sending, task)));
}

/* The work. */

static void on_written(uv_write_t *write, int status)
{
    struct chunk *c = write->data;
    struct sending *s = c->owner;

    c->is_busy = false;
    if (s->ended) {
        return;
    }
    if (status != 0) {
        end(s);
        return;
    }
    task_limit(&s->task, PATIENCE_MS);
    go_on(s);
}

static void on_chunk_read(uv_work_t *work, int status)
{
    struct sending *s = work->data;
    struct chunk *c = s->target;
    uv_buf_t out = uv_buf_init(c->content, (unsigned)c->len);

    s->works = false;
    s->offset += c->len;
    c->write.data = c;
    if (!s->ended &&
        (status != 0 || s->err != 0 || uv_write(&c->write, s->stream, &out, 1, on_written) != 0)) {
        end(s);
    }
    go_on(s);
}

static bool is_all_written(const struct sending *s)
{
    return s->offset == s->size && !s->chunks[0].is_busy && !s->chunks[1].is_busy;
}

/* Does whatever is to be done next, if nothing is under way that has to come first. */
static void go_on(struct sending *s)
{
    struct chunk *c = s->chunks[0].is_busy ? &s->chunks[1] : &s->chunks[0];

    if (s->works) {
        return;
    }
    if (!s->ended && is_all_written(s)) {
        end(s);
    }
    if (s->ended) {
        if (s->stream == NULL) {
            submit(s, close_file, on_file_closed);
        }
        return;
    }
    if (s->offset < s->size && !c->is_busy) {
        uint64_t left = s->size - s->offset;

        c->is_busy = true;
        c->len = left < TRANSFER_CHUNK ? (size_t)left : TRANSFER_CHUNK;
        s->target = c;
        submit(s, read_chunk, on_chunk_read);
    }
}

static void refuse(struct peer *p, uv_stream_t *stream, const char *why)
{
    struct transfer_answer answer = {0};

    bytes_to_string(bytes_of(why), answer.error, sizeof answer.error);
    peer_reply(p, stream, (struct bytes){(char *)&answer, sizeof answer});
}

static void on_opened(uv_work_t *work, int status)
{
    struct sending *s = work->data;
    struct transfer_answer answer = {.size = s->size};

    s->works = false;
    if (status == 0 && s->err != 0 && !s->ended) {
        refuse(s->peer, s->stream, uv_strerror(s->err));
        s->stream = NULL;
        end(s);
    } else if (status == 0 && !s->ended) {
        frame_send(s->stream, (struct bytes){(char *)&answer, sizeof answer}, NULL);
    }
    go_on(s);
}

void transfer_send(struct peer *p, const char *dir, struct bytes request, uv_stream_t *stream)
{
    struct transfer_request wanted;
    struct sending *s;
    uint64_t index;

    if (p->closing) {
        peer_hang_up(stream);
        return;
    }
    if (request.len == sizeof wanted) {
        memcpy(&wanted, request.at, sizeof wanted);
    }
    if (request.len != sizeof wanted || wanted.name[sizeof wanted.name - 1] != '\0' ||
        !manifest_name_read(wanted.name, &index)) {
        refuse(p, stream, "that is no request for a file");
        return;
    }
    s = memory_new(sizeof *s);
    s->peer = p;
    s->stream = stream;
    s->offset = wanted.offset;
    s->fd = -1;
    for (int i = 0; i < CHUNKS; i++) {
        s->chunks[i].owner = s;
    }
    snprintf(s->path, sizeof s->path, "%s/%s", dir, wanted.name);
    stream->data = s;
    peer_use(p);
    task_start(&p->tasks, &s->task, PATIENCE_MS, on_end);
    submit(s, open_file, on_opened);
}
