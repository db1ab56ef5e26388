/* XINFO. */
#include "command/families.h"
#include "command/flags.h"
#include "command/stream.h"

/* Finds the stream in argument 2. Returns false, having failed the call, if there is
 * none. */
static bool find_stream(struct call *c, const struct value **v)
{
    if (!call_find(c, 2, VALUE_STREAM, v)) {
        return false;
    }
    if (*v == NULL) {
        call_fail(c, "ERR no such key");
    }
    return *v != NULL;
}

static void reply_named_int(struct call *c, const char *name, int64_t number)
{
    reply_string(c, name);
    reply_int(c, number);
}

static void reply_named_id(struct call *c, const char *name, struct stream_id id)
{
    reply_string(c, name);
    reply_stream_id(c, id);
}

/* How many entries a group has not read yet, as far as that can be told. */
static void reply_lag(struct call *c, const struct value *v, const struct stream_group *g)
{
    struct stream_progress p = stream_progress(v);
    int64_t read =
        p.meta.added > 0 && (g->read == STREAM_READ_UNKNOWN || progress_has_gaps(&p, g->last))
            ? progress_read(&p, g->last)
            : g->read;

    reply_string(c, "lag");
    if (p.meta.added == 0) {
        reply_int(c, 0);
    } else if (read == STREAM_READ_UNKNOWN) {
        reply_nil(c);
    } else {
        reply_int(c, (int64_t)(p.meta.added - (uint64_t)read));
    }
}

/* How far a group has got. */
static void reply_reading(struct call *c, const struct value *v, const struct stream_group *g)
{
    reply_named_id(c, "last-delivered-id", g->last);
    reply_string(c, "entries-read");
    if (g->read == STREAM_READ_UNKNOWN) {
        reply_nil(c);
    } else {
        reply_int(c, g->read);
    }
    reply_lag(c, v, g);
}

static void xinfo_groups(struct call *c)
{
    const struct value *v;
    const struct stream_group *g;
    struct tree_at at;

    if (!find_stream(c, &v)) {
        return;
    }
    at = stream_each_group(v);
    reply_array(c, stream_groups(v));
    while ((g = group_next(&at)) != NULL) {
        reply_map(c, 6);
        reply_string(c, "name");
        reply_bytes(c, g->name);
        reply_named_int(c, "consumers", (int64_t)group_consumers(g));
        reply_named_int(c, "pending", (int64_t)group_pending_count(g));
        reply_reading(c, v, g);
    }
}

static void xinfo_consumers(struct call *c)
{
    const struct value *v;
    const struct stream_group *g;
    const struct stream_consumer *consumer;
    struct tree_at at;

    if (!find_stream(c, &v)) {
        return;
    }
    g = stream_group(v, c->argv[3]);
    if (g == NULL) {
        call_fail(c, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                  (int)c->argv[3].len, c->argv[3].at, (int)c->argv[2].len, c->argv[2].at);
        return;
    }
    at = group_each_consumer(g);
    reply_array(c, group_consumers(g));
    while ((consumer = consumer_next(&at)) != NULL) {
        reply_map(c, 3);
        reply_string(c, "name");
        reply_bytes(c, consumer->name);
        reply_named_int(c, "pending", (int64_t)consumer_pending_count(consumer));
        reply_named_int(c, "idle", call_age_ms(c, consumer->seen_ms));
    }
}

/* XINFO STREAM. */

/* Replies with what is pending, at most `most` entries unless that is 0; of a group
 * also for whom. */
static void reply_pendings(struct call *c, struct tree_at at, size_t most, bool of_group)
{
    size_t place = reply_late(c);
    const struct stream_pending *p;
    size_t count = 0;

    while ((most == 0 || count < most) && (p = pending_next(&at)) != NULL) {
        reply_array(c, of_group ? 4 : 3);
        reply_stream_id(c, p->id);
        if (of_group) {
            reply_bytes(c, p->consumer->name);
        }
        reply_int(c, p->delivered_ms);
        reply_int(c, (int64_t)p->count);
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void reply_full_consumer(struct call *c, const struct stream_consumer *consumer, size_t most)
{
    reply_map(c, 4);
    reply_string(c, "name");
    reply_bytes(c, consumer->name);
    reply_named_int(c, "seen-time", consumer->seen_ms);
    reply_named_int(c, "pel-count", (int64_t)consumer_pending_count(consumer));
    reply_string(c, "pending");
    reply_pendings(c, consumer_each_pending(consumer, STREAM_ID_MIN), most, false);
}

static void reply_full_group(struct call *c, const struct value *v, const struct stream_group *g,
                             size_t most)
{
    struct tree_at at = group_each_consumer(g);
    const struct stream_consumer *consumer;

    reply_map(c, 7);
    reply_string(c, "name");
    reply_bytes(c, g->name);
    reply_reading(c, v, g);
    reply_named_int(c, "pel-count", (int64_t)group_pending_count(g));
    reply_string(c, "pending");
    reply_pendings(c, group_each_pending(g, STREAM_ID_MIN), most, true);
    reply_string(c, "consumers");
    reply_array(c, group_consumers(g));
    while ((consumer = consumer_next(&at)) != NULL) {
        reply_full_consumer(c, consumer, most);
    }
}

static void reply_full(struct call *c, const struct value *v, size_t most)
{
    struct tree_at at = stream_each_group(v);
    const struct stream_group *g;

    reply_string(c, "entries");
    reply_stream_entries(c, v, (struct stream_range){STREAM_ID_MIN, STREAM_ID_MAX}, most, false);
    reply_string(c, "groups");
    reply_array(c, stream_groups(v));
    while ((g = group_next(&at)) != NULL) {
        reply_full_group(c, v, g, most);
    }
}

static void reply_edge(struct call *c, const char *name, struct stream_walk walk)
{
    struct stream_entry entry;

    reply_string(c, name);
    if (stream_next(&walk, &entry)) {
        reply_stream_entry(c, &entry);
    } else {
        reply_nil(c);
    }
}

/* Reads [FULL [COUNT count]]. */
static bool parse_full(struct call *c, bool *full, int64_t *count)
{
    *full = c->argc > 3;
    if (*full && (c->argc == 4 || c->argc == 6) && call_is(c, 3, "FULL")) {
        if (c->argc == 4) {
            return true;
        }
        if (call_is(c, 4, "COUNT")) {
            return call_int(c, 5, count);
        }
    }
    if (*full) {
        call_fail_usage(c);
    }
    return !*full;
}

/* A radix tree is what Redis has instead of pages; the number of its nodes is what it
 * would be for short ids. */
static void xinfo_stream(struct call *c)
{
    enum { USUAL_COUNT = 10 };
    int64_t count = USUAL_COUNT;
    const struct value *v;
    struct stream_meta meta;
    bool full;

    if (!find_stream(c, &v) || !parse_full(c, &full, &count)) {
        return;
    }
    meta = stream_meta(v);
    reply_map(c, full ? 9 : 10);
    reply_named_int(c, "length", (int64_t)stream_count(v));
    reply_named_int(c, "radix-tree-keys", (int64_t)stream_pages(v));
    reply_named_int(c, "radix-tree-nodes", (int64_t)stream_pages(v) + 1);
    reply_named_id(c, "last-generated-id", meta.last);
    reply_named_id(c, "max-deleted-entry-id", meta.max_deleted);
    reply_named_int(c, "entries-added", (int64_t)meta.added);
    reply_named_id(c, "recorded-first-entry-id", stream_first_id(v));
    if (full) {
        reply_full(c, v, count < 0 ? USUAL_COUNT : (size_t)count);
        return;
    }
    reply_named_int(c, "groups", (int64_t)stream_groups(v));
    reply_edge(c, "first-entry", stream_from(v, STREAM_ID_MIN));
    reply_edge(c, "last-entry", stream_back_from(v, STREAM_ID_MAX));
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
};

static const struct command xinfo_commands[] = {
    {.name = "consumers", .arity = 4,  .flags = READ,     .keys = {KEY_AT(2, KEY_RO | KEY_ACCESS)}, .run = xinfo_consumers, .group = "stream", .since = "5.0.0", .complexity = "O(N) with N consumers", .summary = "Tells which consumers a group has", .syntax = "key group"},
    {.name = "groups",    .arity = 3,  .flags = READ,     .keys = {KEY_AT(2, KEY_RO | KEY_ACCESS)}, .run = xinfo_groups,    .group = "stream", .since = "5.0.0", .complexity = "O(N) with N groups", .summary = "Tells which groups a stream has", .syntax = "key"},
    {.name = "help",      .arity = 2,  .flags = ANY_TIME, .run = reply_help,                                                .group = "stream", .since = "5.0.0", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "stream",    .arity = -3, .flags = READ,     .keys = {KEY_AT(2, KEY_RO | KEY_ACCESS)}, .run = xinfo_stream,    .group = "stream", .since = "5.0.0", .complexity = "O(log N); O(N) with N entries, groups and consumers told of", .summary = "Tells what a stream consists of", .syntax = "key [FULL [COUNT count]]"},
    {0},
};

const struct command stream_info_commands[] = {
    {.name = "xinfo", .arity = -2, .subcommands = xinfo_commands, .group = "stream", .since = "5.0.0", .complexity = "Depends on the subcommand", .summary = "Tells about streams, groups and consumers", .syntax = ""},
    {0},
};
/* clang-format on */
