/* Inspection: whether what is in the directory of a log is in order, and what it is.
 *
 * All of it is read, and nothing is changed: libraft's files and their checksums, our
 * headers, the chain, the snapshot's manifest. It is done at each start, before libraft
 * gets to see the directory, since libraft goes on with less than there was in more than
 * one case: it cuts off an open segment at the first entry that is damaged, skips snapshots
 * it cannot read, begins anew where files are missing. What may have been torn by the end
 * of the process or of the machine is told apart from what cannot have been:
 *
 * - Behind the last whole entry of the last file that was written to, there may be the
 *   beginnings of more. Nobody was told of those.
 * - But if an entry behind them says that they were applied when it was written, or the
 *   mark says so, they were whole once.
 *
 * No server may be at work in the directory. Memory by malloc(); any thread; blocks on the
 * disk. */
#ifndef REPLICA_INSPECT_H
#define REPLICA_INSPECT_H

#include "replica/identity.h"
#include "replica/mark.h"
#include "replica/metadata.h"
#include "replica/segment.h"

enum { INSPECT_PROBLEM_MAX = 1024, INSPECT_BLANKS = 16 };

/* Who wants to know what is in it. */
struct inspect_reader {
    /* Is given the file of the snapshot, before anything else. Returns NULL, or what is
     * wrong with it. */
    const char *(*snapshot)(void *context, const char *path, const struct manifest *m);

    /* Is given the changes of each turn behind it. */
    const char *(*turn)(void *context, const struct applied *turn, const struct position *at);

    void *context;
};

struct inspection {
    const char *dir;
    bool is_new; /* There is nothing here. */
    struct identity identity;
    struct metadata metadata;
    bool has_mark;
    struct mark mark;

    bool has_snapshot;
    struct snapshot_name snapshot;
    struct manifest manifest;

    uint64_t first, last; /* Entries of the log, of any kind. first > last: there are none. */
    size_t segments;
    uint64_t entries, bytes; /* Of ours, behind the snapshot. */
    struct position at;      /* The last of them. */

    /* What was torn: of which file, where, and about how much. */
    struct segment torn;
    size_t torn_at, torn_bytes;

    /* Open segments that were never written to. */
    struct segment blank[INSPECT_BLANKS];
    size_t blanks;

    char problem[INSPECT_PROBLEM_MAX]; /* What is wrong, and where; empty: nothing. */
};

/* Looks at a directory, which is kept by reference. `reader` may be NULL. Returns whether
 * it is in order; what was found before something was not is told all the same. The
 * directory should be locked. */
bool inspect(const char *dir, const struct inspect_reader *reader, struct inspection *found);

/* Keeps servers from the directory while it is read, until the descriptor is closed. Returns
 * a negative errno value, -EWOULDBLOCK if a server is at work there. */
int inspect_lock(const char *dir);

/* Cuts off what was torn, and removes what was never written to, so that libraft has
 * nothing left to decide. Returns 0 or a negative errno value. */
int inspect_repair(const struct inspection *found);

#endif
