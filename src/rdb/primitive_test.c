/* The elements that the format consists of: checksums, compression, lengths, strings. */
#include "base/mem.h"
#include "base/number.h"
#include "base/random.h"
#include "rdb/crc64.h"
#include "rdb/lzf.h"
#include "rdb/reader.h"
#include "rdb/writer.h"
#include "test/lib/check.h"

#include <math.h>

/* The checksum. */

TEST(the_checksum_is_that_of_the_catalogue)
{
    CHECK(crc64(0, BYTES("")) == 0);
    CHECK(crc64(0, BYTES("123456789")) == UINT64_C(0xe9c6d914c4b8d9ca));
}

TEST(a_checksum_may_be_taken_in_pieces)
{
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    size_t len = strlen(text);
    uint64_t whole = crc64(0, (struct bytes){text, len});

    for (size_t cut = 0; cut <= len; cut++) {
        uint64_t first = crc64(0, (struct bytes){text, cut});
        CHECK(crc64(first, (struct bytes){text + cut, len - cut}) == whole);
    }
}

/* Compression. */

/* Fills with letters of an alphabet of `letters`, of which some repeat what was before. */
static void fill_text(struct random *random, char *out, size_t len, size_t letters)
{
    for (size_t i = 0; i < len; i++) {
        bool repeats = i > 100 && random_below(random, 8) > 0;
        out[i] =
            repeats ? out[i - 1 - random_below(random, 90)] : (char)random_below(random, letters);
    }
}

static void expect_round_trip(struct bytes text)
{
    BUF_LOCAL(compressed);
    BUF_LOCAL(expanded);
    size_t len =
        lzf_compress(text, buf_reserve(&compressed, text.len + 1), text.len > 0 ? text.len - 1 : 0);

    CHECK(len < text.len || len == 0);
    if (len > 0) {
        buf_reserve(&expanded, text.len);
        CHECK(lzf_expand((struct bytes){compressed.at, len}, expanded.at, text.len));
        CHECK(memcmp(expanded.at, text.at, text.len) == 0);
        CHECK(!lzf_expand((struct bytes){compressed.at, len}, expanded.at, text.len - 1));
        CHECK(!lzf_expand((struct bytes){compressed.at, len - 1}, expanded.at, text.len));
        CHECK(text.len / LZF_EXPANSION <= len);
    }
}

TEST(what_was_compressed_can_be_expanded)
{
    static char text[70000];
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = 0; round < check_rounds(500); round++) {
        size_t len = random_below(&random, 10) == 0 ? random_below(&random, sizeof text)
                                                    : random_below(&random, 300);
        fill_text(&random, text, len, 1 + random_below(&random, 256));
        expect_round_trip((struct bytes){text, len});
    }
}

TEST(equal_bytes_are_compressed_to_little)
{
    static char text[10000], out[10000];

    CHECK(lzf_compress((struct bytes){text, sizeof text}, out, sizeof text - 1) < 200);
}

TEST(random_bytes_are_not_compressed)
{
    static char text[1000], out[1000];
    struct random random;

    random_seed(&random, 1);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)random_below(&random, 256);
    }
    CHECK(lzf_compress((struct bytes){text, sizeof text}, out, sizeof text - 1) == 0);
}

TEST(damaged_compression_is_found_or_expands_to_something)
{
    char in[40], out[200];
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = 0; round < check_rounds(50000); round++) {
        size_t len = random_below(&random, sizeof in);
        for (size_t i = 0; i < len; i++) {
            in[i] = (char)random_below(&random, 256);
        }
        lzf_expand((struct bytes){in, len}, out, random_below(&random, sizeof out));
    }
}

/* Reading what was written. */

TEST(lengths_are_read_as_they_were_written)
{
    static const uint64_t lengths[] = {
        0,          1, 63, 64, 16383, 16384, 65536, UINT32_MAX - 1, UINT32_MAX, UINT64_C(1) << 32,
        UINT64_MAX,
    };
    RDB_WRITER_LOCAL(w) = {.file = RDB_NO_FILE};
    struct rdb_reader r;
    uint64_t read;

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        rdb_write_length(&w, lengths[i]);
    }
    r = rdb_reader_of(buf_bytes(&w.out));
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        CHECK(rdb_read_length(&r, &read));
        CHECK(read == lengths[i]);
    }
    CHECK(rdb_left(&r) == 0);
    CHECK(!rdb_read_length(&r, &read));
    CHECK(r.problem != NULL);
}

static void expect_text(struct bytes text, bool compresses, size_t size_max)
{
    RDB_WRITER_LOCAL(w) = {.file = RDB_NO_FILE, .compresses = compresses};
    RDB_TEXT_LOCAL(read);
    struct rdb_reader r;

    rdb_write_text(&w, text);
    CHECK(w.out.len <= size_max);
    r = rdb_reader_of(buf_bytes(&w.out));
    CHECK(rdb_read_text(&r, &read));
    CHECK(bytes_equal(read.bytes, text));
    CHECK(rdb_left(&r) == 0);
    for (size_t len = 0; len < w.out.len; len++) {
        r = rdb_reader_of((struct bytes){w.out.at, len});
        CHECK(!rdb_read_text(&r, &read));
    }
}

TEST(strings_are_read_as_they_were_written)
{
    static const char zeros[1000];

    expect_text(BYTES(""), true, 1);
    expect_text(BYTES("word"), true, 5);
    expect_text(BYTES("0"), true, 2);
    expect_text(BYTES("-128"), true, 2);
    expect_text(BYTES("32767"), true, 3);
    expect_text(BYTES("-2147483648"), true, 5);
    expect_text(BYTES("2147483648"), true, 11);
    expect_text(BYTES("007"), true, 4);
    expect_text((struct bytes){zeros, sizeof zeros}, true, 50);
    expect_text((struct bytes){zeros, sizeof zeros}, false, sizeof zeros + 2);
}

static const char *problem_of(struct bytes in)
{
    RDB_TEXT_LOCAL(text);
    struct rdb_reader r = rdb_reader_of(in);

    CHECK(!rdb_read_text(&r, &text));
    CHECK(text.kept.cap < 1000);
    return r.problem;
}

TEST(lengths_that_cannot_be_are_refused)
{
    CHECK(problem_of(BYTES("")) != NULL);
    CHECK(problem_of(BYTES("\x05"
                           "abcd")) != NULL);
    CHECK(problem_of(BYTES("\x82"
                           "abcd")) != NULL);
    CHECK(problem_of(BYTES("\xc4"
                           "abcd")) != NULL);
    CHECK(problem_of(BYTES("\x80\xff\xff\xff\xff"
                           "abcd")) != NULL);
    CHECK(problem_of(BYTES("\x81\xff\xff\xff\xff\xff\xff\xff\xff"
                           "abcd")) != NULL);
    CHECK(problem_of(BYTES("\xc3\x02\x80\x7f\xff\xff\xff"
                           "ab")) != NULL); /* Of 2 GiB. */
    CHECK(problem_of(BYTES("\xc3\x02\x04"
                           "ab")) != NULL);
}

TEST(no_more_elements_are_believed_in_than_there_are_bytes)
{
    struct rdb_reader r = rdb_reader_of(BYTES("\x04"
                                              "abcd"));
    uint64_t count;

    CHECK(rdb_read_count(&r, 1, &count));
    CHECK(count == 4);
    r = rdb_reader_of(BYTES("\x04"
                            "abcd"));
    CHECK(!rdb_read_count(&r, 2, &count));
}

TEST(scores_are_read_as_they_were_written)
{
    static const double scores[] = {0, -0.0, 1.5, 1e300, INFINITY, -INFINITY};
    RDB_WRITER_LOCAL(w) = {.file = RDB_NO_FILE};
    struct rdb_reader r;
    double read;

    for (size_t i = 0; i < sizeof scores / sizeof scores[0]; i++) {
        rdb_write_double(&w, scores[i]);
    }
    r = rdb_reader_of(buf_bytes(&w.out));
    for (size_t i = 0; i < sizeof scores / sizeof scores[0]; i++) {
        CHECK(rdb_read_double(&r, &read));
        CHECK(memcmp(&read, &scores[i], sizeof read) == 0);
    }
    rdb_write_double(&w, NAN);
    r = rdb_reader_of((struct bytes){w.out.at + w.out.len - 8, 8});
    CHECK(!rdb_read_double(&r, &read));
}

TEST(scores_in_decimal_are_read)
{
    struct rdb_reader r = rdb_reader_of(BYTES("\x03"
                                              "1.5"
                                              "\xfe"
                                              "\xff"
                                              "\xfd"));
    double read;

    CHECK(rdb_read_decimal(&r, &read));
    CHECK(read >= 1.5 && read <= 1.5);
    CHECK(rdb_read_decimal(&r, &read));
    CHECK(isinf(read) && read > 0);
    CHECK(rdb_read_decimal(&r, &read));
    CHECK(isinf(read) && read < 0);
    CHECK(!rdb_read_decimal(&r, &read));
}

TEST(a_file_gets_what_memory_would)
{
    static char long_text[200000];
    FILE *file = tmpfile();
    RDB_WRITER_LOCAL(w) = {.file = fileno(file)};
    BUF_LOCAL(expected);
    BUF_LOCAL(found);
    size_t len;

    for (size_t i = 0; i < 20000; i++) {
        size_t size = i % 5000 == 0 ? sizeof long_text : i % 100;
        rdb_write_bytes(&w, (struct bytes){long_text, size});
        buf_add(&expected, (struct bytes){long_text, size});
        CHECK(w.out.len < 70000);
        long_text[i] = (char)i;
    }
    CHECK(rdb_flush(&w) == 0);
    CHECK(w.file_size == expected.len);
    CHECK(w.checksum == crc64(0, buf_bytes(&expected)));
    rewind(file);
    buf_reserve(&found, expected.len + 1);
    len = fread(found.at, 1, expected.len + 1, file);
    CHECK(bytes_equal((struct bytes){found.at, len}, buf_bytes(&expected)));
    fclose(file);
}

TEST(a_full_disk_is_told)
{
    FILE *file = fopen("/dev/full", "w");
    RDB_WRITER_LOCAL(w) = {.file = fileno(file)};

    rdb_write_text(&w, BYTES("word"));
    CHECK(rdb_flush(&w) < 0);
    CHECK(rdb_flush(&w) < 0);
    fclose(file);
}

int main(void)
{
    return RUN(
        the_checksum_is_that_of_the_catalogue, a_checksum_may_be_taken_in_pieces,
        what_was_compressed_can_be_expanded, equal_bytes_are_compressed_to_little,
        random_bytes_are_not_compressed, damaged_compression_is_found_or_expands_to_something,
        lengths_are_read_as_they_were_written, strings_are_read_as_they_were_written,
        lengths_that_cannot_be_are_refused, no_more_elements_are_believed_in_than_there_are_bytes,
        scores_are_read_as_they_were_written, scores_in_decimal_are_read,
        a_file_gets_what_memory_would, a_full_disk_is_told);
}
