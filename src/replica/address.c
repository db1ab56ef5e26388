#include "replica/address.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

/* Splits at the last of a byte. Returns false if there is none. */
static bool split_last(struct bytes text, char at, struct bytes *before, struct bytes *behind)
{
    const char *found = text.len > 0 ? memrchr(text.at, at, text.len) : NULL;

    if (found == NULL) {
        return false;
    }
    *before = (struct bytes){text.at, (size_t)(found - text.at)};
    *behind = (struct bytes){found + 1, text.len - before->len - 1};
    return true;
}

static bool parse_port(struct bytes text, uint16_t *port)
{
    int64_t number;

    if (!number_parse_int(text, &number) || number < 1 || number > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

/* What a name may consist of, an IPv4 address among them. */
static bool is_name(struct bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return host.len > 0;
}

static bool is_ipv6(const char *host)
{
    struct in6_addr ignored;

    return inet_pton(AF_INET6, host, &ignored) == 1;
}

static bool parse_host(struct bytes text, char host[ADDRESS_HOST_MAX + 1])
{
    bool bracketed = text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']';

    if (bracketed) {
        text = (struct bytes){text.at + 1, text.len - 2};
    }
    if (text.len > ADDRESS_HOST_MAX || memchr(text.at, '\0', text.len) != NULL) {
        return false;
    }
    bytes_to_string(text, host, ADDRESS_HOST_MAX + 1);
    return bracketed ? is_ipv6(host) : is_name(text);
}

uint16_t address_peer_port(uint16_t port)
{
    return (uint16_t)(port <= UINT16_MAX - ADDRESS_PEER_OFFSET ? port + ADDRESS_PEER_OFFSET
                                                               : port - ADDRESS_PEER_OFFSET);
}

bool address_parse(struct bytes text, struct address *address)
{
    struct address parsed;
    struct bytes host, port, peer_port;
    bool has_peer_port = split_last(text, '@', &text, &peer_port);

    if (!split_last(text, ':', &host, &port) || !parse_port(port, &parsed.port) ||
        !parse_host(host, parsed.host)) {
        return false;
    }
    if (has_peer_port) {
        if (!parse_port(peer_port, &parsed.peer_port)) {
            return false;
        }
    } else {
        parsed.peer_port = address_peer_port(parsed.port);
    }
    *address = parsed;
    return true;
}

size_t address_format(const struct address *address, char out[ADDRESS_TEXT_MAX + 1])
{
    bool ipv6 = strchr(address->host, ':') != NULL;
    int len = snprintf(out, ADDRESS_TEXT_MAX + 1, "%s%s%s:%u@%u", ipv6 ? "[" : "", address->host,
                       ipv6 ? "]" : "", address->port, address->peer_port);

    assert(len > 0);
    assert(len <= ADDRESS_TEXT_MAX);
    return (size_t)len;
}
