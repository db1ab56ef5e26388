/* Aborts every script of the corpus at every point, in every way there is.
 *
 * A script is run once to its end, and what it does on the way is counted: the calls, the
 * requests for memory, the sizes that the journal had. Then it is run again for each of
 * these points and for each way to end it there (see inject.h). Each time it must have
 * left no trace: the data, a follower and the journal are as before; who watches its keys,
 * tracks them or has subscribed to what is told of them has heard of nothing; and the next
 * script runs as ever. The same inside MULTI, where the writes before and after it stand,
 * unless transaction-rollback undoes them as well.
 *
 * What a script may catch need not end it: it may go on, and succeed.
 *
 *     abort [--all] SCRIPT-OR-DIRECTORY...
 *
 * With --all, every command that a script may write by must be called by one of them.
 * Of many points, some are drawn (see SEED), unless there is SOAK in the environment. */
#include "base/log.h"
#include "base/mem.h"
#include "command/families.h"
#include "engine/call.h"
#include "engine/expiry.h"
#include "engine/request.h"
#include "script/script.h"
#include "test/abort/corpus.h"
#include "test/abort/inject.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DATABASES = 16,
    ARGUMENTS_MAX = 3 + 2 * WORDS_MAX,
    POINTS = 50,           /* Of each way that are tried in a case, */
    POINTS_IN_EXEC = 10,   /* and inside MULTI. */
    COMPLAINTS_MAX = 1000, /* That are printed. */
};

/* Time stands still, but for "advance". */
#define START_US (INT64_C(1767225600) * 1000000) /* The first second of 2026. */

static const struct command *const families[] = {COMMAND_FAMILIES, SCRIPT_FAMILIES, NULL};

/* Where a fault can be, and whether a script that it meets must end. */
enum points { AT_CALLS, AT_SIZES, AT_ALLOCATIONS };
enum ending {
    ENDS,           /* No script can help it. */
    ENDS_UNCAUGHT,  /* Scripts that catch no errors end. */
    ENDS_SOMETIMES, /* It depends on what follows. */
};

static const struct way {
    const char *name;
    enum points points;
    enum ending ending;
    const char *error; /* What the reply then begins with; NULL: it depends. */
} ways[FAULT_END] = {
    [FAULT_ERROR] = {"error of a call", AT_CALLS, ENDS_UNCAUGHT, NULL},
    [FAULT_FULL] = {"maxmemory", AT_CALLS, ENDS_SOMETIMES, NULL},
    [FAULT_KILL] = {"kill", AT_CALLS, ENDS, "!ERR Script killed by user with "},
    [FAULT_TIME] = {"time limit", AT_CALLS, ENDS, "!ERR Script exceeded script-time-limit ("},
    [FAULT_STOP] = {"shutdown", AT_CALLS, ENDS, "!ERR Script ended because the server is "},
    [FAULT_STACK] = {"C stack", AT_CALLS, ENDS, "!ERR Script overflowed the C stack"},
    [FAULT_UNDO] = {"undo limit", AT_SIZES, ENDS, "!ERR Script exceeded script-undo-limit ("},
    [FAULT_MEMORY] = {"memory limit", AT_ALLOCATIONS, ENDS, NULL},
    [FAULT_ALLOCATION] = {"failed allocation", AT_ALLOCATIONS, ENDS_UNCAUGHT, NULL},
};

/* Of one way: how often a script ended at a point, went on to its end, or did not come
 * there, since not all that it does is the same each time. */
struct score {
    size_t ended, survived, missed;
};

enum setting {
    ALONE,
    IN_MULTI,
    OF_ALL, /* In MULTI, with transaction-rollback. */
    SETTING_END,
};

static void count(struct score *score, bool has_ended)
{
    if (has_ended) {
        score->ended++;
    } else if (injection.happened) {
        score->survived++;
    } else {
        score->missed++;
    }
}

struct run {
    struct buf reply; /* Spelled. */
    struct digest after;
    bool rolled_back;
};

struct test {
    struct engine *engine;
    struct runtime *runtime;
    struct dataset *follower;
    struct session *client;
    struct session *watcher;    /* WATCHes the keys of the script. */
    struct session *subscriber; /* Has subscribed to all events and messages. */
    struct session *tracker;    /* Is told of all keys that change. */
    struct script_settings settings;
    struct random random;
    size_t appended; /* Batches that the log has been given. */

    /* The case at hand. */
    const struct corpus_script *script;
    const struct corpus_case *c;
    size_t argc;
    struct bytes argv[ARGUMENTS_MAX];
    char key_count[NUMBER_INT_MAX];
    struct digest prepared; /* Of all that there is before the script, */
    struct digest before;   /* and without what has expired. */
    struct run whole;       /* The script when it has not been disturbed. */
    size_t calls, allocations;
    size_t undo[SIZES_MAX];
    size_t undo_count;

    const char *doing; /* For complaints. */
    size_t point;
    size_t scripts, cases, calls_of_all;
    struct score score[SETTING_END][FAULT_END];
    size_t complaints;
    size_t passed, failed;
};

__attribute__((format(printf, 2, 3))) static void complain(struct test *t, const char *format, ...)
{
    va_list args;

    if (++t->complaints > COMPLAINTS_MAX) {
        return;
    }
    if (t->c != NULL) {
        fprintf(stderr, "%s:%u: %s, point %zu: ", t->script->path, t->c->line, t->doing, t->point);
    }
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* Requests. */

static bool follow(struct engine *e, struct bytes redo, void *context)
{
    struct test *t = context;

    (void)e;
    t->appended++;
    if (!journal_replay(t->follower, redo)) {
        complain(t, "the follower cannot read the changes");
    }
    return true;
}

/* Makes a request, and spells the reply. */
static void request(struct session *s, size_t argc, const struct bytes *argv, struct buf *reply)
{
    struct bytes in;

    s->out.len = 0;
    request_execute(s, argc, argv);
    in = buf_bytes(&s->out);
    reply->len = 0;
    spell(&in, reply);
    s->out.len = 0;
}

/* Makes a request of words without quotes. The reply must begin as is said. */
static void say(struct test *t, struct session *s, const char *text, const char *expected)
{
    struct words words = {0};
    struct bytes argv[WORDS_MAX];
    BUF_LOCAL(reply);

    words_take(bytes_of(text), &words);
    words_view(&words, argv);
    request(s, words.count, argv, &reply);
    if (reply.len < strlen(expected) || memcmp(reply.at, expected, strlen(expected)) != 0) {
        complain(t, "%s gives %.*s", text, (int)reply.len, reply.at);
    }
    buf_clear(&words.text);
}

/* A script that uses some of everything, and leaves nothing. */
static void run_canary(struct test *t)
{
    static const char script[] =
        "redis.call('SET', 'canary', 5) redis.call('INCRBY', 'canary', ARGV[1]) "
        "redis.call('RPUSH', 'canaries', 'a', 'b') "
        "local sum = redis.call('GET', 'canary') + redis.call('LLEN', 'canaries') "
        "local failed = redis.pcall('INCR', 'canaries').err ~= nil and not pcall(error, 'x') "
        "redis.call('DEL', 'canary', 'canaries') "
        "return cjson.encode({sum, failed, ('%d'):format(7), #KEYS})";
    const struct bytes argv[] = {BYTES("EVAL"), bytes_of(script), BYTES("0"), BYTES("3")};
    struct digest before = dataset_digest(t->engine->data);
    BUF_LOCAL(reply);

    request(t->client, 4, argv, &reply);
    if (!bytes_equal(buf_bytes(&reply), BYTES("\"[10,true,\\\"7\\\",0]\""))) {
        complain(t, "the next script gives %.*s", (int)reply.len, reply.at);
    }
    if (!digest_equal(dataset_digest(t->engine->data), before)) {
        complain(t, "the next script leaves something");
    }
}

/* Preparing a case. */

static void load_library(struct test *t)
{
    const struct bytes argv[] = {BYTES("FUNCTION"), BYTES("LOAD"), buf_bytes(&t->script->text)};
    BUF_LOCAL(reply);

    request(t->client, 3, argv, &reply);
    if (reply.len == 0 || reply.at[0] != '"') {
        complain(t, "FUNCTION LOAD gives %.*s", (int)reply.len, reply.at);
    }
}

/* What has expired is there for nobody; when it is removed does not matter. */
static struct digest digest_without_expired(struct test *t)
{
    while (expiry_run(t->engine, 1000)) {
    }
    return dataset_digest(t->engine->data);
}

static void make_data(struct test *t)
{
    struct bytes argv[WORDS_MAX];
    BUF_LOCAL(reply);

    logtime_start(&t->engine->time, START_US, 0);
    random_seed(&t->engine->random, 1);
    say(t, t->client, "FLUSHALL", "OK");
    say(t, t->client, "FUNCTION FLUSH", "OK");
    if (t->script->function.len > 0) {
        load_library(t);
    }
    for (const struct preparation *p = t->c->first; p != NULL; p = p->next) {
        if (p->advance_ms > 0) {
            t->engine->time.now_us += p->advance_ms * 1000;
            continue;
        }
        words_view(&p->request, argv);
        request(t->client, p->request.count, argv, &reply);
        if (reply.len == 0 || reply.at[0] == '!') {
            complain(t, "preparing gives %.*s", (int)reply.len, reply.at);
        }
    }
    t->prepared = dataset_digest(t->engine->data);
}

static void prepare_data(struct test *t)
{
    make_data(t);
    t->before = digest_without_expired(t);
    if (!digest_equal(t->before, t->prepared)) {
        make_data(t);
    }
}

static bool has_expired_keys(const struct test *t)
{
    return !digest_equal(t->before, t->prepared);
}

/* The request that runs the script. */
static void prepare_request(struct test *t)
{
    const struct corpus_case *c = t->c;
    bool is_function = t->script->function.len > 0;

    t->argv[0] = is_function ? BYTES("FCALL") : BYTES("EVAL");
    t->argv[1] = is_function ? buf_bytes(&t->script->function) : buf_bytes(&t->script->text);
    t->argv[2].at = t->key_count;
    t->argv[2].len = number_format_int(t->key_count, (int64_t)c->keys.count);
    words_view(&c->keys, t->argv + 3);
    words_view(&c->arguments, t->argv + 3 + c->keys.count);
    t->argc = 3 + c->keys.count + c->arguments.count;
}

static void watch_keys(struct test *t)
{
    struct bytes argv[1 + WORDS_MAX] = {BYTES("WATCH")};
    BUF_LOCAL(reply);

    say(t, t->watcher, "UNWATCH", "OK");
    words_view(&t->c->keys, argv + 1);
    if (t->c->keys.count > 0) {
        request(t->watcher, 1 + t->c->keys.count, argv, &reply);
    }
}

/* Each run begins with the same random numbers, and with a VM in which the canary has
 * run, and nothing else; or with none, if that is what is tried. */
static void begin_run(struct test *t)
{
    random_seed(&t->engine->random, 1);
    runtime_drop_lua(t->runtime);
    if (!injection.makes_vm) {
        run_canary(t);
    }
    watch_keys(t);
    t->subscriber->out.len = 0;
    t->tracker->out.len = 0;
    t->appended = 0;
}

/* Looking at what is left. */

static void check_journal(struct test *t)
{
    const struct journal *j = &t->engine->journal;

    if (j->newest != NULL || j->oldest != NULL || j->redo.len != 0 || j->arena.used != 0 ||
        j->held != 0) {
        complain(t, "the journal is not empty");
    }
    if (t->runtime->running || t->runtime->in_call || t->engine->running.is_script) {
        complain(t, "the script still runs");
    }
}

static void check_data(struct test *t)
{
    dataset_check(t->engine->data);
    if (!digest_equal(dataset_digest(t->engine->data), dataset_digest(t->follower))) {
        complain(t, "the follower differs");
    }
}

static void check_nobody_was_told(struct test *t)
{
    if (t->watcher->watch_failed) {
        complain(t, "a key that is watched has changed");
    }
    if (t->subscriber->out.len > 0 || t->tracker->out.len > 0) {
        complain(t, "somebody was told: %.*s%.*s", (int)t->subscriber->out.len,
                 t->subscriber->out.at, (int)t->tracker->out.len, t->tracker->out.at);
    }
    if (t->appended > 0) {
        complain(t, "the log was given something");
    }
}

/* A script has come to its end although it was to be ended. If nothing explains that, the
 * fault was where it does not disturb, and it has done all that it does. */
static void check_survivor(struct test *t, enum fault fault, const struct run *r)
{
    enum ending ending = ways[fault].ending;
    bool may_differ = ending == ENDS_SOMETIMES || (ending == ENDS_UNCAUGHT && t->script->catches);

    if (may_differ && injection.happened) {
        return;
    }
    if (injection.happened && fault != FAULT_ALLOCATION) {
        complain(t, "the script goes on: %.*s", (int)r->reply.len, r->reply.at);
    }
    if (!digest_equal(r->after, t->whole.after) ||
        !spelled_fits(buf_bytes(&t->c->reply), buf_bytes(&r->reply))) {
        complain(t, "the script ends in another way: %.*s", (int)r->reply.len, r->reply.at);
    }
}

static void check_error(struct test *t, enum fault fault, const struct buf *reply)
{
    const char *error = injection.happened ? ways[fault].error : NULL;

    if (!spelled_fits(bytes_of(error != NULL ? error : "!"), buf_bytes(reply))) {
        complain(t, "the error is %.*s", (int)reply->len, reply->at);
    }
}

/* Runs. */

static uint64_t count_rollbacks(const struct test *t)
{
    struct script_info info = script_info(t->engine);

    return outcomes_rollbacks(&info.outcomes);
}

/* Whether what a run has done was undone: the script itself, or the compilation of its
 * library, has failed. */
static bool has_failed(const struct test *t, const struct run *r, uint64_t rollbacks)
{
    bool has_error = memchr(r->reply.at, '!', r->reply.len) != NULL;

    return count_rollbacks(t) != rollbacks ||
           (t->script->function.len > 0 && has_error && injection.calls == 0);
}

static void run_script(struct test *t, enum fault fault, size_t at, struct run *r)
{
    uint64_t rollbacks = count_rollbacks(t);

    begin_run(t);
    inject_begin(fault, at);
    request(t->client, t->argc, t->argv, &r->reply);
    inject_end();
    r->rolled_back = has_failed(t, r, rollbacks);
    if (r->rolled_back && !has_expired_keys(t)) {
        check_nobody_was_told(t);
    }
    r->after = digest_without_expired(t);
}

/* Inside MULTI. */

static void queue_and_execute(struct test *t, enum fault fault, size_t at, struct run *r)
{
    static const struct bytes exec[] = {BYTES("EXEC")};
    uint64_t rollbacks = count_rollbacks(t);

    begin_run(t);
    say(t, t->client, "MULTI", "OK");
    say(t, t->client, "INCR multi:before", "QUEUED");
    request(t->client, t->argc, t->argv, &r->reply);
    say(t, t->client, "RPUSH multi:after x", "QUEUED");
    inject_begin(fault, at);
    request(t->client, 1, exec, &r->reply);
    inject_end();
    r->rolled_back = has_failed(t, r, rollbacks);
    if (r->rolled_back && t->engine->settings.transaction_rollback && !has_expired_keys(t)) {
        check_nobody_was_told(t);
    }
    r->after = digest_without_expired(t);
}

/* With transaction-rollback. */
static void queue_and_execute_all(struct test *t, enum fault fault, size_t at, struct run *r)
{
    t->engine->settings.transaction_rollback = true;
    queue_and_execute(t, fault, at, r);
    t->engine->settings.transaction_rollback = false;
}

/* Points, by where the script is run. */

static void check_no_trace(struct test *t, const struct run *r)
{
    if (!digest_equal(r->after, t->before)) {
        complain(t, "there is a trace left: %.*s", (int)r->reply.len, r->reply.at);
    }
}

static void judge_alone(struct test *t, enum fault fault, struct run *r)
{
    if (r->rolled_back) {
        check_error(t, fault, &r->reply);
        check_no_trace(t, r);
    } else {
        check_survivor(t, fault, r);
    }
}

/* The other commands stand. */
static void judge_in_multi(struct test *t, enum fault fault, struct run *r)
{
    (void)fault;
    if (r->rolled_back) {
        say(t, t->client, "GET multi:before", "\"1\"");
        say(t, t->client, "LRANGE multi:after 0 -1", "[ \"x\" ]");
        say(t, t->client, "DEL multi:before multi:after", "2");
        r->after = digest_without_expired(t);
        check_no_trace(t, r);
    }
}

/* Nothing stands, and nobody hears of anything. */
static void judge_of_all(struct test *t, enum fault fault, struct run *r)
{
    (void)fault;
    if (r->rolled_back) {
        if (!spelled_fits(BYTES("!EXECABORT "), buf_bytes(&r->reply))) {
            complain(t, "the transaction gives %.*s", (int)r->reply.len, r->reply.at);
        }
        check_no_trace(t, r);
    }
}

static const struct {
    void (*run)(struct test *t, enum fault fault, size_t at, struct run *r);
    void (*judge)(struct test *t, enum fault fault, struct run *r);
} settings[] = {
    [ALONE] = {run_script, judge_alone},
    [IN_MULTI] = {queue_and_execute, judge_in_multi},
    [OF_ALL] = {queue_and_execute_all, judge_of_all},
};

static void try_point(struct test *t, enum setting setting, enum fault fault, size_t at)
{
    struct run r = {0};

    t->point = at;
    settings[setting].run(t, fault, at, &r);
    check_journal(t);
    check_data(t);
    count(&t->score[setting][fault], r.rolled_back);
    settings[setting].judge(t, fault, &r);
    run_canary(t);
    if (!digest_equal(r.after, t->prepared)) {
        prepare_data(t);
    }
    buf_clear(&r.reply);
}

/* All points. */

static size_t point_count(const struct test *t, enum points points)
{
    switch (points) {
    case AT_CALLS:
        return t->calls;
    case AT_SIZES:
        return t->undo_count;
    case AT_ALLOCATIONS:
        return t->allocations;
    }
    return 0;
}

/* Which size of the journal is one too many. */
static size_t place_of(const struct test *t, enum points points, size_t i)
{
    return points == AT_SIZES ? t->undo[i] - 1 : i;
}

static void try_some(struct test *t, enum fault fault, size_t most, enum setting setting)
{
    size_t count = point_count(t, ways[fault].points);
    size_t left = getenv("SOAK") != NULL || count < most ? count : most;

    t->doing = ways[fault].name;
    for (size_t i = 0; i < count && left > 0; i++) {
        if (random_below(&t->random, count - i) < left) {
            left--;
            try_point(t, setting, fault, place_of(t, ways[fault].points, i));
        }
    }
}

/* As the VM itself is made, all requests for memory are tried, once. */
static void try_making_the_vm(struct test *t)
{
    struct run whole = {0};
    size_t count;

    injection.makes_vm = true;
    run_script(t, FAULT_NONE, 0, &whole);
    count = injection.allocations;
    prepare_data(t);
    t->doing = "making the VM";
    for (size_t i = 0; i < count; i++) {
        try_point(t, ALONE, FAULT_MEMORY, i);
    }
    injection.makes_vm = false;
    buf_clear(&whole.reply);
    printf("%zu requests for memory make a VM and run a script\n", count);
}

/* Runs the script to its end, and remembers what there was on the way. */
static void run_whole(struct test *t)
{
    t->doing = "no fault";
    t->point = 0;
    run_script(t, FAULT_NONE, 0, &t->whole);
    t->calls = injection.calls;
    t->allocations = injection.allocations;
    t->undo_count = injection.undo_count;
    memcpy(t->undo, injection.undo, sizeof t->undo);
    check_journal(t);
    check_data(t);
    if (!spelled_fits(buf_bytes(&t->c->reply), buf_bytes(&t->whole.reply))) {
        complain(t, "expected %.*s\n    got      %.*s", (int)t->c->reply.len, t->c->reply.at,
                 (int)t->whole.reply.len, t->whole.reply.at);
    }
    if (t->whole.rolled_back && !digest_equal(t->whole.after, t->before)) {
        complain(t, "the script has failed, and has left a trace");
    }
}

static void run_case(struct test *t, const struct corpus_case *c)
{
    size_t complaints = t->complaints;

    t->c = c;
    prepare_data(t);
    prepare_request(t);
    run_whole(t);
    prepare_data(t);
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_END; fault++) {
        try_some(t, fault, POINTS, ALONE);
        try_some(t, fault, POINTS_IN_EXEC, IN_MULTI);
        try_some(t, fault, POINTS_IN_EXEC, OF_ALL);
    }
    if (t->cases == 0) {
        try_making_the_vm(t);
    }
    buf_clear(&t->whole.reply);
    t->cases++;
    t->calls_of_all += t->calls;
    t->passed += t->complaints == complaints;
    t->failed += t->complaints != complaints;
}

static void run_file(struct test *t, const char *path)
{
    struct corpus_script script;

    if (!corpus_read(&script, path)) {
        t->failed++;
        corpus_clear(&script);
        return;
    }
    t->script = &script;
    for (const struct corpus_case *c = script.first; c != NULL; c = c->next) {
        run_case(t, c);
    }
    t->scripts++;
    corpus_clear(&script);
}

static int is_lua(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

/* Runs the scripts in a directory; or one, if it is none. */
static void run_path(struct test *t, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_lua, alphasort);

    if (count < 0) {
        run_file(t, path);
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[4096];

        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        run_file(t, name);
        free(entries[i]);
    }
    free(entries);
}

/* What is told at the end. */

/* Whether a script may call a command, and change something by it. */
static bool may_write(const struct command *cmd)
{
    return cmd->run != NULL && (cmd->flags & COMMAND_WRITE) && !(cmd->flags & COMMAND_NOSCRIPT);
}

/* Every command by which a script may write has been called by one. */
static void check_commands(struct test *t)
{
    size_t count = 0;
    size_t called = 0;
    const struct command *cmd = NULL;

    while ((cmd = registry_next(t->engine->commands, cmd)) != NULL) {
        if (!may_write(cmd)) {
            continue;
        }
        count++;
        if (injection.called[cmd->number]) {
            called++;
        } else {
            BUF_LOCAL(name);

            command_add_name(cmd, &name);
            printf("no script calls %.*s\n", (int)name.len, name.at);
        }
    }
    printf("%zu of %zu commands that write are called\n", called, count);
    t->failed += called != count;
}

static void tell(const struct test *t)
{
    size_t missed = 0;

    printf("%zu scripts, %zu cases, %zu calls\n", t->scripts, t->cases, t->calls_of_all);
    printf("%-20s %22s%22s%22s\n", "ended, went on:", "alone", "in MULTI", "all of MULTI");
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_END; fault++) {
        printf("%-20s", ways[fault].name);
        for (enum setting setting = 0; setting < SETTING_END; setting++) {
            const struct score *score = &t->score[setting][fault];

            printf("%15zu%7zu", score->ended, score->survived);
            missed += score->missed;
        }
        putchar('\n');
    }
    printf("%zu points were not reached again\n", missed);
}

static void set_up(struct test *t)
{
    t->settings = (struct script_settings){.time_limit_ms = 60000, .memory_limit = 64 << 20};
    t->engine = engine_new(families, DATABASES);
    t->engine->settings.notify = EVENT_ALL | EVENT_KEYSPACE | EVENT_KEYEVENT;
    script_start(t->engine, &t->settings);
    t->runtime = t->engine->script;
    t->follower = dataset_new(DATABASES);
    t->engine->log = (struct engine_log){.append = follow, .context = t};
    injection.runtime = t->runtime;
    injection.settings = &t->settings;

    t->client = session_new(t->engine);
    t->watcher = session_new(t->engine);
    t->subscriber = session_new(t->engine);
    t->tracker = session_new(t->engine);
    say(t, t->subscriber, "PSUBSCRIBE *", "[");
    say(t, t->tracker, "HELLO 3", "{");
    say(t, t->tracker, "CLIENT TRACKING ON BCAST", "OK");
}

static void tear_down(struct test *t)
{
    session_free(t->client);
    session_free(t->watcher);
    session_free(t->subscriber);
    session_free(t->tracker);
    injection.runtime = NULL;
    script_stop(t->engine);
    engine_free(t->engine);
    dataset_free(t->follower);
}

int main(int argc, char **argv)
{
    struct test t = {0};
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)arc4random();
    size_t used = mem_used();
    bool is_all = false;

    log_set_file("/dev/null"); /* Scripts that are ended are logged. */
    printf("SEED=%" PRIu64 "\n", seed);
    random_seed(&t.random, seed);
    set_up(&t);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0) {
            is_all = true;
        } else {
            run_path(&t, argv[i]);
        }
    }
    if (is_all) {
        check_commands(&t);
    }
    tell(&t);
    tear_down(&t);
    if (mem_used() != used) {
        printf("%zd bytes of memory are left over\n", (ssize_t)(mem_used() - used));
        t.failed++;
    }
    printf("%zu passed, %zu failed\n", t.passed, t.failed);
    return t.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
