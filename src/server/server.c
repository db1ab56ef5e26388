#include "server/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "command/families.h"
#include "engine/version.h"
#include "lua/texts.h"
#include "server/durability.h"
#include "server/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors for what is not a client: listeners, the log, libuv's own. */
enum { FILES_RESERVED = 32 };

static const struct command *const families[] = {COMMAND_FAMILIES, SCRIPT_FAMILIES, server_commands,
                                                 NULL};

void server_draw_id(char id[ID_HEX + 1])
{
    unsigned char secret[ID_HEX / 2];

    random_secret(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        snprintf(id + 2 * i, 3, "%02x", secret[i]);
    }
}

/* Raises the limit on open files to what so many clients need, as far as it goes.
 * Returns for how many clients it is enough. */
static size_t raise_file_limit(size_t clients)
{
    rlim_t needed = clients + FILES_RESERVED;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return clients;
    }
    if (limit.rlim_cur < needed) {
        struct rlimit raised = {needed, needed > limit.rlim_max ? needed : limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) { /* Only root may go over the maximum. */
            raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
            setrlimit(RLIMIT_NOFILE, &raised);
        }
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed) {
        return clients;
    }
    return limit.rlim_cur > FILES_RESERVED ? limit.rlim_cur - FILES_RESERVED : 1;
}

/* Has those settings take effect that the system may refuse. */
static const char *apply_to_system(struct server *s, const char **option)
{
    static char problem[128];
    const char *problem_text;
    size_t clients = s->settings.net.max_clients;
    size_t possible = raise_file_limit(clients);

    if (possible < clients) {
        snprintf(problem, sizeof problem,
                 "The operating system is not able to handle the specified number of clients, "
                 "try with %zu",
                 possible);
        *option = "maxclients";
        return problem;
    }
    if ((problem_text = durability_apply(s)) != NULL) {
        *option = "durability";
        return problem_text;
    }
    if (s->net != NULL && net_listen_again(s->net) != 0) {
        *option = "port";
        return "Unable to listen on this port";
    }
    return NULL;
}

const char *server_apply(struct server *s, const char **option)
{
    const struct settings *from = &s->settings;
    struct engine_settings *to = &s->engine->settings;
    const char *problem = apply_to_system(s, option);

    if (problem != NULL) {
        return problem;
    }
    log_set_level((enum log_level)from->log_level);
    s->engine->data->limits = from->limits;
    to->maxmemory = from->engine.maxmemory;
    to->maxmemory_policy = from->engine.maxmemory_policy;
    to->maxmemory_samples = from->engine.maxmemory_samples;
    to->lfu_log_factor = from->engine.lfu_log_factor;
    to->lfu_decay_time = from->engine.lfu_decay_time;
    to->hll_sparse_max_bytes = from->engine.hll_sparse_max_bytes;
    to->proto_max_bulk_len = from->engine.proto_max_bulk_len;
    to->transaction_rollback = from->engine.transaction_rollback;
    to->min_replicas = from->engine.min_replicas;
    to->min_replicas_lag_s = from->engine.min_replicas_lag_s;
    to->read_consistency = from->engine.read_consistency;
    to->cluster_enabled = from->engine.cluster_enabled;
    to->port = from->net.port;
    to->sentinel_name.len = 0;
    buf_add(&to->sentinel_name, buf_bytes(&from->engine.sentinel_name));
    to->slowlog_us = from->engine.slowlog_us;
    to->slowlog_len = from->engine.slowlog_len;
    to->latency_ms = from->engine.latency_ms;
    to->latency_tracking = from->engine.latency_tracking;
    to->notify = from->engine.notify;
    to->tracking_max_keys = from->engine.tracking_max_keys;
    measure_apply(s->engine);
    to->rdb_compression = from->engine.rdb_compression;
    to->requirepass.len = 0;
    buf_add(&to->requirepass, buf_bytes(&from->engine.requirepass));
    persist_apply(s);
    return NULL;
}

/* At the start there is nobody to tell to try with less. */
static void fit_maxclients(struct server *s)
{
    size_t wanted = s->settings.net.max_clients;
    size_t possible = raise_file_limit(wanted);

    if (possible < wanted) {
        log_write(LOG_WARNING,
                  "The limit on open files is too low for maxclients %zu: it is %zu now", wanted,
                  possible);
        s->settings.net.max_clients = possible;
    }
}

static void set_text(struct buf *b, const char *text)
{
    b->len = 0;
    buf_add(b, bytes_of(text));
}

static int enter_dir(struct buf *dir)
{
    char path[4096];

    bytes_to_string(buf_bytes(dir), path, sizeof path);
    if (chdir(path) != 0 || getcwd(path, sizeof path) == NULL) {
        log_write(LOG_WARNING, "Cannot use the directory '%s': %s", path, strerror(errno));
        return -1;
    }
    set_text(dir, path);
    return 0;
}

static int open_log(const struct buf *file)
{
    char path[4096];
    int err;

    bytes_to_string(buf_bytes(file), path, sizeof path);
    err = log_set_file(path);
    if (err != 0) {
        log_write(LOG_WARNING, "Cannot log to '%s': %s", path, strerror(-err));
    }
    return err;
}

static void write_pid(const struct buf *file)
{
    char path[4096];
    FILE *opened;

    bytes_to_string(buf_bytes(file), path, sizeof path);
    opened = path[0] == '\0' ? NULL : fopen(path, "we");
    if (opened != NULL) {
        fprintf(opened, "%d\n", (int)getpid());
        fclose(opened);
    } else if (path[0] != '\0') {
        log_write(LOG_WARNING, "Cannot write the pidfile '%s': %s", path, strerror(errno));
    }
}

static void remove_pid(const struct buf *file)
{
    char path[4096];

    bytes_to_string(buf_bytes(file), path, sizeof path);
    if (path[0] != '\0') {
        unlink(path);
    }
}

static void warn_of_options(const struct settings *s)
{
    BUF_LOCAL(names);

    for (size_t i = 0; i < options_count; i++) {
        if (options[i].summary == NULL && !settings_is_initial(s, &options[i])) {
            buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", options[i].name);
        }
    }
    if (names.len > 0) {
        log_write(LOG_WARNING, "These options have no effect here: %.*s", (int)names.len, names.at);
    }
}

static void tick(void *context)
{
    struct server *s = context;

    rates_sample(&s->rates, &s->engine->stats);
    persist_tick(s);
    durability_tick(s);
}

/* A signal is taken no more behind the first one, which would now be forgotten. */
static bool may_stop(struct engine *e)
{
    struct server *s = e->server;

    if (!persist_may_end(s)) {
        loop_take_signals(s->loop);
        return false;
    }
    return true;
}

static void start(struct server *s)
{
    const char *option;

    s->engine = engine_new(families, (unsigned)s->settings.databases);
    s->engine->server = s;
    s->engine->may_stop = may_stop;
    fit_maxclients(s);
    server_apply(s, &option);
    server_draw_id(s->run_id);
    server_draw_id(s->replication_id);
    s->settings.script.built_in = (struct bytes){lock_library, lock_library_len};
    script_start(s->engine, &s->settings.script);
    s->loop = loop_new(s->engine, tick, s);
    s->net = net_new(loop_uv(s->loop), s->engine, &s->settings.net);
    s->startup_memory = mem_used();
}

static void end(struct server *s)
{
    durability_settle(s);
    net_close(s->net);
    durability_end(s);
    loop_run(s->loop);
    durability_free(s);
    net_free(s->net);
    loop_free(s->loop);
    script_stop(s->engine);
    engine_free(s->engine);
}

/* Listens, loads, and serves until it is over. */
static int serve(struct server *s)
{
    if (net_listen(s->net) != 0) {
        log_write(LOG_WARNING, "Not started.");
        return -1;
    }
    if (durability_start(s) != 0) {
        return -1;
    }
    s->is_up = true;
    write_pid(&s->settings.pid_file);
    log_write(LOG_NOTICE, "Ready to accept connections");
    loop_run(s->loop);
    remove_pid(&s->settings.pid_file);
    return 0;
}

int server_run(struct server *s)
{
    int result;

    log_set_level((enum log_level)s->settings.log_level);
    if (enter_dir(&s->settings.dir) != 0 || open_log(&s->settings.log_file) != 0) {
        return -1;
    }
    log_write(LOG_NOTICE, "Moonlatch %s (like Redis %s) starts: port %d, pid %d", MOONLATCH_VERSION,
              REDIS_VERSION, s->settings.net.port, (int)getpid());
    warn_of_options(&s->settings);
    mem_purge_in_background();
    start(s);
    result = serve(s);
    end(s);
    if (result == 0) {
        log_write(LOG_NOTICE, "Moonlatch has stopped");
    }
    log_set_file("");
    return result;
}
