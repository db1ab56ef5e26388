#include "engine/block.h"

#include "engine/call.h"
#include "engine/request.h"
#include "test/lib/check.h"

/* Commands for these tests: "put key content", "take timeout key [key ...]". */

static void run_put(struct call *c)
{
    call_make(c, change_bind(c->db, value_new_string(c->argv[1], c->argv[2], EXPIRES_NEVER)));
    reply_ok(c);
}

static void run_take(struct call *c)
{
    int64_t timeout_ms;

    if (!call_timeout(c, 1, &timeout_ms)) {
        return;
    }
    for (size_t i = 2; i < c->argc; i++) {
        const struct value *v;
        if (!call_find(c, i, VALUE_STRING, &v)) {
            return;
        }
        if (v != NULL) {
            reply_bytes(c, value_string(v));
            call_make(c, change_unbind(c->db, c->argv[i]));
            return;
        }
    }
    if (!call_block(c, &(struct block){.first = 2,
                                       .count = c->argc - 2,
                                       .type = VALUE_STRING,
                                       .timeout_ms = timeout_ms})) {
        reply_nil(c);
    }
}

static const struct command commands[] = {
    {.name = "put", .arity = 3, .flags = COMMAND_WRITE, .run = run_put},
    {.name = "take", .arity = -3, .flags = COMMAND_WRITE | COMMAND_BLOCKING, .run = run_take},
    {0},
};

static const struct command *const families[] = {commands, NULL};

enum { CLIENTS = 4 };

struct bench {
    struct engine *engine;
    struct session *client[CLIENTS];
};

static void bench_open(struct bench *b)
{
    b->engine = engine_new(families, 2);
    for (size_t i = 0; i < CLIENTS; i++) {
        b->client[i] = session_new(b->engine);
    }
}

static void bench_close(struct bench *b)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        session_free(b->client[i]);
    }
    CHECK(b->engine->waiting.keys == NULL);
    CHECK(b->engine->waiting.parties == NULL);
    CHECK(b->engine->waiting.deadlines == NULL);
    CHECK(b->engine->waiting.blocked == 0);
    engine_free(b->engine);
}

/* Makes a request whose words are separated by single spaces. */
static void request(struct session *s, const char *text)
{
    struct bytes argv[8];
    size_t argc = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        argv[argc++] = (struct bytes){text, len};
        text += len + (text[len] == ' ');
    }
    request_execute(s, argc, argv);
}

static bool was_sent(struct session *s, const char *text)
{
    bool equal = bytes_equal(buf_bytes(&s->out), bytes_of(text));

    s->out.len = 0;
    return equal;
}

TEST(what_is_there_is_taken_at_once)
{
    struct bench b;

    bench_open(&b);
    request(b.client[0], "put k 1");
    request(b.client[1], "take 0 k");
    CHECK(was_sent(b.client[1], "$1\r\n1\r\n"));
    CHECK(b.client[1]->wait == NULL);
    bench_close(&b);
}

TEST(those_who_wait_are_served_in_the_order_they_came)
{
    struct bench b;

    bench_open(&b);
    request(b.client[1], "take 0 k");
    request(b.client[2], "take 0 j k");
    CHECK(b.engine->waiting.blocked == 2);
    request(b.client[0], "put k 1");
    CHECK(was_sent(b.client[1], "$1\r\n1\r\n"));
    CHECK(was_sent(b.client[2], ""));
    CHECK(b.client[2]->wait != NULL);
    request(b.client[0], "put k 2");
    CHECK(was_sent(b.client[2], "$1\r\n2\r\n"));
    bench_close(&b);
}

TEST(a_key_named_twice_is_waited_for_once)
{
    struct bench b;

    bench_open(&b);
    request(b.client[1], "take 0 k k");
    request(b.client[0], "put k 1");
    CHECK(was_sent(b.client[1], "$1\r\n1\r\n"));
    bench_close(&b);
}

TEST(a_wait_ends_with_its_time)
{
    struct bench b;

    bench_open(&b);
    request(b.client[1], "take 0.5 k");
    request(b.client[2], "take 0 k");
    CHECK(block_deadline_ms(b.engine) == logtime_ms(&b.engine->time) + 500);
    block_time_out(b.engine);
    CHECK(was_sent(b.client[1], ""));
    b.engine->time.now_us += 500 * 1000;
    block_time_out(b.engine);
    CHECK(was_sent(b.client[1], "$-1\r\n"));
    CHECK(b.client[1]->wait == NULL);
    CHECK(b.client[2]->wait != NULL);
    CHECK(block_deadline_ms(b.engine) == INT64_MAX);
    bench_close(&b);
}

TEST(a_wait_can_be_ended_from_outside)
{
    struct bench b;

    bench_open(&b);
    request(b.client[1], "take 0 k");
    request(b.client[2], "take 9 k");
    CHECK(block_end(b.client[1], "UNBLOCKED by a test"));
    CHECK(was_sent(b.client[1], "-UNBLOCKED by a test\r\n"));
    CHECK(block_end(b.client[2], NULL));
    CHECK(was_sent(b.client[2], ""));
    CHECK(!block_end(b.client[2], NULL));
    block_time_out(b.engine);
    CHECK(was_sent(b.client[2], "$-1\r\n"));
    CHECK(!block_end(b.client[2], NULL));
    bench_close(&b);
}

static bool refuse(struct engine *e, struct bytes redo, void *context)
{
    (void)e;
    (void)redo;
    (void)context;
    return false;
}

TEST(what_is_rolled_back_wakes_nobody)
{
    struct bench b;

    bench_open(&b);
    request(b.client[1], "take 0 k");
    b.engine->log.append = refuse;
    request(b.client[0], "put k 1");
    b.engine->log.append = NULL;
    CHECK(was_sent(b.client[1], ""));
    CHECK(b.client[1]->wait != NULL);
    bench_close(&b);
}

TEST(a_client_that_goes_leaves_its_place)
{
    struct bench b;

    bench_open(&b);
    request(b.client[1], "take 0 k");
    request(b.client[2], "take 0 k");
    session_free(b.client[1]);
    b.client[1] = session_new(b.engine);
    request(b.client[0], "put k 1");
    CHECK(was_sent(b.client[2], "$1\r\n1\r\n"));
    bench_close(&b);
}

TEST(what_was_postponed_runs_in_order_and_may_then_wait_for_a_key)
{
    struct bench b;
    const struct bytes take[] = {BYTES("take"), BYTES("0"), BYTES("k")};
    const struct bytes put[] = {BYTES("put"), BYTES("k"), BYTES("1")};

    bench_open(&b);
    block_postpone(b.client[1], 3, take);
    block_postpone(b.client[2], 3, take);
    block_postpone(b.client[3], 3, put);
    CHECK(b.engine->waiting.blocked == 0);
    block_resume(b.engine);
    CHECK(was_sent(b.client[3], "+OK\r\n"));
    CHECK(was_sent(b.client[1], "$1\r\n1\r\n"));
    CHECK(b.client[2]->wait != NULL);
    CHECK(block_is_blocked(b.client[2]));
    bench_close(&b);
}

TEST(a_pause_puts_requests_off_until_it_ends)
{
    struct bench b;

    bench_open(&b);
    pause_begin(b.engine, PAUSE_WRITES, logtime_ms(&b.engine->time) + 500);
    request(b.client[1], "put k 1");
    CHECK(was_sent(b.client[1], ""));
    CHECK(block_deadline_ms(b.engine) == logtime_ms(&b.engine->time) + 500);
    block_time_out(b.engine);
    CHECK(was_sent(b.client[1], ""));
    b.engine->time.now_us += 500 * 1000;
    block_time_out(b.engine);
    CHECK(was_sent(b.client[1], "+OK\r\n"));
    CHECK(block_deadline_ms(b.engine) == INT64_MAX);
    bench_close(&b);
}

TEST(a_pause_becomes_longer_and_stricter_only)
{
    struct bench b;
    int64_t now_ms;

    bench_open(&b);
    now_ms = logtime_ms(&b.engine->time);
    pause_begin(b.engine, PAUSE_ALL, now_ms + 500);
    pause_begin(b.engine, PAUSE_WRITES, now_ms + 100);
    CHECK(b.engine->pause.kind == PAUSE_ALL);
    CHECK(b.engine->pause.until_ms == now_ms + 500);
    request(b.client[1], "put k 1");
    pause_end(b.engine);
    CHECK(was_sent(b.client[1], ""));
    block_time_out(b.engine);
    CHECK(was_sent(b.client[1], "+OK\r\n"));
    pause_begin(b.engine, PAUSE_WRITES, now_ms + 100);
    CHECK(b.engine->pause.kind == PAUSE_WRITES);
    bench_close(&b);
}

int main(void)
{
    return RUN(what_is_there_is_taken_at_once, those_who_wait_are_served_in_the_order_they_came,
               a_key_named_twice_is_waited_for_once, a_wait_ends_with_its_time,
               a_wait_can_be_ended_from_outside, what_is_rolled_back_wakes_nobody,
               a_client_that_goes_leaves_its_place,
               what_was_postponed_runs_in_order_and_may_then_wait_for_a_key,
               a_pause_puts_requests_off_until_it_ends, a_pause_becomes_longer_and_stricter_only);
}
