/* The commands that save the data and read them back. */
#include "base/log.h"
#include "base/mem.h"
#include "engine/call.h"
#include "rdb/load.h"
#include "server/commands.h"
#include "server/server.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void lastsave(struct call *c)
{
    struct server *s = c->engine->server;

    reply_int(c, s->persist.saved_s);
}

static bool is_saving(struct call *c)
{
    struct server *s = c->engine->server;

    if (s->persist.child == 0) {
        return false;
    }
    call_fail(c, "ERR Background save already in progress");
    return true;
}

void save(struct call *c)
{
    int err;

    if (is_saving(c)) {
        return;
    }
    err = persist_save(c->engine->server);
    if (err != 0) {
        call_fail(c, "ERR The data cannot be saved: %s", strerror(-err));
    } else {
        reply_ok(c);
    }
}

/* Returns whether the request has changed something that is not final yet, as the
 * commands before BGSAVE in a transaction may have. */
static bool has_open_changes(const struct call *c)
{
    return c->engine->journal.changes != c->engine->batch.changes;
}

/* Starts a saver, as soon as it can, and says so. */
static void save_in_background(struct call *c, const char *started, const char *scheduled)
{
    struct server *s = c->engine->server;
    int err;

    if (is_saving(c)) {
        return;
    }
    if (has_open_changes(c)) {
        s->persist.scheduled = true;
        reply_status(c, scheduled);
        return;
    }
    err = persist_fork(s);
    if (err != 0) {
        call_fail(c, "ERR Background saving cannot be started: %s", strerror(-err));
    } else {
        reply_status(c, started);
    }
}

void bgsave(struct call *c)
{
    if (c->argc > 2 || (c->argc == 2 && !call_is(c, 1, "schedule"))) {
        call_fail_syntax(c);
        return;
    }
    ((struct server *)c->engine->server)->persist.rewrites = false;
    save_in_background(c, "Background saving started", "Background saving scheduled");
}

/* There is no file of requests that could be rewritten to a shorter one: what this is
 * asked for is that the data be on the disk, in a form that is read fast. */
void bgrewriteaof(struct call *c)
{
    ((struct server *)c->engine->server)->persist.rewrites = true;
    save_in_background(c, "Background append only file rewriting started",
                       "Background append only file rewriting scheduled");
}

/* SHUTDOWN. */

struct shutdown_options {
    bool save, nosave, now, force, abort;
};

static bool read_shutdown(struct call *c, struct shutdown_options *o)
{
    for (size_t i = 1; i < c->argc; i++) {
        if (call_is(c, i, "save")) {
            o->save = true;
        } else if (call_is(c, i, "nosave")) {
            o->nosave = true;
        } else if (call_is(c, i, "now")) {
            o->now = true;
        } else if (call_is(c, i, "force")) {
            o->force = true;
        } else if (call_is(c, i, "abort")) {
            o->abort = true;
        } else {
            return false;
        }
    }
    return !(o->save && o->nosave) && !(o->abort && c->argc > 2);
}

/* Saves now, while there is somebody to tell if that fails. A script that runs has to
 * be undone before: the server then saves when it ends. */
static bool save_before(struct call *c)
{
    struct server *s = c->engine->server;

    if (c->engine->running.is_script) {
        return true;
    }
    if (!persist_may_end(s)) {
        call_fail(c, "ERR Errors trying to SHUTDOWN. Check logs.");
        return false;
    }
    s->persist.ending = ENDING_NOT_SAVED; /* Once is enough. */
    return true;
}

/* Ends the server after this turn; a script that runs is undone. Who succeeds gets
 * no reply, but sees the connection end. */
void shut_down(struct call *c)
{
    struct server *s = c->engine->server;
    struct shutdown_options o = {0};

    if (!read_shutdown(c, &o)) {
        call_fail_syntax(c);
        return;
    }
    if (o.abort) {
        call_fail(c, "ERR No shutdown in progress.");
        return;
    }
    log_write(LOG_WARNING, "A client asks for shutdown");
    s->persist.ending = o.save ? ENDING_SAVED : o.nosave ? ENDING_NOT_SAVED : ENDING_AS_CONFIGURED;
    s->persist.ends_anyway = o.force;
    if (save_before(c)) {
        c->engine->stop = true;
        c->session->closing = true;
    }
}

/* DEBUG RELOAD and LOADAOF: what is read back takes the place of the data. It is read
 * to the side first, so that a file which is not in order changes nothing. */

static struct dataset *side_new(struct dataset *data)
{
    struct dataset *side = mem_alloc(sizeof *side);

    *side = (struct dataset){.count = data->count, .limits = data->limits};
    side->db = mem_alloc(data->count * sizeof *side->db);
    for (unsigned db = 0; db < data->count; db++) {
        side->db[db] = keyspace_new(&data->limits);
    }
    for (unsigned i = 0; i < TEXT_KIND_END; i++) {
        side->texts[i] = texts_new();
    }
    return side;
}

static void put_texts(struct call *c, const struct dataset *side)
{
    const struct text *text;

    for (unsigned i = 0; i < TEXT_KIND_END; i++) {
        struct table_walk walk = {0};
        while ((text = texts_next(side->texts[i], &walk)) != NULL) {
            call_make(c, change_text_put((enum text_kind)i,
                                         text_new(text_name(text), text_content(text))));
        }
    }
}

static void put_in_place(struct call *c, struct dataset *side)
{
    for (unsigned i = 0; i < TEXT_KIND_END; i++) {
        call_remove_texts(c, (enum text_kind)i);
    }
    put_texts(c, side);
    for (unsigned db = 0; db < side->count; db++) {
        struct change flush = change_flush(db);
        if (keyspace_count(side->db[db]) + keyspace_count(c->engine->data->db[db]) > 0) {
            flush.keyspace = TAKE(side->db[db]);
            call_make(c, flush);
        }
    }
}

/* Returns whether a key or a library is in both. */
static bool overlaps(const struct dataset *data, const struct dataset *side)
{
    struct table_walk libraries = {0};
    const struct text *text;
    const struct value *v;

    while ((text = texts_next(side->texts[TEXT_LIBRARY], &libraries)) != NULL) {
        if (texts_find(data->texts[TEXT_LIBRARY], text_name(text)) != NULL) {
            return true;
        }
    }
    for (unsigned db = 0; db < side->count; db++) {
        struct table_walk walk = {0};
        while ((v = keyspace_next(side->db[db], &walk)) != NULL) {
            if (keyspace_find_any(data->db[db], value_key(v)) != NULL) {
                return true;
            }
        }
    }
    return false;
}

static void merge(struct call *c, const struct dataset *side)
{
    const struct value *v;

    put_texts(c, side);
    for (unsigned db = 0; db < side->count; db++) {
        struct table_walk walk = {0};
        while ((v = keyspace_next(side->db[db], &walk)) != NULL) {
            call_make(c, change_bind(db, value_copy(v, value_key(v), value_expires_ms(v))));
        }
    }
}

struct reload {
    bool nosave, noflush, merge;
};

static void read_back(struct call *c, const char *path, const struct reload *how)
{
    struct dataset *side = side_new(c->engine->data);
    struct rdb_loaded loaded;
    BUF_LOCAL(error);

    if (!persist_load(c->engine->server, path, side, &loaded, &error)) {
        call_fail(c, "ERR Error trying to load the RDB dump: %.*s", (int)error.len, error.at);
    } else if (!how->noflush) {
        put_in_place(c, side);
        reply_ok(c);
    } else if (!how->merge && overlaps(c->engine->data, side)) {
        call_fail(c, "ERR Error trying to load the RDB dump: a key or a library is there already");
    } else {
        merge(c, side);
        reply_ok(c);
    }
    dataset_free(side);
}

static bool read_reload(struct call *c, struct reload *how)
{
    for (size_t i = 2; i < c->argc; i++) {
        if (call_is(c, i, "nosave")) {
            how->nosave = true;
        } else if (call_is(c, i, "noflush")) {
            how->noflush = true;
        } else if (call_is(c, i, "merge")) {
            how->merge = true;
        } else {
            call_fail(c, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return false;
        }
    }
    return true;
}

void debug_reload(struct call *c)
{
    struct server *s = c->engine->server;
    struct reload how = {0};
    char path[PATH_MAX];

    if (!read_reload(c, &how)) {
        return;
    }
    persist_stop(s);
    if (!how.nosave && persist_save(s) != 0) {
        call_fail(c, "ERR The data cannot be saved. Check logs.");
        return;
    }
    persist_path(s, path, sizeof path);
    read_back(c, path, &how);
}

/* There is no append-only file to load. What a test wants to see by this is that the
 * data survive being written and read, so that is done, to a file of its own. */
void debug_loadaof(struct call *c)
{
    static const struct reload how = {0};
    char path[PATH_MAX];
    size_t len;

    persist_path(c->engine->server, path, sizeof path);
    len = strlen(path);
    snprintf(path + len, sizeof path - len, ".reload");
    if (persist_save_to(c->engine->server, path) != 0) {
        call_fail(c, "ERR The data cannot be saved. Check logs.");
        return;
    }
    read_back(c, path, &how);
    unlink(path);
}
