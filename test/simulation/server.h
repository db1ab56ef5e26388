/* A server: its engine and its replica as they are, on threads of virtual time, over a
 * disk (disk.h) and a network (wire.h) that are simulated. */
#ifndef SIMULATION_SERVER_H
#define SIMULATION_SERVER_H

#include "test/simulation/disk.h"
#include "test/simulation/world.h"

#include "engine/engine.h"
#include "replica/node_state.h"
#include "replica/replica.h"

enum { SERVERS = 5 };

/* One of a server's two loops: what uv_loop_t's `data` points to. */
struct loop {
    struct server *server;
    enum thread thread;
    uv_loop_t uv;      /* The executor's; the log thread has its own. */
    unsigned handles;  /* Open. */
    uv_check_t *check; /* What runs when a turn of the loop has been; or NULL. */
    bool is_turn_open; /* The turn has not ended: there is more to come in it. */
    int64_t until_us;  /* It stands still until then. */
};

struct server {
    unsigned number; /* From 1. */
    char dir[64];
    char address[32];
    struct disk disk;
    struct node_settings settings;

    /* The process. */
    bool is_up;
    bool is_frozen;  /* It has crashed: what it still does has no effect. */
    bool is_leaving; /* It has been told to stop, and waits for that. */
    unsigned life;   /* How often it has been started, or ended. */
    struct engine *engine;
    struct replica *replica;
    struct node *node;
    struct loop loop[THREADS];
    bool is_restored; /* From a snapshot, and has made no changes since. */
    struct raft_tracer tracer;
    int64_t wall_offset_us;
    uint64_t checked_index; /* That its data have last been compared at. */
    char saving[PATH_MAX];  /* The file that is being saved; empty: none. */
    uint64_t entries_then;
    int64_t entry_us;
};

extern struct server servers[SERVERS];
extern unsigned server_count;

/* Whose event is at work, and which server begins or ends; or NULL. */
extern struct server *server_current, *server_starting, *server_stopping;

/* How the servers of a run are set up. */
struct setting {
    unsigned founders; /* Those that are the group at the start, */
    unsigned servers;  /* of so many. */
    enum durability durability;
    unsigned election_ms;
    uint64_t snapshot_bytes;
    unsigned digest_each; /* How seldom data are compared. */
    bool has_scripts;
};
extern struct setting setting;

/* Makes the servers, and starts them. `dir` is for their files. */
void servers_begin(const char *dir);

/* Starts a server, from what is on its disk. */
void server_start(struct server *s);

/* Ends a server at once, as kill -9 or a loss of power do; the disk keeps a part of what is
 * under way. */
void server_crash(struct server *s);

/* Ends a server as SIGTERM does. */
void server_stop(struct server *s);

/* Makes a server that is down one that has never been. */
void server_wipe(struct server *s);

/* Has a server do what an operator asks for. Returns what is wrong with that, or NULL. */
const char *server_operate(struct server *s, struct operation o);

/* Returns which group it is whose log is looked at, and whether a server is of it. */
uint64_t servers_group(void);
bool server_is_member(const struct server *s);

/* Returns whether a server is a member that the leader sends its log to. */
bool server_is_to_follow(const struct server *s);

/* Returns the configuration that was committed last, as far as anybody knows; or NULL. */
const struct raft_configuration *servers_configuration(void);

/* Returns what a server is in it, or -1. */
int server_role(const struct server *s);

/* Returns whether libraft is at work there; whether it is its leader. */
bool server_has_raft(const struct server *s);
bool server_leads(const struct server *s);

/* Find a server, or NULL. */
struct server *server_of_id(uint64_t id);
struct server *server_of_address(const char *address);
struct server *server_of_machine(const struct machine *m);
struct server *server_of_engine(const struct engine *e);

/* Returns until when a thread of it stands still; has it do so. */
int64_t server_stands_until(const struct server *s, enum thread thread);
void server_stand(struct server *s, enum thread thread, int64_t us);

/* Is told that an event of a thread has been. */
void server_after(struct server *s, unsigned life, enum thread thread);

/* Ends a turn of the executor's loop. */
void server_flush(struct server *s);

/* Returns the data of a server as they have to be at some index of the log; false if they
 * are on their way to the next. */
bool server_has_settled(const struct server *s);

/* Tells, in a verbose run, how all servers are. */
void servers_trace(void);

#endif
