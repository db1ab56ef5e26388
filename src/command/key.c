/* Commands on keys of any type, and on databases as a whole. */
#include "base/glob.h"
#include "command/families.h"
#include "command/scan.h"

#include <inttypes.h>
#include <limits.h>

static const struct value *find_untouched(const struct call *c, struct bytes key)
{
    return keyspace_find(c->keys, key, c->now_ms);
}

/* Removing and counting. */

/* Returns whether there was a value. One that has expired is removed as well, and does
 * not count. */
static bool remove_key(struct call *c, struct bytes key)
{
    const struct value *v = keyspace_find_any(c->keys, key);
    bool expired = v != NULL && value_has_expired(v, c->now_ms);

    if (v == NULL) {
        return false;
    }
    c->engine->stats.expired_keys += expired;
    call_make(c, change_unbind(c->db, key));
    call_event(c, expired ? EVENT_EXPIRED : EVENT_GENERIC, expired ? "expired" : "del", key);
    return !expired;
}

static void del(struct call *c)
{
    int64_t count = 0;

    for (size_t i = 1; i < c->argc; i++) {
        count += remove_key(c, c->argv[i]);
    }
    reply_int(c, count);
}

static void exists(struct call *c)
{
    int64_t count = 0;

    for (size_t i = 1; i < c->argc; i++) {
        count += find_untouched(c, c->argv[i]) != NULL;
    }
    reply_int(c, count);
}

static void touch(struct call *c)
{
    int64_t count = 0;

    for (size_t i = 1; i < c->argc; i++) {
        count += call_find_any(c, c->argv[i]) != NULL;
    }
    reply_int(c, count);
}

/* Copying and moving. */

static void fail_database(struct call *c)
{
    call_fail(c, "ERR DB index is out of range");
}

static void fail_same(struct call *c)
{
    call_fail(c, "ERR source and destination objects are the same");
}

static bool parse_database(struct call *c, size_t arg, unsigned *db)
{
    int64_t number;

    if (!call_int_between(c, arg, INT_MIN, INT_MAX, &number)) {
        return false;
    }
    if (number < 0 || number >= (int64_t)c->engine->data->count) {
        fail_database(c);
        return false;
    }
    *db = (unsigned)number;
    return true;
}

static bool is_bound(const struct call *c, unsigned db, struct bytes key)
{
    return keyspace_find(c->engine->data->db[db], key, c->now_ms) != NULL;
}

/* Moves the value of argument 1, in the place of what may be there. */
static void move_to(struct call *c, unsigned db, struct bytes key)
{
    if (keyspace_find_any(c->engine->data->db[db], key) != NULL) {
        call_make(c, change_unbind(db, key));
    }
    call_make(c, change_rekey(c->db, c->argv[1], db, key));
}

static bool parse_copy(struct call *c, unsigned *db, bool *replaces)
{
    *db = c->db;
    *replaces = false;
    for (size_t i = 3; i < c->argc; i++) {
        if (call_is(c, i, "replace")) {
            *replaces = true;
        } else if (call_is(c, i, "db") && i + 1 < c->argc) {
            if (!parse_database(c, ++i, db)) {
                return false;
            }
        } else {
            call_fail_syntax(c);
            return false;
        }
    }
    return true;
}

static void copy(struct call *c)
{
    const struct value *v;
    unsigned db;
    bool replaces;

    if (!parse_copy(c, &db, &replaces)) {
        return;
    }
    if (db == c->db && bytes_equal(c->argv[1], c->argv[2])) {
        fail_same(c);
        return;
    }
    v = call_find_any(c, c->argv[1]);
    if (v == NULL || (!replaces && is_bound(c, db, c->argv[2]))) {
        reply_int(c, 0);
        return;
    }
    call_make(c, change_bind(db, value_copy(v, c->argv[2], value_expires_ms(v))));
    engine_event(c->engine, db, EVENT_GENERIC, "copy_to", c->argv[2]);
    reply_int(c, 1);
}

static void move(struct call *c)
{
    const struct value *v;
    unsigned db;

    if (!parse_database(c, 2, &db)) {
        return;
    }
    if (db == c->db) {
        fail_same(c);
        return;
    }
    v = call_find_any(c, c->argv[1]);
    if (v == NULL || is_bound(c, db, c->argv[1])) {
        reply_int(c, 0);
        return;
    }
    move_to(c, db, c->argv[1]);
    call_event(c, EVENT_GENERIC, "move_from", c->argv[1]);
    engine_event(c->engine, db, EVENT_GENERIC, "move_to", c->argv[1]);
    reply_int(c, 1);
}

static void rename_to(struct call *c)
{
    move_to(c, c->db, c->argv[2]);
    call_event(c, EVENT_GENERIC, "rename_from", c->argv[1]);
    call_event(c, EVENT_GENERIC, "rename_to", c->argv[2]);
}

/* Returns whether there is a value of argument 1; fails the call if not. */
static bool find_renamed(struct call *c)
{
    if (call_find_any(c, c->argv[1]) != NULL) {
        return true;
    }
    call_fail(c, "ERR no such key");
    return false;
}

static void rename_over(struct call *c)
{
    if (!find_renamed(c)) {
        return;
    }
    if (!bytes_equal(c->argv[1], c->argv[2])) {
        rename_to(c);
    }
    reply_ok(c);
}

static void renamenx(struct call *c)
{
    if (!find_renamed(c)) {
        return;
    }
    if (is_bound(c, c->db, c->argv[2])) {
        reply_int(c, 0);
        return;
    }
    rename_to(c);
    reply_int(c, 1);
}

/* Looking around. */

static void keys_matching(struct call *c)
{
    struct table_walk walk = {0};
    const struct value *v;
    size_t place = reply_late(c);
    size_t count = 0;

    while ((v = keyspace_next(c->keys, &walk)) != NULL) {
        if (glob_match(c->argv[1], value_key(v)) && !value_has_expired(v, c->now_ms)) {
            reply_bytes(c, value_key(v));
            count++;
        }
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

/* Returns a value that has not expired, or NULL. Where so many have that none is
 * met by chance, the first one is taken. */
static const struct value *random_value(struct call *c)
{
    enum { TRIES = 100 };
    struct table_walk walk = {0};
    const struct value *v;

    for (int i = 0; i < TRIES; i++) {
        v = keyspace_random(c->keys, &c->engine->random);
        if (v == NULL || !value_has_expired(v, c->now_ms)) {
            return v;
        }
    }
    do {
        v = keyspace_next(c->keys, &walk);
    } while (v != NULL && value_has_expired(v, c->now_ms));
    return v;
}

static void randomkey(struct call *c)
{
    const struct value *v = random_value(c);

    if (v == NULL) {
        reply_nil(c);
    } else {
        reply_bytes(c, value_key(v));
    }
}

static void type(struct call *c)
{
    const struct value *v = find_untouched(c, c->argv[1]);

    reply_status(c, v == NULL ? "none" : value_type_name(value_type(v)));
}

/* Returns the value of argument 2; NULL, having replied, if there is none. */
static const struct value *find_object(struct call *c)
{
    const struct value *v = find_untouched(c, c->argv[2]);

    if (v == NULL) {
        reply_nil(c);
    }
    return v;
}

static void object_encoding(struct call *c)
{
    const struct value *v = find_object(c);

    if (v != NULL) {
        reply_string(c, value_encoding_name(v));
    }
}

static void fail_untracked(struct call *c, const char *selected, const char *untracked)
{
    call_fail(c,
              "ERR An LFU maxmemory policy is %s, %s not tracked. Please note that when switching "
              "between policies at runtime LRU and LFU data will take some time to adjust.",
              selected, untracked);
}

static void object_freq(struct call *c)
{
    const struct value *v = find_object(c);

    if (v == NULL) {
        return;
    }
    if (evict_counts_uses(c->engine)) {
        reply_int(c, evict_frequency(c->engine, v));
    } else {
        fail_untracked(c, "not selected", "access frequency");
    }
}

static void object_idletime(struct call *c)
{
    const struct value *v = find_object(c);

    if (v == NULL) {
        return;
    }
    if (evict_counts_uses(c->engine)) {
        fail_untracked(c, "selected", "idle time");
    } else {
        reply_int(c, evict_idle_s(c->engine, v));
    }
}

static void object_refcount(struct call *c)
{
    if (find_object(c) != NULL) {
        reply_int(c, 1);
    }
}

/* Databases. */

static void dbsize(struct call *c)
{
    reply_int(c, (int64_t)keyspace_count(c->keys));
}

static bool parse_flush(struct call *c)
{
    bool fits = c->argc == 1 || (c->argc == 2 && (call_is(c, 1, "sync") || call_is(c, 1, "async")));

    if (!fits) {
        call_fail_syntax(c);
    }
    return fits;
}

static void flush(struct call *c, unsigned db)
{
    if (keyspace_count(c->engine->data->db[db]) > 0) {
        call_make(c, change_flush(db));
    } else {
        call_flush_nothing(c);
    }
}

static void flushdb(struct call *c)
{
    if (parse_flush(c)) {
        flush(c, c->db);
        reply_ok(c);
    }
}

static void flushall(struct call *c)
{
    if (!parse_flush(c)) {
        return;
    }
    for (unsigned db = 0; db < c->engine->data->count; db++) {
        flush(c, db);
    }
    reply_ok(c);
}

static bool parse_swapped(struct call *c, size_t arg, const char *which, int64_t *db)
{
    if (!number_parse_int(c->argv[arg], db) || *db < INT_MIN || *db > INT_MAX) {
        call_fail(c, "ERR invalid %s DB index", which);
        return false;
    }
    return true;
}

static void swapdb(struct call *c)
{
    int64_t count = (int64_t)c->engine->data->count;
    int64_t a, b;

    if (!parse_swapped(c, 1, "first", &a) || !parse_swapped(c, 2, "second", &b)) {
        return;
    }
    if (a < 0 || a >= count || b < 0 || b >= count) {
        fail_database(c);
        return;
    }
    if (a != b) {
        call_make(c, change_swap((unsigned)a, (unsigned)b));
    }
    reply_ok(c);
}

static void time_now(struct call *c)
{
    int64_t now_us = c->engine->time.now_us;

    reply_array(c, 2);
    reply_format(c, "%" PRId64, now_us / 1000000);
    reply_format(c, "%" PRId64, now_us % 1000000);
}

/* clang-format off */
enum {
    READ      = COMMAND_READONLY,
    READ_FAST = COMMAND_READONLY | COMMAND_FAST,
    WRITE     = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_DIRECT,
    FREE      = COMMAND_WRITE | COMMAND_DIRECT, /* Takes no memory. */
    FREE_FAST = COMMAND_WRITE | COMMAND_DIRECT | COMMAND_FAST,
};

static const struct command object_commands[] = {
    {.name = "encoding", .arity = 3, .flags = READ,                            .keys = {KEY_AT(2, KEY_RO)}, .run = object_encoding, .group = "generic", .since = "2.2.3", .complexity = "O(1)", .summary = "Returns the name of the form in which a value is held",            .syntax = "key"},
    {.name = "freq",     .arity = 3, .flags = READ,                            .keys = {KEY_AT(2, KEY_RO)}, .run = object_freq,     .group = "generic", .since = "4.0.0", .complexity = "O(1)", .summary = "Returns how often a value is used, under a policy that counts it", .syntax = "key"},
    {.name = "idletime", .arity = 3, .flags = READ,                            .keys = {KEY_AT(2, KEY_RO)}, .run = object_idletime, .group = "generic", .since = "2.2.3", .complexity = "O(1)", .summary = "Returns for how many seconds a value has not been used",           .syntax = "key"},
    {.name = "refcount", .arity = 3, .flags = READ,                            .keys = {KEY_AT(2, KEY_RO)}, .run = object_refcount, .group = "generic", .since = "2.2.3", .complexity = "O(1)", .summary = "Returns how many references there are to a value: 1",              .syntax = "key"},
    {.name = "help",     .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE,                              .run = reply_help,      .group = "generic", .since = "6.2.0", .complexity = "O(1)", .summary = "Returns what the subcommands do",                                  .syntax = ""},
    {0},
};

const struct command key_commands[] = {
    {.name = "copy",      .arity = -3, .flags = WRITE,                                          .keys = {ONE_KEY(KEY_RO | KEY_ACCESS), KEY_AT(2, KEY_OW | KEY_UPDATE)},              .run = copy,                    .group = "generic", .since = "6.2.0", .complexity = "O(N) in the size of the value",                             .summary = "Copies a value to another key",                               .syntax = "source destination [DB destination-db] [REPLACE]"},
    {.name = "dbsize",    .arity = 1,  .flags = READ_FAST,                                                                                                                           .run = dbsize,                  .group = "server",  .since = "1.0.0", .complexity = "O(1)",                                                      .summary = "Returns how many keys the database has",                      .syntax = ""},
    {.name = "del",       .arity = -2, .flags = FREE,                                           .keys = {ALL_KEYS(KEY_RM | KEY_DELETE)},                                             .run = del,                     .group = "generic", .since = "1.0.0", .complexity = "O(N) in the size of all the values",                        .summary = "Removes keys",                                                .syntax = "key [key ...]"},
    {.name = "exists",    .arity = -2, .flags = READ_FAST,                                      .keys = {ALL_KEYS(KEY_RO)},                                                          .run = exists,                  .group = "generic", .since = "1.0.0", .complexity = "O(N) in the number of keys named",                          .summary = "Returns how many of the keys there are",                      .syntax = "key [key ...]"},
    {.name = "flushall",  .arity = -1, .flags = FREE,                                                                                                                                .run = flushall,                .group = "server",  .since = "1.0.0", .complexity = "O(N) in the size of all databases",                         .summary = "Removes all keys of all databases",                           .syntax = "[ASYNC | SYNC]"},
    {.name = "flushdb",   .arity = -1, .flags = FREE,                                                                                                                                .run = flushdb,                 .group = "server",  .since = "1.0.0", .complexity = "O(N) in the size of the database",                          .summary = "Removes all keys of the database",                            .syntax = "[ASYNC | SYNC]"},
    {.name = "keys",      .arity = 2,  .flags = READ,                                                                                                                                .run = keys_matching,           .group = "generic", .since = "1.0.0", .complexity = "O(N) in the number of keys in the database",                .summary = "Returns all keys that match a pattern",                       .syntax = "pattern"},
    {.name = "move",      .arity = 3,  .flags = FREE_FAST,                                      .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},                                 .run = move,                    .group = "generic", .since = "1.0.0", .complexity = "O(1)",                             .summary = "Moves a key to another database that does not have it",       .syntax = "key db"},
    {.name = "object",    .arity = -2,                                                                                                                                               .subcommands = object_commands, .group = "generic", .since = "2.2.3", .complexity = "O(1)",                                                      .summary = "Tells how a value is held",                                   .syntax = ""},
    {.name = "randomkey", .arity = 1,  .flags = READ,                                                                                                                                .run = randomkey,               .group = "generic", .since = "1.0.0", .complexity = "O(1)",                                                      .summary = "Returns a random key",                                        .syntax = ""},
    {.name = "rename",    .arity = 3,  .flags = FREE,                                           .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_OW | KEY_UPDATE)}, .run = rename_over,             .group = "generic", .since = "1.0.0", .complexity = "O(1)",                             .summary = "Renames a key, in the place of the one that has the name",    .syntax = "key newkey"},
    {.name = "renamenx",  .arity = 3,  .flags = FREE_FAST,                                      .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE), KEY_AT(2, KEY_OW | KEY_INSERT)}, .run = renamenx,                .group = "generic", .since = "1.0.0", .complexity = "O(1)",                             .summary = "Renames a key if none has the name",                          .syntax = "key newkey"},
    {.name = "scan",      .arity = -2, .flags = READ,                                                                                                                                .run = scan_keys,               .group = "generic", .since = "2.8.0", .complexity = "O(1) for a call, O(N) in the size of the database for all", .summary = "Walks over the keys of the database, some at a time",         .syntax = "cursor [MATCH pattern] [COUNT count] [TYPE type]"},
    {.name = "swapdb",    .arity = 3,  .flags = FREE_FAST,                                                                                                                           .run = swapdb,                  .group = "server",  .since = "4.0.0", .complexity = "O(N) in the number of watched keys",                        .summary = "Swaps two databases",                                         .syntax = "index1 index2"},
    {.name = "time",      .arity = 1,  .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,                                                                                      .run = time_now,                .group = "server",  .since = "2.6.0", .complexity = "O(1)",                                                      .summary = "Returns the time in seconds and microseconds",                .syntax = ""},
    {.name = "touch",     .arity = -2, .flags = READ_FAST,                                      .keys = {ALL_KEYS(KEY_RO)},                                                          .run = touch,                   .group = "generic", .since = "3.2.1", .complexity = "O(N) in the number of keys named",                          .summary = "Notes a use of keys, and returns how many of them there are", .syntax = "key [key ...]"},
    {.name = "type",      .arity = 2,  .flags = READ_FAST,                                      .keys = {ONE_KEY(KEY_RO)},                                                           .run = type,                    .group = "generic", .since = "1.0.0", .complexity = "O(1)",                                                      .summary = "Returns the type of a value",                                 .syntax = "key"},
    {.name = "unlink",    .arity = -2, .flags = FREE_FAST,                                      .keys = {ALL_KEYS(KEY_RM | KEY_DELETE)},                                             .run = del,                     .group = "generic", .since = "4.0.0", .complexity = "O(N) in the size of all the values",                        .summary = "Removes keys, just as DEL does",                              .syntax = "key [key ...]"},
    {0},
};
/* clang-format on */
