#include "rdb/decode.h"

#include "rdb/crc64.h"
#include "rdb/format.h"
#include "rdb/pack.h"
#include "rdb/stream.h"
#include "store/list.h"
#include "store/zset.h"

const char rdb_empty[] = "a collection has no elements";
static const char duplicate[] = "a collection has the same element twice";
static const char damaged[] = "a small collection is damaged";

/* A value that is being filled. */
struct filling {
    struct rdb_reader *r;
    struct value *v;
    const struct rdb_target *to;
    int64_t base_ms; /* What the expiries of fields count from. */
};

enum { STRIDE_MAX = 3 };

/* Adds an element: one or more strings that follow each other. Like all that is
 * called to fill a value, it returns false, with the problem noted, if something is
 * not in order. */
typedef bool add_element(struct filling *f, const struct bytes part[]);

static bool add_to_list(struct filling *f, const struct bytes part[])
{
    value_fill_element(f->v, part[0], f->to->limits);
    return true;
}

static bool add_member(struct filling *f, const struct bytes part[])
{
    return value_fill_member(f->v, part[0], f->to->limits) || rdb_refuse(f->r, duplicate);
}

static bool add_field(struct filling *f, const struct bytes part[])
{
    return value_fill_field(f->v, part[0], part[1], f->to->limits) || rdb_refuse(f->r, duplicate);
}

/* A field that expires, or not if that is 0. One that has expired is no damage: it is
 * for others to pass over. */
static bool add_expiring(struct filling *f, const struct bytes part[], uint64_t ms)
{
    int64_t expires_ms;

    if (!add_field(f, part)) {
        return false;
    }
    if (ms == 0) {
        return true;
    }
    if (__builtin_add_overflow(f->base_ms, ms, &expires_ms) || expires_ms < 0) {
        return rdb_refuse(f->r, "a field expires at a time that cannot be");
    }
    value_fill_field_expiry(f->v, part[0], expires_ms);
    return true;
}

static bool add_expiring_part(struct filling *f, const struct bytes part[])
{
    int64_t ms;

    if (!number_parse_int(part[2], &ms) || ms < 0) {
        return rdb_refuse(f->r, damaged);
    }
    return add_expiring(f, part, (uint64_t)ms);
}

static bool add_score(struct filling *f, struct bytes member, double score)
{
    return value_fill_scored(f->v, member, score, f->to->limits) || rdb_refuse(f->r, duplicate);
}

static bool add_scored(struct filling *f, const struct bytes part[])
{
    double score;

    if (!number_parse_double(part[1], &score)) {
        return rdb_refuse(f->r, "a score is not a number");
    }
    return add_score(f, part[0], score);
}

/* Encodings, as what they consist of. */
struct encoding {
    enum value_type type;
    add_element *add;
    unsigned stride;                /* Strings of an element. */
    const struct pack_format *pack; /* What they are in; NULL: one after the other. */
    bool (*fill)(struct filling *f, const struct encoding *e); /* Instead, if it is set. */
};

static bool fill_texts(struct filling *f, const struct encoding *e)
{
    struct rdb_text text[STRIDE_MAX] = {0};
    struct bytes part[STRIDE_MAX];
    uint64_t count;
    bool fine = rdb_read_count(f->r, e->stride, &count);

    for (; fine && count > 0; count--) {
        for (unsigned i = 0; fine && i < e->stride; i++) {
            fine = rdb_read_text(f->r, &text[i]);
            part[i] = text[i].bytes;
        }
        fine = fine && e->add(f, part);
    }
    for (unsigned i = 0; i < e->stride; i++) {
        rdb_text_clear(&text[i]);
    }
    return fine;
}

/* Reads what is left of an element of a pack. */
static bool next_parts(const struct encoding *e, struct pack_walk *walk,
                       struct pack_element element[], struct bytes part[])
{
    for (unsigned i = 1; i < e->stride; i++) {
        if (e->pack->next(walk, &element[i]) != PACK_ELEMENT) {
            return false;
        }
    }
    for (unsigned i = 0; i < e->stride; i++) {
        part[i] = element[i].bytes;
    }
    return true;
}

static bool fill_pack(struct filling *f, const struct encoding *e)
{
    RDB_TEXT_LOCAL(text);
    struct pack_element element[STRIDE_MAX];
    struct bytes part[STRIDE_MAX];
    struct pack_walk walk;
    enum pack_result result;

    if (!rdb_read_text(f->r, &text)) {
        return false;
    }
    if (!e->pack->open(&walk, text.bytes)) {
        return rdb_refuse(f->r, damaged);
    }
    while ((result = e->pack->next(&walk, &element[0])) == PACK_ELEMENT) {
        if (!next_parts(e, &walk, element, part)) {
            return rdb_refuse(f->r, damaged);
        }
        if (!e->add(f, part)) {
            return false;
        }
    }
    return result == PACK_END || rdb_refuse(f->r, damaged);
}

/* Lists of packs. */

static bool fill_packs(struct filling *f, const struct encoding *e)
{
    uint64_t count;

    if (!rdb_read_count(f->r, 1, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!fill_pack(f, e)) {
            return false;
        }
    }
    return true;
}

static bool fill_plain(struct filling *f)
{
    RDB_TEXT_LOCAL(element);

    if (!rdb_read_text(f->r, &element)) {
        return false;
    }
    if (element.bytes.len == 0) { /* Only long ones are written like this. */
        return rdb_refuse(f->r, damaged);
    }
    return add_to_list(f, &element.bytes);
}

static bool fill_node(struct filling *f, const struct encoding *e)
{
    uint64_t kind;

    if (!rdb_read_length(f->r, &kind)) {
        return false;
    }
    switch (kind) {
    case RDB_NODE_PLAIN:
        return fill_plain(f);
    case RDB_NODE_PACKED:
        return fill_pack(f, e);
    default:
        return rdb_refuse(f->r, "a list has a node of an unknown kind");
    }
}

static bool fill_nodes(struct filling *f, const struct encoding *e)
{
    uint64_t count;

    if (!rdb_read_count(f->r, 2, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!fill_node(f, e)) {
            return false;
        }
    }
    return true;
}

/* Sorted sets: each member with its score, which is no string. */
static bool fill_zset(struct filling *f, bool (*read_score)(struct rdb_reader *r, double *score))
{
    RDB_TEXT_LOCAL(member);
    uint64_t count;
    double score;

    if (!rdb_read_count(f->r, 2, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!rdb_read_text(f->r, &member) || !read_score(f->r, &score) ||
            !add_score(f, member.bytes, score)) {
            return false;
        }
    }
    return true;
}

static bool fill_zset_decimal(struct filling *f, const struct encoding *e)
{
    (void)e;
    return fill_zset(f, rdb_read_decimal);
}

static bool fill_zset_binary(struct filling *f, const struct encoding *e)
{
    (void)e;
    return fill_zset(f, rdb_read_double);
}

/* Hashes of which fields expire. */

static bool fill_expiring(struct filling *f)
{
    RDB_TEXT_LOCAL(name);
    RDB_TEXT_LOCAL(content);
    uint64_t count, ms;

    if (!rdb_read_count(f->r, 3, &count)) {
        return false;
    }
    for (; count > 0; count--) {
        if (!rdb_read_length(f->r, &ms) || !rdb_read_text(f->r, &name) ||
            !rdb_read_text(f->r, &content) ||
            !add_expiring(f, (struct bytes[]){name.bytes, content.bytes}, ms)) {
            return false;
        }
    }
    return true;
}

/* Before the fields stands when the first one expires. The others are counted from
 * there, and from 1, since 0 is for those that never do. */
static bool fill_expiring_from(struct filling *f, const struct encoding *e)
{
    (void)e;
    if (!rdb_read_int64(f->r, &f->base_ms)) {
        return false;
    }
    if (f->base_ms < 0) {
        return rdb_refuse(f->r, "a field expires at a time that cannot be");
    }
    f->base_ms--;
    return fill_expiring(f);
}

static bool fill_expiring_rc(struct filling *f, const struct encoding *e)
{
    (void)e;
    return fill_expiring(f);
}

/* In a pack, times are whole. */
static bool fill_expiring_pack(struct filling *f, const struct encoding *e)
{
    int64_t first_ms;

    return rdb_read_int64(f->r, &first_ms) && fill_pack(f, e);
}

static bool fill_stream_1(struct filling *f, const struct encoding *e)
{
    (void)e;
    return rdb_fill_stream(f->r, f->v, STREAM_ENCODING_1, f->to->limits);
}

static bool fill_stream_2(struct filling *f, const struct encoding *e)
{
    (void)e;
    return rdb_fill_stream(f->r, f->v, STREAM_ENCODING_2, f->to->limits);
}

static bool fill_stream_3(struct filling *f, const struct encoding *e)
{
    (void)e;
    return rdb_fill_stream(f->r, f->v, STREAM_ENCODING_3, f->to->limits);
}

static const struct encoding encodings[RDB_TYPE_END] = {
    [RDB_LIST] = {VALUE_LIST, add_to_list, 1},
    [RDB_LIST_ZIPLIST] = {VALUE_LIST, add_to_list, 1, &ziplist_format},
    [RDB_LIST_QUICKLIST] = {VALUE_LIST, add_to_list, 1, &ziplist_format, fill_packs},
    [RDB_LIST_QUICKLIST_2] = {VALUE_LIST, add_to_list, 1, &listpack_format, fill_nodes},
    [RDB_SET] = {VALUE_SET, add_member, 1},
    [RDB_SET_INTSET] = {VALUE_SET, add_member, 1, &intset_format},
    [RDB_SET_LISTPACK] = {VALUE_SET, add_member, 1, &listpack_format},
    [RDB_ZSET] = {VALUE_ZSET, .fill = fill_zset_decimal},
    [RDB_ZSET_2] = {VALUE_ZSET, .fill = fill_zset_binary},
    [RDB_ZSET_ZIPLIST] = {VALUE_ZSET, add_scored, 2, &ziplist_format},
    [RDB_ZSET_LISTPACK] = {VALUE_ZSET, add_scored, 2, &listpack_format},
    [RDB_STREAM] = {VALUE_STREAM, .fill = fill_stream_1},
    [RDB_STREAM_2] = {VALUE_STREAM, .fill = fill_stream_2},
    [RDB_STREAM_3] = {VALUE_STREAM, .fill = fill_stream_3},
    [RDB_HASH] = {VALUE_HASH, add_field, 2},
    [RDB_HASH_ZIPMAP] = {VALUE_HASH, add_field, 2, &zipmap_format},
    [RDB_HASH_ZIPLIST] = {VALUE_HASH, add_field, 2, &ziplist_format},
    [RDB_HASH_LISTPACK] = {VALUE_HASH, add_field, 2, &listpack_format},
    [RDB_HASH_EXPIRING_RC] = {VALUE_HASH, .fill = fill_expiring_rc},
    [RDB_HASH_EXPIRING_PACK_RC] = {VALUE_HASH, add_expiring_part, 3, &listpack_format},
    [RDB_HASH_EXPIRING] = {VALUE_HASH, .fill = fill_expiring_from},
    [RDB_HASH_EXPIRING_PACK] = {VALUE_HASH, add_expiring_part, 3, &listpack_format,
                                fill_expiring_pack},
};

static bool fill_value(struct filling *f, const struct encoding *e)
{
    if (e->fill != NULL) {
        return e->fill(f, e);
    }
    return e->pack != NULL ? fill_pack(f, e) : fill_texts(f, e);
}

static struct value *decode_string(struct rdb_reader *r, const struct rdb_target *to)
{
    RDB_TEXT_LOCAL(text);

    return rdb_read_text(r, &text) ? value_new_string(to->key, text.bytes, to->expires_ms) : NULL;
}

static struct value *decode_collection(struct rdb_reader *r, const struct encoding *e,
                                       const struct rdb_target *to)
{
    struct filling f = {.r = r, .to = to, .v = value_new(e->type, to->key, to->expires_ms)};

    if (!fill_value(&f, e)) {
        value_free(f.v);
        return NULL;
    }
    if (value_is_over(f.v)) {
        value_free(f.v);
        rdb_refuse(r, rdb_empty);
        return NULL;
    }
    return f.v;
}

struct value *rdb_decode(struct rdb_reader *r, uint8_t type, const struct rdb_target *to)
{
    if (type == RDB_STRING) {
        return decode_string(r, to);
    }
    if (type == RDB_MODULE || type == RDB_MODULE_2) {
        rdb_refuse(r, "a value is of a type that a module has brought");
        return NULL;
    }
    if (type >= RDB_TYPE_END || (encodings[type].add == NULL && encodings[type].fill == NULL)) {
        rdb_refuse(r, "there is no such type of value");
        return NULL;
    }
    return decode_collection(r, &encodings[type], to);
}

/* What DUMP returns: a type, a value, the version (16 bits), a checksum (64 bits). */

enum { FOOTER = 10 };

bool rdb_unseal(struct bytes payload, struct bytes *content)
{
    struct bytes checked;
    uint16_t version;
    uint64_t checksum;

    if (payload.len < FOOTER) {
        return false;
    }
    checked = (struct bytes){payload.at, payload.len - sizeof checksum};
    memcpy(&version, payload.at + payload.len - FOOTER, sizeof version);
    memcpy(&checksum, checked.at + checked.len, sizeof checksum);
    *content = (struct bytes){payload.at, payload.len - FOOTER};
    return version <= RDB_VERSION_READ && crc64(0, checked) == checksum;
}

enum rdb_restored rdb_restore(struct bytes payload, const struct rdb_target *to,
                              struct value **value)
{
    struct rdb_reader r;
    struct bytes content;
    struct value *v;
    uint8_t type;

    if (!rdb_unseal(payload, &content)) {
        return RDB_UNKNOWN;
    }
    r = rdb_reader_of(content);
    v = rdb_read_byte(&r, &type) ? rdb_decode(&r, type, to) : NULL;
    if (v != NULL && rdb_left(&r) > 0) {
        value_free(v);
        v = NULL;
    }
    if (v == NULL) {
        return RDB_DAMAGED;
    }
    *value = v;
    return RDB_RESTORED;
}
