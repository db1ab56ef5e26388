/* Persistence: all the data in one file, which a child process writes now and then,
 * and the server reads at its start.
 *
 * The child is a fork of the executor. It sees the data as they were at that moment,
 * while the server goes on; what that costs is the fork and the pages that are written
 * to until the child has ended. See ARCHITECTURE.md for what a child may do. */
#ifndef SERVER_PERSIST_H
#define SERVER_PERSIST_H

#include "store/dataset.h"

#include <sys/types.h>

struct rdb_loaded;
struct server;

/* What becomes of the data when the server ends. */
enum ending {
    ENDING_AS_CONFIGURED, /* They are saved if there are points to save at. */
    ENDING_SAVED,
    ENDING_NOT_SAVED,
};

struct persist {
    pid_t child;  /* It saves; 0: there is none. */
    int report;   /* The end of a pipe on which it tells how that went. */
    bool for_log; /* The log has asked for it. */
    int64_t child_started_us;
    uint64_t child_changes; /* engine->journal.changes when it was forked. */
    bool scheduled;         /* A child is to be forked as soon as it can. */
    bool rewrites;          /* The last one who asked for a child has called it a rewrite. */

    bool failed;            /* The last child has. */
    int64_t tried_s;        /* When it was forked, in seconds of Unix time; */
    int64_t saved_s;        /* when the data were last saved, */
    uint64_t saved_changes; /* with how many changes made. */
    int64_t took_s;         /* The last child; -1: there was none. */
    size_t copied;          /* Bytes of memory that it had for itself. */
    int64_t fork_us;        /* How long the last fork took. */
    uint64_t forks, saves;
    size_t loaded_keys, loaded_expired;

    enum ending ending;
    bool ends_anyway; /* Even if the data cannot be saved. */
};

/* Reads the file, if there is one, into the empty database, and begins to count from
 * there. Returns 0, or -1 after logging why the server should not start. */
int persist_start(struct server *s);

/* Begins to count. */
void persist_begin(struct server *s);

/* Reads a file into databases of the caller's. Returns false, with what is wrong in
 * `error`, if it cannot; the databases are then to be freed. */
bool persist_load(struct server *s, const char *path, struct dataset *into,
                  struct rdb_loaded *loaded, struct buf *error);

/* Save, and wait for it: to the file, after which there are no changes to save, or to
 * another. Return 0 or a negative errno value, which is logged. */
int persist_save(struct server *s);
int persist_save_to(struct server *s, const char *path);

/* The path of the file. */
void persist_path(const struct server *s, char *path, size_t size);

/* Forks a child that saves. There must be none. Returns 0 or a negative errno value,
 * which is logged. */
int persist_fork(struct server *s);

/* The same for a snapshot of the log, which is told when it has ended. */
int persist_fork_for_log(struct server *s, const char *path);

/* Ends the child, if there is one; the file stays as it is. */
void persist_stop(struct server *s);

/* Looks after the child, and whether it is time for another. To be called some ten
 * times a second. */
void persist_tick(struct server *s);

/* Sets what writes are refused with, after an option may have changed. */
void persist_apply(struct server *s);

/* Makes ready for the end. Returns false, having logged why, if the data could not be
 * saved and the server is to go on. */
bool persist_may_end(struct server *s);

/* Returns how many changes have been made since the data were last saved. */
uint64_t persist_changes(const struct server *s);

#endif
