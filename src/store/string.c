/* Strings. */
#include "store/body.h"

enum {
    EMBED_MAX = 192,      /* Longer strings get an allocation of their own, */
    BLOB_SPARE = 1 << 20, /* which grows twofold, but by no more than this. */
};

struct blob {
    size_t len;
    char at[];
};

static struct blob *blob_new(size_t len)
{
    struct blob *b = mem_alloc(sizeof *b + len);

    b->len = len;
    return b;
}

/* A string of a given length, whose bytes are not yet set. */
static struct value *string_new(struct bytes key, size_t len, int64_t expires_ms)
{
    struct value *v;

    if (len <= EMBED_MAX) {
        return shell_new(VALUE_STRING, EMBEDDED, key, expires_ms, len);
    }
    v = shell_new(VALUE_STRING, BLOB, key, expires_ms, 0);
    set_body(v, blob_new(len));
    return v;
}

static inline char *string_at(const struct value *v)
{
    return v->encoding == EMBEDDED ? key_at(v) + v->key_len : ((struct blob *)body(v))->at;
}

static inline size_t string_len(const struct value *v)
{
    return v->encoding == EMBEDDED ? v->string_len : ((struct blob *)body(v))->len;
}

struct value *value_new_string(struct bytes key, struct bytes content, int64_t expires_ms)
{
    struct value *v = string_new(key, content.len, expires_ms);

    if (content.len > 0) {
        memcpy(string_at(v), content.at, content.len);
    }
    return v;
}

struct bytes value_string(const struct value *v)
{
    assert(v->type == VALUE_STRING);
    return (struct bytes){string_at(v), string_len(v)};
}

bool value_raw(const struct value *v)
{
    return (v->flags & RAW) != 0;
}

void value_fill_raw(struct value *v)
{
    assert(v->type == VALUE_STRING);
    v->flags |= RAW;
}

struct value *value_new_blank(struct bytes key, size_t len, char **at)
{
    struct value *v = string_new(key, len, EXPIRES_NEVER);

    value_fill_raw(v);
    *at = string_at(v);
    return v;
}

static const char *encoding_name(const struct value *v)
{
    int64_t number;

    if (v->flags & RAW) {
        return "raw";
    }
    return number_parse_int(value_string(v), &number) ? "int"
           : string_len(v) <= 44                      ? "embstr"
                                                      : "raw";
}

static size_t memory(const struct value *v, size_t samples)
{
    (void)samples;
    return v->encoding == BLOB ? mem_size(body(v)) : 0;
}

static void check(const struct value *v)
{
    assert(v->encoding == EMBEDDED || v->encoding == BLOB);
    assert(mem_size(v) >= shell_size(v->key_len, v->flags & HAS_EXPIRY, (enum encoding)v->encoding,
                                     v->string_len));
}

static struct digest digest(const struct value *v)
{
    return digest_bytes(value_string(v));
}

static void encode(const struct value *v, struct buf *out)
{
    buf_add_byte(out, value_raw(v));
    put_bytes(out, value_string(v));
}

/* A string is not made empty and filled: value_decode() makes it whole. */
const struct value_class string_class = {
    .name = "string",
    .first = EMBEDDED,
    .encoding_name = encoding_name,
    .memory = memory,
    .check = check,
    .digest = digest,
    .encode = encode,
};

/* Editing. */

/* Whether an embedded string can have another length where it is. */
static bool fits_here(const struct value *v, size_t len)
{
    size_t size = shell_size(v->key_len, v->flags & HAS_EXPIRY, EMBEDDED, len);
    size_t room;

    if (len == v->string_len) {
        return true;
    }
    room = mem_size(v);
    return len <= EMBED_MAX && size <= room && (size >= room / 2 || room <= 64);
}

/* Moves `len` bytes of tail, and puts `inserted` before it. */
static void splice(char *at, size_t offset, size_t removed, struct bytes inserted, size_t tail)
{
    if (removed != inserted.len && tail > 0) {
        memmove(at + offset + inserted.len, at + offset + removed, tail);
    }
    if (inserted.len > 0) {
        memcpy(at + offset, inserted.at, inserted.len);
    }
}

static struct blob *blob_resize(struct blob *b, size_t len)
{
    size_t need = sizeof *b + len;
    size_t room = mem_size(b);

    if (need > room) {
        size_t spare = len < BLOB_SPARE ? len : BLOB_SPARE;
        b = mem_realloc(b, need + spare);
    } else if (need < room / 4) {
        b = mem_realloc(b, need);
    }
    return b;
}

static struct value *splice_blob(struct value *v, size_t offset, size_t removed,
                                 struct bytes inserted)
{
    struct blob *b = body(v);
    size_t len = b->len - removed + inserted.len;
    size_t tail = b->len - offset - removed;

    if (len >= b->len) {
        b = blob_resize(b, len);
        splice(b->at, offset, removed, inserted, tail);
    } else {
        splice(b->at, offset, removed, inserted, tail);
        b = blob_resize(b, len);
    }
    b->len = len;
    set_body(v, b);
    return v;
}

/* A new value with the spliced string. */
static struct value *splice_copy(const struct value *v, size_t offset, size_t removed,
                                 struct bytes inserted)
{
    struct bytes old = value_string(v);
    size_t tail = old.len - offset - removed;
    struct value *copy =
        string_new(value_key(v), old.len - removed + inserted.len, value_expires_ms(v));
    char *at = string_at(copy);

    memcpy(at, old.at, offset);
    splice(at, offset, 0, inserted, 0);
    memcpy(at + offset + inserted.len, old.at + offset + removed, tail);
    copy->accessed = v->accessed;
    return copy;
}

struct value *edit_value_splice(struct value *v, size_t offset, size_t removed,
                                struct bytes inserted, bool raw)
{
    size_t old_len = string_len(v);
    size_t len = old_len - removed + inserted.len;

    assert(offset + removed <= old_len);
    if (v->encoding == BLOB && len > EMBED_MAX / 2) {
        v = splice_blob(v, offset, removed, inserted);
    } else if (v->encoding == EMBEDDED && fits_here(v, len)) {
        splice(string_at(v), offset, removed, inserted, old_len - offset - removed);
        v->string_len = (uint32_t)len;
    } else {
        struct value *copy = splice_copy(v, offset, removed, inserted);
        body_free((enum encoding)v->encoding, v->encoding == BLOB ? body(v) : NULL);
        v = copy;
    }
    v->flags = (uint8_t)((v->flags & ~RAW) | (raw ? RAW : 0));
    return v;
}
