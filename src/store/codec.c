/* Changes as bytes: the form that the log keeps. */
#include "data/packed.h"
#include "data/sequence.h"
#include "store/change_stream.h"
#include "store/coding.h"
#include "store/list.h"

#include <assert.h>
#include <math.h>

static void put_inserted(struct buf *out, const struct change *c)
{
    struct sequence_at at;
    char text[NUMBER_INT_MAX];

    if (c->moved == NULL) {
        put_number(out, 1);
        put_bytes(out, c->element);
        return;
    }
    put_number(out, sequence_count(c->moved));
    for (at = sequence_seek(c->moved, 0); at.chunk != NULL; sequence_next(&at)) {
        put_bytes(out, sequence_get(&at, text));
    }
}

/* A database that is put in the place of another is written as an empty one, and the
 * changes that bind its keys. */
static void put_keyspace(struct buf *out, const struct change *c)
{
    struct table_walk walk = {0};
    const struct value *v;

    while (c->keyspace != NULL && (v = keyspace_next(c->keyspace, &walk)) != NULL) {
        struct change bind = change_bind(c->db, (struct value *)v);
        change_encode(&bind, out);
    }
}

void change_encode(const struct change *c, struct buf *out)
{
    assert(c->kind != CHANGE_BODY);
    assert(c->kind != CHANGE_STREAM_BACK);
    assert(c->kind != CHANGE_FIELD_RESTORE);
    buf_add_byte(out, (char)c->kind);
    put_number(out, c->db);
    switch (c->kind) {
    case CHANGE_SWAP:
        put_number(out, c->other);
        return;
    case CHANGE_FLUSH:
        put_keyspace(out, c);
        return;
    default:
        put_bytes(out, c->key);
    }
    switch (c->kind) {
    case CHANGE_BIND:
        value_encode(c->value, out);
        break;
    case CHANGE_RETIME:
        put_signed(out, c->expires_ms);
        break;
    case CHANGE_REKEY:
        put_number(out, c->to_db);
        put_bytes(out, c->to_key);
        break;
    case CHANGE_SPLICE:
        buf_add_byte(out, c->raw);
        put_number(out, c->offset);
        put_number(out, c->removed);
        put_bytes(out, c->inserted);
        break;
    case CHANGE_FIELD_SET:
        put_bytes(out, c->member);
        put_bytes(out, c->content);
        break;
    case CHANGE_TEXT_PUT:
        put_bytes(out, text_content(c->text));
        break;
    case CHANGE_FIELD_RETIME:
        put_bytes(out, c->timed);
        put_signed(out, c->timed_expires_ms);
        break;
    case CHANGE_FIELD_REMOVE:
    case CHANGE_SET_ADD:
    case CHANGE_SET_REMOVE:
        put_bytes(out, c->member);
        break;
    case CHANGE_LIST_INSERT:
        put_signed(out, c->index);
        put_inserted(out, c);
        break;
    case CHANGE_LIST_REMOVE:
        put_signed(out, c->index);
        put_number(out, c->removed_count);
        break;
    case CHANGE_LIST_REPLACE:
        put_signed(out, c->index);
        put_bytes(out, c->element);
        break;
    case CHANGE_SCORE_SET:
        put_bytes(out, c->scored);
        put_real(out, c->score);
        break;
    case CHANGE_SCORE_REMOVE:
        put_bytes(out, c->scored);
        break;
    case CHANGE_ENTRY_ADD:
        put_id(out, c->id);
        put_bytes(out, c->fields);
        break;
    case CHANGE_ENTRY_REMOVE:
        put_id(out, c->range.from);
        put_id(out, c->range.to);
        break;
    case CHANGE_STREAM_META:
    case CHANGE_GROUP_SET:
    case CHANGE_GROUP_REMOVE:
    case CHANGE_CONSUMER_SET:
    case CHANGE_CONSUMER_REMOVE:
    case CHANGE_PENDING_SET:
    case CHANGE_PENDING_REMOVE:
        put_bytes(out, c->operands);
        break;
    default:
        break;
    }
}

/* One element is viewed where it is; more are gathered, to be moved at once. */
static bool take_inserted(struct bytes *in, struct change *c)
{
    struct chunk_limit limit = list_chunk_limit(-2);
    uint64_t count;

    c->moved = NULL;
    if (!take_number(in, &count) || count == 0) {
        return false;
    }
    if (count == 1) {
        return take_bytes(in, &c->element);
    }
    for (; count > 0; count--) {
        struct bytes element;
        if (!take_bytes(in, &element)) {
            sequence_free(c->moved);
            return false;
        }
        sequence_insert(&c->moved, sequence_count(c->moved), element, limit);
    }
    return true;
}

static bool take_removed_count(struct bytes *in, struct change *c)
{
    uint64_t count;

    if (!take_number(in, &count) || count == 0) {
        return false;
    }
    c->removed_count = count;
    return true;
}

static bool take_splice(struct bytes *in, struct change *c)
{
    uint64_t offset, removed;
    bool raw;

    if (!take_flag(in, &raw) || !take_number(in, &offset) || !take_number(in, &removed) ||
        offset + removed < offset) {
        return false;
    }
    c->raw = raw;
    c->offset = offset;
    c->removed = removed;
    return take_bytes(in, &c->inserted);
}

static bool take_below(struct bytes *in, uint64_t bound, uint16_t *number)
{
    uint64_t taken;

    if (!take_number(in, &taken) || taken >= bound) {
        return false;
    }
    *number = (uint16_t)taken;
    return true;
}

static bool take_text(struct bytes *in, struct change *c)
{
    struct bytes content;

    if (!take_bytes(in, &content)) {
        return false;
    }
    c->text = text_new(c->key, content);
    return true;
}

/* Reads what a change of this kind has besides its database and key. */
static bool take_operands(struct bytes *in, const struct dataset *data, struct change *c)
{
    switch (c->kind) {
    case CHANGE_BIND:
        c->value = value_decode(in, c->key, &data->limits);
        return c->value != NULL;
    case CHANGE_UNBIND:
        return true;
    case CHANGE_RETIME:
        return take_signed(in, &c->expires_ms);
    case CHANGE_REKEY:
        return take_below(in, data->count, &c->to_db) && take_bytes(in, &c->to_key);
    case CHANGE_SPLICE:
        return take_splice(in, c);
    case CHANGE_FIELD_SET:
        return take_bytes(in, &c->member) && take_bytes(in, &c->content);
    case CHANGE_TEXT_PUT:
        return take_text(in, c);
    case CHANGE_TEXT_REMOVE:
        return true;
    case CHANGE_FIELD_RETIME:
        return take_bytes(in, &c->timed) && take_signed(in, &c->timed_expires_ms) &&
               c->timed_expires_ms >= EXPIRES_NEVER;
    case CHANGE_FIELD_REMOVE:
    case CHANGE_SET_ADD:
    case CHANGE_SET_REMOVE:
        return take_bytes(in, &c->member);
    case CHANGE_LIST_INSERT:
        return take_signed(in, &c->index) && take_inserted(in, c);
    case CHANGE_LIST_REMOVE:
        return take_signed(in, &c->index) && take_removed_count(in, c);
    case CHANGE_LIST_REPLACE:
        return take_signed(in, &c->index) && take_bytes(in, &c->element);
    case CHANGE_SCORE_SET:
        return take_bytes(in, &c->scored) && take_real(in, &c->score) && !isnan(c->score);
    case CHANGE_SCORE_REMOVE:
        return take_bytes(in, &c->scored);
    case CHANGE_ENTRY_ADD:
        return take_id(in, &c->id) && take_bytes(in, &c->fields) &&
               stream_fields_are_whole(c->fields);
    case CHANGE_ENTRY_REMOVE:
        return take_id(in, &c->range.from) && take_id(in, &c->range.to);
    case CHANGE_STREAM_META:
    case CHANGE_GROUP_SET:
    case CHANGE_GROUP_REMOVE:
    case CHANGE_CONSUMER_SET:
    case CHANGE_CONSUMER_REMOVE:
    case CHANGE_PENDING_SET:
    case CHANGE_PENDING_REMOVE:
        return take_bytes(in, &c->operands) && stream_operands_are_whole(c);
    default:
        return false;
    }
}

bool change_decode(struct bytes *in, const struct dataset *data, struct change *c)
{
    struct change got = {.position = PACKED_NONE};
    struct bytes rest = *in;
    uint64_t kind;
    bool whole;

    if (!take_number(&rest, &kind) || kind >= CHANGE_KIND_END) {
        return false;
    }
    got.kind = (uint8_t)kind;
    if (!take_below(&rest, change_is_of_keys(&got) ? data->count : TEXT_KIND_END, &got.db)) {
        return false;
    }
    switch (got.kind) {
    case CHANGE_FLUSH:
        whole = true;
        break;
    case CHANGE_SWAP:
        whole = take_below(&rest, data->count, &got.other);
        break;
    default:
        whole = take_bytes(&rest, &got.key) && take_operands(&rest, data, &got);
    }
    if (whole) {
        *in = rest;
        *c = got;
    }
    return whole;
}
