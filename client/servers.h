/* Where there are servers, and which of them leads as far as one knows. */
#ifndef CLIENT_SERVERS_H
#define CLIENT_SERVERS_H

#include <stdbool.h>
#include <stddef.h>

enum { HOST_MAX = 255, DEFAULT_PORT = 6379 };

struct address {
    char host[HOST_MAX + 1]; /* Or the path of a Unix socket. */
    int port;                /* 0: a Unix socket. */
};

struct servers {
    struct address *list;
    size_t count;
    size_t next; /* To be asked, if it is not known who leads. */
    bool has_leader;
    struct address leader;
};

/* Reads "host:port,[::1]:7000,unix:/path". Returns false if the text is none, or memory is short;
 * then `why` is what is wrong with it, or NULL if it is memory. */
bool servers_read(struct servers *s, const char *text, const char **why);

void servers_clear(struct servers *s);

/* Reads "host:port", up to `end`. */
bool address_read(struct address *a, const char *text, const char *end);

bool address_equal(const struct address *a, const struct address *b);

/* As people write it. */
enum { ADDRESS_TEXT = HOST_MAX + 16 };
const char *address_text(const struct address *a, char text[ADDRESS_TEXT]);

/* Where to ask now: the leader, or one of the list after the other. */
const struct address *servers_choose(struct servers *s);

void servers_learn(struct servers *s, const struct address *leader);

/* It does not answer, or does not lead. */
void servers_forget(struct servers *s, const struct address *leader);

#endif
