#include "store/describe.h"

#include "store/change_stream.h"
#include "store/coding.h"
#include "store/list.h"
#include "store/zset.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>

enum {
    SHOWN_BYTES = 128, /* Of one word. */
    SHOWN_ELEMENTS = 5,
    SHOWN_FIELDS = 8, /* Of one entry of a stream. */
};

/* Words. */

void describe_content(struct buf *out, struct bytes content)
{
    buf_add_byte(out, ' ');
    if (content.len <= SHOWN_BYTES) {
        buf_add_quoted(out, content);
        return;
    }
    buf_add_quoted(out, (struct bytes){content.at, SHOWN_BYTES});
    buf_addf(out, "...(%zu bytes)", content.len);
}

static bool is_plain(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((unsigned char)name.at[i]) &&
            (name.at[i] == '\0' || strchr("_-.:/{}@", name.at[i]) == NULL)) {
            return false;
        }
    }
    return name.len > 0 && name.len <= SHOWN_BYTES;
}

void describe_name(struct buf *out, struct bytes name)
{
    if (!is_plain(name)) {
        describe_content(out, name);
        return;
    }
    buf_add_byte(out, ' ');
    buf_add(out, name);
}

static void add_int(struct buf *out, int64_t number)
{
    buf_addf(out, " %" PRId64, number);
}

static void add_count(struct buf *out, uint64_t number)
{
    buf_addf(out, " %" PRIu64, number);
}

static void add_word(struct buf *out, const char *word)
{
    buf_addf(out, " %s", word);
}

static void add_id(struct buf *out, struct stream_id id)
{
    buf_addf(out, " %" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

static void add_score(struct buf *out, double score)
{
    char text[NUMBER_DOUBLE_MAX];

    buf_add_byte(out, ' ');
    buf_add(out, (struct bytes){text, number_format_double(text, score)});
}

/* Begins the line of a command that has a key. */
static void begin(struct buf *out, const char *command, struct bytes key)
{
    buf_addf(out, "%s", command);
    describe_name(out, key);
}

/* Values. Each of these adds the first elements of a collection, as the command takes
 * them that adds to it. */

static void add_members(const struct value *v, struct buf *out)
{
    struct value_walk walk = {0};
    struct bytes member;

    for (int i = 0; i < SHOWN_ELEMENTS && value_set_next(v, &walk, &member); i++) {
        describe_content(out, member);
    }
}

static void add_fields(const struct value *v, struct buf *out)
{
    struct value_walk walk = {0};
    struct bytes field, content;

    for (int i = 0; i < SHOWN_ELEMENTS && value_hash_next(v, &walk, &field, &content); i++) {
        describe_name(out, field);
        describe_content(out, content);
    }
}

static void add_elements(const struct value *v, struct buf *out)
{
    struct list_walk walk;
    struct bytes element;

    value_list_walk(v, 0, false, &walk);
    for (int i = 0; i < SHOWN_ELEMENTS && value_list_next(&walk, &element); i++) {
        describe_content(out, element);
    }
}

static void add_scored(const struct value *v, struct buf *out)
{
    struct zset_walk walk = zset_walk_from(v, 0, false);
    struct bytes member;
    double score;

    for (int i = 0; i < SHOWN_ELEMENTS && zset_walk_next(&walk, &member, &score); i++) {
        add_score(out, score);
        describe_content(out, member);
    }
}

static void add_entry(const struct value *v, struct buf *out)
{
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    struct stream_entry entry;
    struct bytes field, content;

    if (!stream_next(&walk, &entry)) {
        return;
    }
    add_id(out, entry.id);
    for (int i = 0; i < SHOWN_FIELDS && entry.count > 0; i++) {
        field = stream_field(&entry, &content);
        describe_name(out, field);
        describe_content(out, content);
    }
    if (entry.count > 0) {
        add_word(out, "...");
    }
}

static const struct collection {
    const char *command;
    size_t shown;
    void (*add)(const struct value *v, struct buf *out);
} collections[VALUE_TYPE_END] = {
    [VALUE_SET] = {"SADD", SHOWN_ELEMENTS, add_members},
    [VALUE_HASH] = {"HSET", SHOWN_ELEMENTS, add_fields},
    [VALUE_LIST] = {"RPUSH", SHOWN_ELEMENTS, add_elements},
    [VALUE_ZSET] = {"ZADD", SHOWN_ELEMENTS, add_scored},
    [VALUE_STREAM] = {"XADD", 1, add_entry},
};

/* What there is besides the first elements. */
static void add_rest(const struct value *v, size_t shown, struct buf *out)
{
    struct bytes field;
    int64_t expires_ms;

    if (value_count(v) > shown) {
        add_word(out, "...");
    }
    buf_addf(out, " (%zu in all", value_count(v));
    if (value_type(v) == VALUE_STREAM && stream_groups(v) > 0) {
        buf_addf(out, ", groups: %zu", stream_groups(v));
    }
    if (value_type(v) == VALUE_HASH && value_hash_first_to_expire(v, &field, &expires_ms)) {
        buf_addf(out, ", the first expires at %" PRId64, expires_ms);
    }
    if (value_expires_ms(v) != EXPIRES_NEVER) {
        buf_addf(out, ", expires at %" PRId64, value_expires_ms(v));
    }
    buf_add_byte(out, ')');
}

static void describe_string(const struct value *v, struct buf *out)
{
    begin(out, "SET", value_key(v));
    describe_content(out, value_string(v));
    if (value_expires_ms(v) != EXPIRES_NEVER) {
        add_word(out, "PXAT");
        add_int(out, value_expires_ms(v));
    }
}

static void describe_collection(const struct value *v, struct buf *out)
{
    const struct collection *of = &collections[value_type(v)];

    if (value_is_over(v)) {
        return;
    }
    begin(out, of->command, value_key(v));
    of->add(v, out);
    add_rest(v, of->shown, out);
}

/* Kinds of changes, a function for each. */

typedef void describer(const struct change *c, struct buf *out);

static void bind(const struct change *c, struct buf *out)
{
    if (value_type(c->value) == VALUE_STRING) {
        describe_string(c->value, out);
    } else {
        describe_collection(c->value, out);
    }
}

static void unbind(const struct change *c, struct buf *out)
{
    begin(out, "DEL", c->key);
}

static void retime(const struct change *c, struct buf *out)
{
    if (c->expires_ms == EXPIRES_NEVER) {
        begin(out, "PERSIST", c->key);
        return;
    }
    begin(out, "PEXPIREAT", c->key);
    add_int(out, c->expires_ms);
}

static void rekey(const struct change *c, struct buf *out)
{
    if (c->db == c->to_db) {
        begin(out, "RENAME", c->key);
        describe_name(out, c->to_key);
        return;
    }
    begin(out, "MOVE", c->key);
    add_count(out, c->to_db);
    if (!bytes_equal(c->key, c->to_key)) {
        add_word(out, "(as");
        describe_name(out, c->to_key);
        buf_add_byte(out, ')');
    }
}

/* No command inserts into a string, but at its end. */
static void splice(const struct change *c, struct buf *out)
{
    if (!c->raw) {
        begin(out, "SET", c->key);
        describe_content(out, c->inserted);
        add_word(out, "KEEPTTL");
        return;
    }
    if (c->removed == 0) {
        begin(out, "APPEND", c->key);
        describe_content(out, c->inserted);
        return;
    }
    begin(out, "SETRANGE", c->key);
    add_count(out, c->offset);
    describe_content(out, c->inserted);
    if (c->removed != c->inserted.len) {
        buf_addf(out, " (in place of %zu bytes)", c->removed);
    }
}

static void field_set(const struct change *c, struct buf *out)
{
    begin(out, "HSET", c->key);
    describe_name(out, c->member);
    describe_content(out, c->content);
}

static void field_remove(const struct change *c, struct buf *out)
{
    begin(out, "HDEL", c->key);
    describe_name(out, c->member);
}

static void field_retime(const struct change *c, struct buf *out)
{
    bool never = c->timed_expires_ms == EXPIRES_NEVER;

    begin(out, never ? "HPERSIST" : "HPEXPIREAT", c->key);
    if (!never) {
        add_int(out, c->timed_expires_ms);
    }
    add_word(out, "FIELDS 1");
    describe_name(out, c->timed);
}

static void set_add(const struct change *c, struct buf *out)
{
    begin(out, "SADD", c->key);
    describe_content(out, c->member);
}

static void set_remove(const struct change *c, struct buf *out)
{
    begin(out, "SREM", c->key);
    describe_content(out, c->member);
}

/* The elements of several that go in at once, in the order of the list. */
static void add_moved(const struct sequence *moved, struct buf *out)
{
    struct sequence_at at = sequence_seek(moved, 0);
    char text[NUMBER_INT_MAX];

    for (int i = 0; i < SHOWN_ELEMENTS && at.chunk != NULL; i++) {
        describe_content(out, sequence_get(&at, text));
        sequence_next(&at);
    }
    if (sequence_count(moved) > SHOWN_ELEMENTS) {
        buf_addf(out, " ... (%zu in all)", sequence_count(moved));
    }
}

static void list_insert(const struct change *c, struct buf *out)
{
    if (c->index == -1) {
        begin(out, "RPUSH", c->key);
    } else if (c->index == 0 && c->moved == NULL) {
        begin(out, "LPUSH", c->key);
    } else {
        begin(out, "LINSERT", c->key);
        add_word(out, "AT");
        add_int(out, c->index);
    }
    if (c->moved != NULL) {
        add_moved(c->moved, out);
    } else {
        describe_content(out, c->element);
    }
}

static void list_remove(const struct change *c, struct buf *out)
{
    if (c->index == 0 || c->index == -1) {
        begin(out, c->index == 0 ? "LPOP" : "RPOP", c->key);
        add_count(out, c->removed_count);
        return;
    }
    begin(out, "LREM", c->key);
    add_word(out, "AT");
    add_int(out, c->index);
    add_word(out, "COUNT");
    add_count(out, c->removed_count);
}

static void list_replace(const struct change *c, struct buf *out)
{
    begin(out, "LSET", c->key);
    add_int(out, c->index);
    describe_content(out, c->element);
}

static void score_set(const struct change *c, struct buf *out)
{
    begin(out, "ZADD", c->key);
    add_score(out, c->score);
    describe_content(out, c->scored);
}

static void score_remove(const struct change *c, struct buf *out)
{
    begin(out, "ZREM", c->key);
    describe_content(out, c->scored);
}

/* Takes a field with its content off the front of coded ones, which are whole. */
static void add_coded_field(struct bytes *coded, struct buf *out)
{
    struct bytes field = {0}, content = {0};
    bool whole = take_bytes(coded, &field) && take_bytes(coded, &content);

    assert(whole);
    describe_name(out, field);
    describe_content(out, content);
}

static void entry_add(const struct change *c, struct buf *out)
{
    struct bytes coded = c->fields;
    uint64_t count = 0;
    bool whole = take_number(&coded, &count);

    assert(whole);
    begin(out, "XADD", c->key);
    add_id(out, c->id);
    for (uint64_t i = 0; i < count && i < SHOWN_FIELDS; i++) {
        add_coded_field(&coded, out);
    }
    if (count > SHOWN_FIELDS) {
        buf_addf(out, " ... (%" PRIu64 " fields)", count);
    }
}

/* Several entries are removed by a trim alone, from the first on; a trim that removes one
 * is the same change as XDEL. */
static void entry_remove(const struct change *c, struct buf *out)
{
    struct stream_id next = c->range.to;

    if (stream_id_compare(c->range.from, c->range.to) == 0) {
        begin(out, "XDEL", c->key);
        add_id(out, c->range.from);
        return;
    }
    begin(out, "XTRIM", c->key);
    if (stream_id_next(&next)) {
        add_word(out, "MINID");
        add_id(out, next);
    } else {
        add_word(out, "MAXLEN 0");
    }
}

static void stream_meta_set(const struct change *c, struct buf *out)
{
    struct stream_meta meta = stream_operands_of(c).meta;

    begin(out, "XSETID", c->key);
    add_id(out, meta.last);
    add_word(out, "ENTRIESADDED");
    add_count(out, meta.added);
    add_word(out, "MAXDELETEDID");
    add_id(out, meta.max_deleted);
}

/* Begins the line of a command on a group. */
static struct stream_operands begin_group(const struct change *c, const char *command,
                                          struct buf *out)
{
    struct stream_operands o = stream_operands_of(c);

    begin(out, command, c->key);
    describe_name(out, o.group);
    return o;
}

static void add_group(struct stream_operands o, struct buf *out)
{
    add_id(out, o.id);
    if (o.number != STREAM_READ_UNKNOWN) {
        add_word(out, "ENTRIESREAD");
        add_int(out, o.number);
    }
}

static void group_set(const struct change *c, struct buf *out)
{
    add_group(begin_group(c, "XGROUP SETID", out), out);
}

static void group_make(const struct change *c, struct buf *out)
{
    add_group(begin_group(c, "XGROUP CREATE", out), out);
    add_word(out, "MKSTREAM");
}

static void group_remove(const struct change *c, struct buf *out)
{
    begin_group(c, "XGROUP DESTROY", out);
}

static void consumer_set(const struct change *c, struct buf *out)
{
    struct stream_operands o = begin_group(c, "XGROUP CREATECONSUMER", out);

    describe_name(out, o.consumer);
    buf_addf(out, " (seen at %" PRId64 ")", o.number);
}

static void consumer_remove(const struct change *c, struct buf *out)
{
    struct stream_operands o = begin_group(c, "XGROUP DELCONSUMER", out);

    describe_name(out, o.consumer);
}

static void pending_set(const struct change *c, struct buf *out)
{
    struct stream_operands o = begin_group(c, "XCLAIM", out);

    describe_name(out, o.consumer);
    add_word(out, "0");
    add_id(out, o.id);
    add_word(out, "TIME");
    add_int(out, o.number);
    add_word(out, "RETRYCOUNT");
    add_count(out, o.count);
    add_word(out, "FORCE JUSTID");
}

static void pending_remove(const struct change *c, struct buf *out)
{
    struct stream_operands o = begin_group(c, "XACK", out);

    add_id(out, o.id);
}

static void swap(const struct change *c, struct buf *out)
{
    buf_addf(out, "SWAPDB %u %u", c->db, c->other);
}

static void flush(const struct change *c, struct buf *out)
{
    buf_addf(out, "FLUSHDB");
    if (c->keyspace != NULL) {
        buf_addf(out, " (and %zu keys instead)", keyspace_count(c->keyspace));
    }
}

static void text_put(const struct change *c, struct buf *out)
{
    begin(out, c->db == TEXT_LIBRARY ? "FUNCTION LOAD" : "SCRIPT LOAD", c->key);
    buf_addf(out, " (%zu bytes)", text_content(c->text).len);
}

static void text_remove(const struct change *c, struct buf *out)
{
    begin(out, c->db == TEXT_LIBRARY ? "FUNCTION DELETE" : "SCRIPT FLUSH", c->key);
}

/* Those that only undo. */
static void restore(const struct change *c, struct buf *out)
{
    begin(out, "(puts back what was in", c->key);
    buf_add_byte(out, ')');
}

static describer *const describers[] = {
    [CHANGE_BIND] = bind,
    [CHANGE_UNBIND] = unbind,
    [CHANGE_RETIME] = retime,
    [CHANGE_SPLICE] = splice,
    [CHANGE_FIELD_SET] = field_set,
    [CHANGE_FIELD_REMOVE] = field_remove,
    [CHANGE_SET_ADD] = set_add,
    [CHANGE_SET_REMOVE] = set_remove,
    [CHANGE_SWAP] = swap,
    [CHANGE_FLUSH] = flush,
    [CHANGE_BODY] = restore,
    [CHANGE_LIST_INSERT] = list_insert,
    [CHANGE_LIST_REMOVE] = list_remove,
    [CHANGE_LIST_REPLACE] = list_replace,
    [CHANGE_SCORE_SET] = score_set,
    [CHANGE_SCORE_REMOVE] = score_remove,
    [CHANGE_ENTRY_ADD] = entry_add,
    [CHANGE_ENTRY_REMOVE] = entry_remove,
    [CHANGE_STREAM_META] = stream_meta_set,
    [CHANGE_GROUP_SET] = group_set,
    [CHANGE_GROUP_REMOVE] = group_remove,
    [CHANGE_CONSUMER_SET] = consumer_set,
    [CHANGE_CONSUMER_REMOVE] = consumer_remove,
    [CHANGE_PENDING_SET] = pending_set,
    [CHANGE_PENDING_REMOVE] = pending_remove,
    [CHANGE_REKEY] = rekey,
    [CHANGE_FIELD_RETIME] = field_retime,
    [CHANGE_STREAM_BACK] = restore,
    [CHANGE_FIELD_RESTORE] = restore,
    [CHANGE_TEXT_PUT] = text_put,
    [CHANGE_TEXT_REMOVE] = text_remove,
};

_Static_assert(sizeof describers / sizeof *describers == CHANGE_KIND_END,
               "every kind has its function");

/* Nothing but what undoes it tells a group that is made from one that is moved. */
static describer *describer_of(const struct change *c, const struct change *inverse)
{
    bool makes_group =
        c->kind == CHANGE_GROUP_SET && inverse != NULL && inverse->kind == CHANGE_GROUP_REMOVE;

    return makes_group ? group_make : describers[c->kind];
}

/* SWAPDB names its databases, and texts are in none. */
static bool is_elsewhere(const struct change *c, unsigned db)
{
    return c->db != db && c->kind != CHANGE_SWAP && change_is_of_keys(c);
}

void change_describe(const struct change *c, const struct change *inverse, unsigned db,
                     struct buf *out)
{
    size_t start = out->len;
    size_t begun;

    if (is_elsewhere(c, db)) {
        buf_addf(out, "[db %u] ", c->db);
    }
    begun = out->len;
    describer_of(c, inverse)(c, out);
    if (out->len == begun) {
        buf_cut(out, start);
    }
}
