#include "server/info.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/call.h"
#include "engine/version.h"
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Rates. */

void rates_sample(struct rates *r, const struct engine_stats *stats)
{
    r->sample[r->taken++ % RATE_SAMPLES] = (struct rate_sample){
        clock_monotonic_us(),
        stats->commands,
        stats->net_input_bytes,
        stats->net_output_bytes,
    };
}

/* Returns what was added to the counters between the oldest and the newest sample,
 * and in which time. */
static struct rate_sample rates_difference(const struct rates *r)
{
    size_t oldest = r->taken > RATE_SAMPLES ? r->taken - RATE_SAMPLES : 0;
    const struct rate_sample *from = &r->sample[oldest % RATE_SAMPLES];
    const struct rate_sample *to = &r->sample[(r->taken - 1) % RATE_SAMPLES];

    if (r->taken < 2) {
        return (struct rate_sample){.at_us = 1};
    }
    return (struct rate_sample){
        to->at_us > from->at_us ? to->at_us - from->at_us : 1,
        to->commands - from->commands,
        to->input_bytes - from->input_bytes,
        to->output_bytes - from->output_bytes,
    };
}

/* Figures. */

static void add_human(struct buf *out, const char *name, size_t bytes)
{
    static const char units[] = "KMGTP";
    double figure = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        buf_addf(out, "%s:%zuB\r\n", name, bytes);
        return;
    }
    for (figure /= 1024; figure >= 1024 && unit < sizeof units - 2; unit++) {
        figure /= 1024;
    }
    buf_addf(out, "%s:%.2f%c\r\n", name, figure, units[unit]);
}

static void add_bytes(struct buf *out, const char *name, size_t bytes)
{
    char human[64];

    buf_addf(out, "%s:%zu\r\n", name, bytes);
    snprintf(human, sizeof human, "%s_human", name);
    add_human(out, human, bytes);
}

static void add_text(struct buf *out, const char *name, struct bytes text)
{
    buf_addf(out, "%s:", name);
    buf_add(out, text);
    buf_addf(out, "\r\n");
}

static void add_executable(struct buf *out)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);

    add_text(out, "executable", (struct bytes){path, len > 0 ? (size_t)len : 0});
}

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

/* Sections. */

static void add_server(struct server *s, struct buf *out)
{
    int64_t now_us = clock_wall_us();
    int64_t uptime_s = (logtime_ms(&s->engine->time) - s->engine->stats.started_ms) / 1000;
    struct utsname os;

    uname(&os);
    buf_addf(out, "redis_version:%s\r\nmoonlatch_version:%s\r\nredis_mode:standalone\r\n",
             REDIS_VERSION, MOONLATCH_VERSION);
    buf_addf(out, "os:%s %s %s\r\narch_bits:%zu\r\n", os.sysname, os.release, os.machine,
             8 * sizeof(void *));
    buf_addf(out, "monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\n");
    buf_addf(out, "process_id:%d\r\nprocess_supervised:no\r\nrun_id:%s\r\ntcp_port:%d\r\n",
             (int)getpid(), s->run_id, s->settings.net.port);
    buf_addf(out, "server_time_usec:%" PRId64 "\r\n", now_us);
    buf_addf(out, "uptime_in_seconds:%" PRId64 "\r\nuptime_in_days:%" PRId64 "\r\n", uptime_s,
             uptime_s / (24 * 3600));
    buf_addf(out, "hz:10\r\nconfigured_hz:10\r\nlru_clock:%" PRId64 "\r\n",
             now_us / 1000000 & 0xffffff);
    add_executable(out);
    add_text(out, "config_file", buf_bytes(&s->config_file));
    buf_addf(out, "io_threads_active:0\r\n");
}

static void add_clients(struct server *s, struct buf *out)
{
    size_t input = 0, output = 0;

    for (const struct session *i = s->engine->sessions; i != NULL; i = i->next) {
        size_t in = i->input_bytes + i->input_free;
        input = in > input ? in : input;
        output = i->out.cap > output ? i->out.cap : output;
    }
    buf_addf(out, "connected_clients:%zu\r\ncluster_connections:0\r\nmaxclients:%zu\r\n",
             s->engine->session_count, s->settings.net.max_clients);
    buf_addf(out, "client_recent_max_input_buffer:%zu\r\nclient_recent_max_output_buffer:%zu\r\n",
             input, output);
    buf_addf(out, "blocked_clients:0\r\ntracking_clients:0\r\nclients_in_timeout_table:0\r\n");
}

/* What is used without any data, and by the tables that hold it. */
static size_t overhead(const struct server *s)
{
    const struct dataset *data = s->engine->data;
    size_t bytes = s->startup_memory;

    for (unsigned i = 0; i < data->count; i++) {
        if (keyspace_count(data->db[i]) > 0) {
            bytes += keyspace_memory(data->db[i]);
        }
    }
    return bytes;
}

static void add_used_memory(struct server *s, struct buf *out)
{
    size_t used = mem_used();
    size_t peak = mem_peak();
    size_t other = overhead(s);
    size_t data = used > other ? used - other : 0;
    size_t since_start = used > s->startup_memory ? used - s->startup_memory : 0;

    add_bytes(out, "used_memory", used);
    add_bytes(out, "used_memory_rss", resident_bytes());
    add_bytes(out, "used_memory_peak", peak);
    buf_addf(out, "used_memory_peak_perc:%.2f%%\r\n", 100.0 * (double)used / (double)peak);
    buf_addf(out, "used_memory_overhead:%zu\r\nused_memory_startup:%zu\r\n", other,
             s->startup_memory);
    buf_addf(out, "used_memory_dataset:%zu\r\nused_memory_dataset_perc:%.2f%%\r\n", data,
             since_start > 0 ? 100.0 * (double)data / (double)since_start : 0.0);
    add_bytes(out, "total_system_memory",
              (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE));
}

static void add_script_memory(struct server *s, struct buf *out)
{
    struct script_info script = script_info(s->engine);

    add_bytes(out, "used_memory_lua", script.heap_used);
    buf_addf(out, "used_memory_vm_eval:%zu\r\nused_memory_scripts_eval:%zu\r\n", script.heap_used,
             script.text_size);
    buf_addf(out, "number_of_cached_scripts:%zu\r\nnumber_of_functions:0\r\n", script.scripts);
    buf_addf(out, "number_of_libraries:0\r\nused_memory_vm_functions:0\r\n");
    add_bytes(out, "used_memory_vm_total", script.heap_used);
    buf_addf(out, "used_memory_functions:0\r\n");
    add_bytes(out, "used_memory_scripts", script.text_size);
}

static void add_memory(struct server *s, struct buf *out)
{
    size_t used, resident;

    add_used_memory(s, out);
    add_script_memory(s, out);
    used = mem_used();
    resident = resident_bytes();
    add_bytes(out, "maxmemory", s->settings.engine.maxmemory);
    buf_addf(out, "maxmemory_policy:noeviction\r\nmem_fragmentation_ratio:%.2f\r\n",
             (double)resident / (double)used);
    buf_addf(out, "mem_fragmentation_bytes:%" PRId64 "\r\n", (int64_t)resident - (int64_t)used);
    buf_addf(out, "mem_not_counted_for_evict:0\r\nmem_replication_backlog:0\r\n");
    buf_addf(out, "mem_aof_buffer:0\r\nmem_allocator:%s\r\n", mem_allocator());
    buf_addf(out, "active_defrag_running:0\r\nlazyfree_pending_objects:0\r\n");
}

static void add_persistence(struct server *s, struct buf *out)
{
    buf_addf(out, "loading:0\r\nasync_loading:0\r\n");
    buf_addf(out, "rdb_changes_since_last_save:%" PRIu64 "\r\nrdb_bgsave_in_progress:0\r\n",
             s->engine->journal.changes);
    buf_addf(out, "rdb_last_save_time:%" PRId64 "\r\nrdb_last_bgsave_status:ok\r\n",
             s->engine->stats.started_ms / 1000);
    buf_addf(out, "rdb_last_bgsave_time_sec:-1\r\nrdb_current_bgsave_time_sec:-1\r\n");
    buf_addf(out, "aof_enabled:0\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n");
    buf_addf(out, "aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n");
}

static void add_rates(struct server *s, struct buf *out)
{
    struct rate_sample added = rates_difference(&s->rates);
    double seconds = (double)added.at_us / 1e6;

    buf_addf(out, "instantaneous_ops_per_sec:%.0f\r\n", (double)added.commands / seconds);
    buf_addf(out, "total_net_input_bytes:%" PRIu64 "\r\ntotal_net_output_bytes:%" PRIu64 "\r\n",
             s->engine->stats.net_input_bytes, s->engine->stats.net_output_bytes);
    buf_addf(out, "instantaneous_input_kbps:%.2f\r\ninstantaneous_output_kbps:%.2f\r\n",
             (double)added.input_bytes / 1024 / seconds,
             (double)added.output_bytes / 1024 / seconds);
}

static void add_stats(struct server *s, struct buf *out)
{
    const struct engine_stats *stats = &s->engine->stats;

    buf_addf(out, "total_connections_received:%" PRIu64 "\r\n", stats->connections);
    buf_addf(out, "total_commands_processed:%" PRIu64 "\r\n", stats->commands);
    add_rates(s, out);
    buf_addf(out, "rejected_connections:%" PRIu64 "\r\n", stats->rejected_connections);
    buf_addf(out, "sync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\n");
    buf_addf(out, "expired_keys:%" PRIu64 "\r\nevicted_keys:0\r\nevicted_clients:0\r\n",
             stats->expired_keys);
    buf_addf(out, "keyspace_hits:%" PRIu64 "\r\nkeyspace_misses:%" PRIu64 "\r\n",
             stats->keyspace_hits, stats->keyspace_misses);
    buf_addf(out, "pubsub_channels:0\r\npubsub_patterns:0\r\npubsubshard_channels:0\r\n");
    buf_addf(out, "latest_fork_usec:0\r\ntotal_forks:0\r\nmigrate_cached_sockets:0\r\n");
    buf_addf(out, "total_error_replies:%" PRIu64 "\r\n", stats->error_replies);
    buf_addf(out, "scripts_run:%" PRIu64 "\r\nscript_rollbacks:%" PRIu64 "\r\n", stats->scripts,
             stats->script_rollbacks);
    buf_addf(out, "script_kills:%" PRIu64 "\r\n", stats->script_kills);
}

static void add_replication(struct server *s, struct buf *out)
{
    buf_addf(out, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n");
    buf_addf(out, "master_replid:%s\r\nmaster_replid2:%040d\r\n", s->replication_id, 0);
    buf_addf(out, "master_repl_offset:0\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:0\r\n");
    buf_addf(out, "repl_backlog_size:0\r\nrepl_backlog_first_byte_offset:0\r\n");
    buf_addf(out, "repl_backlog_histlen:0\r\n");
}

static void add_usage(struct buf *out, int who, const char *suffix)
{
    struct rusage usage;

    getrusage(who, &usage);
    buf_addf(out, "used_cpu_sys%s:%ld.%06ld\r\nused_cpu_user%s:%ld.%06ld\r\n", suffix,
             (long)usage.ru_stime.tv_sec, (long)usage.ru_stime.tv_usec, suffix,
             (long)usage.ru_utime.tv_sec, (long)usage.ru_utime.tv_usec);
}

static void add_cpu(struct server *s, struct buf *out)
{
    (void)s;
    add_usage(out, RUSAGE_SELF, "");
    add_usage(out, RUSAGE_CHILDREN, "_children");
    add_usage(out, RUSAGE_THREAD, "_main_thread");
}

/* There are none: the section is a heading only. */
static void add_modules(struct server *s, struct buf *out)
{
    (void)s;
    (void)out;
}

static void add_cluster(struct server *s, struct buf *out)
{
    (void)s;
    buf_addf(out, "cluster_enabled:0\r\n");
}

static void add_keyspace(struct server *s, struct buf *out)
{
    const struct dataset *data = s->engine->data;
    int64_t now_ms = logtime_ms(&s->engine->time);

    for (unsigned i = 0; i < data->count; i++) {
        const struct keyspace *keys = data->db[i];
        if (keyspace_count(keys) > 0) {
            buf_addf(out, "db%u:keys=%zu,expires=%zu,avg_ttl=%" PRId64 "\r\n", i,
                     keyspace_count(keys), keyspace_count_expiring(keys),
                     keyspace_mean_ttl_ms(keys, now_ms));
        }
    }
}

static const struct section {
    const char *name;
    const char *heading;
    void (*add)(struct server *s, struct buf *out);
} sections[] = {
    {"server", "Server", add_server},
    {"clients", "Clients", add_clients},
    {"memory", "Memory", add_memory},
    {"persistence", "Persistence", add_persistence},
    {"stats", "Stats", add_stats},
    {"replication", "Replication", add_replication},
    {"cpu", "CPU", add_cpu},
    {"modules", "Modules", add_modules},
    {"cluster", "Cluster", add_cluster},
    {"keyspace", "Keyspace", add_keyspace},
};

static bool is_wanted(const struct call *c, const char *section)
{
    for (size_t i = 1; i < c->argc; i++) {
        if (call_is(c, i, section) || call_is(c, i, "default") || call_is(c, i, "all") ||
            call_is(c, i, "everything")) {
            return true;
        }
    }
    return c->argc == 1;
}

void info(struct call *c)
{
    BUF_LOCAL(text);

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (is_wanted(c, sections[i].name)) {
            buf_addf(&text, "%s# %s\r\n", text.len > 0 ? "\r\n" : "", sections[i].heading);
            sections[i].add(c->engine->server, &text);
        }
    }
    reply_verbatim(c, "txt", buf_bytes(&text));
}
