#include "net/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/command.h"
#include "engine/request.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_MIN = 16 * 1024,     /* Room for a read into a connection's own buffer. */
    KEPT_MAX = 32 * 1024,     /* A buffer of more is given back when it is empty. */
    STRANGER_MAX = 16 * 1024, /* Unsent bytes of who has not authenticated: errors. */
    BATCH_ARGS = 4 * REQUEST_BATCH,
};

struct conn {
    uv_poll_t poll;
    int fd;
    struct conn_set *set;
    struct conn *next;
    struct conn *previous;
    struct session *session; /* NULL once the connection is closing. */
    struct resp_reader reader;
    struct buf in;              /* The start of a request that has not arrived whole. */
    size_t need;                /* How many bytes it lacks at least. */
    size_t sent;                /* Of session->out. */
    int64_t over_soft_since_ms; /* The output limit; 0: it is below. */
    bool executing;
    bool wants_write;
    bool at_end; /* The client sends no more, but may still read. */
    bool held;   /* `in` may hold whole requests, behind one that has to wait. */
};

struct conn *conn_next(const struct conn *c)
{
    return c->next;
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}

bool conn_executing(const struct conn *c)
{
    return c->executing;
}

bool conn_wants_write(const struct conn *c)
{
    return c->wants_write;
}

/* A handle's memory is libuv's until this is called; nowhere else frees it. */
static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;

    close(c->fd);
    resp_reader_clear(&c->reader);
    buf_clear(&c->in);
    mem_free(c);
}

void conn_close(struct conn *c)
{
    if (c->session == NULL) {
        return;
    }
    if (c->executing) { /* Its request is at work on the session: it ends behind that. */
        c->session->closing = true;
        return;
    }
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        c->set->first = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    c->set->count--;
    session_free(c->session);
    c->session = NULL;
    uv_poll_stop(&c->poll);
    uv_close((uv_handle_t *)&c->poll, on_closed);
}

static void close_session(struct session *s)
{
    conn_close(s->connection);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct conn *c = poll->data;

    if (status < 0) {
        conn_close(c);
        return;
    }
    if (events & UV_WRITABLE) {
        conn_flush(c);
    }
    if ((events & UV_READABLE) && c->session != NULL) {
        conn_read(c);
    }
}

/* At the end of what a client sends there is nothing more to read. */
static void poll_for(struct conn *c, bool wants_write)
{
    int events = (c->at_end ? 0 : UV_READABLE) | (wants_write ? UV_WRITABLE : 0);

    c->wants_write = wants_write;
    if (events != 0) {
        uv_poll_start(&c->poll, events, on_ready);
    } else {
        uv_poll_stop(&c->poll);
    }
}

void conn_open(struct conn_set *set, int fd, const char *address, const char *local_address)
{
    struct conn *c = mem_zalloc(sizeof *c);

    if (uv_poll_init(set->loop, &c->poll, fd) != 0) {
        close(fd);
        mem_free(c);
        return;
    }
    c->poll.data = c;
    c->fd = fd;
    c->set = set;
    c->next = set->first;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    set->first = c;
    set->count++;

    c->session = session_new(set->engine);
    c->session->connection = c;
    c->session->close = close_session;
    c->session->fd = fd;
    bytes_to_string(bytes_of(address), c->session->address, sizeof c->session->address);
    bytes_to_string(bytes_of(local_address), c->session->local_address,
                    sizeof c->session->local_address);
    poll_for(c, false);
}

/* Sending. */

static void conn_resume(struct conn *c);

static void sent_all(struct conn *c)
{
    struct buf *out = &c->session->out;

    commit_dropped(c->session, out->len);
    c->sent = 0;
    out->len = 0;
    if (out->cap > KEPT_MAX) {
        buf_clear(out);
    }
    if (c->wants_write) {
        poll_for(c, false);
    }
    if (c->session->closing) {
        conn_close(c);
    }
}

/* Lets go of what has been sent, if that is most of it: to a client that always has
 * more to come there never is a moment when all has been sent. */
static void drop_sent(struct conn *c)
{
    if (c->sent > c->session->out.len / 2) {
        buf_drop_front(&c->session->out, c->sent);
        commit_dropped(c->session, c->sent);
        c->sent = 0;
    }
}

/* What remains is held back: nobody waits for the socket. */
static void await_release(struct conn *c)
{
    drop_sent(c);
    if (c->wants_write) {
        poll_for(c, false);
    }
}

/* The client has been heard of, or listens. */
static void note_activity(struct conn *c)
{
    c->session->active_ms = logtime_ms(&c->set->engine->time);
}

void conn_flush(struct conn *c)
{
    struct buf *out;
    size_t released;

    if (c->session == NULL) {
        return;
    }
    out = &c->session->out;
    released = commit_released(c->session);
    while (c->sent < released) {
        ssize_t put = send(c->fd, out->at + c->sent, released - c->sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            drop_sent(c);
            if (!c->wants_write) {
                poll_for(c, true);
            }
            return;
        }
        if (put < 0) {
            conn_close(c);
            return;
        }
        note_activity(c);
        c->sent += (size_t)put;
        c->set->engine->stats.net_output_bytes += (size_t)put;
        c->set->engine->stats.writes++;
    }
    if (released == out->len) {
        sent_all(c);
    } else {
        await_release(c);
    }
}

/* Returns whether the client must authenticate before anything is done for it. */
static bool is_stranger(const struct conn *c)
{
    return !c->session->authenticated && c->set->engine->settings.requirepass.len > 0;
}

/* Returns how much may wait for the client to read it. */
static struct output_limit output_limit(const struct conn *c)
{
    const struct output_limits *limits = &c->set->settings->outputs;

    if (is_stranger(c)) {
        return (struct output_limit){.hard = STRANGER_MAX};
    }
    return c->session->subscriptions.count > 0 ? limits->pubsub : limits->normal;
}

static bool is_over_hard(const struct conn *c)
{
    size_t limit = output_limit(c).hard;

    return limit > 0 && c->session->out.len - c->sent > limit;
}

static void log_over_output(const struct conn *c)
{
    log_write(LOG_WARNING, "Closing %s: what waits to be sent exceeds %s", c->session->address,
              is_stranger(c) ? "what a client needs that has not authenticated"
                             : "client-output-buffer-limit");
}

/* Sends what a session has been written; ends it if it leaves too much unread, as one
 * can that listens to others. */
static void flush_limited(struct conn *c)
{
    conn_flush(c);
    if (c->session != NULL && is_over_hard(c)) {
        log_over_output(c);
        conn_close(c);
    }
}

void conn_set_flush(struct conn_set *set)
{
    struct engine *e = set->engine;
    struct session *s;

    commit_seal(e);
    while ((s = e->unsent) != NULL) {
        struct conn *c = s->connection;

        e->unsent = s->next_unsent;
        s->unsent = false;
        if (!conn_executing(c)) { /* Else the reply may have begun. */
            commit_mark(s);
            flush_limited(c);
            conn_resume(c);
        }
    }
    commit_seal(e); /* What those have changed that went on. */
    set->ticked = false;
}

/* Receiving. */

static void fail_protocol(struct conn *c, const char *error)
{
    struct session *s = c->session;

    log_write(LOG_VERBOSE, "%s: %s", s->address, error);
    resp_sink_begin(&s->sink);
    resp_write_error(&s->out, bytes_of(error));
    s->closing = true;
}

/* Ends a client that leaves too much unread. It is looked at between two requests,
 * since those that came in one go can ask for any amount. */
static void limit_output(struct conn *c)
{
    if (is_over_hard(c)) {
        conn_flush(c);
    }
    if (is_over_hard(c)) {
        log_over_output(c);
        commit_cut(c->session, c->sent);
        c->session->closing = true;
    }
}

/* Requests as browsers send them, to a port that is not theirs: somebody tries to
 * have them execute the lines that follow. */
static bool is_http(const struct request *r)
{
    return bytes_is(r->argv[0], "post") || bytes_is(r->argv[0], "host:");
}

/* Reads the clock. */
static void tick(struct conn_set *set)
{
    if (!set->time_stands) {
        engine_tick(set->engine);
        set->ticked_at = clock_ticks();
        set->ticked = true;
    }
}

/* One reading serves all requests of a turn, unless one of them has taken long: what
 * comes behind it must not be given a lease that has partly passed. */
static void tick_if_late(struct conn_set *set)
{
    enum { LATE_NS = 1000 * 1000 };

    if (clock_ticks_to_ns(measure_now(set->engine) - set->ticked_at) > LATE_NS) {
        tick(set);
    }
}

/* Whether the last request was none of the quick ones. */
static bool may_take_long(const struct session *s)
{
    return s->last_command == NULL || !(s->last_command->flags & COMMAND_FAST);
}

static void execute(struct conn *c, const struct request *r)
{
    if (is_http(r)) {
        log_write(LOG_WARNING,
                  "%s sent an HTTP request: perhaps a web page tries to make a browser execute "
                  "commands here. The connection is closed.",
                  c->session->address);
        c->session->closing = true;
        return;
    }
    c->executing = true;
    request_execute(c->session, r->argc, r->argv);
    if (may_take_long(c->session)) {
        tick_if_late(c->set);
    }
    limit_output(c);
    c->executing = false;
}

/* Requests that have been read and not executed yet. Their arguments are copied
 * from the reader, which only keeps those of the last one. */
struct batch {
    struct request request[REQUEST_BATCH];
    size_t start[REQUEST_BATCH]; /* Where it begins in the input. */
    struct bytes argv[BATCH_ARGS];
    size_t count;
    size_t args;
};

static bool batch_has_room(const struct batch *b, size_t argc)
{
    return b->count < REQUEST_BATCH && b->args + argc <= BATCH_ARGS;
}

static void batch_add(struct batch *b, const struct resp_request *r, size_t start)
{
    struct bytes *argv = b->argv + b->args;

    b->start[b->count] = start;
    memcpy(argv, r->argv, r->argc * sizeof *argv);
    b->request[b->count++] = (struct request){r->argc, argv};
    b->args += r->argc;
}

/* Whether the session takes further requests now. */
static bool is_open(const struct conn *c)
{
    return !c->session->closing && c->session->wait == NULL;
}

/* Executes what has been read, until a request has to wait. Returns where in the input
 * the first one begins that was not executed, or `end` if all were. */
static size_t batch_execute(struct conn *c, struct batch *b, size_t end)
{
    size_t done = 0;

    if (b->count > 1) {
        request_prepare(c->session, b->request, b->count);
    }
    while (done < b->count && is_open(c)) {
        execute(c, &b->request[done]);
        done++;
    }
    end = done < b->count ? b->start[done] : end;
    measure_rest(c->set->engine);
    b->count = 0;
    b->args = 0;
    return end;
}

/* A request may change how the next one is to be read (it may be AUTH), so requests
 * are read ahead only once the client has authenticated. Those inline may have their
 * arguments in the reader. */
static bool can_wait(const struct conn *c, const struct resp_request *r, char first)
{
    return !is_stranger(c) && first == '*' && r->argc <= BATCH_ARGS;
}

/* Takes a request that begins at `start` of the input and ends at `end`. Returns how
 * much of the input is done with: less than `end` if a request before has to wait. */
static size_t take_request(struct conn *c, struct batch *b, const struct resp_request *r,
                           char first, size_t start, size_t end)
{
    bool waits = can_wait(c, r, first);

    if (!waits || !batch_has_room(b, r->argc)) {
        start = batch_execute(c, b, start);
        if (!is_open(c)) {
            return start;
        }
    }
    if (waits) {
        batch_add(b, r, start);
    } else {
        execute(c, &(struct request){r->argc, r->argv});
    }
    return end;
}

static void refuse_rest(struct conn *c, const struct resp_request *r)
{
    char error[160];

    snprintf(error, sizeof error, "ERR %s", r->error);
    fail_protocol(c, error);
}

/* Returns the limits of a client that has authenticated. */
static struct resp_limits limits_of_known(const struct conn *c)
{
    struct resp_limits limits = resp_limits_default;
    size_t longest = c->set->engine->settings.proto_max_bulk_len;

    if (longest < limits.bulk_max) {
        limits.bulk_max = longest;
    }
    return limits;
}

/* Executes the whole requests at the start of `in`, until one of them has to wait.
 * Returns how many bytes they took. */
static size_t execute_all(struct conn *c, struct bytes in)
{
    struct resp_limits known = limits_of_known(c);
    struct resp_request request;
    struct batch batch;
    size_t used = 0;
    bool more = false;

    batch.count = 0;
    batch.args = 0;
    c->need = 0;
    while (used < in.len && is_open(c) && !more) {
        struct bytes rest = {in.at + used, in.len - used};
        const struct resp_limits *limits = is_stranger(c) ? &resp_limits_unauthenticated : &known;

        switch (resp_read(&c->reader, limits, rest, &request)) {
        case RESP_REQUEST:
            used = take_request(c, &batch, &request, rest.at[0], used, used + request.used);
            break;
        case RESP_NOTHING:
            used += request.used;
            break;
        case RESP_MORE:
            c->need = request.need;
            more = true;
            break;
        case RESP_ERROR:
            used = batch_execute(c, &batch, used);
            if (is_open(c)) {
                refuse_rest(c, &request);
            }
            more = true;
            break;
        }
    }
    used = batch_execute(c, &batch, used);
    if (c->session->wait != NULL) { /* What is behind will be read again. */
        resp_reader_forget(&c->reader);
    }
    return c->session->closing ? in.len : used;
}

/* What came is the start of a request: it is kept until the rest comes. */
static void keep_rest(struct conn *c, struct bytes rest)
{
    buf_add(&c->in, rest);
    c->held = c->in.len > 0 && c->session->wait != NULL;
    c->session->input_bytes = c->in.len;
    c->session->input_free = c->in.cap - c->in.len;
    if (c->in.len > c->set->settings->query_limit) {
        log_write(LOG_WARNING, "Closing %s: its request is longer than client-query-buffer-limit",
                  c->session->address);
        conn_close(c);
    }
}

static void received_shared(struct conn *c, size_t len)
{
    struct conn_set *set = c->set;
    size_t used;

    set->shared_taken = true;
    c->session->input_bytes = len;
    used = execute_all(c, (struct bytes){set->shared, len});
    set->shared_taken = false;
    c->session->input_bytes = 0;
    if (used < len) {
        keep_rest(c, (struct bytes){set->shared + used, len - used});
    }
}

static void received_own(struct conn *c, size_t len)
{
    size_t used;

    c->in.len += len;
    c->session->input_bytes = c->in.len;
    used = execute_all(c, buf_bytes(&c->in));
    buf_drop_front(&c->in, used);
    if (c->in.len == 0 && (c->in.cap > KEPT_MAX || !c->set->shared_taken)) {
        buf_clear(&c->in);
    }
    keep_rest(c, (struct bytes){0});
}

/* Executes what came while a request had to wait. */
static void conn_resume(struct conn *c)
{
    if (c->session != NULL && c->held && is_open(c)) {
        c->held = false;
        received_own(c, 0);
        if (c->session != NULL && (c->session->out.len > 0 || c->session->closing)) {
            session_wrote(c->session);
        }
    }
}

/* Receives into `at`. Returns the number of bytes, or 0 if there is nothing to do
 * now; the connection may then be gone. */
static size_t receive(struct conn *c, char *at, size_t room)
{
    ssize_t got = recv(c->fd, at, room, 0);

    if (got > 0) {
        note_activity(c);
        c->set->engine->stats.net_input_bytes += (size_t)got;
        c->set->engine->stats.reads++;
        return (size_t)got;
    }
    if (got == 0 && commit_released(c->session) < c->session->out.len) {
        c->at_end = true; /* The replies to what it has sent are still to come. */
        c->session->closing = true;
        poll_for(c, c->wants_write);
        return 0;
    }
    if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        conn_close(c);
    }
    return 0;
}

/* Room for what the current request lacks, but never much more than has already
 * come: a header must not make us reserve what it merely announces. */
static size_t room_for(const struct conn *c)
{
    size_t most = c->in.len > READ_MIN ? c->in.len : READ_MIN;

    return c->need > READ_MIN && c->need < most ? c->need : most;
}

void conn_read(struct conn *c)
{
    struct conn_set *set = c->set;
    size_t room, got;

    if (c->session == NULL || c->at_end) {
        return;
    }
    if (!set->ticked) {
        tick(set);
    }
    if (c->session->closing) { /* Nothing more is asked of it; only its end matters. */
        receive(c, (char[1024]){0}, 1024);
        return;
    }
    if (c->in.len == 0 && !set->shared_taken) {
        got = receive(c, set->shared, set->shared_size);
        if (got > 0) {
            received_shared(c, got);
        }
    } else {
        room = room_for(c);
        got = receive(c, buf_reserve(&c->in, room), room);
        if (got > 0) {
            received_own(c, got);
        }
    }
    if (c->session != NULL && (c->session->out.len > 0 || c->session->closing)) {
        session_wrote(c->session);
    }
}

/* Limits. */

static bool is_over_output(struct conn *c, int64_t now_ms)
{
    struct output_limit limit = output_limit(c);
    size_t unsent = c->session->out.len - c->sent;

    if (is_over_hard(c)) {
        return true;
    }
    if (limit.soft == 0 || unsent <= limit.soft) {
        c->over_soft_since_ms = 0;
        return false;
    }
    if (c->over_soft_since_ms == 0) {
        c->over_soft_since_ms = now_ms;
    }
    return now_ms - c->over_soft_since_ms > limit.soft_s * INT64_C(1000);
}

void conn_set_prune(struct conn_set *set)
{
    int64_t now_ms = logtime_ms(&set->engine->time);
    int64_t idle_ms = set->settings->timeout_s * INT64_C(1000);
    struct conn *next;

    for (struct conn *c = set->first; c != NULL; c = next) {
        next = c->next;
        if (idle_ms > 0 && now_ms - c->session->active_ms > idle_ms) {
            log_write(LOG_VERBOSE, "Closing %s: it has been idle for longer than timeout",
                      c->session->address);
            conn_close(c);
        } else if (is_over_output(c, now_ms)) {
            log_over_output(c);
            conn_close(c);
        }
    }
}
