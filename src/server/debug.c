/* DEBUG: what tests need to see and do. */
#include "base/log.h"
#include "base/number.h"
#include "engine/call.h"
#include "server/commands.h"
#include "server/config_file.h"
#include "server/server.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

/* Data. */

static void debug_check(struct call *c)
{
    dataset_check(c->engine->data);
    reply_ok(c);
}

static void reply_digest(struct call *c, struct digest digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    reply_status(c, hex);
}

static void debug_digest(struct call *c)
{
    reply_digest(c, dataset_digest(c->engine->data));
}

static void debug_digest_value(struct call *c)
{
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        const struct value *v = keyspace_find(c->keys, c->argv[i], c->now_ms);
        reply_digest(c, v == NULL ? (struct digest){{0}} : digest_value(v));
    }
}

static void debug_object(struct call *c)
{
    const struct value *v = keyspace_find_any(c->keys, c->argv[2]);
    char text[160];
    uint32_t accessed;

    if (v == NULL) {
        call_fail(c, "ERR no such key");
        return;
    }
    accessed = value_accessed(v);
    snprintf(text, sizeof text,
             "Value at:%p refcount:1 encoding:%s lru:%" PRIu32 " lru_seconds_idle:%" PRIu32,
             (const void *)v, value_encoding_name(v), accessed & 0xffffff,
             (uint32_t)(c->now_ms / 1000) - accessed);
    reply_status(c, text);
}

/* Binds the key of this number, unless it is bound, to a string of `size` bytes, or,
 * if that is 0, as long as what is in it. */
static void populate_key(struct call *c, struct bytes prefix, int64_t number, size_t size)
{
    BUF_LOCAL(key);
    BUF_LOCAL(content);

    buf_add(&key, prefix);
    buf_addf(&key, ":%" PRId64, number);
    if (keyspace_find(c->keys, buf_bytes(&key), c->now_ms) != NULL) {
        return;
    }
    buf_addf(&content, "value:%" PRId64, number);
    if (size > content.len) {
        size_t more = size - content.len;
        memset(buf_reserve(&content, more), 0, more);
        content.len = size;
    } else if (size > 0) {
        buf_cut(&content, size);
    }
    call_make(c, change_bind(
                     c->db, value_new_string(buf_bytes(&key), buf_bytes(&content), EXPIRES_NEVER)));
}

static void debug_populate(struct call *c)
{
    struct bytes prefix = c->argc > 3 ? c->argv[3] : BYTES("key");
    int64_t count, size = 0;

    if (c->argc > 5) {
        call_fail_syntax(c);
        return;
    }
    if (!call_int_between(c, 2, 0, LONG_MAX, &count) ||
        (c->argc > 4 && !call_int_between(c, 4, 0, LONG_MAX, &size))) {
        return;
    }
    if ((size_t)size > c->engine->settings.proto_max_bulk_len) {
        call_fail(c, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        populate_key(c, prefix, i, (size_t)size);
    }
    reply_ok(c);
}

/* The server. */

static void debug_change_repl_id(struct call *c)
{
    struct server *s = c->engine->server;

    server_draw_id(s->replication_id);
    reply_ok(c);
}

static void debug_sleep(struct call *c)
{
    struct timespec rest;
    double seconds;

    if (!call_double(c, 2, &seconds)) {
        return;
    }
    if (!(seconds >= 0 && seconds < INT_MAX)) {
        call_fail(c, "ERR value is out of range");
        return;
    }
    rest.tv_sec = (time_t)seconds;
    rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * 1e9);
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
    reply_ok(c);
}

static void debug_config_rewrite(struct call *c)
{
    struct server *s = c->engine->server;
    char path[4096];
    int err;

    bytes_to_string(buf_bytes(&s->config_file), path, sizeof path);
    err = config_rewrite_file(&s->settings, path, true);
    if (err != 0) {
        call_fail(c, "ERR CONFIG-REWRITE-FORCE-ALL failed: %s", strerror(-err));
        return;
    }
    reply_ok(c);
}

static void debug_error(struct call *c)
{
    call_fail_text(c, c->argv[2]);
}

static void debug_log(struct call *c)
{
    log_bytes(LOG_WARNING, c->argv[2]);
    reply_ok(c);
}

/* Sets a flag that only tests set. */
static void set_flag(struct call *c, bool *flag)
{
    int64_t on;

    if (call_int(c, 2, &on)) {
        *flag = on != 0;
        reply_ok(c);
    }
}

static void debug_set_active_expire(struct call *c)
{
    set_flag(c, &c->engine->settings.active_expire);
}

static void debug_pause_cron(struct call *c)
{
    set_flag(c, &c->engine->settings.cron_stands);
}

static void debug_disable_deny_scripts(struct call *c)
{
    set_flag(c, &c->engine->settings.scripts_may_test);
}

/* Elements of lists are kept in one way, however long they are. */
static void debug_quicklist(struct call *c)
{
    int64_t bytes;

    if (!number_parse_memory(c->argv[2], &bytes) || bytes < 0 || bytes > UINT32_MAX) {
        call_fail(c, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
        return;
    }
    reply_ok(c);
}

static void debug_htstats(struct call *c)
{
    const struct dataset *data = c->engine->data;
    int64_t db;

    if (!call_int(c, 2, &db)) {
        return;
    }
    if (db < 0 || db >= (int64_t)data->count) {
        call_fail(c, "ERR Out of range database");
        return;
    }
    reply_format(c, "number of elements: %zu\nnumber of those that expire: %zu\nbytes: %zu\n",
                 keyspace_count(data->db[db]), keyspace_count_expiring(data->db[db]),
                 keyspace_memory(data->db[db]));
}

/* DEBUG PROTOCOL: one reply of each kind. */

static void protocol_string(struct call *c)
{
    reply_string(c, "Hello World");
}

static void protocol_integer(struct call *c)
{
    reply_int(c, 12345);
}

static void protocol_double(struct call *c)
{
    reply_double(c, 3.141);
}

static void protocol_bignum(struct call *c)
{
    c->reply->ops->big_number(c->reply, BYTES("1234567999999999999999999999999999999"));
}

static void reply_three(struct call *c)
{
    for (int64_t i = 0; i < 3; i++) {
        reply_int(c, i);
    }
}

static void protocol_array(struct call *c)
{
    reply_array(c, 3);
    reply_three(c);
}

static void protocol_set(struct call *c)
{
    reply_set(c, 3);
    reply_three(c);
}

static void protocol_map(struct call *c)
{
    reply_map(c, 3);
    for (int64_t i = 0; i < 3; i++) {
        reply_int(c, i);
        reply_bool(c, i == 1);
    }
}

/* A push message is no reply, so that one has to follow. */
static void protocol_push(struct call *c)
{
    if (c->reply->version < RESP3) {
        call_fail(c, "ERR RESP2 is not supported by this command");
        return;
    }
    c->reply->ops->open(c->reply, RESP_PUSH, 2);
    reply_string(c, "server-cpu-usage");
    reply_int(c, 42);
    reply_string(c, "Some real reply following the push reply");
}

static void protocol_attribute(struct call *c)
{
    if (c->reply->version >= RESP3) {
        c->reply->ops->open(c->reply, RESP_ATTRIBUTE, 1);
        reply_string(c, "key-popularity");
        reply_array(c, 2);
        reply_string(c, "key:123");
        reply_int(c, 90);
    }
    reply_string(c, "Some real reply following the attribute");
}

static void protocol_verbatim(struct call *c)
{
    reply_verbatim(c, "txt", BYTES("This is a verbatim\nstring"));
}

static void protocol_true(struct call *c)
{
    reply_bool(c, true);
}

static void protocol_false(struct call *c)
{
    reply_bool(c, false);
}

static const struct {
    const char *name;
    void (*reply)(struct call *c);
} protocol_kinds[] = {
    {"string", protocol_string}, {"integer", protocol_integer}, {"double", protocol_double},
    {"bignum", protocol_bignum}, {"null", reply_nil},           {"array", protocol_array},
    {"set", protocol_set},       {"map", protocol_map},         {"attrib", protocol_attribute},
    {"push", protocol_push},     {"true", protocol_true},       {"verbatim", protocol_verbatim},
    {"false", protocol_false},
};

static void debug_protocol(struct call *c)
{
    BUF_LOCAL(names);

    for (size_t i = 0; i < sizeof protocol_kinds / sizeof protocol_kinds[0]; i++) {
        if (call_is(c, 2, protocol_kinds[i].name)) {
            protocol_kinds[i].reply(c);
            return;
        }
        buf_addf(&names, "%s%s", i > 0 ? "|" : "", protocol_kinds[i].name);
    }
    call_fail(c, "ERR Wrong protocol type name. Please use one of the following: %.*s",
              (int)names.len, names.at);
}

/* DEBUG itself. In Redis it is one command without subcommands, to COMMAND and to
 * ACL; ours differs only in having them in a table. */

static void debug_help(struct call *c);

/* clang-format off */
static const struct command actions[] = {
    {.name = "change-repl-id",    .arity = 2,  .run = debug_change_repl_id,    .syntax = "",                      .summary = "Draws a new replication id"},
    {.name = "check",             .arity = 2,  .run = debug_check,             .syntax = "",                      .summary = "Stops the server if its data structures are not sound"},
    {.name = "config-rewrite-force-all", .arity = 2, .run = debug_config_rewrite, .syntax = "",              .summary = "Writes all options to the configuration file"},
    {.name = "digest",            .arity = 2,  .run = debug_digest,            .syntax = "",                      .summary = "Returns a digest of all the data"},
    {.name = "digest-value",      .arity = -3, .run = debug_digest_value,      .syntax = "key [key ...]",         .summary = "Returns digests of the values of keys"},
    {.name = "error",             .arity = 3,  .run = debug_error,             .syntax = "text",                  .summary = "Replies with an error"},
    {.name = "help",              .arity = 2,  .run = debug_help,              .syntax = "",                      .summary = "Lists the subcommands"},
    {.name = "htstats",           .arity = -3, .run = debug_htstats,           .syntax = "db [FULL]",             .summary = "Tells the size of a database's tables"},
    {.name = "loadaof",           .arity = 2,  .flags = COMMAND_NOSCRIPT | COMMAND_WRITE, .run = debug_loadaof,           .syntax = "",                      .summary = "Writes the data and reads them back; there is no append-only file"},
    {.name = "log",               .arity = 3,  .run = debug_log,               .syntax = "text",                  .summary = "Writes to the log"},
    {.name = "object",            .arity = 3,  .run = debug_object,            .syntax = "key",                   .summary = "Describes how a value is kept"},
    {.name = "pause-cron",        .arity = 3,  .run = debug_pause_cron,        .syntax = "0 | 1",                 .summary = "Stops what happens by itself, or goes on"},
    {.name = "populate",          .arity = -3, .flags = COMMAND_WRITE, .run = debug_populate,          .syntax = "count [prefix [size]]", .summary = "Sets many keys to strings"},
    {.name = "protocol",          .arity = 3,  .run = debug_protocol,          .syntax = "kind",                  .summary = "Replies with something of that kind"},
    {.name = "quicklist-packed-threshold", .arity = 3, .run = debug_quicklist, .syntax = "bytes",               .summary = "Is accepted: long elements of lists are not kept in another way"},
    {.name = "reload",            .arity = -2, .flags = COMMAND_NOSCRIPT | COMMAND_WRITE, .run = debug_reload,            .syntax = "[NOSAVE | NOFLUSH | MERGE ...]", .summary = "Saves the data and reads them back; or only reads, only adds, or replaces keys"},
    {.name = "set-active-expire", .arity = 3,  .run = debug_set_active_expire, .syntax = "0 | 1",                 .summary = "Stops removing keys that expire unless they are asked for, or goes on"},
    {.name = "set-disable-deny-scripts", .arity = 3, .run = debug_disable_deny_scripts, .syntax = "0 | 1",     .summary = "Lets scripts call commands that wait, which then do not, CLIENT LIST and DEBUG; or no longer"},
    {.name = "sleep",             .arity = 3,  .run = debug_sleep,             .syntax = "seconds",               .summary = "Stops the server for a time"},
    {0},
};
/* clang-format on */

static void debug_help(struct call *c)
{
    size_t place = reply_late(c);
    size_t lines = 1;
    char line[256];

    reply_status(c, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (const struct command *a = actions; a->name != NULL; a++) {
        size_t len = strlen(a->name);
        snprintf(line, sizeof line, "%s %s", a->name, a->syntax);
        for (size_t i = 0; i < len; i++) {
            line[i] = (char)toupper((unsigned char)line[i]);
        }
        line[a->syntax[0] == '\0' ? len : strlen(line)] = '\0';
        reply_status(c, line);
        snprintf(line, sizeof line, "    %s.", a->summary);
        reply_status(c, line);
        lines += 2;
    }
    reply_late_end(c, place, RESP_ARRAY, lines);
}

static bool is_local(const struct session *s)
{
    return strncmp(s->address, "127.", 4) == 0 || strncmp(s->address, "[::1]", 5) == 0 ||
           s->address[0] == '/';
}

static bool is_allowed(const struct call *c)
{
    const struct server *s = c->engine->server;
    const struct session *client = c->session->in_script ? c->engine->client : c->session;

    switch ((enum debug_allowed)s->settings.debug_allowed) {
    case DEBUG_ALWAYS:
        return true;
    case DEBUG_LOCAL:
        return client != NULL && is_local(client);
    default:
        return false;
    }
}

void debug(struct call *c)
{
    static const struct command table = {.subcommands = actions};
    const struct command *action = registry_find_sub(&table, c->argv[1]);

    if (!is_allowed(c)) {
        call_fail(c, "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                     "\"local\", you can run it from a local connection, otherwise you need to "
                     "set this option in the configuration file, and then restart the server.");
        return;
    }
    if (action == NULL || !command_arity_fits(action, c->argc)) {
        call_fail_usage(c);
        return;
    }
    if (c->session->in_script && (action->flags & COMMAND_NOSCRIPT)) {
        call_fail(c, "ERR This Redis command is not allowed from script");
        return;
    }
    if ((action->flags & COMMAND_WRITE) && !group_leads(&c->engine->group)) {
        call_fail(c, "%s", group_refusal(&c->engine->group, REFUSED_WRITE));
        return;
    }
    action->run(c);
}
