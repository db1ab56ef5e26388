/* Commands about the connection itself. */
#include "base/number.h"
#include "command/client.h"
#include "command/families.h"
#include "engine/call.h"
#include "engine/version.h"

/* Compares in a time that says nothing about the secret, not even its length. */
static bool equals_secret(struct bytes given, struct bytes secret)
{
    volatile unsigned char difference = given.len != secret.len;

    for (size_t i = 0; i < given.len; i++) {
        difference |= (unsigned char)(given.at[i] ^ secret.at[i % secret.len]);
    }
    return difference == 0;
}

/* The one user there is, "default", needs no password if none is set. */
static bool may_log_in(const struct engine *e, struct bytes user, struct bytes password)
{
    struct bytes secret = buf_bytes(&e->settings.requirepass);

    return bytes_equal(user, BYTES("default")) &&
           (secret.len == 0 || equals_secret(password, secret));
}

static void fail_log_in(struct call *c)
{
    call_fail(c, "WRONGPASS invalid username-password pair or user is disabled.");
}

static void auth(struct call *c)
{
    struct bytes user = c->argc == 2 ? BYTES("default") : c->argv[1];

    if (c->argc > 3) {
        call_fail_syntax(c);
        return;
    }
    if (c->argc == 2 && c->engine->settings.requirepass.len == 0) {
        call_fail(c, "ERR AUTH <password> called without any password configured for the default "
                     "user. Are you sure your configuration is correct?");
        return;
    }
    if (!may_log_in(c->engine, user, c->argv[c->argc - 1])) {
        fail_log_in(c);
        return;
    }
    c->session->authenticated = true;
    reply_ok(c);
}

static void echo(struct call *c)
{
    reply_bytes(c, c->argv[1]);
}

/* What HELLO asks for. It is done only when all of it is known to be right. */
struct hello {
    int64_t version; /* 0: as it is. */
    bool authenticated;
    const struct bytes *name; /* NULL: as it is. */
};

static bool hello_read_version(struct call *c, struct hello *hello)
{
    if (c->argc < 2) {
        return true;
    }
    if (!number_parse_int(c->argv[1], &hello->version)) {
        call_fail(c, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (hello->version != RESP2 && hello->version != RESP3) {
        call_fail(c, "NOPROTO unsupported protocol version");
        return false;
    }
    return true;
}

/* Reads the option at *arg, and moves behind it. */
static bool hello_read_option(struct call *c, size_t *arg, struct hello *hello)
{
    const struct bytes *option = &c->argv[*arg];

    if (call_is(c, *arg, "auth") && *arg + 2 < c->argc) {
        if (!may_log_in(c->engine, option[1], option[2])) {
            fail_log_in(c);
            return false;
        }
        hello->authenticated = true;
        *arg += 3;
        return true;
    }
    if (call_is(c, *arg, "setname") && *arg + 1 < c->argc) {
        hello->name = &option[1];
        *arg += 2;
        return client_check_name(c, option[1]);
    }
    call_fail(c, "ERR Syntax error in HELLO option '%.*s'",
              option->len < 128 ? (int)option->len : 128, option->at);
    return false;
}

static bool hello_read(struct call *c, struct hello *hello)
{
    size_t arg = 2;

    if (!hello_read_version(c, hello)) {
        return false;
    }
    while (arg < c->argc) {
        if (!hello_read_option(c, &arg, hello)) {
            return false;
        }
    }
    if (!hello->authenticated && c->engine->settings.requirepass.len > 0) {
        call_fail(c, "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                     "the HELLO AUTH <user> <pass> option can be used to authenticate the client "
                     "and select the RESP protocol version at the same time");
        return false;
    }
    return true;
}

static void reply_greeting(struct call *c)
{
    reply_map(c, 7);
    reply_string(c, "server");
    reply_string(c, "redis");
    reply_string(c, "version");
    reply_string(c, REDIS_VERSION);
    reply_string(c, "proto");
    reply_int(c, c->session->sink.sink.version);
    reply_string(c, "id");
    reply_int(c, (int64_t)c->session->id);
    reply_string(c, "mode");
    reply_string(c, c->engine->settings.cluster_enabled ? "cluster" : "standalone");
    reply_string(c, "role");
    reply_string(c, group_leads(&c->engine->group) ? "master" : "replica");
    reply_string(c, "modules");
    reply_array(c, 0);
}

static void hello(struct call *c)
{
    struct session *s = c->session;
    struct hello wanted = {.authenticated = s->authenticated};

    if (!hello_read(c, &wanted)) {
        return;
    }
    s->authenticated = wanted.authenticated;
    if (wanted.name != NULL) {
        client_set_name(s, *wanted.name);
    }
    if (wanted.version != 0) {
        session_set_resp(s, (enum resp_version)wanted.version);
    }
    reply_greeting(c);
}

static void ping(struct call *c)
{
    if (c->argc > 2) {
        call_fail_arity(c);
        return;
    }
    if (c->session->subscriptions.count > 0 && c->session->sink.sink.version == RESP2) {
        reply_array(c, 2); /* As messages have it. */
        reply_string(c, "pong");
    } else if (c->argc == 1) {
        reply_status(c, "PONG");
        return;
    }
    reply_bytes(c, c->argc > 1 ? c->argv[1] : BYTES(""));
}

static void quit(struct call *c)
{
    reply_ok(c);
    c->session->closing = true;
}

/* Is answered even if nothing was until now: replies are on again. */
static void reset(struct call *c)
{
    session_reset(c->session);
    c->reply = session_sink(c->session);
    reply_status(c, "RESET");
}

static void select_db(struct call *c)
{
    int64_t db;

    if (!call_int(c, 1, &db)) {
        return;
    }
    if (db < INT32_MIN || db > INT32_MAX) {
        call_fail(c, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                  INT32_MAX);
        return;
    }
    if (db < 0 || db >= (int64_t)c->engine->data->count) {
        call_fail(c, "ERR DB index is out of range");
        return;
    }
    c->session->db = (unsigned)db;
    reply_ok(c);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
    BEFORE_LOGIN = ANY_TIME | COMMAND_NOSCRIPT | COMMAND_NO_AUTH | COMMAND_ALLOW_BUSY,
};

const struct command connection_commands[] = {
    {.name = "auth", .arity = -2, .flags = BEFORE_LOGIN, .run = auth, .group = "connection", .since = "1.0.0", .complexity = "O(N) with a password of N bytes", .summary = "Logs in", .syntax = "[username] password"},
    {.name = "client", .arity = -2, .subcommands = client_subcommands, .group = "connection", .since = "2.4.0", .complexity = "That of the subcommand", .summary = "Commands about connections", .syntax = ""},
    {.name = "echo", .arity = 2, .flags = ANY_TIME, .run = echo, .group = "connection", .since = "1.0.0", .complexity = "O(1)", .summary = "Returns what it was given", .syntax = "message"},
    {.name = "hello", .arity = -1, .flags = BEFORE_LOGIN, .run = hello, .group = "connection", .since = "6.0.0", .complexity = "O(1)", .summary = "Chooses the protocol version, logs in and names the connection, all or nothing, and describes the server", .syntax = "[protover [AUTH username password] [SETNAME clientname]]"},
    {.name = "ping", .arity = -1, .flags = COMMAND_FAST | COMMAND_SUBSCRIBED, .run = ping, .group = "connection", .since = "1.0.0", .complexity = "O(1)", .summary = "Answers PONG, or what it was given", .syntax = "[message]"},
    {.name = "quit", .arity = -1, .flags = BEFORE_LOGIN | COMMAND_IMMEDIATE | COMMAND_SUBSCRIBED, .run = quit, .group = "connection", .since = "1.0.0", .complexity = "O(1)", .summary = "Ends the connection", .syntax = ""},
    {.name = "reset", .arity = 1, .flags = BEFORE_LOGIN | COMMAND_IMMEDIATE | COMMAND_SUBSCRIBED, .run = reset, .group = "connection", .since = "6.2.0", .complexity = "O(1)", .summary = "Makes the connection what it was at first", .syntax = ""},
    {.name = "select", .arity = 2, .flags = ANY_TIME, .run = select_db, .group = "connection", .since = "1.0.0", .complexity = "O(1)", .summary = "Chooses the database of this connection", .syntax = "index"},
    {0},
};
