/* What is asked of a server that is no lock: commands, scripts, guards. */
#include "client/reply.h"
#include "client/session.h"
#include "client/sha1.h"
#include "client/turn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request that a call waits for. */
struct call {
    struct request request;
    bool is_done;
    bool is_interrupted;
};

static void on_done(struct request *r)
{
    ((struct call *)r->owner)->is_done = true;
}

/* Until it is answered; or, if it may be, interrupted. */
static moonlatch_status wait_for(moonlatch *s, struct link *l, struct call *c, bool may_end_early)
{
    struct request *r = &c->request;

    r->done = on_done;
    r->owner = c;
    r->keeps_reply = true;
    link_submit(l, r);
    while (!c->is_done) {
        if (may_end_early && atomic_exchange(&s->is_interrupted, false)) {
            c->is_interrupted = true;
            link_hurry(r, clock_now_us());
        }
        session_turn(s, NEVER_US);
    }
    if (c->is_interrupted && r->status == MOONLATCH_UNREACHABLE) {
        r->status = MOONLATCH_CANCELLED;
    }
    return r->status;
}

/* Whether the server is there. */

static moonlatch_status ping(moonlatch *s)
{
    static const char *const words[] = {"PING"};
    struct call c = {.request = {.count = 1, .words = words}};
    moonlatch_status status;

    session_prepare(s, &c.request);
    status = wait_for(s, &s->calls, &c, true);
    if (status != MOONLATCH_OK) {
        session_fail_by(s, &c.request);
    }
    moonlatch_reply_free((moonlatch_reply *)c.request.reply);
    return status;
}

moonlatch_status moonlatch_ping(moonlatch *session)
{
    moonlatch_status status;

    if (!session_enter(session)) {
        return MOONLATCH_FORKED;
    }
    status = ping(session);
    session_leave(session);
    return status;
}

moonlatch_status moonlatch_is_native(moonlatch *session, bool *native)
{
    moonlatch_status status = MOONLATCH_OK;

    if (!session_enter(session)) {
        return MOONLATCH_FORKED;
    }
    if (!session->knows_server) {
        status = ping(session);
    }
    if (status == MOONLATCH_OK) {
        *native = session->is_native;
    }
    session_leave(session);
    return status;
}

/* Commands and scripts of the caller's. They are not repeated: who knows what they do. */

static moonlatch_status bring(moonlatch *s, struct call *c, moonlatch_reply **reply)
{
    moonlatch_status status;

    session_prepare(s, &c->request);
    c->request.is_repeatable = false;
    c->request.patience_us = s->request_us;
    status = wait_for(s, &s->commands, c, false);
    if (status != MOONLATCH_OK) {
        session_fail_by(s, &c->request);
    }
    *reply = (moonlatch_reply *)c->request.reply;
    return status;
}

moonlatch_status moonlatch_command(moonlatch *session, size_t argc, const char *const *argv,
                                   const size_t *lens, moonlatch_reply **reply)
{
    struct call c = {.request = {.count = argc, .words = argv, .lens = lens}};
    moonlatch_status status;

    *reply = NULL;
    if (!session_enter(session)) {
        return MOONLATCH_FORKED;
    }
    if (argc == 0) {
        status = session_fail(session, MOONLATCH_ARGUMENT, "a command has a name");
    } else {
        status = bring(session, &c, reply);
    }
    session_leave(session);
    return status;
}

/* The keys and then the arguments, as one list with their lengths. */
static bool join(struct request *r, const char *const *keys, size_t arg_count,
                 const char *const *args, const size_t *arg_lens, char **memory)
{
    size_t count = r->key_count + arg_count;
    const char **words;
    size_t *lens;

    if (arg_count > SIZE_MAX / 64 || r->key_count > SIZE_MAX / 64) {
        return false;
    }
    *memory = malloc(count * (sizeof *words + sizeof *lens) + 1);
    if (*memory == NULL) {
        return false;
    }
    words = (const char **)*memory;
    lens = (size_t *)(words + count);
    for (size_t i = 0; i < count; i++) {
        size_t arg = i - r->key_count;

        words[i] = i < r->key_count ? keys[i] : args[arg];
        lens[i] = i < r->key_count || arg_lens == NULL ? strlen(words[i]) : arg_lens[arg];
    }
    r->count = count;
    r->words = words;
    r->lens = lens;
    return true;
}

moonlatch_status moonlatch_eval(moonlatch *session, const char *script, size_t key_count,
                                const char *const *keys, size_t arg_count, const char *const *args,
                                const size_t *arg_lens, moonlatch_reply **reply)
{
    char sha[SHA1_HEX + 1];
    struct lock_script text = {.text = script, .sha = sha};
    struct call c = {.request = {.script = &text, .key_count = key_count}};
    char *memory = NULL;
    moonlatch_status status;

    *reply = NULL;
    if (!session_enter(session)) {
        return MOONLATCH_FORKED;
    }
    sha1_of(script, strlen(script), sha);
    if (join(&c.request, keys, arg_count, args, arg_lens, &memory)) {
        status = bring(session, &c, reply);
    } else {
        status = session_fail(session, MOONLATCH_MEMORY, "out of memory");
    }
    free(memory);
    session_leave(session);
    return status;
}

/* Guards. */

static moonlatch_status judge_guard(moonlatch *s, const struct call *c)
{
    const redisReply *reply = c->request.reply;

    if (c->request.status != MOONLATCH_OK) {
        return session_fail_by(s, &c->request);
    }
    if (strcmp(reply_word(reply, 0), "REFUSED") == 0) {
        return session_fail(s, MOONLATCH_REFUSED, "the guard has seen token %s",
                            reply_word(reply, 1));
    }
    return MOONLATCH_OK;
}

static moonlatch_status ask_guard(moonlatch *s, struct call *c)
{
    moonlatch_status status;

    c->request.script = script_find("guard");
    wait_for(s, &s->calls, c, false);
    status = judge_guard(s, c);
    moonlatch_reply_free((moonlatch_reply *)c->request.reply);
    return status;
}

/* Returns NULL if memory is short. */
static char *guard_key(const char *name)
{
    char *key;

    return asprintf(&key, *name == '{' ? "guard:%s" : "guard:{%s}", name) < 0 ? NULL : key;
}

moonlatch_status moonlatch_guard_touch(moonlatch *session, const char *name, uint64_t token)
{
    char number[24];
    const char *words[] = {NULL, "touch", number};
    struct call c = {.request = {.key_count = 1, .count = 3, .words = words}};
    char *key = guard_key(name);
    moonlatch_status status;

    if (!session_enter(session)) {
        free(key);
        return MOONLATCH_FORKED;
    }
    words[0] = key;
    snprintf(number, sizeof number, "%" PRIu64, token);
    session_prepare(session, &c.request);
    status = key != NULL ? ask_guard(session, &c)
                         : session_fail(session, MOONLATCH_MEMORY, "out of memory");
    session_leave(session);
    free(key);
    return status;
}

/* A copy that comes late would undo what has been written since, by the same token; so it is not
 * repeated. */
moonlatch_status moonlatch_guard_write(moonlatch *session, const char *name, uint64_t token,
                                       const char *key, const void *value, size_t len)
{
    char number[24];
    const char *words[] = {NULL, key, "write", number, value};
    size_t lens[] = {0, strlen(key), strlen("write"), 0, len};
    struct call c = {.request = {.key_count = 2, .count = 5, .words = words, .lens = lens}};
    char *guard = guard_key(name);
    moonlatch_status status;

    if (!session_enter(session)) {
        free(guard);
        return MOONLATCH_FORKED;
    }
    words[0] = guard;
    lens[0] = guard != NULL ? strlen(guard) : 0;
    lens[3] = (size_t)snprintf(number, sizeof number, "%" PRIu64, token);
    session_prepare(session, &c.request);
    c.request.is_repeatable = false;
    status = guard != NULL ? ask_guard(session, &c)
                           : session_fail(session, MOONLATCH_MEMORY, "out of memory");
    session_leave(session);
    free(guard);
    return status;
}
