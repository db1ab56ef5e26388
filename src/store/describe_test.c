#include "store/describe.h"

#include "store/journal.h"
#include "store/list.h"
#include "store/zset.h"
#include "test/lib/check.h"

#include <math.h>

enum {
    DATABASES = 3,
    HOME = 1, /* The database that goes without saying. */
};

/* Makes changes, and describes each as it is decoded from what was logged. */
struct bench {
    struct dataset *data;
    struct journal journal;
    bool described[CHANGE_KIND_END];
    struct buf line;
    struct buf scratch;
};

static void bench_open(struct bench *b)
{
    *b = (struct bench){.data = dataset_new(DATABASES)};
    b->journal = (struct journal){.data = b->data, .keeps_undo = true, .keeps_redo = true};
}

static void bench_close(struct bench *b)
{
    journal_commit(&b->journal);
    journal_clear(&b->journal);
    dataset_free(b->data);
    buf_clear(&b->line);
    buf_clear(&b->scratch);
}

static void describe(struct bench *b, const struct change *c, const struct change *inverse)
{
    b->line.len = 0;
    change_describe(c, inverse, HOME, &b->line);
    b->described[c->kind] = true;
}

/* The last change that was made, by its inverse. */
static void see(const struct change *inverse, void *context)
{
    *(const struct change **)context = inverse;
}

static const struct change *last_inverse(struct bench *b)
{
    const struct change *inverse = NULL;

    journal_each(&b->journal, (struct journal_mark){0},
                 &(struct journal_visitor){.change = see, .context = &inverse});
    return inverse;
}

/* Makes a change, and returns whether this is its line. */
static bool reads(struct bench *b, struct change c, const char *line)
{
    struct change decoded;
    struct bytes redo;
    size_t start = b->journal.redo.len;
    bool whole;

    journal_make(&b->journal, c);
    redo = (struct bytes){b->journal.redo.at + start, b->journal.redo.len - start};
    whole = change_decode(&redo, b->data, &decoded);
    CHECK(whole);
    describe(b, &decoded, last_inverse(b));
    change_drop(&decoded);
    if (!bytes_equal(buf_bytes(&b->line), bytes_of(line))) {
        printf("expected %s\ngot      %.*s\n", line, (int)b->line.len, b->line.at);
        return false;
    }
    return true;
}

/* Returns whether this is the line of what undoes the last change. */
static bool inverse_reads(struct bench *b, const char *line)
{
    describe(b, last_inverse(b), NULL);
    return bytes_equal(buf_bytes(&b->line), bytes_of(line));
}

#define KEY(name) HOME, BYTES(name)

/* What is described, kind by kind. Each of these leaves keys for others to change. */

static void strings(struct bench *b)
{
    struct bytes key = BYTES("a key");

    CHECK(reads(b, change_bind(HOME, value_new_string(key, BYTES("one\n\xff"), EXPIRES_NEVER)),
                "SET \"a key\" \"one\\n\\xff\""));
    CHECK(reads(b, change_bind(HOME, value_new_string(key, BYTES("12"), 1700000000000)),
                "SET \"a key\" \"12\" PXAT 1700000000000"));
    CHECK(reads(b, change_assign(HOME, key, 2, BYTES("13")), "SET \"a key\" \"13\" KEEPTTL"));
    CHECK(reads(b, change_splice(HOME, key, 2, 0, BYTES("x")), "APPEND \"a key\" \"x\""));
    CHECK(reads(b, change_splice(HOME, key, 1, 2, BYTES("yz")), "SETRANGE \"a key\" 1 \"yz\""));
    CHECK(reads(b, change_splice(HOME, key, 1, 2, BYTES("abc")),
                "SETRANGE \"a key\" 1 \"abc\" (in place of 2 bytes)"));
}

static void all_of_a_key(struct bench *b)
{
    CHECK(reads(b, change_bind(2, value_new_string(BYTES(""), BYTES(""), EXPIRES_NEVER)),
                "[db 2] SET \"\" \"\""));
    CHECK(reads(b, change_retime(2, BYTES(""), 5), "[db 2] PEXPIREAT \"\" 5"));
    CHECK(reads(b, change_retime(2, BYTES(""), EXPIRES_NEVER), "[db 2] PERSIST \"\""));
    CHECK(reads(b, change_rekey(2, BYTES(""), HOME, BYTES("b")), "[db 2] MOVE \"\" 1 (as b)"));
    CHECK(reads(b, change_rekey(HOME, BYTES("b"), HOME, BYTES("user:1")), "RENAME b user:1"));
    CHECK(reads(b, change_rekey(HOME, BYTES("user:1"), 2, BYTES("user:1")), "MOVE user:1 2"));
    CHECK(reads(b, change_unbind(2, BYTES("user:1")), "[db 2] DEL user:1"));
}

static void hashes(struct bench *b)
{
    struct value *v = value_new(VALUE_HASH, BYTES("h"), EXPIRES_NEVER);

    CHECK(reads(b, change_bind(HOME, v), ""));
    CHECK(reads(b, change_field_set(KEY("h"), BYTES("f"), BYTES("")), "HSET h f \"\""));
    CHECK(reads(b, change_field_set(KEY("h"), BYTES("g g"), BYTES("1")), "HSET h \"g g\" \"1\""));
    CHECK(reads(b, change_field_retime(KEY("h"), BYTES("f"), 7), "HPEXPIREAT h 7 FIELDS 1 f"));
    CHECK(inverse_reads(b, "(puts back what was in h)"));
    CHECK(b->described[CHANGE_BODY]);
    CHECK(reads(b, change_field_retime(KEY("h"), BYTES("f"), EXPIRES_NEVER),
                "HPERSIST h FIELDS 1 f"));
    CHECK(reads(b, change_field_remove(KEY("h"), BYTES("f")), "HDEL h f"));
    CHECK(inverse_reads(b, "(puts back what was in h)"));
    CHECK(b->described[CHANGE_FIELD_RESTORE]);
}

static void sets(struct bench *b)
{
    struct value *s = value_new(VALUE_SET, BYTES("s"), EXPIRES_NEVER);
    struct value *z = value_new(VALUE_ZSET, BYTES("z"), EXPIRES_NEVER);

    CHECK(reads(b, change_bind(HOME, s), ""));
    CHECK(reads(b, change_set_add(KEY("s"), BYTES("m")), "SADD s \"m\""));
    CHECK(reads(b, change_set_remove(KEY("s"), BYTES("m")), "SREM s \"m\""));
    CHECK(reads(b, change_bind(HOME, z), ""));
    CHECK(reads(b, change_score_set(KEY("z"), BYTES("m"), -1.5), "ZADD z -1.5 \"m\""));
    CHECK(reads(b, change_score_set(KEY("z"), BYTES("m"), INFINITY), "ZADD z inf \"m\""));
    CHECK(reads(b, change_score_remove(KEY("z"), BYTES("m")), "ZREM z \"m\""));
}

static void lists(struct bench *b)
{
    struct value *v = value_new(VALUE_LIST, BYTES("l"), EXPIRES_NEVER);

    CHECK(reads(b, change_bind(HOME, v), ""));
    CHECK(reads(b, change_list_insert(KEY("l"), 0, BYTES("b")), "LPUSH l \"b\""));
    CHECK(reads(b, change_list_insert(KEY("l"), -1, BYTES("7")), "RPUSH l \"7\""));
    CHECK(reads(b, change_list_insert(KEY("l"), 1, BYTES("x")), "LINSERT l AT 1 \"x\""));
    CHECK(reads(b, change_list_insert(KEY("l"), -2, BYTES("y")), "LINSERT l AT -2 \"y\""));
    CHECK(reads(b, change_list_replace(KEY("l"), -1, BYTES("z")), "LSET l -1 \"z\""));
    CHECK(reads(b, change_list_remove(KEY("l"), 1, 2), "LREM l AT 1 COUNT 2"));
    CHECK(inverse_reads(b, "LINSERT l AT 1 \"x\" \"y\""));
    CHECK(reads(b, change_list_remove(KEY("l"), 0, 1), "LPOP l 1"));
    CHECK(reads(b, change_list_remove(KEY("l"), -1, 1), "RPOP l 1"));
}

static struct change add_entry(struct bench *b, uint64_t ms, const struct bytes *fields,
                               size_t pairs)
{
    b->scratch.len = 0;
    stream_put_fields(&b->scratch, fields, pairs);
    return change_entry_add(KEY("x"), (struct stream_id){ms, 2}, buf_bytes(&b->scratch));
}

static void streams(struct bench *b)
{
    const struct bytes fields[] = {BYTES("f"), BYTES("one"), BYTES("g"), BYTES("two")};
    struct stream_range two = {{1, 2}, {2, 2}}, one = {{3, 2}, {3, 2}};
    struct stream_meta meta = {{9, UINT64_MAX}, {3, 2}, 4};
    struct value *v = value_new(VALUE_STREAM, BYTES("x"), EXPIRES_NEVER);

    CHECK(reads(b, change_bind(HOME, v), "XADD x (0 in all)"));
    CHECK(reads(b, add_entry(b, 1, fields, 2), "XADD x 1-2 f \"one\" g \"two\""));
    CHECK(inverse_reads(b, "(puts back what was in x)"));
    CHECK(b->described[CHANGE_STREAM_BACK]);
    CHECK(reads(b, add_entry(b, 2, fields, 1), "XADD x 2-2 f \"one\""));
    CHECK(reads(b, add_entry(b, 3, fields, 1), "XADD x 3-2 f \"one\""));
    CHECK(reads(b, change_entry_remove(KEY("x"), two), "XTRIM x MINID 2-3"));
    CHECK(reads(b, change_entry_remove(KEY("x"), one), "XDEL x 3-2"));
    CHECK(reads(b, change_stream_meta(KEY("x"), &meta, &b->scratch),
                "XSETID x 9-18446744073709551615 ENTRIESADDED 4 MAXDELETEDID 3-2"));
}

static void groups(struct bench *b)
{
    struct delivery d = {BYTES("g"), BYTES("c"), {3, 2}, 1700000000000, 2};
    struct stream_id id = {3, 2};
    struct buf *scratch = &b->scratch;

    CHECK(reads(b, change_group_set(KEY("x"), BYTES("g"), STREAM_ID_MIN, -1, scratch),
                "XGROUP CREATE x g 0-0 MKSTREAM"));
    CHECK(reads(b, change_group_set(KEY("x"), BYTES("g"), id, 3, scratch),
                "XGROUP SETID x g 3-2 ENTRIESREAD 3"));
    CHECK(reads(b, change_consumer_set(KEY("x"), BYTES("g"), BYTES("c"), 99, scratch),
                "XGROUP CREATECONSUMER x g c (seen at 99)"));
    CHECK(reads(b, change_pending_set(KEY("x"), &d, scratch),
                "XCLAIM x g c 0 3-2 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID"));
    CHECK(reads(b, change_pending_remove(KEY("x"), BYTES("g"), id, scratch), "XACK x g 3-2"));
    CHECK(reads(b, change_consumer_remove(KEY("x"), BYTES("g"), BYTES("c"), scratch),
                "XGROUP DELCONSUMER x g c"));
    CHECK(reads(b, change_group_remove(KEY("x"), BYTES("g"), scratch), "XGROUP DESTROY x g"));
}

static void databases(struct bench *b)
{
    CHECK(reads(b, change_swap(0, 2), "SWAPDB 0 2"));
    CHECK(reads(b, change_flush(HOME), "FLUSHDB"));
    CHECK(reads(b, change_flush(0), "[db 0] FLUSHDB"));
}

static void texts(struct bench *b)
{
    CHECK(reads(b, change_text_put(TEXT_LIBRARY, text_new(BYTES("lib"), BYTES("text"))),
                "FUNCTION LOAD lib (4 bytes)"));
    CHECK(reads(b, change_text_remove(TEXT_LIBRARY, BYTES("lib")), "FUNCTION DELETE lib"));
    CHECK(reads(b, change_text_put(TEXT_SCRIPT, text_new(BYTES("a0"), BYTES("return 1"))),
                "SCRIPT LOAD a0 (8 bytes)"));
    CHECK(reads(b, change_text_remove(TEXT_SCRIPT, BYTES("a0")), "SCRIPT FLUSH a0"));
}

TEST(there_is_a_line_for_each_kind_of_change)
{
    struct bench b;

    bench_open(&b);
    strings(&b);
    all_of_a_key(&b);
    hashes(&b);
    sets(&b);
    lists(&b);
    streams(&b);
    groups(&b);
    databases(&b);
    texts(&b);
    for (size_t i = 0; i < CHANGE_KIND_END; i++) {
        CHECK(b.described[i]);
    }
    bench_close(&b);
}

TEST(a_collection_that_is_bound_shows_its_first_elements)
{
    const struct value_limits *limits = &value_limits_default;
    struct value *set = value_new(VALUE_SET, BYTES("s"), EXPIRES_NEVER);
    struct value *hash = value_new(VALUE_HASH, BYTES("h"), EXPIRES_NEVER);
    struct value *list = value_new(VALUE_LIST, BYTES("l"), EXPIRES_NEVER);
    struct value *zset = value_new(VALUE_ZSET, BYTES("z"), 1700000000000);
    struct bench b;

    bench_open(&b);
    for (char c = 'a'; c <= 'f'; c++) {
        struct bytes name = {&c, 1};
        value_fill_element(list, name, limits);
        value_fill_scored(zset, name, c - 'c', limits);
    }
    value_fill_member(set, BYTES("one"), limits);
    value_fill_field(hash, BYTES("f"), BYTES("content"), limits);
    value_fill_field(hash, BYTES("g"), BYTES("more"), limits);
    value_fill_field_expiry(hash, BYTES("g"), 77);

    CHECK(reads(&b, change_bind(HOME, set), "SADD s \"one\" (1 in all)"));
    CHECK(
        reads(&b, change_bind(HOME, list), "RPUSH l \"a\" \"b\" \"c\" \"d\" \"e\" ... (6 in all)"));
    CHECK(reads(&b, change_bind(HOME, zset),
                "ZADD z -2 \"a\" -1 \"b\" 0 \"c\" 1 \"d\" 2 \"e\" ... "
                "(6 in all, expires at 1700000000000)"));
    journal_make(&b.journal, change_bind(HOME, hash));
    describe(&b, &(struct change){.kind = CHANGE_BIND, .db = HOME, .value = hash}, NULL);
    CHECK(memmem(b.line.at, b.line.len, " (2 in all, the first expires at 77)", 36) != NULL);
    CHECK(memmem(b.line.at, b.line.len, " f \"content\"", 12) != NULL);
    bench_close(&b);
}

TEST(a_stream_that_is_bound_shows_its_first_entry)
{
    struct value *v = value_new(VALUE_STREAM, BYTES("x"), EXPIRES_NEVER);
    struct bench b;

    bench_open(&b);
    value_fill_entry(v, (struct stream_id){1, 1}, BYTES("\1\1f\2aa"), &value_limits_default);
    value_fill_entry(v, (struct stream_id){1, 2}, BYTES("\1\1f\2bb"), &value_limits_default);
    value_fill_group(v, BYTES("g"), STREAM_ID_MIN, 0);
    CHECK(reads(&b, change_bind(HOME, v), "XADD x 1-1 f \"aa\" ... (2 in all, groups: 1)"));
    bench_close(&b);
}

TEST(what_is_long_is_cut)
{
    enum { LEN = 129 };
    struct bytes fields[20];
    struct bytes word;
    char content[LEN], want[2 * LEN];
    struct bench b;

    bench_open(&b);
    memset(content, 'x', LEN);
    word = (struct bytes){content, LEN};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fields[i] = BYTES("f");
    }
    snprintf(want, sizeof want, "SET k \"%.128s\"...(129 bytes)", content);
    CHECK(reads(&b, change_bind(HOME, value_new_string(BYTES("k"), word, EXPIRES_NEVER)), want));
    snprintf(want, sizeof want, "DEL \"%.128s\"...(129 bytes)", content);
    journal_make(&b.journal, change_bind(HOME, value_new_string(word, word, EXPIRES_NEVER)));
    CHECK(reads(&b, change_unbind(HOME, word), want));

    journal_make(&b.journal, change_bind(HOME, value_new(VALUE_STREAM, BYTES("x"), EXPIRES_NEVER)));
    CHECK(reads(&b, add_entry(&b, 1, fields, 10),
                "XADD x 1-2 f \"f\" f \"f\" f \"f\" f \"f\" f \"f\" f \"f\" f \"f\" f \"f\" ... "
                "(10 fields)"));
    bench_close(&b);
}

int main(void)
{
    return RUN(there_is_a_line_for_each_kind_of_change,
               a_collection_that_is_bound_shows_its_first_elements,
               a_stream_that_is_bound_shows_its_first_entry, what_is_long_is_cut);
}
