#include "engine/session.h"

#include "base/mem.h"
#include "engine/command.h"
#include "engine/engine.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>

const char *const consistency_names[] = {
    [CONSISTENCY_STRICT] = "strict",
    [CONSISTENCY_LEADER] = "leader",
    [CONSISTENCY_ANY] = "any",
    NULL,
};

void session_init(struct session *s, struct engine *e)
{
    *s = (struct session){.engine = e, .fd = -1, .consistency = CONSISTENCY_DEFAULT};
    resp_sink_init(&s->sink, &s->out, RESP2);
}

void session_clear(struct session *s)
{
    block_drop(s);
    session_drop_queue(s);
    watch_drop_all(&s->engine->watchers, s);
    pubsub_drop(s);
    tracking_drop(s);
    monitor_stop(s);
    buf_clear(&s->out);
    buf_clear(&s->name);
    buf_clear(&s->lib_name);
    buf_clear(&s->lib_version);
}

struct session *session_new(struct engine *e)
{
    struct session *s = mem_alloc(sizeof *s);

    session_init(s, e);
    s->id = ++e->next_session_id;
    s->authenticated = e->settings.requirepass.len == 0;
    s->created_ms = logtime_ms(&e->time);
    s->active_ms = s->created_ms;
    s->next = e->sessions;
    if (s->next != NULL) {
        s->next->previous = s;
    }
    e->sessions = s;
    e->session_count++;
    e->stats.connections++;
    if (e->session_count > e->stats.peak_sessions) {
        e->stats.peak_sessions = e->session_count;
    }
    return s;
}

static void forget_unsent(struct session *s)
{
    struct session **link = &s->engine->unsent;

    if (!s->unsent) {
        return;
    }
    while (*link != s) {
        link = &(*link)->next_unsent;
    }
    *link = s->next_unsent;
    s->unsent = false;
}

void session_free(struct session *s)
{
    struct engine *e = s->engine;

    forget_unsent(s);
    commit_forget(s);
    if (s->previous != NULL) {
        s->previous->next = s->next;
    } else {
        e->sessions = s->next;
    }
    if (s->next != NULL) {
        s->next->previous = s->previous;
    }
    e->session_count--;
    session_clear(s);
    mem_free(s);
}

struct sink *session_sink(struct session *s)
{
    return s->reply_mode == REPLY_ON ? &s->sink.sink : &sink_nowhere;
}

void session_wrote(struct session *s)
{
    if (!s->unsent) {
        s->unsent = true;
        s->next_unsent = s->engine->unsent;
        s->engine->unsent = s;
    }
}

struct sink *session_push(struct session *s, size_t len)
{
    struct sink *out = &s->sink.sink;

    session_wrote(s);
    s->hold.touched = true;
    out->ops->open(out, RESP_PUSH, len);
    return out;
}

void session_set_resp(struct session *s, enum resp_version version)
{
    s->sink.sink.version = version;
}

void session_reset(struct session *s)
{
    session_drop_queue(s);
    watch_drop_all(&s->engine->watchers, s);
    pubsub_drop(s);
    tracking_stop(s);
    monitor_stop(s);
    buf_clear(&s->name);
    session_set_resp(s, RESP2);
    s->db = 0;
    s->authenticated = s->engine->settings.requirepass.len == 0;
    s->reply_mode = REPLY_ON;
    s->no_evict = false;
    s->no_touch = false;
    s->consistency = CONSISTENCY_DEFAULT;
    s->is_sentinel_client = false;
}

enum consistency session_consistency(const struct session *s)
{
    if (s->consistency != CONSISTENCY_DEFAULT) {
        return s->consistency;
    }
    return (enum consistency)s->engine->settings.read_consistency;
}

bool session_reads_strictly(const struct session *s)
{
    return session_consistency(s) == CONSISTENCY_STRICT;
}

static void add_tracking_flags(const struct tracker *t, struct buf *out)
{
    if (!tracking_is_on(t)) {
        return;
    }
    buf_add_byte(out, 't');
    if (t->broken) {
        buf_add_byte(out, 'R');
    }
    if (t->mode.broadcasts) {
        buf_add_byte(out, 'B');
    }
}

static void add_flags(const struct session *s, struct buf *out)
{
    size_t before = out->len;

    if (s->monitors) {
        buf_add_byte(out, 'O');
    }
    if (s->subscriptions.count > 0) {
        buf_add_byte(out, 'P');
    }
    if (s->in_multi) {
        buf_add_byte(out, 'x');
    }
    if (s->wait != NULL) {
        buf_add_byte(out, 'b');
    }
    add_tracking_flags(s->tracker, out);
    if (s->watch_failed) {
        buf_add_byte(out, 'd');
    }
    if (s->closing) {
        buf_add_byte(out, 'c');
    }
    if (s->no_evict) {
        buf_add_byte(out, 'e');
    }
    if (s->no_touch) {
        buf_add_byte(out, 'T');
    }
    if (s->consistency == CONSISTENCY_ANY) {
        buf_add_byte(out, 'r');
    }
    if (out->len == before) {
        buf_add_byte(out, 'N');
    }
}

static void add_last_command(const struct session *s, struct buf *out)
{
    if (s->last_command == NULL) {
        buf_addf(out, "NULL");
    } else if (s->last_subcommand == NULL) {
        buf_addf(out, "%s", s->last_command->name);
    } else {
        buf_addf(out, "%s|%s", s->last_command->name, s->last_subcommand);
    }
}

size_t session_memory(const struct session *s)
{
    return mem_size(s) + s->out.cap + s->input_bytes + s->input_free + s->queue_bytes;
}

void session_describe(const struct session *s, struct buf *out)
{
    int64_t now_ms = logtime_ms(&s->engine->time);

    buf_addf(out, "id=%" PRIu64 " addr=%s laddr=%s fd=%d name=", s->id, s->address,
             s->local_address, s->fd);
    buf_add(out, buf_bytes(&s->name));
    buf_addf(out, " age=%" PRId64 " idle=%" PRId64 " flags=", (now_ms - s->created_ms) / 1000,
             (now_ms - s->active_ms) / 1000);
    add_flags(s, out);
    buf_addf(out, " db=%u sub=%zu psub=%zu ssub=%zu multi=%d qbuf=%zu qbuf-free=%zu argv-mem=0",
             s->db, pubsub_count(s, TOPIC_CHANNEL), pubsub_count(s, TOPIC_PATTERN),
             pubsub_count(s, TOPIC_SHARD), s->in_multi ? (int)s->queue_len : -1, s->input_bytes,
             s->input_free);
    buf_addf(out, " multi-mem=%zu rbs=%zu rbp=%zu obl=%zu oll=0 omem=0 tot-mem=%zu events=%s cmd=",
             s->queue_bytes, s->out.cap, s->out.cap, s->out.len, session_memory(s),
             s->out.len > 0 ? "rw" : "r");
    add_last_command(s, out);
    buf_addf(out, " user=default redir=%" PRId64 " resp=%d lib-name=",
             tracking_is_on(s->tracker) ? (int64_t)s->tracker->redirect_id : -1,
             s->sink.sink.version);
    buf_add(out, buf_bytes(&s->lib_name));
    buf_addf(out, " lib-ver=");
    buf_add(out, buf_bytes(&s->lib_version));
}

struct bytes *session_copy_arguments(size_t argc, const struct bytes *argv, size_t *size)
{
    struct bytes *copy;
    char *at;

    *size = argc * sizeof *argv;
    for (size_t i = 0; i < argc; i++) {
        *size += argv[i].len;
    }
    copy = mem_alloc(*size);
    at = (char *)(copy + argc);
    for (size_t i = 0; i < argc; i++) {
        copy[i] = (struct bytes){at, argv[i].len};
        if (argv[i].len > 0) {
            memcpy(at, argv[i].at, argv[i].len);
        }
        at += argv[i].len;
    }
    return copy;
}

void session_queue(struct session *s, const struct command *command, size_t argc,
                   const struct bytes *argv)
{
    struct queued *q;
    size_t size;

    if ((s->queue_len & (s->queue_len - 1)) == 0) { /* Full at each power of two. */
        size_t cap = s->queue_len == 0 ? 1 : 2 * s->queue_len;
        s->queue = mem_realloc(s->queue, cap * sizeof *s->queue);
    }
    q = &s->queue[s->queue_len++];
    *q = (struct queued){
        .command = command, .argc = argc, .argv = session_copy_arguments(argc, argv, &size)};
    s->queue_bytes += size;
}

void session_drop_queue(struct session *s)
{
    for (size_t i = 0; i < s->queue_len; i++) {
        mem_free(s->queue[i].argv);
    }
    mem_free(s->queue);
    s->queue = NULL;
    s->queue_len = 0;
    s->queue_bytes = 0;
    s->in_multi = false;
    s->multi_failed = false;
}

void session_kill(struct session *victim, const struct session *self)
{
    if (victim == self || victim->close == NULL) {
        victim->closing = true;
    } else {
        victim->close(victim);
    }
}
