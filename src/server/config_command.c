/* CONFIG. */
#include "base/glob.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/call.h"
#include "server/commands.h"
#include "server/config_file.h"
#include "server/server.h"
#include "store/reclaim.h"

#include <stdio.h>

/* CONFIG GET. Every option has two names that it may be asked by. */

static bool is_pattern(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (strchr("[*?", name.at[i]) != NULL && name.at[i] != '\0') {
            return true;
        }
    }
    return false;
}

static bool matches(struct bytes asked, const struct option *o, const char *name)
{
    if (name == NULL) {
        return false;
    }
    if (!is_pattern(asked)) {
        return bytes_is(asked, name);
    }
    return !(o->flags & OPTION_HIDDEN) && glob_match_nocase(asked, bytes_of(name));
}

static void reply_option(struct call *c, struct bytes name, const struct option *o)
{
    struct server *s = c->engine->server;
    BUF_LOCAL(value);

    settings_get(&s->settings, o, &value);
    reply_bytes(c, name);
    reply_bytes(c, buf_bytes(&value));
}

/* Replies with what matches `asked` and was not replied before. Returns how many. */
static size_t reply_matches(struct call *c, struct bytes asked, bool *replied)
{
    size_t count = 0;

    for (size_t i = 0; i < 2 * options_count; i++) {
        const struct option *o = &options[i / 2];
        const char *name = i % 2 == 0 ? o->name : o->alias;
        if (!replied[i] && matches(asked, o, name)) {
            reply_option(c, is_pattern(asked) ? bytes_of(name) : asked, o);
            replied[i] = true;
            count++;
        }
    }
    return count;
}

static void get(struct call *c)
{
    bool *replied = mem_zalloc(2 * options_count * sizeof *replied);
    size_t place = reply_late(c);
    size_t count = 0;

    for (size_t i = 2; i < c->argc; i++) {
        count += reply_matches(c, c->argv[i], replied);
    }
    reply_late_end(c, place, RESP_MAP, count);
    mem_free(replied);
}

/* CONFIG SET. */

static void fail_set(struct call *c, struct bytes name, struct bytes problem)
{
    call_fail(c, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
              (int)name.len, name.at, (int)problem.len, problem.at);
}

/* Finds the options of all pairs. Returns false, having failed the call, if one may
 * not be set. */
static bool find_options(struct call *c, const struct option **found)
{
    for (size_t i = 2; i < c->argc; i += 2) {
        const struct option *o = options_find(c->argv[i]);

        if (o == NULL) {
            call_fail(c, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                      c->argv[i].len < 128 ? (int)c->argv[i].len : 128, c->argv[i].at);
            return false;
        }
        if (o->flags & OPTION_FIXED) {
            fail_set(c, c->argv[i], BYTES("can't set immutable config"));
            return false;
        }
        for (size_t k = 2; k < i; k += 2) {
            if (found[k / 2 - 1] == o) {
                fail_set(c, c->argv[i], BYTES("duplicate parameter"));
                return false;
            }
        }
        found[i / 2 - 1] = o;
    }
    return true;
}

/* Sets all pairs, keeping the values before. Returns how many could be set; if not
 * all, has failed the call. */
static size_t set_options(struct call *c, const struct option **found, struct buf *before)
{
    struct server *s = c->engine->server;
    size_t count = c->argc / 2 - 1;
    BUF_LOCAL(error);

    for (size_t i = 0; i < count; i++) {
        settings_get(&s->settings, found[i], &before[i]);
        if (!settings_set(&s->settings, found[i], c->argv[2 * i + 3], &error)) {
            fail_set(c, c->argv[2 * i + 2], buf_bytes(&error));
            return i;
        }
    }
    return count;
}

static void restore_options(struct call *c, const struct option **found, struct buf *before,
                            size_t count)
{
    struct server *s = c->engine->server;
    BUF_LOCAL(error);

    for (size_t i = 0; i < count; i++) {
        settings_set(&s->settings, found[i], buf_bytes(&before[i]), &error);
    }
}

/* Sets all pairs or none. */
static void set_all(struct call *c, const struct option **found, struct buf *before)
{
    size_t done = set_options(c, found, before);
    const char *option;
    const char *problem;

    if (!c->failed) {
        problem = server_apply(c->engine->server, &option);
        if (problem == NULL) {
            reply_ok(c);
            return;
        }
        fail_set(c, bytes_of(option), bytes_of(problem));
    }
    restore_options(c, found, before, done);
}

static void set(struct call *c)
{
    size_t count = c->argc / 2 - 1;
    const struct option **found;
    struct buf *before;

    if (c->argc % 2 != 0) {
        call_fail_syntax(c);
        return;
    }
    found = mem_zalloc(count * sizeof *found);
    before = mem_zalloc(count * sizeof *before);
    if (find_options(c, found)) {
        set_all(c, found, before);
    }
    for (size_t i = 0; i < count; i++) {
        buf_clear(&before[i]);
    }
    mem_free(before);
    mem_free(found);
}

static void resetstat(struct call *c)
{
    struct server *s = c->engine->server;
    struct engine_stats *stats = &c->engine->stats;

    *stats = (struct engine_stats){.started_ms = stats->started_ms};
    reclaim_reset();
    s->rates = (struct rates){0};
    measures_reset(c->engine);
    script_reset_outcomes(c->engine);
    reply_ok(c);
}

static void rewrite(struct call *c)
{
    struct server *s = c->engine->server;
    char path[4096];
    int err;

    if (s->config_file.len == 0) {
        call_fail(c, "ERR The server is running without a config file");
        return;
    }
    bytes_to_string(buf_bytes(&s->config_file), path, sizeof path);
    err = config_rewrite_file(&s->settings, path, false);
    if (err != 0) {
        log_write(LOG_WARNING, "CONFIG REWRITE failed: %s", strerror(-err));
        call_fail(c, "ERR Rewriting config file: %s", strerror(-err));
        return;
    }
    reply_ok(c);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    ADMIN    = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
};

const struct command config_subcommands[] = {
    {.name = "get",       .arity = -3, .flags = ADMIN,    .run = get,        .group = "server", .since = "2.0.0", .complexity = "O(N) in the number of options", .summary = "Returns options and their values",                    .syntax = "pattern [pattern ...]"},
    {.name = "help",      .arity = 2,  .flags = ANY_TIME, .run = reply_help, .group = "server", .since = "5.0.0", .complexity = "O(1)",                          .summary = "Lists the subcommands",                               .syntax = ""},
    {.name = "resetstat", .arity = 2,  .flags = ADMIN,    .run = resetstat,  .group = "server", .since = "2.0.0", .complexity = "O(1)",                          .summary = "Sets the counters of INFO back to zero",              .syntax = ""},
    {.name = "rewrite",   .arity = 2,  .flags = ADMIN,    .run = rewrite,    .group = "server", .since = "2.8.0", .complexity = "O(N) in the number of options", .summary = "Writes the options as they are to the configuration file", .syntax = ""},
    {.name = "set",       .arity = -4, .flags = ADMIN,    .run = set,        .group = "server", .since = "2.0.0", .complexity = "O(N) in the number of options", .summary = "Sets options, all of them or none",                   .syntax = "option value [option value ...]"},
    {0},
};
/* clang-format on */
