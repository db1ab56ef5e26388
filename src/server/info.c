#include "server/info.h"

#include "base/clock.h"
#include "engine/call.h"
#include "engine/group_info.h"
#include "engine/version.h"
#include "server/memory.h"
#include "store/reclaim.h"

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

/* What there is nothing to count of: told because tools look for it. The names have
 * spaces between them. */
static void add_zeros(struct buf *out, const char *names)
{
    for (; *names != '\0'; names += strspn(names, " ")) {
        size_t len = strcspn(names, " ");
        buf_addf(out, "%.*s:0\r\n", (int)len, names);
        names += len;
    }
}

/* Sections. */

static void add_server(struct server *s, struct buf *out)
{
    int64_t now_us = clock_wall_us();
    int64_t uptime_s = (logtime_ms(&s->engine->time) - s->engine->stats.started_ms) / 1000;
    struct utsname os;

    uname(&os);
    buf_addf(out, "redis_version:%s\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n",
             REDIS_VERSION);
    buf_addf(out, "redis_build_id:%s\r\nmoonlatch_version:%s\r\nredis_mode:%s\r\n",
             MOONLATCH_VERSION, MOONLATCH_VERSION,
             s->engine->settings.cluster_enabled ? "cluster" : "standalone");
    buf_addf(out, "os:%s %s %s\r\narch_bits:%zu\r\n", os.sysname, os.release, os.machine,
             8 * sizeof(void *));
    buf_addf(out, "monotonic_clock:%s\r\nmultiplexing_api:epoll\r\n", clock_name());
    buf_addf(out, "atomicvar_api:c11-builtin\r\ngcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__,
             __GNUC_PATCHLEVEL__);
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
    size_t input = 0, output = 0, waiting = 0;

    for (const struct session *i = s->engine->sessions; i != NULL; i = i->next) {
        size_t in = i->input_bytes + i->input_free;
        input = in > input ? in : input;
        output = i->out.cap > output ? i->out.cap : output;
        waiting += i->wait != NULL;
    }
    buf_addf(out, "connected_clients:%zu\r\ncluster_connections:0\r\nmaxclients:%zu\r\n",
             s->engine->session_count, s->settings.net.max_clients);
    buf_addf(out, "client_recent_max_input_buffer:%zu\r\nclient_recent_max_output_buffer:%zu\r\n",
             input, output);
    buf_addf(out, "blocked_clients:%zu\r\ntracking_clients:%zu\r\nclients_in_timeout_table:%zu\r\n",
             waiting, s->engine->tracking.sessions, block_timed_count(s->engine));
}

static void add_used_memory(const struct memory_report *r, struct buf *out)
{
    size_t since_start = r->used > r->startup ? r->used - r->startup : 0;

    add_bytes(out, "used_memory", r->used);
    add_bytes(out, "used_memory_rss", r->resident);
    add_bytes(out, "used_memory_peak", r->peak);
    buf_addf(out, "used_memory_peak_perc:%.2f%%\r\n", 100 * memory_ratio(r->used, r->peak));
    buf_addf(out, "used_memory_overhead:%zu\r\nused_memory_startup:%zu\r\n", r->overhead,
             r->startup);
    buf_addf(out, "used_memory_dataset:%zu\r\nused_memory_dataset_perc:%.2f%%\r\n", r->dataset,
             100 * memory_ratio(r->dataset, since_start));
    buf_addf(out, "allocator_allocated:%zu\r\nallocator_active:%zu\r\nallocator_resident:%zu\r\n",
             r->allocator.allocated, r->allocator.active, r->allocator.resident);
    add_bytes(out, "total_system_memory",
              (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE));
}

static void add_script_memory(struct server *s, struct buf *out)
{
    struct script_info script = script_info(s->engine);

    add_bytes(out, "used_memory_lua", script.heap_used);
    buf_addf(out, "used_memory_vm_eval:%zu\r\nused_memory_scripts_eval:%zu\r\n", script.heap_used,
             script.text_size);
    buf_addf(out,
             "number_of_cached_scripts:%zu\r\nnumber_of_functions:%zu\r\n"
             "number_of_libraries:%zu\r\n",
             script.scripts, script.functions, script.libraries);
    add_zeros(out, "used_memory_vm_functions"); /* They run in the same VM. */
    add_bytes(out, "used_memory_vm_total", script.heap_used);
    buf_addf(out, "used_memory_functions:%zu\r\n", script.functions_size);
    add_bytes(out, "used_memory_scripts", script.text_size + script.functions_size);
}

/* A ratio and a difference of two amounts of memory, and what they are called. */
static void add_excess(struct buf *out, const char *ratio, const char *bytes, size_t a, size_t b)
{
    buf_addf(out, "%s:%.2f\r\n%s:%" PRId64 "\r\n", ratio, memory_ratio(a, b), bytes,
             (int64_t)a - (int64_t)b);
}

static void add_fragmentation(const struct memory_report *r, struct buf *out)
{
    const struct mem_details *a = &r->allocator;

    add_excess(out, "allocator_frag_ratio", "allocator_frag_bytes", a->active, a->allocated);
    add_excess(out, "allocator_rss_ratio", "allocator_rss_bytes", a->resident, a->active);
    add_excess(out, "rss_overhead_ratio", "rss_overhead_bytes", r->resident, a->resident);
    add_excess(out, "mem_fragmentation_ratio", "mem_fragmentation_bytes", r->resident, r->used);
}

static void add_memory(struct server *s, struct buf *out)
{
    struct memory_report report;

    memory_report(s, &report);
    add_used_memory(&report, out);
    add_script_memory(s, out);
    add_bytes(out, "maxmemory", s->settings.engine.maxmemory);
    buf_addf(out, "maxmemory_policy:%s\r\n",
             evict_policy_names[s->settings.engine.maxmemory_policy]);
    add_fragmentation(&report, out);
    buf_addf(out, "mem_clients_normal:%zu\r\nmem_allocator:%s\r\n", report.clients,
             mem_allocator());
    add_zeros(out, "mem_not_counted_for_evict mem_replication_backlog "
                   "mem_total_replication_buffers mem_clients_slaves mem_cluster_links "
                   "mem_aof_buffer active_defrag_running");
    buf_addf(out, "lazyfree_pending_objects:%zu\r\nlazyfreed_objects:%" PRIu64 "\r\n",
             reclaim_pending(), reclaim_done());
}

static void add_saving(const struct persist *p, struct buf *out)
{
    int64_t running_us = p->child != 0 ? clock_monotonic_us() - p->child_started_us : -1000000;

    buf_addf(out, "rdb_bgsave_in_progress:%d\r\naof_rewrite_in_progress:%d\r\n", p->child != 0,
             p->child != 0 && p->rewrites);
    buf_addf(out, "rdb_last_save_time:%" PRId64 "\r\nrdb_last_bgsave_status:%s\r\n", p->saved_s,
             p->failed ? "err" : "ok");
    buf_addf(out,
             "rdb_last_bgsave_time_sec:%" PRId64 "\r\nrdb_current_bgsave_time_sec:%" PRId64 "\r\n",
             p->took_s, running_us / 1000000);
    buf_addf(out, "rdb_saves:%" PRIu64 "\r\nrdb_last_cow_size:%zu\r\n", p->saves, p->copied);
}

static void add_persistence(struct server *s, struct buf *out)
{
    const struct persist *p = &s->persist;

    buf_addf(out, "rdb_changes_since_last_save:%" PRIu64 "\r\n", persist_changes(s));
    add_saving(p, out);
    buf_addf(out, "rdb_last_load_keys_expired:%zu\r\nrdb_last_load_keys_loaded:%zu\r\n",
             p->loaded_expired, p->loaded_keys);
    buf_addf(out, "aof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\n");
    buf_addf(out, "aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n");
    buf_addf(out, "current_fork_perc:0.00\r\n");
    buf_addf(out, "loading:%d\r\n", s->engine->group.role == GROUP_LOADING);
    add_zeros(out, "async_loading current_cow_size current_cow_peak current_cow_size_age "
                   "current_save_keys_processed current_save_keys_total aof_enabled "
                   "aof_rewrite_scheduled aof_rewrites "
                   "aof_rewrites_consecutive_failures aof_last_cow_size module_fork_in_progress "
                   "module_fork_last_cow_size");
    loading_info(s, out);
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
    buf_addf(out, "instantaneous_input_repl_kbps:0.00\r\ninstantaneous_output_repl_kbps:0.00\r\n");
}

/* What keys have undergone. */
static void add_key_stats(const struct engine_stats *stats, struct buf *out)
{
    buf_addf(out, "expired_keys:%" PRIu64 "\r\nexpired_stale_perc:0.00\r\n", stats->expired_keys);
    buf_addf(out, "expired_time_cap_reached_count:%" PRIu64 "\r\n", stats->expire_capped);
    buf_addf(out, "expire_cycle_cpu_milliseconds:%" PRIu64 "\r\n", stats->expire_us / 1000);
    buf_addf(out, "keyspace_hits:%" PRIu64 "\r\nkeyspace_misses:%" PRIu64 "\r\n",
             stats->keyspace_hits, stats->keyspace_misses);
    buf_addf(out, "evicted_keys:%" PRIu64 "\r\n", stats->evicted_keys);
    add_zeros(out, "evicted_clients total_eviction_exceeded_time "
                   "current_eviction_exceeded_time");
}

static void add_listeners(const struct engine *e, struct buf *out)
{
    buf_addf(out, "pubsub_channels:%zu\r\npubsub_patterns:%zu\r\npubsubshard_channels:%zu\r\n",
             pubsub_topics(e, TOPIC_CHANNEL), pubsub_topics(e, TOPIC_PATTERN),
             pubsub_topics(e, TOPIC_SHARD));
    buf_addf(out,
             "tracking_total_keys:%zu\r\ntracking_total_items:%zu\r\n"
             "tracking_total_prefixes:%zu\r\n",
             tracking_keys(e), e->tracking.items, tracking_prefixes(e));
}

static void add_stats(struct server *s, struct buf *out)
{
    const struct engine_stats *stats = &s->engine->stats;

    buf_addf(out, "total_connections_received:%" PRIu64 "\r\n", stats->connections);
    buf_addf(out, "total_commands_processed:%" PRIu64 "\r\n", stats->commands);
    add_rates(s, out);
    buf_addf(out, "rejected_connections:%" PRIu64 "\r\n", stats->rejected_connections);
    add_key_stats(stats, out);
    buf_addf(out, "latest_fork_usec:%" PRId64 "\r\ntotal_forks:%" PRIu64 "\r\n", s->persist.fork_us,
             s->persist.forks);
    buf_addf(out, "total_error_replies:%" PRIu64 "\r\n", stats->error_replies);
    buf_addf(out, "total_reads_processed:%" PRIu64 "\r\ntotal_writes_processed:%" PRIu64 "\r\n",
             stats->reads, stats->writes);
    buf_addf(out, "evicted_scripts:%" PRIu64 "\r\n", script_info(s->engine).evicted);
    add_listeners(s->engine, out);
    add_zeros(out,
              "total_net_repl_input_bytes total_net_repl_output_bytes sync_full "
              "sync_partial_ok sync_partial_err migrate_cached_sockets slave_expires_tracked_keys "
              "active_defrag_hits active_defrag_misses active_defrag_key_hits "
              "active_defrag_key_misses total_active_defrag_time "
              "current_active_defrag_time "
              "unexpected_error_replies dump_payload_sanitizations "
              "io_threaded_reads_processed io_threaded_writes_processed "
              "reply_buffer_shrinks reply_buffer_expands");
}

static void add_replication(struct server *s, struct buf *out)
{
    group_add_replication(s->engine, s->replication_id, out);
}

static void add_raft(struct server *s, struct buf *out)
{
    group_add_raft(s->engine, out);
    group_add_log(s->engine, out);
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

static void add_scripts(struct server *s, struct buf *out)
{
    struct script_info script = script_info(s->engine);
    const struct outcomes *outcomes = &script.outcomes;

    buf_addf(out, "scripts_run:%" PRIu64 "\r\nscript_returned_errors:%" PRIu64 "\r\n",
             outcomes->calls, outcomes->errors);
    buf_addf(out, "script_rollbacks:%" PRIu64 "\r\n", outcomes_rollbacks(outcomes));
    for (size_t i = 0; i < ROLLBACK_REASONS; i++) {
        buf_addf(out, "script_rollbacks_%s:%" PRIu64 "\r\n", rollback_reason_names[i],
                 outcomes->rollbacks[i]);
    }
    buf_addf(out, "script_profiling:%d\r\n", script.profiling);
}

/* There are none: the section is a heading only. */
static void add_modules(struct server *s, struct buf *out)
{
    (void)s;
    (void)out;
}

static void add_cluster(struct server *s, struct buf *out)
{
    buf_addf(out, "cluster_enabled:%d\r\n", s->engine->settings.cluster_enabled);
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
    bool by_default;
} sections[] = {
    {"server", "Server", add_server, true},
    {"clients", "Clients", add_clients, true},
    {"memory", "Memory", add_memory, true},
    {"persistence", "Persistence", add_persistence, true},
    {"stats", "Stats", add_stats, true},
    {"replication", "Replication", add_replication, true},
    {"raft", "Raft", add_raft, true},
    {"scripts", "Scripts", add_scripts, true},
    {"cpu", "CPU", add_cpu, true},
    {"modules", "Modules", add_modules, true},
    {"commandstats", "Commandstats", info_add_commandstats, false},
    {"errorstats", "Errorstats", info_add_errorstats, true},
    {"latencystats", "Latencystats", info_add_latencystats, false},
    {"cluster", "Cluster", add_cluster, true},
    {"keyspace", "Keyspace", add_keyspace, true},
};

static bool is_wanted(const struct call *c, const struct section *section)
{
    for (size_t i = 1; i < c->argc; i++) {
        if (call_is(c, i, section->name) || call_is(c, i, "all") || call_is(c, i, "everything") ||
            (section->by_default && call_is(c, i, "default"))) {
            return true;
        }
    }
    return c->argc == 1 && section->by_default;
}

void info(struct call *c)
{
    BUF_LOCAL(text);

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (is_wanted(c, &sections[i])) {
            buf_addf(&text, "%s# %s\r\n", text.len > 0 ? "\r\n" : "", sections[i].heading);
            sections[i].add(c->engine->server, &text);
        }
    }
    reply_verbatim(c, "txt", buf_bytes(&text));
}
