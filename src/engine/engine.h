/* The engine: runs requests against the data, one at a time.
 *
 * It knows neither sockets nor Lua. The layers above set the hooks below. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/block.h"
#include "engine/commit.h"
#include "engine/event.h"
#include "engine/evict.h"
#include "engine/group.h"
#include "engine/latency.h"
#include "engine/logtime.h"
#include "engine/measure.h"
#include "engine/monitor.h"
#include "engine/pause.h"
#include "engine/pubsub.h"
#include "engine/session.h"
#include "engine/slowlog.h"
#include "engine/tracking.h"
#include "engine/watch.h"
#include "store/journal.h"

struct registry;
struct runtime;

struct engine_settings {
    size_t maxmemory;            /* Bytes; 0 is no limit. */
    int maxmemory_policy;        /* enum evict_policy */
    int maxmemory_samples;       /* Values that one to evict is chosen from. */
    int lfu_log_factor;          /* How hard it is to raise a counter of uses. */
    int lfu_decay_time;          /* Minutes in which it falls by one; 0: never. */
    struct buf requirepass;      /* Empty: none is required. */
    size_t proto_max_bulk_len;   /* The longest string that commands may make. */
    size_t hll_sparse_max_bytes; /* Where sparse HyperLogLogs end. */
    bool rdb_compression;        /* Whether DUMP compresses strings. */
    bool active_expire;          /* Off in tests only. */
    bool cron_stands;            /* On in tests only: nothing happens by itself. */
    bool transaction_rollback;   /* A command that fails undoes its whole transaction. */
    bool scripts_may_test;       /* On in tests only: scripts may call what waits, or looks. */
    int min_replicas;            /* Others that must be there for a write, */
    int min_replicas_lag_s;      /* having answered within so many seconds; 0: none need. */
    int read_consistency;        /* enum consistency */
    bool cluster_enabled;        /* The group answers as a cluster of one shard. */
    struct buf sentinel_name;    /* What the group is called by clients that ask a Sentinel. */
    int port;                    /* Where this server listens; 0: on no TCP port. */
    unsigned notify;             /* Events that are told of, a set of enum event_class. */
    size_t tracking_max_keys;    /* tracking-table-max-keys; 0: no limit. */
    int64_t slowlog_us;          /* slowlog-log-slower-than; below 0: nothing is. */
    size_t slowlog_len;          /* slowlog-max-len */
    int64_t latency_ms;          /* latency-monitor-threshold; 0: off. */
    bool latency_tracking;       /* Histograms of how long commands take. */
};

struct engine_stats {
    int64_t started_ms;
    uint64_t connections;
    uint64_t rejected_connections;
    uint64_t commands;
    uint64_t net_input_bytes, net_output_bytes;
    uint64_t reads, writes; /* Of sockets. */
    uint64_t expired_keys, expired_fields;
    uint64_t expire_us;     /* Spent on removing them. */
    uint64_t expire_capped; /* How often time was up before all were removed. */
    uint64_t evicted_keys;
    uint64_t keyspace_hits, keyspace_misses;
    uint64_t error_replies;
    size_t peak_sessions;
};

/* A script that runs, as far as others need to know. */
struct running {
    bool is_script;
    bool is_busy; /* For longer than busy-reply-threshold: others get -BUSY. */
    bool is_function;
};

/* Who judges each batch at its end, in tests. When it is set, every batch is recorded. */
struct engine_log {
    /* Is given the batch, ready to be made elsewhere. Returns false to have it
     * undone: the reply then speaks of what did not happen. */
    bool (*append)(struct engine *e, struct bytes redo, void *context);
    void *context;
};

/* The busy door: serves the sockets from within a script that runs for long. Set by
 * the net layer, called by the script layer. */
struct door {
    void (*serve)(void *context);
    void *context;
};

struct engine {
    struct dataset *data;
    struct journal journal;
    struct journal_mark batch; /* Where the current batch began. */
    struct registry *commands;
    struct engine_settings settings;
    struct engine_stats stats;
    struct random random;
    struct logtime time;
    struct watchers watchers;
    struct waiting waiting;
    struct pause pause;
    struct pubsub pubsub;
    struct tracking tracking;
    struct engine_log log;
    struct commit commit;
    struct group group;

    struct measures measures;
    struct slowlog slowlog;
    struct latency latency;

    struct buf stale; /* Keys that have expired and were asked for: see engine/expiry.h. */

    struct session *client; /* Whose request is at work, or NULL. */
    struct session *sessions;
    struct session *monitors; /* Those that are shown commands. */
    size_t session_count;
    uint64_t next_session_id;
    struct session *unsent; /* Those with something in `out` to be sent this turn. */

    struct running running;
    struct runtime *script;            /* The script layer's. */
    void (*reclaim)(struct engine *e); /* Its way to give memory back; NULL: none. */

    /* Its way to tell what a request may do that runs a script; NULL: none. */
    uint32_t (*script_flags)(const struct engine *e, const struct command *cmd,
                             const struct bytes *argv);

    struct door door;
    bool stop;                          /* SHUTDOWN: the loop ends after this turn, */
    bool (*may_stop)(struct engine *e); /* if the server layer agrees; NULL: it does. */
    const char *write_refusal;          /* Its reason to refuse writes, an error; or NULL. */
    void *server;                       /* The server layer's, for its own commands. */
};

/* Returns whether the batch at work has recorded something; between two batches none has. */
static inline bool batch_has_records(const struct engine *e)
{
    return e->journal.newest != e->batch.newest;
}

/* Creates an engine over an empty dataset. `families`: see registry_new(). */
struct engine *engine_new(const struct command *const *families, unsigned databases);

/* Frees it. All sessions must be gone. */
void engine_free(struct engine *e);

/* Returns whether the server is to end: it has been told to, and nothing is against it. */
bool engine_is_to_stop(struct engine *e);

/* Reads the clock: to be called when a turn of the loop begins. */
void engine_tick(struct engine *e);

/* Runs one command of a script. Returns false if it failed; the reply is then an
 * error. Nothing is left of a call that failed. */
bool engine_call_from_script(struct session *s, struct sink *reply, size_t argc,
                             const struct bytes *argv);

/* Runs one command with nothing checked that dispatch checks, as a part of the batch at
 * work. Returns false if it failed. Used by EXEC. */
bool engine_run(struct session *s, const struct command *command, struct sink *reply, size_t argc,
                const struct bytes *argv);

/* Finds the command of a request, a subcommand if it names one; *container is then
 * the command that it belongs to, and NULL otherwise. Returns NULL if there is no
 * such command, or *container has no such subcommand. */
const struct command *engine_find_command(const struct engine *e, size_t argc,
                                          const struct bytes *argv,
                                          const struct command **container);

/* Returns the flags of a request: those of its command, or, if it runs a script that has
 * said what it does, what follows from that. */
uint32_t engine_flags(const struct engine *e, const struct command *cmd, const struct bytes *argv);

/* Frees a part of what is big and waits to be freed. Returns whether there is more. */
bool engine_free_some(void);
bool engine_has_to_free(void);

/* Returns whether the engine may change something by itself: it leads, and the log takes it. */
static inline bool engine_may_change(const struct engine *e)
{
    return group_leads(&e->group) && e->commit.refusal == NULL;
}

/* Returns what commands that write are refused with now; NULL if they are not. The text is
 * good until the next call. */
const char *engine_write_refusal(struct engine *e);

/* Returns whether memory is over the limit. */
bool engine_is_over_limit(const struct engine *e);

/* Returns whether memory is over the limit, even after giving back what can be and
 * evicting what may go. Nothing is evicted inside a script. */
bool engine_out_of_memory(struct engine *e);

#endif
