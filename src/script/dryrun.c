#include "script/dryrun.h"

#include "base/sha1.h"
#include "engine/call.h"
#include "engine/observe.h"
#include "script/runtime.h"
#include "store/describe.h"

#include <assert.h>
#include <ctype.h>

/* Listing changes. */

enum { LISTED = 10000 }; /* Nobody reads more, and the reply stays within bounds. */

struct listing {
    struct call *call;
    struct bytes redo; /* Of the changes to come. */
    struct buf line;
    size_t lines;
    size_t left_out;
};

/* Replies with the line, if there is one. */
static void end_line(struct listing *l)
{
    if (l->line.len > 0) {
        reply_bytes(l->call, buf_bytes(&l->line));
        l->line.len = 0;
        l->lines++;
    }
}

/* The journal keeps a change as its inverse, and in the form of the log, in one order. */
static void list_change(const struct change *inverse, void *context)
{
    struct listing *l = context;
    struct change c;
    bool whole;

    if (l->lines >= LISTED) {
        l->left_out++;
        return;
    }
    whole = change_decode(&l->redo, l->call->engine->data, &c);
    assert(whole);
    change_describe(&c, inverse, l->call->db, &l->line);
    change_drop(&c);
    end_line(l);
}

/* A message that somebody would get is no change, but one would like to know. */
static void list_note(const struct note *n, void *context)
{
    struct listing *l = context;

    if (n->kind != NOTE_MESSAGE && n->kind != NOTE_SHARD_MESSAGE) {
        return;
    }
    if (l->lines >= LISTED) {
        l->left_out++;
        return;
    }
    buf_addf(&l->line, "%s", n->kind == NOTE_MESSAGE ? "PUBLISH" : "SPUBLISH");
    describe_name(&l->line, n->name);
    describe_content(&l->line, n->content);
    end_line(l);
}

static void reply_changes(struct call *c, struct journal_mark start)
{
    const struct journal *j = &c->engine->journal;
    struct listing l = {.call = c, .redo = journal_redo_since(j, start)};
    size_t place = reply_late(c);

    journal_each(j, start, &(struct journal_visitor){list_change, list_note, &l});
    if (l.left_out > 0) {
        buf_addf(&l.line, "... and %zu more", l.left_out);
        end_line(&l);
    }
    reply_late_end(c, place, RESP_ARRAY, l.lines);
    buf_clear(&l.line);
}

/* Running. */

/* Runs the command that would run the script for good: its arguments are those behind
 * the subcommand's name. If it fails, its reply is the error; what it had changed stays
 * until the caller has looked at it. */
static void run(struct call *c, const char *command)
{
    struct session *calls = &c->engine->script->session;
    struct call inner = *c;

    inner.command = registry_find(c->engine->commands, bytes_of(command));
    inner.argc--;
    inner.argv++;
    resp_sink_begin(&c->session->sink); /* A failure drops its own reply only. */
    calls->dry_run = true;
    inner.command->run(&inner);
    calls->dry_run = false;
}

static void dry_run(struct call *c, const char *command)
{
    struct journal *j = &c->engine->journal;
    struct journal_mark start = journal_mark(j);

    journal_keep_redo(j);
    reply_map(c, 2);
    reply_string(c, "reply");
    run(c, command);
    reply_string(c, "changes");
    reply_changes(c, start);
    journal_rollback(j, start);
}

static bool is_sha(struct bytes word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!isxdigit((unsigned char)word.at[i])) {
            return false;
        }
    }
    return word.len == SHA1_HEX;
}

/* No script consists of as many digits as a SHA-1 has. */
void dryrun_script(struct call *c)
{
    dry_run(c, is_sha(c->argv[2]) ? "evalsha" : "eval");
}

void dryrun_function(struct call *c)
{
    dry_run(c, "fcall");
}
