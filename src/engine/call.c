#include "engine/call.h"
#include "engine/expiry.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Notes that a key is to be bound that was not, or that had expired unnoticed. */
static void note_new(struct call *c, const struct change *bind)
{
    const struct keyspace *keys = c->engine->data->db[bind->db];
    const struct value *old = keyspace_find_any(keys, bind->key);

    if (old != NULL && value_has_expired(old, c->now_ms)) {
        engine_event(c->engine, bind->db, EVENT_EXPIRED, "expired", bind->key);
        old = NULL;
    }
    if (old == NULL) {
        engine_event(c->engine, bind->db, EVENT_NEW, "new", bind->key);
    }
}

void call_record(struct call *c, const struct change *change)
{
    if (change->kind == CHANGE_BIND) {
        evict_note_new(c->engine, change->value);
        if (c->engine->settings.notify & (EVENT_NEW | EVENT_EXPIRED)) {
            note_new(c, change);
        }
    }
    journal_record(&c->engine->journal, change);
}

void call_fail_text(struct call *c, struct bytes text)
{
    measure_error(c->engine, text);
    call_fail_counted(c, text);
}

void call_fail_counted(struct call *c, struct bytes text)
{
    c->failed = true;
    c->reply->ops->reset(c->reply);
    c->reply->ops->error(c->reply, text);
}

void call_fail(struct call *c, const char *format, ...)
{
    char text[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    call_fail_text(c,
                   (struct bytes){text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1});
}

void call_fail_syntax(struct call *c)
{
    call_fail(c, "ERR syntax error");
}

void call_fail_wrong_type(struct call *c)
{
    call_fail(c, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void call_fail_arity(struct call *c)
{
    const struct command *container = registry_find(c->engine->commands, c->argv[0]);

    if (container != NULL && container != c->command) {
        call_fail(c, "ERR wrong number of arguments for '%s|%s' command", container->name,
                  c->command->name);
    } else {
        call_fail(c, "ERR wrong number of arguments for '%s' command", c->command->name);
    }
}

/* Writes a name in capitals, the rest as it is. */
static void add_upper(struct buf *out, const char *name)
{
    for (; *name != '\0'; name++) {
        buf_add_byte(out, (char)toupper((unsigned char)*name));
    }
}

void call_fail_usage(struct call *c)
{
    const struct command *container = registry_find(c->engine->commands, c->argv[0]);
    struct bytes sub = c->argv[1];
    BUF_LOCAL(name);

    add_upper(&name, container->name);
    call_fail(c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %.*s HELP.",
              sub.len < 128 ? (int)sub.len : 128, sub.at, (int)name.len, name.at);
}

/* Only TOUCH counts as a use to a client that wants to leave none. */
static bool is_use(const struct call *c)
{
    return !c->session->no_touch || strcmp(c->command->name, "touch") == 0;
}

const struct value *call_find_any(struct call *c, struct bytes key)
{
    const struct value *v = keyspace_find(c->keys, key, c->now_ms);

    if (v != NULL && is_use(c)) {
        evict_note_use(c->engine, v);
    } else if (v == NULL && keyspace_count_expiring(c->keys) > 0 &&
               keyspace_find_any(c->keys, key) != NULL) {
        expiry_note_stale(c->engine, c->db, key);
    }
    if (c->command->flags & COMMAND_READONLY) {
        if (v != NULL) {
            c->engine->stats.keyspace_hits++;
        } else {
            c->engine->stats.keyspace_misses++;
            call_event(c, EVENT_KEYMISS, "keymiss", key);
        }
    }
    return v;
}

bool call_find(struct call *c, size_t arg, enum value_type type, const struct value **value)
{
    const struct value *v = call_find_any(c, c->argv[arg]);

    if (v != NULL && value_type(v) != type) {
        call_fail_wrong_type(c);
        return false;
    }
    *value = v;
    return true;
}

bool call_find_or_bind(struct call *c, size_t arg, enum value_type type, const struct value **value)
{
    struct bytes key = c->argv[arg];
    struct value *fresh;

    if (!call_find(c, arg, type, value)) {
        return false;
    }
    if (*value == NULL) {
        fresh = value_new(type, key, EXPIRES_NEVER);
        *value = fresh;
        call_make(c, change_bind(c->db, fresh));
    }
    return true;
}

void call_drop_if_empty(struct call *c, struct bytes key)
{
    const struct value *v = keyspace_find_any(c->keys, key);

    assert(v != NULL);
    if (value_is_over(v)) {
        call_make(c, change_unbind(c->db, key));
        call_event(c, EVENT_GENERIC, "del", key);
    }
}

void call_remove_texts(struct call *c, enum text_kind kind)
{
    const struct texts *texts = c->engine->data->texts[kind];
    struct table_walk walk = {0};
    const struct text *text;

    while ((text = texts_next(texts, &walk)) != NULL) {
        call_make(c, change_text_remove(kind, text_name(text)));
        walk = (struct table_walk){0};
    }
}

bool call_int(struct call *c, size_t arg, int64_t *number)
{
    if (!number_parse_int(c->argv[arg], number)) {
        call_fail(c, "ERR value is not an integer or out of range");
        return false;
    }
    return true;
}

bool call_int_between(struct call *c, size_t arg, int64_t min, int64_t max, int64_t *number)
{
    int64_t parsed;

    if (!call_int(c, arg, &parsed)) {
        return false;
    }
    if (parsed < min || parsed > max) {
        call_fail(c, "ERR value is out of range, value must between %" PRId64 " and %" PRId64, min,
                  max);
        return false;
    }
    *number = parsed;
    return true;
}

bool call_size(struct call *c, size_t arg, size_t min, const char *error, size_t *size)
{
    int64_t number;

    if (!number_parse_int(c->argv[arg], &number) || number < 0 || (size_t)number < min) {
        call_fail(c, "ERR %s", error);
        return false;
    }
    *size = (size_t)number;
    return true;
}

bool call_double(struct call *c, size_t arg, double *number)
{
    if (!number_parse_double(c->argv[arg], number)) {
        call_fail(c, "ERR value is not a valid float");
        return false;
    }
    return true;
}

bool call_long_double(struct call *c, size_t arg, long double *number)
{
    if (!number_parse_long_double(c->argv[arg], number)) {
        call_fail(c, "ERR value is not a valid float");
        return false;
    }
    return true;
}

bool call_repetitions(struct call *c, uint64_t count)
{
    enum { MOST = 1 << 25 };

    if (count > MOST) {
        call_fail(c, "ERR value is out of range");
        return false;
    }
    return true;
}

bool call_is(const struct call *c, size_t arg, const char *word)
{
    return arg < c->argc && bytes_is(c->argv[arg], word);
}

void reply_ok(struct call *c)
{
    c->reply->ops->status(c->reply, BYTES("OK"));
}

void reply_status(struct call *c, const char *text)
{
    c->reply->ops->status(c->reply, bytes_of(text));
}

void reply_int(struct call *c, int64_t number)
{
    c->reply->ops->integer(c->reply, number);
}

void reply_bytes(struct call *c, struct bytes content)
{
    c->reply->ops->bulk(c->reply, content);
}

void reply_string(struct call *c, const char *text)
{
    c->reply->ops->bulk(c->reply, bytes_of(text));
}

void reply_format(struct call *c, const char *format, ...)
{
    char text[1024];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert(len >= 0);
    assert((size_t)len < sizeof text);
    c->reply->ops->bulk(c->reply, (struct bytes){text, (size_t)len});
}

void reply_nil(struct call *c)
{
    c->reply->ops->nil(c->reply);
}

void reply_nil_array(struct call *c)
{
    c->reply->ops->nil_array(c->reply);
}

void reply_bool(struct call *c, bool value)
{
    c->reply->ops->boolean(c->reply, value);
}

void reply_double(struct call *c, double number)
{
    c->reply->ops->real(c->reply, number);
}

void reply_human(struct call *c, double number)
{
    c->reply->ops->human(c->reply, number);
}

void reply_verbatim(struct call *c, const char *format, struct bytes content)
{
    c->reply->ops->verbatim(c->reply, format, content);
}

void reply_array(struct call *c, size_t len)
{
    c->reply->ops->open(c->reply, RESP_ARRAY, len);
}

void reply_set(struct call *c, size_t len)
{
    c->reply->ops->open(c->reply, RESP_SET, len);
}

void reply_map(struct call *c, size_t pairs)
{
    c->reply->ops->open(c->reply, RESP_MAP, pairs);
}

size_t reply_late(struct call *c)
{
    return c->reply->ops->open_late(c->reply);
}

void reply_late_end(struct call *c, size_t place, enum resp_kind kind, size_t len)
{
    c->reply->ops->close_late(c->reply, place, kind, len);
}

static void reply_line(struct call *c, struct buf *line)
{
    c->reply->ops->status(c->reply, buf_bytes(line));
    line->len = 0;
}

void reply_help(struct call *c)
{
    const struct command *container = registry_find(c->engine->commands, c->argv[0]);
    size_t place = reply_late(c);
    size_t lines = 1;
    BUF_LOCAL(line);

    add_upper(&line, container->name);
    buf_addf(&line, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply_line(c, &line);
    for (const struct command *sub = container->subcommands; sub->name != NULL; sub++) {
        add_upper(&line, sub->name);
        buf_addf(&line, "%s%s", sub->syntax[0] == '\0' ? "" : " ", sub->syntax);
        reply_line(c, &line);
        buf_addf(&line, "    %s.", sub->summary);
        reply_line(c, &line);
        lines += 2;
    }
    reply_late_end(c, place, RESP_ARRAY, lines);
}
