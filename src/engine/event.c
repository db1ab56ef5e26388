#include "engine/event.h"

#include "engine/call.h"
#include "engine/observe.h"

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

void event_see_note(struct engine *e, const struct note *n)
{
    BUF_LOCAL(channel);

    if (!pubsub_any(&e->pubsub)) {
        return;
    }
    if (e->settings.notify & EVENT_KEYSPACE) {
        buf_addf(&channel, "__keyspace@%u__:", (unsigned)n->db);
        buf_add(&channel, n->content);
        pubsub_send(e, TOPIC_CHANNEL, buf_bytes(&channel), n->name);
    }
    if (e->settings.notify & EVENT_KEYEVENT) {
        channel.len = 0;
        buf_addf(&channel, "__keyevent@%u__:", (unsigned)n->db);
        buf_add(&channel, n->name);
        pubsub_send(e, TOPIC_CHANNEL, buf_bytes(&channel), n->content);
    }
}
