#include "client/reply.h"

#include "moonlatch.h"

#include <stdlib.h>
#include <string.h>

/* The first word of an error. */
static const struct {
    const char *code;
    enum answer answer;
} answers[] = {
    {"MOVED ", ANSWER_MOVED},
    {"READONLY ", ANSWER_MOVED},
    {"CLUSTERDOWN ", ANSWER_LATER},
    {"LOADING ", ANSWER_LATER},
    {"MASTERDOWN ", ANSWER_LATER},
    {"TRYAGAIN ", ANSWER_LATER},
    {"ASK ", ANSWER_LATER},
    {"BUSY ", ANSWER_LATER},
    {"UNBLOCKED force", ANSWER_LATER}, /* The server leads no more. */
    {"ERR max number of clients reached", ANSWER_LATER},
    {"UNCERTAIN ", ANSWER_UNCERTAIN},
    {"NOSCRIPT ", ANSWER_NO_SCRIPT},
    {"NOAUTH ", ANSWER_DENIED},
    {"WRONGPASS ", ANSWER_DENIED},
    {"NOPERM ", ANSWER_DENIED},
    {"DENIED ", ANSWER_DENIED},
};

/* "MOVED slot host:port", where an empty host is the one that says so; "READONLY ... The leader is
 * host:port", which only servers of ours say. */
static bool read_leader(const char *text, const char *end, const struct address *here,
                        struct address *there)
{
    const char *word = memrchr(text, ' ', (size_t)(end - text));

    if (word == NULL) {
        return false;
    }
    word++;
    if (strncmp(text, "MOVED ", 6) == 0) {
        const char *colon = memrchr(word, ':', (size_t)(end - word));

        if (colon == word) {
            *there = *here;
            there->port = atoi(colon + 1);
            return there->port > 0;
        }
        return colon != NULL && address_read(there, word, end);
    }
    return strstr(text, "The leader is ") != NULL && address_read(there, word, end);
}

enum answer reply_answer(const redisReply *reply, const struct address *here, struct address *there)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        return ANSWER_DONE;
    }
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (strncmp(reply->str, answers[i].code, strlen(answers[i].code)) != 0) {
            continue;
        }
        if (answers[i].answer == ANSWER_MOVED &&
            !read_leader(reply->str, reply->str + reply->len, here, there)) {
            return ANSWER_LATER;
        }
        return answers[i].answer;
    }
    return ANSWER_FAILED;
}

const char *reply_word(const redisReply *reply, size_t i)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || i >= reply->elements ||
        reply->element[i]->str == NULL) {
        return "";
    }
    return reply->element[i]->str;
}

int64_t reply_number(const redisReply *reply, size_t i)
{
    return strtoll(reply_word(reply, i), NULL, 10);
}

/* What callers see of a reply. */

static const redisReply *inner(const moonlatch_reply *reply)
{
    return (const redisReply *)reply;
}

moonlatch_type moonlatch_reply_type(const moonlatch_reply *reply)
{
    if (reply == NULL) {
        return MOONLATCH_NIL;
    }
    switch (inner(reply)->type) {
    case REDIS_REPLY_STRING:
        return MOONLATCH_TEXT;
    case REDIS_REPLY_STATUS:
        return MOONLATCH_STATUS_TEXT;
    case REDIS_REPLY_INTEGER:
        return MOONLATCH_INTEGER;
    case REDIS_REPLY_ARRAY:
        return MOONLATCH_ARRAY;
    case REDIS_REPLY_ERROR:
        return MOONLATCH_FAILURE;
    default:
        return MOONLATCH_NIL;
    }
}

const char *moonlatch_reply_text(const moonlatch_reply *reply, size_t *len)
{
    const bool has_text = reply != NULL && inner(reply)->str != NULL;

    if (len != NULL) {
        *len = has_text ? (size_t)inner(reply)->len : 0;
    }
    return has_text ? inner(reply)->str : "";
}

int64_t moonlatch_reply_integer(const moonlatch_reply *reply)
{
    return moonlatch_reply_type(reply) == MOONLATCH_INTEGER ? inner(reply)->integer : 0;
}

size_t moonlatch_reply_count(const moonlatch_reply *reply)
{
    return moonlatch_reply_type(reply) == MOONLATCH_ARRAY ? inner(reply)->elements : 0;
}

const moonlatch_reply *moonlatch_reply_item(const moonlatch_reply *reply, size_t i)
{
    if (i >= moonlatch_reply_count(reply)) {
        return NULL;
    }
    return (const moonlatch_reply *)inner(reply)->element[i];
}

void moonlatch_reply_free(moonlatch_reply *reply)
{
    if (reply != NULL) {
        freeReplyObject(reply);
    }
}
