#include "engine/event.h"

#include "engine/call.h"

void engine_event(struct engine *e, unsigned db, enum event_class class, const char *name,
                  struct bytes key)
{
    if ((e->settings.notify & class) == 0) {
        return;
    }
    journal_note(&e->journal, &(struct note){.kind = NOTE_EVENT,
                                             .db = (uint16_t)db,
                                             .class = class,
                                             .name = bytes_of(name),
                                             .content = key});
}

void call_event(struct call *c, enum event_class class, const char *name, struct bytes key)
{
    engine_event(c->engine, c->db, class, name, key);
}
