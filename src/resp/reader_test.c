#include "resp/reader.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "test/lib/check.h"

/* More than a reader keeps between requests. */
enum { KEPT_MAX = 32 * 1024 };

static const struct resp_limits *const normal = &resp_limits_default;

/* Notes what was read: "(SET|k|v)" is a request, "-" nothing, "!..." an error
 * without the words that all of them start with. */
static void note(struct buf *notes, enum resp_result result, const struct resp_request *request)
{
    const char *prefix = "Protocol error: ";

    if (result == RESP_NOTHING) {
        buf_add_byte(notes, '-');
    } else if (result == RESP_ERROR) {
        CHECK(strncmp(request->error, prefix, strlen(prefix)) == 0);
        buf_addf(notes, "!%s", request->error + strlen(prefix));
    } else if (result == RESP_REQUEST) {
        for (size_t i = 0; i < request->argc; i++) {
            buf_add_byte(notes, i == 0 ? '(' : '|');
            buf_add(notes, request->argv[i]);
        }
        buf_add_byte(notes, ')');
    }
}

/* Reads what it can from `received`, and drops it there. */
static enum resp_result drain(struct resp_reader *r, const struct resp_limits *limits,
                              struct buf *received, struct buf *notes)
{
    enum resp_result result = RESP_REQUEST;
    struct resp_request request;

    while (result == RESP_REQUEST || result == RESP_NOTHING) {
        result = resp_read(r, limits, buf_bytes(received), &request);
        note(notes, result, &request);
        if (result == RESP_REQUEST || result == RESP_NOTHING) {
            CHECK(request.used > 0);
            buf_drop_front(received, request.used);
        } else if (result == RESP_MORE) {
            CHECK(request.need > 0);
        }
    }
    return result;
}

/* Moves the content of a buffer, so that a view kept too long shows. */
static void move(struct buf *b)
{
    struct buf moved = {0};

    buf_add(&moved, buf_bytes(b));
    buf_clear(b);
    *b = moved;
}

/* Reads a stream that arrives in pieces of `piece` bytes. */
static void read_in_pieces(const struct resp_limits *limits, struct bytes stream, size_t piece,
                           struct buf *notes)
{
    struct resp_reader r = {0};
    struct buf received = {0};
    enum resp_result result = RESP_MORE;

    while (stream.len > 0 && result == RESP_MORE) {
        size_t len = stream.len < piece ? stream.len : piece;
        buf_add(&received, (struct bytes){stream.at, len});
        move(&received);
        stream.at += len;
        stream.len -= len;
        result = drain(&r, limits, &received, notes);
    }
    buf_clear(&received);
    resp_reader_clear(&r);
}

/* Says whether a stream is read as `expected`, however it arrives. */
static bool reads_within(const struct resp_limits *limits, struct bytes stream,
                         struct bytes expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, SIZE_MAX};

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        BUF_LOCAL(notes);
        read_in_pieces(limits, stream, pieces[i], &notes);
        if (!bytes_equal(buf_bytes(&notes), expected)) {
            printf("read '%.*s', not '%.*s'\n", (int)notes.len, notes.at, (int)expected.len,
                   expected.at);
            return false;
        }
    }
    return true;
}

static bool reads_bytes(struct bytes stream, struct bytes expected)
{
    return reads_within(normal, stream, expected);
}

static bool reads(const char *stream, const char *expected)
{
    return reads_bytes(bytes_of(stream), bytes_of(expected));
}

TEST(a_multibulk_request_is_an_array_of_bulks)
{
    CHECK(reads("*1\r\n$4\r\nPING\r\n", "(PING)"));
    CHECK(reads("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$11\r\nhello world\r\n", "(SET|k|hello world)"));
    CHECK(reads("*2\r\n$3\r\nGET\r\n$0\r\n\r\n", "(GET|)"));
}

TEST(a_bulk_may_hold_any_bytes)
{
    CHECK(reads("*2\r\n$4\r\nECHO\r\n$4\r\n\r\n*$\r\n", "(ECHO|\r\n*$)"));
    CHECK(reads_bytes(BYTES("*1\r\n$3\r\n\0\xff\n\r\n"), BYTES("(\0\xff\n)")));
}

TEST(requests_follow_each_other)
{
    CHECK(reads("*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\nPING\r\n*1\r\n$1\r\nc\r\n", "(a)(b)(PING)(c)"));
}

TEST(an_incomplete_request_is_waited_for)
{
    CHECK(reads("*", ""));
    CHECK(reads("*1", ""));
    CHECK(reads("*1\r", ""));
    CHECK(reads("*1\r\n", ""));
    CHECK(reads("*1\r\n$", ""));
    CHECK(reads("*1\r\n$4\r\nPIN", ""));
    CHECK(reads("*1\r\n$4\r\nPING", ""));
    CHECK(reads("*1\r\n$4\r\nPING\r", ""));
    CHECK(reads("*2\r\n$4\r\nPING\r\n", ""));
    CHECK(reads("PING", ""));
    CHECK(reads("PING\r", ""));
}

TEST(an_array_without_elements_is_nothing)
{
    CHECK(reads("*0\r\n*1\r\n$4\r\nPING\r\n", "-(PING)"));
    CHECK(reads("*-1\r\n*1\r\n$4\r\nPING\r\n", "-(PING)"));
    CHECK(reads("*-2\r\nPING\r\n", "-(PING)"));
}

TEST(a_line_without_words_is_nothing)
{
    CHECK(reads("\r\n\n \t \r\n\r\r\n\v\f\nPING\r\n", "-----(PING)"));
}

TEST(a_count_must_be_a_plain_number)
{
    CHECK(reads("*abc\r\n", "!invalid multibulk length"));
    CHECK(reads("*\r\n", "!invalid multibulk length"));
    CHECK(reads("*1 \r\n", "!invalid multibulk length"));
    CHECK(reads("*+1\r\n", "!invalid multibulk length"));
    CHECK(reads("*01\r\n", "!invalid multibulk length"));
    CHECK(reads("*-0\r\n", "!invalid multibulk length"));
    CHECK(reads("*1-\r\n", "!invalid multibulk length"));
    CHECK(reads("*99999999999999999999\r\n", "!invalid multibulk length"));
    CHECK(reads("*1111111111111111111111111\r\n", "!invalid multibulk length"));
    CHECK(reads("*1\rX$4\r\nPING\r\n", "!invalid multibulk length"));
    CHECK(reads("*1\n$4\nPING\n", "!invalid multibulk length"));
}

TEST(a_length_must_be_a_plain_number)
{
    CHECK(reads("*1\r\n$x\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$-1\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$04\r\nPING\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$4 \r\nPING\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$4\nPING\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$99999999999999999999\r\n", "!invalid bulk length"));
    CHECK(reads("*1\r\n$1111111111111111111111111\r\n", "!invalid bulk length"));
}

TEST(each_argument_must_be_a_bulk)
{
    CHECK(reads("*1\r\nPING\r\n", "!expected '$', got 'P'"));
    CHECK(reads("*2\r\n$1\r\na\r\n:1\r\n", "!expected '$', got ':'"));
    CHECK(reads("*1\r\n\r\n", "!expected '$', got '\r'"));
    CHECK(reads_bytes(BYTES("*1\r\n\0"), BYTES("!expected '$', got '")));
}

TEST(a_bulk_must_end_in_crlf)
{
    CHECK(reads("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n", "!missing CRLF after bulk"));
    CHECK(reads("*1\r\n$3\r\nPING\r\n", "!missing CRLF after bulk"));
    CHECK(reads("*1\r\n$4\r\nPING\n\n", "!missing CRLF after bulk"));
    CHECK(reads("*1\r\n$4\r\nPING\r\r", "!missing CRLF after bulk"));
}

TEST(what_was_read_before_an_error_stands)
{
    CHECK(reads("*1\r\n$1\r\na\r\n*x\r\n", "(a)!invalid multibulk length"));
}

/* Checks what becomes of `start` followed by a byte repeated. */
static bool reads_repeated(const char *start, char byte, size_t count, const char *end,
                           const char *expected)
{
    BUF_LOCAL(stream);
    BUF_LOCAL(notes);

    buf_add(&stream, bytes_of(start));
    memset(buf_reserve(&stream, count), byte, count);
    stream.len += count;
    buf_add(&stream, bytes_of(end));
    read_in_pieces(normal, buf_bytes(&stream), SIZE_MAX, &notes);
    buf_add_byte(&notes, ';');
    read_in_pieces(normal, buf_bytes(&stream), 1000, &notes);
    buf_add_byte(&notes, '\0');
    return strncmp(notes.at, expected, strlen(expected)) == 0 &&
           strcmp(strchr(notes.at, ';') + 1, expected) == 0;
}

TEST(a_line_that_does_not_end_is_an_error)
{
    CHECK(reads_repeated("", 'x', 70000, "", "!too big inline request"));
    CHECK(reads_repeated("", 'x', 65537, "", "!too big inline request"));
    CHECK(reads_repeated("", 'x', 65536, "", ""));
    CHECK(reads_repeated("*", '1', 70000, "", "!too big mbulk count string"));
    CHECK(reads_repeated("*", '1', 65535, "", ""));
    CHECK(reads_repeated("*1\r\n$", '1', 70000, "", "!too big bulk count string"));
    CHECK(reads_repeated("*1\r\n$", '1', 65535, "", ""));
}

TEST(a_line_that_is_too_long_is_an_error_even_if_it_ends)
{
    CHECK(reads_repeated("", 'x', 70000, "\r\n", "!too big inline request"));
    CHECK(reads_repeated("", ' ', 65536, "\n", "-"));
    CHECK(reads_repeated("*", '1', 70000, "\r\n", "!too big mbulk count string"));
    CHECK(reads_repeated("*", '1', 60000, "\r\n", "!invalid multibulk length"));
}

TEST(lengths_have_limits)
{
    CHECK(reads("*2147483647\r\n", ""));
    CHECK(reads("*2147483648\r\n", "!invalid multibulk length"));
    CHECK(reads("*1\r\n$536870912\r\n", ""));
    CHECK(reads("*1\r\n$536870913\r\n", "!invalid bulk length"));
}

TEST(before_authentication_the_limits_are_low)
{
    const struct resp_limits *limits = &resp_limits_unauthenticated;

    CHECK(reads_within(limits, BYTES("*10\r\n"), BYTES("")));
    CHECK(reads_within(limits, BYTES("*11\r\n"), BYTES("!unauthenticated multibulk length")));
    CHECK(reads_within(limits, BYTES("*2\r\n$4\r\nAUTH\r\n$16384\r\n"), BYTES("")));
    CHECK(reads_within(limits, BYTES("*2\r\n$4\r\nAUTH\r\n$16385\r\n"),
                       BYTES("!unauthenticated bulk length")));
    CHECK(reads_within(limits, BYTES("*x\r\n"), BYTES("!invalid multibulk length")));
    CHECK(reads_within(limits, BYTES("*1\r\n$-1\r\n"), BYTES("!invalid bulk length")));
}

TEST(an_inline_request_is_a_line_of_words)
{
    CHECK(reads("PING\r\n", "(PING)"));
    CHECK(reads("PING\n", "(PING)"));
    CHECK(reads("  SET\tkey   value \r\n", "(SET|key|value)"));
    CHECK(reads("a\rb\n", "(a|b)"));
    CHECK(reads("\v\f a \v a\vb\fc\r\n", "(a|a\vb\fc)"));
    CHECK(reads("ECHO a\\nb\r\n", "(ECHO|a\\nb)"));
    CHECK(reads_bytes(BYTES("a\0b \xff\r\n"), BYTES("(a\0b|\xff)")));
}

TEST(quotes_hold_a_word_together)
{
    CHECK(reads("ECHO \"a b\" 'c d'\r\n", "(ECHO|a b|c d)"));
    CHECK(reads("ECHO \"\" ''\r\n", "(ECHO||)"));
    CHECK(reads("ECHO \"it's\" '\"'\r\n", "(ECHO|it's|\")"));
    CHECK(reads("ECHO foo\"bar baz\" a'b'\r\n", "(ECHO|foobar baz|ab)"));
    CHECK(reads("ECHO \"a\"\vb\n", "(ECHO|a|b)"));
}

TEST(double_quotes_know_escapes)
{
    CHECK(reads("\"\\n\\r\\t\\b\\a\"\r\n", "(\n\r\t\b\a)"));
    CHECK(reads("\"\\x41\\x4a\\x4A\"\r\n", "(AJJ)"));
    CHECK(reads("\"\\\\ \\\" \\q \\'\"\r\n", "(\\ \" q ')"));
    CHECK(reads("\"\\xZZ \\x4\"\r\n", "(xZZ x4)"));
    CHECK(reads_bytes(BYTES("\"\\x00\\xff\"\r\n"), BYTES("(\0\xff)")));
}

TEST(single_quotes_know_only_themselves)
{
    CHECK(reads("'a\\'b\\n\\x41\\\\'\r\n", "!unbalanced quotes in request"));
    CHECK(reads("'a\\'b\\n\\x41\\\\ '\r\n", "(a'b\\n\\x41\\\\ )"));
}

TEST(unbalanced_quotes_are_an_error)
{
    CHECK(reads("PING \"x\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING 'x\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING \"x\\\"\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING 'x\\'\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING \"\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING \"x\\\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING \"x\"y\r\n", "!unbalanced quotes in request"));
    CHECK(reads("PING 'x''y'\r\n", "!unbalanced quotes in request"));
}

TEST(bytes_that_are_no_protocol_do_no_harm)
{
    CHECK(reads_bytes(BYTES("\0\0\0\0\r\n"), BYTES("(\0\0\0\0)")));
    CHECK(reads("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a b\r\n",
                "(POST|/|HTTP/1.1)(Host:|x)-(SET|a|b)"));
    CHECK(reads_bytes(BYTES("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n"),
                      BYTES("(\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03)")));
}

TEST(arguments_are_views_into_the_buffer)
{
    struct resp_reader r = {0};
    struct resp_request request;
    struct bytes bulks = BYTES("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nmore");
    struct bytes line = BYTES("GET key\r\n");

    CHECK(resp_read(&r, normal, bulks, &request) == RESP_REQUEST);
    CHECK(request.argc == 2);
    CHECK(request.argv[0].at == bulks.at + 8);
    CHECK(request.argv[1].at == bulks.at + 17);
    CHECK(request.used == bulks.len - strlen("more"));

    CHECK(resp_read(&r, normal, line, &request) == RESP_REQUEST);
    CHECK(request.argv[1].at == line.at + 4);
    CHECK(request.used == line.len);
    resp_reader_clear(&r);
}

TEST(it_tells_how_many_bytes_are_missing)
{
    struct resp_reader r = {0};
    struct resp_request request;
    struct bytes in = BYTES("*2\r\n$10\r\n0123456789\r\n$1\r\nx\r\n");

    CHECK(resp_read(&r, normal, (struct bytes){in.at, 0}, &request) == RESP_MORE);
    CHECK(request.need == 1);
    CHECK(resp_read(&r, normal, (struct bytes){in.at, 3}, &request) == RESP_MORE);
    CHECK(request.need == 1);
    CHECK(resp_read(&r, normal, (struct bytes){in.at, 12}, &request) == RESP_MORE);
    CHECK(request.need == 9);
    CHECK(resp_read(&r, normal, (struct bytes){in.at, 12}, &request) == RESP_MORE);
    CHECK(request.need == 9);
    CHECK(resp_read(&r, normal, (struct bytes){in.at, 20}, &request) == RESP_MORE);
    CHECK(request.need == 1);
    CHECK(resp_read(&r, normal, in, &request) == RESP_REQUEST);
    CHECK(request.argc == 2);
    resp_reader_clear(&r);
}

/* Adds a request of `count` arguments "x". */
static void add_large_request(struct buf *b, size_t count)
{
    buf_addf(b, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        buf_add(b, BYTES("$1\r\nx\r\n"));
    }
}

TEST(memory_grows_with_the_data_and_not_with_a_header)
{
    static const char *const greedy[] = {
        "*2147483647\r\n",
        "*1000000\r\n$4\r\nPING\r\n",
        "*1\r\n$536870912\r\nx",
        "*2147483647\r\n$536870912\r\n",
    };

    for (size_t i = 0; i < sizeof greedy / sizeof greedy[0]; i++) {
        struct resp_reader r = {0};
        struct resp_request request;
        size_t before = mem_used();
        CHECK(resp_read(&r, normal, bytes_of(greedy[i]), &request) == RESP_MORE);
        CHECK(mem_used() - before < 1024);
        resp_reader_clear(&r);
        CHECK(mem_used() == before);
    }
}

TEST(requests_of_one_size_allocate_once)
{
    struct resp_reader r = {0};
    struct resp_request request;
    const struct bytes *argv;
    BUF_LOCAL(in);

    add_large_request(&in, 500);
    CHECK(resp_read(&r, normal, buf_bytes(&in), &request) == RESP_REQUEST);
    CHECK(request.argc == 500);
    argv = request.argv;
    CHECK(resp_read(&r, normal, BYTES("PING\r\n"), &request) == RESP_REQUEST);
    CHECK(request.argv == argv);
    CHECK(resp_read(&r, normal, buf_bytes(&in), &request) == RESP_REQUEST);
    CHECK(request.argv == argv);
    resp_reader_clear(&r);
}

TEST(what_a_huge_request_took_is_given_back)
{
    struct resp_reader r = {0};
    struct resp_request request;
    size_t before;
    BUF_LOCAL(in);

    add_large_request(&in, 100000);
    before = mem_used();
    CHECK(resp_read(&r, normal, buf_bytes(&in), &request) == RESP_REQUEST);
    CHECK(mem_used() > before + 1000000);
    CHECK(bytes_equal(request.argv[99999], BYTES("x")));
    CHECK(resp_read(&r, normal, BYTES(""), &request) == RESP_MORE);
    CHECK(mem_used() < before + KEPT_MAX);

    buf_cut(&in, 0);
    buf_addf(&in, "ECHO \"%*s\"\r\n", 60000, "x");
    before = mem_used();
    CHECK(resp_read(&r, normal, buf_bytes(&in), &request) == RESP_REQUEST);
    CHECK(request.argv[1].len == 60000);
    CHECK(resp_read(&r, normal, BYTES(""), &request) == RESP_MORE);
    CHECK(mem_used() < before + KEPT_MAX);
    resp_reader_clear(&r);
}

/* To begin anew with each piece would take minutes here. */
TEST(a_request_in_very_many_pieces_takes_no_longer)
{
    struct resp_reader r = {0};
    struct resp_request request;
    int64_t started_us;
    BUF_LOCAL(in);

    add_large_request(&in, 50000);
    started_us = clock_monotonic_us();
    for (size_t len = 1; len < in.len; len++) {
        CHECK(resp_read(&r, normal, (struct bytes){in.at, len}, &request) == RESP_MORE);
    }
    CHECK(resp_read(&r, normal, buf_bytes(&in), &request) == RESP_REQUEST);
    CHECK(request.argc == 50000);
    CHECK(clock_monotonic_us() - started_us < 3000000);
    resp_reader_clear(&r);
}

/* Adds a request of few arguments of random bytes, and its note. */
static void add_random_request(struct random *random, struct buf *stream, struct buf *notes)
{
    size_t argc = 1 + random_below(random, 20);

    buf_addf(stream, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        size_t len = random_below(random, random_below(random, 8) == 0 ? 3000 : 5);
        buf_addf(stream, "$%zu\r\n", len);
        buf_add_byte(notes, i == 0 ? '(' : '|');
        for (size_t j = 0; j < len; j++) {
            char byte = "\r\n$*1a\"' "[random_below(random, 9)];
            buf_add_byte(stream, byte);
            buf_add_byte(notes, byte);
        }
        buf_add(stream, BYTES("\r\n"));
    }
    buf_add_byte(notes, ')');
}

TEST(random_requests_are_read_however_they_arrive)
{
    struct random random;

    random_seed(&random, check_seed());
    for (size_t i = check_rounds(100); i > 0; i--) {
        BUF_LOCAL(stream);
        BUF_LOCAL(expected);
        BUF_LOCAL(notes);
        for (int j = 0; j < 10; j++) {
            add_random_request(&random, &stream, &expected);
        }
        read_in_pieces(normal, buf_bytes(&stream), 1 + random_below(&random, 4000), &notes);
        CHECK(bytes_equal(buf_bytes(&notes), buf_bytes(&expected)));
    }
}

int main(void)
{
    return RUN(
        a_multibulk_request_is_an_array_of_bulks, a_bulk_may_hold_any_bytes,
        requests_follow_each_other, an_incomplete_request_is_waited_for,
        an_array_without_elements_is_nothing, a_line_without_words_is_nothing,
        a_count_must_be_a_plain_number, a_length_must_be_a_plain_number,
        each_argument_must_be_a_bulk, a_bulk_must_end_in_crlf, what_was_read_before_an_error_stands,
        a_line_that_does_not_end_is_an_error, a_line_that_is_too_long_is_an_error_even_if_it_ends,
        lengths_have_limits, before_authentication_the_limits_are_low,
        an_inline_request_is_a_line_of_words, quotes_hold_a_word_together,
        double_quotes_know_escapes, single_quotes_know_only_themselves,
        unbalanced_quotes_are_an_error, bytes_that_are_no_protocol_do_no_harm,
        arguments_are_views_into_the_buffer, it_tells_how_many_bytes_are_missing,
        memory_grows_with_the_data_and_not_with_a_header, requests_of_one_size_allocate_once,
        what_a_huge_request_took_is_given_back, a_request_in_very_many_pieces_takes_no_longer,
        random_requests_are_read_however_they_arrive);
}
