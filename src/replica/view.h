/* What the log thread knows of the group and of itself, as it tells the executor now and
 * then. Plain data, in a message. */
#ifndef REPLICA_VIEW_H
#define REPLICA_VIEW_H

#include "engine/group.h"
#include "replica/address.h"

#include <stdbool.h>

struct view_member {
    uint64_t id;
    int role;              /* enum member_role */
    uint64_t stored_index; /* As far as the leader knows; 0: it does not. */
    int64_t silent_ms;     /* Since it was heard of; -1: it has not been. */
    char address[ADDRESS_TEXT_MAX + 1];
};

struct view {
    uint64_t self;
    uint64_t group;
    uint64_t leader; /* 0: unknown. */
    uint64_t term;
    int role; /* enum group_role */
    uint64_t last_index, stored_index, commit_index, applied_index, snapshot_index;
    uint64_t log_bytes; /* Since the last snapshot. */
    bool disk_full;
    struct log_writes writes;
    size_t count;
    struct view_member members[];
};

#endif
