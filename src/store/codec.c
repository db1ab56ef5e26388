/* Changes as bytes: the form that the log keeps.
 *
 * One table says which operands a kind of change has, and in which form; it is read both
 * to write a change and to read one. */
#include "data/packed.h"
#include "data/sequence.h"
#include "store/change_stream.h"
#include "store/coding.h"
#include "store/list.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

/* A form of operands. put() appends what is at `at`, a field of the change; take() reads
 * it there, and returns false if it makes no sense. */
struct form {
    void (*put)(struct buf *out, const struct change *c, const void *at);
    bool (*take)(struct bytes *in, const struct dataset *data, struct change *c, void *at);
};

#define FORM(name) static const struct form name = {put_##name, take_##name}

static bool take_below(struct bytes *in, uint64_t bound, uint16_t *number)
{
    uint64_t taken;

    if (!take_number(in, &taken) || taken >= bound) {
        return false;
    }
    *number = (uint16_t)taken;
    return true;
}

/* The number of a database. */
static void put_database(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_number(out, *(const uint16_t *)at);
}

static bool take_database(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)c;
    return take_below(in, data->count, at);
}

FORM(database);

/* Which kind of text. */
static bool take_shelf(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)data;
    (void)c;
    return take_below(in, TEXT_KIND_END, at);
}

static const struct form shelf = {put_database, take_shelf};

static void put_string(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_bytes(out, *(const struct bytes *)at);
}

static bool take_string(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)data;
    (void)c;
    return take_bytes(in, at);
}

FORM(string);

static void put_integer(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_signed(out, *(const int64_t *)at);
}

static bool take_integer(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)data;
    (void)c;
    return take_signed(in, at);
}

FORM(integer);

/* When something expires. */
static bool take_time(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    return take_integer(in, data, c, at) && *(const int64_t *)at >= EXPIRES_NEVER;
}

static const struct form field_time = {put_integer, take_time};

/* How many; at least one. */
static void put_count(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_number(out, *(const size_t *)at);
}

static bool take_count(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    uint64_t number;

    (void)data;
    (void)c;
    if (!take_number(in, &number) || number == 0) {
        return false;
    }
    *(size_t *)at = number;
    return true;
}

FORM(count);

static void put_score(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_real(out, *(const double *)at);
}

static bool take_score(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)data;
    (void)c;
    return take_real(in, at) && !isnan(*(const double *)at);
}

FORM(score);

/* What a SPLICE replaces, and whether the string is raw then. */
static void put_span(struct buf *out, const struct change *c, const void *at)
{
    (void)at;
    buf_add_byte(out, c->raw);
    put_number(out, c->offset);
    put_number(out, c->removed);
}

static bool take_span(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    uint64_t offset, removed;
    bool raw;

    (void)data;
    (void)at;
    if (!take_flag(in, &raw) || !take_number(in, &offset) || !take_number(in, &removed) ||
        offset + removed < offset) {
        return false;
    }
    c->raw = raw;
    c->offset = offset;
    c->removed = removed;
    return true;
}

FORM(span);

static void put_value(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    value_encode(*(struct value *const *)at, out);
}

static bool take_value(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    struct value *v = value_decode(in, c->key, &data->limits);

    *(struct value **)at = v;
    return v != NULL;
}

FORM(value);

static void put_text(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_bytes(out, text_content(*(struct text *const *)at));
}

static bool take_text(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    struct bytes content;

    (void)data;
    if (!take_bytes(in, &content)) {
        return false;
    }
    *(struct text **)at = text_new(c->key, content);
    return true;
}

FORM(text);

/* A database that is put in the place of another is written as an empty one, and the
 * changes that bind its keys. */
static void put_keyspace(struct buf *out, const struct change *c, const void *at)
{
    struct table_walk walk = {0};
    const struct value *v;

    (void)at;
    while (c->keyspace != NULL && (v = keyspace_next(c->keyspace, &walk)) != NULL) {
        struct change bind = change_bind(c->db, (struct value *)v);
        change_encode(&bind, out);
    }
}

static bool take_keyspace(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)in;
    (void)data;
    (void)c;
    (void)at;
    return true;
}

FORM(keyspace);

/* What is inserted into a list. */
static void put_inserted(struct buf *out, const struct change *c, const void *unused)
{
    struct sequence_at at;
    char digits[NUMBER_INT_MAX];

    (void)unused;
    if (c->moved == NULL) {
        put_number(out, 1);
        put_bytes(out, c->element);
        return;
    }
    put_number(out, sequence_count(c->moved));
    for (at = sequence_seek(c->moved, 0); at.chunk != NULL; sequence_next(&at)) {
        put_bytes(out, sequence_get(&at, digits));
    }
}

/* One element is viewed where it is; more are gathered, to be moved at once. */
static bool take_inserted(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    struct chunk_limit limit = list_chunk_limit(-2);
    uint64_t left;

    (void)data;
    (void)at;
    c->moved = NULL;
    if (!take_number(in, &left) || left == 0) {
        return false;
    }
    if (left == 1) {
        return take_bytes(in, &c->element);
    }
    for (; left > 0; left--) {
        struct bytes element;
        if (!take_bytes(in, &element)) {
            sequence_free(c->moved);
            return false;
        }
        sequence_insert(&c->moved, sequence_count(c->moved), element, limit);
    }
    return true;
}

FORM(inserted);

static void put_stream_id(struct buf *out, const struct change *c, const void *at)
{
    (void)c;
    put_id(out, *(const struct stream_id *)at);
}

static bool take_stream_id(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    (void)data;
    (void)c;
    return take_id(in, at);
}

FORM(stream_id);

static bool take_fields(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    return take_string(in, data, c, at) && stream_fields_are_whole(*(const struct bytes *)at);
}

static const struct form fields = {put_string, take_fields};

/* What is kept in coded form in the change itself. */
static bool take_coded(struct bytes *in, const struct dataset *data, struct change *c, void *at)
{
    return take_string(in, data, c, at) && stream_operands_are_whole(c);
}

static const struct form coded = {put_string, take_coded};

/* The table. */

struct operand {
    const struct form *form;
    size_t at; /* Where in struct change. */
};

#define AT(field) offsetof(struct change, field)
#define IN_DB                                                                                      \
    {                                                                                              \
        &database, AT(db)                                                                          \
    }
#define OF_KEY                                                                                     \
    IN_DB,                                                                                         \
    {                                                                                              \
        &string, AT(key)                                                                           \
    }
#define OF_TEXT                                                                                    \
    {&shelf, AT(db)},                                                                              \
    {                                                                                              \
        &string, AT(key)                                                                           \
    }

enum { OPERANDS = 5 };

/* clang-format off */
static const struct operand operands[CHANGE_KIND_END][OPERANDS] = {
    [CHANGE_BIND] = {OF_KEY, {&value, AT(value)}},
    [CHANGE_UNBIND] = {OF_KEY},
    [CHANGE_RETIME] = {OF_KEY, {&integer, AT(expires_ms)}},
    [CHANGE_REKEY] = {OF_KEY, {&database, AT(to_db)}, {&string, AT(to_key)}},
    [CHANGE_SPLICE] = {OF_KEY, {&span, 0}, {&string, AT(inserted)}},
    [CHANGE_FIELD_SET] = {OF_KEY, {&string, AT(member)}, {&string, AT(content)}},
    [CHANGE_FIELD_REMOVE] = {OF_KEY, {&string, AT(member)}},
    [CHANGE_FIELD_RETIME] = {OF_KEY, {&string, AT(timed)}, {&field_time, AT(timed_expires_ms)}},
    [CHANGE_SET_ADD] = {OF_KEY, {&string, AT(member)}},
    [CHANGE_SET_REMOVE] = {OF_KEY, {&string, AT(member)}},
    [CHANGE_LIST_INSERT] = {OF_KEY, {&integer, AT(index)}, {&inserted, 0}},
    [CHANGE_LIST_REMOVE] = {OF_KEY, {&integer, AT(index)}, {&count, AT(removed_count)}},
    [CHANGE_LIST_REPLACE] = {OF_KEY, {&integer, AT(index)}, {&string, AT(element)}},
    [CHANGE_SCORE_SET] = {OF_KEY, {&string, AT(scored)}, {&score, AT(score)}},
    [CHANGE_SCORE_REMOVE] = {OF_KEY, {&string, AT(scored)}},
    [CHANGE_ENTRY_ADD] = {OF_KEY, {&stream_id, AT(id)}, {&fields, AT(fields)}},
    [CHANGE_ENTRY_REMOVE] = {OF_KEY, {&stream_id, AT(range.from)}, {&stream_id, AT(range.to)}},
    [CHANGE_STREAM_META] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_GROUP_SET] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_GROUP_REMOVE] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_CONSUMER_SET] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_CONSUMER_REMOVE] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_PENDING_SET] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_PENDING_REMOVE] = {OF_KEY, {&coded, AT(operands)}},
    [CHANGE_SWAP] = {IN_DB, {&database, AT(other)}},
    [CHANGE_FLUSH] = {IN_DB, {&keyspace, 0}},
    [CHANGE_TEXT_PUT] = {OF_TEXT, {&text, AT(text)}},
    [CHANGE_TEXT_REMOVE] = {OF_TEXT},
};
/* clang-format on */

void change_encode(const struct change *c, struct buf *out)
{
    const struct operand *o = operands[c->kind];

    assert(o->form != NULL); /* Else it is one that only undoes. */
    buf_add_byte(out, (char)c->kind);
    for (; o->form != NULL; o++) {
        o->form->put(out, c, (const char *)c + o->at);
    }
}

bool change_decode(struct bytes *in, const struct dataset *data, struct change *c)
{
    struct change got = {.position = PACKED_NONE};
    struct bytes rest = *in;
    const struct operand *o;
    uint64_t kind;

    if (!take_number(&rest, &kind) || kind >= CHANGE_KIND_END || operands[kind]->form == NULL) {
        return false;
    }
    got.kind = (uint8_t)kind;
    for (o = operands[kind]; o->form != NULL; o++) {
        if (!o->form->take(&rest, data, &got, (char *)&got + o->at)) {
            return false;
        }
    }
    *in = rest;
    *c = got;
    return true;
}
