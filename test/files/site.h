/* A site: a server's log without the server. libraft with our state machine writes it, on
 * a loop of the caller's thread; nobody is on the network. */
#ifndef TEST_FILES_SITE_H
#define TEST_FILES_SITE_H

#include "replica/core.h"
#include "replica/identity.h"
#include "replica/mark.h"

#include <raft/uv.h>

enum { SITE_ENTRIES = 4096 };

struct site {
    char dir[64];
    struct identity identity;
    uv_loop_t loop;
    struct raft raft;
    struct raft_io io;
    struct raft_uv_transport transport;
    struct core core;
    uint64_t epoch, seq;
    uint64_t acknowledged;        /* The last entry of ours that was. */
    uint64_t committed;           /* The last of any kind. */
    uint64_t chain[SITE_ENTRIES]; /* Behind each entry of ours, by index. */
    bool leads, is_closed;
    int snapshots;
};

/* Begins a log in an empty directory, or goes on with it. */
void site_open(struct site *s, const char *dir);

/* Appends so many entries of about that size, and waits until all are committed. */
void site_append(struct site *s, unsigned count, size_t size);

/* Has a snapshot taken, and waits for it. */
void site_snapshot(struct site *s);

/* Writes the mark, with so many entries of ours left out. */
void site_mark(struct site *s, unsigned behind);

/* Ends libraft in good order. */
void site_close(struct site *s);

/* What libraft makes of a directory. */
struct site_loaded {
    int err;
    uint64_t last;
    struct position at;
    const char *problem; /* Of the state machine, with the entries. */
};
void site_load(const char *dir, struct site_loaded *loaded);

#endif
