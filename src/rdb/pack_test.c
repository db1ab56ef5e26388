#include "rdb/pack.h"

#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

/* Appends the elements of a pack, each with a space behind it. Returns false if it is
 * damaged. */
static bool spell(const struct pack_format *format, struct bytes pack, struct buf *out)
{
    struct pack_walk walk;
    struct pack_element element;
    enum pack_result result;

    if (!format->open(&walk, pack)) {
        return false;
    }
    while ((result = format->next(&walk, &element)) == PACK_ELEMENT) {
        buf_add(out, element.bytes);
        buf_add_byte(out, ' ');
    }
    return result == PACK_END;
}

/* The pack is copied, so that the sanitizers see what is read behind it. */
static bool is_spelled(const struct pack_format *format, struct bytes pack, const char *expected)
{
    BUF_LOCAL(found);
    char *copy = mem_alloc(pack.len);
    bool fine;

    memcpy(copy, pack.at, pack.len);
    fine = spell(format, (struct bytes){copy, pack.len}, &found);
    mem_free(copy);
    return fine && bytes_equal(buf_bytes(&found), bytes_of(expected));
}

static bool is_damaged(const struct pack_format *format, struct bytes pack)
{
    BUF_LOCAL(found);
    char *copy = mem_alloc(pack.len + 1);
    bool fine;

    memcpy(copy, pack.at, pack.len);
    fine = spell(format, (struct bytes){copy, pack.len}, &found);
    mem_free(copy);
    return !fine;
}

/* Nothing that can be done to a pack may lead out of it. */
static void damage(const struct pack_format *format, struct bytes pack, struct random *random)
{
    char *copy = mem_alloc(pack.len);

    for (size_t round = 0; round < check_rounds(300); round++) {
        BUF_LOCAL(found);
        memcpy(copy, pack.at, pack.len);
        for (size_t i = random_below(random, 3); i < 3; i++) {
            copy[random_below(random, pack.len)] = (char)random_below(random, 256);
        }
        spell(format, (struct bytes){copy, pack.len}, &found);
    }
    for (size_t len = 0; len < pack.len; len++) {
        CHECK(is_damaged(format, (struct bytes){pack.at, len}));
    }
    mem_free(copy);
}

/* Listpacks. */

static void add_random(struct random *random, struct buf *pack, struct buf *expected)
{
    static char text[70000];
    char digits[NUMBER_INT_MAX];
    struct bytes element;
    int64_t number;

    if (random_below(random, 2) == 0) {
        number = (int64_t)random_next(random) >> random_below(random, 64);
        element = (struct bytes){digits, number_format_int(digits, number)};
    } else {
        size_t len = random_below(random, random_below(random, 50) == 0 ? sizeof text : 200);
        memset(text, 'a', len);
        element = (struct bytes){text, len};
    }
    listpack_add(pack, element);
    buf_add(expected, element);
    buf_add_byte(expected, ' ');
}

TEST(listpacks_are_read_as_they_were_built)
{
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = 0; round < check_rounds(200); round++) {
        size_t count = random_below(&random, 30);
        BUF_LOCAL(pack);
        BUF_LOCAL(expected);
        BUF_LOCAL(found);
        listpack_begin(&pack);
        for (size_t i = 0; i < count; i++) {
            add_random(&random, &pack, &expected);
        }
        listpack_end(&pack, count);
        CHECK(spell(&listpack_format, buf_bytes(&pack), &found));
        CHECK(bytes_equal(buf_bytes(&found), buf_bytes(&expected)));
        if (pack.len < 500) {
            damage(&listpack_format, buf_bytes(&pack), &random);
        }
    }
}

TEST(integers_at_the_limits_of_their_encodings_survive)
{
    BUF_LOCAL(pack);
    BUF_LOCAL(expected);
    BUF_LOCAL(found);
    size_t count = 0;

    listpack_begin(&pack);
    for (unsigned bit = 0; bit < 63; bit++) {
        for (int64_t by = -1; by <= 1; by++) {
            int64_t number = (INT64_C(1) << bit) + by;
            listpack_add_int(&pack, number);
            listpack_add_int(&pack, -number);
            buf_addf(&expected, "%lld %lld ", (long long)number, (long long)-number);
            count += 2;
        }
    }
    listpack_add_int(&pack, INT64_MIN);
    buf_addf(&expected, "-9223372036854775808 ");
    listpack_end(&pack, count + 1);
    CHECK(spell(&listpack_format, buf_bytes(&pack), &found));
    CHECK(bytes_equal(buf_bytes(&found), buf_bytes(&expected)));
}

TEST(texts_at_the_limits_of_their_encodings_survive)
{
    static const size_t lengths[] = {63,    64,    123,   126,   127,     4095,    4096,
                                     16377, 16378, 16380, 16383, 2097145, 2097151, 2097160};
    static char text[2097160];

    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        BUF_LOCAL(pack);
        BUF_LOCAL(found);
        listpack_begin(&pack);
        listpack_add(&pack, (struct bytes){text, lengths[i]});
        listpack_end(&pack, 1);
        CHECK(spell(&listpack_format, buf_bytes(&pack), &found));
        CHECK(found.len == lengths[i] + 1);
    }
}

TEST(many_elements_are_not_counted)
{
    BUF_LOCAL(pack);
    BUF_LOCAL(found);

    listpack_begin(&pack);
    for (size_t i = 0; i < 70000; i++) {
        listpack_add_int(&pack, 1);
    }
    listpack_end(&pack, 70000);
    CHECK(spell(&listpack_format, buf_bytes(&pack), &found));
    CHECK(found.len == 140000);
}

TEST(a_listpack_knows_its_elements)
{
    CHECK(is_spelled(&listpack_format,
                     BYTES("\x0c\0\0\0\x02\0\x05\x01\x81"
                           "a\x02\xff"),
                     "5 a "));
    CHECK(is_damaged(&listpack_format, BYTES("\x0c\0\0\0\x03\0\x05\x01\x81"
                                             "a\x02\xff")));
    CHECK(is_damaged(&listpack_format, BYTES("\x0c\0\0\0\x02\0\x05\x01\x81"
                                             "a\x03\xff")));
    CHECK(is_damaged(&listpack_format, BYTES("\x0c\0\0\0\x02\0\x05\x01\x82"
                                             "a\x02\xff")));
    CHECK(is_damaged(&listpack_format, BYTES("\x0d\0\0\0\x02\0\x05\x01\x81"
                                             "a\x02\xff")));
}

/* Ziplists: "hello", 7, 1000, -5, written by hand. */

#define ZIPLIST_ELEMENTS "\0\x05hello\x07\xf8\x02\xc0\xe8\x03\x04\xfe\xfb"

TEST(ziplists_are_read)
{
    struct random random;

    CHECK(is_spelled(&ziplist_format, BYTES("\x0b\0\0\0\x0a\0\0\0\0\0\xff"), ""));
    CHECK(is_spelled(&ziplist_format, BYTES("\x1b\0\0\0\x17\0\0\0\x04\0" ZIPLIST_ELEMENTS "\xff"),
                     "hello 7 1000 -5 "));
    random_seed(&random, check_seed());
    damage(&ziplist_format, BYTES("\x1b\0\0\0\x17\0\0\0\x04\0" ZIPLIST_ELEMENTS "\xff"), &random);
}

TEST(all_integers_of_ziplists_are_read)
{
    CHECK(is_spelled(&ziplist_format,
                     BYTES("\x22\0\0\0\x1f\0\0\0\x04\0"
                           "\x00\xf0\xff\xff\x7f"
                           "\x05\xd0\x00\x00\x00\x80"
                           "\x06\xe0\xff\xff\xff\xff\xff\xff\xff\x7f"
                           "\x0a\xf1"
                           "\xff"),
                     "8388607 -2147483648 9223372036854775807 0 "));
}

TEST(ziplists_that_contradict_themselves_are_refused)
{
    /* The number of elements, the offset of the last one, the size of the one before. */
    CHECK(is_damaged(&ziplist_format, BYTES("\x1b\0\0\0\x17\0\0\0\x05\0" ZIPLIST_ELEMENTS "\xff")));
    CHECK(is_damaged(&ziplist_format, BYTES("\x1b\0\0\0\x16\0\0\0\x04\0" ZIPLIST_ELEMENTS "\xff")));
    CHECK(is_damaged(&ziplist_format, BYTES("\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf1\x03\xf1\xff")));
}

/* Zipmaps: foo = bar, with two bytes unused, and an empty field. */

TEST(zipmaps_are_read)
{
    struct random random;

    CHECK(is_spelled(&zipmap_format, BYTES("\0\xff"), ""));
    CHECK(is_spelled(&zipmap_format,
                     BYTES("\x02\x03"
                           "foo\x03\x02"
                           "bar\0\0\0\x01\0x\xff"),
                     "foo bar  x "));
    CHECK(is_damaged(&zipmap_format, BYTES("\x01\x03"
                                           "foo\x03\x02"
                                           "bar\0\0\0\x01\0x\xff")));
    CHECK(is_damaged(&zipmap_format, BYTES("\x01\x03"
                                           "foo\xff")));
    random_seed(&random, check_seed());
    damage(&zipmap_format,
           BYTES("\x02\x03"
                 "foo\x03\x02"
                 "bar\0\0\0\x01\0x\xff"),
           &random);
}

/* Sets of integers. */

TEST(sets_of_integers_are_read_as_they_were_built)
{
    static const int64_t numbers[] = {INT64_MIN, INT32_MIN, INT16_MIN, -1,
                                      0,         INT16_MAX, INT32_MAX, INT64_MAX};
    BUF_LOCAL(pack);

    pack_intset_begin(&pack, 8, 8);
    for (size_t i = 0; i < 8; i++) {
        pack_intset_add(&pack, numbers[i], 8);
    }
    CHECK(is_spelled(&intset_format, buf_bytes(&pack),
                     "-9223372036854775808 -2147483648 -32768 -1 0 32767 2147483647 "
                     "9223372036854775807 "));
}

TEST(sets_of_integers_in_disorder_are_refused)
{
    CHECK(is_spelled(&intset_format, BYTES("\2\0\0\0\2\0\0\0\xff\xff\1\0"), "-1 1 "));
    CHECK(is_damaged(&intset_format, BYTES("\2\0\0\0\2\0\0\0\1\0\xff\xff")));
    CHECK(is_damaged(&intset_format, BYTES("\2\0\0\0\2\0\0\0\1\0\1\0")));
    CHECK(is_damaged(&intset_format, BYTES("\3\0\0\0\2\0\0\0\1\0\2\0\3\0")));
    CHECK(is_damaged(&intset_format, BYTES("\2\0\0\0\3\0\0\0\1\0\2\0")));
}

int main(void)
{
    return RUN(
        listpacks_are_read_as_they_were_built, integers_at_the_limits_of_their_encodings_survive,
        texts_at_the_limits_of_their_encodings_survive, many_elements_are_not_counted,
        a_listpack_knows_its_elements, ziplists_are_read, all_integers_of_ziplists_are_read,
        ziplists_that_contradict_themselves_are_refused, zipmaps_are_read,
        sets_of_integers_are_read_as_they_were_built, sets_of_integers_in_disorder_are_refused);
}
