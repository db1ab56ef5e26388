/* Commands on when fields of hashes expire, as of Redis 7.4. */
#include "command/condition.h"
#include "command/families.h"
#include "command/flags.h"

#include <limits.h>

enum { MILLISECOND = 1, SECOND = 1000 };

/* What the commands say of a field. */
enum outcome {
    NO_FIELD = -2,
    NO_EXPIRY = -1,
    NOT_DONE = 0, /* The condition does not hold. */
    DONE = 1,
    REMOVED = 2, /* The time has come already. */
};

/* No later time can be set. */
#define LATEST_MS ((INT64_C(1) << 48) - 2)

/* Reads "FIELDS count" from argument `arg` on; the fields are all that is behind it.
 * Returns false, having failed the call, if it is anything else. */
static bool parse_fields(struct call *c, size_t arg, const char *count_error, size_t *first)
{
    int64_t count;

    if (!call_is(c, arg, "fields")) {
        call_fail(c, "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (arg + 1 == c->argc || !number_parse_int(c->argv[arg + 1], &count) || count < 1) {
        call_fail(c, "ERR %s", count_error);
        return false;
    }
    if ((uint64_t)count != c->argc - arg - 2) {
        call_fail(c, "ERR The `numfields` parameter must match the number of arguments");
        return false;
    }
    *first = arg + 2;
    return true;
}

/* Reads argument 2: a time in the given unit, counted from `base_ms`. */
static bool parse_time(struct call *c, int64_t base_ms, int64_t unit_ms, int64_t *expires_ms)
{
    int64_t time;

    if (!call_int(c, 2, &time)) {
        return false;
    }
    if (time < 0) {
        call_fail(c, "ERR invalid expire time, must be >= 0");
        return false;
    }
    if (time > LATEST_MS / unit_ms || time * unit_ms > LATEST_MS - base_ms) {
        call_fail(c, "ERR invalid expire time in '%s' command", c->command->name);
        return false;
    }
    *expires_ms = base_ms + time * unit_ms;
    return true;
}

static bool has_field(const struct call *c, const struct value *hash, struct bytes field)
{
    struct bytes content;

    return hash != NULL && value_hash_get(hash, field, c->now_ms, &content);
}

static enum outcome expire_field(struct call *c, const struct value *hash, struct bytes field,
                                 unsigned conditions, int64_t expires_ms)
{
    if (!has_field(c, hash, field)) {
        return NO_FIELD;
    }
    if (!conditions_hold(conditions, value_hash_expires_ms(hash, field), expires_ms)) {
        return NOT_DONE;
    }
    if (expires_ms <= c->now_ms) {
        call_make(c, change_field_remove(c->db, c->argv[1], field));
        return REMOVED;
    }
    call_make(c, change_field_retime(c->db, c->argv[1], field, expires_ms));
    return DONE;
}

static void set_expiry(struct call *c, int64_t base_ms, int64_t unit_ms)
{
    const struct value *hash;
    int64_t expires_ms;
    unsigned conditions = condition_at(c, 3);
    size_t done[REMOVED + 1] = {0};
    size_t first;

    if (!call_find(c, 1, VALUE_HASH, &hash) || !parse_time(c, base_ms, unit_ms, &expires_ms) ||
        !parse_fields(c, conditions == 0 ? 3 : 4, "Parameter `numFields` should be greater than 0",
                      &first)) {
        return;
    }
    reply_array(c, c->argc - first);
    for (size_t i = first; i < c->argc; i++) {
        enum outcome outcome = expire_field(c, hash, c->argv[i], conditions, expires_ms);

        reply_int(c, outcome);
        if (outcome > NOT_DONE) {
            done[outcome]++;
        }
    }
    if (done[DONE] + done[REMOVED] > 0) {
        call_event(c, EVENT_HASH, done[REMOVED] > 0 ? "hdel" : "hexpire", c->argv[1]);
    }
    if (done[REMOVED] > 0) {
        call_drop_if_empty(c, c->argv[1]);
    }
}

static void hexpire(struct call *c)
{
    set_expiry(c, c->now_ms, SECOND);
}

static void hpexpire(struct call *c)
{
    set_expiry(c, c->now_ms, MILLISECOND);
}

static void hexpireat(struct call *c)
{
    set_expiry(c, 0, SECOND);
}

static void hpexpireat(struct call *c)
{
    set_expiry(c, 0, MILLISECOND);
}

static const char count_error[] = "Number of fields must be a positive integer";

/* Replies for each field when it expires, counted from `base_ms`. */
static void reply_expiry(struct call *c, int64_t base_ms, int64_t unit_ms)
{
    const struct value *hash;
    size_t first;

    if (!call_find(c, 1, VALUE_HASH, &hash) || !parse_fields(c, 2, count_error, &first)) {
        return;
    }
    reply_array(c, c->argc - first);
    for (size_t i = first; i < c->argc; i++) {
        int64_t expires_ms;

        if (!has_field(c, hash, c->argv[i])) {
            reply_int(c, NO_FIELD);
            continue;
        }
        expires_ms = value_hash_expires_ms(hash, c->argv[i]);
        reply_int(c, expires_ms == EXPIRES_NEVER ? NO_EXPIRY
                                                 : (expires_ms - base_ms + unit_ms - 1) / unit_ms);
    }
}

static void httl(struct call *c)
{
    reply_expiry(c, c->now_ms, SECOND);
}

static void hpttl(struct call *c)
{
    reply_expiry(c, c->now_ms, MILLISECOND);
}

static void hexpiretime(struct call *c)
{
    reply_expiry(c, 0, SECOND);
}

static void hpexpiretime(struct call *c)
{
    reply_expiry(c, 0, MILLISECOND);
}

static enum outcome persist_field(struct call *c, const struct value *hash, struct bytes field)
{
    if (!has_field(c, hash, field)) {
        return NO_FIELD;
    }
    if (value_hash_expires_ms(hash, field) == EXPIRES_NEVER) {
        return NO_EXPIRY;
    }
    call_make(c, change_field_retime(c->db, c->argv[1], field, EXPIRES_NEVER));
    return DONE;
}

static void hpersist(struct call *c)
{
    const struct value *hash;
    size_t first;
    bool changed = false;

    if (!call_find(c, 1, VALUE_HASH, &hash) || !parse_fields(c, 2, count_error, &first)) {
        return;
    }
    reply_array(c, c->argc - first);
    for (size_t i = first; i < c->argc; i++) {
        enum outcome outcome = persist_field(c, hash, c->argv[i]);

        reply_int(c, outcome);
        changed |= outcome == DONE;
    }
    if (changed) {
        call_event(c, EVENT_HASH, "hpersist", c->argv[1]);
    }
}

/* clang-format off */
#define SETS  .flags = WRITE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .group = "hash", .since = "7.4.0", .complexity = "O(N) in the number of fields named"
#define TELLS .flags = READ_FAST, .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)}, .group = "hash", .since = "7.4.0", .complexity = "O(N) in the number of fields named"

const struct command hash_expire_commands[] = {
    {.name = "hexpire",      .arity = -6, SETS,  .run = hexpire,      .summary = "Sets in how many seconds fields of a hash expire",         .syntax = "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]"},
    {.name = "hexpireat",    .arity = -6, SETS,  .run = hexpireat,    .summary = "Sets at which second of Unix time fields of a hash expire", .syntax = "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]"},
    {.name = "hexpiretime",  .arity = -5, TELLS, .run = hexpiretime,  .summary = "Returns at which second of Unix time fields expire",       .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hpersist",     .arity = -5, .flags = FREE_FAST, .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)}, .group = "hash", .since = "7.4.0", .complexity = "O(N) in the number of fields named", .run = hpersist, .summary = "Makes fields of a hash never expire", .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hpexpire",     .arity = -6, SETS,  .run = hpexpire,     .summary = "Sets in how many milliseconds fields of a hash expire",    .syntax = "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]"},
    {.name = "hpexpireat",   .arity = -6, SETS,  .run = hpexpireat,   .summary = "Sets at which millisecond of Unix time fields of a hash expire", .syntax = "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]"},
    {.name = "hpexpiretime", .arity = -5, TELLS, .run = hpexpiretime, .summary = "Returns at which millisecond of Unix time fields expire",  .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hpttl",        .arity = -5, TELLS, .run = hpttl,        .summary = "Returns in how many milliseconds fields expire",           .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "httl",         .arity = -5, TELLS, .run = httl,         .summary = "Returns in how many seconds fields expire",                .syntax = "key FIELDS numfields field [field ...]"},
    {0},
};
/* clang-format on */
