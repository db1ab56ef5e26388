#include "engine/slowlog.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/secret.h"

#include <inttypes.h>

enum {
    ARGUMENTS_MAX = 32,     /* Of which the last tells how many more there were. */
    ARGUMENT_LEN_MAX = 128, /* Bytes. */
};

static void add_argument(const struct call *c, size_t i, struct buf *out)
{
    struct bytes argument = c->argv[i];

    if (secret_is_at(c->command, c->argc, c->argv, i)) {
        buf_addf(out, SECRET_SHOWN);
    } else if (argument.len <= ARGUMENT_LEN_MAX) {
        buf_add(out, argument);
    } else {
        buf_add(out, (struct bytes){argument.at, ARGUMENT_LEN_MAX});
        buf_addf(out, "... (%zu more bytes)", argument.len - ARGUMENT_LEN_MAX);
    }
}

static void add_arguments(const struct call *c, struct slowlog_entry *entry)
{
    size_t shown = c->argc > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : c->argc;

    for (size_t i = 0; i < shown; i++) {
        add_argument(c, i, &entry->argv[entry->argc++]);
    }
    if (shown < c->argc) {
        buf_addf(&entry->argv[entry->argc++], "... (%zu more arguments)", c->argc - shown);
    }
}

static bool is_script(const struct call *c, const struct slow *slow)
{
    return slow->inner_calls > 0 && !(c->command->flags & COMMAND_EXECUTES);
}

static struct slowlog_entry *entry_new(const struct call *c, const struct slow *slow)
{
    const struct session *s = c->engine->client != NULL ? c->engine->client : c->session;
    struct slowlog_entry *entry = mem_zalloc(sizeof *entry);

    entry->time_s = clock_wall_us() / 1000000;
    entry->us = slow->us;
    buf_add(&entry->address, bytes_of(s->address));
    buf_add(&entry->name, buf_bytes(&s->name));
    entry->argv = mem_zalloc((ARGUMENTS_MAX + 1) * sizeof *entry->argv);
    add_arguments(c, entry);
    if (is_script(c, slow)) {
        buf_addf(&entry->argv[entry->argc++], "(%" PRIu64 " calls, %zu bytes of undo)",
                 slow->inner_calls, slow->undo_bytes);
    }
    return entry;
}

static void entry_free(struct slowlog_entry *entry)
{
    for (size_t i = 0; i < entry->argc; i++) {
        buf_clear(&entry->argv[i]);
    }
    mem_free(entry->argv);
    buf_clear(&entry->address);
    buf_clear(&entry->name);
    mem_free(entry);
}

static void enter(struct slowlog *log, struct slowlog_entry *entry)
{
    entry->id = log->next_id++;
    entry->older = log->newest;
    if (log->newest != NULL) {
        log->newest->newer = entry;
    } else {
        log->oldest = entry;
    }
    log->newest = entry;
    log->len++;
}

void slowlog_note(const struct call *c, const struct slow *slow)
{
    struct slowlog *log = &c->engine->slowlog;

    if (c->command->flags & COMMAND_SKIP_SLOWLOG) {
        return;
    }
    enter(log, entry_new(c, slow));
    slowlog_trim(log, c->engine->settings.slowlog_len);
}

void slowlog_trim(struct slowlog *log, size_t most)
{
    while (log->len > most) {
        struct slowlog_entry *entry = log->oldest;

        log->oldest = entry->newer;
        if (log->oldest != NULL) {
            log->oldest->older = NULL;
        } else {
            log->newest = NULL;
        }
        entry_free(entry);
        log->len--;
    }
}
