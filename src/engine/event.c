#include "engine/event.h"

#include "engine/call.h"
#include "engine/observe.h"

/* In the order in which they are shown. */
static const struct letter {
    char letter;
    unsigned classes;
} letters[] = {
    {'A', EVENT_ALL},      {'g', EVENT_GENERIC},  {'$', EVENT_STRING},  {'l', EVENT_LIST},
    {'s', EVENT_SET},      {'h', EVENT_HASH},     {'z', EVENT_ZSET},    {'x', EVENT_EXPIRED},
    {'e', EVENT_EVICTED},  {'t', EVENT_STREAM},   {'d', EVENT_MODULE},  {'n', EVENT_NEW},
    {'K', EVENT_KEYSPACE}, {'E', EVENT_KEYEVENT}, {'m', EVENT_KEYMISS},
};

enum { LETTERS = sizeof letters / sizeof letters[0] };

bool event_parse_classes(struct bytes text, unsigned *classes)
{
    unsigned all = 0;

    for (size_t i = 0; i < text.len; i++) {
        size_t l = 0;

        while (l < LETTERS && letters[l].letter != text.at[i]) {
            l++;
        }
        if (l == LETTERS) {
            return false;
        }
        all |= letters[l].classes;
    }
    *classes = all;
    return true;
}

void event_add_classes(unsigned classes, struct buf *out)
{
    for (size_t l = 0; l < LETTERS; l++) {
        if ((classes & letters[l].classes) == letters[l].classes) {
            buf_add_byte(out, letters[l].letter);
            classes &= ~letters[l].classes;
        }
    }
}

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
