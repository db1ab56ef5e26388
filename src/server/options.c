#include "server/config.h"

#include "engine/declared.h"

#define FIELD(member)                                                                              \
    .place = offsetof(struct settings, member), .size = sizeof(((struct settings *)0)->member)

static const char *const log_levels[] = {"debug", "verbose", "notice", "warning", NULL};
static const char *const debug_allowed[] = {"no", "yes", "local", NULL};

/* What has one value so far. */
static const char *const only_empty[] = {"", NULL};
static const char *const durabilities[] = {"none", "relaxed", "strict", NULL};
static const char *const only_no[] = {"no", NULL};

static const char *const allowances[] = {"no", "yes", "local", NULL};
static const char *const channel_defaults[] = {"allchannels", "resetchannels", NULL};
static const char *const endpoint_types[] = {"ip", "hostname", "unknown-endpoint", NULL};
static const char *const fsyncs[] = {"everysec", "always", "no", NULL};
static const char *const diskless_loads[] = {"disabled", "on-empty-db", "swapdb", NULL};
static const char *const oom_adjustments[] = {"no", "yes", "relative", "absolute", NULL};
static const char *const panics[] = {"ignore", "panic", "panic-on-replicas", NULL};
static const char *const sanitizations[] = {"no", "yes", "clients", NULL};
static const char *const supervisors[] = {"upstart", "systemd", "auto", "no", NULL};

enum { MIB = 1024 * 1024, GIB = 1024 * MIB };

/* clang-format off */
const struct option options[] = {
    {"bind",            .type = OPTION_WORDS,   FIELD(net.bind),             .initial = "* -::*", .summary = "Addresses to listen on; one that begins with '-' may be missing"},
    {"port",            .type = OPTION_INTEGER, FIELD(net.port),             .max = 65535, .initial = "6379", .summary = "TCP port to listen on; 0 for none"},
    {"unixsocket",      .type = OPTION_TEXT,    .flags = OPTION_FIXED, FIELD(net.unix_socket),      .initial = "", .summary = "Path of a Unix socket to listen on"},
    {"unixsocketperm",  .type = OPTION_OCTAL,   .flags = OPTION_FIXED, FIELD(net.unix_socket_mode), .max = 0777, .initial = "0", .summary = "Its permissions, in octal"},
    {"tcp-backlog",     .type = OPTION_INTEGER, .flags = OPTION_FIXED, FIELD(net.backlog),          .initial = "511", .summary = "Connections that may wait to be accepted"},
    {"tcp-keepalive",   .type = OPTION_INTEGER, FIELD(net.keepalive_s),                             .initial = "300", .summary = "Seconds until the system probes an idle connection; 0 for never"},
    {"timeout",         .type = OPTION_INTEGER, FIELD(net.timeout_s),                               .initial = "0", .summary = "Seconds until an idle client is disconnected; 0 for never"},
    {"maxclients",      .type = OPTION_INTEGER, FIELD(net.max_clients),                             .min = 1, .max = UINT32_MAX, .initial = "10000", .summary = "Clients that may be connected at once"},
    {"protected-mode",  .type = OPTION_BOOL,    FIELD(net.protected_mode),                          .initial = "yes", .summary = "Refuse clients on other machines while there is no password"},
    {"client-query-buffer-limit",  .type = OPTION_MEMORY, FIELD(net.query_limit),                   .min = MIB, .initial = "1gb", .summary = "Bytes of an unfinished request at which its client is disconnected"},
    {"client-output-buffer-limit", .type = OPTION_OUTPUTS, FIELD(net.outputs),                      .initial = "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", .summary = "Bytes of unread replies at which a client is disconnected: class, at once, after a time, that time in seconds"},
    {"requirepass",     .type = OPTION_TEXT,    FIELD(engine.requirepass),                          .initial = "", .summary = "Password that clients must give"},

    {"databases",       .type = OPTION_INTEGER, .flags = OPTION_FIXED, FIELD(databases),            .min = 1, .max = 16384, .initial = "16", .summary = "Number of databases to SELECT from"},
    {"dir",             .type = OPTION_TEXT,    .flags = OPTION_FIXED, FIELD(dir),                  .initial = "./", .summary = "Working directory"},
    {"durability",      .type = OPTION_ENUM,    FIELD(durability), .words = durabilities,           .initial = "strict", .summary = "When a write is answered: when a majority has it on disk (strict), at once, which may lose the last second (relaxed), or at once without a log (none)"},
    {"raft-dir",        .type = OPTION_FILE,    .flags = OPTION_FIXED, FIELD(raft.dir),             .initial = "raft", .summary = "Directory in the working directory that has the log and its snapshots"},
    {"raft-port",       .type = OPTION_INTEGER, .flags = OPTION_FIXED, FIELD(raft.port),            .max = 65535, .initial = "0", .summary = "TCP port for the other servers of the group; 0 for 10000 above the port for clients"},
    {"raft-announce",   .type = OPTION_TEXT,    .flags = OPTION_FIXED, FIELD(raft.announce),        .initial = "", .summary = "Host name or address by which others reach this server; empty for 127.0.0.1, where only those on the same machine do"},
    {"raft-secret",     .type = OPTION_TEXT,    .flags = OPTION_FIXED, FIELD(raft.secret),          .initial = "", .summary = "What the servers of the group prove to each other that they know; without one, peers must be on this machine"},
    {"raft-bootstrap",  .type = OPTION_BOOL,    .flags = OPTION_FIXED, FIELD(raft.bootstrap),       .initial = "yes", .summary = "Begin a group of this server alone where there is no log; no: wait for RAFT JOIN, and answer no requests that need data"},
    {"raft-election-timeout", .type = OPTION_INTEGER, .flags = OPTION_FIXED, FIELD(raft.election_ms), .min = 50, .max = 60000, .initial = "300", .summary = "Milliseconds without a leader after which a server wants to be elected: between once and twice as many"},
    {"raft-heartbeat",  .type = OPTION_INTEGER, .flags = OPTION_FIXED, FIELD(raft.heartbeat_ms),    .min = 5, .max = 30000, .initial = "50", .summary = "Milliseconds between two signs of a leader's life"},
    {"raft-log-size",   .type = OPTION_MEMORY,  .flags = OPTION_FIXED, FIELD(raft.log_size),        .min = 64 * 1024, .initial = "16mb", .summary = "Bytes of the log after which it is replaced by a snapshot, but no less than an eighth of the last one, up to 512 MiB; it is kept in memory as well"},
    {"maxmemory",       .type = OPTION_MEMORY,  FIELD(engine.maxmemory),                            .initial = "0", .summary = "Bytes of memory above which writes are refused; 0 for no limit"},
    {"maxmemory-policy", .type = OPTION_ENUM,   FIELD(engine.maxmemory_policy), .words = evict_policy_names, .initial = "noeviction", .summary = "What to evict when memory is over the limit: what was used least recently (lru) or least often (lfu), expires first (ttl), or anything (random); of keys that expire (volatile) or all; or nothing"},
    {"maxmemory-samples", .type = OPTION_INTEGER, FIELD(engine.maxmemory_samples),                  .min = 1, .initial = "5", .summary = "Values from which the one to evict is chosen"},
    {"lfu-log-factor",  .type = OPTION_INTEGER, FIELD(engine.lfu_log_factor),                       .initial = "10", .summary = "How hard it is to raise the count of a value's uses"},
    {"lfu-decay-time",  .type = OPTION_INTEGER, FIELD(engine.lfu_decay_time),                       .initial = "1", .summary = "Minutes in which that count falls by one; 0 for never"},
    {"proto-max-bulk-len", .type = OPTION_MEMORY, FIELD(engine.proto_max_bulk_len),                 .min = MIB, .max = GIB, .initial = "512mb", .summary = "Bytes of the longest string; 1 GiB at most"},
    {"dbfilename",      .type = OPTION_FILE,    .flags = OPTION_FIXED, FIELD(rdb_file),             .initial = "dump.rdb", .summary = "File in the working directory that the data are loaded from and saved to"},
    {"save",            .type = OPTION_POINTS,  FIELD(save_points),                                 .initial = "", .summary = "Save after so many seconds if there were so many changes, and at the end; several pairs of these, or '' for never"},
    {"stop-writes-on-bgsave-error", .type = OPTION_BOOL, FIELD(stops_writes),                       .initial = "yes", .summary = "Refuse writes while the data cannot be saved"},
    {"rdbchecksum",     .type = OPTION_BOOL,    .flags = OPTION_FIXED, FIELD(rdb_checksum),         .initial = "yes", .summary = "End the file by a checksum"},
    {"rdb-key-save-delay", .type = OPTION_INTEGER, .flags = OPTION_HIDDEN, FIELD(key_save_delay_us), .min = INT32_MIN, .initial = "0", .summary = "Microseconds to wait behind each key that is saved, for tests"},
    {"key-load-delay",  .type = OPTION_INTEGER, .flags = OPTION_HIDDEN, FIELD(key_load_delay_us), .min = INT32_MIN, .initial = "0", .summary = "Microseconds to wait behind each key that is loaded at the start, for tests"},
    {"rdbcompression",  .type = OPTION_BOOL,    FIELD(engine.rdb_compression),                      .initial = "yes", .summary = "Compress the strings in files and of DUMP"},
    {"hash-max-listpack-entries", "hash-max-ziplist-entries", .type = OPTION_INTEGER, FIELD(limits.hash_max_packed_entries), .max = INT64_MAX, .initial = "512", .summary = "Fields up to which a hash is kept in one piece"},
    {"hash-max-listpack-value",   "hash-max-ziplist-value",   .type = OPTION_MEMORY,  FIELD(limits.hash_max_packed_value),   .initial = "64", .summary = "Bytes of a field or its value up to which it is"},
    {"hll-sparse-max-bytes",      .type = OPTION_MEMORY,  FIELD(engine.hll_sparse_max_bytes),       .initial = "3000", .summary = "Bytes up to which a HyperLogLog is kept as runs"},
    {"set-max-intset-entries",    .type = OPTION_INTEGER, FIELD(limits.set_max_intset_entries),     .max = INT64_MAX, .initial = "512", .summary = "Members up to which a set of integers is kept in one piece"},
    {"list-max-listpack-size",    "list-max-ziplist-size",    .type = OPTION_INTEGER, FIELD(limits.list_max_chunk),          .min = INT32_MIN, .max = INT32_MAX, .initial = "-2", .summary = "Elements that a list keeps in one piece, or -1 to -5 for 4 to 64 KiB of them"},
    {"zset-max-listpack-entries", "zset-max-ziplist-entries", .type = OPTION_INTEGER, FIELD(limits.zset_max_packed_entries), .max = INT64_MAX, .initial = "128", .summary = "Members up to which a sorted set is kept in one piece"},
    {"zset-max-listpack-value",   "zset-max-ziplist-value",   .type = OPTION_MEMORY,  FIELD(limits.zset_max_packed_value),   .initial = "64", .summary = "Bytes of a member up to which it is"},
    {"stream-node-max-bytes",     .type = OPTION_MEMORY,  FIELD(limits.stream_max_bytes),           .initial = "4096", .summary = "Bytes up to which entries of a stream are kept in one piece; 0 for no limit"},
    {"stream-node-max-entries",   .type = OPTION_INTEGER, FIELD(limits.stream_max_entries),         .max = INT64_MAX, .initial = "100", .summary = "Entries up to which they are; 0 for no limit"},

    {"busy-reply-threshold", "lua-time-limit",  .type = OPTION_INTEGER, FIELD(script.busy_threshold_ms), .max = INT64_MAX, .initial = "1000", .summary = "Milliseconds of a script after which others are told BUSY; 0 for never"},
    {"script-time-limit",    .type = OPTION_INTEGER, FIELD(script.time_limit_ms),                   .max = INT64_MAX, .initial = "5000", .summary = "Milliseconds after which a script is ended and undone; 0 for no limit"},
    {"script-memory-limit",  .type = OPTION_MEMORY,  FIELD(script.memory_limit),                    .min = MIB, .initial = "64mb", .summary = "Bytes of Lua memory at which a script is ended and undone"},
    {"script-undo-limit",    .type = OPTION_MEMORY,  FIELD(script.undo_limit),                      .initial = "256mb", .summary = "Bytes of what it takes to undo a script at which it is ended and undone; 0 for no limit"},
    {"transaction-rollback", .type = OPTION_BOOL,    FIELD(engine.transaction_rollback), .initial = "no", .summary = "Undo all of a transaction if one of its commands fails"},
    {"script-strict-keys",   .type = OPTION_ENUM,    FIELD(script.strict_keys), .words = strict_keys_names, .initial = "no", .summary = "What becomes of a script that uses a key which is not among its KEYS: nothing (no), a line in the log (warn), or an error (yes)"},

    {"min-replicas-to-write", "min-slaves-to-write", .type = OPTION_INTEGER, FIELD(engine.min_replicas), .initial = "0", .summary = "Refuse writes while fewer other servers are there; 0 for never"},
    {"min-replicas-max-lag",  "min-slaves-max-lag",  .type = OPTION_INTEGER, FIELD(engine.min_replicas_lag_s), .initial = "10", .summary = "Seconds within which a server that is there has answered"},
    {"read-consistency",      .type = OPTION_ENUM,    FIELD(engine.read_consistency), .words = consistency_names, .initial = "leader", .summary = "Which past a read may show: none (strict), that of a leader that was just deposed (leader), or that of any server (any)"},
    {"cluster-enabled",       .type = OPTION_BOOL,    .flags = OPTION_FIXED, FIELD(engine.cluster_enabled), .initial = "no", .summary = "Answer cluster clients, as a cluster of one shard"},
    {"sentinel-master-name",  .type = OPTION_TEXT,    FIELD(engine.sentinel_name), .initial = "mymaster", .summary = "What clients that ask a Sentinel call the group"},
    {"slowlog-log-slower-than",   .type = OPTION_INTEGER, FIELD(engine.slowlog_us), .min = -1, .max = INT64_MAX / 1000, .initial = "10000", .summary = "Microseconds of a command that SLOWLOG tells of; -1 for none"},
    {"slowlog-max-len",           .type = OPTION_INTEGER, FIELD(engine.slowlog_len), .max = INT64_MAX, .initial = "128", .summary = "Entries of SLOWLOG"},
    {"latency-monitor-threshold", .type = OPTION_INTEGER, FIELD(engine.latency_ms), .max = INT64_MAX / 1000000, .initial = "0", .summary = "Milliseconds of what LATENCY tells of; 0 for nothing"},
    {"latency-tracking",          .type = OPTION_BOOL,    FIELD(engine.latency_tracking), .initial = "yes", .summary = "Keep, of each command, how many calls took how long"},
    {"latency-tracking-info-percentiles", .type = OPTION_PERCENTILES, FIELD(percentiles), .initial = "50 99 99.9", .summary = "What INFO latencystats tells of that"},

    {"tracking-table-max-keys",   .type = OPTION_INTEGER, FIELD(engine.tracking_max_keys), .max = INT64_MAX, .initial = "1000000", .summary = "Keys that are remembered for CLIENT TRACKING; 0 for no limit"},
    {"notify-keyspace-events",    .type = OPTION_EVENTS,  FIELD(engine.notify), .initial = "", .summary = "What is published of keys: K and E for channels of keys and of events; A for all events but n and m, or g $ l s h z x e t d n m for some"},

    {"loglevel",        .type = OPTION_ENUM,    FIELD(log_level), .words = log_levels,              .initial = "notice", .summary = "What to log: debug, verbose, notice or warning"},
    {"logfile",         .type = OPTION_TEXT,    .flags = OPTION_FIXED, FIELD(log_file),             .initial = "", .summary = "File to log to; standard output if empty"},
    {"pidfile",         .type = OPTION_TEXT,    .flags = OPTION_FIXED, FIELD(pid_file),             .initial = "", .summary = "File to write the process's number to"},
    {"daemonize",       .type = OPTION_ENUM,    .flags = OPTION_FIXED, .words = only_no,            .initial = "no", .summary = "The server stays in the foreground: no"},
    {"enable-debug-command", .type = OPTION_ENUM, .flags = OPTION_FIXED, FIELD(debug_allowed), .words = debug_allowed, .initial = "local", .summary = "Who may use DEBUG: no, yes, or local for clients on this machine"},

    /* Options of Redis 7.0.15 that nothing here goes by, and so without a summary: they
     * say how it does what we do in another way or do not have. Configuration files
     * contain them, programs read and set them, so they are accepted, keep their value
     * and show it. At its start the server names those that were given another value
     * than the initial one, which is Redis's own but for save. What would be missed at
     * once is not in the list but refused as unknown: a master, TLS, users. */

    /* Persistence. */
    {"appendonly",                   .type = OPTION_BOOL,    .initial = "no"},
    {"appendfsync",                  .type = OPTION_ENUM,    .words = fsyncs, .initial = "everysec"},
    {"appendfilename",               .type = OPTION_TEXT,    .flags = OPTION_FIXED, .initial = "appendonly.aof"},
    {"appenddirname",                .type = OPTION_TEXT,    .flags = OPTION_FIXED, .initial = "appendonlydir"},
    {"no-appendfsync-on-rewrite",    .type = OPTION_BOOL,    .initial = "no"},
    {"auto-aof-rewrite-percentage",  .type = OPTION_INTEGER, .initial = "100"},
    {"auto-aof-rewrite-min-size",    .type = OPTION_MEMORY,  .initial = "64mb"},
    {"aof-disable-auto-gc",          .type = OPTION_BOOL,    .initial = "no"},
    {"aof-load-truncated",           .type = OPTION_BOOL,    .initial = "yes"},
    {"aof-rewrite-incremental-fsync", .type = OPTION_BOOL,   .initial = "yes"},
    {"aof-timestamp-enabled",        .type = OPTION_BOOL,    .initial = "no"},
    {"aof-use-rdb-preamble",         .type = OPTION_BOOL,    .initial = "yes"},
    {"rdb-del-sync-files",           .type = OPTION_BOOL,    .initial = "no"},
    {"rdb-save-incremental-fsync",   .type = OPTION_BOOL,    .initial = "yes"},
    {"sanitize-dump-payload",        .type = OPTION_ENUM,    .words = sanitizations, .initial = "no"},

    /* Memory. */
    {"activedefrag",                 .type = OPTION_ENUM,    .words = only_no, .initial = "no"},
    {"active-defrag-cycle-max",      .type = OPTION_INTEGER, .min = 1, .max = 99, .initial = "25"},
    {"active-defrag-cycle-min",      .type = OPTION_INTEGER, .min = 1, .max = 99, .initial = "1"},
    {"active-defrag-ignore-bytes",   .type = OPTION_MEMORY,  .min = 1, .initial = "100mb"},
    {"active-defrag-max-scan-fields", .type = OPTION_INTEGER, .min = 1, .max = INT64_MAX, .initial = "1000"},
    {"active-defrag-threshold-lower", .type = OPTION_INTEGER, .max = 1000, .initial = "10"},
    {"active-defrag-threshold-upper", .type = OPTION_INTEGER, .max = 1000, .initial = "100"},
    {"active-expire-effort",         .type = OPTION_INTEGER, .min = 1, .max = 10, .initial = "1"},
    {"activerehashing",              .type = OPTION_BOOL,    .initial = "yes"},
    {"jemalloc-bg-thread",           .type = OPTION_BOOL,    .initial = "yes"},
    {"lazyfree-lazy-eviction",       .type = OPTION_BOOL,    .initial = "no"},
    {"lazyfree-lazy-expire",         .type = OPTION_BOOL,    .initial = "no"},
    {"lazyfree-lazy-server-del",     .type = OPTION_BOOL,    .initial = "no"},
    {"lazyfree-lazy-user-del",       .type = OPTION_BOOL,    .initial = "no"},
    {"lazyfree-lazy-user-flush",     .type = OPTION_BOOL,    .initial = "no"},
    {"list-compress-depth",          .type = OPTION_INTEGER, .initial = "0"},
    {"maxmemory-clients",            .type = OPTION_SHARE,   .initial = "0"},
    {"maxmemory-eviction-tenacity",  .type = OPTION_INTEGER, .max = 100, .initial = "10"},

    /* Observation. */
    {"acllog-max-len",               .type = OPTION_INTEGER, .max = INT64_MAX, .initial = "128"},
    {"syslog-enabled",               .type = OPTION_BOOL,    .flags = OPTION_FIXED, .initial = "no"},
    {"syslog-facility",              .type = OPTION_TEXT,    .flags = OPTION_FIXED, .initial = "local0"},
    {"syslog-ident",                 .type = OPTION_TEXT,    .flags = OPTION_FIXED, .initial = "redis"},

    /* Replication and cluster. */
    {"cluster-allow-pubsubshard-when-down", .type = OPTION_BOOL, .initial = "yes"},
    {"cluster-allow-reads-when-down", .type = OPTION_BOOL,   .initial = "no"},
    {"cluster-node-timeout",         .type = OPTION_INTEGER, .max = INT64_MAX, .initial = "15000"},
    {"cluster-preferred-endpoint-type", .type = OPTION_ENUM, .words = endpoint_types, .initial = "ip"},
    {"cluster-require-full-coverage", .type = OPTION_BOOL,   .initial = "yes"},
    {"masterauth",                   .type = OPTION_ENUM,    .words = only_empty, .initial = ""},
    {"masteruser",                   .type = OPTION_ENUM,    .words = only_empty, .initial = ""},
    {"propagation-error-behavior",   .type = OPTION_ENUM,    .words = panics, .initial = "ignore"},
    {"repl-backlog-size",            .type = OPTION_MEMORY,  .min = 1, .initial = "1mb"},
    {"repl-backlog-ttl",             .type = OPTION_INTEGER, .max = INT64_MAX, .initial = "3600"},
    {"repl-disable-tcp-nodelay",     .type = OPTION_BOOL,    .initial = "no"},
    {"repl-diskless-load",           .type = OPTION_ENUM,    .words = diskless_loads, .initial = "disabled"},
    {"repl-diskless-sync",           .type = OPTION_BOOL,    .initial = "yes"},
    {"repl-diskless-sync-delay",     .type = OPTION_INTEGER, .initial = "5"},
    {"repl-diskless-sync-max-replicas", .type = OPTION_INTEGER, .initial = "0"},
    {"repl-ping-replica-period", "repl-ping-slave-period", .type = OPTION_INTEGER, .min = 1, .initial = "10"},
    {"repl-timeout",                 .type = OPTION_INTEGER, .min = 1, .initial = "60"},
    {"replica-announced",            .type = OPTION_BOOL,    .initial = "yes"},
    {"replica-ignore-disk-write-errors", .type = OPTION_BOOL, .initial = "no"},
    {"replica-ignore-maxmemory", "slave-ignore-maxmemory", .type = OPTION_BOOL,    .initial = "yes"},
    {"replica-lazy-flush",       "slave-lazy-flush",       .type = OPTION_BOOL,    .initial = "no"},
    {"replica-priority",         "slave-priority",         .type = OPTION_INTEGER, .initial = "100"},
    {"replica-read-only",        "slave-read-only",        .type = OPTION_BOOL,    .initial = "yes"},
    {"replicaof",                "slaveof",                .type = OPTION_ENUM,    .flags = OPTION_FIXED, .words = only_empty, .initial = ""},
    {"replica-serve-stale-data", "slave-serve-stale-data", .type = OPTION_BOOL,    .initial = "yes"},

    /* The process. */
    {"acl-pubsub-default",           .type = OPTION_ENUM,    .words = channel_defaults, .initial = "resetchannels"},
    {"always-show-logo",             .type = OPTION_BOOL,    .flags = OPTION_FIXED, .initial = "no"},
    {"crash-log-enabled",            .type = OPTION_BOOL,    .initial = "yes"},
    {"crash-memcheck-enabled",       .type = OPTION_BOOL,    .initial = "yes"},
    {"disable-thp",                  .type = OPTION_BOOL,    .flags = OPTION_FIXED, .initial = "yes"},
    {"dynamic-hz",                   .type = OPTION_BOOL,    .initial = "yes"},
    {"enable-module-command",        .type = OPTION_ENUM,    .flags = OPTION_FIXED, .words = allowances, .initial = "no"},
    {"enable-protected-configs",     .type = OPTION_ENUM,    .flags = OPTION_FIXED, .words = allowances, .initial = "no"},
    {"hz",                           .type = OPTION_INTEGER, .min = 1, .max = 500, .initial = "10"},
    {"ignore-warnings",              .type = OPTION_TEXT,    .initial = ""},
    {"io-threads",                   .type = OPTION_INTEGER, .flags = OPTION_FIXED, .min = 1, .max = 128, .initial = "1"},
    {"io-threads-do-reads",          .type = OPTION_BOOL,    .flags = OPTION_FIXED, .initial = "no"},
    {"oom-score-adj",                .type = OPTION_ENUM,    .words = oom_adjustments, .initial = "no"},
    {"oom-score-adj-values",         .type = OPTION_WORDS,   .initial = "0 200 800"},
    {"proc-title-template",          .type = OPTION_TEXT,    .initial = "{title} {listen-addr} {server-mode}"},
    {"set-proc-title",               .type = OPTION_BOOL,    .flags = OPTION_FIXED, .initial = "yes"},
    {"shutdown-on-sigint",           .type = OPTION_WORDS,   .initial = "default"},
    {"shutdown-on-sigterm",          .type = OPTION_WORDS,   .initial = "default"},
    {"shutdown-timeout",             .type = OPTION_INTEGER, .initial = "10"},
    {"supervised",                   .type = OPTION_ENUM,    .flags = OPTION_FIXED, .words = supervisors, .initial = "no"},
};
/* clang-format on */

const size_t options_count = sizeof options / sizeof options[0];
