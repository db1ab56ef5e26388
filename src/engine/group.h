/* The group: the servers that share one log, as this one knows them.
 *
 * The replica layer keeps it up to date; commands read it. A server alone is a group of
 * one voter, and without a log there is none (durability none): it then leads. */
#ifndef ENGINE_GROUP_H
#define ENGINE_GROUP_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

enum group_role {
    GROUP_LEADER,    /* Takes writes. */
    GROUP_FOLLOWER,  /* Makes the changes of a leader that it may know. */
    GROUP_CANDIDATE, /* Tries to become leader. */
    GROUP_LOADING,   /* Reads its own disk: it knows nothing yet. */
};

enum member_role {
    MEMBER_VOTER,
    MEMBER_STANDBY, /* Gets the log, and does not vote. */
    MEMBER_SPARE,   /* Does not get the log either. */
};

struct member {
    uint64_t id; /* Never 0, never used again. */
    char host[256];
    int port;      /* Where its clients connect, */
    int peer_port; /* and its peers. */
    enum member_role role;

    /* What the leader knows of others. */
    uint64_t stored_index; /* It has everything up to there on its disk. */
    int64_t heard_ms;      /* Log time when it last answered; 0: never. */
};

struct group {
    bool exists;     /* There is a log. */
    uint64_t self;   /* Of this server; 0 without a log. */
    uint64_t leader; /* 0: unknown. */
    enum group_role role;
    uint64_t term;
    uint64_t elections; /* How often the leader has changed since the start. */

    uint64_t last_index;     /* Of the log: the last entry, */
    uint64_t stored_index;   /* the last on this server's disk, */
    uint64_t commit_index;   /* the last that a majority has, */
    uint64_t applied_index;  /* the last whose changes have been made here, */
    uint64_t snapshot_index; /* the last in the newest snapshot. */

    struct member *members; /* By id; mem_alloc(). */
    size_t count;
};

static inline bool group_leads(const struct group *g)
{
    return g->role == GROUP_LEADER;
}

/* Return the member, or NULL if it is not known. */
const struct member *group_find(const struct group *g, uint64_t id);
static inline const struct member *group_leader(const struct group *g)
{
    return group_find(g, g->leader);
}
static inline const struct member *group_self(const struct group *g)
{
    return group_find(g, g->self);
}

/* Returns how many vote. */
size_t group_voters(const struct group *g);

/* Replaces the members; the array is then the group's. */
void group_set_members(struct group *g, struct member *members, size_t count);

/* Frees what the group holds. */
void group_clear(struct group *g);

#endif
