/* Changes as bytes: the form that the log keeps. Numbers are little-endian base
 * 128 with a continuation bit; bytes are a length and the content. */
#include "data/packed.h"
#include "store/change.h"

#include <assert.h>

static void put_number(struct buf *out, uint64_t n)
{
    char *at = buf_reserve(out, 10);

    while (n >= 0x80) {
        *at++ = (char)(n | 0x80);
        n >>= 7;
    }
    *at++ = (char)n;
    out->len = (size_t)(at - out->at);
}

static bool take_number(struct bytes *in, uint64_t *n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < in->len && i < 10; i++) {
        uint64_t digit = (unsigned char)in->at[i];

        sum |= (digit & 0x7f) << (7 * i);
        if (digit < 0x80) {
            *n = sum;
            *in = (struct bytes){in->at + i + 1, in->len - i - 1};
            return true;
        }
    }
    return false;
}

/* Signed numbers, so that small ones of either sign are short. */
static void put_signed(struct buf *out, int64_t n)
{
    put_number(out, ((uint64_t)n << 1) ^ (uint64_t)(n >> 63));
}

static bool take_signed(struct bytes *in, int64_t *n)
{
    uint64_t coded;

    if (!take_number(in, &coded)) {
        return false;
    }
    *n = (int64_t)(coded >> 1) ^ -(int64_t)(coded & 1);
    return true;
}

static void put_bytes(struct buf *out, struct bytes b)
{
    put_number(out, b.len);
    buf_add(out, b);
}

static bool take_bytes(struct bytes *in, struct bytes *b)
{
    uint64_t len;

    if (!take_number(in, &len) || len > in->len) {
        return false;
    }
    *b = (struct bytes){in->at, len};
    *in = (struct bytes){in->at + len, in->len - len};
    return true;
}

static bool take_flag(struct bytes *in, bool *flag)
{
    if (in->len == 0 || (unsigned char)in->at[0] > 1) {
        return false;
    }
    *flag = in->at[0] != 0;
    *in = (struct bytes){in->at + 1, in->len - 1};
    return true;
}

static void put_value(struct buf *out, const struct value *v)
{
    struct value_walk walk = {0};
    struct bytes element, content;

    put_number(out, value_type(v));
    put_signed(out, value_expires_ms(v));
    switch (value_type(v)) {
    case VALUE_STRING:
        buf_add_byte(out, value_raw(v));
        put_bytes(out, value_string(v));
        break;
    case VALUE_SET:
        put_number(out, value_set_count(v));
        while (value_set_next(v, &walk, &element)) {
            put_bytes(out, element);
        }
        break;
    case VALUE_HASH:
        put_number(out, value_hash_count(v));
        while (value_hash_next(v, &walk, &element, &content)) {
            put_bytes(out, element);
            put_bytes(out, content);
        }
        break;
    }
}

static bool take_elements(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    struct bytes element, content;
    uint64_t count;

    if (!take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!take_bytes(in, &element)) {
            return false;
        }
        if (value_type(v) == VALUE_SET) {
            if (!value_fill_member(v, element, limits)) {
                return false;
            }
        } else if (!take_bytes(in, &content) || !value_fill_field(v, element, content, limits)) {
            return false;
        }
    }
    return true;
}

static struct value *take_string(struct bytes *in, struct bytes key, int64_t expires_ms)
{
    struct value *v;
    struct bytes content;
    bool raw;

    if (!take_flag(in, &raw) || !take_bytes(in, &content)) {
        return NULL;
    }
    v = value_new_string(key, content, expires_ms);
    if (raw) {
        value_fill_raw(v);
    }
    return v;
}

static struct value *take_value(struct bytes *in, struct bytes key,
                                const struct value_limits *limits)
{
    struct value *v;
    uint64_t type;
    int64_t expires_ms;

    if (!take_number(in, &type) || !take_signed(in, &expires_ms) || type > VALUE_HASH) {
        return NULL;
    }
    if (type == VALUE_STRING) {
        return take_string(in, key, expires_ms);
    }
    v = type == VALUE_SET ? value_new_set(key, expires_ms) : value_new_hash(key, expires_ms);
    if (!take_elements(in, v, limits)) {
        value_free(v);
        return NULL;
    }
    return v;
}

void change_encode(const struct change *c, struct buf *out)
{
    assert(c->kind != CHANGE_BODY);
    buf_add_byte(out, (char)c->kind);
    put_number(out, c->db);
    switch (c->kind) {
    case CHANGE_SWAP:
        put_number(out, c->other);
        return;
    case CHANGE_FLUSH:
        return;
    default:
        put_bytes(out, c->key);
    }
    switch (c->kind) {
    case CHANGE_BIND:
        put_value(out, c->value);
        break;
    case CHANGE_RETIME:
        put_signed(out, c->expires_ms);
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
    case CHANGE_FIELD_REMOVE:
    case CHANGE_SET_ADD:
    case CHANGE_SET_REMOVE:
        put_bytes(out, c->member);
        break;
    default:
        break;
    }
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

static bool take_database(struct bytes *in, const struct dataset *data, uint16_t *db)
{
    uint64_t number;

    if (!take_number(in, &number) || number >= data->count) {
        return false;
    }
    *db = (uint16_t)number;
    return true;
}

/* Reads what a change of this kind has besides its database and key. */
static bool take_operands(struct bytes *in, const struct dataset *data, struct change *c)
{
    switch (c->kind) {
    case CHANGE_BIND:
        c->value = take_value(in, c->key, &data->limits);
        return c->value != NULL;
    case CHANGE_UNBIND:
        return true;
    case CHANGE_RETIME:
        return take_signed(in, &c->expires_ms);
    case CHANGE_SPLICE:
        return take_splice(in, c);
    case CHANGE_FIELD_SET:
        return take_bytes(in, &c->member) && take_bytes(in, &c->content);
    case CHANGE_FIELD_REMOVE:
    case CHANGE_SET_ADD:
    case CHANGE_SET_REMOVE:
        return take_bytes(in, &c->member);
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

    if (!take_number(&rest, &kind) || kind >= CHANGE_KIND_END ||
        !take_database(&rest, data, &got.db)) {
        return false;
    }
    got.kind = (uint8_t)kind;
    switch (got.kind) {
    case CHANGE_FLUSH:
        whole = true;
        break;
    case CHANGE_SWAP:
        whole = take_database(&rest, data, &got.other);
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
