#include "rdb/encode.h"

#include "base/mem.h"
#include "rdb/crc64.h"
#include "rdb/format.h"
#include "rdb/pack.h"
#include "rdb/stream.h"
#include "store/list.h"
#include "store/zset.h"

#include <assert.h>
#include <string.h>

/* Small collections are written in one string, as Redis keeps them in memory. */

static bool is_kept_as(const struct value *v, const char *encoding)
{
    return strcmp(value_encoding_name(v), encoding) == 0;
}

/* Strings. */

static uint8_t string_type(const struct value *v)
{
    (void)v;
    return RDB_STRING;
}

static void write_string(struct rdb_writer *w, const struct value *v)
{
    rdb_write_text(w, value_string(v));
}

/* Lists: packs of some size, and elements too long to be packed. */

enum {
    NODE_FULL = 8 * 1024,
    ELEMENT_COST = 11, /* Beside its bytes, at the most. */
    PLAIN_FROM = 1 << 26,
};

static uint8_t list_type(const struct value *v)
{
    (void)v;
    return RDB_LIST_QUICKLIST_2;
}

static size_t count_nodes(const struct value *v)
{
    struct list_walk walk;
    struct bytes element;
    size_t nodes = 0;
    size_t open = 0; /* What is in a node that is not full. */

    value_list_walk(v, 0, false, &walk);
    while (value_list_next(&walk, &element)) {
        if (element.len >= PLAIN_FROM) {
            nodes += open > 0 ? 2 : 1;
            open = 0;
            continue;
        }
        open += element.len + ELEMENT_COST;
        if (open >= NODE_FULL) {
            nodes++;
            open = 0;
        }
    }
    return nodes + (open > 0);
}

/* A node that is being filled. */
struct node {
    struct buf pack;
    size_t count;
    size_t cost;
};

static void write_node(struct rdb_writer *w, struct node *n)
{
    if (n->count > 0) {
        listpack_end(&n->pack, n->count);
        rdb_write_length(w, RDB_NODE_PACKED);
        rdb_write_blob(w, buf_bytes(&n->pack));
    }
    n->pack.len = 0;
    n->count = 0;
    n->cost = 0;
}

static void add_to_node(struct rdb_writer *w, struct node *n, struct bytes element)
{
    if (n->count == 0) {
        listpack_begin(&n->pack);
    }
    listpack_add(&n->pack, element);
    n->count++;
    n->cost += element.len + ELEMENT_COST;
    if (n->cost >= NODE_FULL) {
        write_node(w, n);
    }
}

static void write_list(struct rdb_writer *w, const struct value *v)
{
    struct list_walk walk;
    struct bytes element;
    struct node node = {0};

    rdb_write_length(w, count_nodes(v));
    value_list_walk(v, 0, false, &walk);
    while (value_list_next(&walk, &element)) {
        if (element.len >= PLAIN_FROM) {
            write_node(w, &node);
            rdb_write_length(w, RDB_NODE_PLAIN);
            rdb_write_blob(w, element);
        } else {
            add_to_node(w, &node, element);
        }
    }
    write_node(w, &node);
    buf_clear(&node.pack);
}

/* Sets. */

static uint8_t set_type(const struct value *v)
{
    return is_kept_as(v, "intset") ? RDB_SET_INTSET : RDB_SET;
}

static int64_t integer_of(struct bytes member)
{
    int64_t number = 0;
    bool is_number = number_parse_int(member, &number);

    assert(is_number);
    return number;
}

static unsigned widest(const struct value *v)
{
    struct value_walk walk = {0};
    struct bytes member;
    unsigned width = 0;

    while (value_set_next(v, &walk, &member)) {
        unsigned needed = pack_intset_width(integer_of(member));
        width = needed > width ? needed : width;
    }
    return width;
}

/* The members of such a set come in ascending order. */
static void write_integers(struct rdb_writer *w, const struct value *v)
{
    unsigned width = widest(v);
    struct value_walk walk = {0};
    struct bytes member;
    BUF_LOCAL(pack);

    pack_intset_begin(&pack, value_count(v), width);
    while (value_set_next(v, &walk, &member)) {
        pack_intset_add(&pack, integer_of(member), width);
    }
    rdb_write_blob(w, buf_bytes(&pack));
}

static void write_set(struct rdb_writer *w, const struct value *v)
{
    struct value_walk walk = {0};
    struct bytes member;

    if (set_type(v) == RDB_SET_INTSET) {
        write_integers(w, v);
        return;
    }
    rdb_write_length(w, value_count(v));
    while (value_set_next(v, &walk, &member)) {
        rdb_write_text(w, member);
    }
}

/* Hashes. */

/* Returns whether fields expire, and when the first one does. */
static bool has_expiring(const struct value *v, int64_t *first_ms)
{
    struct bytes field;

    return value_hash_first_to_expire(v, &field, first_ms);
}

static uint8_t hash_type(const struct value *v)
{
    int64_t first_ms;

    if (has_expiring(v, &first_ms)) {
        return RDB_HASH_EXPIRING;
    }
    return is_kept_as(v, "listpack") ? RDB_HASH_LISTPACK : RDB_HASH;
}

static void write_hash_pack(struct rdb_writer *w, const struct value *v)
{
    struct value_walk walk = {0};
    struct bytes field, content;
    BUF_LOCAL(pack);

    listpack_begin(&pack);
    while (value_hash_next(v, &walk, &field, &content)) {
        listpack_add(&pack, field);
        listpack_add(&pack, content);
    }
    listpack_end(&pack, 2 * value_count(v));
    rdb_write_blob(w, buf_bytes(&pack));
}

/* Expiries are counted from the first one, and from 1: 0 is for what never does. */
static void write_expiring(struct rdb_writer *w, const struct value *v, int64_t first_ms)
{
    struct value_walk walk = {0};
    struct bytes field, content;

    rdb_write_int64(w, first_ms);
    rdb_write_length(w, value_count(v));
    while (value_hash_next(v, &walk, &field, &content)) {
        int64_t expires_ms = value_hash_expires_ms(v, field);
        rdb_write_length(w,
                         expires_ms == EXPIRES_NEVER ? 0 : (uint64_t)(expires_ms - first_ms) + 1);
        rdb_write_text(w, field);
        rdb_write_text(w, content);
    }
}

static void write_hash(struct rdb_writer *w, const struct value *v)
{
    struct value_walk walk = {0};
    struct bytes field, content;
    int64_t first_ms;

    if (has_expiring(v, &first_ms)) {
        write_expiring(w, v, first_ms);
        return;
    }
    if (hash_type(v) == RDB_HASH_LISTPACK) {
        write_hash_pack(w, v);
        return;
    }
    rdb_write_length(w, value_count(v));
    while (value_hash_next(v, &walk, &field, &content)) {
        rdb_write_text(w, field);
        rdb_write_text(w, content);
    }
}

/* Sorted sets. */

static uint8_t zset_type(const struct value *v)
{
    return is_kept_as(v, "listpack") ? RDB_ZSET_LISTPACK : RDB_ZSET_2;
}

/* Scores are integers there, if they are some, and text otherwise. */
static void add_score(struct buf *pack, double score)
{
    char text[NUMBER_DOUBLE_MAX];

    listpack_add(pack, (struct bytes){text, number_format_double(text, score)});
}

static void write_zset_pack(struct rdb_writer *w, const struct value *v)
{
    struct zset_walk walk = zset_walk_from(v, 0, false);
    struct bytes member;
    double score;
    BUF_LOCAL(pack);

    listpack_begin(&pack);
    while (zset_walk_next(&walk, &member, &score)) {
        listpack_add(&pack, member);
        add_score(&pack, score);
    }
    listpack_end(&pack, 2 * value_count(v));
    rdb_write_blob(w, buf_bytes(&pack));
}

/* From the last to the first: Redis inserts faster at the front. */
static void write_zset(struct rdb_writer *w, const struct value *v)
{
    struct zset_walk walk = zset_walk_from(v, value_count(v) - 1, true);
    struct bytes member;
    double score;

    if (zset_type(v) == RDB_ZSET_LISTPACK) {
        write_zset_pack(w, v);
        return;
    }
    rdb_write_length(w, value_count(v));
    while (zset_walk_next(&walk, &member, &score)) {
        rdb_write_text(w, member);
        rdb_write_double(w, score);
    }
}

/* Streams. */

static uint8_t stream_type(const struct value *v)
{
    (void)v;
    return RDB_STREAM_2;
}

/* All of them. */

static const struct {
    uint8_t (*type)(const struct value *v);
    void (*write)(struct rdb_writer *w, const struct value *v);
} encoders[] = {
    [VALUE_STRING] = {string_type, write_string}, [VALUE_SET] = {set_type, write_set},
    [VALUE_HASH] = {hash_type, write_hash},       [VALUE_LIST] = {list_type, write_list},
    [VALUE_ZSET] = {zset_type, write_zset},       [VALUE_STREAM] = {stream_type, rdb_write_stream},
};

_Static_assert(sizeof encoders / sizeof *encoders == VALUE_TYPE_END, "every type can be written");

uint8_t rdb_type_of(const struct value *v)
{
    return encoders[value_type(v)].type(v);
}

int rdb_version_for(const struct value *v)
{
    return rdb_type_of(v) == RDB_HASH_EXPIRING ? RDB_VERSION_EXPIRING : RDB_VERSION;
}

void rdb_encode(struct rdb_writer *w, const struct value *v)
{
    encoders[value_type(v)].write(w, v);
}

void rdb_seal(struct rdb_writer *w, size_t start, uint16_t version)
{
    uint64_t checksum;

    rdb_write_bytes(w, (struct bytes){(const char *)&version, sizeof version});
    checksum = crc64(0, (struct bytes){w->out.at + start, w->out.len - start});
    rdb_write_bytes(w, (struct bytes){(const char *)&checksum, sizeof checksum});
}

void rdb_dump(const struct value *v, bool compresses, struct buf *out)
{
    struct rdb_writer w = {.file = RDB_NO_FILE, .compresses = compresses, .out = *out};
    size_t start = out->len;

    rdb_write_byte(&w, rdb_type_of(v));
    rdb_encode(&w, v);
    rdb_seal(&w, start, (uint16_t)rdb_version_for(v));
    *out = w.out;
}
