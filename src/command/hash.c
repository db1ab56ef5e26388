/* Commands on hashes. */
#include "command/arguments.h"
#include "command/families.h"
#include "command/flags.h"
#include "command/scan.h"

#include <math.h>

/* Replies with the content of a field, or nil if it or the hash is not there. */
static void reply_field(struct call *c, const struct value *hash, struct bytes field)
{
    struct bytes content;

    if (hash != NULL && value_hash_get(hash, field, c->now_ms, &content)) {
        reply_bytes(c, content);
    } else {
        reply_nil(c);
    }
}

/* Reading. */

static void hget(struct call *c)
{
    const struct value *hash;

    if (call_find(c, 1, VALUE_HASH, &hash)) {
        reply_field(c, hash, c->argv[2]);
    }
}

static void hmget(struct call *c)
{
    const struct value *hash;

    if (!call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        reply_field(c, hash, c->argv[i]);
    }
}

static void hexists(struct call *c)
{
    const struct value *hash;
    struct bytes content;

    if (call_find(c, 1, VALUE_HASH, &hash)) {
        reply_int(c, hash != NULL && value_hash_get(hash, c->argv[2], c->now_ms, &content));
    }
}

static void hstrlen(struct call *c)
{
    const struct value *hash;
    struct bytes content = {0};

    if (!call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    if (hash != NULL) {
        value_hash_get(hash, c->argv[2], c->now_ms, &content);
    }
    reply_int(c, (int64_t)content.len);
}

static void hlen(struct call *c)
{
    const struct value *hash;

    if (call_find(c, 1, VALUE_HASH, &hash)) {
        reply_int(c, hash == NULL ? 0 : (int64_t)value_hash_count(hash, c->now_ms));
    }
}

enum { FIELDS = 1, CONTENTS = 2 };

static void reply_all(struct call *c, unsigned parts)
{
    struct value_walk walk = {.now_ms = c->now_ms};
    const struct value *hash;
    struct bytes field, content;
    size_t count;

    if (!call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    count = hash == NULL ? 0 : value_hash_count(hash, c->now_ms);
    if (parts == (FIELDS | CONTENTS)) {
        reply_map(c, count);
    } else {
        reply_array(c, count);
    }
    while (hash != NULL && value_hash_next(hash, &walk, &field, &content)) {
        if (parts & FIELDS) {
            reply_bytes(c, field);
        }
        if (parts & CONTENTS) {
            reply_bytes(c, content);
        }
    }
}

static void hgetall(struct call *c)
{
    reply_all(c, FIELDS | CONTENTS);
}

static void hkeys(struct call *c)
{
    reply_all(c, FIELDS);
}

static void hvals(struct call *c)
{
    reply_all(c, CONTENTS);
}

static void hscan(struct call *c)
{
    scan_collection(c, VALUE_HASH);
}

/* Writing. */

/* Sets the fields that the arguments from the third on name, each followed by its
 * content. Returns false, having failed the call, if that cannot be done. */
static bool set_fields(struct call *c, int64_t *added)
{
    struct bytes key = c->argv[1];
    const struct value *hash;
    struct bytes old;

    if (c->argc % 2 != 0) {
        call_fail_arity(c);
        return false;
    }
    if (!call_find_or_bind(c, 1, VALUE_HASH, &hash)) {
        return false;
    }
    *added = 0;
    for (size_t i = 2; i < c->argc; i += 2) {
        *added += !value_hash_get(hash, c->argv[i], c->now_ms, &old);
        call_make(c, change_field_set(c->db, key, c->argv[i], c->argv[i + 1]));
        if (value_hash_expires_ms(hash, c->argv[i]) != EXPIRES_NEVER) {
            call_make(c, change_field_retime(c->db, key, c->argv[i], EXPIRES_NEVER));
        }
    }
    call_event(c, EVENT_HASH, "hset", key);
    return true;
}

static void hset(struct call *c)
{
    int64_t added;

    if (set_fields(c, &added)) {
        reply_int(c, added);
    }
}

static void hmset(struct call *c)
{
    int64_t added;

    if (set_fields(c, &added)) {
        reply_ok(c);
    }
}

/* Sets the field that the second argument names, in the hash that the first one
 * is bound to, if it is to any. A field that is there expires when it would have; one
 * that has expired, and is still to be removed, is a new one. */
static void put_field(struct call *c, const struct value *hash, struct bytes content)
{
    int64_t expires_ms = hash == NULL ? EXPIRES_NEVER : value_hash_expires_ms(hash, c->argv[2]);

    if (hash == NULL) {
        call_make(c, change_bind(c->db, value_new(VALUE_HASH, c->argv[1], EXPIRES_NEVER)));
    }
    call_make(c, change_field_set(c->db, c->argv[1], c->argv[2], content));
    if (expires_ms != EXPIRES_NEVER && expires_ms <= c->now_ms) {
        call_make(c, change_field_retime(c->db, c->argv[1], c->argv[2], EXPIRES_NEVER));
    }
}

static void hsetnx(struct call *c)
{
    const struct value *hash;
    struct bytes old;

    if (!call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    if (hash != NULL && value_hash_get(hash, c->argv[2], c->now_ms, &old)) {
        reply_int(c, 0);
        return;
    }
    put_field(c, hash, c->argv[3]);
    call_event(c, EVENT_HASH, "hset", c->argv[1]);
    reply_int(c, 1);
}

static void hincrby(struct call *c)
{
    const struct value *hash;
    struct bytes old;
    int64_t by;
    int64_t number = 0;
    char text[NUMBER_INT_MAX];

    if (!call_int(c, 3, &by) || !call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    if (hash != NULL && value_hash_get(hash, c->argv[2], c->now_ms, &old) &&
        !number_parse_int(old, &number)) {
        call_fail(c, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(number, by, &number)) {
        call_fail(c, "ERR increment or decrement would overflow");
        return;
    }
    put_field(c, hash, (struct bytes){text, number_format_int(text, number)});
    call_event(c, EVENT_HASH, "hincrby", c->argv[1]);
    reply_int(c, number);
}

/* Reads argument 3 as a number that is not infinite. */
static bool read_increment(struct call *c, long double *by)
{
    if (!call_long_double(c, 3, by)) {
        return false;
    }
    if (!isfinite(*by)) {
        call_fail(c, "ERR value is NaN or Infinity");
        return false;
    }
    return true;
}

static void hincrbyfloat(struct call *c)
{
    const struct value *hash;
    struct bytes content;
    long double by;
    long double number = 0;
    char text[NUMBER_HUMAN_MAX];

    if (!read_increment(c, &by) || !call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    if (hash != NULL && value_hash_get(hash, c->argv[2], c->now_ms, &content) &&
        !number_parse_long_double(content, &number)) {
        call_fail(c, "ERR hash value is not a float");
        return;
    }
    number += by;
    if (!isfinite(number)) {
        call_fail(c, "ERR increment would produce NaN or Infinity");
        return;
    }
    content = (struct bytes){text, number_format_human(text, number)};
    put_field(c, hash, content);
    call_event(c, EVENT_HASH, "hincrbyfloat", c->argv[1]);
    reply_bytes(c, content);
}

static void hdel(struct call *c)
{
    struct bytes key = c->argv[1];
    const struct value *hash;
    struct bytes old;
    int64_t removed = 0;

    if (!call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    for (size_t i = 2; hash != NULL && i < c->argc; i++) {
        if (value_hash_get(hash, c->argv[i], c->now_ms, &old)) {
            call_make(c, change_field_remove(c->db, key, c->argv[i]));
            removed++;
        }
    }
    if (removed > 0) {
        call_event(c, EVENT_HASH, "hdel", key);
        call_drop_if_empty(c, key);
    }
    reply_int(c, removed);
}

/* HRANDFIELD. */

static void open_pairs(struct call *c, size_t count, bool with_contents)
{
    bool flat = with_contents && c->reply->version == RESP2;

    reply_array(c, flat ? count * 2 : count);
}

static void reply_pair(struct call *c, struct bytes field, struct bytes content, bool with_contents)
{
    if (!with_contents) {
        reply_bytes(c, field);
        return;
    }
    if (c->reply->version == RESP3) {
        reply_array(c, 2);
    }
    reply_bytes(c, field);
    reply_bytes(c, content);
}

/* Replies with `count` random fields, of which some may be the same. */
static void reply_repeating(struct call *c, const struct value *hash, size_t count,
                            bool with_contents)
{
    struct bytes field, content;

    open_pairs(c, count, with_contents);
    for (size_t i = 0; i < count; i++) {
        value_hash_random(hash, &c->engine->random, c->now_ms, &field, &content);
        reply_pair(c, field, content, with_contents);
    }
}

/* Replies with `count` different fields, in a walk over all of them: each one is
 * taken as likely as it must be for those still wanted to be among those left. */
static void reply_share(struct call *c, const struct value *hash, size_t count, bool with_contents)
{
    struct value_walk walk = {.now_ms = c->now_ms};
    struct bytes field, content;

    open_pairs(c, count, with_contents);
    for (size_t left = value_hash_count(hash, c->now_ms); count > 0; left--) {
        value_hash_next(hash, &walk, &field, &content);
        if (random_below(&c->engine->random, left) < count) {
            reply_pair(c, field, content, with_contents);
            count--;
        }
    }
}

/* The same, when they are so few that the same one will seldom come twice. */
static void reply_few(struct call *c, const struct value *hash, size_t count, bool with_contents)
{
    struct value *seen = value_new(VALUE_SET, (struct bytes){0}, EXPIRES_NEVER);
    struct bytes field, content;

    open_pairs(c, count, with_contents);
    while (count > 0) {
        value_hash_random(hash, &c->engine->random, c->now_ms, &field, &content);
        if (value_fill_member(seen, field, &value_limits_default)) {
            reply_pair(c, field, content, with_contents);
            count--;
        }
    }
    value_free(seen);
}

/* Replies with `count` different fields, or all if there are not as many; if it is
 * negative, with exactly that many, different or not. */
static void reply_random(struct call *c, const struct value *hash, int64_t count,
                         bool with_contents)
{
    enum { FEW = 16 }; /* One in so many. */
    size_t size = hash == NULL ? 0 : value_hash_count(hash, c->now_ms);

    if (size == 0) {
        reply_array(c, 0);
    } else if (count < 0) {
        if (call_repetitions(c, (uint64_t)-count)) {
            reply_repeating(c, hash, (size_t)-count, with_contents);
        }
    } else if ((size_t)count > size / FEW) {
        reply_share(c, hash, (size_t)count < size ? (size_t)count : size, with_contents);
    } else {
        reply_few(c, hash, (size_t)count, with_contents);
    }
}

static void hrandfield_one(struct call *c)
{
    const struct value *hash;
    struct bytes field, content;

    if (!call_find(c, 1, VALUE_HASH, &hash)) {
        return;
    }
    if (hash == NULL) {
        reply_nil(c);
        return;
    }
    value_hash_random(hash, &c->engine->random, c->now_ms, &field, &content);
    reply_bytes(c, field);
}

static void hrandfield(struct call *c)
{
    const struct value *hash;
    int64_t count;
    bool with_contents;

    if (c->argc == 2) {
        hrandfield_one(c);
        return;
    }
    if (arguments_sample(c, 2, "withvalues", &count, &with_contents) &&
        call_find(c, 1, VALUE_HASH, &hash)) {
        reply_random(c, hash, count, with_contents);
    }
}

/* clang-format off */
const struct command hash_commands[] = {
    {.name = "hdel",         .arity = -3, .flags = FREE_FAST,  .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},              .run = hdel,         .group = "hash", .since = "2.0.0", .complexity = "O(N) in the number of fields named",                    .summary = "Removes fields from a hash",                          .syntax = "key field [field ...]"},
    {.name = "hexists",      .arity = 3,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},                           .run = hexists,      .group = "hash", .since = "2.0.0", .complexity = "O(1)",                                                  .summary = "Tells whether a hash has a field",                    .syntax = "key field"},
    {.name = "hget",         .arity = 3,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hget,         .group = "hash", .since = "2.0.0", .complexity = "O(1)",                                                  .summary = "Returns the value of a field",                        .syntax = "key field"},
    {.name = "hgetall",      .arity = 2,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hgetall,      .group = "hash", .since = "2.0.0", .complexity = "O(N) in the size of the hash",                          .summary = "Returns all fields of a hash with their values",      .syntax = "key"},
    {.name = "hincrby",      .arity = 4,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .run = hincrby,      .group = "hash", .since = "2.0.0", .complexity = "O(1)",                                                  .summary = "Adds a number to an integer in a field",              .syntax = "key field increment"},
    {.name = "hincrbyfloat", .arity = 4,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)}, .run = hincrbyfloat, .group = "hash", .since = "2.6.0", .complexity = "O(1)",                                                  .summary = "Adds a number to a floating point number in a field", .syntax = "key field increment"},
    {.name = "hkeys",        .arity = 2,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hkeys,        .group = "hash", .since = "2.0.0", .complexity = "O(N) in the size of the hash",                          .summary = "Returns all fields of a hash",                        .syntax = "key"},
    {.name = "hlen",         .arity = 2,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},                           .run = hlen,         .group = "hash", .since = "2.0.0", .complexity = "O(1)",                                                  .summary = "Returns how many fields a hash has",                  .syntax = "key"},
    {.name = "hmget",        .arity = -3, .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hmget,        .group = "hash", .since = "2.0.0", .complexity = "O(N) in the number of fields named",                    .summary = "Returns the values of several fields",                .syntax = "key field [field ...]"},
    {.name = "hmset",        .arity = -4, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},              .run = hmset,        .group = "hash", .since = "2.0.0", .complexity = "O(N) in the number of fields named",                    .summary = "Sets fields of a hash, as HSET does",                 .syntax = "key field value [field value ...]"},
    {.name = "hrandfield",   .arity = -2, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hrandfield,   .group = "hash", .since = "6.2.0", .complexity = "O(N) in the number of fields returned",                 .summary = "Returns random fields of a hash",                     .syntax = "key [count [WITHVALUES]]"},
    {.name = "hscan",        .arity = -3, .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hscan,        .group = "hash", .since = "2.8.0", .complexity = "O(1) for a call, O(N) in the size of the hash for all", .summary = "Walks over the fields of a hash, some at a time",     .syntax = "key cursor [MATCH pattern] [COUNT count]"},
    {.name = "hset",         .arity = -4, .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},              .run = hset,         .group = "hash", .since = "2.0.0", .complexity = "O(N) in the number of fields named",                    .summary = "Sets fields of a hash, and creates it if need be",    .syntax = "key field value [field value ...]"},
    {.name = "hsetnx",       .arity = 4,  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_INSERT)},              .run = hsetnx,       .group = "hash", .since = "2.0.0", .complexity = "O(1)",                                                  .summary = "Sets a field if the hash does not have it",           .syntax = "key field value"},
    {.name = "hstrlen",      .arity = 3,  .flags = READ_FAST,  .keys = {ONE_KEY(KEY_RO)},                           .run = hstrlen,      .group = "hash", .since = "3.2.0", .complexity = "O(1)",                                                  .summary = "Returns the length of the value of a field",          .syntax = "key field"},
    {.name = "hvals",        .arity = 2,  .flags = READ,       .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},              .run = hvals,        .group = "hash", .since = "2.0.0", .complexity = "O(N) in the size of the hash",                          .summary = "Returns all values of a hash",                        .syntax = "key"},
    {0},
};
/* clang-format on */
