#include "client/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char unix_prefix[] = "unix:";

static bool take_host(struct address *a, const char *from, const char *end)
{
    size_t len = (size_t)(end - from);

    if (len == 0 || len > HOST_MAX || memchr(from, '\0', len) != NULL) {
        return false;
    }
    memcpy(a->host, from, len);
    a->host[len] = '\0';
    return true;
}

static bool take_port(struct address *a, const char *from, const char *end)
{
    a->port = 0;
    if (from == end || end - from > 5) {
        return false;
    }
    for (; from < end; from++) {
        if (*from < '0' || *from > '9') {
            return false;
        }
        a->port = a->port * 10 + (*from - '0');
    }
    return a->port > 0 && a->port <= 65535;
}

/* An IPv6 address stands in brackets if a port is behind it. */
static bool read_bracketed(struct address *a, const char *text, const char *end)
{
    const char *close = memchr(text, ']', (size_t)(end - text));

    if (close == NULL || !take_host(a, text + 1, close)) {
        return false;
    }
    a->port = DEFAULT_PORT;
    return close + 1 == end || (close[1] == ':' && take_port(a, close + 2, end));
}

bool address_read(struct address *a, const char *text, const char *end)
{
    const size_t prefix = sizeof unix_prefix - 1;
    const char *first, *last;

    if ((size_t)(end - text) > prefix && memcmp(text, unix_prefix, prefix) == 0) {
        a->port = 0;
        return take_host(a, text + prefix, end);
    }
    if (text < end && *text == '[') {
        return read_bracketed(a, text, end);
    }
    first = memchr(text, ':', (size_t)(end - text));
    last = memrchr(text, ':', (size_t)(end - text));
    if (first == NULL || first != last) {
        a->port = DEFAULT_PORT;
        return take_host(a, text, end);
    }
    return take_host(a, text, first) && take_port(a, first + 1, end);
}

static size_t count_commas(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == ',';
    }
    return count;
}

bool servers_read(struct servers *s, const char *text, const char **why)
{
    struct address *list = calloc(count_commas(text) + 1, sizeof *list);
    size_t count = 0;

    *why = NULL;
    if (list == NULL) {
        return false;
    }
    for (;;) {
        const char *end = strchrnul(text, ',');

        while (*text == ' ') {
            text++;
        }
        if (!address_read(&list[count++], text, end)) {
            *why = "servers are host:port, [::1]:port or unix:/path, with commas between them";
            free(list);
            return false;
        }
        if (*end == '\0') {
            break;
        }
        text = end + 1;
    }
    s->list = list;
    s->count = count;
    return true;
}

void servers_clear(struct servers *s)
{
    free(s->list);
    *s = (struct servers){0};
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

const char *address_text(const struct address *a, char text[ADDRESS_TEXT])
{
    if (a->port == 0) {
        snprintf(text, ADDRESS_TEXT, "unix:%s", a->host);
    } else if (strchr(a->host, ':') != NULL) {
        snprintf(text, ADDRESS_TEXT, "[%s]:%d", a->host, a->port);
    } else {
        snprintf(text, ADDRESS_TEXT, "%s:%d", a->host, a->port);
    }
    return text;
}

const struct address *servers_choose(struct servers *s)
{
    if (s->has_leader) {
        return &s->leader;
    }
    s->next = (s->next + 1) % s->count;
    return &s->list[(s->next + s->count - 1) % s->count];
}

void servers_learn(struct servers *s, const struct address *leader)
{
    s->leader = *leader;
    s->has_leader = true;
}

void servers_forget(struct servers *s, const struct address *leader)
{
    if (s->has_leader && address_equal(&s->leader, leader)) {
        s->has_leader = false;
    }
}
