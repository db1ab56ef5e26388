/* Hashes: packed as field, content, field, content, then a table. */
#include "store/body.h"

struct field {
    uint32_t name_len;
    uint32_t content_len;
    char at[]; /* The name, then the content. */
};

static struct bytes field_key(const void *item)
{
    const struct field *f = item;

    return (struct bytes){f->at, f->name_len};
}

static struct bytes field_content(const struct field *f)
{
    return (struct bytes){f->at + f->name_len, f->content_len};
}

static const struct table_type field_type = {.key = field_key};

static struct field *field_new(struct bytes name, struct bytes content)
{
    struct field *f = mem_alloc(sizeof *f + name.len + content.len);

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

size_t value_hash_count(const struct value *v)
{
    assert(v->type == VALUE_HASH);
    return v->encoding == PACKED ? packed_count(body(v)) / 2 : table_count(body(v));
}

bool value_hash_get(const struct value *v, struct bytes field, struct bytes *content)
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
    item = table_find(body(v), field);
    if (item != NULL) {
        *content = field_content(item);
    }
    return item != NULL;
}

bool value_hash_next(const struct value *v, struct value_walk *walk, struct bytes *field,
                     struct bytes *content)
{
    const void *item;

    assert(v->type == VALUE_HASH);
    if (v->encoding == PACKED) {
        return packed_step(body(v), walk, field) && packed_step(body(v), walk, content);
    }
    item = table_next(body(v), &walk->table);
    if (item != NULL) {
        *field = field_key(item);
        *content = field_content(item);
    }
    return item != NULL;
}

void value_hash_random(const struct value *v, struct random *r, struct bytes *field,
                       struct bytes *content)
{
    const struct packed *packed;
    const void *item;
    packed_at at;

    assert(value_hash_count(v) > 0);
    if (v->encoding == PACKED) {
        packed = body(v);
        at = packed_select(packed, 2 * random_below(r, value_hash_count(v)));
        *field = packed_get(packed, at);
        *content = packed_get(packed, packed_next(packed, at));
        return;
    }
    item = table_random(body(v), r);
    *field = field_key(item);
    *content = field_content(item);
}

static void hash_to_table(struct value *v, struct body **outgrown)
{
    struct table *table = table_new(&field_type);
    struct value_walk walk = {0};
    struct bytes field, content;

    while (value_hash_next(v, &walk, &field, &content)) {
        table_put(table, field_new(field, content));
    }
    take_body(v, TABLE, table, outgrown);
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
    mem_free(table_put(body(v), field_new(name, content)));
}

static bool stays_packed(const struct value *v, struct bytes field, struct bytes content,
                         const struct value_limits *limits)
{
    return field.len <= limits->hash_max_packed_value &&
           content.len <= limits->hash_max_packed_value &&
           packed_size(body(v)) + field.len + content.len <= PACKED_BYTES &&
           (value_hash_count(v) < limits->hash_max_packed_entries ||
            packed_find(body(v), field, 2) != PACKED_NONE);
}

void edit_hash_set(struct value *v, struct bytes field, struct bytes content, uint32_t position,
                   const struct value_limits *limits, struct body **outgrown)
{
    assert(v->type == VALUE_HASH);
    if (v->encoding == PACKED && !stays_packed(v, field, content, limits)) {
        hash_to_table(v, outgrown);
    }
    if (v->encoding == PACKED) {
        packed_set(v, field, content, position);
    } else {
        table_set(v, field, content);
    }
}

uint32_t edit_hash_remove(struct value *v, struct bytes field)
{
    struct packed *packed;
    packed_at at;
    void *item;

    assert(v->type == VALUE_HASH);
    if (v->encoding == TABLE) {
        item = table_remove(body(v), field);
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
    bool fresh = !value_hash_get(v, field, &old);

    edit_hash_set(v, field, content, PACKED_NONE, limits, NULL);
    return fresh;
}

struct scan {
    value_visit *visit;
    void *context;
};

static void scan_field(void *item, void *context)
{
    struct scan *s = context;

    s->visit(field_key(item), field_content(item), s->context);
}

uint64_t value_hash_scan(const struct value *v, uint64_t cursor, value_visit *visit, void *context)
{
    struct scan scan = {visit, context};
    struct value_walk walk = {0};
    struct bytes field, content;

    if (v->encoding == TABLE) {
        return table_scan(body(v), cursor, scan_field, &scan);
    }
    while (value_hash_next(v, &walk, &field, &content)) {
        visit(field, content, context);
    }
    return 0;
}

/* The class. */

static const char *encoding_name(const struct value *v)
{
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
    table = table_new(&field_type);
    while ((item = table_next(body(v), &walk)) != NULL) {
        table_put(table, field_new(field_key(item), field_content(item)));
    }
    return table;
}

static size_t memory(const struct value *v, size_t samples)
{
    return v->encoding == PACKED ? packed_memory(body(v))
                                 : table_memory(body(v)) + items_memory(body(v), samples);
}

static void check(const struct value *v)
{
    if (v->encoding == PACKED) {
        packed_check(body(v));
        assert(packed_count(body(v)) % 2 == 0);
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
        digest_add(&sum, digest_mix(digest_bytes(field), digest_bytes(content)), 0);
    }
    return sum;
}

static void encode(const struct value *v, struct buf *out)
{
    struct value_walk walk = {0};
    struct bytes field, content;

    put_number(out, value_hash_count(v));
    while (value_hash_next(v, &walk, &field, &content)) {
        put_bytes(out, field);
        put_bytes(out, content);
    }
}

static bool decode(struct bytes *in, struct value *v, const struct value_limits *limits)
{
    struct bytes field, content;
    uint64_t count;

    if (!take_number(in, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!take_bytes(in, &field) || !take_bytes(in, &content) ||
            !value_fill_field(v, field, content, limits)) {
            return false;
        }
    }
    return true;
}

const struct value_class hash_class = {
    .name = "hash",
    .first = PACKED,
    .count = value_hash_count,
    .encoding_name = encoding_name,
    .copy = copy,
    .memory = memory,
    .scan = value_hash_scan,
    .check = check,
    .digest = digest,
    .encode = encode,
    .decode = decode,
};
