#include "engine/batch.h"

#include "engine/engine.h"
#include "engine/observe.h"

void batch_begin(struct engine *e, bool keeps_undo)
{
    struct journal *j = &e->journal;

    j->keeps_redo = e->log.append != NULL;
    j->keeps_undo = keeps_undo || j->keeps_redo || observe_wanted(e);
    e->batch = journal_mark(j);
    e->measures.inner = 0;
}

void batch_end(struct engine *e)
{
    struct journal *j = &e->journal;

    if (j->newest == NULL) {
        return;
    }
    if (e->log.append != NULL && !e->log.append(e, buf_bytes(&j->redo), e->log.context)) {
        journal_rollback(j, e->batch);
        return;
    }
    observe_batch(e);
    journal_commit(j);
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
