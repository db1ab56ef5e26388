/* What replies say: to the connection, of which server is to be asked; and to the caller. */
#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include "client/servers.h"

#include <hiredis/hiredis.h>

#include <stdbool.h>
#include <stdint.h>

enum answer {
    ANSWER_DONE,      /* This is the reply. */
    ANSWER_FAILED,    /* It is an error, which is the caller's. */
    ANSWER_MOVED,     /* Not here but there; nothing has been done. */
    ANSWER_LATER,     /* Not here, or not now; nothing has been done. */
    ANSWER_UNCERTAIN, /* It may have been done, or not. */
    ANSWER_NO_SCRIPT, /* The text has to be sent. */
    ANSWER_DENIED,    /* To this user, or without a password. */
};

/* `there` is written for ANSWER_MOVED only; `here` is who has replied. */
enum answer reply_answer(const redisReply *reply, const struct address *here,
                         struct address *there);

/* Item `i` of an array of texts; "" if there is none. */
const char *reply_word(const redisReply *reply, size_t i);

/* The same as a number; 0 if it is none. */
int64_t reply_number(const redisReply *reply, size_t i);

#endif
