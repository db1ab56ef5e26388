#include "command/client.h"

#include "base/number.h"
#include "engine/engine.h"

enum { QUOTED_MAX = 128 }; /* Bytes of an argument that an error repeats. */

static int quoted_len(struct bytes argument)
{
    return argument.len < QUOTED_MAX ? (int)argument.len : QUOTED_MAX;
}

static bool all_visible(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '!' || text.at[i] > '~') {
            return false;
        }
    }
    return true;
}

bool client_check_name(struct call *c, struct bytes name)
{
    if (!all_visible(name)) {
        call_fail(c, "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    return true;
}

static void replace(struct buf *text, struct bytes by)
{
    buf_clear(text);
    buf_add(text, by);
}

void client_set_name(struct session *s, struct bytes name)
{
    replace(&s->name, name);
}

/* Reads argument `arg` as ON or OFF. Returns false, having failed the call, if it is
 * neither. */
static bool read_on_off(struct call *c, size_t arg, bool *on)
{
    if (!call_is(c, arg, "on") && !call_is(c, arg, "off")) {
        call_fail_syntax(c);
        return false;
    }
    *on = call_is(c, arg, "on");
    return true;
}

static void client_getname(struct call *c)
{
    if (c->session->name.len == 0) {
        reply_nil(c);
        return;
    }
    reply_bytes(c, buf_bytes(&c->session->name));
}

static void client_id(struct call *c)
{
    reply_int(c, (int64_t)c->session->id);
}

static void describe(const struct session *s, struct buf *out)
{
    session_describe(s, out);
    buf_add_byte(out, '\n');
}

static void client_info(struct call *c)
{
    BUF_LOCAL(line);

    describe(c->session, &line);
    reply_verbatim(c, "txt", buf_bytes(&line));
}

/* What LIST and KILL select sessions by. Whatever is not set selects all. */
struct filter {
    int64_t id; /* 0: any. */
    const struct bytes *address;
    const struct bytes *local_address;
    enum { TYPE_ANY, TYPE_NORMAL, TYPE_PUBSUB, TYPE_NONE } type;
    const struct session *skipped;
};

/* Reads a type of connection. None of ours is a replica's: the nodes of a group do not
 * speak this protocol to each other. */
static bool read_type(struct call *c, size_t arg, struct filter *filter)
{
    static const struct {
        const char *name;
        int type;
    } types[] = {
        {"normal", TYPE_NORMAL}, {"pubsub", TYPE_PUBSUB}, {"master", TYPE_NONE},
        {"replica", TYPE_NONE},  {"slave", TYPE_NONE},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (call_is(c, arg, types[i].name)) {
            filter->type = types[i].type;
            return true;
        }
    }
    call_fail(c, "ERR Unknown client type '%.*s'", quoted_len(c->argv[arg]), c->argv[arg].at);
    return false;
}

static bool has_type(const struct session *s, const struct filter *filter)
{
    return filter->type == TYPE_ANY ||
           filter->type == (s->subscriptions.count > 0 ? TYPE_PUBSUB : TYPE_NORMAL);
}

static bool filter_takes(const struct filter *filter, const struct session *s)
{
    return has_type(s, filter) && s != filter->skipped &&
           (filter->id == 0 || s->id == (uint64_t)filter->id) &&
           (filter->address == NULL || bytes_equal(*filter->address, bytes_of(s->address))) &&
           (filter->local_address == NULL ||
            bytes_equal(*filter->local_address, bytes_of(s->local_address)));
}

/* Sessions are entered at the front of the list, and told of from its end. */
static struct session *oldest_session(const struct engine *e)
{
    struct session *s = e->sessions;

    while (s != NULL && s->next != NULL) {
        s = s->next;
    }
    return s;
}

static void list_matching(const struct engine *e, const struct filter *filter, struct buf *lines)
{
    for (const struct session *s = oldest_session(e); s != NULL; s = s->previous) {
        if (filter_takes(filter, s)) {
            describe(s, lines);
        }
    }
}

/* Lists the sessions whose ids are given, in that order. */
static bool list_ids(struct call *c, struct buf *lines)
{
    struct filter filter = {0};

    for (size_t i = 3; i < c->argc; i++) {
        if (!number_parse_int(c->argv[i], &filter.id)) {
            call_fail(c, "ERR Invalid client ID");
            return false;
        }
        if (filter.id > 0) {
            list_matching(c->engine, &filter, lines);
        }
    }
    return true;
}

static void client_list(struct call *c)
{
    struct filter filter = {0};
    BUF_LOCAL(lines);

    if (c->argc == 4 && call_is(c, 2, "type")) {
        if (!read_type(c, 3, &filter)) {
            return;
        }
        list_matching(c->engine, &filter, &lines);
    } else if (c->argc > 3 && call_is(c, 2, "id")) {
        if (!list_ids(c, &lines)) {
            return;
        }
    } else if (c->argc == 2) {
        list_matching(c->engine, &filter, &lines);
    } else {
        call_fail_syntax(c);
        return;
    }
    reply_verbatim(c, "txt", buf_bytes(&lines));
}

static bool read_kill_id(struct call *c, size_t arg, struct filter *filter)
{
    if (!number_parse_int(c->argv[arg], &filter->id) || filter->id < 1) {
        call_fail(c, "ERR client-id should be greater than 0");
        return false;
    }
    return true;
}

static bool check_user(struct call *c, size_t arg)
{
    if (!bytes_equal(c->argv[arg], BYTES("default"))) {
        call_fail(c, "ERR No such user '%.*s'", quoted_len(c->argv[arg]), c->argv[arg].at);
        return false;
    }
    return true;
}

static bool read_skipme(struct call *c, size_t arg, struct filter *filter)
{
    if (!call_is(c, arg, "yes") && !call_is(c, arg, "no")) {
        call_fail_syntax(c);
        return false;
    }
    filter->skipped = call_is(c, arg, "yes") ? c->session : NULL;
    return true;
}

/* Reads the option at `arg`, whose value is behind it. */
static bool read_kill_option(struct call *c, size_t arg, struct filter *filter)
{
    if (arg + 1 < c->argc && call_is(c, arg, "id")) {
        return read_kill_id(c, arg + 1, filter);
    }
    if (arg + 1 < c->argc && call_is(c, arg, "type")) {
        return read_type(c, arg + 1, filter);
    }
    if (arg + 1 < c->argc && call_is(c, arg, "addr")) {
        filter->address = &c->argv[arg + 1];
        return true;
    }
    if (arg + 1 < c->argc && call_is(c, arg, "laddr")) {
        filter->local_address = &c->argv[arg + 1];
        return true;
    }
    if (arg + 1 < c->argc && call_is(c, arg, "user")) {
        return check_user(c, arg + 1);
    }
    if (arg + 1 < c->argc && call_is(c, arg, "skipme")) {
        return read_skipme(c, arg + 1, filter);
    }
    call_fail_syntax(c);
    return false;
}

/* Ends all sessions that a filter takes, and returns how many those were. */
static int64_t kill_matching(struct call *c, const struct filter *filter)
{
    struct session *s = oldest_session(c->engine);
    int64_t count = 0;

    while (s != NULL) {
        struct session *newer = s->previous; /* The session may be gone afterwards. */
        if (filter_takes(filter, s)) {
            session_kill(s, c->session);
            count++;
        }
        s = newer;
    }
    return count;
}

/* CLIENT KILL address: the old form, which tells whether there was one, and with
 * which a client can end itself. */
static void kill_address(struct call *c)
{
    struct filter filter = {.address = &c->argv[2]};

    if (kill_matching(c, &filter) == 0) {
        call_fail(c, "ERR No such client");
        return;
    }
    reply_ok(c);
}

static void client_kill(struct call *c)
{
    struct filter filter = {.skipped = c->session};

    if (c->argc == 3) {
        kill_address(c);
        return;
    }
    for (size_t i = 2; i < c->argc; i += 2) {
        if (!read_kill_option(c, i, &filter)) {
            return;
        }
    }
    reply_int(c, kill_matching(c, &filter));
}

static void client_no_evict(struct call *c)
{
    if (read_on_off(c, 2, &c->session->no_evict)) {
        reply_ok(c);
    }
}

static void client_no_touch(struct call *c)
{
    if (read_on_off(c, 2, &c->session->no_touch)) {
        reply_ok(c);
    }
}

struct session *client_find(const struct engine *e, int64_t id)
{
    struct session *s = e->sessions;

    while (s != NULL && s->id != (uint64_t)id) {
        s = s->next;
    }
    return s;
}

static void client_pause(struct call *c)
{
    enum pause_kind kind = call_is(c, 3, "write") ? PAUSE_WRITES : PAUSE_ALL;
    int64_t timeout_ms;

    if (c->argc > 4) {
        call_fail_usage(c);
    } else if (c->argc == 4 && !call_is(c, 3, "write") && !call_is(c, 3, "all")) {
        call_fail(c, "ERR CLIENT PAUSE mode must be WRITE or ALL");
    } else if (!number_parse_int(c->argv[2], &timeout_ms)) {
        call_fail(c, "ERR timeout is not an integer or out of range");
    } else if (timeout_ms < 0) {
        call_fail(c, "ERR timeout is negative");
    } else if (timeout_ms > INT64_MAX - c->now_ms) {
        call_fail(c, "ERR timeout is out of range");
    } else {
        pause_begin(c->engine, kind, c->now_ms + timeout_ms);
        reply_ok(c);
    }
}

static void client_unpause(struct call *c)
{
    pause_end(c->engine);
    reply_ok(c);
}

static void client_unblock(struct call *c)
{
    bool fails = call_is(c, 3, "error");
    struct session *s;
    int64_t id;

    if (c->argc > 4) {
        call_fail_usage(c);
        return;
    }
    if (c->argc == 4 && !fails && !call_is(c, 3, "timeout")) {
        call_fail(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!call_int(c, 2, &id)) {
        return;
    }
    s = client_find(c->engine, id);
    reply_int(c, s != NULL &&
                     block_end(s, fails ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : NULL));
}

static void client_consistency(struct call *c)
{
    struct session *s = c->session;

    if (c->argc > 3) {
        call_fail_arity(c);
        return;
    }
    if (c->argc == 2) {
        reply_string(c, consistency_names[session_consistency(s)]);
        return;
    }
    if (call_is(c, 2, "default")) {
        s->consistency = CONSISTENCY_DEFAULT;
        reply_ok(c);
        return;
    }
    for (int i = 0; consistency_names[i] != NULL; i++) {
        if (call_is(c, 2, consistency_names[i])) {
            s->consistency = (enum consistency)i;
            reply_ok(c);
            return;
        }
    }
    call_fail_syntax(c);
}

/* Only ON is answered, and that even if nothing was until now. */
static void client_reply(struct call *c)
{
    struct session *s = c->session;

    if (call_is(c, 2, "on")) {
        s->reply_mode = REPLY_ON;
        c->reply = session_sink(s);
        reply_ok(c);
    } else if (call_is(c, 2, "off")) {
        s->reply_mode = REPLY_OFF;
    } else if (!call_is(c, 2, "skip")) {
        call_fail_syntax(c);
    } else if (s->reply_mode != REPLY_OFF) {
        s->reply_mode = REPLY_SKIP;
    }
}

static void client_setinfo(struct call *c)
{
    struct bytes option = c->argv[2];
    bool is_name = call_is(c, 2, "lib-name");

    if (!is_name && !call_is(c, 2, "lib-ver")) {
        call_fail(c, "ERR Unrecognized option '%.*s'", quoted_len(option), option.at);
        return;
    }
    if (!all_visible(c->argv[3])) {
        call_fail(c, "ERR %.*s cannot contain spaces, newlines or special characters.",
                  quoted_len(option), option.at);
        return;
    }
    replace(is_name ? &c->session->lib_name : &c->session->lib_version, c->argv[3]);
    reply_ok(c);
}

static void client_setname(struct call *c)
{
    if (!client_check_name(c, c->argv[2])) {
        return;
    }
    client_set_name(c->session, c->argv[2]);
    reply_ok(c);
}

/* clang-format off */
enum {
    ANYONE = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
    ADMINS = ANYONE | COMMAND_ADMIN,
};

const struct command client_subcommands[] = {
    {.name = "caching", .arity = 3, .flags = ANYONE, .run = client_caching, .group = "connection", .since = "6.0.0", .complexity = "O(1)", .summary = "Sets whether what the next request reads is tracked", .syntax = "<YES | NO>"},
    {.name = "consistency", .arity = -2, .flags = ANYONE, .run = client_consistency, .group = "connection", .since = "7.0.0", .complexity = "O(1)", .summary = "Sets which past the reads of this connection may show, or returns that", .syntax = "[STRICT | LEADER | ANY | DEFAULT]"},
    {.name = "getname", .arity = 2, .flags = ANYONE, .run = client_getname, .group = "connection", .since = "2.6.9", .complexity = "O(1)", .summary = "Returns the name of this connection", .syntax = ""},
    {.name = "getredir", .arity = 2, .flags = ANYONE, .run = client_getredir, .group = "connection", .since = "6.0.0", .complexity = "O(1)", .summary = "Returns which connection is told of what this one tracks, or -1", .syntax = ""},
    {.name = "help", .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE, .run = reply_help, .group = "connection", .since = "5.0.0", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "id", .arity = 2, .flags = ANYONE, .run = client_id, .group = "connection", .since = "5.0.0", .complexity = "O(1)", .summary = "Returns the id of this connection, which no other has ever had", .syntax = ""},
    {.name = "info", .arity = 2, .flags = ANYONE, .run = client_info, .group = "connection", .since = "6.2.0", .complexity = "O(1)", .summary = "Describes this connection", .syntax = ""},
    {.name = "kill", .arity = -3, .flags = ADMINS, .run = client_kill, .group = "connection", .since = "2.4.0", .complexity = "O(N) with N connections", .summary = "Ends the connections that all conditions hold for, but not this one unless SKIPME is NO", .syntax = "ip:port | <ID client-id | TYPE <NORMAL | MASTER | REPLICA | PUBSUB> | USER username | ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> ...>"},
    {.name = "list", .arity = -2, .flags = ADMINS | COMMAND_TEST, .run = client_list, .group = "connection", .since = "2.4.0", .complexity = "O(N) with N connections", .summary = "Describes connections, one a line", .syntax = "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB> | ID client-id [client-id ...]]"},
    {.name = "no-evict", .arity = 3, .flags = ADMINS, .run = client_no_evict, .group = "connection", .since = "7.0.0", .complexity = "O(1)", .summary = "Sets whether this connection is spared when memory is short", .syntax = "<ON | OFF>"},
    {.name = "no-touch", .arity = 3, .flags = ANYONE, .run = client_no_touch, .group = "connection", .since = "7.2.0", .complexity = "O(1)", .summary = "Sets whether reads of this connection leave the idle times of keys alone", .syntax = "<ON | OFF>"},
    {.name = "pause", .arity = -3, .flags = ADMINS, .run = client_pause, .group = "connection", .since = "2.9.50", .complexity = "O(1)", .summary = "Puts off requests, or only those that may write, for a time", .syntax = "timeout [WRITE | ALL]"},
    {.name = "reply", .arity = 3, .flags = ANYONE, .run = client_reply, .group = "connection", .since = "3.2.0", .complexity = "O(1)", .summary = "Turns replies on or off, or skips that to the next request", .syntax = "<ON | OFF | SKIP>"},
    {.name = "setinfo", .arity = 4, .flags = ANYONE, .run = client_setinfo, .group = "connection", .since = "7.2.0", .complexity = "O(1)", .summary = "Notes which client library speaks", .syntax = "<LIB-NAME libname | LIB-VER libver>"},
    {.name = "setname", .arity = 3, .flags = ANYONE, .run = client_setname, .group = "connection", .since = "2.6.9", .complexity = "O(1)", .summary = "Names this connection", .syntax = "connection-name"},
    {.name = "unblock", .arity = -3, .flags = ADMINS, .run = client_unblock, .group = "connection", .since = "5.0.0", .complexity = "O(N) with N connections", .summary = "Ends the waiting of another connection", .syntax = "client-id [TIMEOUT | ERROR]"},
    {.name = "unpause", .arity = 2, .flags = ADMINS, .run = client_unpause, .group = "connection", .since = "6.2.0", .complexity = "O(N) with N requests put off", .summary = "Ends a pause", .syntax = ""},
    {.name = "tracking", .arity = -3, .flags = ANYONE, .run = client_tracking, .group = "connection", .since = "6.0.0", .complexity = "O(1), or O(N) with N prefixes", .summary = "Sets whether this connection is told when keys change that it has read, or that begin so", .syntax = "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]"},
    {.name = "trackinginfo", .arity = 2, .flags = ANYONE, .run = client_trackinginfo, .group = "connection", .since = "6.2.0", .complexity = "O(1)", .summary = "Returns what this connection tracks", .syntax = ""},
    {0},
};
