/* LATENCY. */
#include "engine/latency.h"

#include "base/clock.h"
#include "command/families.h"
#include "engine/call.h"

#include <inttypes.h>

/* What was noted of events. */

static const struct latency_series *series_of(const struct call *c, enum latency_event event)
{
    return &c->engine->latency.series[event];
}

static const struct latency_sample *newest(const struct latency_series *s)
{
    return latency_at(s, latency_count(s) - 1);
}

static void latency_latest(struct call *c)
{
    size_t place = reply_late(c);
    size_t count = 0;

    for (int event = 0; event < LATENCY_EVENTS; event++) {
        const struct latency_series *s = series_of(c, (enum latency_event)event);
        if (latency_count(s) == 0) {
            continue;
        }
        reply_array(c, 4);
        reply_string(c, latency_name((enum latency_event)event));
        reply_int(c, newest(s)->time_s);
        reply_int(c, (int64_t)newest(s)->ms);
        reply_int(c, (int64_t)s->longest_ms);
        count++;
    }
    reply_late_end(c, place, RESP_ARRAY, count);
}

static void latency_history(struct call *c)
{
    enum latency_event event = latency_find(c->argv[2]);
    const struct latency_series *s;

    if (event == LATENCY_EVENTS) {
        reply_array(c, 0);
        return;
    }
    s = series_of(c, event);
    reply_array(c, latency_count(s));
    for (size_t i = 0; i < latency_count(s); i++) {
        reply_array(c, 2);
        reply_int(c, latency_at(s, i)->time_s);
        reply_int(c, (int64_t)latency_at(s, i)->ms);
    }
}

static int64_t reset(struct call *c, enum latency_event event)
{
    struct latency_series *s = &c->engine->latency.series[event];
    bool had_any = s->taken > 0;

    *s = (struct latency_series){0};
    return had_any;
}

static void latency_reset(struct call *c)
{
    int64_t count = 0;

    for (int event = 0; event < LATENCY_EVENTS && c->argc == 2; event++) {
        count += reset(c, (enum latency_event)event);
    }
    for (size_t i = 2; i < c->argc; i++) {
        enum latency_event event = latency_find(c->argv[i]);
        count += event == LATENCY_EVENTS ? 0 : reset(c, event);
    }
    reply_int(c, count);
}

/* GRAPH: a column of up to GRAPH_ROWS signs for each sample. */

enum { GRAPH_ROWS = 6, GRAPH_COLUMNS = 78 };

static uint64_t longest_of(const struct latency_series *s, size_t first)
{
    uint64_t longest_ms = 0;

    for (size_t i = first; i < latency_count(s); i++) {
        uint64_t ms = latency_at(s, i)->ms;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms;
}

static uint64_t shortest_of(const struct latency_series *s, size_t first)
{
    uint64_t shortest_ms = UINT64_MAX;

    for (size_t i = first; i < latency_count(s); i++) {
        uint64_t ms = latency_at(s, i)->ms;
        shortest_ms = ms < shortest_ms ? ms : shortest_ms;
    }
    return shortest_ms;
}

static void draw(const struct latency_series *s, size_t first, struct buf *out)
{
    uint64_t top_ms = longest_of(s, first);

    for (uint64_t row = GRAPH_ROWS; row > 0; row--) {
        for (size_t i = first; i < latency_count(s); i++) {
            uint64_t filled = (latency_at(s, i)->ms * GRAPH_ROWS + top_ms - 1) / (top_ms + !top_ms);
            buf_add_byte(out, filled >= row ? '#' : ' ');
        }
        buf_add_byte(out, '\n');
    }
}

static void add_age(struct buf *out, int64_t age_s)
{
    if (age_s < 60) {
        buf_addf(out, "%" PRId64 " s", age_s);
    } else if (age_s < 3600) {
        buf_addf(out, "%" PRId64 " min", age_s / 60);
    } else if (age_s < 24 * 3600) {
        buf_addf(out, "%" PRId64 " h", age_s / 3600);
    } else {
        buf_addf(out, "%" PRId64 " d", age_s / (24 * 3600));
    }
}

static void add_graph(const struct latency_series *s, const char *name, struct buf *out)
{
    size_t count = latency_count(s);
    size_t first = count > GRAPH_COLUMNS ? count - GRAPH_COLUMNS : 0;
    int64_t now_s = clock_wall_us() / 1000000;

    buf_addf(out, "%s - high %" PRIu64 " ms, low %" PRIu64 " ms (all time high %" PRIu64 " ms)\n",
             name, longest_of(s, first), shortest_of(s, first), s->longest_ms);
    draw(s, first, out);
    buf_addf(out, "from ");
    add_age(out, now_s - latency_at(s, first)->time_s);
    buf_addf(out, " to ");
    add_age(out, now_s - newest(s)->time_s);
    buf_addf(out, " ago\n");
}

static void latency_graph(struct call *c)
{
    enum latency_event event = latency_find(c->argv[2]);
    BUF_LOCAL(text);

    if (event == LATENCY_EVENTS || latency_count(series_of(c, event)) == 0) {
        call_fail(c, "ERR No samples available for event '%.*s'",
                  c->argv[2].len < 128 ? (int)c->argv[2].len : 128, c->argv[2].at);
        return;
    }
    add_graph(series_of(c, event), latency_name(event), &text);
    reply_verbatim(c, "txt", buf_bytes(&text));
}

/* DOCTOR. */

static const struct {
    enum latency_event event;
    const char *text;
} advices[] = {
    {LATENCY_COMMAND, "SLOWLOG GET tells which commands took long, and of scripts how much they "
                      "did. Split work on many keys or big values into parts."},
    {LATENCY_COMMAND, "script-time-limit ends scripts that run for too long, and undoes them."},
    {LATENCY_FAST_COMMAND, "A command that does little took long: most likely the process did not "
                           "get the processor, or its memory has been swapped out."},
    {LATENCY_EXPIRE_CYCLE, "Many keys or big values have expired at once. Vary the times to live."},
    {LATENCY_EVICTION_CYCLE, "Memory is at its limit, and eviction removes big values: raise "
                             "maxmemory, or make values smaller."},
    {LATENCY_FORK, "Copying the tables of memory pages for a child takes long. Transparent huge "
                   "pages and little free memory make it worse."},
};

static void add_statistics(const struct latency_series *s, const char *name, struct buf *out)
{
    size_t count = latency_count(s);
    uint64_t sum_ms = 0, deviation_ms = 0, mean_ms;
    int64_t span_s = newest(s)->time_s - latency_at(s, 0)->time_s;

    for (size_t i = 0; i < count; i++) {
        sum_ms += latency_at(s, i)->ms;
    }
    mean_ms = sum_ms / count;
    for (size_t i = 0; i < count; i++) {
        uint64_t ms = latency_at(s, i)->ms;
        deviation_ms += ms > mean_ms ? ms - mean_ms : mean_ms - ms;
    }
    buf_addf(out,
             "%s: %zu spikes within %" PRId64 " s, %" PRIu64 " ms on average (mean deviation "
             "%" PRIu64 " ms), the longest ever %" PRIu64 " ms.\n",
             name, count, span_s, mean_ms, deviation_ms / count, s->longest_ms);
}

static size_t add_findings(const struct call *c, struct buf *out)
{
    size_t found = 0;

    for (int event = 0; event < LATENCY_EVENTS; event++) {
        const struct latency_series *s = series_of(c, (enum latency_event)event);
        if (latency_count(s) > 0) {
            add_statistics(s, latency_name((enum latency_event)event), out);
            found++;
        }
    }
    return found;
}

static void add_advice(const struct call *c, struct buf *out)
{
    buf_addf(out, "\n");
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (latency_count(series_of(c, advices[i].event)) > 0) {
            buf_addf(out, "- %s\n", advices[i].text);
        }
    }
}

static void latency_doctor(struct call *c)
{
    BUF_LOCAL(text);

    if (add_findings(c, &text) > 0) {
        add_advice(c, &text);
    } else if (c->engine->settings.latency_ms == 0) {
        buf_addf(&text, "Nothing is being observed: CONFIG SET latency-monitor-threshold to a "
                        "number of milliseconds, and ask again after a while.\n");
    } else {
        buf_addf(&text, "Nothing has taken %" PRId64 " ms or longer.\n",
                 c->engine->settings.latency_ms);
    }
    reply_verbatim(c, "txt", buf_bytes(&text));
}

/* HISTOGRAM. */

static const struct command_stats *stats_of(const struct call *c, const struct command *cmd)
{
    return &c->engine->measures.commands[cmd->number];
}

/* Replies with how many calls took at most so many microseconds, for the powers of two
 * of a kibinanosecond between which there were any. A bucket has the name that it has
 * in Redis, where it is up to a 128th longer. */
static void reply_buckets(struct call *c, const struct histogram *times)
{
    enum { SHORTEST = 10, NAMED_BITS = 7 };
    size_t place = reply_late(c);
    size_t count = 0;
    uint64_t before = 0;

    for (int exponent = SHORTEST; exponent <= HISTOGRAM_RANGE_BITS; exponent++) {
        uint64_t below = histogram_below(times, exponent);
        uint64_t end_ns = (UINT64_C(1) << exponent) + (UINT64_C(1) << (exponent - NAMED_BITS));
        if (below > before) {
            reply_int(c, (int64_t)((end_ns - 1) / 1000));
            reply_int(c, (int64_t)below);
            count++;
        }
        before = below;
    }
    reply_late_end(c, place, RESP_MAP, count);
}

static size_t reply_histogram(struct call *c, const struct command *cmd)
{
    const struct histogram *times = stats_of(c, cmd)->times;
    BUF_LOCAL(name);

    if (times == NULL) {
        return 0;
    }
    command_add_name(cmd, &name);
    reply_bytes(c, buf_bytes(&name));
    reply_map(c, 2);
    reply_string(c, "calls");
    reply_int(c, (int64_t)times->total);
    reply_string(c, "histogram_usec");
    reply_buckets(c, times);
    return 1;
}

/* Replies with a command, and with its subcommands if it has any. */
static size_t reply_histograms(struct call *c, const struct command *cmd)
{
    size_t count = reply_histogram(c, cmd);

    for (const struct command *sub = cmd->subcommands; sub != NULL && sub->name != NULL; sub++) {
        count += reply_histogram(c, sub);
    }
    return count;
}

static void latency_histogram(struct call *c)
{
    const struct registry *commands = c->engine->commands;
    size_t place = reply_late(c);
    size_t count = 0;

    for (size_t i = 0; c->argc == 2 && i < registry_count(commands); i++) {
        count += reply_histograms(c, registry_at(commands, i));
    }
    for (size_t i = 2; i < c->argc; i++) {
        const struct command *cmd = registry_find_full(commands, c->argv[i]);
        count += cmd != NULL ? reply_histograms(c, cmd) : 0;
    }
    reply_late_end(c, place, RESP_MAP, count);
}

/* clang-format off */
enum {
    ANY_TIME = COMMAND_LOADING | COMMAND_STALE,
    ADMIN    = ANY_TIME | COMMAND_ADMIN | COMMAND_NOSCRIPT,
};

static const struct command subcommands[] = {
    {.name = "doctor",    .arity = 2,  .flags = ADMIN,    .run = latency_doctor,    .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Says in words what was noted, and what may help", .syntax = ""},
    {.name = "graph",     .arity = 3,  .flags = ADMIN,    .run = latency_graph,     .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Draws what was noted of an event", .syntax = "event"},
    {.name = "help",      .arity = 2,  .flags = ANY_TIME, .run = reply_help,        .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Returns this text", .syntax = ""},
    {.name = "histogram", .arity = -2, .flags = ADMIN,    .run = latency_histogram, .group = "server", .since = "7.0.0",  .complexity = "O(N) with N commands", .summary = "Returns of commands, or of all, how many calls took at most how many microseconds", .syntax = "[command [command ...]]"},
    {.name = "history",   .arity = 3,  .flags = ADMIN,    .run = latency_history,   .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Returns what was noted of an event: times and milliseconds", .syntax = "event"},
    {.name = "latest",    .arity = 2,  .flags = ADMIN,    .run = latency_latest,    .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Returns what was noted last of each event: time, milliseconds, the most ever", .syntax = ""},
    {.name = "reset",     .arity = -2, .flags = ADMIN,    .run = latency_reset,     .group = "server", .since = "2.8.13", .complexity = "O(1)", .summary = "Forgets what was noted of events, or of all, and returns of how many", .syntax = "[event [event ...]]"},
    {0},
};

const struct command latency_commands[] = {
    {.name = "latency", .arity = -2, .subcommands = subcommands, .group = "server", .since = "2.8.13", .complexity = "Depends on the subcommand", .summary = "Tells what has held the server up", .syntax = ""},
    {0},
};
/* clang-format on */
