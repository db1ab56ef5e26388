/* Bytes that are to be sent. */
#ifndef CLIENT_OUTGOING_H
#define CLIENT_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>

struct outgoing {
    char *bytes;
    size_t len, room;
    size_t sent;
    bool is_short; /* Of memory: what is added from then on is not. */
};

void outgoing_clear(struct outgoing *out);

bool outgoing_is_empty(const struct outgoing *out);

/* The parts of a request: first how many words there are, then each. */
void outgoing_count(struct outgoing *out, size_t count);
void outgoing_word(struct outgoing *out, const char *word, size_t len);
void outgoing_text(struct outgoing *out, const char *word);
void outgoing_number(struct outgoing *out, size_t number);

/* Sends what it can, without waiting. Returns false if the connection is broken. */
bool outgoing_send(struct outgoing *out, int fd);

#endif
