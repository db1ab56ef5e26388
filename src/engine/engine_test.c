#include "engine/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/expiry.h"
#include "engine/request.h"
#include "test/lib/check.h"

/* Commands for these tests. They do just what it takes. */

static void run_ping(struct call *c)
{
    reply_status(c, "PONG");
}

/* put key content */
static void run_put(struct call *c)
{
    call_make(c, change_bind(c->db, value_new_string(c->argv[1], c->argv[2], EXPIRES_NEVER)));
    reply_ok(c);
}

/* retime key ms */
static void run_retime(struct call *c)
{
    int64_t expires_ms;

    if (call_int(c, 2, &expires_ms)) {
        call_make(c, change_retime(c->db, c->argv[1], expires_ms));
        reply_ok(c);
    }
}

static void run_drop(struct call *c)
{
    call_make(c, change_unbind(c->db, c->argv[1]));
    reply_ok(c);
}

/* add key member */
static void run_add(struct call *c)
{
    const struct value *set;

    if (call_find_or_bind(c, 1, VALUE_SET, &set) && !value_set_has(set, c->argv[2])) {
        call_make(c, change_set_add(c->db, c->argv[1], c->argv[2]));
    }
    if (!c->failed) {
        reply_ok(c);
    }
}

static void run_get(struct call *c)
{
    const struct value *v;

    if (!call_find(c, 1, VALUE_STRING, &v)) {
        return;
    }
    if (v == NULL) {
        reply_nil(c);
    } else {
        reply_bytes(c, value_string(v));
    }
}

static void run_flush(struct call *c)
{
    call_make(c, change_flush(c->db));
    reply_ok(c);
}

static void run_swap(struct call *c)
{
    call_make(c, change_swap(0, 1));
    reply_ok(c);
}

/* Fails at the very end, when it has changed a lot and replied too. */
static void run_spoil(struct call *c)
{
    reply_array(c, 3);
    reply_int(c, 1);
    run_put(c);
    call_make(c, change_retime(c->db, c->argv[1], 1));
    call_make(c, change_flush(c->db));
    call_make(c, change_swap(0, 1));
    run_put(c);
    call_fail(c, "ERR spoiled by %s", "me");
}

/* nest first | second | ...: makes calls as a script does. Those that fail are passed
 * over, but for one that is called "fail". */
static void run_nest(struct call *c)
{
    size_t start = 1;

    for (size_t i = 1; i <= c->argc; i++) {
        if (i < c->argc && !bytes_equal(c->argv[i], BYTES("|"))) {
            continue;
        }
        if (bytes_equal(c->argv[start], BYTES("fail"))) {
            call_fail(c, "ERR failed");
            return;
        }
        engine_call_from_script(c->session, &sink_nowhere, i - start, c->argv + start);
        start = i + 1;
    }
    reply_ok(c);
}

static void run_begin(struct call *c)
{
    c->session->in_multi = true;
    reply_ok(c);
}

/* Runs what is queued, as EXEC does. */
static void run_end(struct call *c)
{
    struct session *s = c->session;

    reply_array(c, s->queue_len);
    for (size_t i = 0; i < s->queue_len; i++) {
        resp_sink_begin(&s->sink);
        engine_run(s, s->queue[i].command, c->reply, s->queue[i].argc, s->queue[i].argv);
    }
    session_drop_queue(s);
}

static const struct command box_commands[] = {
    {.name = "open", .arity = 3, .run = run_ping},
    {0},
};

static const struct command commands[] = {
    {.name = "ping", .arity = -1, .run = run_ping},
    {.name = "put", .arity = 3, .flags = COMMAND_WRITE | COMMAND_DENYOOM, .run = run_put},
    {.name = "put-direct", .arity = 3, .flags = COMMAND_WRITE | COMMAND_DIRECT, .run = run_put},
    {.name = "retime", .arity = 3, .flags = COMMAND_WRITE, .run = run_retime},
    {.name = "drop", .arity = 2, .flags = COMMAND_WRITE, .run = run_drop},
    {.name = "add", .arity = 3, .flags = COMMAND_WRITE, .run = run_add},
    {.name = "get", .arity = 2, .flags = COMMAND_READONLY, .run = run_get},
    {.name = "flush", .arity = 1, .flags = COMMAND_WRITE, .run = run_flush},
    {.name = "swap", .arity = 1, .flags = COMMAND_WRITE, .run = run_swap},
    {.name = "spoil", .arity = 3, .flags = COMMAND_WRITE, .run = run_spoil},
    {.name = "nest", .arity = -2, .run = run_nest},
    {.name = "begin", .arity = 1, .flags = COMMAND_IMMEDIATE | COMMAND_NO_AUTH, .run = run_begin},
    {.name = "end", .arity = 1, .flags = COMMAND_IMMEDIATE | COMMAND_EXECUTES, .run = run_end},
    {.name = "alone", .arity = 1, .flags = COMMAND_NO_MULTI | COMMAND_NOSCRIPT, .run = run_ping},
    {.name = "patient", .arity = 1, .flags = COMMAND_ALLOW_BUSY, .run = run_ping},
    {.name = "login", .arity = 1, .flags = COMMAND_NO_AUTH, .run = run_ping},
    {.name = "box", .arity = -2, .subcommands = box_commands},
    {0},
};
static const struct command *const families[] = {commands, NULL};

/* An engine with two sessions. */
struct bench {
    struct engine *engine;
    struct session *session;
    struct session *other;
};

static struct bench bench_open(void)
{
    struct engine *e = engine_new(families, 3);

    return (struct bench){e, session_new(e), session_new(e)};
}

static void bench_close(struct bench *b)
{
    dataset_check(b->engine->data);
    session_free(b->session);
    session_free(b->other);
    engine_free(b->engine);
}

enum { WORDS_MAX = 32 };

static size_t split(const char *line, struct bytes argv[WORDS_MAX])
{
    size_t argc = 0;

    while (*line != '\0') {
        size_t len = strcspn(line, " ");

        CHECK(argc < WORDS_MAX);
        argv[argc++] = (struct bytes){line, len};
        line += len + (line[len] == ' ');
    }
    return argc;
}

/* Makes a request and returns whether this is the reply, but for the last line feed. */
static bool replies(struct session *s, const char *line, const char *reply)
{
    struct bytes argv[WORDS_MAX];
    BUF_LOCAL(want);

    s->out.len = 0;
    request_execute(s, split(line, argv), argv);
    buf_addf(&want, "%s\r\n", reply);
    return bytes_equal(buf_bytes(&s->out), buf_bytes(&want));
}

static bool is_ok(struct session *s, const char *line)
{
    return replies(s, line, "+OK");
}

TEST(a_call_that_fails_leaves_nothing_but_its_error)
{
    struct bench b = bench_open();
    struct digest before;

    CHECK(is_ok(b.session, "put k v"));
    CHECK(is_ok(b.session, "add s member"));
    before = dataset_digest(b.engine->data);
    CHECK(replies(b.session, "spoil k other", "-ERR spoiled by me"));
    CHECK(replies(b.session, "spoil new other", "-ERR spoiled by me"));
    CHECK(digest_equal(dataset_digest(b.engine->data), before));
    CHECK(replies(b.session, "get s",
                  "-WRONGTYPE Operation against a key holding the wrong kind of value"));
    CHECK(b.engine->journal.newest == NULL);
    CHECK(b.engine->journal.changes == 3);
    CHECK(b.engine->stats.error_replies == 3);
    bench_close(&b);
}

TEST(a_request_must_be_one)
{
    struct bench b = bench_open();

    CHECK(replies(b.session, "nosuch a b",
                  "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "));
    CHECK(replies(b.session, "put k", "-ERR wrong number of arguments for 'put' command"));
    CHECK(replies(b.session, "box open", "-ERR wrong number of arguments for 'box|open' command"));
    CHECK(replies(b.session, "box shut x", "-ERR unknown subcommand 'shut'. Try BOX HELP."));
    CHECK(replies(b.session, "box", "-ERR wrong number of arguments for 'box' command"));
    CHECK(replies(b.session, "BOX Open x", "+PONG"));
    CHECK(b.engine->stats.error_replies == 5);
    bench_close(&b);
}

TEST(what_may_not_run_is_refused)
{
    struct bench b = bench_open();

    buf_add(&b.engine->settings.requirepass, BYTES("secret"));
    b.session->authenticated = false;
    CHECK(replies(b.session, "ping", "-NOAUTH Authentication required."));
    CHECK(replies(b.session, "login", "+PONG"));
    CHECK(replies(b.other, "ping", "+PONG"));
    b.session->authenticated = true;

    b.engine->settings.maxmemory = 1;
    CHECK(
        replies(b.session, "put k v", "-OOM command not allowed when used memory > 'maxmemory'."));
    CHECK(replies(b.session, "get k", "$-1"));
    b.engine->settings.maxmemory = 0;

    b.engine->running = (struct running){.is_script = true, .is_busy = true};
    CHECK(replies(b.session, "ping",
                  "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
                  "SHUTDOWN NOSAVE."));
    CHECK(replies(b.session, "patient", "+PONG"));
    b.engine->running = (struct running){0};
    CHECK(dataset_count(b.engine->data) == 0);
    bench_close(&b);
}

TEST(requests_are_queued_and_run_together)
{
    struct bench b = bench_open();

    CHECK(is_ok(b.session, "begin"));
    CHECK(replies(b.session, "put k v", "+QUEUED"));
    CHECK(replies(b.session, "spoil k x", "+QUEUED"));
    CHECK(replies(b.session, "get k", "+QUEUED"));
    CHECK(dataset_count(b.engine->data) == 0);
    CHECK(replies(b.session, "end", "*3\r\n+OK\r\n-ERR spoiled by me\r\n$1\r\nv"));
    CHECK(!b.session->in_multi);
    bench_close(&b);
}

TEST(what_cannot_be_queued_fails_the_transaction)
{
    static const char *const bad[] = {"nosuch", "put k", "box shut x", "alone"};
    struct bench b = bench_open();

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(is_ok(b.session, "begin"));
        CHECK(!b.session->multi_failed);
        CHECK(!replies(b.session, bad[i], "+QUEUED"));
        CHECK(b.session->out.at[0] == '-');
        CHECK(b.session->multi_failed);
        session_drop_queue(b.session);
    }
    CHECK(
        replies(b.session, "nosuch", "-ERR unknown command 'nosuch', with args beginning with: "));
    CHECK(!b.session->multi_failed);
    bench_close(&b);
}

TEST(a_refused_end_of_a_transaction_is_its_end)
{
    struct bench b = bench_open();

    CHECK(is_ok(b.session, "begin"));
    CHECK(replies(b.session, "put k v", "+QUEUED"));
    b.engine->settings.maxmemory = 1;
    CHECK(replies(b.session, "end",
                  "-EXECABORT Transaction discarded because of: OOM command not allowed when used "
                  "memory > 'maxmemory'."));
    b.engine->settings.maxmemory = 0;
    CHECK(!b.session->in_multi);
    CHECK(b.session->queue_len == 0);
    CHECK(replies(b.session, "get k", "$-1"));
    bench_close(&b);
}

/* Calls of scripts. */

TEST(a_call_of_a_script_that_fails_is_undone_alone)
{
    struct bench b = bench_open();

    CHECK(is_ok(b.session, "nest put k 1 | spoil k 2 | add s member | add k member | put l 3"));
    CHECK(replies(b.session, "get k", "$1\r\n1"));
    CHECK(replies(b.session, "get l", "$1\r\n3"));
    CHECK(dataset_count(b.engine->data) == 3);
    bench_close(&b);
}

TEST(a_script_that_fails_is_undone_whole)
{
    struct bench b = bench_open();
    struct digest before;

    CHECK(is_ok(b.session, "put k 1"));
    before = dataset_digest(b.engine->data);
    CHECK(replies(b.session, "nest put k 2 | spoil k 3 | flush | swap | put m 4 | fail",
                  "-ERR failed"));
    CHECK(digest_equal(dataset_digest(b.engine->data), before));
    bench_close(&b);
}

/* Calls as a script does, and returns whether this is the reply. */
static bool script_replies(struct session *s, const char *line, const char *reply)
{
    struct bytes argv[WORDS_MAX];
    BUF_LOCAL(want);

    s->out.len = 0;
    resp_sink_begin(&s->sink);
    CHECK(engine_call_from_script(s, &s->sink.sink, split(line, argv), argv) == (reply[0] != '-'));
    buf_addf(&want, "%s\r\n", reply);
    return bytes_equal(buf_bytes(&s->out), buf_bytes(&want));
}

TEST(scripts_may_call_what_is_for_them)
{
    struct bench b = bench_open();
    struct session *s = b.session;

    CHECK(script_replies(s, "ping", "+PONG"));
    CHECK(script_replies(s, "alone", "-ERR This Redis command is not allowed from script"));
    CHECK(script_replies(s, "nosuch", "-ERR Unknown Redis command called from script"));
    CHECK(script_replies(s, "box shut x", "-ERR Unknown Redis command called from script"));
    CHECK(script_replies(s, "get", "-ERR Wrong number of args calling Redis command from script"));
    s->read_only = true;
    CHECK(script_replies(s, "put k v",
                         "-ERR Write commands are not allowed from read-only scripts."));
    CHECK(script_replies(s, "get k", "$-1"));
    s->read_only = false;
    b.engine->settings.maxmemory = 1;
    CHECK(script_replies(s, "put k v", "-OOM command not allowed when used memory > 'maxmemory'."));
    b.engine->settings.maxmemory = 0;
    bench_close(&b);
}

/* The log. */

struct follower {
    struct dataset *data;
    size_t batches;
    bool refuses;
};

static bool follow(struct engine *e, struct bytes redo, void *context)
{
    struct follower *f = context;

    f->batches++;
    if (f->refuses) {
        return false;
    }
    CHECK(journal_replay(f->data, redo));
    CHECK(digest_equal(dataset_digest(f->data), dataset_digest(e->data)));
    return true;
}

TEST(the_log_gets_each_batch_once_and_can_repeat_it)
{
    struct bench b = bench_open();
    struct follower f = {.data = dataset_new(3)};

    b.engine->log = (struct engine_log){.append = follow, .context = &f};
    CHECK(is_ok(b.session, "put-direct k v"));
    CHECK(f.batches == 1);
    CHECK(is_ok(b.session, "nest put k 1 | spoil k 2 | add s member | swap | put k 3"));
    CHECK(f.batches == 2);
    CHECK(replies(b.session, "get k", "$1\r\n3"));
    CHECK(replies(b.session, "spoil k x", "-ERR spoiled by me"));
    CHECK(f.batches == 2);
    CHECK(is_ok(b.session, "begin"));
    CHECK(replies(b.session, "flush", "+QUEUED"));
    CHECK(replies(b.session, "put k 4", "+QUEUED"));
    CHECK(replies(b.session, "end", "*2\r\n+OK\r\n+OK"));
    CHECK(f.batches == 3);
    CHECK(digest_equal(dataset_digest(f.data), dataset_digest(b.engine->data)));
    dataset_free(f.data);
    bench_close(&b);
}

TEST(what_the_log_refuses_has_not_happened)
{
    struct bench b = bench_open();
    struct follower f = {.data = dataset_new(3), .refuses = true};
    struct digest before;
    uint64_t changes;

    CHECK(is_ok(b.session, "put k v"));
    before = dataset_digest(b.engine->data);
    changes = b.engine->journal.changes;
    b.engine->log = (struct engine_log){.append = follow, .context = &f};
    watch_add(&b.engine->watchers, b.other, 0, BYTES("k"));
    CHECK(is_ok(b.session, "put-direct k w"));
    CHECK(is_ok(b.session, "nest flush | swap | put k 3 | retime k 5"));
    CHECK(f.batches == 2);
    CHECK(digest_equal(dataset_digest(b.engine->data), before));
    CHECK(b.engine->journal.changes == changes);
    CHECK(!b.other->watch_failed);

    b.engine->log = (struct engine_log){0};
    CHECK(is_ok(b.session, "put k w"));
    CHECK(b.other->watch_failed);
    dataset_free(f.data);
    bench_close(&b);
}

/* WATCH. */

/* Watches k in database 0 from the other session, makes the request, and returns
 * whether that was noticed. */
static bool notices(struct bench *b, const char *line)
{
    bool noticed;

    watch_add(&b->engine->watchers, b->other, 0, BYTES("k"));
    watch_add(&b->engine->watchers, b->other, 0, BYTES("k"));
    b->session->out.len = 0;
    replies(b->session, line, "");
    noticed = b->other->watch_failed;
    watch_drop_all(&b->engine->watchers, b->other);
    CHECK(!b->other->watch_failed);
    CHECK(!watch_any(&b->engine->watchers));
    return noticed;
}

TEST(a_change_of_a_watched_key_is_noticed)
{
    struct bench b = bench_open();

    CHECK(!notices(&b, "get k"));
    CHECK(!notices(&b, "flush"));
    CHECK(!notices(&b, "put other v"));
    CHECK(!notices(&b, "spoil k v"));
    CHECK(notices(&b, "put k v"));
    CHECK(!notices(&b, "get k"));
    CHECK(!notices(&b, "spoil k v"));
    CHECK(notices(&b, "put-direct k v"));
    CHECK(notices(&b, "retime k 5"));
    CHECK(notices(&b, "drop k"));
    CHECK(notices(&b, "add k member"));
    CHECK(notices(&b, "add k another"));
    CHECK(notices(&b, "flush"));
    b.session->db = 1;
    CHECK(!notices(&b, "put k v"));
    CHECK(!notices(&b, "flush"));
    bench_close(&b);
}

TEST(a_swap_of_databases_is_noticed_if_the_key_is_in_one)
{
    struct bench b = bench_open();

    CHECK(!notices(&b, "swap"));
    CHECK(is_ok(b.session, "put k v"));
    CHECK(notices(&b, "swap"));
    CHECK(notices(&b, "swap"));
    CHECK(is_ok(b.session, "put other v"));
    CHECK(is_ok(b.session, "drop k"));
    CHECK(!notices(&b, "swap"));
    bench_close(&b);
}

/* When the batch has ended, the key is in no database. */
TEST(a_swap_is_noticed_though_the_key_is_dropped_behind_it)
{
    struct bench b = bench_open();

    CHECK(is_ok(b.session, "put k v"));
    b.session->db = 1;
    CHECK(notices(&b, "nest swap | drop k"));
    b.session->db = 0;
    CHECK(is_ok(b.session, "put k v"));
    b.session->db = 1;
    CHECK(notices(&b, "nest swap | flush"));
    CHECK(notices(&b, "nest put k v | swap"));
    bench_close(&b);
}

TEST(many_sessions_can_watch_many_keys)
{
    enum { SESSIONS = 20, KEYS = 20 };
    size_t used = mem_used();
    struct bench b = bench_open();
    struct session *s[SESSIONS];
    char key[24];

    for (size_t i = 0; i < SESSIONS; i++) {
        s[i] = session_new(b.engine);
        for (size_t k = 0; k < KEYS; k++) {
            snprintf(key, sizeof key, "key:%zu", k);
            if ((i + k) % 3 == 0) {
                watch_add(&b.engine->watchers, s[i], 0, bytes_of(key));
            }
        }
    }
    for (size_t i = 0; i < SESSIONS; i += 2) {
        watch_drop_all(&b.engine->watchers, s[i]);
    }
    CHECK(is_ok(b.session, "put key:7 v"));
    for (size_t i = 0; i < SESSIONS; i++) {
        CHECK(s[i]->watch_failed == (i % 2 == 1 && (i + 7) % 3 == 0));
        session_free(s[i]);
    }
    CHECK(!watch_any(&b.engine->watchers));
    bench_close(&b);
    CHECK(mem_used() == used);
}

/* Expiry. */

static void pass(struct engine *e, int64_t ms)
{
    e->time.now_us += ms * 1000;
}

/* Makes a key that expires in so many milliseconds. */
static void put_expiring(struct bench *b, const char *key, int64_t ms)
{
    char line[64];

    snprintf(line, sizeof line, "put %s v", key);
    CHECK(is_ok(b->session, line));
    snprintf(line, sizeof line, "retime %s %lld", key,
             (long long)(logtime_ms(&b->engine->time) + ms));
    CHECK(is_ok(b->session, line));
}

TEST(what_has_expired_is_not_found_and_goes_away)
{
    struct bench b = bench_open();
    struct follower f = {.data = dataset_new(3)};

    b.engine->log = (struct engine_log){.append = follow, .context = &f};
    put_expiring(&b, "k", 100);
    put_expiring(&b, "l", 200);
    b.session->db = 2;
    put_expiring(&b, "m", 100);
    b.session->db = 0;
    pass(b.engine, 99);
    CHECK(replies(b.session, "get k", "$1\r\nv"));
    CHECK(!expiry_run(b.engine, 1000000));
    CHECK(b.engine->stats.expired_keys == 0);
    pass(b.engine, 1);
    b.engine->settings.active_expire = false;
    CHECK(!expiry_run(b.engine, 1000000));
    CHECK(dataset_count(b.engine->data) == 3);
    CHECK(replies(b.session, "get k", "$-1")); /* Who asks for it has it removed. */
    CHECK(dataset_count(b.engine->data) == 2);
    b.engine->settings.active_expire = true;
    CHECK(!expiry_run(b.engine, 1000000));
    CHECK(dataset_count(b.engine->data) == 1);
    CHECK(b.engine->stats.expired_keys == 2);
    CHECK(dataset_count(f.data) == 1);
    CHECK(replies(b.session, "get l", "$1\r\nv"));
    dataset_free(f.data);
    bench_close(&b);
}

TEST(expiry_keeps_to_its_budget)
{
    struct bench b = bench_open();
    size_t turns = 1;
    char key[24];

    for (size_t i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key:%zu", i);
        put_expiring(&b, key, 1);
    }
    pass(b.engine, 1);
    while (expiry_run(b.engine, 0)) {
        turns++;
    }
    CHECK(turns > 20);
    CHECK(dataset_count(b.engine->data) == 0);
    bench_close(&b);
}

TEST(a_key_can_be_expired_now_if_its_time_has_come)
{
    struct bench b = bench_open();

    put_expiring(&b, "k", 100);
    expiry_remove(b.engine, 0, BYTES("k"));
    expiry_remove(b.engine, 0, BYTES("none"));
    CHECK(dataset_count(b.engine->data) == 1);
    watch_add(&b.engine->watchers, b.other, 0, BYTES("k"));
    CHECK(!watch_has_expired(b.other, b.engine->data, logtime_ms(&b.engine->time)));
    pass(b.engine, 100);
    CHECK(watch_has_expired(b.other, b.engine->data, logtime_ms(&b.engine->time)));
    CHECK(!b.other->watch_failed);
    expiry_remove(b.engine, 0, BYTES("k"));
    CHECK(dataset_count(b.engine->data) == 0);
    CHECK(b.other->watch_failed);
    CHECK(!watch_has_expired(b.other, b.engine->data, logtime_ms(&b.engine->time)));
    bench_close(&b);
}

/* Sessions. */

TEST(replies_can_be_turned_off_or_skipped)
{
    struct bench b = bench_open();
    struct bytes put[] = {BYTES("put"), BYTES("k"), BYTES("v")};

    b.session->reply_mode = REPLY_SKIP; /* As CLIENT REPLY SKIP leaves it... */
    request_execute(b.session, 3, put); /* ... and this is that request. */
    request_execute(b.session, 3, put);
    CHECK(b.session->out.len == 0);
    request_execute(b.session, 3, put);
    CHECK(bytes_equal(buf_bytes(&b.session->out), BYTES("+OK\r\n")));
    b.session->reply_mode = REPLY_OFF;
    request_execute(b.session, 3, put);
    request_execute(b.session, 1, &BYTES("nosuch"));
    CHECK(b.session->out.len == 5);
    bench_close(&b);
}

TEST(sessions_come_and_go)
{
    struct bench b = bench_open();
    struct session *third = session_new(b.engine);

    CHECK(b.engine->session_count == 3);
    CHECK(third->id > b.other->id && b.other->id > b.session->id);
    session_wrote(b.session);
    session_wrote(third);
    session_wrote(third);
    session_wrote(b.other);
    session_free(third);
    CHECK(b.engine->session_count == 2);
    CHECK(b.engine->stats.connections == 3);
    CHECK(b.engine->stats.peak_sessions == 3);
    CHECK(b.engine->unsent == b.other);
    CHECK(b.other->next_unsent == b.session);
    CHECK(b.session->next_unsent == NULL);
    third = session_new(b.engine);
    CHECK(third->id > b.other->id + 1);
    session_free(third);
    bench_close(&b);
}

static void note_close(struct session *s)
{
    *(bool *)s->connection = true;
}

TEST(ones_own_session_ends_behind_its_reply)
{
    struct bench b = bench_open();
    bool closed = false;

    b.session->close = note_close;
    b.session->connection = &closed;
    session_kill(b.session, b.session);
    CHECK(b.session->closing && !closed);
    b.session->closing = false;
    session_kill(b.session, b.other);
    CHECK(!b.session->closing && closed);
    session_kill(b.other, b.session);
    CHECK(b.other->closing);
    bench_close(&b);
}

TEST(a_reset_session_is_as_new)
{
    struct bench b = bench_open();
    struct session *s = b.session;

    CHECK(is_ok(s, "begin"));
    CHECK(replies(s, "put k v", "+QUEUED"));
    watch_add(&b.engine->watchers, s, 0, BYTES("k"));
    buf_add(&s->name, BYTES("name"));
    session_set_resp(s, RESP3);
    s->db = 2;
    s->reply_mode = REPLY_OFF;
    session_reset(s);
    CHECK(!s->in_multi && s->queue_len == 0 && s->queue_bytes == 0);
    CHECK(!watch_any(&b.engine->watchers));
    CHECK(s->db == 0 && s->name.len == 0);
    CHECK(replies(s, "get k", "$-1"));
    bench_close(&b);
}

TEST(nothing_is_left_over)
{
    size_t used = mem_used();
    struct bench b = bench_open();

    CHECK(is_ok(b.session, "begin"));
    CHECK(replies(b.session, "put k v", "+QUEUED"));
    watch_add(&b.engine->watchers, b.other, 1, BYTES("k"));
    CHECK(is_ok(b.other, "put k v"));
    bench_close(&b);
    CHECK(mem_used() == used);
}

TEST(a_turn_reads_the_clock)
{
    struct bench b = bench_open();
    int64_t before_us = b.engine->time.now_us;
    int64_t start_us = clock_monotonic_us();

    while (clock_monotonic_us() < start_us + 2000) {
    }
    CHECK(b.engine->time.now_us == before_us);
    engine_tick(b.engine);
    CHECK(b.engine->time.now_us >= before_us + 1990);
    bench_close(&b);
}

int main(void)
{
    return RUN(
        a_call_that_fails_leaves_nothing_but_its_error, a_request_must_be_one,
        what_may_not_run_is_refused, requests_are_queued_and_run_together,
        what_cannot_be_queued_fails_the_transaction, a_refused_end_of_a_transaction_is_its_end,
        a_call_of_a_script_that_fails_is_undone_alone, a_script_that_fails_is_undone_whole,
        scripts_may_call_what_is_for_them, the_log_gets_each_batch_once_and_can_repeat_it,
        what_the_log_refuses_has_not_happened, a_change_of_a_watched_key_is_noticed,
        a_swap_of_databases_is_noticed_if_the_key_is_in_one,
        a_swap_is_noticed_though_the_key_is_dropped_behind_it, many_sessions_can_watch_many_keys,
        what_has_expired_is_not_found_and_goes_away, expiry_keeps_to_its_budget,
        a_key_can_be_expired_now_if_its_time_has_come, replies_can_be_turned_off_or_skipped,
        sessions_come_and_go, ones_own_session_ends_behind_its_reply, a_reset_session_is_as_new,
        nothing_is_left_over, a_turn_reads_the_clock);
}
