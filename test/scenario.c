/* Runs scenarios: texts of requests and of the replies that they should get.
 *
 *     A member is in a set once.          prose, which begins a scenario
 *     > SADD s a a                        a request
 *     < 1                                 its reply
 *     >2 SMEMBERS s                       a request of the second session
 *     < [ "a" ]
 *     <2 [ "message" "a" "b" ]            what else the second session has been sent
 *     advance 1500                        lets 1500 milliseconds pass
 *     set transaction-rollback 1          gives a setting another value, to the end
 *     group follower 2 1 1=10.0.0.1:6379 2=10.0.0.2:6379     makes the server this: the
 *                                         role, its own id, the leader's, all members
 *     group none                          makes it one without a log again
 *     stored 3 1                          member 3 has all entries but the last on its disk
 *     ended                               the last operation of RAFT has ended
 *     ended ERR no                        with an error
 *
 * test/lib/spelling.h says how words and replies are spelled. A quoted word goes on in the
 * next line until its quote ends.
 *
 * Each request that may write is made twice. The first time, in a session like the
 * one it is for, what it did is rolled back: the data must be what it was, and the
 * reply must be as expected too. The second time it is made for good, and a follower
 * makes its changes: it must come out equal. What is queued by MULTI, and EXEC
 * itself, is made once, because a session remembers it. */
#include "base/log.h"
#include "base/mem.h"
#include "command/families.h"
#include "engine/call.h"
#include "engine/leadership.h"
#include "engine/operation.h"
#include "engine/request.h"
#include "script/script.h"
#include "test/lib/spelling.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SESSIONS = 9,
    DATABASES = 16,
};

/* Time stands still, but for "advance". */
#define START_US (INT64_C(1767225600) * 1000000) /* The first second of 2026. */

static const struct command *const families[] = {COMMAND_FAMILIES, SCRIPT_FAMILIES, NULL};

/* A library that is always there. */
static const char built_in[] =
    "#!lua name=inborn\n"
    "redis.register_function('inborn_set', function(KEYS, ARGV)\n"
    "    return redis.call('SET', KEYS[1], ARGV[1])\n"
    "end)\n"
    "redis.register_function{function_name = 'inborn_get', flags = {'no-writes'},\n"
    "    callback = function(KEYS) return redis.call('GET', KEYS[1]) end}\n";

static struct script_settings script_settings = {
    .built_in = {built_in, sizeof built_in - 1},
    .time_limit_ms = 5000,
    .busy_threshold_ms = 5000,
    .memory_limit = 64 * 1024 * 1024,
};

struct reply {
    bool given;
    struct buf spelled;
};

struct scenario {
    const char *path;
    FILE *file;
    unsigned line;
    struct engine *engine;
    struct session *session[SESSIONS];
    struct dataset *follower;
    struct reply undone;           /* To the last request, when it was rolled back, */
    struct reply final;            /* and when it was not. */
    uint64_t operation;            /* The last that was begun. */
    unsigned requests, complaints; /* Since the last prose. */
    unsigned passed, failed;
};

/* What is running, for on_abort(). */
static const struct scenario *current;

static void on_abort(int signal_number)
{
    (void)signal_number;
    dprintf(STDERR_FILENO, "%s:%u: the request broke an assertion\n", current->path, current->line);
}

__attribute__((format(printf, 2, 3))) static void complain(struct scenario *s, const char *format,
                                                           ...)
{
    va_list args;

    fprintf(stderr, "%s:%u: ", s->path, s->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    s->complaints++;
}

static void end_scenario(struct scenario *s)
{
    if (s->complaints > 0) {
        s->failed++;
    } else if (s->requests > 0) {
        s->passed++;
    }
    s->requests = 0;
    s->complaints = 0;
}

/* Spells the first of what a session has been sent, and drops it. */
static void take_sent(struct scenario *s, struct session *session, struct reply *reply)
{
    struct bytes in = buf_bytes(&session->out);

    reply->given = true;
    reply->spelled.len = 0;
    if (in.len == 0) {
        buf_add(&reply->spelled, BYTES("nothing"));
    } else if (!spell(&in, &reply->spelled)) {
        complain(s, "this is no reply: %.*s", (int)session->out.len, session->out.at);
        in.len = 0;
    }
    buf_drop_front(&session->out, session->out.len - in.len);
}

static bool is_error(const struct reply *reply)
{
    return reply->spelled.len > 0 && reply->spelled.at[0] == '!';
}

static void expect_reply(struct scenario *s, struct bytes want, const struct reply *reply,
                         const char *when)
{
    struct bytes got = buf_bytes(&reply->spelled);

    if (reply->given && !spelled_fits(want, got)) {
        complain(s, "%sexpected %.*s\n    got      %.*s", when, (int)want.len, want.at,
                 (int)got.len, got.at);
    }
}

static void expect(struct scenario *s, struct bytes text)
{
    BUF_LOCAL(want);

    if (!s->final.given) {
        complain(s, "a reply without a request");
    } else if (!spell_expected(text, &want)) {
        complain(s, "what is quoted here makes no sense");
    }
    expect_reply(s, buf_bytes(&want), &s->undone, "when rolled back: ");
    expect_reply(s, buf_bytes(&want), &s->final, "");
}

/* Expects that a session has been sent something that is no reply to the last request. */
static void expect_sent(struct scenario *s, size_t session, struct bytes text)
{
    BUF_LOCAL(want);
    struct reply sent = {0};

    if (!spell_expected(text, &want)) {
        complain(s, "what is quoted here makes no sense");
    }
    take_sent(s, s->session[session], &sent);
    expect_reply(s, buf_bytes(&want), &sent, "");
    buf_clear(&sent.spelled);
}

/* Expects that a session has been sent nothing that was not looked at. */
static void expect_no_more(struct scenario *s, struct session *session)
{
    struct reply sent = {0};

    if (session->out.len > 0) {
        take_sent(s, session, &sent);
        complain(s, "somebody was sent this before: %.*s", (int)sent.spelled.len, sent.spelled.at);
        buf_clear(&sent.spelled);
        session->out.len = 0;
    }
}

/* Requests. */

static bool undo(struct engine *e, struct bytes redo, void *context)
{
    (void)e;
    (void)redo;
    (void)context;
    return false;
}

/* The log: the follower makes the changes of each entry. */
static void follow(void *context, uint64_t seq, int64_t time_us, struct bytes redo)
{
    struct scenario *s = context;

    (void)seq;
    (void)time_us;
    if (!journal_replay(s->follower, redo)) {
        complain(s, "the follower cannot read the changes");
    }
}

static const struct log_ops log_ops = {.append = follow};

/* Ends a turn of the loop: what it has changed is an entry, committed at once. */
static void end_turn(struct scenario *s)
{
    struct engine *e = s->engine;

    if (e->commit.ops != NULL) {
        commit_seal(e);
        commit_reached(e, e->commit.sealed);
    }
    if (commit_is_pending(e) || e->journal.newest != NULL || e->journal.held != 0) {
        complain(s, "something is left in the journal");
    }
}

/* Makes a request in a copy of a session, and has it rolled back. But for the scripts
 * that it loads, nothing is left of it. */
static void make_undone(struct scenario *s, const struct session *original, size_t argc,
                        const struct bytes *argv)
{
    struct engine *e = s->engine;
    struct digest before = dataset_digest(e->data);
    struct engine_stats stats = e->stats;
    struct random random = e->random;
    struct session *monitors = e->monitors;
    struct session session;

    session_init(&session, e);
    session.db = original->db;
    session.authenticated = original->authenticated;
    session.consistency = original->consistency;
    session_set_resp(&session, original->sink.sink.version);
    e->monitors = NULL;
    e->log = (struct engine_log){.append = undo};
    e->commit.ops = NULL;
    request_execute(&session, argc, argv);
    take_sent(s, &session, &s->undone);
    session_clear(&session);
    e->monitors = monitors;
    e->stats = stats;
    e->random = random;

    dataset_check(e->data);
    if (!digest_equal(dataset_digest(e->data), before)) {
        complain(s, "the rollback has left a trace");
    }
}

/* A command that promises to find all errors before its first change is held to it:
 * without a log, nothing could undo what it does. That an error has no effect holds
 * for all commands; but a script may reply with an error that it does not fail of. */
static void make_final(struct scenario *s, struct session *session, const struct command *cmd,
                       size_t argc, const struct bytes *argv)
{
    struct engine *e = s->engine;
    struct digest before = dataset_digest(e->data);
    bool will_fail = s->undone.given && is_error(&s->undone);

    e->log = (struct engine_log){0};
    e->commit.ops = will_fail && (cmd->flags & COMMAND_DIRECT) ? NULL : &log_ops;
    e->commit.context = s;
    expect_no_more(s, session);
    request_execute(session, argc, argv);
    end_turn(s);
    take_sent(s, session, &s->final);

    dataset_check(e->data);
    dataset_check(s->follower);
    if (!digest_equal(dataset_digest(e->data), dataset_digest(s->follower))) {
        complain(s, "the follower differs");
    }
    if (is_error(&s->final) && cmd != NULL && !(cmd->flags & COMMAND_MAY_REPLICATE) &&
        !digest_equal(dataset_digest(e->data), before)) {
        complain(s, "an error has left a trace");
    }
}

/* A session that was ended is followed by a new one, once all it was sent has been looked
 * at. */
static void renew_ended_sessions(struct scenario *s)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        if (s->session[i]->closing && s->session[i]->out.len == 0) {
            session_free(s->session[i]);
            s->session[i] = session_new(s->engine);
        }
    }
}

static void make(struct scenario *s, struct session *session, size_t argc, const struct bytes *argv)
{
    const struct command *container;
    const struct command *cmd = engine_find_command(s->engine, argc, argv, &container);

    s->requests++;
    s->undone.given = false;
    if (cmd != NULL && (cmd->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) &&
        !session->in_multi) {
        make_undone(s, session, argc, argv);
    }
    make_final(s, session, cmd, argc, argv);
    renew_ended_sessions(s);
}

static bool read_line(struct scenario *s, struct buf *line)
{
    char *at = NULL;
    size_t cap = 0;
    ssize_t len = getline(&at, &cap, s->file);

    if (len > 0) {
        s->line++;
        buf_add(line, (struct bytes){at, (size_t)len - (at[len - 1] == '\n')});
    }
    free(at);
    return len > 0;
}

/* Reads the words of a request from its line, and from those behind it that a quoted
 * word goes on in. */
static bool read_words(struct scenario *s, struct bytes text, struct words *words)
{
    enum quoted quoted;
    BUF_LOCAL(all);

    buf_add(&all, text);
    while ((quoted = words_take(buf_bytes(&all), words)) == UNENDED) {
        buf_add_byte(&all, '\n');
        if (!read_line(s, &all)) {
            break;
        }
    }
    return quoted == QUOTED && words->count > 0;
}

static void request(struct scenario *s, size_t session, struct bytes text)
{
    struct bytes argv[WORDS_MAX];
    struct words words = {0};

    if (read_words(s, text, &words)) {
        words_view(&words, argv);
        make(s, s->session[session], words.count, argv);
    } else {
        complain(s, "these are not the words of a request");
    }
    buf_clear(&words.text);
}

/* Files. */

static void advance(struct scenario *s, struct bytes text)
{
    int64_t ms;

    if (!number_parse_int(text, &ms) || ms < 0) {
        complain(s, "this is no number of milliseconds");
        return;
    }
    s->engine->time.now_us += ms * 1000;
    block_time_out(s->engine);
    end_turn(s);
}

static void set(struct scenario *s, struct bytes text)
{
    const char *space = memchr(text.at, ' ', text.len);
    struct bytes name = {text.at, space != NULL ? (size_t)(space - text.at) : text.len};
    int64_t value;

    if (space == NULL ||
        !number_parse_int((struct bytes){space + 1, text.len - name.len - 1}, &value)) {
        complain(s, "this is no setting and its value");
    } else if (bytes_is(name, "script-strict-keys")) {
        script_settings.strict_keys = (int)value;
    } else if (bytes_is(name, "transaction-rollback")) {
        s->engine->settings.transaction_rollback = value != 0;
    } else if (bytes_is(name, "cluster-enabled")) {
        s->engine->settings.cluster_enabled = value != 0;
    } else if (bytes_is(name, "min-replicas-to-write")) {
        s->engine->settings.min_replicas = (int)value;
    } else {
        complain(s, "there is no such setting");
    }
}

/* The group. */

static struct bytes take_word(struct bytes *line)
{
    const char *space = line->len > 0 ? memchr(line->at, ' ', line->len) : NULL;
    struct bytes word = {line->at, space != NULL ? (size_t)(space - line->at) : line->len};

    drop(line, word.len + (space != NULL));
    return word;
}

static uint64_t take_number(struct scenario *s, struct bytes *line)
{
    int64_t number = 0;

    if (!number_parse_int(take_word(line), &number) || number < 0) {
        complain(s, "there should be a number");
    }
    return (uint64_t)number;
}

/* Reads "id=host:port", with "/standby" or "/spare" behind it. Members have answered just
 * now, and the peer port is 10000 above the other. */
static bool read_member(struct bytes word, struct member *m)
{
    char text[300], role[16] = "";
    int len;

    bytes_to_string(word, text, sizeof text);
    len = sscanf(text, "%" SCNu64 "=%255[^:]:%d/%15s", &m->id, m->host, &m->port, role);
    m->peer_port = m->port + 10000;
    m->role = strcmp(role, "standby") == 0 ? MEMBER_STANDBY
              : strcmp(role, "spare") == 0 ? MEMBER_SPARE
                                           : MEMBER_VOTER;
    return len >= 3;
}

static void read_members(struct scenario *s, struct bytes line)
{
    enum { MEMBERS_MAX = 8 };
    struct member *members = mem_zalloc(MEMBERS_MAX * sizeof *members);
    size_t count = 0;

    while (line.len > 0 && count < MEMBERS_MAX) {
        struct member *m = &members[count++];
        if (!read_member(take_word(&line), m)) {
            complain(s, "this is no member");
        }
        m->heard_ms = logtime_ms(&s->engine->time);
    }
    group_set_members(&s->engine->group, members, count);
}

static const char *begin_operation(void *context, const struct operation *o)
{
    struct scenario *s = context;

    s->operation = o->number;
    return o->kind == OPERATION_BOOTSTRAP ? "ERR This server is in a group already" : NULL;
}

static const struct group_ops group_ops = {.begin = begin_operation};

static enum group_role group_role_of(struct scenario *s, struct bytes word)
{
    static const char *const words[] = {"leader", "follower", "candidate", "loading"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (bytes_is(word, words[i])) {
            return (enum group_role)i;
        }
    }
    complain(s, "this is no role in a group");
    return GROUP_LEADER;
}

static void set_group(struct scenario *s, struct bytes line)
{
    struct group *g = &s->engine->group;
    struct bytes word = take_word(&line);

    g->exists = !bytes_is(word, "none");
    g->ops = g->exists ? &group_ops : NULL;
    g->ops_context = s;
    if (g->exists) {
        g->role = group_role_of(s, word);
        g->self = take_number(s, &line);
        g->leader = take_number(s, &line);
        read_members(s, line);
        g->term++;
        g->last_index = 12;
        g->stored_index = 10;
        g->applied_index = 10;
        group_leader_changed(s->engine);
    } else {
        group_clear(g);
        *g = (struct group){0};
    }
    renew_ended_sessions(s);
}

static void set_stored(struct scenario *s, struct bytes line)
{
    struct group *g = &s->engine->group;
    uint64_t id = take_number(s, &line);
    uint64_t lacks = take_number(s, &line);
    uint64_t seq = s->engine->commit.sealed - lacks;

    for (size_t i = 0; i < g->count; i++) {
        if (g->members[i].id == id) {
            g->members[i].stored_seq = seq;
            g->members[i].stored_index = g->last_index - lacks;
            g->members[i].heard_ms = logtime_ms(&s->engine->time);
        }
    }
    if (id == g->self) {
        g->stored_seq = seq;
    }
    group_progress(s->engine);
}

static void end_operation(struct scenario *s, struct bytes error)
{
    char text[128];

    bytes_to_string(error, text, sizeof text);
    operation_end(s->engine, s->operation, error.len > 0 ? text : NULL);
}

static bool begins(struct bytes *line, struct bytes with)
{
    if (line->len < with.len || memcmp(line->at, with.at, with.len) != 0) {
        return false;
    }
    drop(line, with.len);
    return true;
}

static void understand(struct scenario *s, struct bytes line)
{
    if (begins(&line, BYTES("> "))) {
        request(s, 0, line);
    } else if (line.len > 3 && line.at[0] == '>' && line.at[1] >= '1' && line.at[1] <= '9' &&
               line.at[2] == ' ') {
        request(s, (size_t)(line.at[1] - '1'), (struct bytes){line.at + 3, line.len - 3});
    } else if (begins(&line, BYTES("< "))) {
        expect(s, line);
    } else if (line.len > 3 && line.at[0] == '<' && line.at[1] >= '1' && line.at[1] <= '9' &&
               line.at[2] == ' ') {
        expect_sent(s, (size_t)(line.at[1] - '1'), (struct bytes){line.at + 3, line.len - 3});
    } else if (begins(&line, BYTES("advance "))) {
        advance(s, line);
    } else if (begins(&line, BYTES("set "))) {
        set(s, line);
    } else if (begins(&line, BYTES("group "))) {
        set_group(s, line);
    } else if (begins(&line, BYTES("stored "))) {
        set_stored(s, line);
    } else if (begins(&line, BYTES("ended "))) {
        end_operation(s, line);
    } else if (bytes_equal(line, BYTES("ended"))) {
        end_operation(s, BYTES(""));
    } else if (line.len > 0 && strchr("<>", line.at[0]) != NULL) {
        complain(s, "this is neither a request nor a reply");
    } else if (line.len > 0) {
        end_scenario(s);
    }
}

static void run_lines(struct scenario *s)
{
    BUF_LOCAL(line);

    while (read_line(s, &line)) {
        understand(s, buf_bytes(&line));
        line.len = 0;
    }
}

/* The follower has other limits, so that its collections outgrow their containers
 * at other times than ours. */
static void set_up(struct scenario *s)
{
    s->engine = engine_new(families, DATABASES);
    s->engine->commit.durability = DURABILITY_STRICT;
    logtime_start(&s->engine->time, START_US, 0);
    s->engine->settings.notify = EVENT_ALL | EVENT_KEYSPACE | EVENT_KEYEVENT;
    script_start(s->engine, &script_settings);
    for (size_t i = 0; i < SESSIONS; i++) {
        s->session[i] = session_new(s->engine);
    }
    s->follower = dataset_new(DATABASES);
    s->follower->limits = (struct value_limits){
        .hash_max_packed_entries = 2,
        .hash_max_packed_value = 8,
        .set_max_intset_entries = 2,
        .set_max_packed_entries = 2,
        .set_max_packed_value = 8,
    };
}

static void tear_down(struct scenario *s)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        expect_no_more(s, s->session[i]);
        session_free(s->session[i]);
    }
    end_scenario(s);
    script_stop(s->engine);
    engine_free(s->engine);
    dataset_free(s->follower);
    buf_clear(&s->undone.spelled);
    buf_clear(&s->final.spelled);
}

static void run(struct scenario *s)
{
    size_t used = mem_used();

    current = s;
    set_up(s);
    run_lines(s);
    tear_down(s);
    if (mem_used() != used) {
        fprintf(stderr, "%s: %zd bytes of memory are left over\n", s->path,
                (ssize_t)(mem_used() - used));
        s->failed++;
    }
}

int main(int argc, char **argv)
{
    unsigned passed = 0;
    unsigned failed = 0;

    signal(SIGABRT, on_abort);
    log_set_file("/dev/null"); /* Scripts that are ended are logged. */
    for (int i = 1; i < argc; i++) {
        struct scenario s = {.path = argv[i], .file = fopen(argv[i], "r")};

        if (s.file == NULL) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return EXIT_FAILURE;
        }
        run(&s);
        fclose(s.file);
        passed += s.passed;
        failed += s.failed;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
