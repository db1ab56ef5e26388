#include "client/outgoing.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LEAST = 1024, KEPT = 64 * 1024 };

void outgoing_clear(struct outgoing *out)
{
    free(out->bytes);
    *out = (struct outgoing){0};
}

bool outgoing_is_empty(const struct outgoing *out)
{
    return out->sent == out->len;
}

static bool reserve(struct outgoing *out, size_t more)
{
    size_t room = out->room > 0 ? out->room : LEAST;
    char *bytes;

    if (out->is_short || more > SIZE_MAX / 4 || out->len > SIZE_MAX / 4) {
        out->is_short = true;
        return false;
    }
    while (room < out->len + more) {
        room *= 2;
    }
    if (room == out->room) {
        return true;
    }
    bytes = realloc(out->bytes, room);
    if (bytes == NULL) {
        out->is_short = true;
        return false;
    }
    out->bytes = bytes;
    out->room = room;
    return true;
}

static void add_head(struct outgoing *out, char kind, size_t number)
{
    char head[32];
    int len = snprintf(head, sizeof head, "%c%zu\r\n", kind, number);

    if (reserve(out, (size_t)len)) {
        memcpy(out->bytes + out->len, head, (size_t)len);
        out->len += (size_t)len;
    }
}

void outgoing_count(struct outgoing *out, size_t count)
{
    add_head(out, '*', count);
}

void outgoing_word(struct outgoing *out, const char *word, size_t len)
{
    add_head(out, '$', len);
    if (reserve(out, len + 2)) {
        if (len > 0) {
            memcpy(out->bytes + out->len, word, len);
        }
        memcpy(out->bytes + out->len + len, "\r\n", 2);
        out->len += len + 2;
    }
}

void outgoing_text(struct outgoing *out, const char *word)
{
    outgoing_word(out, word, strlen(word));
}

void outgoing_number(struct outgoing *out, size_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%zu", number);
    outgoing_text(out, text);
}

/* All has been sent: starts anew, without what a large request has taken. */
static void rewind_all(struct outgoing *out)
{
    if (out->room > KEPT) {
        outgoing_clear(out);
    }
    out->len = 0;
    out->sent = 0;
}

bool outgoing_send(struct outgoing *out, int fd)
{
    while (out->sent < out->len) {
        ssize_t n =
            send(fd, out->bytes + out->sent, out->len - out->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        out->sent += (size_t)n;
    }
    rewind_all(out);
    return true;
}
