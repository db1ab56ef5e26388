/* The group: the servers that share one log, as this one knows them.
 *
 * The replica layer keeps it up to date; commands read it. A server alone is a group of
 * one voter, and without a log there is none (durability none): it then leads. */
#ifndef ENGINE_GROUP_H
#define ENGINE_GROUP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct group_ops;

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
    uint64_t stored_index; /* It has everything up to there on its disk; */
    uint64_t stored_seq;   /* of the entries of this server (see engine/commit.h): up to there. */
    int64_t heard_ms;      /* Log time when it last answered; 0: never. Of the leader: spoke. */
};

/* Where clients find a server. */
struct group_address {
    char host[256];
    int port;
};

/* How long the disk takes for what the log gives it in one go: how many took less than each limit,
 * and the rest. */
enum { LOG_WRITE_BUCKETS = 12 };
extern const unsigned log_write_limits_us[LOG_WRITE_BUCKETS - 1];

struct log_writes {
    uint64_t count[LOG_WRITE_BUCKETS];
    uint64_t us; /* All of them together. */
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
    struct log_writes writes;

    uint64_t stored_seq; /* As a member's, of this server itself. */

    struct member *members; /* By id; mem_alloc(). */
    size_t count;

    char id[41]; /* Of the group itself: as Redis's master_replid. Empty: unknown. */

    /* What operators ask of it: see engine/operation.h. */
    const struct group_ops *ops; /* NULL: there is no log. */
    void *ops_context;
    uint64_t operations; /* How many there have been. */
    const char *outcome; /* Of the one whose end is being told. */

    /* What clients have been told by group_leader_changed(). */
    struct group_address told; /* Where the leader is, or was last; port 0: none was known yet. */
    bool led;                  /* This server was the leader. */
    uint64_t joining;          /* The operation by which it is entering another group; 0: none. */
    int64_t alone_ms;          /* Log time since when none is known; 0: one is. */

    char refusal[512]; /* The text that group_refusal() has made. */
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

/* Appends where its clients connect: "host:port", with brackets around an IPv6 address. */
void member_add_address(const struct member *m, struct buf *out);

/* Returns how many vote, and how many those are that the leader hears, itself included. */
size_t group_voters(const struct group *g);
size_t group_voters_heard(const struct group *g, int64_t now_ms);

/* Returns whether a server has answered lately, as far as this one can know: a follower
 * takes it that the others have. */
bool group_hears(const struct group *g, const struct member *m, int64_t now_ms);

/* Returns whether a server is to have what the leader writes, and is not the leader;
 * whether this server leads, and that one follows it right now. */
bool group_is_replica(const struct group *g, const struct member *m);
bool group_is_online(const struct group *g, const struct member *m, int64_t now_ms);

/* Returns up to where in the log this server is, as replication has it: the leader at what
 * it has written, others at what they have stored, which the leader tells of them too. */
static inline uint64_t group_offset(const struct group *g)
{
    return group_leads(g) ? g->last_index : g->stored_index;
}

/* Returns how many servers have an entry of this one on their disks: of the others those
 * that keep the log, and this one if `count_self`. */
uint64_t group_stored_by(const struct engine *e, uint64_t seq, bool count_self);

/* Returns how many others have answered within so many seconds. */
size_t group_good_replicas(const struct group *g, int64_t now_ms, int within_s);

/* What is refused on a server that does not lead. */
enum refused {
    REFUSED_WRITE,
    REFUSED_READ,
};

/* Returns the error that says so, and where the leader is. Good until the next call. */
const char *group_refusal(struct group *g, enum refused what);

enum { MEMBER_NAME = 40 }; /* Hexadecimal digits. */

/* Writes the name that a server has to clients which ask for nodes of a cluster, or for
 * Sentinels: it follows from the id. */
void group_name(uint64_t id, char name[MEMBER_NAME + 1]);

/* Replaces the members; the array is then the group's. */
void group_set_members(struct group *g, struct member *members, size_t count);

/* Frees what the group holds. */
void group_clear(struct group *g);

#endif
