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
 *
 * Words of a request are separated by spaces. One in "double quotes" may contain
 * \n, \r, \t, \", \\ and \xHH; one in 'single quotes' is taken as it is. A quoted word
 * goes on in the next line until its quote ends.
 *
 * Replies are spelled like this:
 *
 *     OK   2   "text"   nil   3.5   true   false      a status is a bare word
 *     !ERR the beginning of an error                  inside of others: all of it
 *     [ "a" [ 1 nil ] ]                               an array
 *     ~[ "a" "b" ]   { "key" "value" }   >[ "a" ]     RESP3: a set, a map, a push
 *     txt:"text"                                      RESP3: a verbatim string
 *     nothing                                         no reply at all
 *     *                                               any reply
 *
 * Behind a reply, "(any order)" says that its elements may come in any order, at all
 * levels of it, and "(pairs in any order)" the same of every two of them.
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
#include "engine/request.h"
#include "script/script.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SESSIONS = 9,
    DATABASES = 16,
    WORDS_MAX = 256,
};

/* Time stands still, but for "advance". */
#define START_US (INT64_C(1767225600) * 1000000) /* The first second of 2026. */

static const struct command *const families[] = {COMMAND_FAMILIES, SCRIPT_FAMILIES, NULL};

static struct script_settings script_settings = {
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

static void drop(struct bytes *in, size_t count)
{
    *in = (struct bytes){in->at + count, in->len - count};
}

/* Spelling replies. */

static void spell_text(struct bytes text, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];

        switch (c) {
        case '\n':
            buf_add(out, BYTES("\\n"));
            break;
        case '\r':
            buf_add(out, BYTES("\\r"));
            break;
        case '\t':
            buf_add(out, BYTES("\\t"));
            break;
        case '"':
        case '\\':
            buf_add_byte(out, '\\');
            buf_add_byte(out, (char)c);
            break;
        default:
            buf_addf(out, c < ' ' || c > '~' ? "\\x%02x" : "%c", c);
        }
    }
    buf_add_byte(out, '"');
}

static bool take_line(struct bytes *in, struct bytes *line)
{
    const char *end = in->len > 0 ? memchr(in->at, '\r', in->len) : NULL;
    size_t len;

    if (end == NULL || end + 1 == in->at + in->len || end[1] != '\n') {
        return false;
    }
    len = (size_t)(end - in->at);
    *line = (struct bytes){in->at, len};
    drop(in, len + 2);
    return true;
}

static bool take_content(struct bytes *in, size_t len, struct bytes *content)
{
    if (in->len < len + 2 || memcmp(in->at + len, "\r\n", 2) != 0) {
        return false;
    }
    *content = (struct bytes){in->at, len};
    drop(in, len + 2);
    return true;
}

static bool spell(struct bytes *in, struct buf *out);

static bool spell_bulk(struct bytes *in, int64_t len, bool verbatim, struct buf *out)
{
    enum { FORMAT = 4 }; /* "txt:" */
    struct bytes content;

    if (!take_content(in, (size_t)len, &content) || (verbatim && content.len < FORMAT)) {
        return false;
    }
    if (verbatim) {
        buf_add(out, (struct bytes){content.at, FORMAT});
        content = (struct bytes){content.at + FORMAT, content.len - FORMAT};
    }
    spell_text(content, out);
    return true;
}

static bool spell_many(struct bytes *in, char type, int64_t len, struct buf *out)
{
    if (type == '~' || type == '>') {
        buf_add_byte(out, type);
    }
    buf_add_byte(out, type == '%' ? '{' : '[');
    for (int64_t i = 0; i < (type == '%' ? 2 * len : len); i++) {
        buf_add_byte(out, ' ');
        if (!spell(in, out)) {
            return false;
        }
    }
    buf_addf(out, " %c", type == '%' ? '}' : ']');
    return true;
}

/* Spells what is a line of its own. Returns false if it is not that. */
static bool spell_line(char type, struct bytes line, struct buf *out)
{
    switch (type) {
    case '-':
        buf_add_byte(out, '!');
        break;
    case '_':
        line = BYTES("nil");
        break;
    case '#':
        line = bytes_equal(line, BYTES("t")) ? BYTES("true") : BYTES("false");
        break;
    case '+':
    case ':':
    case ',':
    case '(':
        break;
    default:
        return false;
    }
    buf_add(out, line);
    return true;
}

/* Takes one reply off the front of *in and spells it. Returns false if it is none. */
static bool spell(struct bytes *in, struct buf *out)
{
    struct bytes line;
    int64_t len;
    char type;

    if (!take_line(in, &line) || line.len == 0) {
        return false;
    }
    type = line.at[0];
    line = (struct bytes){line.at + 1, line.len - 1};
    if (spell_line(type, line, out)) {
        return true;
    }
    if (strchr("$=*~%>", type) == NULL || !number_parse_int(line, &len)) {
        return false;
    }
    if (len < 0) {
        buf_add(out, BYTES("nil"));
        return len == -1;
    }
    return type == '$' || type == '=' ? spell_bulk(in, len, type == '=', out)
                                      : spell_many(in, type, len, out);
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

/* Reading what is quoted. */

enum quoted { QUOTED, UNENDED, NONSENSE };

static bool take_hex(struct bytes *in, char *byte)
{
    char digits[3] = {0};

    if (in->len < 2 || !isxdigit((unsigned char)in->at[0]) || !isxdigit((unsigned char)in->at[1])) {
        return false;
    }
    memcpy(digits, in->at, 2);
    *byte = (char)strtoul(digits, NULL, 16);
    drop(in, 2);
    return true;
}

/* Takes what follows a backslash. */
static bool take_escape(struct bytes *in, char *byte)
{
    static const char names[] = "nrt\"\\";
    static const char meanings[] = "\n\r\t\"\\";
    const char *found = in->len > 0 ? memchr(names, in->at[0], sizeof names - 1) : NULL;

    if (found != NULL) {
        *byte = meanings[found - names];
        drop(in, 1);
        return true;
    }
    if (in->len == 0 || in->at[0] != 'x') {
        return false;
    }
    drop(in, 1);
    return take_hex(in, byte);
}

/* Takes a quoted text, with its quotes, off the front of *in. */
static enum quoted take_quoted(struct bytes *in, struct buf *out)
{
    char quote = in->at[0];

    drop(in, 1);
    while (in->len > 0 && in->at[0] != quote) {
        char c = in->at[0];

        drop(in, 1);
        if (c == '\\' && quote == '"' && !take_escape(in, &c)) {
            return NONSENSE;
        }
        buf_add_byte(out, c);
    }
    if (in->len == 0) {
        return UNENDED;
    }
    drop(in, 1);
    return QUOTED;
}

/* Expectations. */

/* Spells the quoted texts of an expected reply as spell() does. */
static bool respell(struct bytes want, struct buf *out)
{
    BUF_LOCAL(text);

    while (want.len > 0) {
        if (want.at[0] == '"') {
            text.len = 0;
            if (take_quoted(&want, &text) != QUOTED) {
                return false;
            }
            spell_text(buf_bytes(&text), out);
        } else {
            buf_add_byte(out, want.at[0]);
            drop(&want, 1);
        }
    }
    return true;
}

/* Takes a word off the front of a spelled reply: all up to a space that is not
 * quoted. */
static struct bytes take_token(struct bytes *in)
{
    struct bytes token;
    bool quoted = false;

    while (in->len > 0 && in->at[0] == ' ') {
        drop(in, 1);
    }
    token = (struct bytes){in->at, 0};
    while (in->len > 0 && (quoted || in->at[0] != ' ')) {
        size_t len = quoted && in->at[0] == '\\' && in->len > 1 ? 2 : 1;

        quoted ^= in->at[0] == '"';
        token.len += len;
        drop(in, len);
    }
    return token;
}

static bool opens(struct bytes token)
{
    return token.len > 0 && token.len <= 2 && strchr("[{", token.at[token.len - 1]) != NULL;
}

static bool closes(struct bytes token)
{
    return bytes_equal(token, BYTES("]")) || bytes_equal(token, BYTES("}"));
}

static int compare_units(const void *a, const void *b)
{
    return bytes_compare(buf_bytes(a), buf_bytes(b));
}

static bool take_sorted(struct bytes *in, size_t unit, struct buf *out);

/* Sorts what is up to the end of an array, `together` elements at a time. */
static void take_sorted_elements(struct bytes *in, size_t together, size_t unit, struct buf *out)
{
    struct buf *units = mem_zalloc((in->len + 1) * sizeof *units);
    size_t count = 0;

    while (take_sorted(in, unit, &units[count / together])) {
        count++;
    }
    count = (count + together - 1) / together;
    qsort(units, count, sizeof *units, compare_units);
    for (size_t i = 0; i < count; i++) {
        buf_add(out, buf_bytes(&units[i]));
        buf_clear(&units[i]);
    }
    mem_free(units);
}

/* Takes one element off the front of a spelled reply, and sorts what is in it: in
 * arrays, `unit` elements at a time. Returns false at the end of an array. */
static bool take_sorted(struct bytes *in, size_t unit, struct buf *out)
{
    struct bytes token = take_token(in);

    if (token.len == 0 || closes(token)) {
        return false;
    }
    buf_add_byte(out, ' ');
    buf_add(out, token);
    if (opens(token)) {
        take_sorted_elements(in, token.at[token.len - 1] == '{' ? 2 : unit, unit, out);
        buf_add(out, BYTES(" ]"));
    }
    return true;
}

static bool equal_sorted(struct bytes a, struct bytes b, size_t unit)
{
    BUF_LOCAL(sorted_a);
    BUF_LOCAL(sorted_b);

    take_sorted(&a, unit, &sorted_a);
    take_sorted(&b, unit, &sorted_b);
    return a.len == 0 && b.len == 0 && bytes_equal(buf_bytes(&sorted_a), buf_bytes(&sorted_b));
}

static bool cut_suffix(struct bytes *text, struct bytes suffix)
{
    if (text->len < suffix.len ||
        !bytes_equal((struct bytes){text->at + text->len - suffix.len, suffix.len}, suffix)) {
        return false;
    }
    text->len -= suffix.len;
    return true;
}

static bool fits(struct bytes want, struct bytes got)
{
    if (bytes_equal(want, BYTES("*"))) {
        return true;
    }
    if (want.len > 0 && want.at[0] == '!') {
        return got.len >= want.len && memcmp(got.at, want.at, want.len) == 0;
    }
    if (cut_suffix(&want, BYTES(" (any order)"))) {
        return equal_sorted(want, got, 1);
    }
    if (cut_suffix(&want, BYTES(" (pairs in any order)"))) {
        return equal_sorted(want, got, 2);
    }
    return bytes_equal(want, got);
}

static void expect_reply(struct scenario *s, struct bytes want, const struct reply *reply,
                         const char *when)
{
    struct bytes got = buf_bytes(&reply->spelled);

    if (reply->given && !fits(want, got)) {
        complain(s, "%sexpected %.*s\n    got      %.*s", when, (int)want.len, want.at,
                 (int)got.len, got.at);
    }
}

static void expect(struct scenario *s, struct bytes text)
{
    BUF_LOCAL(want);

    if (!s->final.given) {
        complain(s, "a reply without a request");
    } else if (text.len > 0 && text.at[0] == '!') {
        buf_add(&want, text);
    } else if (!respell(text, &want)) {
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

    if (!respell(text, &want)) {
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

static bool follow(struct engine *e, struct bytes redo, void *context)
{
    struct scenario *s = context;

    (void)e;
    if (!journal_replay(s->follower, redo)) {
        complain(s, "the follower cannot read the changes");
    }
    return true;
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
    session_set_resp(&session, original->sink.sink.version);
    e->monitors = NULL;
    e->log = (struct engine_log){.append = undo};
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

    e->log = (struct engine_log){.append = follow, .context = s};
    if (will_fail && (cmd->flags & COMMAND_DIRECT)) {
        e->log = (struct engine_log){0};
    }
    expect_no_more(s, session);
    request_execute(session, argc, argv);
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

/* A session that was ended is followed by a new one. */
static void renew_ended_sessions(struct scenario *s)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        if (s->session[i]->closing) {
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

/* The words of a request, one behind the other, and where each ends. */
struct words {
    size_t count;
    size_t end[WORDS_MAX];
    struct buf text;
};

static enum quoted take_word(struct bytes *in, struct words *words)
{
    enum quoted quoted = QUOTED;

    if (in->at[0] == '"' || in->at[0] == '\'') {
        quoted = take_quoted(in, &words->text);
        if (quoted == QUOTED && in->len > 0 && in->at[0] != ' ') {
            return NONSENSE;
        }
    } else {
        while (in->len > 0 && in->at[0] != ' ') {
            buf_add_byte(&words->text, in->at[0]);
            drop(in, 1);
        }
    }
    words->end[words->count++] = words->text.len;
    return quoted;
}

static enum quoted take_words(struct bytes in, struct words *words)
{
    enum quoted quoted = QUOTED;

    words->count = 0;
    words->text.len = 0;
    for (;;) {
        while (in.len > 0 && in.at[0] == ' ') {
            drop(&in, 1);
        }
        if (in.len == 0 || quoted != QUOTED) {
            return quoted;
        }
        if (words->count == WORDS_MAX) {
            return NONSENSE;
        }
        quoted = take_word(&in, words);
    }
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
    while ((quoted = take_words(buf_bytes(&all), words)) == UNENDED) {
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
    size_t start = 0;

    if (read_words(s, text, &words)) {
        for (size_t i = 0; i < words.count; i++) {
            argv[i] = (struct bytes){words.text.at + start, words.end[i] - start};
            start = words.end[i];
        }
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
    } else {
        complain(s, "there is no such setting");
    }
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
