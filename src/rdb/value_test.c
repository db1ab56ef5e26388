/* Values: what is written is read back equal, and what is not in order is refused. */
#include "base/mem.h"
#include "rdb/crc64.h"
#include "rdb/decode.h"
#include "rdb/encode.h"
#include "rdb/format.h"
#include "store/digest.h"
#include "store/list.h"
#include "store/stream.h"
#include "store/zset.h"
#include "test/lib/check.h"

#include <math.h>

static const struct value_limits low_limits = {
    .hash_max_packed_entries = 8,
    .hash_max_packed_value = 16,
    .set_max_intset_entries = 8,
    .set_max_packed_entries = 8,
    .set_max_packed_value = 16,
    .zset_max_packed_entries = 8,
    .zset_max_packed_value = 16,
};

static struct rdb_target target(void)
{
    return (struct rdb_target){BYTES("key"), EXPIRES_NEVER, &low_limits};
}

/* A random element: an integer, a short text or a longer one. */
static struct bytes element(struct random *random)
{
    static char text[200];
    size_t len;

    if (random_below(random, 2) == 0) {
        int64_t number = (int64_t)random_next(random) >> random_below(random, 64);
        return (struct bytes){text, number_format_int(text, number)};
    }
    len = random_below(random, random_below(random, 4) == 0 ? sizeof text : 8);
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)random_below(random, 256);
    }
    return (struct bytes){text, len};
}

static struct value *random_list(struct random *random, size_t count)
{
    struct value *v = value_new(VALUE_LIST, BYTES("key"), EXPIRES_NEVER);
    static char long_text[20000];

    count = random_below(random, 4) == 0 ? 100 * count : count;
    for (; count > 0; count--) {
        bool is_long = random_below(random, 100) == 0;
        value_fill_element(v,
                           is_long ? (struct bytes){long_text, sizeof long_text} : element(random),
                           &low_limits);
    }
    return v;
}

static struct value *random_set(struct random *random, size_t count)
{
    struct value *v = value_new(VALUE_SET, BYTES("key"), EXPIRES_NEVER);
    bool integers = random_below(random, 2) == 0;
    char digits[NUMBER_INT_MAX];

    do {
        int64_t number = (int64_t)random_next(random) >> random_below(random, 64);
        struct bytes member = {digits, number_format_int(digits, number)};
        value_fill_member(v, integers ? member : element(random), &low_limits);
    } while (value_count(v) < count);
    return v;
}

static struct value *random_hash(struct random *random, size_t count)
{
    struct value *v = value_new(VALUE_HASH, BYTES("key"), EXPIRES_NEVER);
    bool expiring = random_below(random, 3) == 0;
    struct bytes there;
    BUF_LOCAL(field);

    do {
        field.len = 0;
        buf_add(&field, element(random));
        if (!value_hash_get(v, buf_bytes(&field), 0, &there)) { /* It would stay a table. */
            value_fill_field(v, buf_bytes(&field), element(random), &low_limits);
            if (expiring && random_below(random, 2) == 0) {
                value_fill_field_expiry(v, buf_bytes(&field),
                                        1 + (int64_t)random_below(random, 1000));
            }
        }
    } while (value_count(v) < count);
    return v;
}

static double random_score(struct random *random)
{
    static const double some[] = {0, -0.0, 1, -1, 0.1, 1e300, 5e-324, INFINITY, -INFINITY, 1e17};
    size_t count = sizeof some / sizeof some[0];
    size_t i = random_below(random, 2 * count);

    return i < count ? some[i] : (double)(int64_t)random_next(random) / 3;
}

static struct value *random_zset(struct random *random, size_t count)
{
    struct value *v = value_new(VALUE_ZSET, BYTES("key"), EXPIRES_NEVER);

    do {
        value_fill_scored(v, element(random), random_score(random), &low_limits);
    } while (value_count(v) < count);
    return v;
}

static void fill_entries(struct random *random, struct value *v, size_t count)
{
    struct stream_id id = {random_below(random, 1000), 1};
    struct buf part[6] = {{0}};
    struct bytes fields[6];
    BUF_LOCAL(coded);

    for (size_t i = 0; i < count; i++) {
        size_t pairs = 1 + random_below(random, 3);
        for (size_t k = 0; k < 2 * pairs; k++) {
            bool is_new = i == 0 || k % 2 == 1 || random_below(random, 8) == 0;
            part[k].len = is_new ? 0 : part[k].len;
            buf_add(&part[k], is_new ? element(random) : (struct bytes){0});
            fields[k] = buf_bytes(&part[k]);
        }
        coded.len = 0;
        stream_put_fields(&coded, fields, pairs);
        CHECK(value_fill_entry(v, id, buf_bytes(&coded), &low_limits));
        id.ms += random_below(random, 3);
        id.seq += 1 + random_below(random, 3);
    }
    for (size_t k = 0; k < 6; k++) {
        buf_clear(&part[k]);
    }
}

static void fill_group(struct random *random, struct value *v, struct bytes name)
{
    static const struct bytes consumers[] = {{"one", 3}, {"2", 1}, {"", 0}};
    struct stream_walk walk = stream_from(v, STREAM_ID_MIN);
    struct stream_entry entry;

    CHECK(value_fill_group(v, name, stream_meta(v).last, (int64_t)random_below(random, 9) - 1));
    for (size_t i = 0; i < 3; i++) {
        CHECK(value_fill_consumer(v, name, consumers[i], (int64_t)random_below(random, 1000)));
    }
    while (stream_next(&walk, &entry)) {
        struct delivery d = {name, consumers[random_below(random, 3)], entry.id, 5,
                             random_below(random, 4)};
        if (random_below(random, 2) == 0) {
            CHECK(value_fill_pending(v, &d));
        }
    }
}

static struct value *random_stream(struct random *random, size_t count)
{
    struct value *v = value_new(VALUE_STREAM, BYTES("key"), EXPIRES_NEVER);
    struct stream_meta meta;

    fill_entries(random, v, random_below(random, 4) == 0 ? 30 * count : count - 1);
    meta = stream_meta(v);
    meta.last.ms += random_below(random, 2);
    meta.added += random_below(random, 100);
    meta.max_deleted.seq = random_below(random, 2);
    CHECK(value_fill_meta(v, &meta));
    for (size_t i = random_below(random, 3); i > 0; i--) {
        fill_group(random, v, i == 1 ? BYTES("group") : BYTES("17"));
    }
    return v;
}

static struct value *random_value(struct random *random)
{
    size_t count = 1 + random_below(random, 20);

    switch (random_below(random, 6)) {
    case 0:
        return value_new_string(BYTES("key"), element(random), EXPIRES_NEVER);
    case 1:
        return random_set(random, count);
    case 2:
        return random_zset(random, count);
    case 3:
        return random_list(random, count);
    case 4:
        return random_stream(random, count);
    default:
        return random_hash(random, count);
    }
}

TEST(what_was_dumped_is_restored)
{
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = 0; round < check_rounds(2000); round++) {
        struct rdb_target to = target();
        struct value *v = random_value(&random);
        struct value *read;
        BUF_LOCAL(dump);

        rdb_dump(v, random_below(&random, 2) == 0, &dump);
        CHECK(rdb_restore(buf_bytes(&dump), &to, &read) == RDB_RESTORED);
        value_check(read);
        CHECK(digest_equal(digest_value(v), digest_value(read)));
        CHECK(strcmp(value_encoding_name(v), value_encoding_name(read)) == 0);
        value_free(read);
        value_free(v);
    }
}

/* Makes of a type and content what DUMP would return, in a copy without a byte to spare. */
static enum rdb_restored restore(struct bytes content, struct value **v)
{
    static const uint16_t version = RDB_VERSION;
    struct rdb_target to = target();
    enum rdb_restored restored;
    uint64_t checksum;
    BUF_LOCAL(payload);
    char *copy;

    buf_add(&payload, content);
    buf_add(&payload, (struct bytes){(char *)&version, sizeof version});
    checksum = crc64(0, buf_bytes(&payload));
    buf_add(&payload, (struct bytes){(char *)&checksum, sizeof checksum});
    copy = mem_alloc(payload.len);
    memcpy(copy, payload.at, payload.len);
    restored = rdb_restore((struct bytes){copy, payload.len}, &to, v);
    mem_free(copy);
    return restored;
}

static bool is_damaged(struct bytes content)
{
    struct value *v;

    if (restore(content, &v) == RDB_DAMAGED) {
        return true;
    }
    value_free(v);
    return false;
}

static bool is_hash(struct bytes content, struct bytes field, struct bytes expected)
{
    struct value *v;
    struct bytes found;
    bool fine;

    if (restore(content, &v) != RDB_RESTORED) {
        return false;
    }
    fine = value_type(v) == VALUE_HASH && value_hash_get(v, field, 0, &found) &&
           bytes_equal(found, expected);
    value_free(v);
    return fine;
}

static bool is_set(struct bytes content, size_t count, struct bytes member)
{
    struct value *v;
    bool fine;

    if (restore(content, &v) != RDB_RESTORED) {
        return false;
    }
    fine = value_type(v) == VALUE_SET && value_count(v) == count && value_set_has(v, member);
    value_free(v);
    return fine;
}

TEST(hashes_of_all_encodings_are_read)
{
    CHECK(is_hash(BYTES("\x04\x01\x01"
                        "f\x01"
                        "v"),
                  BYTES("f"), BYTES("v")));
    CHECK(is_hash(BYTES("\x04\x01\x01"
                        "f\xc0\x05"),
                  BYTES("f"), BYTES("5")));
    CHECK(is_hash(BYTES("\x09\x07\x01\x01"
                        "f\x01\0v\xff"),
                  BYTES("f"), BYTES("v")));
    CHECK(is_hash(BYTES("\x0d\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01"
                        "f\x03\x01"
                        "v\xff"),
                  BYTES("f"), BYTES("v")));
    CHECK(is_hash(BYTES("\x10\x0d\x0d\0\0\0\x02\0\x81"
                        "f\x02\x81"
                        "v\x02\xff"),
                  BYTES("f"), BYTES("v")));
}

static bool expires_at(struct bytes content, int64_t expires_ms)
{
    struct value *v;
    bool fine;

    if (restore(content, &v) != RDB_RESTORED) {
        return false;
    }
    fine = value_hash_count(v, 0) == 2 && value_hash_expires_ms(v, BYTES("f")) == expires_ms &&
           value_hash_expires_ms(v, BYTES("g")) == EXPIRES_NEVER;
    value_free(v);
    return fine;
}

TEST(when_fields_expire_is_read)
{
    struct bytes whole = BYTES("\x18\x05\0\0\0\0\0\0\0\x02\x03\x01"
                               "f\x01v"
                               "\0\x01g\x01w");
    struct bytes pack = BYTES("\x19\x05\0\0\0\0\0\0\0\x17\x17\0\0\0\x06\0"
                              "\x81"
                              "f\x02\x81v\x02\x07\x01"
                              "\x81g\x02\x81w\x02\0\x01\xff");
    struct bytes before = BYTES("\x18\xff\xff\xff\xff\xff\xff\xff\xff\x01\x03\x01"
                                "f\x01v");

    CHECK(expires_at(whole, 7));
    CHECK(expires_at(BYTES("\x16\x02\x07\x01"
                           "f\x01v"
                           "\0\x01g\x01w"),
                     7));
    CHECK(expires_at(pack, 7));
    CHECK(expires_at(BYTES("\x17\x17\x17\0\0\0\x06\0"
                           "\x81"
                           "f\x02\x81v\x02\x07\x01"
                           "\x81g\x02\x81w\x02\0\x01\xff"),
                     7));
    CHECK(is_damaged(before));
}

TEST(sets_of_all_encodings_are_read)
{
    CHECK(is_set(BYTES("\x02\x02\x01"
                       "a\x01"
                       "b"),
                 2, BYTES("b")));
    CHECK(is_set(BYTES("\x0b\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0"), 2, BYTES("2")));
    CHECK(is_set(BYTES("\x14\x0d\x0d\0\0\0\x02\0\x81"
                       "a\x02\x81"
                       "b\x02\xff"),
                 2, BYTES("b")));
}

static bool is_list(struct bytes content, size_t count, struct bytes first)
{
    char text[NUMBER_INT_MAX];
    struct bytes element;
    struct value *v;
    bool fine;

    if (restore(content, &v) != RDB_RESTORED) {
        return false;
    }
    fine = value_type(v) == VALUE_LIST && value_count(v) == count &&
           value_list_at(v, 0, text, &element) && bytes_equal(element, first);
    value_free(v);
    return fine;
}

#define ZIPLIST_OF_B                                                                               \
    "\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01"                                                         \
    "b\xff"
#define LISTPACK_OF_C                                                                              \
    "\x0a\x0a\0\0\0\x01\0\x81"                                                                     \
    "c\x02\xff"

TEST(lists_of_all_encodings_are_read)
{
    CHECK(is_list(BYTES("\x01\x02\x01"
                        "a\x01"
                        "a"),
                  2, BYTES("a")));
    CHECK(is_list(BYTES("\x0a" ZIPLIST_OF_B), 1, BYTES("b")));
    CHECK(is_list(BYTES("\x0e\x02" ZIPLIST_OF_B ZIPLIST_OF_B), 2, BYTES("b")));
    CHECK(is_list(BYTES("\x12\x02\x02" LISTPACK_OF_C "\x01\x05"
                        "plain"),
                  2, BYTES("c")));
    CHECK(is_damaged(BYTES("\x12\x01\x03" LISTPACK_OF_C)));
    CHECK(is_damaged(BYTES("\x12\x02\x02" LISTPACK_OF_C)));
}

static bool is_zset(struct bytes content, struct bytes member, double expected)
{
    struct value *v;
    double score;
    bool fine;

    if (restore(content, &v) != RDB_RESTORED) {
        return false;
    }
    fine = value_type(v) == VALUE_ZSET && value_zset_score(v, member, &score) &&
           score >= expected && score <= expected;
    value_free(v);
    return fine;
}

TEST(sorted_sets_of_all_encodings_are_read)
{
    CHECK(is_zset(BYTES("\x03\x01\x01"
                        "a\x03"
                        "1.5"),
                  BYTES("a"), 1.5));
    CHECK(is_zset(BYTES("\x03\x01\x01"
                        "a\xfe"),
                  BYTES("a"), INFINITY));
    CHECK(is_zset(BYTES("\x05\x01\x01"
                        "a\0\0\0\0\0\0\xf8\x3f"),
                  BYTES("a"), 1.5));
    CHECK(is_zset(BYTES("\x0c\x10\x10\0\0\0\x0d\0\0\0\x02\0\0\x01"
                        "a\x03\xf8\xff"),
                  BYTES("a"), 7));
    CHECK(is_zset(BYTES("\x11\x0c\x0c\0\0\0\x02\0\x81"
                        "a\x02\x07\x01\xff"),
                  BYTES("a"), 7));
}

/* As Redis 7.0 has written it: entries 1-1 and 2-5, and 2-0, which was deleted; a group
 * with a consumer to whom 1-1 was delivered, and one who has got nothing. */
static const char stream_of_redis[] =
    "\023\001\020\000\000\000\000\000\000\000\001\000\000\000\000\000\000\000"
    "\001@EE\000\000\000\031\000\002\001\001\001\002\001\201a\002\201b\002\000"
    "\001\002\001\000\001\000\001\001\001\203two\004\005\001\003\001\001\001"
    "\337\377\002\002\001\205three\006\005\001\000\001\001\001\004\001\001\001"
    "\201c\002\003\001\006\001\377\002\002\005\001\001\002\000\003\001\001g\001"
    "\001\201\377\377\377\377\377\377\377\377\001\000\000\000\000\000\000\000"
    "\001\000\000\000\000\000\000\000\001\340\267`\020\242\001\000\000\001\002"
    "\002me\340\267`\020\242\001\000\000\001\000\000\000\000\000\000\000\001"
    "\000\000\000\000\000\000\000\001\003you\350\267`\020\242\001\000\000\000";

TEST(a_stream_of_redis_is_read)
{
    struct value *v;
    struct stream_entry entry;
    struct stream_walk walk;
    const struct stream_group *g;

    CHECK(restore((struct bytes){stream_of_redis, sizeof stream_of_redis - 1}, &v) == RDB_RESTORED);
    value_check(v);
    CHECK(stream_count(v) == 2);
    CHECK(stream_meta(v).added == 3);
    CHECK(stream_meta(v).max_deleted.ms == 2);
    walk = stream_back_from(v, STREAM_ID_MAX);
    CHECK(stream_next(&walk, &entry));
    CHECK(entry.id.ms == 2 && entry.id.seq == 5);
    CHECK(entry.count == 1);
    g = stream_group(v, BYTES("g"));
    CHECK(group_consumers(g) == 2);
    CHECK(group_pending(g, (struct stream_id){1, 1}) != NULL);
    CHECK(consumer_pending_count(group_consumer(g, BYTES("me"))) == 1);
    value_free(v);
}

TEST(collections_that_are_not_in_order_are_refused)
{
    CHECK(is_damaged(BYTES("\x02\x02\x01"
                           "a\x01"
                           "a"))); /* The same twice. */
    CHECK(is_damaged(BYTES("\x04\x02\x01"
                           "f\x01"
                           "v\x01"
                           "f\x01"
                           "w")));
    CHECK(is_damaged(BYTES("\x10\x0d\x0d\0\0\0\x02\0\x81"
                           "f\x02\x81"
                           "v\x03\xff")));
    CHECK(is_damaged(BYTES("\x05\x01\x01"
                           "a\0\0\0\0\0\0\xf8\x7f"))); /* NaN. */
    CHECK(is_damaged(BYTES("\x03\x01\x01"
                           "a\xfd")));
    CHECK(is_damaged(BYTES("\x03\x01\x01"
                           "a\x03nan")));
    CHECK(is_damaged(BYTES("\x10\x0a\x0a\0\0\0\x01\0\x81"
                           "f\x02\xff"))); /* No pair. */
    CHECK(is_damaged(BYTES("\x02\0")));    /* Nothing. */
    CHECK(is_damaged(BYTES("\x0b\x08\x02\0\0\0\0\0\0\0")));
    CHECK(is_damaged(BYTES("\x02\x80\x7f\xff\xff\xff\x01"
                           "a"))); /* Too much. */
    CHECK(is_damaged(BYTES("\x02\x01\x01"
                           "a more")));
    CHECK(is_damaged(BYTES("\x06\x01\x01"
                           "a"))); /* No such type. */
    CHECK(is_damaged(BYTES("\x08\x01\x01"
                           "a")));
    CHECK(is_damaged(BYTES("\xf0\x01\x01"
                           "a")));
    CHECK(is_damaged(BYTES("")));
}

TEST(payloads_that_are_none_are_told_apart)
{
    struct rdb_target to = target();
    struct value *v = value_new_string(BYTES("key"), BYTES("content"), EXPIRES_NEVER);
    struct value *read;
    uint64_t checksum;
    BUF_LOCAL(dump);

    rdb_dump(v, true, &dump);
    value_free(v);
    CHECK(rdb_restore(BYTES(""), &to, &read) == RDB_UNKNOWN);
    CHECK(rdb_restore(BYTES("nothing"), &to, &read) == RDB_UNKNOWN);
    dump.at[2] ^= 1;
    CHECK(rdb_restore(buf_bytes(&dump), &to, &read) == RDB_UNKNOWN);
    dump.at[2] ^= 1;
    dump.at[dump.len - 10] = RDB_VERSION_READ + 1;
    checksum = crc64(0, (struct bytes){dump.at, dump.len - 8});
    memcpy(dump.at + dump.len - 8, &checksum, sizeof checksum);
    CHECK(rdb_restore(buf_bytes(&dump), &to, &read) == RDB_UNKNOWN);
}

TEST(damaged_values_are_refused_or_sound)
{
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = 0; round < check_rounds(5000); round++) {
        struct value *v = random_value(&random);
        struct value *read;
        BUF_LOCAL(dump);

        rdb_dump(v, random_below(&random, 2) == 0, &dump);
        for (size_t i = random_below(&random, 3); i < 3; i++) {
            dump.at[random_below(&random, dump.len - 10)] = (char)random_below(&random, 256);
        }
        if (restore((struct bytes){dump.at, dump.len - 10}, &read) == RDB_RESTORED) {
            value_check(read);
            CHECK(!value_is_over(read));
            value_free(read);
        }
        value_free(v);
    }
}

int main(void)
{
    return RUN(what_was_dumped_is_restored, hashes_of_all_encodings_are_read,
               when_fields_expire_is_read, lists_of_all_encodings_are_read,
               sets_of_all_encodings_are_read, sorted_sets_of_all_encodings_are_read,
               a_stream_of_redis_is_read, collections_that_are_not_in_order_are_refused,
               payloads_that_are_none_are_told_apart, damaged_values_are_refused_or_sound);
}
