/* Hashes: packed as field, content, field, content, then a table. One of which fields
 * expire is of a kind of its own, however small. */
#include "store/body.h"
#include "store/field.h"
#include "store/timed.h"

static struct bytes field_key(const void *item)
{
    return field_name(item);
}

const struct table_type field_type = {.key = field_key};

struct field *field_new(struct bytes name, struct bytes content, size_t extra)
{
    struct field *f = mem_alloc(sizeof *f + name.len + content.len + extra);

    f->name_len = (uint32_t)name.len;
    f->content_len = (uint32_t)content.len;
    if (name.len > 0) {
        memcpy(f->at, name.at, name.len);
    }
    if (content.len > 0) {
        memcpy(f->at + name.len, content.at, content.len);
    }
    return f;
}

size_t value_hash_count(const struct value *v, int64_t now_ms)
{
    assert(v->type == VALUE_HASH);
    switch ((enum encoding)v->encoding) {
    case PACKED:
        return packed_count(body(v)) / 2;
    case TIMED:
        return timed_count(body(v), now_ms);
    default:
        return table_count(body(v));
    }
}

static size_t count_all(const struct value *v)
{
    return value_hash_count(v, 0);
}

bool value_hash_get(const struct value *v, struct bytes field, int64_t now_ms,
                    struct bytes *content)
{
    const struct packed *packed;
    const struct field *item;
    packed_at at;

    assert(v->type == VALUE_HASH);
    if (v->encoding == PACKED) {
        packed = body(v);
        at = packed_find(packed, field, 2);
        if (at == PACKED_NONE) {
            return false;
        }
        *content = packed_get(packed, packed_next(packed, at));
        return true;
    }
    item = v->encoding == TIMED ? timed_find(body(v), field, now_ms) : table_find(body(v), field);
    if (item != NULL) {
        *content = field_content(item);
    }
    return item != NULL;
}

int64_t value_hash_expires_ms(const struct value *v, struct bytes field)
{
    const struct field *f = v->encoding == TIMED ? timed_find(body(v), field, 0) : NULL;

    return f == NULL ? EXPIRES_NEVER : timed_expires_ms(f);
}

bool value_hash_first_to_expire(const struct value *v, struct bytes *field, int64_t *expires_ms)
{
    const struct field *first;

    if (v->encoding != TIMED) {
        return false;
    }
    first = timed_first(body(v));
    if (first != NULL) {
        *field = field_name(first);
        *expires_ms = timed_expires_ms(first);
    }
    return first != NULL;
}

bool value_hash_next(const struct value *v, struct value_walk *walk, struct bytes *field,
                     struct bytes *content)
{
    const struct field *item;

    assert(v->type == VALUE_HASH);
    if (v->encoding == PACKED) {
        return packed_step(body(v), walk, field) && packed_step(body(v), walk, content);
    }
    item = v->encoding == TIMED ? timed_next(body(v), &walk->table, walk->now_ms)
                                : table_next(body(v), &walk->table);
    if (item != NULL) {
        *field = field_name(item);
        *content = field_content(item);
    }
    return item != NULL;
}

void value_hash_random(const struct value *v, struct random *r, int64_t now_ms, struct bytes *field,
                       struct bytes *content)
{
    const struct packed *packed;
    const struct field *item;
    packed_at at;

    assert(value_hash_count(v, now_ms) > 0);
    if (v->encoding == PACKED) {
        packed = body(v);
        at = packed_select(packed, 2 * random_below(r, packed_count(packed) / 2));
        *field = packed_get(packed, at);
        *content = packed_get(packed, packed_next(packed, at));
        return;
    }
    item = v->encoding == TIMED ? timed_random(body(v), r, now_ms) : table_random(body(v), r);
    *field = field_name(item);
    *content = field_content(item);
}

static void hash_to_table(struct value *v, struct body **outgrown)
{
    struct table *table = table_new(&field_type);
    struct value_walk walk = {0};
    struct bytes field, content;

    while (value_hash_next(v, &walk, &field, &content)) {
        table_put(table, field_new(field, content, 0));
    }
    take_body(v, TABLE, table, outgrown);
}

static void hash_to_timed(struct value *v, struct body **outgrown)
{
    struct timed *timed = timed_new();
    struct value_walk walk = {0};
    struct bytes field, content;

    while (value_hash_next(v, &walk, &field, &content)) {
        timed_set(timed, field, content);
    }
    take_body(v, TIMED, timed, outgrown);
}

static void packed_set(struct value *v, struct bytes field, struct bytes content, uint32_t position)
{
    struct bytes pair[] = {field, content};
    struct packed *packed = body(v);
    packed_at at = packed_find(packed, field, 2);

    if (at != PACKED_NONE) {
        packed_replace(&packed, packed_next(packed, at), content);
    } else {
        packed_insert(&packed, position, pair, 2);
    }
    set_body(v, packed);
}

static void table_set(struct value *v, struct bytes name, struct bytes content)
{
    struct field *old = table_find(body(v), name);

    if (old != NULL && mem_size(old) >= sizeof *old + name.len + content.len &&
        content.len >= old->content_len / 2) {
        old->content_len = (uint32_t)content.len;
        if (content.len > 0) {
            memcpy(old->at + name.len, content.at, content.len);
        }
        return;
    }
    mem_free(table_put(body(v), field_new(name, content, 0)));
}

static bool stays_packed(const struct value *v, struct bytes field, struct bytes content,
                         const struct value_limits *limits)
{
    return field.len <= limits->hash_max_packed_value &&
           content.len <= limits->hash_max_packed_value &&
           packed_size(body(v)) + field.len + content.len <= PACKED_BYTES &&
           (count_all(v) < limits->hash_max_packed_entries ||
            packed_find(body(v), field, 2) != PACKED_NONE);
}

void edit_hash_set(struct value *v, struct bytes field, struct bytes content, uint32_t position,
                   const struct value_limits *limits, struct body **outgrown)
{
    assert(v->type == VALUE_HASH);
    if (v->encoding == PACKED && !stays_packed(v, field, content, limits)) {
        hash_to_table(v, outgrown);
    }
    switch ((enum encoding)v->encoding) {
    case PACKED:
        packed_set(v, field, content, position);
        break;
    case TIMED:
        timed_set(body(v), field, content);
        break;
    default:
        table_set(v, field, content);
    }
}

void edit_hash_retime(struct value *v, struct bytes field, int64_t expires_ms,
                      struct body **outgrown)
{
    assert(v->type == VALUE_HASH);
    if (v->encoding != TIMED) {
        hash_to_timed(v, outgrown);
    }
    timed_retime(body(v), field, expires_ms);
}

struct field *edit_hash_take(struct value *v, struct bytes field)
{
    assert(v->type == VALUE_HASH);
    return v->encoding == TIMED ? timed_take(body(v), field) : NULL;
}

void edit_hash_put(struct value *v, struct field *f)
{
    assert(v->encoding == TIMED);
    timed_put(body(v), f);
}

uint32_t edit_hash_remove(struct value *v, struct bytes field)
{
    struct packed *packed;
    packed_at at;
    void *item;

    assert(v->type == VALUE_HASH);
    if (v->encoding != PACKED) {
        item = v->encoding == TIMED ? timed_take(body(v), field) : table_remove(body(v), field);
        assert(item != NULL);
        mem_free(item);
        return PACKED_NONE;
    }
    packed = body(v);
    at = packed_find(packed, field, 2);
    assert(at != PACKED_NONE);
    packed_remove(&packed, at, 2);
    set_body(v, packed);
    return packed != NULL && at < packed_size(packed) ? at : PACKED_NONE;
}

bool value_fill_field(struct value *v, struct bytes field, struct bytes content,
                      const struct value_limits *limits)
{
    struct bytes old;
    bool fresh = !value_hash_get(v, field, 0, &old);

    edit_hash_set(v, field, content, PACKED_NONE, limits, NULL);
    return fresh;
}

void value_fill_field_expiry(struct value *v, struct bytes field, int64_t expires_ms)
{
    edit_hash_retime(v, field, expires_ms, NULL);
}

struct scan {
    value_visit *visit;
    void *context;
};

static void scan_timed(const struct field *f, void *context)
{
    struct scan *s = context;

    s->visit(field_name(f), field_content(f), s->context);
}

static void scan_field(void *item, void *context)
{
    scan_timed(item, context);
}

static uint64_t scan(const struct value *v, uint64_t cursor, int64_t now_ms, value_visit *visit,
                     void *context)
{
    struct scan visited = {visit, context};
    struct value_walk walk = {0};
    struct bytes field, content;

    if (v->encoding == TABLE) {
        return table_scan(body(v), cursor, scan_field, &visited);
    }
    if (v->encoding == TIMED) {
        return timed_scan(body(v), cursor, now_ms, scan_timed, &visited);
    }
    while (value_hash_next(v, &walk, &field, &content)) {
        visit(field, content, context);
    }
    return 0;
}

/* The class. */

/* Redis 7.4 packs small hashes of which fields expire; here the name says so alone. */
static const char *encoding_name(const struct value *v)
{
    if (v->encoding == TIMED) {
        return count_all(v) <= value_limits_default.hash_max_packed_entries ? "listpackex"
                                                                            : "hashtable";
    }
    return v->encoding == PACKED ? "listpack" : "hashtable";
}

static void *copy(const struct value *v)
{
    struct table *table;
    struct table_walk walk = {0};
    const void *item;

    if (v->encoding == PACKED) {
        return packed_copy(body(v));
    }
    if (v->encoding == TIMED) {
        return timed_copy(body(v));
    }
    table = table_new(&field_type);
    while ((item = table_next(body(v), &walk)) != NULL) {
        table_put(table, field_new(field_name(item), field_content(item), 0));
    }
    return table;
}

static size_t memory(const struct value *v, size_t samples)
{
    switch ((enum encoding)v->encoding) {
    case PACKED:
        return packed_memory(body(v));
    case TIMED:
        return timed_memory(body(v), samples);
    default:
        return table_memory(body(v)) + items_memory(body(v), samples);
    }
}

static void check(const struct value *v)
{
    if (v->encoding == PACKED) {
        packed_check(body(v));
        assert(packed_count(body(v)) % 2 == 0);
    } else if (v->encoding == TIMED) {
        timed_check(body(v));
    } else {
        assert(v->encoding == TABLE);
        table_check(body(v));
    }
}

static struct digest digest(const struct value *v)
{
    struct digest sum = {{0}};
    struct value_walk walk = {0};
    struct bytes field, content;

    while (value_hash_next(v, &walk, &field, &content)) {
        int64_t expires_ms = value_hash_expires_ms(v, field);
        uint64_t place = expires_ms == EXPIRES_NEVER ? 0 : (uint64_t)expires_ms;

        digest_add(&sum, digest_mix(digest_bytes(field), digest_bytes(content)), place);
    }
    return sum;
}

/* The expiry of a field is written only in a hash that can have one. */
static void encode(const struct value *v, struct buf *out)
{
    struct value_walk walk = {0};
    struct bytes field, content;
    bool timed = v->encoding == TIMED;

    buf_add_byte(out, timed);
    put_number(out, count_all(v));
    while (value_hash_next(v, &walk, &field, &content)) {
        put_bytes(out, field);
        put_bytes(out, content);
        if (timed) {
            put_signed(out, value_hash_expires_ms(v, field));
        }
    }
}

static bool decode_field(struct bytes *in, struct value *v, bool timed,
                         const struct value_limits *limits)
{
    struct bytes field, content;
    int64_t expires_ms;

    if (!take_bytes(in, &field) || !take_bytes(in, &content) ||
        !value_fill_field(v, field, content, limits)) {
        return false;
    }
    if (timed) {
        if (!take_signed(in, &expires_ms) || expires_ms < EXPIRES_NEVER) {
            return false;
        }
        value_fill_field_expiry(v, field, expires_ms);
    }
    return true;
}

static bool decode(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    uint64_t count;
    bool timed;

    if (!take_flag(in, &timed) || !take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!decode_field(in, v, timed, limits)) {
            return false;
        }
    }
    return true;
}

const struct value_class hash_class = {
    .name = "hash",
    .first = PACKED,
    .count = count_all,
    .encoding_name = encoding_name,
    .copy = copy,
    .memory = memory,
    .scan = scan,
    .check = check,
    .digest = digest,
    .encode = encode,
    .decode = decode,
};
