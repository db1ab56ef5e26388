#include "replica/address.h"

#include "base/random.h"
#include "test/lib/check.h"

static bool parses_to(const char *text, const char *host, unsigned port, unsigned peer_port)
{
    struct address a;

    return address_parse(bytes_of(text), &a) && strcmp(a.host, host) == 0 && a.port == port &&
           a.peer_port == peer_port;
}

static bool is_refused(struct bytes text)
{
    struct address a, before;

    memset(&a, 'x', sizeof a);
    before = a;
    return !address_parse(text, &a) && memcmp(&a, &before, sizeof a) == 0;
}

TEST(names_and_addresses_are_hosts)
{
    CHECK(parses_to("one.example:6379@7000", "one.example", 6379, 7000));
    CHECK(parses_to("192.0.2.1:1@65535", "192.0.2.1", 1, 65535));
    CHECK(parses_to("[::1]:6379@16379", "::1", 6379, 16379));
    CHECK(parses_to("[2001:db8::ffff:192.0.2.1]:80@81", "2001:db8::ffff:192.0.2.1", 80, 81));
    CHECK(parses_to("My_host-2:6379@7", "My_host-2", 6379, 7));
}

TEST(the_port_for_peers_follows_from_the_other)
{
    CHECK(parses_to("a:6379", "a", 6379, 16379));
    CHECK(parses_to("[::1]:55535", "::1", 55535, 65535));
    CHECK(parses_to("h:55536", "h", 55536, 45536));
    CHECK(parses_to("a:55536@1", "a", 55536, 1));
}

TEST(anything_else_is_refused)
{
    static const char *const texts[] = {
        "",           "a",       ":",       ":1",     "@",           "a:",
        "a@1",        "a:1@",    "a:0",     "a:1@0",  "a:65536",     "a:1@65536",
        "a:-1",       "a:+1",    "a:01",    "a: 1",   "a:1 ",        " a:1",
        "a b:1",      "a:1@2@3", "a:1:2",   "::1:80", "[]:1",        "[a]:1",
        "[::1:1",     "::1]:1",  "[::1]1",  "[::1]",  "[1.2.3.4]:1", "[[::1]]:1",
        "[::1%lo]:1", "a/b:1",   "a:1@2\n", "a:0x10", "a:1.0",       "a:99999999999999999999",
        "\xc3\xa4:1", "[:1",     "]:1",     "a@b:1",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK(is_refused(bytes_of(texts[i])));
    }
    CHECK(is_refused(BYTES("a\0b:1")));
    CHECK(is_refused(BYTES("[::1\0]:1")));
    CHECK(is_refused((struct bytes){NULL, 0}));
}

TEST(hosts_are_bounded)
{
    char text[ADDRESS_HOST_MAX + 8];
    struct address a;

    memset(text, 'h', sizeof text);
    memcpy(text + ADDRESS_HOST_MAX, ":7", 2);
    CHECK(address_parse((struct bytes){text, ADDRESS_HOST_MAX + 2}, &a));
    CHECK(strlen(a.host) == ADDRESS_HOST_MAX);
    memcpy(text + ADDRESS_HOST_MAX, "h:7", 3);
    CHECK(is_refused((struct bytes){text, ADDRESS_HOST_MAX + 3}));
}

static bool is_written_as(const char *text, const char *expected)
{
    struct address a;
    char written[ADDRESS_TEXT_MAX + 1];

    return address_parse(bytes_of(text), &a) && address_format(&a, written) == strlen(expected) &&
           strcmp(written, expected) == 0;
}

TEST(what_is_written_says_both_ports)
{
    char longest[ADDRESS_TEXT_MAX + 1];

    CHECK(is_written_as("a:6379", "a:6379@16379"));
    CHECK(is_written_as("[::1]:6379@1", "[::1]:6379@1"));
    memset(longest, 'h', sizeof longest);
    strcpy(longest + ADDRESS_HOST_MAX, ":65535@65535");
    CHECK(is_written_as(longest, longest));
}

/* Whatever the bytes are, and what is accepted comes out equal when it is written. */
TEST(random_texts_do_no_harm)
{
    static const char alphabet[] = "aZ09.-_:::@@[]%/ \n\0\xff";
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = check_rounds(200000); round > 0; round--) {
        char text[24], written[ADDRESS_TEXT_MAX + 1];
        size_t len = random_below(&random, sizeof text);
        struct address a, again;

        for (size_t i = 0; i < len; i++) {
            text[i] = alphabet[random_below(&random, sizeof alphabet - 1)];
        }
        if (address_parse((struct bytes){text, len}, &a)) {
            address_format(&a, written);
            CHECK(address_parse(bytes_of(written), &again));
            CHECK(strcmp(a.host, again.host) == 0);
            CHECK(a.port == again.port);
            CHECK(a.peer_port == again.peer_port);
        }
    }
}

int main(void)
{
    return RUN(names_and_addresses_are_hosts, the_port_for_peers_follows_from_the_other,
               anything_else_is_refused, hosts_are_bounded, what_is_written_says_both_ports,
               random_texts_do_no_harm);
}
