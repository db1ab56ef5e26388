#include "client/reply.h"

#include "include/moonlatch.h"
#include "test/lib/check.h"

#include <string.h>

static const struct address here = {.host = "me", .port = 1};

static enum answer answer_to(const char *text, struct address *there)
{
    redisReply reply = {.type = REDIS_REPLY_ERROR};

    reply.str = (char *)(uintptr_t)text;
    reply.len = strlen(text);
    return reply_answer(&reply, &here, there);
}

TEST(errors_say_where_to_go)
{
    struct address a;

    CHECK(answer_to("MOVED 7 10.0.0.1:7000", &a) == ANSWER_MOVED);
    CHECK(strcmp(a.host, "10.0.0.1") == 0 && a.port == 7000);
    CHECK(answer_to("MOVED 7 :7001", &a) == ANSWER_MOVED);
    CHECK(strcmp(a.host, "me") == 0 && a.port == 7001);
    CHECK(answer_to("READONLY You can't write. The leader is [::1]:7", &a) == ANSWER_MOVED);
    CHECK(strcmp(a.host, "::1") == 0 && a.port == 7);
    CHECK(answer_to("READONLY You can't write against a read only replica.", &a) == ANSWER_LATER);
    CHECK(answer_to("MOVED", &a) == ANSWER_FAILED);
    CHECK(answer_to("MOVED ", &a) == ANSWER_LATER);
    CHECK(answer_to("MOVED 7", &a) == ANSWER_LATER || a.port == 6379);
    CHECK(answer_to("MOVED 7 x:99999", &a) == ANSWER_LATER);
    CHECK(answer_to("MOVED 7 :x", &a) == ANSWER_LATER);
}

TEST(errors_say_what_was_done)
{
    struct address a;

    CHECK(answer_to("LOADING Redis is loading", &a) == ANSWER_LATER);
    CHECK(answer_to("CLUSTERDOWN No leader", &a) == ANSWER_LATER);
    CHECK(answer_to("UNCERTAIN", &a) == ANSWER_FAILED);
    CHECK(answer_to("UNCERTAIN who knows", &a) == ANSWER_UNCERTAIN);
    CHECK(answer_to("UNBLOCKED force unblock from blocking operation", &a) == ANSWER_LATER);
    CHECK(answer_to("UNBLOCKED client unblocked via CLIENT UNBLOCK", &a) == ANSWER_FAILED);
    CHECK(answer_to("NOSCRIPT No matching script.", &a) == ANSWER_NO_SCRIPT);
    CHECK(answer_to("NOAUTH Authentication required.", &a) == ANSWER_DENIED);
    CHECK(answer_to("ERR whatever", &a) == ANSWER_FAILED);
    CHECK(answer_to("", &a) == ANSWER_FAILED);
}

/* Words of what is no array of texts are empty, and its numbers 0. */
TEST(words_are_always_texts)
{
    redisReply number = {.type = REDIS_REPLY_INTEGER, .integer = 5};
    redisReply word = {.type = REDIS_REPLY_STRING};
    redisReply *items[] = {&word, &number};
    redisReply array = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = items};
    char text[] = "12";

    word.str = text;
    word.len = 2;
    CHECK(reply_number(&array, 0) == 12);
    CHECK(strcmp(reply_word(&array, 0), "12") == 0);
    CHECK(strcmp(reply_word(&array, 1), "") == 0);
    CHECK(strcmp(reply_word(&array, 2), "") == 0);
    CHECK(strcmp(reply_word(&number, 0), "") == 0);
    CHECK(strcmp(reply_word(NULL, 0), "") == 0);
}

TEST(callers_see_a_reply_and_its_items)
{
    redisReply number = {.type = REDIS_REPLY_INTEGER, .integer = 5};
    redisReply *items[] = {&number};
    redisReply array = {.type = REDIS_REPLY_ARRAY, .elements = 1, .element = items};
    const moonlatch_reply *reply = (const moonlatch_reply *)&array;
    size_t len = 7;

    CHECK(moonlatch_reply_type(reply) == MOONLATCH_ARRAY);
    CHECK(moonlatch_reply_count(reply) == 1);
    CHECK(moonlatch_reply_integer(moonlatch_reply_item(reply, 0)) == 5);
    CHECK(moonlatch_reply_item(reply, 1) == NULL);
    CHECK(moonlatch_reply_type(NULL) == MOONLATCH_NIL);
    CHECK(moonlatch_reply_integer(reply) == 0);
    CHECK(strcmp(moonlatch_reply_text(reply, &len), "") == 0 && len == 0);
}

int main(void)
{
    return RUN(errors_say_where_to_go, errors_say_what_was_done, words_are_always_texts,
               callers_see_a_reply_and_its_items);
}
