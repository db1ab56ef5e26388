/* DUMP and RESTORE: values as bytes, as Redis writes and reads them. */
#include "command/families.h"
#include "command/flags.h"
#include "engine/call.h"
#include "rdb/decode.h"
#include "rdb/encode.h"

static void dump(struct call *c)
{
    const struct value *v = call_find_any(c, c->argv[1]);
    BUF_LOCAL(payload);

    if (v == NULL) {
        reply_nil(c);
        return;
    }
    rdb_dump(v, c->engine->settings.rdb_compression, &payload);
    reply_bytes(c, buf_bytes(&payload));
}

/* RESTORE key ttl payload ... */
struct restoring {
    bool replaces;
    bool absolute;  /* The TTL is a time. */
    int64_t idle_s; /* -1: not given. */
    int64_t frequency;
    int64_t expires_ms;
};

/* Reads what follows IDLETIME or FREQ, argument `arg`. */
static bool read_use(struct call *c, size_t arg, int64_t max, const char *error, int64_t *number)
{
    int64_t read;

    if (!call_int(c, arg, &read)) {
        return false;
    }
    if (read < 0 || read > max) {
        call_fail(c, "ERR %s", error);
        return false;
    }
    *number = read;
    return true;
}

/* Only one of IDLETIME and FREQ may be given. */
static bool read_option(struct call *c, size_t *arg, struct restoring *r)
{
    bool has_operand = *arg + 1 < c->argc;

    if (call_is(c, *arg, "replace")) {
        r->replaces = true;
    } else if (call_is(c, *arg, "absttl")) {
        r->absolute = true;
    } else if (call_is(c, *arg, "idletime") && has_operand && r->frequency == -1) {
        return read_use(c, ++*arg, INT64_MAX, "Invalid IDLETIME value, must be >= 0", &r->idle_s);
    } else if (call_is(c, *arg, "freq") && has_operand && r->idle_s == -1) {
        return read_use(c, ++*arg, 255, "Invalid FREQ value, must be >= 0 and <= 255",
                        &r->frequency);
    } else {
        call_fail_syntax(c);
        return false;
    }
    return true;
}

static bool read_options(struct call *c, struct restoring *r)
{
    *r = (struct restoring){.idle_s = -1, .frequency = -1};
    for (size_t arg = 4; arg < c->argc; arg++) {
        if (!read_option(c, &arg, r)) {
            return false;
        }
    }
    return true;
}

static bool read_ttl(struct call *c, struct restoring *r)
{
    int64_t ttl;

    if (!call_int(c, 2, &ttl)) {
        return false;
    }
    r->expires_ms = ttl == 0 ? EXPIRES_NEVER : ttl;
    if (ttl < 0 ||
        (ttl > 0 && !r->absolute && __builtin_add_overflow(ttl, c->now_ms, &r->expires_ms))) {
        call_fail(c, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    return true;
}

/* Reads the payload. Returns NULL, having failed the call, if it is none. */
static struct value *read_payload(struct call *c, const struct restoring *r)
{
    struct rdb_target to = {
        .key = c->argv[1], .expires_ms = r->expires_ms, .limits = &c->engine->data->limits};
    struct value *v = NULL;

    switch (rdb_restore(c->argv[3], &to, &v)) {
    case RDB_UNKNOWN:
        call_fail(c, "ERR DUMP payload version or checksum are wrong");
        break;
    case RDB_DAMAGED:
        call_fail(c, "ERR Bad data format");
        break;
    case RDB_RESTORED:
        break;
    }
    return v;
}

/* A value that has expired already is not bound, but replaces another all the same. */
static void bind_restored(struct call *c, struct value *v, const struct restoring *r)
{
    if (value_has_expired(v, c->now_ms)) {
        value_free(v);
        if (keyspace_find(c->keys, c->argv[1], c->now_ms) != NULL) {
            call_make(c, change_unbind(c->db, c->argv[1]));
            call_event(c, EVENT_GENERIC, "del", c->argv[1]);
        }
        return;
    }
    call_make(c, change_bind(c->db, v));
    call_event(c, EVENT_GENERIC, "restore", c->argv[1]);
    if (r->idle_s >= 0) {
        evict_set_idle(c->engine, v, r->idle_s);
    }
    if (r->frequency >= 0) {
        evict_set_frequency(c->engine, v, (unsigned)r->frequency);
    }
}

static void restore(struct call *c)
{
    struct restoring r;
    struct value *v;

    if (!read_options(c, &r)) {
        return;
    }
    if (!r.replaces && keyspace_find(c->keys, c->argv[1], c->now_ms) != NULL) {
        call_fail(c, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!read_ttl(c, &r)) {
        return;
    }
    v = read_payload(c, &r);
    if (v != NULL) {
        bind_restored(c, v, &r);
        reply_ok(c);
    }
}

/* clang-format off */
const struct command dump_commands[] = {
    {.name = "dump",           .arity = 2,  .flags = READ,                    .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .run = dump,    .group = "generic", .since = "2.6.0", .complexity = "O(N) in the size of the value", .summary = "Returns a value as bytes that RESTORE takes", .syntax = "key"},
    {.name = "restore",        .arity = -4, .flags = WRITE,                   .keys = {ONE_KEY(KEY_OW | KEY_UPDATE)}, .run = restore, .group = "generic", .since = "2.6.0", .complexity = "O(N) in the size of the value, O(N*log(N)) for sorted sets", .summary = "Binds a key to a value that DUMP has returned", .syntax = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"},
    {.name = "restore-asking", .arity = -4, .flags = WRITE | COMMAND_ASKING,  .keys = {ONE_KEY(KEY_OW | KEY_UPDATE)}, .run = restore, .group = "server",  .since = "3.0.0", .complexity = "O(N) in the size of the value, O(N*log(N)) for sorted sets", .summary = "Does what RESTORE does, between the nodes of a cluster", .syntax = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]"},
    {0},
};
/* clang-format on */
