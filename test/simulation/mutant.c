#include "test/simulation/mutant.h"

#include "test/simulation/server.h"

#include "engine/commit.h"

#include <raft.h>

enum mutant mutant;

const char *const mutant_names[MUTANTS] = {
    [MUTANT_NONE] = "none",
    [MUTANT_ACKNOWLEDGES_EARLY] = "acknowledges early",
    [MUTANT_KEEPS_LOST] = "keeps what is lost",
    [MUTANT_SKIPS_ONE] = "skips one behind a snapshot",
    [MUTANT_MAKES_TWICE] = "makes one twice behind a snapshot",
    [MUTANT_SAVES_UNCOMMITTED] = "saves what is not committed",
    [MUTANT_LEADS_EARLY] = "leads early",
    [MUTANT_DISK_FORGETS] = "its disk forgets",
};

size_t __real_commit_released(const struct session *s);
size_t __wrap_commit_released(const struct session *s);
size_t __wrap_commit_released(const struct session *s)
{
    return mutant == MUTANT_ACKNOWLEDGES_EARLY ? s->out.len : __real_commit_released(s);
}

/* Takes what is not committed for committed. */
static void forget_undo(struct engine *e)
{
    struct commit *c = &e->commit;

    for (uint64_t seq = c->committed + 1; seq <= c->sealed; seq++) {
        journal_part_commit(&e->journal, &c->entry[seq % COMMIT_HOLDS].part);
    }
    journal_commit(&e->journal);
}

void __real_commit_lost(struct engine *e, const char *error);
void __wrap_commit_lost(struct engine *e, const char *error);
void __wrap_commit_lost(struct engine *e, const char *error)
{
    if (mutant == MUTANT_KEEPS_LOST) {
        forget_undo(e);
    }
    __real_commit_lost(e, error);
}

/* Whether these are the first changes behind a snapshot. */
static bool is_first(struct engine *e, struct bytes redo)
{
    struct server *s = server_of_engine(e);
    bool first = s->is_restored && redo.len > 0;

    s->is_restored = s->is_restored && !first;
    return first;
}

bool __real_commit_follow(struct engine *e, struct bytes redo);
bool __wrap_commit_follow(struct engine *e, struct bytes redo);
bool __wrap_commit_follow(struct engine *e, struct bytes redo)
{
    bool first = is_first(e, redo);

    if (first && mutant == MUTANT_SKIPS_ONE) {
        return true;
    }
    if (first && mutant == MUTANT_MAKES_TWICE && !__real_commit_follow(e, redo)) {
        return false;
    }
    return __real_commit_follow(e, redo);
}

int __real_raft_barrier(struct raft *r, struct raft_barrier *req, raft_barrier_cb cb);
int __wrap_raft_barrier(struct raft *r, struct raft_barrier *req, raft_barrier_cb cb);
int __wrap_raft_barrier(struct raft *r, struct raft_barrier *req, raft_barrier_cb cb)
{
    if (mutant != MUTANT_LEADS_EARLY) {
        return __real_raft_barrier(r, req, cb);
    }
    cb(req, 0);
    return 0;
}
