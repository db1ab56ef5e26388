#include "engine/measure.h"

#include "base/mem.h"
#include "engine/call.h"
#include "engine/latency.h"
#include "engine/slowlog.h"

void measures_init(struct engine *e)
{
    clock_calibrate();
    e->measures.commands = mem_zalloc(registry_numbers(e->commands) * sizeof *e->measures.commands);
    measure_apply(e);
}

void measures_free(struct engine *e)
{
    measures_reset(e);
    mem_free(e->measures.commands);
}

void measures_reset(struct engine *e)
{
    struct measures *m = &e->measures;

    for (size_t i = 0; i < registry_numbers(e->commands); i++) {
        mem_free(m->commands[i].times);
        m->commands[i] = (struct command_stats){0};
    }
    m->error_kinds = 0;
}

static uint64_t least_ns(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void measure_apply(struct engine *e)
{
    const struct engine_settings *s = &e->settings;
    uint64_t slow_ns = UINT64_MAX;

    if (s->slowlog_us >= 0 && s->slowlog_len > 0) {
        slow_ns = (uint64_t)s->slowlog_us * 1000;
    }
    if (s->latency_ms > 0) {
        slow_ns = least_ns(slow_ns, (uint64_t)s->latency_ms * 1000000);
    }
    e->measures.slow_ns = slow_ns;
    slowlog_trim(&e->slowlog, s->slowlog_len);
}

/* Returns for how many commands the next one counts; 0: it is not timed. */
static uint64_t draw(struct engine *e)
{
    enum { GAP = 16 };
    struct measures *m = &e->measures;

    if (m->passed_by > 0) {
        m->passed_by--;
        return 0;
    }
    m->passed_by = random_below(&e->random, GAP);
    return m->passed_by + 1;
}

/* If even a millisecond is of interest, all are timed. */
static bool is_sampled(const struct measures *m, const struct command *cmd)
{
    enum { SLOW_NS = 1000 * 1000 };

    return m->in_row && (cmd->flags & COMMAND_FAST) && m->slow_ns >= SLOW_NS;
}

struct timing measure_begin(struct engine *e, const struct command *cmd)
{
    struct measures *m = &e->measures;
    struct timing t = {.weight = 1, .inner = m->inner, .in_row = m->in_row};

    if (is_sampled(m, cmd)) {
        t.weight = draw(e);
    }
    if (t.weight > 0) {
        t.start = m->ready != 0 ? m->ready : clock_ticks();
    }
    m->ready = 0;      /* What this command calls does not begin before it does, */
    m->in_row = false; /* and is in no row. */
    return t;
}

/* Of a script that makes few calls most are timed, and a quick one if it comes first. */
struct timing measure_begin_inner(struct engine *e, const struct command *cmd)
{
    enum { QUICK = 1, ANY = 16 };
    struct measures *m = &e->measures;
    struct timing t = {.weight = 1, .inner = ++m->inner};

    if (t.inner > (cmd->flags & COMMAND_FAST ? QUICK : ANY)) {
        t.weight = draw(e);
    }
    if (t.weight > 0) {
        t.start = clock_ticks();
    }
    return t;
}

__attribute__((cold, noinline)) static void note_slow(const struct call *c, const struct timing *t,
                                                      uint64_t ns, size_t undo_bytes)
{
    const struct engine_settings *s = &c->engine->settings;
    struct slow slow = {
        .us = ns / 1000,
        .inner_calls = c->engine->measures.inner - t->inner,
        .undo_bytes = undo_bytes,
    };

    if (s->slowlog_us >= 0 && slow.us >= (uint64_t)s->slowlog_us) {
        slowlog_note(c, &slow);
    }
    latency_note(c->engine,
                 c->command->flags & COMMAND_FAST ? LATENCY_FAST_COMMAND : LATENCY_COMMAND,
                 ns / 1000000);
}

static void count_time(struct engine *e, struct command_stats *stats, uint64_t ns, uint64_t weight)
{
    stats->ns += ns * weight;
    if (!e->settings.latency_tracking) {
        return;
    }
    if (__builtin_expect(stats->times == NULL, 0)) {
        stats->times = mem_zalloc(sizeof *stats->times);
    }
    histogram_add(stats->times, ns, weight);
}

void measure_end(const struct call *c, const struct timing *t, size_t undo_bytes)
{
    struct measures *m = &c->engine->measures;
    struct command_stats *stats = &m->commands[c->command->number];
    uint64_t end, ns;

    if (block_goes_on(c->session)) { /* It is run again. */
        return;
    }
    m->in_row = t->in_row;
    stats->calls++;
    stats->failed += c->failed || c->returned_error;
    if (t->start == 0) {
        return;
    }
    end = clock_ticks();
    ns = clock_ticks_to_ns(end - t->start);
    count_time(c->engine, stats, ns, t->weight);
    if (__builtin_expect(ns >= m->slow_ns, 0)) {
        note_slow(c, t, ns, undo_bytes);
    }
    if (t->in_row) {
        m->ready = end;
    }
}

void measure_row(struct engine *e)
{
    e->measures.in_row = true;
    e->measures.ready = 0;
}

void measure_rest(struct engine *e)
{
    e->measures.in_row = false;
    e->measures.ready = 0;
}

uint64_t measure_now(const struct engine *e)
{
    return e->measures.ready != 0 ? e->measures.ready : clock_ticks();
}

/* Returns the word that an error begins with; what begins with none is an ERR. */
static struct bytes code_of(struct bytes text)
{
    size_t most = sizeof((struct error_stats *)NULL)->code - 1;
    const char *space = memchr(text.at, ' ', text.len < most ? text.len : most);

    return space != NULL && space > text.at ? (struct bytes){text.at, (size_t)(space - text.at)}
                                            : BYTES("ERR");
}

void measure_error(struct engine *e, struct bytes text)
{
    struct measures *m = &e->measures;
    struct bytes code = text.len > 0 ? code_of(text) : BYTES("ERR");
    struct error_stats *fresh;

    e->stats.error_replies++;
    for (size_t i = 0; i < m->error_kinds; i++) {
        if (bytes_equal(code, bytes_of(m->errors[i].code))) {
            m->errors[i].count++;
            return;
        }
    }
    if (m->error_kinds < ERROR_KINDS_MAX) {
        fresh = &m->errors[m->error_kinds++];
        bytes_to_string(code, fresh->code, sizeof fresh->code);
        fresh->count = 1;
    }
}

void measure_unblocked(const struct session *s, struct bytes error)
{
    struct command_stats *stats = &s->engine->measures.commands[s->last_command->number];

    measure_error(s->engine, error);
    stats->calls++;
    stats->failed++;
}
