/* The sections of INFO about single commands and errors. */
#include "engine/engine.h"
#include "server/info.h"
#include "server/server.h"

#include <inttypes.h>

/* Calls `add` for every row that was called, or meant to be. */
static void each_command(struct server *s, struct buf *out,
                         void (*add)(struct server *s, const struct command_stats *stats,
                                     struct bytes name, struct buf *out))
{
    const struct registry *commands = s->engine->commands;
    BUF_LOCAL(name);

    for (const struct command *cmd = registry_next(commands, NULL); cmd != NULL;
         cmd = registry_next(commands, cmd)) {
        const struct command_stats *stats = &s->engine->measures.commands[cmd->number];
        if (stats->calls > 0 || stats->rejected > 0) {
            name.len = 0;
            command_add_name(cmd, &name);
            add(s, stats, buf_bytes(&name), out);
        }
    }
}

static void add_command(struct server *s, const struct command_stats *stats, struct bytes name,
                        struct buf *out)
{
    uint64_t us = stats->ns / 1000;

    (void)s;
    buf_addf(out, "cmdstat_%.*s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,",
             (int)name.len, name.at, stats->calls, us,
             stats->calls == 0 ? 0 : (double)stats->ns / 1000 / (double)stats->calls);
    buf_addf(out, "rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n", stats->rejected,
             stats->failed);
}

void info_add_commandstats(struct server *s, struct buf *out)
{
    each_command(s, out, add_command);
}

static void add_latency(struct server *s, const struct command_stats *stats, struct bytes name,
                        struct buf *out)
{
    struct bytes rest = buf_bytes(&s->settings.percentiles);
    bool first = true;
    double percent;

    if (stats->times == NULL) {
        return;
    }
    buf_addf(out, "latency_percentiles_usec_%.*s:", (int)name.len, name.at);
    while (rest.len > 0) {
        const char *space = memchr(rest.at, ' ', rest.len);
        struct bytes word = {rest.at, space != NULL ? (size_t)(space - rest.at) : rest.len};
        number_parse_double(word, &percent);
        buf_addf(out, "%sp%.*s=%.3f", first ? "" : ",", (int)word.len, word.at,
                 (double)histogram_percentile(stats->times, percent) / 1000);
        rest.at += word.len + (space != NULL);
        rest.len -= word.len + (space != NULL);
        first = false;
    }
    buf_addf(out, "\r\n");
}

void info_add_latencystats(struct server *s, struct buf *out)
{
    each_command(s, out, add_latency);
}

/* An error's first word is a client's to choose, by a script: what would break the line
 * is written as an underscore. */
static void add_safe(struct buf *out, const char *code)
{
    for (; *code != '\0'; code++) {
        buf_add_byte(out, strchr("#:\r\n", *code) != NULL ? '_' : *code);
    }
}

void info_add_errorstats(struct server *s, struct buf *out)
{
    const struct measures *m = &s->engine->measures;

    for (size_t i = 0; i < m->error_kinds; i++) {
        buf_addf(out, "errorstat_");
        add_safe(out, m->errors[i].code);
        buf_addf(out, ":count=%" PRIu64 "\r\n", m->errors[i].count);
    }
}
