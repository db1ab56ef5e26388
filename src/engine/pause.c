#include "engine/pause.h"

#include "engine/command.h"
#include "engine/engine.h"
#include "engine/expiry.h"

void pause_begin(struct engine *e, enum pause_kind kind, int64_t until_ms)
{
    struct pause *p = &e->pause;

    if (!pause_stops_writes(e)) {
        *p = (struct pause){0};
    }
    p->kind = kind > p->kind ? kind : p->kind;
    p->until_ms = until_ms > p->until_ms ? until_ms : p->until_ms;
}

void pause_end(struct engine *e)
{
    e->pause.ended = e->pause.kind != PAUSE_NONE;
    e->pause.kind = PAUSE_NONE;
}

bool pause_stops_writes(const struct engine *e)
{
    return e->pause.kind != PAUSE_NONE && logtime_ms(&e->time) < e->pause.until_ms;
}

static bool may_write(const struct engine *e, const struct command *cmd, const struct bytes *argv)
{
    return (engine_flags(e, cmd, argv) & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) != 0;
}

static bool queue_may_write(const struct session *s)
{
    for (size_t i = 0; i < s->queue_len; i++) {
        const struct queued *q = &s->queue[i];
        if (may_write(s->engine, q->command, q->argv)) {
            return true;
        }
    }
    return false;
}

bool pause_holds(const struct session *s, const struct command *cmd, const struct bytes *argv)
{
    const struct engine *e = s->engine;

    if (e->pause.kind == PAUSE_NONE || !pause_stops_writes(e)) {
        return false;
    }
    return e->pause.kind == PAUSE_ALL || may_write(e, cmd, argv) ||
           ((cmd->flags & COMMAND_EXECUTES) && queue_may_write(s));
}

void pause_finish(struct engine *e)
{
    enum { EXPIRE_BUDGET_US = 20 * 1000 };

    e->pause.ended = false;
    expiry_run(e, EXPIRE_BUDGET_US);
    block_resume(e);
}

int64_t pause_deadline_ms(const struct engine *e)
{
    if (e->pause.ended) {
        return 0;
    }
    if (e->waiting.postponed.first == NULL) {
        return INT64_MAX;
    }
    return e->pause.kind == PAUSE_NONE ? 0 : e->pause.until_ms;
}
