#include "engine/request.h"

#include "engine/batch.h"
#include "engine/call.h"
#include "engine/expiry.h"
#include "engine/slot.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

/* Refusals. */

/* Behind another code, the general one is not told. */
static void drop_code(char *text)
{
    static const char code[] = "ERR ";
    size_t len = strlen(code);

    if (strncmp(text, code, len) == 0) {
        memmove(text, text + len, strlen(text + len) + 1);
    }
}

/* What a transaction cannot queue makes the whole of it fail; an EXEC that is refused
 * ends it. */
static void reject(struct session *s, const struct command *cmd, struct bytes error)
{
    struct sink *reply = session_sink(s);

    if (cmd != NULL) {
        s->engine->measures.commands[cmd->number].rejected++;
    }
    if (cmd != NULL && (cmd->flags & COMMAND_EXECUTES)) {
        session_drop_queue(s);
        watch_drop_all(&s->engine->watchers, s);
    }
    measure_error(s->engine, error);
    s->multi_failed |= s->in_multi;
    reply->ops->error(reply, error);
}

/* A request that is refused before it runs. */
__attribute__((format(printf, 3, 4))) static void
refuse(struct session *s, const struct command *cmd, const char *format, ...)
{
    char text[640] = "EXECABORT Transaction discarded because of: ";
    size_t start = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + start, sizeof text - start, format, args);
    va_end(args);

    if (cmd != NULL && (cmd->flags & COMMAND_EXECUTES)) {
        drop_code(text + start);
        start = 0;
    }
    reject(s, cmd, bytes_of(text + start));
}

static void refuse_unknown(struct session *s, size_t argc, const struct bytes *argv)
{
    enum { SHOWN = 128 };
    BUF_LOCAL(args);

    for (size_t i = 1; i < argc && args.len < SHOWN; i++) {
        int room = (int)(SHOWN - args.len);
        int len = argv[i].len < (size_t)room ? (int)argv[i].len : room;
        buf_addf(&args, "'%.*s' ", len, argv[i].at);
    }
    refuse(s, NULL, "ERR unknown command '%.*s', with args beginning with: %.*s",
           argv[0].len < SHOWN ? (int)argv[0].len : SHOWN, argv[0].at, (int)args.len,
           args.len > 0 ? args.at : "");
}

static void refuse_unknown_sub(struct session *s, const struct command *container,
                               struct bytes name)
{
    char capitals[32];
    size_t i;

    for (i = 0; container->name[i] != '\0' && i < sizeof capitals - 1; i++) {
        capitals[i] = (char)toupper((unsigned char)container->name[i]);
    }
    capitals[i] = '\0';
    refuse(s, NULL, "ERR unknown subcommand '%.*s'. Try %s HELP.",
           name.len < 128 ? (int)name.len : 128, name.at, capitals);
}

static void refuse_arity(struct session *s, const struct command *container,
                         const struct command *cmd)
{
    refuse(s, cmd, "ERR wrong number of arguments for '%s%s%s' command",
           container != NULL ? container->name : "", container != NULL ? "|" : "", cmd->name);
}

static void refuse_subscribed(struct session *s, const struct command *cmd)
{
    BUF_LOCAL(name);

    command_add_name(cmd, &name);
    refuse(s, cmd,
           "ERR Can't execute '%.*s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
           "are allowed in this context",
           (int)name.len, name.at);
}

/* Returns the flags of all that a request is to run: itself, and what is queued if it is
 * EXEC. Of those in `missing`, it returns the ones that something does not have. */
static uint32_t all_flags(const struct session *s, const struct command *cmd,
                          const struct bytes *argv, uint32_t missing)
{
    uint32_t flags = engine_flags(s->engine, cmd, argv) ^ missing;

    if (cmd->flags & COMMAND_EXECUTES) {
        for (size_t i = 0; i < s->queue_len; i++) {
            flags |= engine_flags(s->engine, s->queue[i].command, s->queue[i].argv) ^ missing;
        }
    }
    return flags;
}

static bool has_flag(const struct session *s, const struct command *cmd, const struct bytes *argv,
                     uint32_t flag)
{
    return (all_flags(s, cmd, argv, 0) & flag) != 0;
}

/* Whether a request is not run now, but put into a transaction, which takes memory. */
static bool is_queued(const struct session *s, const struct command *cmd)
{
    return s->in_multi && !(cmd->flags & COMMAND_IMMEDIATE);
}

/* A server that does not lead. */

static void note_key(size_t place, unsigned flags, void *context)
{
    size_t *first = context;

    if (*first == 0 && !(flags & KEY_NOT_KEY)) {
        *first = place;
    }
}

/* Finds the first key that a request names. Returns false if it names none. */
static bool first_key(const struct command *cmd, size_t argc, const struct bytes *argv,
                      struct bytes *key)
{
    size_t place = 0;

    command_keys(cmd, argc, argv, note_key, &place);
    if (place > 0) {
        *key = argv[place];
    }
    return place > 0;
}

/* Likewise, of all that it is to run. */
static bool first_key_of_all(const struct session *s, const struct command *cmd, size_t argc,
                             const struct bytes *argv, struct bytes *key)
{
    bool found = first_key(cmd, argc, argv, key);

    for (size_t i = 0; i < s->queue_len && (cmd->flags & COMMAND_EXECUTES) && !found; i++) {
        found = first_key(s->queue[i].command, s->queue[i].argc, s->queue[i].argv, key);
    }
    return found;
}

/* Clients of a cluster are sent to the leader, if they name a key: so they are used to it.
 * Their connections cannot be told from others: most of them just send requests. */
static void refuse_here(struct session *s, const struct command *cmd, size_t argc,
                        const struct bytes *argv, enum refused what)
{
    struct group *g = &s->engine->group;
    const struct member *leader = group_leader(g);
    struct bytes key;
    BUF_LOCAL(text);

    if (leader == NULL || !s->engine->settings.cluster_enabled ||
        !first_key_of_all(s, cmd, argc, argv, &key)) {
        refuse(s, cmd, "%s", group_refusal(g, what));
        return;
    }
    buf_addf(&text, "MOVED %u %s:%d", slot_of(key), leader->host, leader->port);
    reject(s, cmd, buf_bytes(&text));
}

/* Returns false, having refused the request, if it needs the leader, or the data while
 * there are none yet. */
static bool may_run_here(struct session *s, const struct command *cmd, size_t argc,
                         const struct bytes *argv)
{
    uint32_t flags = all_flags(s, cmd, argv, COMMAND_LOADING);
    bool any = session_consistency(s) == CONSISTENCY_ANY;

    if (s->engine->group.role == GROUP_LOADING) {
        if (flags & COMMAND_LOADING) {
            refuse(s, cmd, "LOADING Redis is loading the dataset in memory");
        }
        return !(flags & COMMAND_LOADING);
    }
    if (flags & COMMAND_WRITE) {
        refuse_here(s, cmd, argc, argv, REFUSED_WRITE);
        return false;
    }
    if (!any && (flags & (COMMAND_READONLY | COMMAND_SCRIPT))) {
        refuse_here(s, cmd, argc, argv, REFUSED_READ);
        return false;
    }
    return true;
}

/* Checks what does not depend on the arguments. Returns false, having refused the
 * request, if it may not run now. */
static bool may_run(struct session *s, const struct command *cmd, size_t argc,
                    const struct bytes *argv)
{
    struct engine *e = s->engine;
    const char *refusal;

    if (!s->authenticated && e->settings.requirepass.len > 0 && !(cmd->flags & COMMAND_NO_AUTH)) {
        refuse(s, cmd, "NOAUTH Authentication required.");
        return false;
    }
    if (e->running.is_busy && !(cmd->flags & COMMAND_ALLOW_BUSY)) {
        refuse(s, cmd,
               "BUSY Redis is busy running a script. You can only call %s KILL or SHUTDOWN "
               "NOSAVE.",
               e->running.is_function ? "FUNCTION" : "SCRIPT");
        return false;
    }
    if (!group_leads(&e->group) && !may_run_here(s, cmd, argc, argv)) {
        return false;
    }
    if (engine_out_of_memory(e) && (is_queued(s, cmd) || has_flag(s, cmd, argv, COMMAND_DENYOOM))) {
        refuse(s, cmd, "OOM command not allowed when used memory > 'maxmemory'.");
        return false;
    }
    refusal = group_leads(&e->group) ? engine_write_refusal(e) : NULL;
    if (refusal != NULL && has_flag(s, cmd, argv, COMMAND_WRITE)) {
        refuse(s, cmd, "%s", refusal);
        return false;
    }
    if (s->subscriptions.count > 0 && s->sink.sink.version == RESP2 &&
        !(cmd->flags & COMMAND_SUBSCRIBED)) {
        refuse_subscribed(s, cmd);
        return false;
    }
    if (s->monitors && (cmd->flags & (COMMAND_WRITE | COMMAND_READONLY | COMMAND_MAY_REPLICATE))) {
        refuse(s, cmd, "ERR Replica can't interact with the keyspace");
        return false;
    }
    if (s->in_multi && (cmd->flags & COMMAND_NO_MULTI)) {
        refuse(s, cmd, "ERR Command not allowed inside a transaction");
        return false;
    }
    return true;
}

/* A strict read is answered when an entry behind it is committed: then this server has
 * led all the time. One is enough for all the reads of a turn. */
static void confirm_read(struct session *s, const struct command *cmd, const struct bytes *argv)
{
    struct commit *c = &s->engine->commit;

    if (c->ops != NULL && group_leads(&s->engine->group) &&
        has_flag(s, cmd, argv, COMMAND_READONLY | COMMAND_SCRIPT)) {
        c->wants_barrier = true;
        s->hold.is_strict = true;
    }
}

static void run_request(struct session *s, const struct command *cmd, size_t argc,
                        const struct bytes *argv)
{
    struct engine *e = s->engine;
    struct session *outer = e->client; /* Whose script has opened the busy door. */
    struct sink *reply = session_sink(s);

    if (e->tracking.keys != NULL && !e->running.is_script) {
        tracking_limit(e);
    }
    if (is_queued(s, cmd)) {
        if (!s->multi_failed && !s->watch_failed) { /* Else it will not run anyway. */
            session_queue(s, cmd, argc, argv);
        }
        reply->ops->status(reply, BYTES("QUEUED"));
        return;
    }
    e->client = s;
    if (e->running.is_script) { /* In the busy door: the journal is the script's. */
        engine_run(s, cmd, reply, argc, argv);
        e->client = outer;
        return;
    }
    batch_begin(e, !(cmd->flags & COMMAND_DIRECT));
    engine_run(s, cmd, reply, argc, argv);
    batch_end(e);
    if (session_reads_strictly(s)) {
        confirm_read(s, cmd, argv);
    }
    e->client = outer;
    if (e->waiting.ready_first != NULL) {
        block_serve(e);
    }
    if (e->stale.len > 0) {
        expiry_remove_stale(e);
    }
}

static void note_request(struct session *s, const struct command *container,
                         const struct command *cmd)
{
    s->active_ms = logtime_ms(&s->engine->time);
    s->last_command = container != NULL ? container : cmd;
    s->last_subcommand = container != NULL ? cmd->name : NULL;
}

static void handle_request(struct session *s, size_t argc, const struct bytes *argv)
{
    const struct command *container;
    const struct command *cmd = engine_find_command(s->engine, argc, argv, &container);

    if (cmd == NULL && container != NULL) {
        refuse_unknown_sub(s, container, argv[1]);
    } else if (cmd == NULL) {
        refuse_unknown(s, argc, argv);
    } else if (!command_arity_fits(cmd, argc)) {
        refuse_arity(s, container, cmd);
    } else {
        note_request(s, container, cmd);
        if (!may_run(s, cmd, argc, argv)) {
            return;
        }
        if (s->engine->pause.kind != PAUSE_NONE && pause_holds(s, cmd, argv)) {
            block_postpone(s, argc, argv);
        } else {
            run_request(s, cmd, argc, argv);
        }
    }
}

/* CLIENT REPLY SKIP and CLIENT CACHING are about one request, however often that runs. */
static void end_request(struct session *s)
{
    if (s->wait != NULL) {
        return;
    }
    s->hold.requests++;
    if (s->tracker != NULL) {
        tracking_end_request(s);
    }
    if (s->reply_mode == REPLY_SKIP) {
        s->reply_mode = REPLY_SKIP_NEXT;
    } else if (s->reply_mode == REPLY_SKIP_NEXT) {
        s->reply_mode = REPLY_ON;
    }
}

void request_execute(struct session *s, size_t argc, const struct bytes *argv)
{
    assert(argc > 0);
    assert(s->wait == NULL);
    resp_sink_begin(&s->sink);
    s->engine->stats.commands++;
    handle_request(s, argc, argv);
    end_request(s);
}

void request_run_again(struct session *s, size_t argc, const struct bytes *argv)
{
    resp_sink_begin(&s->sink);
    handle_request(s, argc, argv);
    end_request(s);
}

/* Whether a command by this name runs a script, or is called much like one that does. */
static bool runs_script(struct bytes name)
{
    char head[4];

    if (name.len < sizeof head) {
        return false;
    }
    for (size_t i = 0; i < sizeof head; i++) {
        head[i] = (char)(name.at[i] | 0x20);
    }
    return memcmp(head, "eval", sizeof head) == 0 || memcmp(head, "fcal", sizeof head) == 0;
}

enum { KEYS_PREPARED = 4 }; /* Of one request. */

/* Returns how many keys a request probably has, and where: nearly all commands name one
 * first, scripts behind the number of their keys. A wrong guess does no harm. */
static size_t likely_keys(const struct request *r, size_t *first)
{
    int64_t count;
    size_t most;

    *first = 1;
    if (!runs_script(r->argv[0])) {
        return r->argc > 1 ? 1 : 0;
    }
    *first = 3;
    if (r->argc <= 3 || !number_parse_int(r->argv[2], &count) || count <= 0) {
        return 0;
    }
    most = r->argc - 3 < KEYS_PREPARED ? r->argc - 3 : KEYS_PREPARED;
    return (uint64_t)count < most ? (size_t)count : most;
}

static void prefetch(const struct keyspace *keys, const struct bytes *wanted, size_t count)
{
    for (size_t done = 0; done < count; done += TABLE_PREFETCH) {
        size_t left = count - done;
        keyspace_prefetch(keys, wanted + done, left < TABLE_PREFETCH ? left : TABLE_PREFETCH);
    }
}

void request_prepare(const struct session *s, const struct request *requests, size_t count)
{
    struct bytes key[KEYS_PREPARED * REQUEST_BATCH];
    size_t keys = 0;

    assert(count <= REQUEST_BATCH);
    for (size_t i = 0; i < count; i++) {
        size_t first;
        size_t more = likely_keys(&requests[i], &first);

        for (size_t k = 0; k < more; k++) {
            key[keys++] = requests[i].argv[first + k];
        }
    }
    if (keys > 1) {
        prefetch(s->engine->data->db[s->db], key, keys);
    }
    measure_row(s->engine);
}
