/* Events: what keyspace notifications tell of keys.
 *
 * An event is a note in the journal. It is told when its batch is final, in the order
 * of the changes it belongs to, and never if they are rolled back. */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include "base/buf.h"

#include <stdint.h>

struct call;
struct engine;
struct note;

/* The classes of notify-keyspace-events. */
enum event_class {
    EVENT_KEYSPACE = 1 << 0, /* K: tell on channels named after the key, */
    EVENT_KEYEVENT = 1 << 1, /* E: and after the event. */
    EVENT_GENERIC = 1 << 2,  /* g */
    EVENT_STRING = 1 << 3,   /* $ */
    EVENT_LIST = 1 << 4,     /* l */
    EVENT_SET = 1 << 5,      /* s */
    EVENT_HASH = 1 << 6,     /* h */
    EVENT_ZSET = 1 << 7,     /* z */
    EVENT_EXPIRED = 1 << 8,  /* x */
    EVENT_EVICTED = 1 << 9,  /* e */
    EVENT_STREAM = 1 << 10,  /* t */
    EVENT_KEYMISS = 1 << 11, /* m */
    EVENT_MODULE = 1 << 12,  /* d */
    EVENT_NEW = 1 << 13,     /* n */
    EVENT_ALL = EVENT_GENERIC | EVENT_STRING | EVENT_LIST | EVENT_SET | EVENT_HASH | EVENT_ZSET |
                EVENT_EXPIRED | EVENT_EVICTED | EVENT_STREAM | EVENT_MODULE, /* A */
};

/* Reads a set of classes, each of which is a letter. Returns false if one is none. */
bool event_parse_classes(struct bytes letters, unsigned *classes);

/* Appends the letters of a set of classes. */
void event_add_classes(unsigned classes, struct buf *out);

/* Notes that something has happened to a key, if anybody may want to know. */
void engine_event(struct engine *e, unsigned db, enum event_class class, const char *name,
                  struct bytes key);
void call_event(struct call *c, enum event_class class, const char *name, struct bytes key);

/* Is told that an event is final: publishes it on the channels for it. */
void event_see_note(struct engine *e, const struct note *n);

#endif
