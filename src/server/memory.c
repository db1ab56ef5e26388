/* MEMORY, and the figures that it shares with INFO. */
#include "server/memory.h"

#include "engine/call.h"

#include <stdio.h>
#include <unistd.h>

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%*u %zu", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t sum_clients(const struct engine *e)
{
    size_t bytes = 0;

    for (const struct session *s = e->sessions; s != NULL; s = s->next) {
        bytes += session_memory(s);
    }
    return bytes;
}

static size_t sum_tables(const struct dataset *data, size_t *keys)
{
    size_t bytes = 0;

    *keys = 0;
    for (unsigned i = 0; i < data->count; i++) {
        if (keyspace_count(data->db[i]) > 0) {
            bytes += keyspace_memory(data->db[i]);
            *keys += keyspace_count(data->db[i]);
        }
    }
    return bytes;
}

/* Where the allocator does not tell, we take it for one that wastes nothing. */
static void read_allocator(struct memory_report *r)
{
    mem_details(&r->allocator);
    if (r->allocator.resident == 0) {
        r->allocator = (struct mem_details){r->used, r->resident, r->resident};
    }
}

void memory_report(struct server *s, struct memory_report *r)
{
    struct script_info script = script_info(s->engine);

    *r = (struct memory_report){
        .used = mem_used(),
        .peak = mem_peak(),
        .startup = s->startup_memory,
        .clients = sum_clients(s->engine),
        .scripts = script.text_size + script.functions_size,
        .lua = script.heap_used,
        .resident = resident_bytes(),
    };
    r->tables = sum_tables(s->engine->data, &r->keys);
    r->overhead = r->startup + r->tables + r->clients + r->scripts;
    r->dataset = r->used > r->overhead ? r->used - r->overhead : 0;
    read_allocator(r);
}

/* MEMORY STATS. */

static void reply_named(struct call *c, const char *name, size_t number)
{
    reply_string(c, name);
    reply_int(c, (int64_t)number);
}

/* A ratio and a difference of two amounts of memory. */
static size_t reply_excess(struct call *c, const char *ratio, const char *bytes, size_t a, size_t b)
{
    reply_string(c, ratio);
    reply_double(c, memory_ratio(a, b));
    reply_string(c, bytes);
    reply_int(c, (int64_t)a - (int64_t)b);
    return 2;
}

static size_t reply_databases(struct call *c)
{
    const struct dataset *data = c->engine->data;
    size_t count = 0;

    for (unsigned i = 0; i < data->count; i++) {
        char name[32];
        if (keyspace_count(data->db[i]) == 0) {
            continue;
        }
        snprintf(name, sizeof name, "db.%u", i);
        reply_string(c, name);
        reply_map(c, 3);
        reply_named(c, "overhead.hashtable.main", keyspace_memory(data->db[i]));
        reply_named(c, "overhead.hashtable.expires", 0);
        reply_named(c, "overhead.hashtable.slot-to-keys", 0);
        count++;
    }
    return count;
}

static size_t reply_amounts(struct call *c, const struct memory_report *r)
{
    const struct {
        const char *name;
        size_t bytes;
    } amounts[] = {
        {"peak.allocated", r->peak},
        {"total.allocated", r->used},
        {"startup.allocated", r->startup},
        {"replication.backlog", 0},
        {"clients.slaves", 0},
        {"clients.normal", r->clients},
        {"cluster.links", 0},
        {"aof.buffer", 0},
        {"lua.caches", r->scripts},
        {"functions.caches", 0},
    };

    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        reply_named(c, amounts[i].name, amounts[i].bytes);
    }
    return sizeof amounts / sizeof amounts[0];
}

static size_t reply_data(struct call *c, const struct memory_report *r)
{
    size_t since_start = r->used > r->startup ? r->used - r->startup : 0;

    reply_named(c, "overhead.total", r->overhead);
    reply_named(c, "keys.count", r->keys);
    reply_named(c, "keys.bytes-per-key", r->keys > 0 ? since_start / r->keys : 0);
    reply_named(c, "dataset.bytes", r->dataset);
    reply_string(c, "dataset.percentage");
    reply_double(c, 100 * memory_ratio(r->dataset, since_start));
    reply_string(c, "peak.percentage");
    reply_double(c, 100 * memory_ratio(r->used, r->peak));
    return 6;
}

static size_t reply_allocator(struct call *c, const struct memory_report *r)
{
    const struct mem_details *a = &r->allocator;
    size_t count = 3;

    reply_named(c, "allocator.allocated", a->allocated);
    reply_named(c, "allocator.active", a->active);
    reply_named(c, "allocator.resident", a->resident);
    count += reply_excess(c, "allocator-fragmentation.ratio", "allocator-fragmentation.bytes",
                          a->active, a->allocated);
    count += reply_excess(c, "allocator-rss.ratio", "allocator-rss.bytes", a->resident, a->active);
    count += reply_excess(c, "rss-overhead.ratio", "rss-overhead.bytes", r->resident, a->resident);
    return count + reply_excess(c, "fragmentation", "fragmentation.bytes", r->resident, r->used);
}

static void stats(struct call *c)
{
    struct memory_report report;
    size_t place = reply_late(c);
    size_t count;

    memory_report(c->engine->server, &report);
    count = reply_amounts(c, &report);
    count += reply_databases(c);
    count += reply_data(c, &report);
    count += reply_allocator(c, &report);
    reply_late_end(c, place, RESP_MAP, count);
}

/* MEMORY DOCTOR. */

enum { MIB = 1024 * 1024 };

static void add_findings(const struct memory_report *r, size_t limit, struct buf *out)
{
    const struct mem_details *a = &r->allocator;

    if (memory_ratio(r->peak, r->used) > 1.5) {
        buf_addf(out,
                 "- There were %zu MiB in use once, now %zu: the difference may still be "
                 "held, and is used again when data come.\n",
                 r->peak / MIB, r->used / MIB);
    }
    if (limit > 0 && memory_ratio(r->used, limit) > 0.9) {
        buf_addf(out,
                 "- %.0f %% of maxmemory are in use: soon writes are refused, or keys are "
                 "evicted.\n",
                 100 * memory_ratio(r->used, limit));
    }
    if (memory_ratio(a->active, a->allocated) > 1.1 && a->active - a->allocated > 10 * MIB) {
        buf_addf(out,
                 "- %zu MiB lie between pieces that are in use: values of very different "
                 "sizes come and go.\n",
                 (a->active - a->allocated) / MIB);
    }
    if (memory_ratio(a->resident, a->active) > 1.1 && a->resident - a->active > 10 * MIB) {
        buf_addf(out, "- %zu MiB are free and have not been given back: MEMORY PURGE does it.\n",
                 (a->resident - a->active) / MIB);
    }
    if (memory_ratio(r->clients, r->used) > 0.25) {
        buf_addf(out,
                 "- Buffers of clients take up %zu MiB: see CLIENT LIST, and "
                 "client-output-buffer-limit.\n",
                 r->clients / MIB);
    }
    if (r->scripts > 8 * MIB) {
        buf_addf(out,
                 "- The texts of scripts take up %zu MiB: give what varies as arguments, not "
                 "in the text.\n",
                 r->scripts / MIB);
    }
}

static void doctor(struct call *c)
{
    struct memory_report report;
    BUF_LOCAL(text);

    memory_report(c->engine->server, &report);
    if (report.used < 5 * MIB) {
        buf_addf(&text, "Less than 5 MiB are in use: there is nothing to find.\n");
    } else {
        add_findings(&report, c->engine->settings.maxmemory, &text);
    }
    if (text.len == 0) {
        buf_addf(&text, "Nothing is wrong with the use of memory.\n");
    }
    reply_verbatim(c, "txt", buf_bytes(&text));
}

/* The others. */

static void add_part(void *context, const char *text)
{
    buf_add(context, bytes_of(text));
}

static void malloc_stats(struct call *c)
{
    BUF_LOCAL(text);

    if (!mem_print(add_part, &text)) {
        buf_addf(&text, "Stats not supported for the current allocator");
    }
    reply_verbatim(c, "txt", buf_bytes(&text));
}

static void purge(struct call *c)
{
    mem_purge(); /* Without jemalloc there is nothing to give back. */
    reply_ok(c);
}

/* MEMORY USAGE. Unlike other commands it is no use of the key. */
static void usage(struct call *c)
{
    int64_t samples = 5;
    const struct value *v;

    if (c->argc != 3 && !(c->argc == 5 && call_is(c, 3, "samples"))) {
        call_fail_syntax(c);
        return;
    }
    if (c->argc == 5 && !call_int(c, 4, &samples)) {
        return;
    }
    if (samples < 0) {
        call_fail_syntax(c);
        return;
    }
    v = keyspace_find(c->keys, c->argv[2], c->now_ms);
    if (v == NULL) {
        reply_nil(c);
    } else {
        reply_int(c, (int64_t)value_memory(v, (size_t)samples));
    }
}

/* clang-format off */
enum { ANY_TIME = COMMAND_LOADING | COMMAND_STALE };

const struct command memory_subcommands[] = {
    {.name = "doctor",       .arity = 2,  .run = doctor,       .group = "server", .since = "4.0.0", .complexity = "O(N) with N connections", .summary = "Says in words what is odd about the use of memory", .syntax = ""},
    {.name = "help",         .arity = 2,  .flags = ANY_TIME, .run = reply_help, .group = "server", .since = "4.0.0", .complexity = "O(1)", .summary = "Lists the subcommands", .syntax = ""},
    {.name = "malloc-stats", .arity = 2,  .run = malloc_stats, .group = "server", .since = "4.0.0", .complexity = "Depends on how much memory there is", .summary = "Returns what the allocator reports", .syntax = ""},
    {.name = "purge",        .arity = 2,  .run = purge,        .group = "server", .since = "4.0.0", .complexity = "Depends on how much memory there is", .summary = "Gives memory that is free back to the system", .syntax = ""},
    {.name = "stats",        .arity = 2,  .run = stats,        .group = "server", .since = "4.0.0", .complexity = "O(N) with N connections", .summary = "Returns what memory is used for", .syntax = ""},
    {.name = "usage",        .arity = -3, .flags = COMMAND_READONLY, .keys = {KEY_AT(2, KEY_RO)}, .run = usage, .group = "server", .since = "4.0.0", .complexity = "O(N) in the number of samples", .summary = "Returns the bytes of memory that a key and its value take up", .syntax = "key [SAMPLES count]"},
    {0},
};
/* clang-format on */
