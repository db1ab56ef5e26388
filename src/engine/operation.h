/* Operations: what operators have the group do.
 *
 * They end later, by the log: the replica layer carries them out, and the session that
 * has asked for one waits. */
#ifndef ENGINE_OPERATION_H
#define ENGINE_OPERATION_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct call;
struct engine;

enum operation_kind {
    OPERATION_BOOTSTRAP, /* Makes a group of this server alone. */
    OPERATION_JOIN,      /* Makes this server a member of the group that `address` is in. */
    OPERATION_ADD,       /* Makes the server `id` at `address` a member that does not vote. */
    OPERATION_REMOVE,    /* Ends the membership of `id`. */
    OPERATION_PROMOTE,   /* Has `id` vote, once it has caught up. */
    OPERATION_DEMOTE,    /* Has `id` vote no more. */
    OPERATION_TRANSFER,  /* Makes `id` the leader; 0: whichever other server is best. */
    OPERATION_SNAPSHOT,  /* Writes a snapshot, and drops what it makes superfluous of the log. */
};

struct operation {
    enum operation_kind kind;
    uint64_t number; /* Of the operation: never 0, never used again. */
    uint64_t id;
    struct bytes address; /* "host:port" or "host:port@peerport"; good during the call. */
};

struct group_ops {
    /* Begins an operation. Its end is told later by operation_end(), and at least not in
     * here. Returns NULL, or the error that it has not begun for: it has then ended. */
    const char *(*begin)(void *context, const struct operation *o);
};

/* What changes the group is for the leader to do; another server refuses it. */
bool operation_is_for_leader(enum operation_kind kind);

/* Has an operation begun, and the session of a call wait for its end: the handler returns
 * without a reply of its own. The command must not be one for scripts or transactions. */
void call_operate(struct call *c, struct operation o);

/* Is told that an operation has ended: with `error`, or NULL if it has done what it was
 * for. Nothing happens if nobody waits for it any more. Not to be called while a script
 * runs. */
void operation_end(struct engine *e, uint64_t number, const char *error);

#endif
