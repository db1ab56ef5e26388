#include "engine/batch.h"

#include "engine/engine.h"
#include "engine/observe.h"

void batch_begin(struct engine *e, bool keeps_undo)
{
    struct journal *j = &e->journal;

    j->keeps_redo = e->log.append != NULL || e->commit.ops != NULL;
    j->keeps_undo = keeps_undo || j->keeps_redo || observe_wanted(e);
    e->batch = journal_mark(j);
    e->measures.inner = 0;
}

/* Whoever is to judge a batch may refuse it, and a server that follows others changes
 * nothing by itself. */
static bool is_refused(struct engine *e)
{
    struct bytes redo = journal_redo_since(&e->journal, e->batch);

    if (e->log.append != NULL) {
        return !e->log.append(e, redo, e->log.context);
    }
    return redo.len > 0 && !group_leads(&e->group);
}

void batch_end(struct engine *e)
{
    struct journal *j = &e->journal;

    if (!batch_has_records(e)) {
        return;
    }
    if (is_refused(e)) {
        journal_rollback(j, e->batch);
        return;
    }
    observe_batch(e);
    if (e->commit.ops == NULL) {
        journal_commit(j);
    } else if (journal_redo_since(j, e->batch).len > 0) {
        e->commit.requests++;
    }
    e->batch = journal_mark(j);
}

void batch_rollback(struct engine *e, struct journal_mark mark)
{
    journal_rollback(&e->journal, mark);
    if (mark.changes < e->batch.changes) {
        e->batch = mark;
    }
}

void batch_remove_key(struct engine *e, unsigned db, enum event_class class, const char *event,
                      struct bytes key)
{
    batch_begin(e, false);
    engine_event(e, db, class, event, key);
    journal_make(&e->journal, change_unbind(db, key));
    batch_end(e);
    block_serve(e);
}
