/* XREAD and XREADGROUP. */
#include "base/mem.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/stream.h"
#include "engine/block.h"

/* What a request asks for. */
struct reading {
    bool by_group;
    bool has_group;
    struct bytes group;
    struct bytes consumer;
    bool no_ack;
    bool blocks;
    int64_t timeout_ms;
    int64_t most;   /* Entries of a stream; 0: all. */
    size_t first;   /* The first key; */
    size_t streams; /* behind the keys there are as many ids. */
};

/* What is wanted of one stream. */
struct wanted {
    const struct value *v; /* NULL: there is none. */
    const struct stream_group *group;
    bool history; /* Of the consumer: what is pending. */
    struct stream_id after;
};

/* Whether the request waits, and is being run again. */
static bool runs_again(const struct call *c)
{
    return block_is_blocked(c->session);
}

/* Parsing. */

static bool parse_block(struct call *c, size_t arg, struct reading *r)
{
    if (c->session->in_script) {
        call_fail(c, "ERR %.*s command is not allowed with BLOCK option from scripts",
                  (int)c->argv[0].len, c->argv[0].at);
        return false;
    }
    if (!number_parse_int(c->argv[arg], &r->timeout_ms)) {
        call_fail(c, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (r->timeout_ms < 0) {
        call_fail(c, "ERR timeout is negative");
        return false;
    }
    /* What ends behind the end of time has already ended, as Redis counts. */
    r->blocks = r->timeout_ms <= INT64_MAX - c->now_ms;
    return true;
}

static bool parse_count(struct call *c, size_t arg, struct reading *r)
{
    if (!call_int(c, arg, &r->most)) {
        return false;
    }
    r->most = r->most < 0 ? 0 : r->most;
    return true;
}

/* XREAD has no options of groups. */
static bool parse_group_option(struct call *c, size_t *arg, struct reading *r)
{
    bool names = call_is(c, *arg, "GROUP");

    if (!r->by_group) {
        call_fail(c, "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.",
                  names ? "GROUP" : "NOACK");
        return false;
    }
    if (!names) {
        r->no_ack = true;
        return true;
    }
    r->group = c->argv[*arg + 1];
    r->consumer = c->argv[*arg + 2];
    r->has_group = true;
    *arg += 2;
    return true;
}

static bool parse_streams(struct call *c, size_t arg, struct reading *r)
{
    r->first = arg;
    r->streams = (c->argc - arg) / 2;
    if ((c->argc - arg) % 2 != 0) {
        call_fail(c, "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must "
                     "be specified.");
        return false;
    }
    return true;
}

/* Reads one option and its values; *arg becomes its last word. */
static bool parse_option(struct call *c, size_t *arg, struct reading *r)
{
    size_t more = c->argc - 1 - *arg;

    if (more >= 1 && call_is(c, *arg, "BLOCK")) {
        return parse_block(c, ++*arg, r);
    }
    if (more >= 1 && call_is(c, *arg, "COUNT")) {
        return parse_count(c, ++*arg, r);
    }
    if (more >= 1 && call_is(c, *arg, "STREAMS")) {
        return parse_streams(c, *arg + 1, r);
    }
    if ((more >= 2 && call_is(c, *arg, "GROUP")) || call_is(c, *arg, "NOACK")) {
        return parse_group_option(c, arg, r);
    }
    call_fail_syntax(c);
    return false;
}

static bool parse(struct call *c, struct reading *r)
{
    for (size_t arg = 1; r->streams == 0 && arg < c->argc; arg++) {
        if (!parse_option(c, &arg, r)) {
            return false;
        }
    }
    if (r->streams == 0) {
        call_fail_syntax(c);
        return false;
    }
    if (r->by_group && !r->has_group) {
        call_fail(c, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    return true;
}

/* Finding. */

static bool find_group(struct call *c, const struct reading *r, struct bytes key, struct wanted *w)
{
    w->group = w->v == NULL ? NULL : stream_group(w->v, r->group);
    if (w->group != NULL) {
        return true;
    }
    if (!runs_again(c)) {
        call_fail(c,
                  "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP "
                  "option",
                  (int)key.len, key.at, (int)r->group.len, r->group.at);
    } else if (w->v == NULL) {
        call_fail(c, "UNBLOCKED the stream key no longer exists");
    } else {
        call_fail(c, "NOGROUP the consumer group this client was blocked on no longer exists");
    }
    return false;
}

/* Finds the id of the place behind which is to be read. */
static bool find_place(struct call *c, const struct reading *r, struct bytes text, size_t arg,
                       struct wanted *w)
{
    if (bytes_equal(text, BYTES("$"))) {
        if (r->by_group) {
            call_fail(c,
                      "ERR The $ ID is meaningless in the context of XREADGROUP: you want to "
                      "read the history of this consumer by specifying a proper ID, or use the "
                      "> ID to get new messages. The $ ID would just return an empty result set.");
            return false;
        }
        w->after = w->v == NULL ? STREAM_ID_MIN : stream_meta(w->v).last;
        return true;
    }
    if (!bytes_equal(text, BYTES(">"))) {
        w->history = r->by_group;
        return call_stream_id(c, arg, &w->after, NULL);
    }
    if (!r->by_group) {
        call_fail(c, "ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
                     "<group> <consumer> option.");
        return false;
    }
    w->after = w->group->last;
    return true;
}

/* Finds out what is wanted of the i-th stream. Returns false, having failed the call,
 * if that makes no sense. */
static bool find(struct call *c, const struct reading *r, size_t i, struct wanted *w)
{
    size_t key = r->first + i;
    size_t id = key + r->streams;

    *w = (struct wanted){0};
    w->v = call_find_any(c, c->argv[key]);
    if (w->v != NULL && value_type(w->v) != VALUE_STREAM) {
        if (!runs_again(c)) {
            call_fail_wrong_type(c);
            return false;
        }
        w->v = NULL;
    }
    return (!r->by_group || find_group(c, r, c->argv[key], w)) &&
           find_place(c, r, c->argv[id], id, w);
}

static bool has_news(const struct wanted *w)
{
    return w->v != NULL && (w->history || stream_id_compare(stream_last_id(w->v), w->after) > 0);
}

/* Delivering to a consumer. */

/* A consumer that reads, and how far its group has got. */
struct delivering {
    const struct reading *reading;
    struct bytes key;
    struct stream_progress progress;
    struct stream_id last;
    int64_t read;
    struct buf scratch;
};

static void deliver(struct call *c, struct delivering *d, struct stream_id id, uint64_t count)
{
    struct delivery delivery = {d->reading->group, d->reading->consumer, id, c->now_ms, count};

    call_make(c, change_pending_set(c->db, d->key, &delivery, &d->scratch));
}

/* Counts an entry as read by the group. XGROUP may have set the counter to where it
 * overflows. */
static void move_on(struct delivering *d, struct stream_id id)
{
    if (d->read != STREAM_READ_UNKNOWN && !progress_has_gaps(&d->progress, id)) {
        d->read = (int64_t)((uint64_t)d->read + 1);
    } else if (d->progress.meta.added > 0) {
        d->read = progress_read(&d->progress, id);
    }
    d->last = id;
}

static void reply_news(struct call *c, struct delivering *d, const struct wanted *w, size_t most)
{
    struct stream_id from = w->after;
    size_t place = reply_late(c);
    struct stream_walk walk;
    struct stream_entry entry;
    size_t count = 0;

    stream_id_next(&from); /* There is one, as there are entries behind. */
    walk = stream_from(w->v, from);
    while ((most == 0 || count < most) && stream_next(&walk, &entry)) {
        move_on(d, entry.id);
        if (!d->reading->no_ack) {
            deliver(c, d, entry.id, 1);
        }
        reply_stream_entry(c, &entry);
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
    call_make(c, change_group_set(c->db, d->key, d->reading->group, d->last, d->read, &d->scratch));
}

/* An entry that is pending is delivered again, unless it has gone. */
static void reply_again(struct call *c, struct delivering *d, const struct value *v,
                        const struct stream_pending *p)
{
    struct stream_walk walk = stream_from(v, p->id);
    struct stream_entry entry;

    if (stream_next(&walk, &entry) && stream_id_compare(entry.id, p->id) == 0) {
        deliver(c, d, p->id, p->count + 1);
        reply_stream_entry(c, &entry);
        return;
    }
    reply_array(c, 2);
    reply_stream_id(c, p->id);
    reply_nil_array(c);
}

static void reply_history(struct call *c, struct delivering *d, const struct wanted *w,
                          const struct stream_consumer *consumer, size_t most)
{
    struct stream_id from = w->after;
    bool is_last = !stream_id_next(&from);
    struct tree_at at = consumer_each_pending(consumer, from);
    size_t place = reply_late(c);
    const struct stream_pending *p;
    size_t count = 0;

    while (!is_last && (most == 0 || count < most) && (p = pending_next(&at)) != NULL) {
        reply_again(c, d, w->v, p);
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void reply_to_consumer(struct call *c, const struct reading *r, const struct wanted *w,
                              struct bytes key, size_t most)
{
    const struct stream_consumer *consumer = call_stream_consumer(c, key, w->group, r->consumer);
    struct delivering d = {
        .reading = r,
        .key = key,
        .progress = stream_progress(w->v),
        .last = w->group->last,
        .read = w->group->read,
    };

    if (w->history) {
        reply_history(c, &d, w, consumer, most);
    } else {
        reply_news(c, &d, w, most);
    }
    buf_clear(&d.scratch);
}

/* Replying, and waiting. */

/* Who has waited gets so many entries at once if it did not say. */
static size_t most_entries(const struct call *c, const struct reading *r)
{
    enum { AFTER_WAITING = 1000 };

    return r->most == 0 && runs_again(c) ? AFTER_WAITING : (size_t)r->most;
}

static void reply_stream(struct call *c, const struct reading *r, struct bytes key,
                         const struct wanted *w)
{
    size_t most = most_entries(c, r);
    struct stream_range range = {w->after, STREAM_ID_MAX};

    if (c->reply->version == RESP2) {
        reply_array(c, 2);
    }
    reply_bytes(c, key);
    if (r->by_group) {
        reply_to_consumer(c, r, w, key, most);
        return;
    }
    stream_id_next(&range.from);
    reply_stream_entries(c, w->v, range, most, false);
}

/* Replies with the streams that have something, with only one to who has waited.
 * Returns whether any has. */
static bool reply_streams(struct call *c, const struct reading *r)
{
    struct wanted w;
    size_t place = 0;
    size_t count = 0;

    for (size_t i = 0; i < r->streams && (count == 0 || !runs_again(c)); i++) {
        find(c, r, i, &w);
        if (!has_news(&w)) {
            continue;
        }
        if (count++ == 0) {
            place = reply_late(c);
        }
        reply_stream(c, r, c->argv[r->first + i], &w);
    }
    if (count > 0) {
        reply_late_end(c, place, c->reply->version == RESP2 ? RESP_ARRAY : RESP_MAP, count);
    }
    return count > 0;
}

/* Waits with "$" replaced by what it stands for now. Returns false if the call may not
 * wait. */
static bool wait_for_news(struct call *c, const struct reading *r)
{
    char(*texts)[STREAM_ID_TEXT] = mem_alloc(r->streams * sizeof *texts);
    struct bytes *argv = mem_alloc(c->argc * sizeof *argv);
    struct block block = {
        .first = r->first,
        .count = r->streams,
        .type = VALUE_STREAM,
        .any_change = r->by_group, /* Their stream or group may go. */
        .timeout_ms = r->timeout_ms,
        .argc = c->argc,
        .argv = argv,
    };
    struct wanted w;
    bool waits;

    memcpy(argv, c->argv, c->argc * sizeof *argv);
    for (size_t i = 0; i < r->streams && !r->by_group; i++) {
        find(c, r, i, &w);
        argv[r->first + r->streams + i] =
            (struct bytes){texts[i], stream_id_format(texts[i], w.after)};
    }
    waits = call_block(c, &block);
    mem_free(argv);
    mem_free(texts);
    return waits;
}

static void read_streams(struct call *c, bool by_group)
{
    struct reading r = {.by_group = by_group};
    struct wanted w;

    if (!parse(c, &r)) {
        return;
    }
    for (size_t i = 0; i < r.streams; i++) {
        if (!find(c, &r, i, &w)) {
            return;
        }
    }
    if (!reply_streams(c, &r) && (!r.blocks || !wait_for_news(c, &r))) {
        reply_nil_array(c);
    }
}

static void xread(struct call *c)
{
    read_streams(c, false);
}

static void xreadgroup(struct call *c)
{
    read_streams(c, true);
}

/* clang-format off */
enum {
    WAITING = COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
};

#define KEYS_BEHIND_STREAMS(start)                                                                 \
    {                                                                                              \
        .flags = KEY_RO | KEY_ACCESS, .index = (start), .keyword = "STREAMS", .last = -1,          \
        .step = 1, .limit = 2                                                                      \
    }

const struct command stream_read_commands[] = {
    {.name = "xread",      .arity = -4, .flags = READ | WAITING,                           .keys = {KEYS_BEHIND_STREAMS(1)}, .run = xread,      .group = "stream", .since = "5.0.0", .complexity = "O(log N + M) for each stream, with M entries returned", .summary = "Returns the entries of streams behind given ids, or waits for some", .syntax = "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]"},
    {.name = "xreadgroup", .arity = -7, .flags = COMMAND_WRITE | COMMAND_DIRECT | WAITING, .keys = {KEYS_BEHIND_STREAMS(4)}, .run = xreadgroup, .group = "stream", .since = "5.0.0", .complexity = "O(log N + M log P) for each stream, with M entries returned and P pending", .summary = "Delivers entries of streams to a consumer of a group, or waits for some", .syntax = "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]"},
    {0},
};
/* clang-format on */
