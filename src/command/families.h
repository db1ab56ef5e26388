/* The commands, by family. Each array ends in a row without a name. */
#ifndef COMMAND_FAMILIES_H
#define COMMAND_FAMILIES_H

#include "engine/command.h"

extern const struct command acl_commands[];
extern const struct command bitfield_commands[];
extern const struct command bitmap_commands[];
extern const struct command cluster_commands[];
extern const struct command command_commands[]; /* COMMAND itself. */
extern const struct command connection_commands[];
extern const struct command dump_commands[];
extern const struct command expire_commands[];
extern const struct command geo_commands[];
extern const struct command geosearch_commands[];
extern const struct command hash_commands[];
extern const struct command hyperloglog_commands[];
extern const struct command hash_expire_commands[];
extern const struct command key_commands[];
extern const struct command lcs_commands[];
extern const struct command list_commands[];
extern const struct command list_pop_commands[];
extern const struct command latency_commands[];
extern const struct command migrate_commands[];
extern const struct command monitor_commands[];
extern const struct command pubsub_commands[];
extern const struct command raft_commands[];
extern const struct command replication_commands[];
extern const struct command sentinel_commands[];
extern const struct command set_commands[];
extern const struct command slowlog_commands[];
extern const struct command sort_commands[];
extern const struct command stream_commands[];
extern const struct command stream_claim_commands[];
extern const struct command stream_group_commands[];
extern const struct command stream_info_commands[];
extern const struct command stream_read_commands[];
extern const struct command string_commands[];
extern const struct command transaction_commands[];
extern const struct command zcombine_commands[];
extern const struct command zpop_commands[];
extern const struct command zrange_commands[];
extern const struct command zset_commands[];

/* All of them, for a list that ends in NULL. */
/* clang-format off */
#define COMMAND_FAMILIES \
    acl_commands, \
    bitfield_commands, \
    bitmap_commands, \
    cluster_commands, \
    command_commands, \
    connection_commands, \
    dump_commands, \
    expire_commands, \
    geo_commands, \
    geosearch_commands, \
    hash_commands, \
    hash_expire_commands, \
    hyperloglog_commands, \
    key_commands, \
    latency_commands, \
    lcs_commands, \
    list_commands, \
    list_pop_commands, \
    migrate_commands, \
    monitor_commands, \
    pubsub_commands, \
    raft_commands, \
    replication_commands, \
    sentinel_commands, \
    set_commands, \
    slowlog_commands, \
    sort_commands, \
    stream_claim_commands, \
    stream_commands, \
    stream_group_commands, \
    stream_info_commands, \
    stream_read_commands, \
    string_commands, \
    transaction_commands, \
    zcombine_commands, \
    zpop_commands, \
    zrange_commands, \
    zset_commands
/* clang-format on */

#endif
