/* Fetching a file: a chunk is received while another one is written to the disk. */
#include "base/log.h"
#include "rdb/crc64.h"
#include "replica/frame.h"
#include "replica/memory.h"
#include "replica/peer_state.h"
#include "replica/transfer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10000, /* Without a byte. */
    FIRST_PAUSE_MS = 100,
    LAST_PAUSE_MS = 5000,
    SYNC_BYTES = 32 * 1024 * 1024, /* So that the log's own syncs need not wait for more. */
};

#define PART_SUFFIX ".part"

struct chunk {
    size_t len;
    char content[TRANSFER_CHUNK];
};

/* An attempt looks at what is on the disk, dials, receives, and looks at the whole. What is
 * to be done next follows from the fields, in go_on(). */
struct transfer {
    struct task task;
    struct peer *peer;
    struct transfer_settings settings; /* Its texts are copies. */
    char dir[PATH_MAX];
    char name[MANIFEST_NAME];
    char address[ADDRESS_TEXT_MAX + 1];

    /* The attempt. */
    struct peer_dial *dial; /* Until there is a connection, */
    uv_stream_t *stream;    /* and then this. */
    bool answered;          /* The file's bytes are coming, */
    bool paused;            /* or are left waiting until there is room for them. */
    bool prepared;          /* What is on the disk is known. */
    const char *error;      /* What has ended it; NULL: nothing. */
    char error_room[64];
    bool progressed;
    struct frame answer;
    uint64_t received; /* Of the file, with what was there; */
    uint64_t have;     /* so much is on the disk. */
    struct chunk chunks[2];
    struct chunk *filling;
    struct chunk *writing;

    bool waits; /* For the next attempt. */
    uint64_t pause_ms;

    uv_work_t work;
    bool works;
    void (*deed)(struct transfer *t); /* On the pool: what is done, */
    void (*then)(struct transfer *t); /* what behind it, on the loop, */
    int err;                          /* and how it ended. */
    int fd;                           /* Of the part; -1: it is not open. */
    atomic_bool canceled;
};

static void go_on(struct transfer *t);

/* The pool. */

static bool is_other_part(const char *entry, const char *name)
{
    char copy[MANIFEST_NAME + sizeof PART_SUFFIX];
    size_t len = strlen(entry);
    size_t suffix = sizeof PART_SUFFIX - 1;
    uint64_t index;

    if (len <= suffix || len >= sizeof copy || strcmp(entry + len - suffix, PART_SUFFIX) != 0) {
        return false;
    }
    bytes_to_string((struct bytes){entry, len - suffix}, copy, sizeof copy);
    return manifest_name_read(copy, &index) && strcmp(copy, name) != 0;
}

/* Nobody will go on with them. */
static void remove_other_parts(int dir, const char *name)
{
    DIR *entries = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;

    if (entries == NULL) {
        return;
    }
    while ((entry = readdir(entries)) != NULL) {
        if (is_other_part(entry->d_name, name)) {
            unlinkat(dir, entry->d_name, 0);
        }
    }
    closedir(entries);
}

static int open_dir(const struct transfer *t)
{
    return open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void part_name(const struct transfer *t, char name[MANIFEST_NAME + sizeof PART_SUFFIX])
{
    snprintf(name, MANIFEST_NAME + sizeof PART_SUFFIX, "%s" PART_SUFFIX, t->name);
}

static int open_part(struct transfer *t, int dir)
{
    char name[MANIFEST_NAME + sizeof PART_SUFFIX];

    part_name(t, name);
    remove_other_parts(dir, t->name);
    t->fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return t->fd < 0 ? -errno : 0;
}

static int measure_part(struct transfer *t)
{
    struct stat status;

    if (fstat(t->fd, &status) != 0) {
        return -errno;
    }
    t->have = (uint64_t)status.st_size;
    if (t->have > t->settings.file.size) {
        t->have = 0;
        return ftruncate(t->fd, 0) != 0 ? -errno : 0;
    }
    return 0;
}

static void prepare(struct transfer *t)
{
    int dir = open_dir(t);

    if (dir < 0) {
        t->err = -errno;
        return;
    }
    t->err = open_part(t, dir);
    if (t->err == 0) {
        t->err = measure_part(t);
    }
    close(dir);
}

static void write_chunk(struct transfer *t)
{
    const struct chunk *c = t->writing;
    size_t done = 0;

    while (done < c->len) {
        ssize_t wrote = pwrite(t->fd, c->content + done, c->len - done, (off_t)(t->have + done));
        if (wrote < 0) {
            t->err = -errno;
            return;
        }
        done += (size_t)wrote;
    }
    if (t->have / SYNC_BYTES != (t->have + done) / SYNC_BYTES && fdatasync(t->fd) != 0) {
        t->err = -errno;
    }
}

/* Reads `len` bytes at an offset, all or none. */
static int read_part(const struct transfer *t, void *out, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got = pread(t->fd, (char *)out + done, len - done, (off_t)(offset + done));
        if (got <= 0) {
            return got < 0 ? -errno : -EBADMSG;
        }
        done += (size_t)got;
    }
    return 0;
}

/* As rdb/ writes it: the last bytes are the checksum of all before them. */
static int check_part(const struct transfer *t, char *room)
{
    const struct manifest *m = &t->settings.file;
    uint64_t crc = 0;
    uint64_t last;
    uint64_t end;

    if (m->size < sizeof last) {
        return -EBADMSG;
    }
    end = m->size - sizeof last;
    for (uint64_t at = 0; at < end && !t->canceled; at += TRANSFER_CHUNK) {
        size_t len = end - at < TRANSFER_CHUNK ? (size_t)(end - at) : TRANSFER_CHUNK;
        int err = read_part(t, room, len, at);
        if (err != 0) {
            return err;
        }
        crc = crc64(crc, (struct bytes){room, len});
    }
    if (read_part(t, &last, sizeof last, end) != 0 || last != m->checksum || crc != m->checksum) {
        return -EBADMSG;
    }
    return 0;
}

static int name_part(const struct transfer *t)
{
    char name[MANIFEST_NAME + sizeof PART_SUFFIX];
    int dir = open_dir(t);
    int err = 0;

    if (dir < 0) {
        return -errno;
    }
    part_name(t, name);
    if (renameat(dir, name, dir, t->name) != 0 || fsync(dir) != 0) {
        err = -errno;
    }
    close(dir);
    return err;
}

/* What is not right cannot be gone on from. */
static void complete(struct transfer *t)
{
    t->err = check_part(t, t->filling->content);
    if (t->err == -EBADMSG && !t->canceled && ftruncate(t->fd, 0) != 0) {
        t->err = -errno;
    }
    if (t->err == 0 && fsync(t->fd) != 0) {
        t->err = -errno;
    }
    if (t->err == 0 && !t->canceled) {
        t->err = name_part(t);
    }
}

static void on_work(uv_work_t *work)
{
    struct transfer *t = work->data;

    t->deed(t);
}

static void on_worked(uv_work_t *work, int status)
{
    struct transfer *t = work->data;

    /* It is freed here and not in there, if that ends it. */
    if (status == 0 && !t->canceled) {
        t->then(t);
    }
    t->works = false;
    go_on(t);
}

static void submit(struct transfer *t, void (*deed)(struct transfer *t),
                   void (*then)(struct transfer *t))
{
    t->works = true;
    t->err = 0;
    t->deed = deed;
    t->then = then;
    t->work.data = t;
    uv_queue_work(t->peer->loop, &t->work, on_work, on_worked);
}

/* The end of an attempt, and of all of them. */

static void disconnect(struct transfer *t)
{
    if (t->dial != NULL) {
        peer_dial_cancel(t->dial);
        t->dial = NULL;
    }
    if (t->stream != NULL) {
        peer_hang_up(t->stream);
        t->stream = NULL;
    }
    frame_clear(&t->answer);
}

static void break_off(struct transfer *t, const char *error)
{
    if (t->error == NULL) {
        bytes_to_string(bytes_of(error), t->error_room, sizeof t->error_room);
        t->error = t->error_room;
    }
    disconnect(t);
}

static void close_part(struct transfer *t)
{
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
}

static void transfer_free(struct transfer *t)
{
    struct peer *p = t->peer;

    close_part(t);
    free(t);
    peer_let_go(p);
}

/* From here on it only waits for the pool. */
static void retire(struct transfer *t)
{
    task_stop(&t->task);
    disconnect(t);
    t->canceled = true;
    if (t->works) {
        uv_cancel((uv_req_t *)&t->work);
    } else {
        transfer_free(t);
    }
}

static void finish(struct transfer *t, const char *error)
{
    void (*done)(void *context, const char *error) = t->settings.done;
    void *context = t->settings.context;

    retire(t);
    done(context, error);
}

void transfer_cancel(struct transfer *t)
{
    retire(t);
}

static void wait_a_while(struct transfer *t)
{
    if (peer_may_complain(t->peer, t->name)) {
        log_write(LOG_WARNING, "Fetching %s from server %" PRIu64 " at %s was interrupted: %s",
                  t->name, t->settings.from, t->address, t->error);
    }
    close_part(t);
    t->pause_ms *= 2;
    if (t->progressed || t->pause_ms == 0) {
        t->pause_ms = FIRST_PAUSE_MS;
    } else if (t->pause_ms > LAST_PAUSE_MS) {
        t->pause_ms = LAST_PAUSE_MS;
    }
    t->waits = true;
    task_limit(&t->task, t->pause_ms);
}

/* Receiving. */

static void data_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct transfer *t = handle->data;
    struct chunk *c = t->filling;
    uint64_t left = t->settings.file.size - t->received;
    size_t len = TRANSFER_CHUNK - c->len;

    (void)suggested;
    *room = uv_buf_init(c->content + c->len, (unsigned)(left < len ? left : len));
}

static bool is_full(const struct transfer *t)
{
    return t->filling->len == TRANSFER_CHUNK ||
           (t->filling->len > 0 && t->received == t->settings.file.size);
}

static void on_data(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct transfer *t = stream->data;

    (void)room;
    if (count < 0) {
        break_off(t, uv_strerror((int)count));
        go_on(t);
        return;
    }
    t->filling->len += (size_t)count;
    t->received += (uint64_t)count;
    task_limit(&t->task, PATIENCE_MS);
    if (is_full(t)) {
        t->paused = true;
        uv_read_stop(stream);
        go_on(t);
    }
}

static void answer_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct transfer *t = handle->data;

    (void)suggested;
    frame_room(&t->answer, room);
}

/* Says what is wrong with an answer, if anything; good as long as that is there. */
static const char *problem_with(const struct transfer *t)
{
    struct bytes content = frame_content(&t->answer);
    const struct transfer_answer *answer = (const void *)content.at;

    if (content.len != sizeof *answer || answer->error[sizeof answer->error - 1] != '\0') {
        return "the answer is none";
    }
    if (answer->error[0] != '\0') {
        return answer->error;
    }
    return answer->size == t->settings.file.size ? NULL : "its file has another size";
}

static void on_answer(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct transfer *t = stream->data;
    const char *problem;
    int complete;

    (void)room;
    complete = count < 0 ? -1 : frame_take(&t->answer, (size_t)count);
    if (complete == 0) {
        return;
    }
    problem = count < 0 ? uv_strerror((int)count)
                        : (complete < 0 ? "the answer is too long" : problem_with(t));
    if (problem != NULL) {
        break_off(t, problem);
        go_on(t);
        return;
    }
    t->answered = true;
    task_limit(&t->task, PATIENCE_MS);
    uv_read_stop(stream);
    uv_read_start(stream, data_room, on_data);
}

static void on_dialed(void *context, uv_stream_t *stream, const char *error)
{
    struct transfer *t = context;
    struct transfer_request request = {.offset = t->have};

    t->dial = NULL;
    if (stream == NULL) {
        break_off(t, error);
        go_on(t);
        return;
    }
    t->stream = stream;
    stream->data = t;
    memcpy(request.name, t->name, sizeof request.name);
    uv_read_start(stream, answer_room, on_answer);
    frame_send(stream, (struct bytes){(char *)&request, sizeof request}, NULL);
}

/* What follows. */

static void on_prepared(struct transfer *t)
{
    if (t->err != 0) {
        break_off(t, uv_strerror(t->err));
        return;
    }
    t->prepared = true;
    t->received = t->have;
}

static void on_chunk_written(struct transfer *t)
{
    if (t->err != 0) {
        break_off(t, uv_strerror(t->err));
        t->filling->len = 0;
        return;
    }
    t->have += t->writing->len;
    t->progressed = true;
    if (t->settings.progress != NULL) {
        t->settings.progress(t->settings.context, t->have, t->settings.file.size);
    }
}

static void on_completed(struct transfer *t)
{
    if (t->err == -EBADMSG) {
        t->progressed = false;
        break_off(t, "the checksum is wrong, so it is fetched anew");
    } else if (t->err != 0) {
        break_off(t, uv_strerror(t->err));
    } else {
        finish(t, NULL);
    }
}

static void write_next(struct transfer *t)
{
    t->writing = t->filling;
    t->filling = t->writing == &t->chunks[0] ? &t->chunks[1] : &t->chunks[0];
    t->filling->len = 0;
    submit(t, write_chunk, on_chunk_written);
}

static void resume(struct transfer *t)
{
    if (t->paused && t->stream != NULL && t->received < t->settings.file.size) {
        t->paused = false;
        task_limit(&t->task, PATIENCE_MS);
        uv_read_start(t->stream, data_room, on_data);
    }
}

/* Does whatever is to be done next, if the pool is not at work. What has been received
 * before a connection was lost is not lost. */
static void go_on(struct transfer *t)
{
    bool is_whole = t->prepared && t->have == t->settings.file.size;

    if (t->works) {
        return;
    }
    if (t->canceled) {
        transfer_free(t);
        return;
    }
    if (is_full(t) || (t->error != NULL && t->filling->len > 0)) {
        write_next(t);
        resume(t);
    } else if (t->error != NULL) {
        wait_a_while(t);
    } else if (is_whole) {
        disconnect(t);
        submit(t, complete, on_completed);
    } else if (t->prepared && t->stream == NULL && t->dial == NULL) {
        t->dial =
            peer_dial(t->peer, bytes_of(t->address), PEER_FETCH, t->settings.from, on_dialed, t);
    }
}

static void attempt(struct transfer *t)
{
    t->waits = false;
    t->answered = false;
    t->paused = false;
    t->prepared = false;
    t->progressed = false;
    t->error = NULL;
    t->filling->len = 0;
    task_limit(&t->task, PATIENCE_MS);
    submit(t, prepare, on_prepared);
}

static void on_end(struct task *task, const char *why)
{
    struct transfer *t = (struct transfer *)((char *)task - offsetof(struct transfer, task));

    if (t->peer->closing) {
        finish(t, why);
        return;
    }
    task_start(&t->peer->tasks, &t->task, PATIENCE_MS, on_end);
    if (t->waits) {
        attempt(t);
    } else if (!t->works) {
        break_off(t, why);
        go_on(t);
    }
}

struct transfer *transfer_fetch(struct peer *p, const struct transfer_settings *settings)
{
    struct transfer *t;

    if (p->closing) {
        return NULL;
    }
    t = memory_new(sizeof *t);
    t->peer = p;
    t->settings = *settings;
    snprintf(t->dir, sizeof t->dir, "%s", settings->dir);
    bytes_to_string(settings->address, t->address, sizeof t->address);
    manifest_name(settings->file.at.index, t->name);
    t->filling = &t->chunks[0];
    t->fd = -1;
    peer_use(p);
    task_start(&p->tasks, &t->task, PATIENCE_MS, on_end);
    attempt(t);
    return t;
}
