/* The server: owns everything, and ties the layers together. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/config.h"
#include "server/info.h"
#include "server/loading.h"
#include "server/persist.h"

struct loop;
struct replica;

enum { ID_HEX = 40 };

struct server {
    struct settings settings;
    struct buf config_file; /* The absolute path; empty if there is none. */
    struct engine *engine;
    struct net *net;
    struct loop *loop;
    char run_id[ID_HEX + 1];
    char replication_id[ID_HEX + 1];
    size_t startup_memory; /* mem_used() without any data. */
    struct rates rates;
    struct persist persist;
    struct loading loading;
    struct replica *replica; /* NULL: there is no log. */
    bool importing;          /* The data become the log's: see durability.c. */
    bool is_up;
    uint64_t entries_then; /* How many the log had been given when there was a new one last, */
    int64_t entry_us;      /* and the log time then. */
};

/* Starts a server with the given settings, runs it until it is told to stop, and
 * ends it. Returns 0, or -1 after logging why it could not start. */
int server_run(struct server *s);

/* Has the settings take effect where they are not looked up. Returns NULL, or what
 * is wrong with the value of *option, which is then to be set to what it was. The
 * text is valid until the next call. */
const char *server_apply(struct server *s, const char **option);

/* Draws a new name that nobody else has. */
void server_draw_id(char id[ID_HEX + 1]);

/* The commands of the server itself. */
extern const struct command server_commands[];

#endif
