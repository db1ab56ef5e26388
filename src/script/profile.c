#include "script/profile.h"

#include "base/mem.h"
#include "script/error.h"
#include "script/run.h"

#include <stdlib.h>

enum {
    LINES_MAX = 4096, /* Of so many lines samples are kept apart. */
    TEXT_MAX = 100,   /* So much of a line is shown. */
};

/* A line of a script or function. Behind it lie its key, which begins with the name, and
 * what stands in the line. */
struct line {
    uint64_t samples;
    uint64_t in_commands; /* Of these. */
    int number;           /* 0: none is known. */
    size_t name_len, key_len, text_len;
    char key[];
};

struct profile {
    struct table *lines;
    uint64_t samples;
    uint64_t other, other_in_commands; /* Of lines that there was no more room for. */
};

static struct bytes line_key(const void *item)
{
    const struct line *l = item;

    return (struct bytes){l->key, l->key_len};
}

static struct bytes line_name(const struct line *l)
{
    return (struct bytes){l->key, l->name_len};
}

static struct bytes line_text(const struct line *l)
{
    return (struct bytes){l->key + l->key_len, l->text_len};
}

static const struct table_type line_type = {.key = line_key};

struct profile *profile_new(void)
{
    struct profile *p = mem_zalloc(sizeof *p);

    p->lines = table_new(&line_type);
    return p;
}

void profile_free(struct profile *p)
{
    if (p != NULL) {
        table_free(p->lines, mem_free);
        mem_free(p);
    }
}

/* Sampling. */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Returns what stands in a line of a text, without the blanks around it. */
static struct bytes find_text(struct bytes text, int number)
{
    const char *end;

    for (int i = 1; i < number; i++) {
        end = text.len > 0 ? memchr(text.at, '\n', text.len) : NULL;
        if (end == NULL) {
            return BYTES("");
        }
        text = (struct bytes){end + 1, text.len - (size_t)(end + 1 - text.at)};
    }
    end = text.len > 0 ? memchr(text.at, '\n', text.len) : NULL;
    text.len = end != NULL ? (size_t)(end - text.at) : text.len;
    while (text.len > 0 && is_blank(text.at[0])) {
        text = (struct bytes){text.at + 1, text.len - 1};
    }
    while (text.len > 0 && is_blank(text.at[text.len - 1])) {
        text.len--;
    }
    text.len = text.len < TEXT_MAX ? text.len : TEXT_MAX;
    return number > 0 ? text : BYTES("");
}

static struct line *add_line(struct profile *p, struct bytes key, const struct use *u, int number)
{
    struct bytes text = find_text(u->source, number);
    struct line *l = mem_zalloc(sizeof *l + key.len + text.len);

    l->number = number;
    l->name_len = strlen(u->name);
    l->key_len = key.len;
    l->text_len = text.len;
    memcpy(l->key, key.at, key.len);
    memcpy(l->key + key.len, text.at, text.len);
    table_put(p->lines, l);
    return l;
}

/* Returns the line of what runs, or NULL if there are too many. */
static struct line *find_line(struct profile *p, const struct use *u, int number)
{
    struct line *l;
    BUF_LOCAL(key);

    buf_addf(&key, "%s %s %d", u->name, u->is_function ? "function" : "script", number);
    l = table_find(p->lines, buf_bytes(&key));
    if (l == NULL && table_count(p->lines) < LINES_MAX) {
        l = add_line(p, buf_bytes(&key), u, number);
    }
    return l;
}

static void count(struct profile *p, const struct use *u, int number, unsigned samples,
                  unsigned in_commands)
{
    struct line *l = find_line(p, u, number);

    p->samples += samples;
    *(l != NULL ? &l->samples : &p->other) += samples;
    *(l != NULL ? &l->in_commands : &p->other_in_commands) += in_commands;
}

/* The signal handler may add to the counts at any moment. */
void profile_count(struct runtime *r, lua_State *lua)
{
    unsigned samples = __atomic_exchange_n(&r->samples, 0, __ATOMIC_RELAXED);
    unsigned in_commands = __atomic_exchange_n(&r->samples_in_call, 0, __ATOMIC_RELAXED);
    lua_Debug place;
    int line;

    if (samples == 0 || r->use->source.len == 0) {
        return;
    }
    line = lua != NULL && error_find_place(lua, 0, &place) ? place.currentline : r->use->line;
    r->in_call = 1;
    count(r->profile, r->use, line, samples, in_commands);
    r->in_call = 0;
}

/* SCRIPT PROFILE */

static void reset(struct profile *p)
{
    table_free(p->lines, mem_free);
    *p = (struct profile){.lines = table_new(&line_type)};
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;

    if (x->samples != y->samples) {
        return x->samples < y->samples ? 1 : -1;
    }
    return bytes_compare(line_key(x), line_key(y));
}

static void reply_row(struct call *c, struct bytes name, int64_t number, struct bytes text,
                      uint64_t samples, uint64_t in_commands, uint64_t all)
{
    reply_map(c, 6);
    reply_string(c, "name");
    reply_bytes(c, name);
    reply_string(c, "line");
    reply_int(c, number);
    reply_string(c, "text");
    reply_bytes(c, text);
    reply_string(c, "samples");
    reply_int(c, (int64_t)samples);
    reply_string(c, "in_commands");
    reply_int(c, (int64_t)in_commands);
    reply_string(c, "percent");
    reply_double(c, (double)(samples * 1000 / all) / 10);
}

/* Takes the lines of a script or function, or all of them, and returns how many. */
static size_t select_lines(const struct profile *p, const struct bytes *name, struct line **lines,
                           uint64_t *samples)
{
    struct table_walk walk = {0};
    struct line *l;
    size_t count = 0;

    *samples = 0;
    while ((l = table_next(p->lines, &walk)) != NULL) {
        if (name == NULL || bytes_equal_nocase(line_name(l), *name)) {
            lines[count++] = l;
            *samples += l->samples;
        }
    }
    return count;
}

static void reply_lines(struct call *c, const struct profile *p, const struct bytes *name)
{
    struct line **lines = mem_alloc((table_count(p->lines) + 1) * sizeof(struct line *));
    uint64_t samples;
    size_t count = select_lines(p, name, lines, &samples);
    bool has_other = name == NULL && p->other > 0;

    samples += has_other ? p->other : 0;
    qsort(lines, count, sizeof(struct line *), compare_lines);
    reply_array(c, count + has_other);
    for (size_t i = 0; i < count; i++) {
        const struct line *l = lines[i];

        reply_row(c, line_name(l), l->number, line_text(l), l->samples, l->in_commands, samples);
    }
    if (has_other) {
        reply_row(c, BYTES("(others)"), 0, BYTES(""), p->other, p->other_in_commands, samples);
    }
    mem_free(lines);
}

void profile_command(struct call *c)
{
    struct runtime *r = c->engine->script;
    bool is_on = c->argc == 3 && call_is(c, 2, "on");

    if (call_is(c, 2, "get") && c->argc <= 4) {
        reply_lines(c, r->profile, c->argc == 4 ? &c->argv[3] : NULL);
    } else if (is_on || (c->argc == 3 && call_is(c, 2, "off"))) {
        runtime_profile(r, is_on);
        reply_ok(c);
    } else if (c->argc == 3 && call_is(c, 2, "reset")) {
        reset(r->profile);
        reply_ok(c);
    } else {
        call_fail_syntax(c);
    }
}
