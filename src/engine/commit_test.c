#include "engine/commit.h"

#include "engine/batch.h"
#include "engine/call.h"
#include "engine/request.h"
#include "test/lib/check.h"

/* Commands for these tests: "put key content", "get key", "take key" which waits, "fail key"
 * which puts and then fails, "ping" which has nothing to do with the data. */

static void run_put(struct call *c)
{
    call_make(c, change_bind(c->db, value_new_string(c->argv[1], c->argv[2], EXPIRES_NEVER)));
    reply_ok(c);
}

static void run_get(struct call *c)
{
    const struct value *v;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v != NULL) {
        reply_bytes(c, value_string(v));
    } else {
        reply_nil(c);
    }
}

static void run_take(struct call *c)
{
    const struct value *v;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v != NULL) {
        reply_bytes(c, value_string(v));
        call_make(c, change_unbind(c->db, c->argv[1]));
    } else {
        call_block(c, &(struct block){.first = 1, .count = 1, .type = VALUE_STRING});
    }
}

static void run_fail(struct call *c)
{
    call_make(c, change_bind(c->db, value_new_string(c->argv[1], BYTES("x"), EXPIRES_NEVER)));
    call_fail(c, "ERR failed");
}

static void run_ping(struct call *c)
{
    reply_status(c, "PONG");
}

static const struct command commands[] = {
    {.name = "put", .arity = 3, .flags = COMMAND_WRITE, .run = run_put},
    {.name = "get", .arity = 2, .flags = COMMAND_READONLY, .run = run_get},
    {.name = "take", .arity = 2, .flags = COMMAND_WRITE | COMMAND_BLOCKING, .run = run_take},
    {.name = "fail", .arity = 2, .flags = COMMAND_WRITE, .run = run_fail},
    {.name = "ping", .arity = 1, .run = run_ping},
    {0},
};

static const struct command *const families[] = {commands, NULL};

/* A log that keeps what it is given. */

enum { CLIENTS = 3, KEPT = 3 * COMMIT_ENTRIES };

struct bench {
    struct engine *engine;
    struct session *client[CLIENTS];
    struct dataset *follower;
    struct buf entry[KEPT]; /* By sequence number. */
    uint64_t newest;
};

static void append(void *context, uint64_t seq, int64_t time_us, struct bytes redo)
{
    struct bench *b = context;

    CHECK(time_us == b->engine->time.now_us);
    CHECK(seq < KEPT);
    b->entry[seq].len = 0;
    buf_add(&b->entry[seq], redo);
    b->newest = seq;
}

static const struct log_ops ops = {.append = append};

static void bench_open(struct bench *b, enum durability durability)
{
    *b = (struct bench){.engine = engine_new(families, 2), .follower = dataset_new(2)};
    b->engine->commit.ops = &ops;
    b->engine->commit.context = b;
    b->engine->commit.durability = durability;
    for (size_t i = 0; i < CLIENTS; i++) {
        b->client[i] = session_new(b->engine);
    }
}

static void bench_close(struct bench *b)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        session_free(b->client[i]);
    }
    for (size_t i = 0; i < KEPT; i++) {
        buf_clear(&b->entry[i]);
    }
    dataset_free(b->follower);
    engine_free(b->engine);
}

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
    session_wrote(s);
}

/* Ends the turn as the network does. */
static void end_turn(struct bench *b)
{
    struct session *s;

    commit_seal(b->engine);
    while ((s = b->engine->unsent) != NULL) {
        b->engine->unsent = s->next_unsent;
        s->unsent = false;
        commit_mark(s);
    }
}

/* Has the entries up to this one committed, and made elsewhere. */
static void commit(struct bench *b, uint64_t seq)
{
    for (uint64_t i = b->engine->commit.committed + 1; i <= seq; i++) {
        CHECK(journal_replay(b->follower, buf_bytes(&b->entry[i])));
    }
    commit_reached(b->engine, seq);
}

static bool is_followed(struct bench *b)
{
    return digest_equal(dataset_digest(b->engine->data), dataset_digest(b->follower));
}

/* Takes what may be sent, as the network does, and returns whether it is this. */
static bool is_sent(struct session *s, const char *text)
{
    size_t len = commit_released(s);
    bool equal = bytes_equal((struct bytes){s->out.at, len}, bytes_of(text));

    buf_drop_front(&s->out, len);
    commit_dropped(s, len);
    return equal;
}

TEST(a_reply_goes_out_when_its_entry_is_committed)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    CHECK(is_sent(b.client[0], "")); /* Not even before the turn has ended. */
    end_turn(&b);
    CHECK(b.newest == 1);
    CHECK(is_sent(b.client[0], ""));
    commit(&b, 1);
    CHECK(is_sent(b.client[0], "+OK\r\n"));
    CHECK(is_followed(&b));
    CHECK(!commit_is_pending(b.engine));
    bench_close(&b);
}

TEST(a_turn_is_one_entry)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    request(b.client[1], "fail l");
    request(b.client[1], "put l 2");
    request(b.client[0], "put k 3");
    end_turn(&b);
    CHECK(b.newest == 1);
    commit(&b, 1);
    CHECK(is_sent(b.client[0], "+OK\r\n+OK\r\n"));
    CHECK(is_sent(b.client[1], "-ERR failed\r\n+OK\r\n"));
    CHECK(is_followed(&b));
    end_turn(&b);
    CHECK(b.newest == 1); /* There is none without a change. */
    bench_close(&b);
}

TEST(what_a_read_has_found_is_held_back_as_well)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    end_turn(&b);
    request(b.client[1], "get k");
    request(b.client[2], "ping");
    end_turn(&b);
    CHECK(is_sent(b.client[1], ""));
    CHECK(is_sent(b.client[2], "+PONG\r\n"));
    request(b.client[1], "ping"); /* It has to wait its turn. */
    end_turn(&b);
    CHECK(is_sent(b.client[1], ""));
    commit(&b, 1);
    CHECK(is_sent(b.client[1], "$1\r\n1\r\n+PONG\r\n"));
    request(b.client[1], "get k");
    CHECK(is_sent(b.client[1], ""));
    end_turn(&b);
    CHECK(is_sent(b.client[1], "$1\r\n1\r\n"));
    bench_close(&b);
}

TEST(entries_under_way_have_a_limit_and_the_rest_gathers)
{
    struct bench b;
    char line[32];

    bench_open(&b, DURABILITY_STRICT);
    for (int i = 1; i <= 2 * COMMIT_ENTRIES; i++) {
        snprintf(line, sizeof line, "put k%d %d", i, i);
        request(b.client[i % 2], line);
        end_turn(&b);
    }
    CHECK(b.newest == COMMIT_ENTRIES);
    commit(&b, 1);
    CHECK(is_sent(b.client[1], "+OK\r\n"));
    end_turn(&b);
    CHECK(b.newest == COMMIT_ENTRIES + 1); /* With all that has gathered. */
    commit(&b, COMMIT_ENTRIES + 1);
    CHECK(commit_released(b.client[0]) == COMMIT_ENTRIES * strlen("+OK\r\n"));
    CHECK(commit_released(b.client[1]) == (COMMIT_ENTRIES - 1) * strlen("+OK\r\n"));
    CHECK(is_followed(&b));
    bench_close(&b);
}

TEST(who_does_not_wait_has_later_replies_held_back_as_one)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    for (int i = 0; i < COMMIT_HOLDS + 2; i++) {
        request(b.client[0], "put k 1");
        end_turn(&b);
    }
    CHECK(b.newest == COMMIT_HOLDS + 2);
    commit(&b, COMMIT_HOLDS - 1);
    CHECK(commit_released(b.client[0]) == (COMMIT_HOLDS - 1) * strlen("+OK\r\n"));
    commit(&b, COMMIT_HOLDS + 1);
    CHECK(commit_released(b.client[0]) == (COMMIT_HOLDS - 1) * strlen("+OK\r\n"));
    commit(&b, COMMIT_HOLDS + 2);
    CHECK(commit_released(b.client[0]) == (COMMIT_HOLDS + 2) * strlen("+OK\r\n"));
    bench_close(&b);
}

TEST(what_is_lost_is_undone_and_told)
{
    struct bench b;
    struct digest before;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    end_turn(&b);
    commit(&b, 1);
    CHECK(is_sent(b.client[0], "+OK\r\n"));
    before = dataset_digest(b.engine->data);

    request(b.client[0], "put k 2");
    request(b.client[0], "put l 2");
    end_turn(&b);
    request(b.client[1], "get k");
    end_turn(&b);
    request(b.client[0], "put k 3"); /* Its turn has not ended. */
    request(b.client[2], "ping");
    commit_lost(b.engine, "UNCERTAIN who knows");
    CHECK(digest_equal(dataset_digest(b.engine->data), before));
    CHECK(is_followed(&b));
    CHECK(is_sent(b.client[0], "-UNCERTAIN who knows\r\n-UNCERTAIN who knows\r\n"
                               "-UNCERTAIN who knows\r\n"));
    CHECK(is_sent(b.client[1], "-UNCERTAIN who knows\r\n"));
    CHECK(is_sent(b.client[2], "+PONG\r\n"));
    CHECK(b.client[0]->closing);
    CHECK(b.client[1]->closing);
    CHECK(!b.client[2]->closing);
    CHECK(!commit_is_pending(b.engine));

    request(b.client[2], "put k 4"); /* The numbers go on from what is committed. */
    end_turn(&b);
    CHECK(b.newest == 2);
    commit(&b, 2);
    CHECK(is_sent(b.client[2], "+OK\r\n"));
    CHECK(is_followed(&b));
    bench_close(&b);
}

/* Its number is used again. */
TEST(nobody_waits_for_an_entry_that_was_lost_before_it_was_made)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    for (int i = 0; i <= COMMIT_ENTRIES; i++) {
        request(b.client[i % 2], "put k 1");
        end_turn(&b);
    }
    CHECK(b.newest == COMMIT_ENTRIES);
    commit_lost(b.engine, "UNCERTAIN");
    for (uint64_t i = 1; i <= COMMIT_PLACES; i++) {
        request(b.client[2], "put k 2");
        end_turn(&b);
        commit(&b, i);
        CHECK(is_sent(b.client[2], "+OK\r\n"));
    }
    CHECK(is_followed(&b));
    bench_close(&b);
}

TEST(who_is_served_by_what_is_lost_gets_the_error)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[1], "take k");
    end_turn(&b);
    request(b.client[0], "put k 1");
    CHECK(b.client[1]->wait == NULL);
    end_turn(&b);
    commit_lost(b.engine, "UNCERTAIN");
    CHECK(is_sent(b.client[0], "-UNCERTAIN\r\n"));
    CHECK(is_sent(b.client[1], "-UNCERTAIN\r\n"));
    CHECK(dataset_count(b.engine->data) == 0);
    bench_close(&b);
}

TEST(a_relaxed_reply_does_not_wait)
{
    struct bench b;

    bench_open(&b, DURABILITY_RELAXED);
    request(b.client[0], "put k 1");
    CHECK(is_sent(b.client[0], "+OK\r\n"));
    end_turn(&b);
    CHECK(commit_is_pending(b.engine));
    b.engine->commit.wants_barrier = true; /* Else the entry waits for more. */
    end_turn(&b);
    CHECK(b.newest == 1);
    commit(&b, 1);
    CHECK(is_followed(&b));
    bench_close(&b);
}

TEST(a_barrier_is_an_entry_without_changes)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "get k");
    b.engine->commit.wants_barrier = true;
    end_turn(&b);
    CHECK(b.newest == 1);
    CHECK(b.entry[1].len == 0);
    CHECK(is_sent(b.client[0], ""));
    commit(&b, 1);
    CHECK(is_sent(b.client[0], "$-1\r\n"));
    bench_close(&b);
}

/* Begins what a script would, and changes something in it. */
static void begin_script(struct bench *b)
{
    batch_begin(b->engine, true);
    b->engine->running.is_script = true;
    journal_make(&b->engine->journal,
                 change_bind(0, value_new_string(BYTES("s"), BYTES("1"), EXPIRES_NEVER)));
}

static void end_script(struct bench *b)
{
    b->engine->running.is_script = false;
    batch_end(b->engine);
}

TEST(what_came_before_a_script_does_not_wait_for_it)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    begin_script(&b);
    end_turn(&b); /* The busy door. */
    CHECK(b.newest == 1);
    commit(&b, 1);
    CHECK(is_sent(b.client[0], "+OK\r\n"));
    CHECK(!is_followed(&b));
    end_script(&b);
    end_turn(&b);
    commit(&b, 2);
    CHECK(is_followed(&b));
    bench_close(&b);
}

TEST(a_script_is_undone_behind_what_was_cut_off_before_it)
{
    struct bench b;
    struct journal_mark mark;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    begin_script(&b);
    mark = b.engine->batch;
    end_turn(&b);
    journal_make(&b.engine->journal,
                 change_bind(0, value_new_string(BYTES("k"), BYTES("2"), EXPIRES_NEVER)));
    batch_rollback(b.engine, mark);
    end_script(&b);
    end_turn(&b);
    CHECK(b.newest == 1);
    commit(&b, 1);
    CHECK(is_followed(&b));
    request(b.client[0], "put k 3");
    end_turn(&b);
    commit_lost(b.engine, "UNCERTAIN");
    CHECK(is_followed(&b));
    bench_close(&b);
}

/* It takes more memory to undo the script than stays where it is. */
TEST(what_was_cut_off_before_a_script_is_undone_behind_it)
{
    struct bench b;
    char key[32];

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    begin_script(&b);
    end_turn(&b);
    for (int i = 0; i < 4000; i++) {
        snprintf(key, sizeof key, "key:%d", i);
        journal_make(&b.engine->journal,
                     change_bind(0, value_new_string(bytes_of(key), BYTES("1"), EXPIRES_NEVER)));
    }
    end_script(&b);
    end_turn(&b);
    CHECK(b.newest == 2);
    commit_lost(b.engine, "UNCERTAIN");
    CHECK(dataset_count(b.engine->data) == 0);
    bench_close(&b);
}

TEST(a_session_that_goes_is_forgotten)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    request(b.client[0], "put k 1");
    request(b.client[1], "put l 1");
    end_turn(&b);
    session_free(b.client[0]);
    b.client[0] = session_new(b.engine);
    commit(&b, 1);
    CHECK(is_sent(b.client[1], "+OK\r\n"));
    CHECK(is_sent(b.client[0], ""));
    bench_close(&b);
}

TEST(a_follower_makes_changes_and_tells_of_them)
{
    struct bench b;
    struct bench leader;

    bench_open(&b, DURABILITY_STRICT);
    bench_open(&leader, DURABILITY_STRICT);
    watch_add(&b.engine->watchers, b.client[0], 0, BYTES("k"));
    request(leader.client[0], "put k 1");
    end_turn(&leader);
    b.engine->group.role = GROUP_FOLLOWER;
    CHECK(commit_follow(b.engine, buf_bytes(&leader.entry[1])));
    CHECK(b.client[0]->watch_failed);
    CHECK(digest_equal(dataset_digest(b.engine->data), dataset_digest(leader.engine->data)));
    CHECK(!commit_follow(b.engine, BYTES("\377garbage")));
    commit(&leader, 1);
    bench_close(&leader);
    bench_close(&b);
}

TEST(a_follower_changes_nothing_by_itself)
{
    struct bench b;

    bench_open(&b, DURABILITY_STRICT);
    b.engine->group.role = GROUP_FOLLOWER;
    batch_begin(b.engine, false);
    journal_make(&b.engine->journal,
                 change_bind(0, value_new_string(BYTES("k"), BYTES("1"), EXPIRES_NEVER)));
    batch_end(b.engine);
    CHECK(dataset_count(b.engine->data) == 0);
    end_turn(&b);
    CHECK(b.newest == 0);
    bench_close(&b);
}

int main(void)
{
    return RUN(
        a_reply_goes_out_when_its_entry_is_committed, a_turn_is_one_entry,
        what_a_read_has_found_is_held_back_as_well,
        entries_under_way_have_a_limit_and_the_rest_gathers,
        who_does_not_wait_has_later_replies_held_back_as_one, what_is_lost_is_undone_and_told,
        nobody_waits_for_an_entry_that_was_lost_before_it_was_made,
        who_is_served_by_what_is_lost_gets_the_error, a_relaxed_reply_does_not_wait,
        a_barrier_is_an_entry_without_changes, what_came_before_a_script_does_not_wait_for_it,
        a_script_is_undone_behind_what_was_cut_off_before_it,
        what_was_cut_off_before_a_script_is_undone_behind_it, a_session_that_goes_is_forgotten,
        a_follower_makes_changes_and_tells_of_them, a_follower_changes_nothing_by_itself);
}
