#include "client/servers.h"

#include "test/lib/check.h"

#include <string.h>

static void check_address(const char *text, const char *host, int port)
{
    struct address a;
    char again[ADDRESS_TEXT];
    struct address b;

    CHECK(address_read(&a, text, text + strlen(text)));
    assert_string_equal(a.host, host);
    CHECK(a.port == port);
    address_text(&a, again);
    CHECK(address_read(&b, again, again + strlen(again)));
    CHECK(address_equal(&a, &b));
}

TEST(addresses_are_read_as_people_write_them)
{
    check_address("a:1", "a", 1);
    check_address("example.org", "example.org", 6379);
    check_address("10.0.0.1:65535", "10.0.0.1", 65535);
    check_address("[::1]:7000", "::1", 7000);
    check_address("[::1]", "::1", 6379);
    check_address("fe80::1", "fe80::1", 6379);
    check_address("unix:/run/a", "/run/a", 0);
}

TEST(what_is_no_address_is_refused)
{
    static const char *const bad[] = {
        "",     ":", ":7",   "a:",   "a:0",    "a:65536", "a:x",
        "a:-1", "[", "[::1", "[]:5", "[::1]5", "[::1]:",
    };
    struct address a;
    char longest[HOST_MAX + 2];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!address_read(&a, bad[i], bad[i] + strlen(bad[i])));
    }
    memset(longest, 'a', sizeof longest);
    CHECK(!address_read(&a, longest, longest + sizeof longest));
}

TEST(a_list_is_gone_through_until_a_leader_is_known)
{
    struct servers s = {0};
    const char *why;
    struct address leader = {.host = "c", .port = 3};

    CHECK(servers_read(&s, "a:1, b:2", &why));
    CHECK(s.count == 2);
    CHECK(servers_choose(&s)->port == 1);
    CHECK(servers_choose(&s)->port == 2);
    CHECK(servers_choose(&s)->port == 1);
    servers_learn(&s, &leader);
    CHECK(servers_choose(&s)->port == 3);
    CHECK(servers_choose(&s)->port == 3);
    servers_forget(&s, &s.list[0]);
    CHECK(s.has_leader);
    servers_forget(&s, &leader);
    CHECK(servers_choose(&s)->port == 2);
    servers_clear(&s);
}

TEST(a_list_with_a_hole_is_refused)
{
    struct servers s = {0};
    const char *why = NULL;

    CHECK(!servers_read(&s, "a:1,,b:2", &why));
    CHECK(why != NULL);
    CHECK(!servers_read(&s, "", &why));
}

int main(void)
{
    return RUN(addresses_are_read_as_people_write_them, what_is_no_address_is_refused,
               a_list_is_gone_through_until_a_leader_is_known, a_list_with_a_hole_is_refused);
}
