#include "resp/writer.h"

#include "test/lib/check.h"

#include <math.h>

/* Says whether a buffer holds just `expected`, and empties it for the next. */
static bool wrote(struct buf *out, struct bytes expected)
{
    bool same = bytes_equal(buf_bytes(out), expected);

    if (!same) {
        printf("wrote '%.*s', not '%.*s'\n", (int)out->len, out->at, (int)expected.len,
               expected.at);
    }
    buf_clear(out);
    return same;
}

TEST(a_status_and_an_error_are_a_line)
{
    BUF_LOCAL(out);

    resp_write_status(&out, BYTES("OK"));
    CHECK(wrote(&out, BYTES("+OK\r\n")));
    resp_write_status(&out, BYTES(""));
    CHECK(wrote(&out, BYTES("+\r\n")));
    resp_write_error(&out, BYTES("ERR no such key"));
    CHECK(wrote(&out, BYTES("-ERR no such key\r\n")));
}

TEST(no_text_can_pass_for_another_reply)
{
    BUF_LOCAL(out);

    resp_write_error(&out, BYTES("ERR a\r\n+OK\t\0\x1b\x7f."));
    CHECK(wrote(&out, BYTES("-ERR a  +OK    .\r\n")));
    resp_write_status(&out, BYTES("\xc3\xa4\n"));
    CHECK(wrote(&out, BYTES("+\xc3\xa4 \r\n")));
    resp_write_big_number(&out, RESP3, BYTES("1\r\n:2"));
    CHECK(wrote(&out, BYTES("(1  :2\r\n")));
    resp_write_big_number(&out, RESP2, BYTES("1\r\n:2"));
    CHECK(wrote(&out, BYTES("$5\r\n1  :2\r\n")));
}

TEST(integers_are_the_same_in_both_versions)
{
    BUF_LOCAL(out);

    resp_write_int(&out, 0);
    resp_write_int(&out, 1000);
    resp_write_int(&out, INT64_MIN);
    CHECK(wrote(&out, BYTES(":0\r\n:1000\r\n:-9223372036854775808\r\n")));
}

TEST(a_bulk_tells_its_length)
{
    BUF_LOCAL(out);

    resp_write_bulk(&out, BYTES("a\r\nb\0"));
    CHECK(wrote(&out, BYTES("$5\r\na\r\nb\0\r\n")));
    resp_write_bulk(&out, BYTES(""));
    CHECK(wrote(&out, BYTES("$0\r\n\r\n")));
    resp_write_bulk(&out, (struct bytes){NULL, 0});
    CHECK(wrote(&out, BYTES("$0\r\n\r\n")));
}

TEST(nil_has_a_type_of_its_own_in_resp3)
{
    BUF_LOCAL(out);

    resp_write_nil(&out, RESP2);
    resp_write_nil_array(&out, RESP2);
    CHECK(wrote(&out, BYTES("$-1\r\n*-1\r\n")));
    resp_write_nil(&out, RESP3);
    resp_write_nil_array(&out, RESP3);
    CHECK(wrote(&out, BYTES("_\r\n_\r\n")));
}

TEST(a_boolean_is_an_integer_in_resp2)
{
    BUF_LOCAL(out);

    resp_write_bool(&out, RESP2, true);
    resp_write_bool(&out, RESP2, false);
    CHECK(wrote(&out, BYTES(":1\r\n:0\r\n")));
    resp_write_bool(&out, RESP3, true);
    resp_write_bool(&out, RESP3, false);
    CHECK(wrote(&out, BYTES("#t\r\n#f\r\n")));
}

TEST(a_double_is_a_bulk_in_resp2)
{
    BUF_LOCAL(out);

    resp_write_double(&out, RESP2, 3.5);
    resp_write_double(&out, RESP2, -HUGE_VAL);
    CHECK(wrote(&out, BYTES("$3\r\n3.5\r\n$4\r\n-inf\r\n")));
    resp_write_double(&out, RESP3, 3.5);
    resp_write_double(&out, RESP3, 10);
    resp_write_double(&out, RESP3, HUGE_VAL);
    resp_write_double(&out, RESP3, -HUGE_VAL);
    resp_write_double(&out, RESP3, NAN);
    CHECK(wrote(&out, BYTES(",3.5\r\n,10\r\n,inf\r\n,-inf\r\n,nan\r\n")));
}

TEST(a_big_number_is_a_bulk_in_resp2)
{
    BUF_LOCAL(out);

    resp_write_big_number(&out, RESP2, BYTES("12345678901234567890"));
    CHECK(wrote(&out, BYTES("$20\r\n12345678901234567890\r\n")));
    resp_write_big_number(&out, RESP3, BYTES("-12345678901234567890"));
    CHECK(wrote(&out, BYTES("(-12345678901234567890\r\n")));
}

TEST(a_verbatim_string_has_its_format_in_resp3)
{
    BUF_LOCAL(out);

    resp_write_verbatim(&out, RESP2, "txt", BYTES("a\nb"));
    CHECK(wrote(&out, BYTES("$3\r\na\nb\r\n")));
    resp_write_verbatim(&out, RESP3, "mkd", BYTES("a\nb"));
    CHECK(wrote(&out, BYTES("=7\r\nmkd:a\nb\r\n")));
    resp_write_verbatim(&out, RESP3, "txt", BYTES(""));
    CHECK(wrote(&out, BYTES("=4\r\ntxt:\r\n")));
}

TEST(in_resp2_all_that_holds_values_is_an_array)
{
    BUF_LOCAL(out);

    resp_write_open(&out, RESP2, RESP_ARRAY, 2);
    resp_write_open(&out, RESP2, RESP_SET, 2);
    resp_write_open(&out, RESP2, RESP_PUSH, 2);
    resp_write_open(&out, RESP2, RESP_MAP, 2);
    CHECK(wrote(&out, BYTES("*2\r\n*2\r\n*2\r\n*4\r\n")));
    resp_write_open(&out, RESP3, RESP_ARRAY, 2);
    resp_write_open(&out, RESP3, RESP_SET, 2);
    resp_write_open(&out, RESP3, RESP_PUSH, 2);
    resp_write_open(&out, RESP3, RESP_MAP, 2);
    CHECK(wrote(&out, BYTES("*2\r\n~2\r\n>2\r\n%2\r\n")));
}

TEST(a_header_can_come_after_what_it_opens)
{
    BUF_LOCAL(out);

    resp_write_status(&out, BYTES("before"));
    for (int i = 0; i < 10; i++) {
        resp_write_int(&out, i);
    }
    resp_write_open_at(&out, RESP3, RESP_MAP, 5, strlen("+before\r\n"));
    CHECK(wrote(&out, BYTES("+before\r\n%5\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8"
                            "\r\n:9\r\n")));
}

TEST(a_header_at_the_end_opens_nothing)
{
    BUF_LOCAL(out);

    resp_write_open_at(&out, RESP2, RESP_ARRAY, 0, 0);
    CHECK(wrote(&out, BYTES("*0\r\n")));
}

TEST(many_replies_stand_in_order)
{
    BUF_LOCAL(out);
    BUF_LOCAL(expected);

    for (int i = 0; i < 10000; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "value:%d", i * 37);
        resp_write_int(&out, -i);
        resp_write_bulk(&out, bytes_of(text));
        buf_addf(&expected, ":%d\r\n$%d\r\n%s\r\n", -i, len, text);
    }
    CHECK(bytes_equal(buf_bytes(&out), buf_bytes(&expected)));
}

int main(void)
{
    return RUN(a_status_and_an_error_are_a_line, no_text_can_pass_for_another_reply,
               integers_are_the_same_in_both_versions, a_bulk_tells_its_length,
               nil_has_a_type_of_its_own_in_resp3, a_boolean_is_an_integer_in_resp2,
               a_double_is_a_bulk_in_resp2, a_big_number_is_a_bulk_in_resp2,
               a_verbatim_string_has_its_format_in_resp3,
               in_resp2_all_that_holds_values_is_an_array, a_header_can_come_after_what_it_opens,
               a_header_at_the_end_opens_nothing, many_replies_stand_in_order);
}
