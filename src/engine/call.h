/* A call: one command at work.
 *
 * This is all that a command handler sees: its arguments, the data to read, a
 * way to write, and the reply to build. Where a handler is called from (a client,
 * EXEC, a script) makes no difference to it. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "engine/command.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "engine/sink.h"
#include "store/journal.h"

struct call {
    struct engine *engine;
    struct session *session;
    const struct command *command;
    size_t argc;
    const struct bytes *argv;    /* argv[0] is the name as sent. */
    const struct keyspace *keys; /* The selected database, to read. */
    unsigned db;                 /* Its number, for changes. */
    struct sink *reply;          /* To answer: reply_*(). */
    int64_t now_ms;              /* Unix time; the same for all of a call, or a script. */
    bool failed;                 /* Set by call_fail(). */
    bool returned_error;         /* Replies with an error that undoes nothing. */
};

/* Makes a change. */
void call_record(struct call *c, const struct change *change);
static inline void call_make(struct call *c, struct change change)
{
    call_record(c, &change);
}

/* Replies with an error, "WRONGTYPE ..." or "ERR ...". When the handler then
 * returns, the engine undoes everything the call has changed: a call that
 * replies with an error has no effect. Drops what reply there was so far. */
__attribute__((format(printf, 2, 3))) void call_fail(struct call *c, const char *format, ...);
void call_fail_text(struct call *c, struct bytes text);    /* Of any length. */
void call_fail_counted(struct call *c, struct bytes text); /* An error that was counted. */
void call_fail_syntax(struct call *c);                     /* "ERR syntax error" */
void call_fail_wrong_type(struct call *c);                 /* "WRONGTYPE Operation against ..." */
void call_fail_arity(struct call *c); /* "ERR wrong number of arguments for ..." */

/* "ERR unknown subcommand or wrong number of arguments for ...", of a subcommand. */
void call_fail_usage(struct call *c);

/* Returns the value of a key, or NULL. Counts as a use of the key. */
const struct value *call_find_any(struct call *c, struct bytes key);

/* Looks up argument `arg` as a key of the given type. Returns false, having
 * failed the call, if it holds another type. A key that is not there is no
 * failure: *value is then NULL. */
bool call_find(struct call *c, size_t arg, enum value_type type, const struct value **value);

/* As call_find(), but when the key is not there binds it to an empty collection,
 * to which the caller must add. */
bool call_find_or_bind(struct call *c, size_t arg, enum value_type type,
                       const struct value **value);

/* Unbinds the key if its collection has no elements left: no key is bound to an
 * empty collection. */
void call_drop_if_empty(struct call *c, struct bytes key);

/* Removes all texts of a kind. */
void call_remove_texts(struct call *c, enum text_kind kind);

/* Read argument `arg` as a number. Return false, having failed the call with the
 * usual text, if it is none; call_size() fails it with `error` if it is anything but a
 * number that is not below `min`. */
bool call_int(struct call *c, size_t arg, int64_t *number);
bool call_int_between(struct call *c, size_t arg, int64_t min, int64_t max, int64_t *number);
bool call_size(struct call *c, size_t arg, size_t min, const char *error, size_t *size);
bool call_double(struct call *c, size_t arg, double *number);
bool call_long_double(struct call *c, size_t arg, long double *number);

/* Checks how many elements, chosen again and again, a client may ask for. Returns
 * false, having failed the call, if the reply could only fill the memory. */
bool call_repetitions(struct call *c, uint64_t count);

/* Returns whether argument `arg` is there and is this word, in any case. */
bool call_is(const struct call *c, size_t arg, const char *word);

/* What the reply consists of, in order. */
void reply_ok(struct call *c);
void reply_status(struct call *c, const char *text);
void reply_int(struct call *c, int64_t number);
void reply_bytes(struct call *c, struct bytes content);
void reply_string(struct call *c, const char *text); /* As a bulk string. */
__attribute__((format(printf, 2, 3))) void reply_format(struct call *c, const char *format, ...);
void reply_nil(struct call *c);
void reply_nil_array(struct call *c);
void reply_bool(struct call *c, bool value); /* RESP2: 1 or 0. */
void reply_double(struct call *c, double number);
void reply_human(struct call *c, double number); /* A double without an exponent. */
void reply_verbatim(struct call *c, const char *format, struct bytes content);
void reply_array(struct call *c, size_t len);
void reply_set(struct call *c, size_t len);
void reply_map(struct call *c, size_t pairs); /* RESP2: an array of 2 * pairs. */

/* An aggregate whose length is found out on the way. */
size_t reply_late(struct call *c);
void reply_late_end(struct call *c, size_t place, enum resp_kind kind, size_t len);

/* Replies with what HELP of a container command says: its subcommands' syntax and
 * summary. Serves as their `help` row. */
void reply_help(struct call *c);

#endif
