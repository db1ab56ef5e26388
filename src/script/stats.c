#include "script/stats.h"

#include "base/glob.h"
#include "base/mem.h"
#include "script/cache.h"
#include "script/library.h"

#include <stdlib.h>

/* One of them. */

static void reply_figure(struct call *c, const char *name, uint64_t number)
{
    reply_string(c, name);
    reply_int(c, (int64_t)number);
}

/* Those that there were. */
static void reply_reasons(struct call *c, const struct outcomes *o)
{
    size_t place = reply_late(c);
    size_t count = 0;

    for (size_t i = 0; i < ROLLBACK_REASONS; i++) {
        if (o->rollbacks[i] > 0) {
            reply_figure(c, rollback_reason_names[i], o->rollbacks[i]);
            count++;
        }
    }
    reply_late_end(c, place, RESP_MAP, count);
}

static void reply_tally(struct call *c, const struct tally *t)
{
    reply_map(c, 10);
    reply_figure(c, "calls", t->outcomes.calls);
    reply_figure(c, "returned_errors", t->outcomes.errors);
    reply_figure(c, "rollbacks", outcomes_rollbacks(&t->outcomes));
    reply_string(c, "rollback_reasons");
    reply_reasons(c, &t->outcomes);
    reply_figure(c, "total_us", tally_us(t));
    reply_figure(c, "max_us", tally_max_us(t));
    reply_figure(c, "commands", t->commands);
    reply_figure(c, "changes", t->changes);
    reply_figure(c, "changes_undone", t->undone);
    reply_figure(c, "max_memory", t->max_memory);
}

/* Many, those that took the most time first. */

struct row {
    struct bytes name;
    const struct tally *tally;
};

struct rows {
    struct row *row;
    size_t count;
};

static void rows_clear(struct rows *r)
{
    mem_free(r->row);
}

#define ROWS_LOCAL(name) __attribute__((cleanup(rows_clear))) struct rows name = {0}

/* What has not been called has cost nothing. */
static void rows_add(struct rows *r, struct bytes name, const struct tally *tally)
{
    if (tally->outcomes.calls == 0) {
        return;
    }
    if ((r->count & (r->count - 1)) == 0) { /* As many as there is room for. */
        r->row = mem_realloc(r->row, (r->count == 0 ? 1 : 2 * r->count) * sizeof *r->row);
    }
    r->row[r->count++] = (struct row){name, tally};
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->tally->ticks != y->tally->ticks) {
        return x->tally->ticks < y->tally->ticks ? 1 : -1;
    }
    return bytes_compare(x->name, y->name);
}

static void reply_rows(struct call *c, struct rows *r, size_t most)
{
    size_t count = r->count < most ? r->count : most;

    if (r->count > 0) {
        qsort(r->row, r->count, sizeof *r->row, compare_rows);
    }
    reply_map(c, count);
    for (size_t i = 0; i < count; i++) {
        reply_bytes(c, r->row[i].name);
        reply_tally(c, r->row[i].tally);
    }
}

/* Reads COUNT, if there is an argument `arg`. */
static bool read_count(struct call *c, size_t arg, size_t *count)
{
    *count = SIZE_MAX;
    if (c->argc == arg) {
        return true;
    }
    if (c->argc != arg + 2 || !call_is(c, arg, "count")) {
        call_fail_syntax(c);
        return false;
    }
    return call_size(c, arg + 1, 0, "value is out of range, must be positive", count);
}

/* Scripts. */

static void reset_scripts(struct call *c)
{
    struct table_walk walk = {0};
    struct script *s;

    while ((s = cache_next(c->engine->script->cache, &walk)) != NULL) {
        s->tally = (struct tally){0};
    }
    reply_ok(c);
}

/* Whether there is a script that has not been used since it was loaded from a file. */
static bool is_kept(const struct call *c, struct bytes sha)
{
    char lower[SHA1_HEX];

    return cache_lower(sha, lower) &&
           texts_find(c->engine->data->texts[TEXT_SCRIPT], (struct bytes){lower, SHA1_HEX}) != NULL;
}

static void reply_script(struct call *c)
{
    static const struct tally none;
    const struct script *s = cache_find(c->engine->script->cache, c->argv[2]);

    if (s == NULL && !is_kept(c, c->argv[2])) {
        call_fail(c, "NOSCRIPT No matching script.");
        return;
    }
    reply_tally(c, s != NULL ? &s->tally : &none);
}

void stats_of_scripts(struct call *c)
{
    ROWS_LOCAL(rows);
    struct table_walk walk = {0};
    const struct script *s;
    size_t most;

    if (c->argc == 3) {
        (call_is(c, 2, "reset") ? reset_scripts : reply_script)(c);
        return;
    }
    if (!read_count(c, 2, &most)) {
        return;
    }
    while ((s = cache_next(c->engine->script->cache, &walk)) != NULL) {
        rows_add(&rows, (struct bytes){s->sha, SHA1_HEX}, &s->tally);
    }
    reply_rows(c, &rows, most);
}

/* Functions. */

static void reset_functions(struct call *c)
{
    struct table_walk walk = {0};
    struct function *f;

    while ((f = libraries_next_function(c, &walk)) != NULL) {
        f->tally = (struct tally){0};
    }
    reply_ok(c);
}

void stats_of_functions(struct call *c)
{
    ROWS_LOCAL(rows);
    struct table_walk walk = {0};
    const struct function *f;
    size_t most;

    if (c->argc == 3 && call_is(c, 2, "reset")) {
        reset_functions(c);
        return;
    }
    if (!read_count(c, 3, &most)) {
        return;
    }
    while ((f = libraries_next_function(c, &walk)) != NULL) {
        if (glob_match_nocase(c->argv[2], function_name(f))) {
            rows_add(&rows, function_name(f), &f->tally);
        }
    }
    reply_rows(c, &rows, most);
}
