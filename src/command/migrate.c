/* MIGRATE: has another server restore keys, and then drops them. It holds this server
 * until it is done, or its time is over.
 *
 * It is all or nothing on this side: if the other server refuses one of the keys, none
 * is dropped. So no key can get lost; what the other one has got already it keeps. */
#include "base/remote.h"
#include "command/families.h"
#include "command/flags.h"
#include "engine/call.h"
#include "rdb/encode.h"
#include "resp/writer.h"

#include <errno.h>

enum { TIMEOUT_MS = 1000 }; /* If none is given. */

struct migration {
    bool copies;
    bool replaces;
    size_t user, password; /* Arguments; 0: none. */
    size_t first, count;   /* Of the keys. */
    int64_t timeout_ms;
    int64_t db;
    size_t found;        /* Keys that are there. */
    struct buf requests; /* All that the other server is asked for. */
};

static void migration_clear(struct migration *m)
{
    buf_clear(&m->requests);
}

/* Reads one option. Returns how many arguments it took, 0 if it is none. */
static size_t read_option(struct call *c, size_t arg, struct migration *m)
{
    size_t behind = c->argc - arg - 1;

    if (call_is(c, arg, "copy")) {
        m->copies = true;
        return 1;
    }
    if (call_is(c, arg, "replace")) {
        m->replaces = true;
        return 1;
    }
    if (call_is(c, arg, "auth") && behind >= 1) {
        m->password = arg + 1;
        return 2;
    }
    if (call_is(c, arg, "auth2") && behind >= 2) {
        m->user = arg + 1;
        m->password = arg + 2;
        return 3;
    }
    return 0;
}

static bool read_options(struct call *c, struct migration *m)
{
    size_t taken;

    m->first = 3;
    m->count = 1;
    for (size_t arg = 6; arg < c->argc; arg += taken) {
        if (call_is(c, arg, "keys")) {
            m->first = arg + 1;
            m->count = c->argc - m->first;
            break;
        }
        taken = read_option(c, arg, m);
        if (taken == 0) {
            call_fail_syntax(c);
            return false;
        }
    }
    if (m->first != 3 && c->argv[3].len > 0) {
        call_fail(c, "ERR When using MIGRATE KEYS option, the key argument must be set to the "
                     "empty string");
        return false;
    }
    if (!call_int(c, 5, &m->timeout_ms) || !call_int(c, 4, &m->db)) {
        return false;
    }
    if (m->timeout_ms <= 0) {
        m->timeout_ms = TIMEOUT_MS;
    }
    return true;
}

/* Writing what the other server is asked for. */

static void add_request(struct buf *out, size_t words)
{
    resp_write_open(out, RESP2, RESP_ARRAY, words);
}

static void add_number(struct buf *out, int64_t number)
{
    char text[NUMBER_INT_MAX];

    resp_write_bulk(out, (struct bytes){text, number_format_int(text, number)});
}

static void add_greeting(struct call *c, struct migration *m)
{
    if (m->password != 0) {
        add_request(&m->requests, m->user != 0 ? 3 : 2);
        resp_write_bulk(&m->requests, BYTES("AUTH"));
        if (m->user != 0) {
            resp_write_bulk(&m->requests, c->argv[m->user]);
        }
        resp_write_bulk(&m->requests, c->argv[m->password]);
    }
    add_request(&m->requests, 2);
    resp_write_bulk(&m->requests, BYTES("SELECT"));
    add_number(&m->requests, m->db);
}

static void add_restore(struct call *c, struct migration *m, const struct value *v)
{
    int64_t expires_ms = value_expires_ms(v);
    BUF_LOCAL(payload);

    rdb_dump(v, c->engine->settings.rdb_compression, &payload);
    add_request(&m->requests, m->replaces ? 5 : 4);
    resp_write_bulk(&m->requests, BYTES("RESTORE"));
    resp_write_bulk(&m->requests, value_key(v));
    add_number(&m->requests, expires_ms == EXPIRES_NEVER ? 0 : expires_ms - c->now_ms);
    resp_write_bulk(&m->requests, buf_bytes(&payload));
    if (m->replaces) {
        resp_write_bulk(&m->requests, BYTES("REPLACE"));
    }
}

static void add_keys(struct call *c, struct migration *m)
{
    const struct value *v;

    for (size_t i = m->first; i < m->first + m->count; i++) {
        v = call_find_any(c, c->argv[i]);
        if (v != NULL) {
            add_restore(c, m, v);
            m->found++;
        }
    }
}

/* Asking. */

static void fail_io(struct call *c, const char *doing)
{
    call_fail(c, "IOERR error or timeout %s", doing);
}

/* Reads the replies, each of which is a line. Returns false, having failed the call,
 * if one is an error. */
static bool read_replies(struct call *c, struct remote *r, size_t count)
{
    BUF_LOCAL(line);

    for (; count > 0; count--) {
        if (remote_read_line(r, &line) != 0) {
            fail_io(c, "reading to target instance");
            return false;
        }
        if (line.len > 0 && line.at[0] == '-') {
            call_fail(c, "ERR Target instance replied with error: %.*s",
                      line.len < 300 ? (int)line.len - 1 : 300, line.at + 1);
            return false;
        }
    }
    return true;
}

static bool hand_over(struct call *c, struct migration *m)
{
    REMOTE_LOCAL(r);
    char host[256], port[32];
    int err;

    bytes_to_string(c->argv[1], host, sizeof host);
    bytes_to_string(c->argv[2], port, sizeof port);
    err = remote_open(&r, host, port, m->timeout_ms);
    if (err == 0) {
        err = remote_send(&r, buf_bytes(&m->requests));
    }
    if (err != 0) {
        fail_io(c,
                err == -EHOSTUNREACH ? "connecting to the client" : "writing to target instance");
        return false;
    }
    return read_replies(c, &r, m->found + 1 + (m->password != 0));
}

/* A key that was named twice is dropped once. */
static void drop_keys(struct call *c, const struct migration *m)
{
    for (size_t i = m->first; i < m->first + m->count; i++) {
        if (keyspace_find(c->keys, c->argv[i], c->now_ms) != NULL) {
            call_make(c, change_unbind(c->db, c->argv[i]));
            call_event(c, EVENT_GENERIC, "del", c->argv[i]);
        }
    }
}

static void migrate(struct call *c)
{
    __attribute__((cleanup(migration_clear))) struct migration m = {0};

    if (!read_options(c, &m)) {
        return;
    }
    if (c->session->dry_run) { /* The other server would keep the keys. */
        call_fail(c, "ERR MIGRATE is not allowed in a dry run");
        return;
    }
    add_greeting(c, &m);
    add_keys(c, &m);
    if (m.found == 0) {
        reply_status(c, "NOKEY");
        return;
    }
    if (!hand_over(c, &m)) {
        return;
    }
    if (!m.copies) {
        drop_keys(c, &m);
    }
    reply_ok(c);
}

/* clang-format off */
const struct command migrate_commands[] = {
    {.name = "migrate", .arity = -6, .flags = COMMAND_WRITE | COMMAND_DIRECT | COMMAND_MOVABLE_KEYS, .keys = {KEY_AT(3, KEY_RW | KEY_ACCESS | KEY_DELETE), {.flags = KEY_RW | KEY_ACCESS | KEY_DELETE | KEY_INCOMPLETE, .index = -2, .keyword = "KEYS", .last = -1, .step = 1}}, .run = migrate, .group = "generic", .since = "2.6.0", .complexity = "O(N) in the size of the values, and their way to the other server", .summary = "Moves keys to another server", .syntax = "host port key | \"\" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]"},
    {0},
};
/* clang-format on */
