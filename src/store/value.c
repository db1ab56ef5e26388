#include "store/value.h"

#include "data/intset.h"
#include "data/sequence.h"
#include "store/body.h"
#include "store/reclaim.h"
#include "store/timed.h"

const struct value_limits value_limits_default = {
    .hash_max_packed_entries = 512,
    .hash_max_packed_value = 64,
    .set_max_intset_entries = 512,
    .set_max_packed_entries = 128,
    .set_max_packed_value = 64,
    .list_max_chunk = -2,
    .zset_max_packed_entries = 128,
    .zset_max_packed_value = 64,
    .stream_max_bytes = 4096,
    .stream_max_entries = 100,
};

const struct value_limits value_limits_none = {
    .hash_max_packed_entries = SIZE_MAX,
    .hash_max_packed_value = SIZE_MAX,
    .set_max_intset_entries = SIZE_MAX,
    .set_max_packed_entries = SIZE_MAX,
    .set_max_packed_value = SIZE_MAX,
    .list_max_chunk = -2, /* Nothing that is restored depends on it. */
    .zset_max_packed_entries = SIZE_MAX,
    .zset_max_packed_value = SIZE_MAX,
};

static const struct value_class *const classes[] = {
    [VALUE_STRING] = &string_class, [VALUE_SET] = &set_class,   [VALUE_HASH] = &hash_class,
    [VALUE_LIST] = &list_class,     [VALUE_ZSET] = &zset_class, [VALUE_STREAM] = &stream_class,
};

_Static_assert(sizeof classes / sizeof *classes == VALUE_TYPE_END, "every type has its class");

static inline const struct value_class *class_of(const struct value *v)
{
    return classes[v->type];
}

static inline void set_expires(struct value *v, int64_t expires_ms)
{
    assert(v->flags & HAS_EXPIRY);
    memcpy(v->rest, &expires_ms, sizeof expires_ms);
}

size_t shell_size(size_t key_len, bool expiry, enum encoding encoding, size_t string_len)
{
    return sizeof(struct value) + (expiry ? sizeof(int64_t) : 0) +
           (encoding == EMBEDDED ? string_len : sizeof(void *)) + key_len;
}

struct value *shell_new(enum value_type type, enum encoding encoding, struct bytes key,
                        int64_t expires_ms, size_t string_len)
{
    bool expiry = expires_ms != EXPIRES_NEVER;
    struct value *v = mem_alloc(shell_size(key.len, expiry, encoding, string_len));

    v->type = (uint8_t)type;
    v->encoding = (uint8_t)encoding;
    v->flags = expiry ? HAS_EXPIRY : 0;
    v->accessed = 0;
    v->key_len = (uint32_t)key.len;
    v->string_len = encoding == EMBEDDED ? (uint32_t)string_len : 0;
    if (expiry) {
        set_expires(v, expires_ms);
    }
    if (key.len > 0) {
        memcpy(key_at(v), key.at, key.len);
    }
    return v;
}

struct value *value_new(enum value_type type, struct bytes key, int64_t expires_ms)
{
    struct value *v = shell_new(type, classes[type]->first, key, expires_ms, 0);

    assert(type != VALUE_STRING);
    set_body(v, NULL);
    return v;
}

struct value *value_copy(const struct value *v, struct bytes key, int64_t expires_ms)
{
    struct value *copy;

    if (v->type == VALUE_STRING) {
        copy = value_new_string(key, value_string(v), expires_ms);
        copy->flags |= v->flags & RAW;
        return copy;
    }
    copy = shell_new((enum value_type)v->type, (enum encoding)v->encoding, key, expires_ms, 0);
    set_body(copy, class_of(v)->copy(v));
    return copy;
}

static void free_packed(void *at)
{
    packed_free(at);
}

static void free_intset(void *at)
{
    intset_free(at);
}

static void free_table(void *at)
{
    reclaim_table(at, mem_free, false);
}

static void free_timed(void *at)
{
    timed_free(at);
}

static void free_sequence(void *at)
{
    sequence_free(at);
}

/* clang-format off */
static void (*const free_at[])(void *at) = {
    [BLOB] = mem_free,
    [PACKED] = free_packed,
    [INTSET] = free_intset,
    [TABLE] = free_table,
    [TIMED] = free_timed,
    [SEQUENCE] = free_sequence,
    [RANKING] = ranking_free,
    [STREAM] = stream_free,
};
/* clang-format on */

_Static_assert(sizeof free_at / sizeof *free_at == ENCODING_END, "every body can be freed");

void body_free(enum encoding encoding, void *at)
{
    if (encoding != EMBEDDED) {
        free_at[encoding](at);
    }
}

void value_free(struct value *v)
{
    if (v == NULL) {
        return;
    }
    if (v->encoding != EMBEDDED) {
        body_free((enum encoding)v->encoding, body(v));
    }
    mem_free(v);
}

enum value_type value_type(const struct value *v)
{
    return (enum value_type)v->type;
}

struct bytes value_key(const struct value *v)
{
    return (struct bytes){key_at(v), v->key_len};
}

bool value_has_expired(const struct value *v, int64_t now_ms)
{
    int64_t expires_ms = value_expires_ms(v);

    if (expires_ms != EXPIRES_NEVER && expires_ms <= now_ms) {
        return true;
    }
    return v->encoding == TIMED && timed_count(body(v), now_ms) == 0;
}

int64_t value_expires_ms(const struct value *v)
{
    int64_t expires_ms;

    if (!(v->flags & HAS_EXPIRY)) {
        return EXPIRES_NEVER;
    }
    memcpy(&expires_ms, v->rest, sizeof expires_ms);
    return expires_ms;
}

uint32_t value_accessed(const struct value *v)
{
    return v->accessed;
}

void edit_value_touch(struct value *v, uint32_t accessed)
{
    v->accessed = accessed;
}

const char *value_type_name(enum value_type type)
{
    return classes[type]->name;
}

const char *value_encoding_name(const struct value *v)
{
    return class_of(v)->encoding_name(v);
}

size_t value_count(const struct value *v)
{
    return class_of(v)->count(v);
}

bool value_is_over(const struct value *v)
{
    const struct value_class *class = class_of(v);

    return class->count != NULL && !class->may_be_empty && class->count(v) == 0;
}

size_t items_memory(struct table *t, size_t samples)
{
    struct table_walk walk = {0};
    size_t seen = 0;
    size_t sum = 0;
    const void *item;

    while ((samples == 0 || seen < samples) && (item = table_next(t, &walk)) != NULL) {
        sum += mem_size(item);
        seen++;
    }
    return seen == 0 ? 0 : (size_t)((double)sum / (double)seen * (double)table_count(t));
}

size_t value_memory(const struct value *v, size_t samples)
{
    return mem_size(v) + class_of(v)->memory(v, samples);
}

void value_check(const struct value *v)
{
    assert(v->type < VALUE_TYPE_END);
    assert(v->encoding < ENCODING_END);
    class_of(v)->check(v);
}

struct digest digest_value(const struct value *v)
{
    struct digest sum = digest_mix(class_of(v)->digest(v), digest_number(v->type));

    return digest_mix(sum, digest_number((uint64_t)value_expires_ms(v)));
}

/* The form that the log keeps. */

void value_encode(const struct value *v, struct buf *out)
{
    put_number(out, v->type);
    put_signed(out, value_expires_ms(v));
    class_of(v)->encode(v, out);
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

struct value *value_decode(struct bytes *in, struct bytes key, const struct value_limits *limits)
{
    struct value *v;
    uint64_t type;
    int64_t expires_ms;

    if (!take_number(in, &type) || !take_signed(in, &expires_ms) || type >= VALUE_TYPE_END ||
        classes[type] == NULL) {
        return NULL;
    }
    if (type == VALUE_STRING) {
        return take_string(in, key, expires_ms);
    }
    v = value_new((enum value_type)type, key, expires_ms);
    if (!class_of(v)->decode(in, v, limits)) {
        value_free(v);
        return NULL;
    }
    return v;
}

/* Shells and bodies. */

/* Moves the body of a value into a shell of another form. */
static struct value *shell_move(const struct value *v, struct bytes key, int64_t expires_ms)
{
    struct value *moved = shell_new((enum value_type)v->type, (enum encoding)v->encoding, key,
                                    expires_ms, v->string_len);

    if (v->encoding == EMBEDDED) {
        memcpy(key_at(moved) + moved->key_len, key_at(v) + v->key_len, v->string_len);
    } else {
        set_body(moved, body(v));
    }
    moved->flags |= v->flags & RAW;
    moved->accessed = v->accessed;
    return moved;
}

struct value *edit_value_rekey(struct value *v, struct bytes key)
{
    return shell_move(v, key, value_expires_ms(v));
}

struct value *edit_value_retime(struct value *v, int64_t expires_ms)
{
    if (v->flags & HAS_EXPIRY) {
        set_expires(v, expires_ms);
        return v;
    }
    return expires_ms == EXPIRES_NEVER ? v : shell_move(v, value_key(v), expires_ms);
}

void take_body(struct value *v, enum encoding encoding, void *at, struct body **outgrown)
{
    if (outgrown != NULL) {
        *outgrown = mem_alloc(sizeof **outgrown);
        **outgrown = (struct body){(enum encoding)v->encoding, body(v)};
    } else {
        body_free((enum encoding)v->encoding, body(v));
    }
    v->encoding = (uint8_t)encoding;
    set_body(v, at);
}

void edit_restore_body(struct value *v, struct body *old)
{
    body_free((enum encoding)v->encoding, body(v));
    v->encoding = (uint8_t)old->encoding;
    set_body(v, old->at);
    mem_free(old);
}

size_t edit_body_memory(const struct body *old, size_t samples)
{
    size_t own = mem_size(old) + mem_size(old->at);

    return old->encoding == TABLE ? own + table_memory(old->at) + items_memory(old->at, samples)
                                  : own;
}

void edit_body_free(struct body *old)
{
    if (old != NULL) {
        body_free(old->encoding, old->at);
        mem_free(old);
    }
}

bool packed_step(const struct packed *p, struct value_walk *walk, struct bytes *element)
{
    walk->packed = walk->begun ? packed_next(p, walk->packed) : packed_first(p);
    walk->begun = true;
    if (walk->packed == PACKED_NONE) {
        return false;
    }
    *element = packed_get(p, walk->packed);
    return true;
}

uint64_t value_scan(const struct value *v, uint64_t cursor, int64_t now_ms, value_visit *visit,
                    void *context)
{
    return class_of(v)->scan(v, cursor, now_ms, visit, context);
}
