#include "store/value.h"

#include "base/mem.h"
#include "data/intset.h"
#include "data/packed.h"
#include "store/edit.h"

#include <assert.h>

enum encoding {
    EMBEDDED, /* A string that lies behind the key. */
    BLOB,     /* A string of its own allocation. */
    PACKED,
    INTSET,
    TABLE,
};

enum flags {
    HAS_EXPIRY = 1, /* There is room for an expiry; it may be EXPIRES_NEVER. */
    RAW = 2,        /* A string that was modified in place. */
};

/* What is behind the struct, in this order: an int64_t if HAS_EXPIRY; a pointer to
 * the body unless EMBEDDED; the key; the string if EMBEDDED. */
struct value {
    uint8_t type;
    uint8_t encoding;
    uint8_t flags;
    uint32_t accessed_s;
    uint32_t key_len;
    uint32_t string_len; /* If EMBEDDED. */
    char rest[];
};

struct blob {
    size_t len;
    char at[];
};

struct member {
    uint32_t len;
    char at[];
};

struct field {
    uint32_t name_len;
    uint32_t content_len;
    char at[]; /* The name, then the content. */
};

/* A container on its own: what a collection had before it outgrew it. */
struct body {
    enum encoding encoding;
    void *at;
};

enum {
    EMBED_MAX = 192,        /* Longer strings get an allocation of their own, */
    BLOB_SPARE = 1 << 20,   /* which grows twofold, but by no more than this. */
    PACKED_BYTES = 1 << 30, /* No packed array gets longer, whatever the limits are. */
};

const struct value_limits value_limits_default = {
    .hash_max_packed_entries = 512,
    .hash_max_packed_value = 64,
    .set_max_intset_entries = 512,
    .set_max_packed_entries = 128,
    .set_max_packed_value = 64,
};

const struct value_limits value_limits_none = {
    .hash_max_packed_entries = SIZE_MAX,
    .hash_max_packed_value = SIZE_MAX,
    .set_max_intset_entries = SIZE_MAX,
    .set_max_packed_entries = SIZE_MAX,
    .set_max_packed_value = SIZE_MAX,
};

static struct bytes member_key(const void *item)
{
    const struct member *m = item;

    return (struct bytes){m->at, m->len};
}

static struct bytes field_key(const void *item)
{
    const struct field *f = item;

    return (struct bytes){f->at, f->name_len};
}

static struct bytes field_content(const struct field *f)
{
    return (struct bytes){f->at + f->name_len, f->content_len};
}

static const struct table_type member_type = {.key = member_key};
static const struct table_type field_type = {.key = field_key};

static struct member *member_new(struct bytes b)
{
    struct member *m = mem_alloc(sizeof *m + b.len);

    m->len = (uint32_t)b.len;
    if (b.len > 0) {
        memcpy(m->at, b.at, b.len);
    }
    return m;
}

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

/* The parts of a value. */

static inline size_t expiry_size(const struct value *v)
{
    return v->flags & HAS_EXPIRY ? sizeof(int64_t) : 0;
}

static inline size_t body_size(const struct value *v)
{
    return v->encoding == EMBEDDED ? 0 : sizeof(void *);
}

static inline void *body(const struct value *v)
{
    void *at;

    assert(v->encoding != EMBEDDED);
    memcpy(&at, v->rest + expiry_size(v), sizeof at);
    return at;
}

static inline void set_body(struct value *v, void *at)
{
    assert(v->encoding != EMBEDDED);
    memcpy(v->rest + expiry_size(v), &at, sizeof at);
}

static inline char *key_at(const struct value *v)
{
    return (char *)v->rest + expiry_size(v) + body_size(v);
}

static inline void set_expires(struct value *v, int64_t expires_ms)
{
    assert(v->flags & HAS_EXPIRY);
    memcpy(v->rest, &expires_ms, sizeof expires_ms);
}

static size_t shell_size(size_t key_len, bool expiry, enum encoding encoding, size_t string_len)
{
    return sizeof(struct value) + (expiry ? sizeof(int64_t) : 0) +
           (encoding == EMBEDDED ? string_len : sizeof(void *)) + key_len;
}

/* Creates a value with its key and expiry; the body or the string is the caller's
 * to fill in. */
static struct value *shell_new(enum value_type type, enum encoding encoding, struct bytes key,
                               int64_t expires_ms, size_t string_len)
{
    bool expiry = expires_ms != EXPIRES_NEVER;
    struct value *v = mem_alloc(shell_size(key.len, expiry, encoding, string_len));

    v->type = (uint8_t)type;
    v->encoding = (uint8_t)encoding;
    v->flags = expiry ? HAS_EXPIRY : 0;
    v->accessed_s = 0;
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

struct value *value_new_set(struct bytes key, int64_t expires_ms)
{
    struct value *v = shell_new(VALUE_SET, INTSET, key, expires_ms, 0);

    set_body(v, NULL);
    return v;
}

struct value *value_new_hash(struct bytes key, int64_t expires_ms)
{
    struct value *v = shell_new(VALUE_HASH, PACKED, key, expires_ms, 0);

    set_body(v, NULL);
    return v;
}

static void *table_copy(struct table *t, enum value_type type)
{
    struct table *copy = table_new(type == VALUE_SET ? &member_type : &field_type);
    struct table_walk walk = {0};
    const void *item;

    while ((item = table_next(t, &walk)) != NULL) {
        if (type == VALUE_SET) {
            table_put(copy, member_new(member_key(item)));
        } else {
            table_put(copy, field_new(field_key(item), field_content(item)));
        }
    }
    return copy;
}

static void *body_copy(const struct value *v)
{
    switch ((enum encoding)v->encoding) {
    case PACKED:
        return packed_copy(body(v));
    case INTSET:
        return intset_copy(body(v));
    default:
        assert(v->encoding == TABLE);
        return table_copy(body(v), (enum value_type)v->type);
    }
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
    set_body(copy, body_copy(v));
    return copy;
}

static void free_at(enum encoding encoding, void *at)
{
    switch (encoding) {
    case EMBEDDED:
        break;
    case BLOB:
        mem_free(at);
        break;
    case PACKED:
        packed_free(at);
        break;
    case INTSET:
        intset_free(at);
        break;
    case TABLE:
        table_free(at, mem_free);
        break;
    }
}

void value_free(struct value *v)
{
    if (v == NULL) {
        return;
    }
    if (v->encoding != EMBEDDED) {
        free_at((enum encoding)v->encoding, body(v));
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

int64_t value_expires_ms(const struct value *v)
{
    int64_t expires_ms;

    if (!(v->flags & HAS_EXPIRY)) {
        return EXPIRES_NEVER;
    }
    memcpy(&expires_ms, v->rest, sizeof expires_ms);
    return expires_ms;
}

uint32_t value_accessed_s(const struct value *v)
{
    return v->accessed_s;
}

void edit_value_touch(struct value *v, uint32_t now_s)
{
    v->accessed_s = now_s;
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {"string", "set", "hash"};

    return names[type];
}

const char *value_encoding_name(const struct value *v)
{
    int64_t number;

    switch ((enum encoding)v->encoding) {
    case EMBEDDED:
    case BLOB:
        if (v->flags & RAW) {
            return "raw";
        }
        return number_parse_int(value_string(v), &number) ? "int"
               : string_len(v) <= 44                      ? "embstr"
                                                          : "raw";
    case INTSET:
        return "intset";
    case PACKED:
        return v->type == VALUE_HASH ? "listpack" : "hashtable";
    case TABLE:
        break;
    }
    return "hashtable";
}

static size_t items_memory(struct table *t, size_t samples)
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
    size_t shell = mem_size(v);

    switch ((enum encoding)v->encoding) {
    case EMBEDDED:
        return shell;
    case BLOB:
        return shell + mem_size(body(v));
    case PACKED:
        return shell + packed_memory(body(v));
    case INTSET:
        return shell + intset_memory(body(v));
    case TABLE:
        break;
    }
    return shell + table_memory(body(v)) + items_memory(body(v), samples);
}

void value_check(const struct value *v)
{
    assert(v->type <= VALUE_HASH);
    switch ((enum encoding)v->encoding) {
    case EMBEDDED:
    case BLOB:
        assert(v->type == VALUE_STRING);
        break;
    case PACKED:
        assert(v->type != VALUE_STRING);
        packed_check(body(v));
        assert(v->type != VALUE_HASH || packed_count(body(v)) % 2 == 0);
        break;
    case INTSET:
        assert(v->type == VALUE_SET);
        intset_check(body(v));
        break;
    case TABLE:
        assert(v->type != VALUE_STRING);
        table_check(body(v));
        break;
    }
    assert(mem_size(v) >= shell_size(v->key_len, v->flags & HAS_EXPIRY, (enum encoding)v->encoding,
                                     v->string_len));
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

/* Moves the body of a value into a shell of another form. */
static struct value *shell_move(const struct value *v, int64_t expires_ms)
{
    struct value *moved = shell_new((enum value_type)v->type, (enum encoding)v->encoding,
                                    value_key(v), expires_ms, v->string_len);

    if (v->encoding == EMBEDDED) {
        memcpy(string_at(moved), string_at(v), v->string_len);
    } else {
        set_body(moved, body(v));
    }
    moved->flags |= v->flags & RAW;
    moved->accessed_s = v->accessed_s;
    return moved;
}

struct value *edit_value_retime(struct value *v, int64_t expires_ms)
{
    if (v->flags & HAS_EXPIRY) {
        set_expires(v, expires_ms);
        return v;
    }
    return expires_ms == EXPIRES_NEVER ? v : shell_move(v, expires_ms);
}

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
    copy->accessed_s = v->accessed_s;
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
        free_at((enum encoding)v->encoding, v->encoding == BLOB ? body(v) : NULL);
        v = copy;
    }
    v->flags = (uint8_t)((v->flags & ~RAW) | (raw ? RAW : 0));
    return v;
}

/* Changing the container. */

static void take_body(struct value *v, enum encoding encoding, void *at, struct body **outgrown)
{
    if (outgrown != NULL) {
        *outgrown = mem_alloc(sizeof **outgrown);
        **outgrown = (struct body){(enum encoding)v->encoding, body(v)};
    } else {
        free_at((enum encoding)v->encoding, body(v));
    }
    v->encoding = (uint8_t)encoding;
    set_body(v, at);
}

void edit_restore_body(struct value *v, struct body *old)
{
    free_at((enum encoding)v->encoding, body(v));
    v->encoding = (uint8_t)old->encoding;
    set_body(v, old->at);
    mem_free(old);
}

void edit_body_free(struct body *old)
{
    if (old != NULL) {
        free_at(old->encoding, old->at);
        mem_free(old);
    }
}

/* Sets. */

size_t value_set_count(const struct value *v)
{
    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        return intset_count(body(v));
    case PACKED:
        return packed_count(body(v));
    default:
        return table_count(body(v));
    }
}

bool value_set_has(const struct value *v, struct bytes member)
{
    int64_t number;

    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        return number_parse_int(member, &number) && intset_has(body(v), number);
    case PACKED:
        return packed_find(body(v), member, 1) != PACKED_NONE;
    default:
        return table_find(body(v), member) != NULL;
    }
}

static bool packed_step(const struct packed *p, struct value_walk *walk, struct bytes *element)
{
    walk->packed = walk->begun ? packed_next(p, walk->packed) : packed_first(p);
    walk->begun = true;
    if (walk->packed == PACKED_NONE) {
        return false;
    }
    *element = packed_get(p, walk->packed);
    return true;
}

bool value_set_next(const struct value *v, struct value_walk *walk, struct bytes *member)
{
    const void *item;

    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        if (walk->index >= intset_count(body(v))) {
            return false;
        }
        member->at = walk->text;
        member->len = number_format_int(walk->text, intset_at(body(v), walk->index++));
        return true;
    case PACKED:
        return packed_step(body(v), walk, member);
    default:
        item = table_next(body(v), &walk->table);
        if (item != NULL) {
            *member = member_key(item);
        }
        return item != NULL;
    }
}

struct bytes value_set_random(const struct value *v, struct random *r, char text[NUMBER_INT_MAX])
{
    size_t index;

    assert(value_set_count(v) > 0);
    if (v->encoding == TABLE) {
        return member_key(table_random(body(v), r));
    }
    index = random_below(r, value_set_count(v));
    if (v->encoding == PACKED) {
        return packed_get(body(v), packed_select(body(v), index));
    }
    return (struct bytes){text, number_format_int(text, intset_at(body(v), index))};
}

static bool small_set(const struct value *v, size_t count, const struct value_limits *limits)
{
    struct value_walk walk = {0};
    struct bytes member;

    if (count > limits->set_max_packed_entries) {
        return false;
    }
    while (value_set_next(v, &walk, &member)) {
        if (member.len > limits->set_max_packed_value) {
            return false;
        }
    }
    return true;
}

static void set_to_packed(struct value *v, struct body **outgrown)
{
    struct packed *packed = NULL;
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(v, &walk, &member)) {
        packed_insert(&packed, PACKED_NONE, &member, 1);
    }
    take_body(v, PACKED, packed, outgrown);
}

static void set_to_table(struct value *v, struct body **outgrown)
{
    struct table *table = table_new(&member_type);
    struct value_walk walk = {0};
    struct bytes member;

    while (value_set_next(v, &walk, &member)) {
        table_put(table, member_new(member));
    }
    take_body(v, TABLE, table, outgrown);
}

/* Gives a set a container that may take `member` too. At most one step up is
 * made, so there is at most one outgrown body. */
static void set_make_fit(struct value *v, struct bytes member, const struct value_limits *limits,
                         struct body **outgrown)
{
    size_t count = value_set_count(v) + 1;
    int64_t number;

    if (v->encoding == TABLE ||
        (v->encoding == INTSET && count <= limits->set_max_intset_entries &&
         number_parse_int(member, &number)) ||
        (v->encoding == PACKED && count <= limits->set_max_packed_entries &&
         member.len <= limits->set_max_packed_value)) {
        return;
    }
    if (v->encoding == INTSET && member.len <= limits->set_max_packed_value &&
        !number_parse_int(member, &number) && small_set(v, count, limits)) {
        set_to_packed(v, outgrown);
        return;
    }
    set_to_table(v, outgrown);
}

void edit_set_add(struct value *v, struct bytes member, uint32_t position,
                  const struct value_limits *limits, struct body **outgrown)
{
    void *at;
    int64_t number;
    bool is_number;

    assert(v->type == VALUE_SET);
    set_make_fit(v, member, limits, outgrown);
    at = body(v);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        is_number = number_parse_int(member, &number);
        assert(is_number);
        intset_add((struct intset **)&at, number);
        set_body(v, at);
        break;
    case PACKED:
        packed_insert((struct packed **)&at, position, &member, 1);
        set_body(v, at);
        break;
    default:
        at = table_put(at, member_new(member));
        assert(at == NULL);
    }
}

uint32_t edit_set_remove(struct value *v, struct bytes member)
{
    void *at = body(v);
    uint32_t position = PACKED_NONE;
    int64_t number;
    bool is_number;

    assert(v->type == VALUE_SET);
    switch ((enum encoding)v->encoding) {
    case INTSET:
        is_number = number_parse_int(member, &number);
        assert(is_number);
        intset_remove((struct intset **)&at, number);
        set_body(v, at);
        break;
    case PACKED:
        position = packed_find(at, member, 1);
        assert(position != PACKED_NONE);
        packed_remove((struct packed **)&at, position, 1);
        set_body(v, at);
        /* The end of the array is everybody's: it may be where nothing is. */
        position = at != NULL && position < packed_size(at) ? position : PACKED_NONE;
        break;
    default:
        at = table_remove(at, member);
        assert(at != NULL);
        mem_free(at);
    }
    return position;
}

/* Hashes. */

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

/* Both. */

struct scan {
    value_visit *visit;
    void *context;
};

static void scan_member(void *item, void *context)
{
    struct scan *s = context;

    s->visit(member_key(item), (struct bytes){0}, s->context);
}

static void scan_field(void *item, void *context)
{
    struct scan *s = context;

    s->visit(field_key(item), field_content(item), s->context);
}

uint64_t value_scan(const struct value *v, uint64_t cursor, value_visit *visit, void *context)
{
    struct scan scan = {visit, context};
    struct value_walk walk = {0};
    struct bytes element, content = {0};

    if (v->encoding == TABLE) {
        return table_scan(body(v), cursor, v->type == VALUE_SET ? scan_member : scan_field, &scan);
    }
    while (v->type == VALUE_SET ? value_set_next(v, &walk, &element)
                                : value_hash_next(v, &walk, &element, &content)) {
        visit(element, content, context);
    }
    return 0;
}

void value_fill_raw(struct value *v)
{
    assert(v->type == VALUE_STRING);
    v->flags |= RAW;
}

bool value_fill_member(struct value *v, struct bytes member, const struct value_limits *limits)
{
    if (value_set_has(v, member)) {
        return false;
    }
    edit_set_add(v, member, PACKED_NONE, limits, NULL);
    return true;
}

bool value_fill_field(struct value *v, struct bytes field, struct bytes content,
                      const struct value_limits *limits)
{
    struct bytes old;
    bool fresh = !value_hash_get(v, field, &old);

    edit_hash_set(v, field, content, PACKED_NONE, limits, NULL);
    return fresh;
}
