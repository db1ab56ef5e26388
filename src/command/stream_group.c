/* Commands on groups of consumers. */
#include "command/families.h"
#include "command/flags.h"
#include "command/stream.h"
#include "engine/event.h"

/* Shared with the other files. */

bool call_stream_group(struct call *c, size_t arg, const struct value **v,
                       const struct stream_group **g)
{
    struct bytes key = c->argv[arg];
    struct bytes name = c->argv[arg + 1];

    if (!call_find(c, arg, VALUE_STREAM, v)) {
        return false;
    }
    *g = *v == NULL ? NULL : stream_group(*v, name);
    if (*g == NULL) {
        call_fail(c, "NOGROUP No such key '%.*s' or consumer group '%.*s'", (int)key.len, key.at,
                  (int)name.len, name.at);
    }
    return *g != NULL;
}

const struct stream_consumer *call_stream_consumer(struct call *c, struct bytes key,
                                                   const struct stream_group *g, struct bytes name)
{
    const struct stream_consumer *consumer = group_consumer(g, name);
    BUF_LOCAL(scratch);

    if (consumer == NULL) {
        call_event(c, EVENT_STREAM, "xgroup-createconsumer", key);
    }
    if (consumer == NULL || consumer->seen_ms != c->now_ms) {
        call_make(c, change_consumer_set(c->db, key, g->name, name, c->now_ms, &scratch));
    }
    return group_consumer(g, name);
}

struct stream_progress stream_progress(const struct value *v)
{
    return (struct stream_progress){stream_meta(v), stream_first_id(v), stream_count(v)};
}

bool progress_has_gaps(const struct stream_progress *p, struct stream_id from)
{
    struct stream_id deleted = p->meta.max_deleted;

    return p->count > 0 && stream_id_compare(deleted, STREAM_ID_MIN) > 0 &&
           stream_id_compare(p->first, deleted) <= 0 && stream_id_compare(from, deleted) <= 0;
}

int64_t progress_read(const struct stream_progress *p, struct stream_id last)
{
    uint64_t before_first = p->meta.added - p->count;
    int to_last = stream_id_compare(last, p->meta.last);
    int to_first = stream_id_compare(last, p->first);

    if (p->meta.added == 0) {
        return 0;
    }
    if (to_last == 0 || (p->count == 0 && to_last < 0)) {
        return (int64_t)p->meta.added;
    }
    if (to_last > 0 || progress_has_gaps(p, STREAM_ID_MIN) || to_first > 0) {
        return STREAM_READ_UNKNOWN;
    }
    return (int64_t)(to_first < 0 ? before_first : before_first + 1);
}

/* XGROUP. */

/* Finds the stream in argument 2. Returns false, having failed the call, if there is
 * none. */
static bool find_stream(struct call *c, const struct value **v)
{
    if (!call_find(c, 2, VALUE_STREAM, v)) {
        return false;
    }
    if (*v == NULL) {
        call_fail(c,
                  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you "
                  "may want to use the MKSTREAM option to create an empty stream automatically.");
    }
    return *v != NULL;
}

/* The same with the group in argument 3. */
static bool find_group(struct call *c, const struct value **v, const struct stream_group **g)
{
    if (!find_stream(c, v)) {
        return false;
    }
    *g = stream_group(*v, c->argv[3]);
    if (*g == NULL) {
        call_fail(c, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                  (int)c->argv[3].len, c->argv[3].at, (int)c->argv[2].len, c->argv[2].at);
    }
    return *g != NULL;
}

/* Reads [MKSTREAM] [ENTRIESREAD entries-read] from argument 5 on. `makes` is NULL if
 * there may be no MKSTREAM. */
static bool parse_options(struct call *c, bool *makes, int64_t *read)
{
    for (size_t i = 5; i < c->argc; i++) {
        if (makes != NULL && call_is(c, i, "MKSTREAM")) {
            *makes = true;
        } else if (call_is(c, i, "ENTRIESREAD") && i + 1 < c->argc) {
            if (!call_int(c, ++i, read)) {
                return false;
            }
            if (*read < STREAM_READ_UNKNOWN) {
                call_fail(c, "ERR value for ENTRIESREAD must be positive or -1");
                return false;
            }
        } else {
            call_fail_usage(c);
            return false;
        }
    }
    return true;
}

/* Reads argument 4: an id, or "$", the last one of the stream; of a group that is there
 * also "-" or "+". */
static bool parse_last(struct call *c, const struct value *v, bool is_there, struct stream_id *last)
{
    if (bytes_equal(c->argv[4], BYTES("$"))) {
        *last = v == NULL ? STREAM_ID_MIN : stream_meta(v).last;
        return true;
    }
    if (is_there && bytes_equal(c->argv[4], BYTES("-"))) {
        *last = STREAM_ID_MIN;
        return true;
    }
    if (is_there && bytes_equal(c->argv[4], BYTES("+"))) {
        *last = STREAM_ID_MAX;
        return true;
    }
    return call_stream_id(c, 4, last, NULL);
}

static void set_group(struct call *c, struct stream_id last, int64_t read)
{
    BUF_LOCAL(scratch);

    call_make(c, change_group_set(c->db, c->argv[2], c->argv[3], last, read, &scratch));
}

static void xgroup_create(struct call *c)
{
    bool makes = false;
    int64_t read = STREAM_READ_UNKNOWN;
    struct stream_id last;
    const struct value *v;

    if (!parse_options(c, &makes, &read) || !call_find(c, 2, VALUE_STREAM, &v) ||
        (!makes && !find_stream(c, &v))) {
        return;
    }
    if (c->argc > 8) {
        call_fail_usage(c);
        return;
    }
    if (!parse_last(c, v, false, &last)) {
        return;
    }
    if (v != NULL && stream_group(v, c->argv[3]) != NULL) {
        call_fail(c, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    if (v == NULL && !call_find_or_bind(c, 2, VALUE_STREAM, &v)) {
        return;
    }
    set_group(c, last, read);
    call_event(c, EVENT_STREAM, "xgroup-create", c->argv[2]);
    reply_ok(c);
}

static void xgroup_setid(struct call *c)
{
    int64_t read = STREAM_READ_UNKNOWN;
    struct stream_id last;
    const struct value *v;
    const struct stream_group *g;

    if (!parse_options(c, NULL, &read) || !find_group(c, &v, &g)) {
        return;
    }
    if (c->argc != 5 && c->argc != 7) {
        call_fail_usage(c);
        return;
    }
    if (!parse_last(c, v, true, &last)) {
        return;
    }
    set_group(c, last, read);
    call_event(c, EVENT_STREAM, "xgroup-setid", c->argv[2]);
    reply_ok(c);
}

static void xgroup_destroy(struct call *c)
{
    const struct value *v;
    BUF_LOCAL(scratch);

    if (!find_stream(c, &v)) {
        return;
    }
    if (stream_group(v, c->argv[3]) == NULL) {
        reply_int(c, 0);
        return;
    }
    call_make(c, change_group_remove(c->db, c->argv[2], c->argv[3], &scratch));
    call_event(c, EVENT_STREAM, "xgroup-destroy", c->argv[2]);
    reply_int(c, 1);
}

static void xgroup_createconsumer(struct call *c)
{
    const struct value *v;
    const struct stream_group *g;

    if (!find_group(c, &v, &g)) {
        return;
    }
    if (group_consumer(g, c->argv[4]) != NULL) {
        reply_int(c, 0);
        return;
    }
    call_stream_consumer(c, c->argv[2], g, c->argv[4]);
    reply_int(c, 1);
}

static void xgroup_delconsumer(struct call *c)
{
    const struct value *v;
    const struct stream_group *g;
    const struct stream_consumer *consumer;
    size_t pending;
    BUF_LOCAL(scratch);

    if (!find_group(c, &v, &g)) {
        return;
    }
    consumer = group_consumer(g, c->argv[4]);
    if (consumer == NULL) {
        reply_int(c, 0);
        return;
    }
    pending = consumer_pending_count(consumer);
    call_make(c, change_consumer_remove(c->db, c->argv[2], c->argv[3], c->argv[4], &scratch));
    call_event(c, EVENT_STREAM, "xgroup-delconsumer", c->argv[2]);
    reply_int(c, (int64_t)pending);
}

/* XACK. */

static void xack(struct call *c)
{
    const struct value *v;
    const struct stream_group *g;
    struct stream_id id;
    int64_t acknowledged = 0;
    BUF_LOCAL(scratch);

    if (!call_find(c, 1, VALUE_STREAM, &v)) {
        return;
    }
    g = v == NULL ? NULL : stream_group(v, c->argv[2]);
    for (size_t i = 3; g != NULL && i < c->argc; i++) {
        if (!call_stream_id(c, i, &id, NULL)) {
            return;
        }
    }
    for (size_t i = 3; g != NULL && i < c->argc; i++) {
        stream_id_parse(c->argv[i], 0, &id, NULL);
        if (group_pending(g, id) != NULL) {
            call_make(c, change_pending_remove(c->db, c->argv[1], c->argv[2], id, &scratch));
            acknowledged++;
        }
    }
    reply_int(c, acknowledged);
}

/* XPENDING. */

static void reply_pending_consumers(struct call *c, const struct stream_group *g)
{
    struct tree_at at = group_each_consumer(g);
    size_t place = reply_late(c);
    const struct stream_consumer *consumer;
    size_t count = 0;

    while ((consumer = consumer_next(&at)) != NULL) {
        if (consumer_pending_count(consumer) > 0) {
            reply_array(c, 2);
            reply_bytes(c, consumer->name);
            reply_format(c, "%zu", consumer_pending_count(consumer));
            count++;
        }
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void reply_pending_summary(struct call *c, const struct stream_group *g)
{
    struct stream_id first, last;

    reply_array(c, 4);
    reply_int(c, (int64_t)group_pending_count(g));
    if (!group_pending_edges(g, &first, &last)) {
        reply_nil(c);
        reply_nil(c);
        reply_nil_array(c);
        return;
    }
    reply_stream_id(c, first);
    reply_stream_id(c, last);
    reply_pending_consumers(c, g);
}

/* What XPENDING is asked for. */
struct wanted {
    int64_t min_idle_ms;
    struct stream_range range;
    int64_t count;
    const struct bytes *consumer; /* NULL: of all. */
};

static bool parse_xpending(struct call *c, struct wanted *w)
{
    size_t arg = 3;

    if (c->argc < 6 || c->argc > 9) {
        call_fail_syntax(c);
        return false;
    }
    if (call_is(c, 3, "IDLE")) {
        if (!call_int(c, 4, &w->min_idle_ms)) {
            return false;
        }
        if (c->argc < 8) {
            call_fail_syntax(c);
            return false;
        }
        arg = 5;
    }
    w->consumer = arg + 3 < c->argc ? &c->argv[arg + 3] : NULL;
    return call_int(c, arg + 2, &w->count) && call_stream_start(c, arg, &w->range.from) &&
           call_stream_end(c, arg + 1, &w->range.to);
}

static void reply_pending(struct call *c, const struct stream_pending *p)
{
    reply_array(c, 4);
    reply_stream_id(c, p->id);
    reply_bytes(c, p->consumer->name);
    reply_int(c, call_age_ms(c, p->delivered_ms));
    reply_int(c, (int64_t)p->count);
}

static void reply_wanted(struct call *c, struct tree_at at, const struct wanted *w)
{
    size_t place = reply_late(c);
    const struct stream_pending *p;
    int64_t count = 0;

    while (count < w->count && (p = pending_next(&at)) != NULL &&
           stream_id_compare(p->id, w->range.to) <= 0) {
        if (w->min_idle_ms == 0 || call_age_ms(c, p->delivered_ms) >= w->min_idle_ms) {
            reply_pending(c, p);
            count++;
        }
    }
    reply_late_end(c, place, RESP_ARRAY, (size_t)count);
}

static void xpending(struct call *c)
{
    struct wanted w = {0};
    const struct value *v;
    const struct stream_group *g;
    const struct stream_consumer *consumer;

    if ((c->argc != 3 && !parse_xpending(c, &w)) || !call_stream_group(c, 1, &v, &g)) {
        return;
    }
    if (c->argc == 3) {
        reply_pending_summary(c, g);
        return;
    }
    if (w.consumer == NULL) {
        reply_wanted(c, group_each_pending(g, w.range.from), &w);
        return;
    }
    consumer = group_consumer(g, *w.consumer);
    if (consumer == NULL) {
        reply_array(c, 0);
        return;
    }
    reply_wanted(c, consumer_each_pending(consumer, w.range.from), &w);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    FREE     = COMMAND_WRITE | COMMAND_DIRECT,
};

static const struct command xgroup_commands[] = {
    {.name = "create",         .arity = -5, .flags = WRITE,    .keys = {KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = xgroup_create,         .group = "stream", .since = "5.0.0", .complexity = "O(log N)", .summary = "Makes a group that reads a stream from behind an id on", .syntax = "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]"},
    {.name = "createconsumer", .arity = 5,  .flags = WRITE,    .keys = {KEY_AT(2, KEY_RW | KEY_INSERT)}, .run = xgroup_createconsumer, .group = "stream", .since = "6.2.0", .complexity = "O(log N)", .summary = "Makes a consumer in a group", .syntax = "key group consumer"},
    {.name = "delconsumer",    .arity = 5,  .flags = FREE,     .keys = {KEY_AT(2, KEY_RW | KEY_DELETE)}, .run = xgroup_delconsumer,    .group = "stream", .since = "5.0.0", .complexity = "O(N log N) with N entries pending", .summary = "Removes a consumer, and returns how many entries were pending", .syntax = "key group consumer"},
    {.name = "destroy",        .arity = 4,  .flags = FREE,     .keys = {KEY_AT(2, KEY_RW | KEY_DELETE)}, .run = xgroup_destroy,        .group = "stream", .since = "5.0.0", .complexity = "O(N) with N entries pending", .summary = "Removes a group", .syntax = "key group"},
    {.name = "help",           .arity = 2,  .flags = ANY_TIME, .run = reply_help,                                                      .group = "stream", .since = "5.0.0", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "setid",          .arity = -5, .flags = FREE,     .keys = {KEY_AT(2, KEY_RW | KEY_UPDATE)}, .run = xgroup_setid,          .group = "stream", .since = "5.0.0", .complexity = "O(log N)", .summary = "Sets the id from behind which a group reads on", .syntax = "key group <id | $> [ENTRIESREAD entries-read]"},
    {0},
};

const struct command stream_group_commands[] = {
    {.name = "xack",     .arity = -4, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .run = xack,     .group = "stream", .since = "5.0.0", .complexity = "O(log N) for each id", .summary = "Ends that entries are pending in a group", .syntax = "key group id [id ...]"},
    {.name = "xgroup",   .arity = -2, .subcommands = xgroup_commands,                                              .group = "stream", .since = "5.0.0", .complexity = "Depends on the subcommand", .summary = "Makes, changes and removes groups and consumers", .syntax = ""},
    {.name = "xpending", .arity = -3, .flags = READ,      .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = xpending, .group = "stream", .since = "5.0.0", .complexity = "O(log N + M) with M entries looked at", .summary = "Tells which entries are pending in a group", .syntax = "key group [[IDLE min-idle-time] start end count [consumer]]"},
    {0},
};
/* clang-format on */
